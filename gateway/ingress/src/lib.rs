//! HTTP and TCP routing to the protocol gateways.

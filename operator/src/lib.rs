//! The Kubernetes operator of Kontor.

//! Accept and reject, for every rule.

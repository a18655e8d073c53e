//! The configuration of the IMAP gateway.

use std::time::Duration;

use kontor_gateway_core::config::{duration, size};
use serde::Deserialize;

/// Everything but the listeners, which are `kontor-gateway-core`'s.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImapConfig {
    /// Largest message that APPEND takes, octets. What the account may store can be less.
    #[serde(deserialize_with = "size")]
    pub append_limit: u64,
    /// Messages in one APPEND (MULTIAPPEND).
    pub append_messages: usize,
    /// LOGIN and AUTHENTICATE without encryption. For tests on one machine.
    pub plaintext_auth: bool,
    /// Wrong passwords after which the connection ends.
    pub max_login_failures: u32,
    /// Commands that make no sense, one after another, after which the connection ends.
    pub max_errors: u32,
    /// How long to wait for a client that has not logged in.
    #[serde(deserialize_with = "duration")]
    pub login_timeout: Duration,
    /// How long to wait for a client that has (RFC 9051 §5.4: at least 30 minutes).
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// How long a client may take to receive one piece of an answer.
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    /// How often a session in IDLE looks for changes without having heard of one.
    #[serde(deserialize_with = "duration")]
    pub idle_check: Duration,
}

impl Default for ImapConfig {
    fn default() -> Self {
        Self {
            append_limit: 50 << 20,
            append_messages: 100,
            plaintext_auth: false,
            max_login_failures: 5,
            max_errors: 20,
            login_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(31 * 60),
            write_timeout: Duration::from_secs(120),
            idle_check: Duration::from_secs(240),
        }
    }
}

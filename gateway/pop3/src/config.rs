//! The configuration of the POP3 gateway.

use std::time::Duration;

use kontor_gateway_core::config::duration;
use serde::Deserialize;

/// Everything but the listeners, which are `kontor-gateway-core`'s.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pop3Config {
    /// Passwords without encryption. For tests on one machine.
    pub plaintext_auth: bool,
    /// What was downloaded is marked as read, at QUIT.
    pub mark_seen: bool,
    /// How long to wait for a command (RFC 1939 §3: at least ten minutes).
    #[serde(deserialize_with = "duration")]
    pub command_timeout: Duration,
    /// The same before login.
    #[serde(deserialize_with = "duration")]
    pub login_timeout: Duration,
    /// How long a client may take nothing of what it asked for.
    #[serde(deserialize_with = "duration")]
    pub write_timeout: Duration,
    /// Commands that may fail before login, until the connection ends. A wrong password counts as three.
    pub max_errors: u32,
}

impl Default for Pop3Config {
    fn default() -> Self {
        Self {
            plaintext_auth: false,
            mark_seen: true,
            command_timeout: Duration::from_secs(600),
            login_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(120),
            max_errors: 20,
        }
    }
}

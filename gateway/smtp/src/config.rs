//! The configuration of the SMTP gateway.

use std::path::PathBuf;
use std::time::Duration;

use kontor_gateway_core::Secret;
use kontor_gateway_core::config::{duration, size};
use serde::Deserialize;

/// Everything but the listeners, which are `kontor-gateway-core`'s.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmtpConfig {
    /// The name in greetings and trace fields. Empty = the machine's own.
    pub hostname: String,
    /// Who gets mail for `<Postmaster>` without a domain. Empty = `postmaster@` this host.
    pub postmaster: String,
    /// Largest message, octets.
    #[serde(deserialize_with = "size")]
    pub max_message_size: u64,
    /// Recipients of one message (RFC 5321 §4.5.3.1.8: at least 100).
    pub max_recipients: usize,
    /// `Received` fields after which a message is in a loop (RFC 5321 §6.3).
    pub max_hops: usize,
    /// Commands that may fail before the connection ends.
    pub max_errors: u32,
    /// Messages with a bare CR or LF from other servers and from clients; LMTP takes them always, because
    /// the server in front has decided.
    pub bare_newlines: BareNewlines,
    /// LMTP adds a `Return-Path` field. Off: what came is stored octet for octet.
    pub lmtp_return_path: bool,
    /// AUTH without encryption. For tests on one machine.
    pub plaintext_auth: bool,
    /// How long to wait for a command.
    #[serde(deserialize_with = "duration")]
    pub command_timeout: Duration,
    /// How long to wait for the next octets of a message.
    #[serde(deserialize_with = "duration")]
    pub data_timeout: Duration,
    /// How long one message may take.
    #[serde(deserialize_with = "duration")]
    pub message_timeout: Duration,
    /// Outgoing mail.
    pub queue: QueueConfig,
    /// The server that takes outgoing mail. Without one it waits in the queue.
    pub relay: Option<RelayConfig>,
}

/// What to do with a bare CR or LF in a message.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum BareNewlines {
    /// `550 5.5.2`
    #[default]
    Refuse,
    /// Store it as it came.
    Accept,
}

/// How the queue runner works.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Run one here.
    pub runner: bool,
    /// Messages at once.
    pub concurrency: usize,
    /// How long a message is ours without a sign of life.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// The pause after the first failure; it doubles with each.
    #[serde(deserialize_with = "duration")]
    pub first_retry: Duration,
    /// The longest pause.
    #[serde(deserialize_with = "duration")]
    pub last_retry: Duration,
    /// When to give up, where the store has not said so.
    #[serde(deserialize_with = "duration")]
    pub expire: Duration,
}

/// A relay host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Name or address.
    pub host: String,
    /// 25, 587 or 465 by `tls` unless said.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: RelayTls,
    /// PEM file with the CAs that may have signed its certificate. Unset = the system's.
    pub ca: Option<PathBuf>,
    /// Name to log in with. Unset = no login.
    pub user: Option<String>,
    /// Password to log in with.
    pub password: Option<Secret>,
    /// File that holds the password; it is read at each login.
    pub password_file: Option<PathBuf>,
    /// Connections at once.
    #[serde(default = "relay_connections")]
    pub connections: usize,
    /// How long to wait for a connection, and for each answer but the last, which gets ten times as long.
    #[serde(default = "relay_timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// Recipients in one transaction.
    #[serde(default = "relay_recipients")]
    pub recipients: usize,
}

/// How a connection to a relay is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum RelayTls {
    /// Not at all.
    None,
    /// By STARTTLS; a relay that does not offer it gets no mail.
    #[default]
    Starttls,
    /// From the first octet.
    Implicit,
}

impl RelayConfig {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            RelayTls::None => 25,
            RelayTls::Starttls => 587,
            RelayTls::Implicit => 465,
        })
    }
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            hostname: String::new(),
            postmaster: String::new(),
            max_message_size: 50 << 20,
            max_recipients: 1000,
            max_hops: 50,
            max_errors: 50,
            bare_newlines: BareNewlines::Refuse,
            lmtp_return_path: false,
            plaintext_auth: false,
            command_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(180),
            message_timeout: Duration::from_secs(3600),
            queue: QueueConfig::default(),
            relay: None,
        }
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            runner: true,
            concurrency: 32,
            lease: Duration::from_secs(120),
            first_retry: Duration::from_secs(60),
            last_retry: Duration::from_secs(4 * 3600),
            expire: Duration::from_secs(5 * 24 * 3600),
        }
    }
}

fn relay_connections() -> usize {
    10
}

fn relay_timeout() -> Duration {
    Duration::from_secs(60)
}

fn relay_recipients() -> usize {
    100
}

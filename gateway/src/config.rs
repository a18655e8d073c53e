//! The configuration of a gateway process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_dav::DavConfig;
use kontor_gateway_core::config::duration;
use kontor_gateway_core::logging::LogConfig;
use kontor_gateway_core::rate::AuthLimits;
use kontor_gateway_core::{BudgetConfig, Listeners, TlsConfig};
use kontor_imap::ImapConfig;
use kontor_ingress::IngressConfig;
use kontor_pop3::Pop3Config;
use kontor_smtp::SmtpConfig;
use kontor_storage_client::{StoreClient, Tls};
use serde::Deserialize;

/// Everything. One file may serve all gateways: each takes what is its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Logs.
    pub log: LogConfig,
    /// Where the storage nodes are.
    pub store: StoreConfig,
    /// Certificates for clients.
    pub tls: TlsConfig,
    /// Listening addresses.
    pub listen: Listen,
    /// Wrong passwords.
    pub auth: AuthLimits,
    /// Memory for incoming messages.
    pub memory: BudgetConfig,
    /// Metrics and health, and how the process ends.
    pub process: ProcessConfig,
    /// SMTP, submission, LMTP and the queue runner.
    pub smtp: SmtpConfig,
    /// IMAP.
    pub imap: ImapConfig,
    /// POP3.
    pub pop3: Pop3Config,
    /// CalDAV and CardDAV.
    pub dav: DavConfig,
    /// HTTP and TCP routing; its limits of HTTP hold for gateways that speak it too.
    pub ingress: IngressConfig,
}

/// What is the process's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessConfig {
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub monitor: Option<SocketAddr>,
    /// How long sessions get to end.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self { monitor: None, grace: Duration::from_secs(25) }
    }
}

/// The way to the storage nodes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `host:port`; a name may stand for many nodes.
    pub addresses: Vec<String>,
    /// The CA that signed their certificates (PEM). Without it the connection is neither encrypted nor trusted.
    pub ca: Option<PathBuf>,
    /// Our certificate (PEM); its common name begins with `kontor-gateway`.
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// The name in their certificates. `kontor-storage` when empty.
    pub server_name: String,
}

impl StoreConfig {
    /// A client; connections are made when they are needed.
    ///
    /// # Errors
    /// When no address is set, or a certificate file cannot be read.
    pub fn connect(&self) -> Result<StoreClient> {
        anyhow::ensure!(!self.addresses.is_empty(), "no storage node is known: set store.addresses");
        let read = |file: &PathBuf| {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
        };
        let tls = match (&self.ca, &self.certificate, &self.key) {
            (None, None, None) => None,
            (Some(ca), Some(certificate), Some(key)) => Some(Tls {
                ca: read(ca)?,
                certificate: read(certificate)?,
                key: read(key)?,
                server_name: match self.server_name.as_str() {
                    "" => "kontor-storage".to_owned(),
                    name => name.to_owned(),
                },
            }),
            _ => {
                anyhow::bail!("store.ca, store.certificate and store.key go together: set all three or none")
            }
        };
        Ok(StoreClient::connect(&self.addresses, tls)?)
    }
}

/// Listening addresses by endpoint. One that is not named is not opened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Mail from other servers, port 25.
    pub smtp: Listeners,
    /// Mail from clients, STARTTLS, port 587.
    pub submission: Listeners,
    /// Mail from clients, implicit TLS, port 465.
    pub submissions: Listeners,
    /// Mail from a server in front of us, port 24.
    pub lmtp: Listeners,
    /// Port 143.
    pub imap: Listeners,
    /// Implicit TLS, port 993.
    pub imaps: Listeners,
    /// Port 110.
    pub pop3: Listeners,
    /// Implicit TLS, port 995.
    pub pop3s: Listeners,
    /// CalDAV and CardDAV over HTTP without TLS, behind an ingress.
    pub dav: Listeners,
    /// The same with TLS.
    pub davs: Listeners,
    /// HTTP without TLS, port 80. (The ingress's TCP routes have their listeners under `ingress.tcp`.)
    pub http: Listeners,
    /// HTTP with TLS, port 443.
    pub https: Listeners,
}

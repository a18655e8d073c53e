//! The configuration of a server that is everything in one process.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use kontor_dav::DavConfig;
use kontor_gateway::{Listen, ProcessConfig};
use kontor_gateway_core::config::size;
use kontor_gateway_core::logging::LogConfig;
use kontor_gateway_core::rate::AuthLimits;
use kontor_gateway_core::{BudgetConfig, ListenerConfig, Listeners, TlsConfig};
use kontor_imap::ImapConfig;
use kontor_ingress::IngressConfig;
use kontor_pop3::Pop3Config;
use kontor_smtp::SmtpConfig;
use serde::Deserialize;

use crate::postgres::PostgresConfig;

/// Everything that `kontor up --config FILE` reads. Each key has a default that is safe to run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data folder; `--data` has the last word.
    pub data: Option<PathBuf>,
    /// The server's name in greetings and in its private certificate. The machine's own when empty.
    pub hostname: String,
    /// Logs.
    pub log: LogConfig,
    /// The private PostgreSQL.
    pub postgres: PostgresConfig,
    /// The store.
    pub storage: StorageConfig,
    /// The first account.
    pub first: FirstConfig,
    /// Certificates; a private CA makes one when none is named.
    pub tls: TlsConfig,
    /// Listening addresses. When the whole section is missing: the standard ports with a configuration file, unprivileged
    /// ones on the loopback address without.
    pub listen: Option<Listen>,
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
    /// HTTP: routes to gateways in this process, and to others that are named here.
    pub ingress: IngressConfig,
}

/// The store in this process.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// A PostgreSQL that is run by somebody else, as a URL. None is started then.
    pub database_url: String,
    /// The folder for large bodies; `blobs` in the data folder when not set.
    pub blobs: Option<PathBuf>,
    /// An S3 bucket for large bodies, instead of a folder.
    pub s3: Option<S3Config>,
    /// Memory for recently used bodies, octets.
    #[serde(deserialize_with = "optional_size")]
    pub content_cache: Option<u64>,
    /// Connections to PostgreSQL.
    pub database_connections: Option<usize>,
    /// Days that deleted items can be brought back.
    pub retention_days: Option<u32>,
    /// Days that the queue tries before it gives a message back.
    pub queue_days: Option<u32>,
}

/// A bucket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Its name.
    pub bucket: String,
    /// The service, as `https://host:port`; Amazon's when not set.
    pub endpoint: Option<String>,
    /// The region.
    #[serde(default = "region")]
    pub region: String,
    /// `AWS_ACCESS_KEY_ID` when not set.
    pub access_key: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY` when not set.
    pub secret_key: Option<String>,
}

/// Made when the store is empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirstConfig {
    /// Its address, whose domain becomes the first domain. Empty makes none.
    pub address: String,
    /// The tenant that owns both.
    pub tenant: String,
}

impl Default for FirstConfig {
    fn default() -> Self {
        Self { address: "me@kontor.test".to_owned(), tenant: "default".to_owned() }
    }
}

impl Config {
    /// What a trial on one machine adds: loopback only, ports that need no rights, passwords also without TLS.
    pub fn for_trial(mut self) -> Self {
        self.smtp.plaintext_auth = true;
        self.imap.plaintext_auth = true;
        self.pop3.plaintext_auth = true;
        self.ingress.https_redirect = false;
        // Everybody comes from one address here.
        self.ingress.exempt.push(loopback(0).ip().into());
        self.process.monitor.get_or_insert(loopback(TRIAL_MONITOR));
        self
    }

    /// The name for greetings and certificates.
    pub fn hostname(&self) -> String {
        if !self.hostname.is_empty() {
            return self.hostname.clone();
        }
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match name.trim() {
            "" => "localhost".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// Loopback listeners on the trial's ports, or on those of the last run.
pub fn trial_listeners(last: &BTreeMap<String, u16>) -> Listen {
    let on = |endpoint: &str| {
        let default = TRIAL.iter().find(|(name, _)| *name == endpoint).map_or(0, |(_, port)| *port);
        let mut listener = ListenerConfig::on(loopback(last.get(endpoint).copied().unwrap_or(default)));
        // Everybody comes from one address here.
        listener.exempt = vec![loopback(0).ip().into()];
        Listeners(vec![listener])
    };
    listen(on)
}

/// Every address, the standard ports.
pub fn standard_listeners() -> Listen {
    let ipv6 = std::path::Path::new("/proc/net/if_inet6").exists();
    listen(|endpoint| {
        let port = STANDARD.iter().find(|(name, _)| *name == endpoint).map_or(0, |(_, port)| *port);
        let any = |ip: IpAddr| ListenerConfig::on(SocketAddr::new(ip, port));
        // LMTP believes everything that it is told, so it stays inside.
        if endpoint == "lmtp" {
            return Listeners(vec![any(Ipv4Addr::LOCALHOST.into())]);
        }
        let mut listeners = vec![any(Ipv4Addr::UNSPECIFIED.into())];
        if ipv6 {
            listeners.push(any(std::net::Ipv6Addr::UNSPECIFIED.into()));
        }
        Listeners(listeners)
    })
}

fn listen(on: impl Fn(&str) -> Listeners) -> Listen {
    Listen {
        smtp: on("smtp"),
        submission: on("submission"),
        submissions: on("submissions"),
        lmtp: on("lmtp"),
        imap: on("imap"),
        imaps: on("imaps"),
        pop3: on("pop3"),
        pop3s: on("pop3s"),
        http: on("http"),
        https: on("https"),
        // HTTP has one door here.
        dav: Listeners::default(),
        davs: Listeners::default(),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn optional_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    size(deserializer).map(Some)
}

fn region() -> String {
    "us-east-1".to_owned()
}

const TRIAL_MONITOR: u16 = 9090;
const TRIAL: &[(&str, u16)] = &[
    ("smtp", 2525),
    ("submission", 2587),
    ("submissions", 2465),
    ("lmtp", 2424),
    ("imap", 2143),
    ("imaps", 2993),
    ("pop3", 2110),
    ("pop3s", 2995),
    ("http", 8080),
    ("https", 8443),
];
const STANDARD: &[(&str, u16)] = &[
    ("smtp", 25),
    ("submission", 587),
    ("submissions", 465),
    ("lmtp", 24),
    ("imap", 143),
    ("imaps", 993),
    ("pop3", 110),
    ("pop3s", 995),
    ("http", 80),
    ("https", 443),
];

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_gateway_core::config::parse;

    #[test]
    fn an_empty_configuration_is_one() {
        let config: Config = parse("", []).expect("defaults");
        assert!(config.listen.is_none() && !config.imap.plaintext_auth);
        assert!(config.for_trial().imap.plaintext_auth);
    }

    #[test]
    fn the_documented_example_is_one() {
        let config: Config = parse(crate::EXAMPLE_CONFIG, []).expect("valid");
        assert_eq!(config.listen.expect("there").imaps.0.len(), 1);
    }
}

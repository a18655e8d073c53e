//! What a storage node is told.

use std::path::{Path, PathBuf};

use anyhow::Context;
use kontor_process::TlsConfig;
use kontor_process::logging::LogConfig;
use kontor_process::tls::CertificateFiles;
use serde::Deserialize;

use crate::blobs::BlobConfig;

/// Configuration of one storage-node process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// PostgreSQL, as a URL or a libpq connection string. May be set by `KONTOR_DATABASE_URL`.
    #[serde(default)]
    pub database_url: String,
    /// A file that holds the same, a mounted Secret say, instead of `database_url`.
    #[serde(default)]
    pub database_url_file: Option<PathBuf>,
    /// The CA of PostgreSQL's certificate (PEM); the system's own CAs when it is not set. It counts when the URL says
    /// `sslmode=require`, or `prefer` (the default) and the server offers TLS.
    #[serde(default)]
    pub database_ca: Option<PathBuf>,
    /// Connections to PostgreSQL.
    #[serde(default = "default_connections")]
    pub database_connections: usize,
    /// Connections of them that store new messages, each a batch at a time.
    #[serde(default = "default_lanes")]
    pub delivery_lanes: usize,
    /// Where large bodies are.
    pub blobs: BlobConfig,
    /// Bodies larger than this are kept in the blob store, octets after compression.
    #[serde(default = "default_inline")]
    pub inline_body_limit: usize,
    /// Memory for recently used message contents, octets.
    #[serde(default = "default_cache")]
    pub content_cache: u64,
    /// Messages whose flags, UIDs and sizes are kept in memory, over all folders.
    #[serde(default = "default_skeleton_cache")]
    pub skeleton_cache: u64,
    /// Largest message, octets.
    #[serde(default = "default_max_message")]
    pub max_message_size: u64,
    /// Days that soft-deleted items stay in Recoverable Items.
    #[serde(default = "default_retention_days")]
    pub retention_days: u32,
    /// Days that tombstones and change logs are kept.
    #[serde(default = "default_log_days")]
    pub log_days: u32,
    /// Hours a blob without reference stays; longer than the interval between backups.
    #[serde(default = "default_blob_grace_hours")]
    pub blob_grace_hours: u32,
    /// Days that the queue tries before it gives a message back.
    #[serde(default = "default_queue_days")]
    pub queue_days: u32,
    /// Where gateways connect.
    #[serde(default)]
    pub listen: Option<ListenConfig>,
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    #[serde(default)]
    pub monitor: Option<std::net::SocketAddr>,
    /// Nobody else works on this database: whatever is taken on there was taken on by a process that is gone, and is done
    /// anew at once instead of after its lease.
    #[serde(skip)]
    pub is_alone: bool,
    /// Logs.
    #[serde(default)]
    pub log: LogConfig,
}

/// A gRPC listener with mTLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    /// `host:port`.
    pub address: String,
    /// PEM file with our certificate chain.
    pub certificate: PathBuf,
    /// PEM file with its key.
    pub key: PathBuf,
    /// PEM file with the CA that signs gateways and operators.
    pub client_ca: PathBuf,
}

impl ListenConfig {
    /// The files, which are read again when they change.
    pub(crate) fn tls(&self) -> TlsConfig {
        let certificate = CertificateFiles { certificate: self.certificate.clone(), key: self.key.clone() };
        TlsConfig {
            certificates: vec![certificate],
            client_ca: Some(self.client_ca.clone()),
            ..TlsConfig::default()
        }
    }
}

impl Config {
    /// Where the database is, from wherever it is told.
    ///
    /// # Errors
    /// When it is told nowhere, or the file cannot be read.
    pub(crate) fn database_url(&self) -> anyhow::Result<String> {
        match &self.database_url_file {
            Some(file) if self.database_url.is_empty() => secret(file),
            Some(_) => anyhow::bail!("set database_url or database_url_file, not both"),
            None if self.database_url.is_empty() => {
                anyhow::bail!(
                    "no database is known: set database_url, database_url_file or KONTOR_DATABASE_URL"
                )
            }
            None => Ok(self.database_url.clone()),
        }
    }

    /// Defaults, over a database and a blob store.
    pub fn new(database_url: String, blobs: BlobConfig) -> Self {
        Config {
            database_url,
            database_url_file: None,
            database_ca: None,
            database_connections: default_connections(),
            delivery_lanes: default_lanes(),
            blobs,
            inline_body_limit: default_inline(),
            content_cache: default_cache(),
            skeleton_cache: default_skeleton_cache(),
            max_message_size: default_max_message(),
            retention_days: default_retention_days(),
            log_days: default_log_days(),
            blob_grace_hours: default_blob_grace_hours(),
            queue_days: default_queue_days(),
            listen: None,
            monitor: None,
            is_alone: false,
            log: LogConfig::default(),
        }
    }
}

/// What a file with one secret in it says.
pub(crate) fn secret(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "{} is empty", file.display());
    Ok(text.to_owned())
}

fn default_connections() -> usize {
    16
}
fn default_lanes() -> usize {
    4
}
fn default_inline() -> usize {
    64 << 10
}
fn default_cache() -> u64 {
    48 << 20
}
fn default_skeleton_cache() -> u64 {
    2_000_000
}
fn default_max_message() -> u64 {
    150 << 20
}
fn default_retention_days() -> u32 {
    14
}
fn default_log_days() -> u32 {
    90
}
fn default_blob_grace_hours() -> u32 {
    48
}
fn default_queue_days() -> u32 {
    5
}

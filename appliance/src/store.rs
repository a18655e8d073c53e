//! The storage node in this process.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_storage_client::StoreClient;
use kontor_storage_node::{BlobConfig, Config, StorageNode, Trust};
use tokio::task::JoinHandle;

use crate::config::StorageConfig;
use crate::data::{DataFolder, SocketPath};

/// A running storage node.
pub struct Store {
    node: std::sync::Arc<StorageNode>,
}

impl Store {
    /// Starts it over a database and the configured blob store. It is alone where the database is its own.
    pub async fn start(
        config: &StorageConfig,
        database_url: String,
        is_alone: bool,
        data: &DataFolder,
    ) -> Result<Self> {
        let blobs = match &config.s3 {
            Some(s3) => BlobConfig::S3 {
                endpoint: s3.endpoint.clone().unwrap_or_default(),
                bucket: s3.bucket.clone(),
                region: s3.region.clone(),
                access_key: s3.access_key.clone().unwrap_or_default(),
                secret_key: s3.secret_key.clone().unwrap_or_default(),
                access_key_file: None,
                secret_key_file: None,
                ca: None,
                prefix: String::new(),
            },
            None => {
                let path = config.blobs.clone().unwrap_or_else(|| data.blobs());
                // Others may pass through the data folder; mail is not for them.
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&path)
                    .with_context(|| format!("cannot make {}", path.display()))?;
                BlobConfig::Folder { path }
            }
        };
        let mut node = Config::new(database_url, blobs);
        node.is_alone = is_alone;
        if let Some(octets) = config.content_cache {
            node.content_cache = octets;
        }
        if let Some(connections) = config.database_connections {
            node.database_connections = connections;
        }
        if let Some(days) = config.retention_days {
            node.retention_days = days;
        }
        if let Some(days) = config.queue_days {
            node.queue_days = days;
        }
        let node = StorageNode::start(node).await.context("cannot start the store")?;
        Ok(Self { node: std::sync::Arc::new(node) })
    }

    /// A client with a gateway's rights.
    pub fn gateway(&self) -> StoreClient {
        self.node.client(Trust::Gateway)
    }

    /// A client with an administrator's rights.
    pub fn admin(&self) -> StoreClient {
        self.node.client(Trust::Admin)
    }

    /// Serves administrators over a Unix socket that only this user may open, until the task is dropped or the
    /// store stops.
    pub fn serve_admin(&self, socket: &Path) -> Result<AdminSocket> {
        let way = SocketPath::to(socket)?;
        let node = self.node.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = node.serve_unix(way.path()).await {
                tracing::error!(error = format!("{error:#}"), "administration is not possible");
            }
        });
        Ok(AdminSocket { task, socket: socket.to_owned() })
    }

    /// Ends streams and listeners, and lets calls that are being served finish.
    pub async fn stop(self) {
        self.node.stop();
        tokio::time::sleep(SETTLE).await;
    }
}

/// The admin socket; it goes when this is dropped.
pub struct AdminSocket {
    task: JoinHandle<()>,
    socket: std::path::PathBuf,
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The gateways are gone by now: only background work may be in a transaction, and it is rolled back.
const SETTLE: Duration = Duration::from_millis(200);

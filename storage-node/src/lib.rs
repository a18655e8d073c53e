//! The storage tier: the only process that speaks SQL and S3.
//!
//! A [`StorageNode`] is stateless over PostgreSQL and a blob store; run as many as the load wants. It serves the
//! gRPC API of `kontor-storage-proto`: directory, mailboxes, bodies, delivery, queue, events and care, and checks
//! permissions on every call. It knows no mail protocol and parses no mail: gateways send messages prepared.
//! What messages say about meetings it does to calendars, by the rules of `kontor-model`.
//!
//! In a cluster it listens with mTLS ([`StorageNode::serve`]); in the appliance the same server is reached over an
//! in-memory connection ([`StorageNode::connector`]) and a Unix socket ([`StorageNode::serve_unix`]).
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use kontor_storage_node::{BlobConfig, Config, Policy, StorageNode, Trust};
//! let blobs = BlobConfig::Folder { path: "/var/lib/kontor/blobs".into() };
//! let node = StorageNode::start(Config::new("host=/run/postgresql dbname=kontor".into(), blobs)).await?;
//! let store = node.client(Trust::Gateway);
//! assert!(store.ready().await?.database);
//! # Ok(()) }
//! ```

mod access;
mod address;
mod blobs;
mod care;
mod config;
mod db;
mod directory;
mod error;
mod events;
mod mailbox;
mod measure;
mod queue;
mod rpc;
mod scheduling;
mod server;
mod token;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use access::{Policy, Trust};
pub use blobs::BlobConfig;
pub use config::{Config, ListenConfig};
pub use db::{SCHEMA_VERSION, create_database};

mod stub {
    #![allow(missing_docs, clippy::all, reason = "generated code")]
    tonic::include_proto!("kontor.storage.v1");
}

pub(crate) use mailbox::{pack as mailbox_pack, unpack as mailbox_unpack};

/// A running storage node. It stops when this is dropped, or at [`StorageNode::stop`].
pub struct StorageNode {
    node: Arc<Node>,
}

/// What the services share.
pub(crate) struct Node {
    access: Arc<access::Access>,
    directory: Arc<directory::Directory>,
    mailboxes: Arc<mailbox::Mailboxes>,
    scheduling: Arc<scheduling::Scheduling>,
    blobs: Arc<blobs::Blobs>,
    queue: Arc<queue::Queue>,
    events: Arc<events::Events>,
    care: Arc<care::Care>,
    max_message_size: u64,
    stopping: CancellationToken,
}

impl StorageNode {
    /// Connects to the database, brings its schema up to date, opens the blob store and starts the
    /// background work. Serves nobody yet.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let db =
            db::Db::new(&config.database_url()?, config.database_ca.as_deref(), config.database_connections)?;
        db.migrate().await?;
        let keys = token::TokenKey::load(&db).await?;
        let access = access::Access::new(db.clone(), keys);
        let events = Arc::new(events::Events::default());
        let blobs = Arc::new(blobs::Blobs::open(&config.blobs, db.clone()).await?);
        let mailboxes =
            mailbox::Mailboxes::new(db.clone(), access.clone(), events.clone(), blobs.clone(), &config);
        let care = care::Care::new(db.clone(), mailboxes.clone(), &config);
        let directory = Arc::new(directory::Directory::new(db.clone(), access.clone(), &config));
        let queue = Arc::new(queue::Queue::new(db.clone(), blobs.clone(), &config));
        let scheduling = scheduling::Scheduling::new(db, mailboxes.clone(), directory.clone(), queue.clone());
        if config.is_alone {
            queue.take_back().await?;
            scheduling.take_back().await?;
        }
        let node = Arc::new(Node {
            scheduling,
            directory,
            queue,
            access,
            blobs,
            events,
            care,
            max_message_size: config.max_message_size,
            stopping: CancellationToken::new(),
            mailboxes,
        });
        tokio::spawn(mailbox::keep_folding(Arc::downgrade(&node.mailboxes)));
        tokio::spawn(mailbox::keep_counting(Arc::downgrade(&node.mailboxes)));
        tokio::spawn(scheduling::keep_sending(Arc::downgrade(&node.scheduling)));
        tokio::spawn(care::keep_sweeping(Arc::downgrade(&node.care)));
        Ok(StorageNode { node })
    }

    /// Whether the database and the blob store answer.
    pub async fn ready(&self) -> (bool, bool) {
        let ready = self.node.care.ready().await;
        (ready.database, ready.blobs)
    }

    /// Only brings the schema up to date, and makes the bucket where there is none.
    pub async fn migrate(config: &Config) -> anyhow::Result<i32> {
        let db = db::Db::new(&config.database_url()?, config.database_ca.as_deref(), 2)?;
        db.migrate().await?;
        blobs::Blobs::open(&config.blobs, db.clone()).await?.make_bucket().await?;
        Ok(db.schema_version().await?)
    }

    /// Ends event streams and listeners; calls that are being served finish.
    pub fn stop(&self) {
        self.node.stopping.cancel();
    }
}

impl Drop for StorageNode {
    fn drop(&mut self) {
        self.stop();
    }
}

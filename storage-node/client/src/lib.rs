//! What every gateway and tool links to reach the storage tier.
//!
//! A [`StoreClient`] speaks gRPC to one or more storage-node replicas: over mTLS in a cluster, over an
//! in-memory connection in the appliance. A [`Session`] is a `StoreClient` that acts for one person.
//! [`StoreClient::watch`] hears hints that something changed.
//!
//! It is not a second implementation of anything: permissions, change numbers and quota are decided by
//! storage-node. What it adds is connection keeping, retry of calls that are safe to repeat, renewal of
//! session tokens, deadlines, and the preparation of messages with `kontor-model`
//! ([`StoreClient::deliver`], [`Session::append`]).
//!
//! ```no_run
//! # async fn example() -> Result<(), kontor_storage_client::StoreError> {
//! use kontor_storage_client::StoreClient;
//! let store = StoreClient::connect(&["127.0.0.1:7070".to_string()], None)?;
//! let session = store.authenticate("anna@example.org", "", "secret", "imap", "192.0.2.1").await?;
//! let mailbox = session.open("").await?;
//! println!("{} folders", mailbox.folders.len());
//! # Ok(()) }
//! ```

mod content;
mod error;
mod replicas;
mod session;
mod store;
mod watch;

pub use content::{INLINE_LIMIT, PreparedMessage};
pub use error::StoreError;
pub use kontor_storage_proto as proto;
pub use replicas::Tls;
pub use session::{BodyStream, FetchStream, Place, Session};
pub use store::StoreClient;
pub use watch::WatchHandle;

mod stub {
    #![allow(missing_docs, clippy::all, reason = "generated code")]
    tonic::include_proto!("kontor.storage.v1");
}

/// The stubs themselves, for callers that need a call which has no wrapper here.
pub use stub::{
    bodies_client::BodiesClient, care_client::CareClient, delivery_client::DeliveryClient,
    directory_client::DirectoryClient, events_client::EventsClient, mailbox_client::MailboxClient,
    queue_client::QueueClient,
};

//! The IMAP gateway: mailboxes of the store for IMAP4rev1 and IMAP4rev2 clients.
//!
//! What it is: sessions on `kontor-gateway-core`'s listeners that turn the commands of
//! `kontor-imap-proto` into calls of `kontor-storage-client` and what comes back into responses. It keeps
//! nothing but what its session must know: which UIDs the client was told of, and the change number up to
//! which it was told. Whatever another session changes is read from the store's change log, when an event
//! hints at it or the client asks.
//!
//! What it is not: a place where messages are parsed (ENVELOPE, BODYSTRUCTURE and the places of the parts
//! come ready from the store) or where rights are decided (the store does).
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use kontor_gateway_core::{Listener, ListenerConfig, Shared};
//! # async fn example(store: kontor_storage_client::StoreClient) -> anyhow::Result<()> {
//! use kontor_imap::{ImapConfig, Server};
//!
//! let shared = Shared::default();
//! let listener = Listener::bind("imap", &ListenerConfig::on("127.0.0.1:1143".parse()?), None)?;
//! let server = Arc::new(Server::new(ImapConfig::default(), store));
//! shared.drain.spawn(listener.serve(server, shared.clone()));
//! # Ok(()) }
//! ```
//!
//! Implements RFC 3501 and RFC 9051 with the extensions that `kontor-imap-proto` lists.

mod capability;
mod command;
mod config;
mod flag_names;
mod ranges;
mod reply;
mod selected;
mod server;
mod session;
mod sync;
mod tree;
mod uid_map;
mod wire;

pub use config::ImapConfig;
pub use server::Server;

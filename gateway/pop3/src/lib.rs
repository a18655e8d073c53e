//! The POP3 gateway: one's inbox, downloaded.
//!
//! What it is: POP3 sessions on `kontor-gateway-core`'s listeners over the store. The maildrop is the inbox
//! as it was at login. It is not locked: RFC 1939 §4 wants that so that message numbers hold still, and
//! here they do because the session keeps its own list; other sessions and protocols go on, and a message
//! that one of them removed meanwhile answers `-ERR`. Messages marked by DELE leave at QUIT, in one call.
//!
//! A message goes out as it is stored, octet for octet, and streams: the memory that a session takes does
//! not depend on the size of a message. The grammar is `kontor-pop3-proto`.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use kontor_gateway_core::{Listener, ListenerConfig, Shared};
//! # async fn example(store: kontor_storage_client::StoreClient) -> anyhow::Result<()> {
//! use kontor_pop3::{Pop3Config, Server};
//!
//! let shared = Shared::default();
//! let server = Arc::new(Server::new(Pop3Config::default(), store));
//! let listener = Listener::bind("pop3", &ListenerConfig::on("127.0.0.1:2110".parse()?), None)?;
//! shared.drain.spawn(listener.serve(server, shared.clone()));
//! # Ok(()) }
//! ```
//!
//! Implements: RFC 1939, RFC 2449, RFC 2595, RFC 3206, RFC 5034, RFC 6856 §2.1.

#![warn(missing_docs)]

mod config;
mod maildrop;
mod server;
mod session;

pub use config::Pop3Config;
pub use server::Server;

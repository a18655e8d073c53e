//! The SMTP gateway: mail from other servers, from clients and by LMTP into the store, and mail that leaves.
//!
//! What it is: the sessions of four [`Mode`]s on `kontor-gateway-core`'s listeners, local delivery through
//! the store's directory, and the queue [`runner`] that hands outgoing mail to a relay host. It keeps
//! nothing itself: `250` is said when the store has answered, and the commit runs in a task of its own, so
//! that a client which vanishes cannot cut it in half.
//!
//! What it is not (yet): an MTA that looks up MX records, signs, or filters. The grammar is
//! `kontor-smtp-proto`.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use kontor_gateway_core::{Listener, ListenerConfig, Shared};
//! # async fn example(store: kontor_storage_client::StoreClient) -> anyhow::Result<()> {
//! use kontor_smtp::{Gateway, Mode, SmtpConfig, runner};
//!
//! let shared = Shared::default();
//! let gateway = Gateway::new(SmtpConfig::default(), store, shared.drain.clone());
//! let listener = Listener::bind("lmtp", &ListenerConfig::on("127.0.0.1:2424".parse()?), None)?;
//! shared.drain.spawn(listener.serve(Arc::new(gateway.server(Mode::Lmtp)), shared.clone()));
//! shared.drain.spawn(runner::run(gateway));
//! # Ok(()) }
//! ```
//!
//! Implements: RFC 5321, RFC 6409 (submission), RFC 8314 §3.3 (implicit TLS), RFC 2033 (LMTP), and the
//! extensions named by `kontor-smtp-proto` but BINARYMIME; RFC 3464 (notifications).

#![warn(missing_docs)]

mod config;
mod delivery;
mod dsn;
mod gateway;
mod headers;
mod notify;
mod routing;
pub mod runner;
mod server;
mod session;
mod settle;
mod trace;

pub use config::{BareNewlines, QueueConfig, RelayConfig, RelayTls, SmtpConfig};
pub use gateway::Gateway;
pub use server::{Mode, Server};

//! What every listener of Kontor shares, whatever protocol it speaks.
//!
//! A protocol crate brings a [`Handler`]; this crate brings the socket ([`Listener`], [`Connection`]), TLS with
//! certificates that are read again when they change ([`tls`]), the PROXY protocol ([`proxy`]), SASL ([`sasl`]),
//! limits ([`rate`], [`Budget`]), metrics and health ([`monitor`]), typed configuration ([`config`]), logs
//! ([`logging`]) and an orderly end ([`Drain`]).
//!
//! It is not: a protocol, a client of the store, or a place for things that only one protocol needs.
//!
//! ```no_run
//! use kontor_gateway_core::{Connection, Handler, Listener, ListenerConfig, Reader, Shared};
//! use std::sync::Arc;
//! use tokio::io::AsyncWriteExt;
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     async fn serve(self: Arc<Self>, mut connection: Connection, shared: Shared) {
//!         let mut reader = Reader::new();
//!         loop {
//!             tokio::select! {
//!                 read = reader.fill(&mut connection) => match read {
//!                     Ok(n) if n > 0 => {}
//!                     _ => return,
//!                 },
//!                 () = shared.drain.begun() => return,
//!             }
//!             let bytes = reader.take(reader.buffered().len());
//!             if connection.write_all(&bytes).await.is_err() {
//!                 return;
//!             }
//!         }
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let shared = Shared::default();
//! let listener = Listener::bind("echo", &ListenerConfig::on("127.0.0.1:0".parse()?), None)?;
//! shared.drain.spawn(listener.serve(Arc::new(Echo), shared.clone()));
//! kontor_gateway_core::drain::stop_requested().await;
//! shared.drain.finish(std::time::Duration::from_secs(25)).await;
//! # Ok(()) }
//! ```
//!
//! Implements: the PROXY protocol, versions 1 and 2 (haproxy `proxy-protocol.txt`); RFC 4422 (SASL), RFC 4616
//! (PLAIN), draft-murchison-sasl-login (LOGIN); the server's side of RFC 3207, RFC 2595 and RFC 8314 (STARTTLS,
//! implicit TLS).

pub mod budget;
pub mod connection;
pub mod listener;
pub mod proxy;
pub mod rate;
pub mod reader;
pub mod sasl;

/// What every process of Kontor has, gateway or not.
pub use kontor_process::{config, drain, logging, monitor, tls};

pub use budget::{Budget, BudgetConfig, BudgetError, Permit};
pub use connection::{Connection, TlsInfo, UpgradeError};
pub use drain::Drain;
pub use listener::{Handler, Listener, ListenerConfig, Listeners, Refused, Shared, TlsMode};
pub use monitor::Health;
pub use rate::AuthLimiter;
pub use reader::Reader;
pub use sasl::Secret;
pub use tls::{TlsConfig, TlsServer};

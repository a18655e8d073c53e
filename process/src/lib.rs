//! What every process of Kontor has, whatever it serves: typed configuration ([`config`]), logs ([`logging`]),
//! metrics and health over HTTP ([`monitor`]), TLS whose files are read again when they change ([`tls`]), and an
//! orderly end ([`Drain`]).
//!
//! It is not: a listener for a protocol (that is `gateway/core`), nor a place for what only one program needs.
//!
//! ```no_run
//! use kontor_process::{Health, drain, monitor};
//! use std::time::Duration;
//!
//! # async fn run() -> std::io::Result<()> {
//! let (drain, health) = (kontor_process::Drain::new(), Health::default());
//! monitor::serve("127.0.0.1:9090".parse().expect("an address"), health, drain.clone())?;
//! drain::stop_requested().await;
//! drain.finish(Duration::from_secs(25)).await;
//! # Ok(()) }
//! ```

pub mod config;
pub mod drain;
pub mod logging;
pub mod monitor;
pub mod tls;

pub use drain::Drain;
pub use monitor::Health;
pub use tls::{TlsConfig, TlsServer};

//! The `kontor` command: the whole system in one process, and its administration.
//!
//! `kontor up` finds PostgreSQL's programs, runs a private cluster ([`postgres`]), starts a storage node in this
//! process, makes a private CA and a first account, and opens every gateway. The other subcommands speak to a running
//! server over its admin socket, or to the storage nodes of a cluster, with the same calls that the operator uses.
//!
//! It is not a second implementation of anything: gateways and storage node are the crates that run in a cluster.

mod admin;
mod certificates;
mod cli;
mod config;
mod config_check;
mod data;
mod first;
pub mod postgres;
mod ready;
mod store;
mod up;

pub use cli::main;
pub use config::Config;

/// A commented configuration, as `kontor config example` prints it.
pub const EXAMPLE_CONFIG: &str = include_str!("example.toml");

//! A private PostgreSQL: found, created, started, watched and stopped by us, reached by a Unix socket only.

pub mod child;
mod cluster;
mod programs;
mod supervisor;

pub use cluster::{Cluster, PostgresConfig};
pub use programs::Programs;
pub use supervisor::Supervisor;

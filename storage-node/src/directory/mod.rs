//! Tenants, domains, people and groups: who is who, and where mail goes.

mod app_password;
mod apply;
mod authenticate;
pub(crate) mod booking;
mod calendar_users;
mod find_people;
mod list;
mod owner;
mod resolve;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use owner::Owner;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::config::Config;
use crate::db::Db;

/// The directory service.
pub(crate) struct Directory {
    db: Db,
    access: Arc<Access>,
    max_message_size: u64,
    /// Days that the content of a deleted account stays.
    retention_days: i64,
    /// Proofs that were verified a moment ago, under a keyed hash.
    proofs: Cache<[u8; 32], Instant>,
    proof_key: [u8; 32],
    /// What is looked up for every delivery.
    entries: Cache<String, (Instant, resolve::Entry)>,
    domains: Cache<String, (Instant, Option<resolve::Domain>)>,
    /// Password hashing is slow and takes memory on purpose: no more of it at once than there are cores.
    hashing: Arc<Semaphore>,
}

impl Directory {
    pub fn new(db: Db, access: Arc<Access>, config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
        Directory {
            db,
            access,
            max_message_size: config.max_message_size,
            retention_days: i64::from(config.retention_days),
            proofs: Cache::new(20_000),
            proof_key: rand::random(),
            entries: Cache::new(20_000),
            domains: Cache::new(2_000),
            hashing: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Something changed: nothing that is remembered is sure.
    fn forget(&self) {
        self.entries.clear();
        self.domains.clear();
        self.access.forget_grants();
    }
}

/// How long another replica's change of the directory may go unnoticed.
const FRESH: Duration = Duration::from_secs(3);
/// How long a verified proof is remembered.
const PROOF_LIFE: Duration = Duration::from_secs(60);

//! Care: is it all right, is it there, and what can go.

mod check;
mod sweep;

use std::sync::Arc;

use crate::config::Config;
use crate::db::Db;
use crate::mailbox::Mailboxes;

pub(crate) use sweep::keep_sweeping;

/// The care service.
pub(crate) struct Care {
    db: Db,
    mailboxes: Arc<Mailboxes>,
    retention: i64,
    log_life: i64,
    blob_grace: i64,
}

impl Care {
    pub fn new(db: Db, mailboxes: Arc<Mailboxes>, config: &Config) -> Arc<Self> {
        Arc::new(Care {
            db,
            mailboxes,
            retention: i64::from(config.retention_days) * 86_400,
            log_life: i64::from(config.log_days) * 86_400,
            blob_grace: i64::from(config.blob_grace_hours) * 3600,
        })
    }
}

//! Counting young tables.
//!
//! PostgreSQL plans by what it counted when it last looked, and keeps its plans. In a new database that was nothing: what is
//! brought in by the thousand would be looked for with the plans of empty tables until autovacuum comes by, a minute later or
//! more. So tables that have grown a lot since are counted at once. Those that are large already are left to autovacuum.

use std::sync::Weak;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Mailboxes;
use crate::error::Error;

/// How much was written since the last look.
#[derive(Default)]
pub(super) struct Growth(AtomicU32);

impl Growth {
    /// `rows` of one table or another.
    pub fn note(&self, rows: usize) {
        self.0.fetch_add(u32::try_from(rows).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Whether it is worth a look. If so, the next one is from here on.
    fn take(&self) -> bool {
        let is_much = self.0.load(Ordering::Relaxed) >= WORTH_A_LOOK;
        if is_much {
            self.0.store(0, Ordering::Relaxed);
        }
        is_much
    }
}

impl Mailboxes {
    async fn count_young_tables(&self) -> Result<(), Error> {
        let client = self.db.get().await?;
        let rows = client
            .query(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_stat_user_tables
                 WHERE schemaname = current_schema() AND n_live_tup < $2
                     AND n_mod_since_analyze > greatest($1, n_live_tup / 2)",
                &[&FEW, &LARGE],
            )
            .await?;
        for row in rows {
            let table: String = row.get(0);
            // Another replica may be doing it.
            client.batch_execute(&format!("ANALYZE (SKIP_LOCKED) {table}")).await?;
            tracing::debug!(table, "counted");
        }
        Ok(())
    }
}

/// Looks as long as the mailboxes live.
pub(crate) async fn keep_counting(mailboxes: Weak<Mailboxes>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(mailboxes) = mailboxes.upgrade() else { return };
        if mailboxes.growth.take()
            && let Err(error) = mailboxes.count_young_tables().await
        {
            tracing::debug!(%error, "tables were not counted");
        }
    }
}

const PAUSE: Duration = Duration::from_secs(1);
/// Rows.
const WORTH_A_LOOK: u32 = 100;
const FEW: i64 = 250;
const LARGE: i64 = 200_000;

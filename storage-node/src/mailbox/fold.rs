//! Folding: the change log of a folder is brought into its message rows, away from the hot path.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Mailboxes;
use crate::error::{Error, bigint, unix_now};

/// Folders whose log is ahead of their rows.
#[derive(Default)]
pub(super) struct Dirty(Mutex<HashMap<(u64, u64), Mark>>);

struct Mark {
    writes: u32,
    since: Instant,
}

impl Dirty {
    pub fn note(&self, mailbox: u64, folder: u64) {
        let mut dirty = self.0.lock();
        let mark = dirty.entry((mailbox, folder)).or_insert(Mark { writes: 0, since: Instant::now() });
        mark.writes += 1;
    }

    fn take_due(&self) -> Vec<(u64, u64)> {
        let mut due = Vec::new();
        self.0.lock().retain(|key, mark| {
            let is_due = mark.writes >= FOLD_AFTER_WRITES || mark.since.elapsed() >= FOLD_AFTER;
            if is_due {
                due.push(*key);
            }
            !is_due
        });
        due
    }
}

impl Mailboxes {
    /// Brings the rows of a folder up to its log. Safe beside writers and other replicas: a row only ever
    /// takes a later state.
    pub(crate) async fn fold(&self, mailbox: u64, folder: u64) -> Result<(), Error> {
        let state = self.folder(mailbox, folder).await?;
        let (cn, folded) = (state.cn, state.folded_cn);
        let (mut uids, mut flags, mut cns) = (Vec::new(), Vec::new(), Vec::new());
        for row in state.rows.iter().filter(|r| r.state_cn > folded && r.state_cn != r.cn) {
            uids.push(i64::from(row.uid));
            flags.push(row.flags.cast_signed());
            cns.push(bigint(row.state_cn));
        }
        let gone = |soft: bool| -> Vec<i64> {
            state.unfolded_gone.iter().filter(|g| g.2 == soft).map(|g| i64::from(g.0)).collect()
        };
        let (soft, hard) = (gone(true), gone(false));
        let gone_uids: Vec<i64> = state.unfolded_gone.iter().map(|g| i64::from(g.0)).collect();
        let gone_cns: Vec<i64> = state.unfolded_gone.iter().map(|g| bigint(g.1)).collect();
        drop(state);
        let (m, f) = (bigint(mailbox), bigint(folder));
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        // Another replica folding the same rows in another order would only wait for us.
        let mine = transaction
            .query_one("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7))", &[&format!("{m}/{f}")])
            .await?;
        if !mine.get::<_, bool>(0) {
            return Ok(());
        }
        for at in (0..uids.len()).step_by(FOLD_ROWS) {
            let end = uids.len().min(at + FOLD_ROWS);
            let part = (uids.get(at..end), flags.get(at..end), cns.get(at..end));
            let (Some(uids), Some(flags), Some(cns)) = part else { break };
            let statement = transaction
                .prepare_cached(
                    "UPDATE message m SET flags = u.flags, state_cn = u.cn
                     FROM unnest($3::bigint[], $4::bigint[], $5::bigint[]) AS u (uid, flags, cn)
                     WHERE m.mailbox_id = $1 AND m.folder_id = $2 AND m.uid = u.uid AND m.state_cn < u.cn",
                )
                .await?;
            transaction.execute(&statement, &[&m, &f, &uids, &flags, &cns]).await?;
        }
        if !gone_uids.is_empty() {
            transaction
                .execute(
                    "UPDATE item i SET gone_cn = u.cn FROM unnest($3::bigint[], $4::bigint[]) AS u (uid, cn)
                     WHERE i.mailbox_id = $1 AND i.folder_id = $2 AND i.uid = u.uid AND i.gone_cn IS NULL",
                    &[&m, &f, &gone_uids, &gone_cns],
                )
                .await?;
        }
        if !soft.is_empty() {
            transaction
                .execute(
                    "UPDATE message SET deleted_at = $4 WHERE mailbox_id = $1 AND folder_id = $2
                     AND uid = ANY ($3) AND deleted_at IS NULL",
                    &[&m, &f, &soft, &unix_now()],
                )
                .await?;
        }
        if !hard.is_empty() {
            transaction
                .execute(
                    "DELETE FROM message WHERE mailbox_id = $1 AND folder_id = $2 AND uid = ANY ($3)",
                    &[&m, &f, &hard],
                )
                .await?;
        }
        transaction
            .execute(
                "UPDATE folder SET folded_cn = $3 WHERE mailbox_id = $1 AND folder_id = $2 AND folded_cn < $3",
                &[&m, &f, &bigint(cn)],
            )
            .await?;
        transaction.commit().await?;
        drop(client);
        let mut state = self.folder(mailbox, folder).await?;
        state.folded_cn = state.folded_cn.max(cn);
        let folded = state.folded_cn;
        state.unfolded_gone.retain(|(_, at, _)| *at > folded);
        Ok(())
    }
}

/// Folds what is due, for as long as the service lives.
pub(crate) async fn keep_folding(mailboxes: Weak<Mailboxes>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(mailboxes) = mailboxes.upgrade() else { return };
        for (mailbox, folder) in mailboxes.dirty.take_due() {
            match mailboxes.fold(mailbox, folder).await {
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(error) => {
                    // The log holds it all; it is folded at the next occasion.
                    tracing::debug!(mailbox, folder, %error, "folding was put off");
                    mailboxes.dirty.note(mailbox, folder);
                }
            }
        }
    }
}

const PAUSE: Duration = Duration::from_secs(1);
const FOLD_AFTER_WRITES: u32 = 500;
const FOLD_AFTER: Duration = Duration::from_secs(30);
const FOLD_ROWS: usize = 5_000;

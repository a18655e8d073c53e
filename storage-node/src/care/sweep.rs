//! Sweeps: what nobody can ask for any more goes, a bounded step at a time.

use std::sync::Weak;
use std::time::Duration;

use kontor_storage_proto as proto;

use super::Care;
use crate::error::{Error, unix_now, unsigned};
use crate::mailbox::GONE_ATTACHMENTS;

impl Care {
    /// Removes what is past its time: soft-deleted messages, contents without a message, old change logs,
    /// blobs without a reference. `now` ignores the grace times.
    pub async fn sweep(&self, now: bool) -> Result<proto::SweepResponse, Error> {
        let client = self.db.get().await?;
        // One replica at a time; the others have nothing to do then.
        let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&SWEEP_LOCK]).await?;
        if !row.get::<_, bool>(0) {
            return Err(Error::Conflict("another replica is sweeping".into()));
        }
        let outcome = self.sweep_locked(&client, now).await;
        client.execute("SELECT pg_advisory_unlock($1)", &[&SWEEP_LOCK]).await?;
        outcome
    }

    async fn sweep_locked(
        &self,
        client: &deadpool_postgres::Object,
        now: bool,
    ) -> Result<proto::SweepResponse, Error> {
        let clock = unix_now();
        let before = |age: i64| if now { clock + 1 } else { clock - age };
        let mut swept = proto::SweepResponse::default();
        for sql in [GONE_MESSAGES, GONE_FOLDERS, GONE_MAILBOXES] {
            swept.messages += purge(client, sql, before(self.retention)).await?;
        }
        // The mailbox is locked, so that no copy is made of a content while it goes.
        for row in client.query("SELECT mailbox_id FROM mailbox ORDER BY mailbox_id", &[]).await? {
            let mailbox: i64 = row.get(0);
            // Clients that look into it do so within days.
            swept.messages +=
                self.mailboxes.sweep_scheduling_inbox(unsigned(mailbox), before(SCHEDULING_INBOX)).await?;
            swept.contents += unsigned(
                client
                    .query_one(
                        "WITH locked AS MATERIALIZED (SELECT mailbox_id FROM mailbox WHERE mailbox_id = $1 FOR UPDATE),
                         gone AS (DELETE FROM content c USING locked l WHERE c.mailbox_id = l.mailbox_id
                             AND NOT EXISTS (SELECT FROM message g WHERE g.mailbox_id = $1
                                             AND g.content_id = c.content_id) RETURNING 1)
                         SELECT count(*) FROM gone",
                        &[&mailbox],
                    )
                    .await?
                    .get(0),
            );
        }
        swept.log_rows = purge(client, OLD_LOG, before(self.log_life)).await?;
        // After the contents, which name them.
        purge(client, GONE_ATTACHMENTS, before(UNNAMED)).await?;
        // After the log: who asks from before its horizon starts over anyway.
        purge(client, GONE_ITEMS, clock + 1).await?;
        swept.blobs = self.sweep_blobs(client, before(self.blob_grace)).await?;
        client
            .execute(
                "DELETE FROM mailbox m WHERE m.deleted_at < $1
                 AND NOT EXISTS (SELECT FROM message g WHERE g.mailbox_id = m.mailbox_id)",
                &[&before(self.retention)],
            )
            .await?;
        client
            .batch_execute(
                "DELETE FROM folder f WHERE NOT EXISTS (SELECT FROM mailbox m WHERE m.mailbox_id = f.mailbox_id);
                 DELETE FROM change_log c WHERE NOT EXISTS (SELECT FROM mailbox m WHERE m.mailbox_id = c.mailbox_id);
                 DELETE FROM write_lock WHERE expires_at < extract(epoch FROM now());
                 DELETE FROM client_state WHERE expires_at < extract(epoch FROM now());",
            )
            .await?;
        Ok(swept)
    }

    /// A put touches the blob's row first, and waits for it here; so a blob is never taken from under one.
    async fn sweep_blobs(&self, client: &deadpool_postgres::Object, before: i64) -> Result<u64, Error> {
        let rows = client
            .query(
                "SELECT b.tenant_id, b.hash FROM blob b WHERE b.last_put < $1
                 AND NOT EXISTS (SELECT FROM content c WHERE c.blob_hash = b.hash)
                 AND NOT EXISTS (SELECT FROM attachment a WHERE a.blob_hash = b.hash)
                 AND NOT EXISTS (SELECT FROM queue_message q WHERE q.blob_hash = b.hash) LIMIT 10000",
                &[&before],
            )
            .await?;
        let mut swept = 0;
        for row in rows {
            let (tenant, hash): (i64, Vec<u8>) = (row.get(0), row.get(1));
            let mut own = self.db.get().await?;
            let transaction = own.transaction().await?;
            let gone = transaction
                .execute(
                    "DELETE FROM blob b WHERE tenant_id = $1 AND hash = $2 AND last_put < $3
                     AND NOT EXISTS (SELECT FROM content c WHERE c.blob_hash = b.hash)
                     AND NOT EXISTS (SELECT FROM attachment a WHERE a.blob_hash = b.hash)",
                    &[&tenant, &hash, &before],
                )
                .await?;
            if gone > 0 {
                self.mailboxes.blobs.delete(unsigned(tenant), &hash).await?;
                swept += 1;
            }
            transaction.commit().await?;
        }
        Ok(swept)
    }

    /// Whether database and blobs answer.
    pub async fn ready(&self) -> proto::ReadyResponse {
        let database = async {
            let client = self.db.get().await?;
            client.query_one("SELECT 1", &[]).await?;
            Ok::<_, Error>(())
        };
        let (database, blobs) = tokio::join!(
            tokio::time::timeout(READY, database),
            tokio::time::timeout(READY, self.mailboxes.blobs.ready())
        );
        let trouble = |outcome: &Result<Result<(), Error>, _>, what: &str| match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("{what} did not answer in time")),
        };
        let database = trouble(&database, "the database");
        let blobs = trouble(&blobs, "the blob store");
        proto::ReadyResponse {
            database: database.is_none(),
            blobs: blobs.is_none(),
            message: [database, blobs].into_iter().flatten().collect::<Vec<_>>().join("; "),
        }
    }
}

/// Sweeps every so often, for as long as the service lives.
pub(crate) async fn keep_sweeping(care: Weak<Care>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(care) = care.upgrade() else { return };
        match care.sweep(false).await {
            Ok(swept) => tracing::debug!(?swept, "swept"),
            Err(error) => tracing::debug!(%error, "the sweep was put off"),
        }
    }
}

/// Removes rows a step at a time, so that nobody waits long for a lock.
async fn purge(client: &deadpool_postgres::Object, sql: &str, before: i64) -> Result<u64, Error> {
    let mut total = 0;
    loop {
        let row = client.query_one(sql, &[&before, &STEP]).await?;
        let gone: i64 = row.get(0);
        total += unsigned(gone);
        if gone < STEP {
            return Ok(total);
        }
    }
}

/// Seconds that messages about meetings stay in the scheduling inbox.
const SCHEDULING_INBOX: i64 = 30 * 86_400;
const GONE_MESSAGES: &str = "WITH gone AS (DELETE FROM message WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM message WHERE deleted_at < $1 LIMIT $2)) RETURNING 1) SELECT count(*) FROM gone";
const GONE_FOLDERS: &str = "WITH gone AS (DELETE FROM message WHERE ctid = ANY (ARRAY (
        SELECT g.ctid FROM folder f JOIN message g USING (mailbox_id, folder_id) WHERE f.deleted_at < $1 LIMIT $2))
    RETURNING 1) SELECT count(*) FROM gone";
const GONE_MAILBOXES: &str = "WITH gone AS (DELETE FROM message WHERE ctid = ANY (ARRAY (
        SELECT g.ctid FROM mailbox m JOIN message g USING (mailbox_id) WHERE m.deleted_at < $1 LIMIT $2))
    RETURNING 1) SELECT count(*) FROM gone";
/// Only what message rows hold already; the mailbox remembers how far it forgot.
const OLD_LOG: &str = "WITH gone AS (DELETE FROM change_log WHERE ctid = ANY (ARRAY (
        SELECT c.ctid FROM change_log c LEFT JOIN folder f USING (mailbox_id, folder_id)
        WHERE c.at < $1 AND (c.folder_id = 0 OR f.folder_id IS NULL OR c.cn <= f.folded_cn) LIMIT $2))
        RETURNING mailbox_id, cn),
    far AS (SELECT mailbox_id, max(cn) AS cn FROM gone GROUP BY mailbox_id),
    noted AS (UPDATE mailbox m SET log_horizon = greatest(m.log_horizon, far.cn)
              FROM far WHERE m.mailbox_id = far.mailbox_id RETURNING 1)
    SELECT count(*) FROM gone";
const GONE_ITEMS: &str = "WITH gone AS (DELETE FROM item WHERE ctid = ANY (ARRAY (
        SELECT i.ctid FROM item i LEFT JOIN mailbox m USING (mailbox_id)
            LEFT JOIN folder f ON f.mailbox_id = i.mailbox_id AND f.folder_id = i.folder_id
        WHERE (f.folder_id IS NULL OR f.deleted_at < $1 OR i.gone_cn <= m.log_horizon)
            AND NOT EXISTS (SELECT FROM message g WHERE g.mailbox_id = i.mailbox_id AND g.folder_id = i.folder_id
                            AND g.uid = i.uid) LIMIT $2)) RETURNING 1)
    SELECT count(*) FROM gone";
/// How long a file waits for an item that names it, seconds.
const UNNAMED: i64 = 86_400;
const SWEEP_LOCK: i64 = 0x6b6f_6e74_6f73;
const STEP: i64 = 5_000;
const INTERVAL: Duration = Duration::from_secs(3600);
const READY: Duration = Duration::from_secs(2);

//! The state of hot folders in memory: UIDs, flags, change numbers, sizes, dates.
//!
//! A folder's truth is its message rows with its change log replayed over them. A copy here is true at one
//! change number; it is compared with the folder's row at every use and brought up to date from what came
//! since, so that no message between replicas is needed for it to be right.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool_postgres::GenericClient;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::Mailboxes;
use super::change::Change;
use super::ranges::Ranges;
use crate::error::{Error, bigint, unsigned};

/// One message's place and state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub uid: u32,
    pub flags: u64,
    pub cn: u64,
    pub state_cn: u64,
    pub message_id: u64,
    pub size: u64,
    /// Unix seconds.
    pub received_at: i64,
    pub content_id: uuid::Uuid,
}

/// The row of a UID, among rows in the order of UIDs.
pub(super) fn find(rows: &[Row], uid: u32) -> Option<&Row> {
    rows.binary_search_by_key(&uid, |row| row.uid).ok().and_then(|at| rows.get(at))
}

impl Row {
    /// RFC 7162: the larger of the two.
    pub fn modseq(&self) -> u64 {
        self.cn.max(self.state_cn)
    }
}

/// A folder as it was at `cn`.
#[derive(Default)]
pub(crate) struct FolderState {
    /// 0 = nothing is loaded.
    pub cn: u64,
    pub uid_validity: u32,
    pub uid_next: u32,
    /// In UID order.
    pub rows: Vec<Row>,
    pub keywords: Arc<Vec<String>>,
    /// Tombstones up to here are gone.
    pub horizon: u64,
    pub tenant_id: u64,
    /// The rows in the database hold every change up to here.
    pub folded_cn: u64,
    /// UID, at, soft: what went since then.
    pub unfolded_gone: Vec<(u32, u64, bool)>,
}

impl FolderState {
    /// Rows in the ranges, in UID order.
    pub fn select<'a>(&'a self, ranges: &'a Ranges) -> impl Iterator<Item = &'a Row> + 'a {
        ranges.iter().flat_map(|(first, last)| {
            let from = self.rows.partition_point(|r| r.uid < first);
            self.rows.get(from..).unwrap_or(&[]).iter().take_while(move |r| r.uid <= last)
        })
    }

    pub fn find(&self, uid: u32) -> Option<&Row> {
        find(&self.rows, uid)
    }

    /// Makes a change that was committed as `cn`. Rows that hold a later state keep it.
    pub fn replay(&mut self, change: &Change, cn: u64) {
        match change {
            Change::Flags { add, remove, uids } => {
                for (first, last) in uids.iter() {
                    let from = self.rows.partition_point(|r| r.uid < first);
                    for row in self.rows.iter_mut().skip(from).take_while(|r| r.uid <= last) {
                        if row.state_cn < cn {
                            row.flags = row.flags & !remove | add;
                            row.state_cn = cn;
                        }
                    }
                }
            }
            Change::Gone { soft, uids } => {
                let gone = &mut self.unfolded_gone;
                self.rows.retain(|row| {
                    let goes = uids.contains(row.uid);
                    if goes {
                        gone.push((row.uid, cn, *soft));
                    }
                    !goes
                });
            }
        }
        self.cn = self.cn.max(cn);
    }

    /// Nothing is known any more; the next use reads it again.
    pub fn forget(&mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        *self = FolderState::default();
    }

    /// Brings the copy up to what the database says.
    pub async fn catch_up(
        &mut self,
        client: &impl GenericClient,
        mailbox: u64,
        folder: u64,
    ) -> Result<(), Error> {
        let (m, f) = (bigint(mailbox), bigint(folder));
        let now = client
            .prepare_cached(
                "SELECT f.highest_cn, f.uid_next, f.uid_validity, f.folded_cn, m.log_horizon, m.keywords, m.tenant_id
                 FROM folder f JOIN mailbox m USING (mailbox_id)
                 WHERE f.mailbox_id = $1 AND f.folder_id = $2 AND f.deleted_at IS NULL AND m.deleted_at IS NULL",
            )
            .await?;
        let Some(row) = client.query_opt(&now, &[&m, &f]).await? else {
            self.clear();
            return Err(Error::NotFound("folder".into()));
        };
        let highest_cn = unsigned(row.get(0));
        let uid_next = wire_u32(row.get(1));
        let uid_validity = wire_u32(row.get(2));
        let folded_cn = unsigned(row.get(3));
        self.horizon = unsigned(row.get(4));
        self.tenant_id = unsigned(row.get(6));
        let keywords: Vec<String> = row.get(5);
        if *self.keywords != keywords {
            self.keywords = Arc::new(keywords);
        }
        if self.cn == highest_cn {
            return Ok(());
        }
        // A copy from before the horizon cannot be caught up from the log.
        if self.cn > highest_cn || self.uid_validity != uid_validity || self.cn < self.horizon {
            let keywords = self.keywords.clone();
            let (horizon, tenant_id) = (self.horizon, self.tenant_id);
            self.clear();
            (self.keywords, self.horizon, self.tenant_id) = (keywords, horizon, tenant_id);
        }
        let cold = self.cn == 0;
        let log_from = if cold { folded_cn } else { self.cn };
        let rows = client
            .prepare_cached(
                // As columns: one row of arrays costs a fraction of ten thousand rows.
                "SELECT array_agg(uid), array_agg(flags), array_agg(cn), array_agg(state_cn), array_agg(message_id),
                        array_agg(size), array_agg(received_at), array_agg(content_id)
                 FROM (SELECT * FROM message
                       WHERE mailbox_id = $1 AND folder_id = $2 AND uid >= $3 AND uid < $4 AND deleted_at IS NULL
                       ORDER BY uid) m",
            )
            .await?;
        let log = client
            .prepare_cached(
                "SELECT cn, kind, payload FROM change_log
                 WHERE mailbox_id = $1 AND folder_id = $2 AND cn > $3 AND cn <= $4 ORDER BY cn",
            )
            .await?;
        let first_new = i64::from(self.uid_next);
        let (end, from, to) = (i64::from(uid_next), bigint(log_from), bigint(highest_cn));
        let row_parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&m, &f, &first_new, &end];
        let log_parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&m, &f, &from, &to];
        // Both in one round trip. The rows may be newer than `highest_cn`; the log is cut at it, and
        // replaying it later over a newer row changes nothing.
        let (new, log) = futures::future::join(
            client.query_one(&rows, &row_parameters),
            client.query(&log, &log_parameters),
        )
        .await;
        let (new, log) = (new?, log?);
        if cold {
            self.folded_cn = folded_cn;
        }
        let column = |i: usize| new.get::<_, Option<Vec<i64>>>(i).unwrap_or_default();
        let (uids, flags, cns, state_cns) = (column(0), column(1), column(2), column(3));
        let (message_ids, sizes, dates) = (column(4), column(5), column(6));
        let contents = new.get::<_, Option<Vec<uuid::Uuid>>>(7).unwrap_or_default();
        self.rows.reserve_exact(uids.len());
        let numbers = uids.iter().zip(&flags).zip(&cns).zip(&state_cns);
        let facts = message_ids.iter().zip(&sizes).zip(&dates).zip(&contents);
        self.rows.extend(numbers.zip(facts).map(
            |((((uid, flags), cn), state_cn), (((message_id, size), received_at), content_id))| Row {
                uid: wire_u32(*uid),
                flags: flags.cast_unsigned(),
                cn: unsigned(*cn),
                state_cn: unsigned(*state_cn),
                message_id: unsigned(*message_id),
                size: unsigned(*size),
                received_at: *received_at,
                content_id: *content_id,
            },
        ));
        for entry in &log {
            let cn = unsigned(entry.get(0));
            let Some(change) = Change::decode(entry.get(1), entry.get(2)) else {
                self.clear();
                return Err(Error::Internal(format!("change {cn} of folder {folder} cannot be read")));
            };
            self.replay(&change, cn);
        }
        self.uid_validity = uid_validity;
        self.uid_next = uid_next;
        self.cn = highest_cn;
        Ok(())
    }
}

/// The folders in memory.
pub(super) struct States {
    folders: Mutex<HashMap<(u64, u64), Slot>>,
    clock: AtomicU64,
    most_rows: u64,
}

struct Slot {
    state: Arc<tokio::sync::Mutex<FolderState>>,
    used: u64,
    rows: u64,
}

impl States {
    pub fn new(most_rows: u64) -> Self {
        States { folders: Mutex::new(HashMap::new()), clock: AtomicU64::new(0), most_rows }
    }

    fn slot(&self, key: (u64, u64)) -> Arc<tokio::sync::Mutex<FolderState>> {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut folders = self.folders.lock();
        let slot = folders.entry(key).or_insert_with(|| Slot { state: Arc::default(), used, rows: 0 });
        slot.used = used;
        slot.state.clone()
    }

    /// Notes the size of a folder, and lets go of the least recently used when there is too much.
    fn note(&self, key: (u64, u64), rows: usize) {
        let mut folders = self.folders.lock();
        if let Some(slot) = folders.get_mut(&key) {
            slot.rows = rows as u64 + ROW_OVERHEAD;
        }
        let mut total: u64 = folders.values().map(|s| s.rows).sum();
        if total <= self.most_rows {
            return;
        }
        let mut by_use: Vec<((u64, u64), u64, u64)> =
            folders.iter().map(|(k, s)| (*k, s.used, s.rows)).collect();
        by_use.sort_unstable_by_key(|(_, used, _)| *used);
        for (old, _, rows) in by_use {
            if total <= self.most_rows / 4 * 3 || old == key {
                continue;
            }
            folders.remove(&old);
            total = total.saturating_sub(rows);
        }
    }
}

impl Mailboxes {
    /// Where a folder is remembered.
    pub(super) fn slot(&self, mailbox: u64, folder: u64) -> Arc<tokio::sync::Mutex<FolderState>> {
        self.states.slot((mailbox, folder))
    }

    /// A folder as it is now. The guard keeps others of this replica out; hold it briefly.
    pub(super) async fn folder(
        &self,
        mailbox: u64,
        folder: u64,
    ) -> Result<OwnedMutexGuard<FolderState>, Error> {
        let slot = self.states.slot((mailbox, folder));
        let mut state = slot.lock_owned().await;
        let client = self.db.get().await?;
        let before = state.rows.len();
        state.catch_up(&client, mailbox, folder).await?;
        drop(client);
        if state.rows.len() != before {
            self.states.note((mailbox, folder), state.rows.len());
        }
        Ok(state)
    }

    /// A folder as this replica knows it, without asking the database, when it knows it; and whether that is
    /// sure. Good for a write, which says what it was computed from and is refused when that is old.
    async fn folder_as_remembered(
        &self,
        mailbox: u64,
        folder: u64,
    ) -> Result<(OwnedMutexGuard<FolderState>, bool), Error> {
        let state = self.states.slot((mailbox, folder)).lock_owned().await;
        if state.cn != 0 {
            return Ok((state, false));
        }
        drop(state);
        Ok((self.folder(mailbox, folder).await?, true))
    }

    /// Writes a change that `plan` makes from the folder's state, and answers with the state after it.
    /// `plan` is called again when the folder moved on meanwhile. Nothing is written when it gives none.
    pub(super) async fn change(
        &self,
        mailbox: u64,
        folder: u64,
        mut plan: impl FnMut(&FolderState) -> Option<Change>,
    ) -> Result<OwnedMutexGuard<FolderState>, Error> {
        for attempt in 0..OPTIMISTIC_TRIES {
            let (mut state, sure) = if attempt == 0 {
                self.folder_as_remembered(mailbox, folder).await?
            } else {
                (self.folder(mailbox, folder).await?, true)
            };
            let change = match plan(&state) {
                Some(change) => change,
                None if sure => return Ok(state),
                // Nothing to do for a folder as it was; as it is, there may be.
                None => continue,
            };
            let client = self.db.get().await?;
            match log_change(&client, &state, mailbox, folder, &change).await {
                Ok(cn) => {
                    state.replay(&change, cn);
                    drop(client);
                    self.committed(mailbox, folder, cn);
                    return Ok(state);
                }
                Err(Error::Stale) => {}
                Err(error) => return Err(error),
            }
        }
        // Busy folder: keep the others out while it is read and written.
        let slot = self.states.slot((mailbox, folder));
        let mut state = slot.lock_owned().await;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute("SELECT FROM mailbox WHERE mailbox_id = $1 FOR UPDATE", &[&bigint(mailbox)])
            .await?;
        state.catch_up(&transaction, mailbox, folder).await?;
        let Some(change) = plan(&state) else { return Ok(state) };
        let cn = log_change(&transaction, &state, mailbox, folder, &change).await?;
        transaction.commit().await?;
        state.replay(&change, cn);
        self.committed(mailbox, folder, cn);
        Ok(state)
    }

    pub(super) fn committed(&self, mailbox: u64, folder: u64, cn: u64) {
        self.events.publish(mailbox, folder, cn);
        self.dirty.note(mailbox, folder);
        self.growth.note(1);
    }
}

/// Writes a change over the state it was computed from.
pub(super) async fn log_change(
    client: &impl GenericClient,
    state: &FolderState,
    mailbox: u64,
    folder: u64,
    change: &Change,
) -> Result<u64, Error> {
    let (mut total, mut unseen, mut deleted, mut size) = (0i64, 0i64, 0i64, 0i64);
    match change {
        Change::Flags { add, remove, uids } => {
            for row in state.select(uids) {
                let after = row.flags & !remove | add;
                unseen += i64::from(after & SEEN == 0) - i64::from(row.flags & SEEN == 0);
                deleted += i64::from(after & DELETED != 0) - i64::from(row.flags & DELETED != 0);
            }
        }
        Change::Gone { uids, .. } => {
            for row in state.select(uids) {
                total -= 1;
                unseen -= i64::from(row.flags & SEEN == 0);
                deleted -= i64::from(row.flags & DELETED != 0);
                size -= bigint(row.size);
            }
        }
    }
    let statement =
        client.prepare_cached("SELECT log_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)").await?;
    let row = client
        .query_one(
            &statement,
            &[
                &bigint(mailbox),
                &bigint(folder),
                &bigint(state.cn),
                &change.kind(),
                &change.encode(),
                &crate::error::unix_now(),
                &total,
                &unseen,
                &deleted,
                &size,
            ],
        )
        .await?;
    Ok(unsigned(row.get(0)))
}

pub(super) fn wire_u32(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// `\Seen`.
pub(super) const SEEN: u64 = 1;
/// `\Deleted`.
pub(super) const DELETED: u64 = 8;
const OPTIMISTIC_TRIES: usize = 4;
/// What an empty folder costs, in rows.
const ROW_OVERHEAD: u64 = 8;

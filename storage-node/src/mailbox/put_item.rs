//! Putting and deleting items: a new version comes and the old one goes, with all that is told of it, in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kontor_storage_proto as proto;
use proto::Rights;
use proto::put_item_request::Expected;

use super::attachments::note_attachments;
use super::change::Change;
use super::items::{Named, by_name, named};
use super::itip_messages::{self, Origin};
use super::locks::{forget_locks, in_the_way_of_item, locks_of};
use super::state::{FolderState, Row, SEEN, log_change, wire_u32};
use super::store_messages::{NewMessage, Stored, store_in};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint, unix_now};
use crate::token::Principal;

impl Mailboxes {
    /// Puts an item: its new version, and the old one goes, in one transaction.
    pub async fn put_item(
        &self,
        who: &Principal,
        request: proto::PutItemRequest,
    ) -> Result<proto::PutItemResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        let rights = self.access.require(who, mailbox, folder, &[]).await?;
        // Two at the same moment may both pass; the copy in the default calendar is then the one that counts.
        if request.is_meeting
            && let Some(facts) = &request.facts
            && let Some(copy) = self.calendar_copy(who.tenant_id, mailbox, &facts.item_uid).await?
            && copy.folder_id != folder
        {
            return Ok(proto::PutItemResponse {
                uid_taken_by: copy.name,
                uid_taken_in: copy.folder_id,
                ..Default::default()
            });
        }
        self.put_with(who.tenant_id, who.account_id, rights, request).await
    }

    /// Puts an item, for somebody with these rights in its folder. `actor` is the account; 0 = none.
    pub(super) async fn put_with(
        &self,
        tenant: u64,
        actor: u64,
        rights: u32,
        request: proto::PutItemRequest,
    ) -> Result<proto::PutItemResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        let facts = request.facts.ok_or_else(|| Error::Invalid("an item without a name".into()))?;
        check(&facts)?;
        itip_messages::check(&request.send)?;
        let content = request.content.ok_or_else(|| Error::Invalid("an item without content".into()))?;
        if rights & (Rights::Create as u32 | Rights::Edit as u32) == 0 {
            return Err(denied());
        }
        let content = Arc::new(self.receive(tenant, content).await?);
        let slot = self.slot(mailbox, folder);
        let mut state = slot.lock_owned().await;
        let new = NewMessage {
            mailbox,
            folder,
            hierarchy_cn: 0,
            flags: SEEN,
            received_at: unix_now(),
            content: content.clone(),
        };
        let origin = Origin { tenant, mailbox, actor, item_uid: &facts.item_uid };
        let terms = Terms {
            actor,
            rights,
            expected: request.expected.as_ref(),
            submitted: request.submitted.as_ref(),
            attachments: &request.attachments,
            send: (origin, &request.send),
        };
        let outcome = self.put_locked(&mut state, &facts, new, terms).await;
        match &outcome {
            Ok(Put::Stored(_)) => self.remember(mailbox, content.id, super::append::cached(&content)),
            Ok(Put::There(_) | Put::UidTaken(_) | Put::Locked(_)) => {}
            // What was read in a transaction that did not commit is not true.
            Err(_) => state.forget(),
        }
        drop(state);
        Ok(match outcome? {
            Put::Stored(response) => {
                self.committed(mailbox, folder, response.cn);
                response
            }
            Put::There(response) => response,
            Put::UidTaken(name) => proto::PutItemResponse { uid_taken_by: name, ..Default::default() },
            Put::Locked(locked) => proto::PutItemResponse { locked, ..Default::default() },
        })
    }

    async fn put_locked(
        &self,
        state: &mut FolderState,
        facts: &proto::ItemFacts,
        mut new: NewMessage,
        terms: Terms<'_>,
    ) -> Result<Put, Error> {
        let (mailbox, folder) = (new.mailbox, new.folder);
        let (m, f) = (bigint(mailbox), bigint(folder));
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let statement = transaction
            .prepare_cached("SELECT locked_until FROM mailbox WHERE mailbox_id = $1 FOR UPDATE")
            .await?;
        let row = transaction.query_opt(&statement, &[&m]).await?;
        let has_locks = row.is_some_and(|row| row.get::<_, i64>(0) > unix_now());
        state.catch_up(&transaction, mailbox, folder).await?;
        let statement = transaction
            .prepare_cached(
                // Two look-ups: a plan made while the folder was small would read all of it for an OR.
                "SELECT uid, item_id, name, item_uid, starts_at, ends_at FROM item
                 WHERE mailbox_id = $1 AND folder_id = $2 AND name = $3 AND gone_cn IS NULL
                 UNION SELECT uid, item_id, name, item_uid, starts_at, ends_at FROM item
                 WHERE mailbox_id = $1 AND folder_id = $2 AND item_uid = $4 AND gone_cn IS NULL",
            )
            .await?;
        let found = transaction.query(&statement, &[&m, &f, &facts.name, &facts.item_uid]).await?;
        let mut found: Vec<(Row, Named)> =
            found.iter().map(named).filter_map(|named| Some((*state.find(named.uid)?, named))).collect();
        found.sort_by_key(|(row, _)| row.uid);
        if let Some((_, other)) = found.iter().find(|(_, other)| other.facts.name != facts.name) {
            return Ok(Put::UidTaken(other.facts.name.clone()));
        }
        // Copies may have given a name twice; the last one counts, the others go with it.
        let old = found.last();
        if let Some((row, named)) = old
            && row.content_id == new.content.id
        {
            return Ok(Put::There(proto::PutItemResponse {
                created: false,
                uid: row.uid,
                item_id: named.item_id,
                cn: row.cn,
                ..Default::default()
            }));
        }
        let is_met = match (terms.expected, old) {
            (None, _) | (Some(Expected::Absent(false) | Expected::Present(false)), _) => true,
            (Some(Expected::Absent(true)), old) => old.is_none(),
            (Some(Expected::Present(true)), old) => old.is_some(),
            (Some(Expected::ContentId(id)), old) => {
                old.is_some_and(|(row, _)| row.content_id.as_bytes()[..] == id[..])
            }
        };
        if !is_met {
            return Err(Error::Conflict("the item is not as it was expected to be".into()));
        }
        let needed = if old.is_some() { Rights::Edit } else { Rights::Create };
        if terms.rights & needed as u32 == 0 {
            return Err(denied());
        }
        if let (true, Some(submitted)) = (has_locks, terms.submitted) {
            let locks = locks_of(&transaction, mailbox).await?;
            let at = (folder, facts.name.as_str());
            let locked = in_the_way_of_item(&locks, terms.actor, submitted, at, old.is_none());
            if !locked.is_empty() {
                return Ok(Put::Locked(locked));
            }
        }
        if let Some((row, _)) = old {
            new.flags |= row.flags;
            new.received_at = row.received_at;
        }
        let stored = store_in(&transaction, std::slice::from_ref(&new), false).await?;
        let (uid, mut cn, message_id) = match stored.first() {
            Some(Stored::Message { uid, cn, message_id, .. }) => (*uid, *cn, *message_id),
            Some(Stored::OverQuota) => return Err(Error::OverQuota),
            _ => return Err(Error::NotFound("folder".into())),
        };
        let item_id = old.map_or(message_id, |(_, named)| named.item_id);
        let statement = transaction
            .prepare_cached(
                "INSERT INTO item (mailbox_id, folder_id, uid, item_id, content_id, name, item_uid, starts_at, ends_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .await?;
        transaction
            .execute(
                &statement,
                &[
                    &m,
                    &f,
                    &i64::from(uid),
                    &bigint(item_id),
                    &new.content.id,
                    &facts.name,
                    &facts.item_uid,
                    &facts.starts_at,
                    &facts.ends_at,
                ],
            )
            .await?;
        note_attachments(&transaction, mailbox, new.content.id, terms.attachments).await?;
        let created = old.is_none();
        if !created {
            // The version that was is for nobody to find again.
            let uids = Ranges::from_uids(found.iter().map(|(row, _)| row.uid));
            state.catch_up(&transaction, mailbox, folder).await?;
            let change = Change::Gone { soft: false, uids };
            cn = log_change(&transaction, state, mailbox, folder, &change).await?;
            state.replay(&change, cn);
        }
        let (origin, send) = terms.send;
        itip_messages::add(&transaction, origin, send).await?;
        transaction.commit().await?;
        Ok(Put::Stored(proto::PutItemResponse { created, uid, item_id, cn, ..Default::default() }))
    }

    /// An item goes to Recoverable Items.
    pub async fn delete_item(
        &self,
        who: &Principal,
        request: &proto::DeleteItemRequest,
    ) -> Result<proto::DeleteItemResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Delete]).await?;
        let client = self.db.get().await?;
        let locks = match &request.submitted {
            Some(_) => locks_of(&client, mailbox).await?,
            None => Vec::new(),
        };
        if let Some(submitted) = &request.submitted {
            let locked = in_the_way_of_item(&locks, who.account_id, submitted, (folder, &request.name), true);
            if !locked.is_empty() {
                return Ok(proto::DeleteItemResponse { locked, ..Default::default() });
            }
        }
        let has_own = locks.iter().any(|lock| lock.folder_id == folder && lock.name == request.name);
        if !request.send.is_empty() {
            drop(client);
            let response = self.delete_telling(who.tenant_id, who.account_id, request).await?;
            if has_own {
                forget_locks(&self.db.get().await?, mailbox, folder, &request.name).await?;
            }
            return Ok(response);
        }
        let uids: HashSet<u32> = by_name(&client, mailbox, folder, std::slice::from_ref(&request.name))
            .await?
            .into_keys()
            .collect();
        drop(client);
        let (mut is_there, mut is_met) = (false, false);
        let state = self
            .change(mailbox, folder, |state| {
                let live: Vec<&Row> = state.rows.iter().filter(|row| uids.contains(&row.uid)).collect();
                is_there = !live.is_empty();
                let version = |row: &&&Row| row.content_id.as_bytes()[..] == request.content_id[..];
                is_met = request.content_id.is_empty() || live.last().is_some_and(|row| version(&row));
                let uids = Ranges::from_uids(live.iter().map(|row| row.uid));
                (is_there && is_met).then_some(Change::Gone { soft: true, uids })
            })
            .await?;
        match (is_there, is_met) {
            (false, _) => Err(Error::NotFound("item".into())),
            (true, false) => Err(Error::Conflict("the item is not as it was expected to be".into())),
            (true, true) => {
                let cn = state.cn;
                drop(state);
                if has_own {
                    forget_locks(&self.db.get().await?, mailbox, folder, &request.name).await?;
                }
                Ok(proto::DeleteItemResponse { cn, ..Default::default() })
            }
        }
    }

    /// The same for its owner, with messages about it in the same transaction. `actor` is the account; 0 = none.
    pub(crate) async fn delete_telling(
        &self,
        tenant: u64,
        actor: u64,
        request: &proto::DeleteItemRequest,
    ) -> Result<proto::DeleteItemResponse, Error> {
        itip_messages::check(&request.send)?;
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        let slot = self.slot(mailbox, folder);
        let mut state = slot.lock_owned().await;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let m = bigint(mailbox);
        transaction.execute("SELECT FROM mailbox WHERE mailbox_id = $1 FOR UPDATE", &[&m]).await?;
        state.catch_up(&transaction, mailbox, folder).await?;
        let statement = transaction
            .prepare_cached(
                "SELECT uid, item_uid FROM item
                 WHERE mailbox_id = $1 AND folder_id = $2 AND name = $3 AND gone_cn IS NULL ORDER BY uid",
            )
            .await?;
        let found = transaction.query(&statement, &[&m, &bigint(folder), &request.name]).await?;
        let live: Vec<(Row, String)> =
            found.iter().filter_map(|row| Some((*state.find(wire_u32(row.get(0)))?, row.get(1)))).collect();
        let Some((last, item_uid)) = live.last() else { return Err(Error::NotFound("item".into())) };
        if !request.content_id.is_empty() && last.content_id.as_bytes()[..] != request.content_id[..] {
            return Err(Error::Conflict("the item is not as it was expected to be".into()));
        }
        let change =
            Change::Gone { soft: true, uids: Ranges::from_uids(live.iter().map(|(row, _)| row.uid)) };
        let cn = log_change(&transaction, &state, mailbox, folder, &change).await?;
        let origin = Origin { tenant, mailbox, actor, item_uid };
        itip_messages::add(&transaction, origin, &request.send).await?;
        transaction.commit().await?;
        state.replay(&change, cn);
        drop(state);
        self.committed(mailbox, folder, cn);
        Ok(proto::DeleteItemResponse { cn, ..Default::default() })
    }
}

/// Under what conditions an item is put.
struct Terms<'a> {
    /// The account; 0 = none.
    actor: u64,
    rights: u32,
    expected: Option<&'a Expected>,
    submitted: Option<&'a proto::Submitted>,
    attachments: &'a [Bytes],
    /// Who is told.
    send: (Origin<'a>, &'a [proto::SchedulingMessage]),
}

/// What came of a put.
enum Put {
    Stored(proto::PutItemResponse),
    /// It had been stored before.
    There(proto::PutItemResponse),
    /// By the item of this name.
    UidTaken(String),
    /// By these.
    Locked(Vec<proto::Lock>),
}

fn denied() -> Error {
    Error::Denied("the folder's permissions do not allow this".into())
}

fn check(facts: &proto::ItemFacts) -> Result<(), Error> {
    let is_fine = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control)
    };
    if !is_fine(&facts.name, MOST_NAME)
        || facts.name.contains('/')
        || matches!(facts.name.as_str(), "." | "..")
    {
        return Err(Error::Invalid(format!(
            "a name has 1 to {MOST_NAME} octets without slashes and controls"
        )));
    }
    if !is_fine(&facts.item_uid, MOST_UID) {
        return Err(Error::Invalid(format!("a UID has 1 to {MOST_UID} octets without controls")));
    }
    Ok(())
}

/// Octets.
const MOST_NAME: usize = 255;
const MOST_UID: usize = 1024;

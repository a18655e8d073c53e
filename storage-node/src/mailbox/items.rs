//! Items that have a name of their own: appointments, tasks, contacts (RFC 4791, RFC 6352).
//!
//! Each version is a message with a UID of its own, so that everything that holds for messages holds for items; beside
//! it stands a row with its name. Which versions are there, the folder's state says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use proto::Rights;
use proto::put_item_request::Expected;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::attachments::note_attachments;
use super::change::{Change, KIND_GONE};
use super::content::Content;
use super::fetch::gather;
use super::item_properties::{MOST_DERIVED, MOST_DERIVED_FROM};
use super::itip_messages::{self, Origin};
use super::locks::{forget_locks, in_the_way_of_item, locks_of};
use super::state::{FolderState, Row, SEEN, log_change, wire_u32};
use super::store_messages::{NewMessage, Stored, store_in};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

/// A row of `item`.
struct Named {
    uid: u32,
    item_id: u64,
    facts: proto::ItemFacts,
}

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
            let response = self.delete_telling(who, request).await?;
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

    /// The same, with messages about it in the same transaction.
    async fn delete_telling(
        &self,
        who: &Principal,
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
        let origin = Origin { tenant: who.tenant_id, mailbox, actor: who.account_id, item_uid };
        itip_messages::add(&transaction, origin, &request.send).await?;
        transaction.commit().await?;
        state.replay(&change, cn);
        drop(state);
        self.committed(mailbox, folder, cn);
        Ok(proto::DeleteItemResponse { cn, ..Default::default() })
    }

    /// Pages of items, by UID.
    pub async fn items(
        self: &Arc<Self>,
        who: &Principal,
        request: proto::ItemsRequest,
    ) -> Result<mpsc::Receiver<Result<proto::ItemsChunk, Error>>, Error> {
        let (mailbox, folder, since) = (request.mailbox_id, request.folder_id, request.since_cn);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        if request.names.len() > MOST_NAMES {
            return Err(Error::Invalid(format!("at most {MOST_NAMES} names in one call")));
        }
        let state = self.folder(mailbox, folder).await?;
        let (highest_cn, tenant) = (state.cn, state.tenant_id);
        let (sender, receiver) = mpsc::channel(2);
        if since != 0 && since < state.horizon && since < state.cn {
            let chunk = proto::ItemsChunk { highest_cn, too_old: true, ..Default::default() };
            drop(sender.send(Ok(chunk)).await);
            return Ok(receiver);
        }
        // Flags are nothing that an item says: only when its version came counts.
        let rows: HashMap<u32, Row> = state.rows.iter().map(|row| (row.uid, *row)).collect();
        drop(state);
        let client = self.db.get().await?;
        let names = named_rows(&client, &request, rows.values().filter(|row| row.cn > since)).await?;
        let gone =
            if since == 0 { Vec::new() } else { gone_names(&client, &request, highest_cn, &rows).await? };
        drop(client);
        // Where copies have given a name twice, the last one counts.
        let mut last: HashMap<&str, u32> = HashMap::new();
        for named in &names {
            let uid = last.entry(&named.facts.name).or_default();
            *uid = named.uid.max(*uid);
        }
        let counts: HashSet<u32> = last.into_values().collect();
        let mut live: Vec<(Row, Named)> = names
            .into_iter()
            .filter(|named| counts.contains(&named.uid))
            .filter_map(|named| Some((*rows.get(&named.uid)?, named)))
            .filter(|(row, _)| row.cn > since)
            .collect();
        live.sort_by_key(|(row, _)| row.uid);
        let mailboxes = self.clone();
        tokio::spawn(async move {
            let mut rest = live.as_slice();
            loop {
                let (page, after) = rest.split_at(page_length(rest, &request));
                rest = after;
                let mut chunk = mailboxes.item_page(tenant, &request, page, highest_cn).await;
                if let (Ok(chunk), true) = (&mut chunk, rest.is_empty()) {
                    chunk.gone.clone_from(&gone);
                }
                let failed = chunk.is_err();
                if sender.send(chunk).await.is_err() || failed || rest.is_empty() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn item_page(
        &self,
        tenant: u64,
        request: &proto::ItemsRequest,
        page: &[(Row, Named)],
        highest_cn: u64,
    ) -> Result<proto::ItemsChunk, Error> {
        let ids: Vec<Uuid> = page.iter().map(|(row, _)| row.content_id).collect();
        let contents = self.contents(request.mailbox_id, &ids, request.body || request.properties).await?;
        let mut items = Vec::with_capacity(page.len());
        let mut texts = Vec::new();
        for (row, named) in page {
            // Its row went meanwhile.
            let Some(content) = contents.get(&row.content_id) else { continue };
            let wanted = request.body && content.size <= request.max_body;
            let derived = request.properties && content.size <= MOST_DERIVED_FROM;
            let whole = if wanted || derived { Some(self.whole_body(tenant, content).await?) } else { None };
            if let (true, Some(whole)) = (derived, &whole) {
                let header = usize::try_from(content.header_size).unwrap_or(usize::MAX).min(whole.len());
                texts.push((items.len(), whole.slice(header..)));
            }
            let body = whole.filter(|_| wanted);
            items.push(proto::Item {
                facts: Some(named.facts.clone()),
                uid: row.uid,
                item_id: named.item_id,
                content_id: Bytes::copy_from_slice(row.content_id.as_bytes()),
                cn: row.cn,
                size: row.size,
                header_size: content.header_size,
                created_at: row.received_at,
                body,
                properties: None,
            });
        }
        if !texts.is_empty() {
            for (at, properties) in self.derived(request.mailbox_id, request.folder_id, texts).await? {
                if let Some(item) = items.get_mut(at) {
                    item.properties = Some(properties);
                }
            }
        }
        Ok(proto::ItemsChunk { highest_cn, items, ..Default::default() })
    }

    pub(super) async fn whole_body(&self, tenant: u64, content: &Content) -> Result<Bytes, Error> {
        if let Some(super::content::Body::Blob { hash, .. }) = &content.body {
            return gather(self.blobs.read(tenant, hash, 0, content.size).await?).await;
        }
        Ok(content.inline_body()?.unwrap_or_default())
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

fn named(row: &tokio_postgres::Row) -> Named {
    Named {
        uid: wire_u32(row.get(0)),
        item_id: unsigned(row.get(1)),
        facts: proto::ItemFacts {
            name: row.get(2),
            item_uid: row.get(3),
            starts_at: row.get(4),
            ends_at: row.get(5),
        },
    }
}

/// UIDs with their names, of whatever had one of these names.
async fn by_name(
    client: &impl GenericClient,
    mailbox: u64,
    folder: u64,
    names: &[String],
) -> Result<HashMap<u32, String>, Error> {
    let statement = client
        .prepare_cached(
            "SELECT uid, name FROM item WHERE mailbox_id = $1 AND folder_id = $2 AND name = ANY ($3)
             AND gone_cn IS NULL",
        )
        .await?;
    let rows = client.query(&statement, &[&bigint(mailbox), &bigint(folder), &names]).await?;
    Ok(rows.iter().map(|row| (wire_u32(row.get(0)), row.get(1))).collect())
}

/// The names of those of `rows` that are asked for.
async fn named_rows(
    client: &impl GenericClient,
    request: &proto::ItemsRequest,
    rows: impl Iterator<Item = &Row>,
) -> Result<Vec<Named>, Error> {
    let window = request.window.unwrap_or_default();
    let (from, until) = (window.from.unwrap_or(i64::MIN), window.until.unwrap_or(i64::MAX));
    let (m, f) = (bigint(request.mailbox_id), bigint(request.folder_id));
    let columns = "SELECT uid, item_id, name, item_uid, starts_at, ends_at FROM item
        WHERE mailbox_id = $1 AND folder_id = $2
            AND coalesce(starts_at, $3) < $4 AND coalesce(ends_at, $4) > $3";
    let found = if !request.names.is_empty() {
        let statement =
            client.prepare_cached(&format!("{columns} AND name = ANY ($5) AND gone_cn IS NULL")).await?;
        client.query(&statement, &[&m, &f, &from, &until, &request.names]).await?
    } else if request.since_cn != 0 {
        let uids: Vec<i64> = rows.map(|row| i64::from(row.uid)).collect();
        let statement = client.prepare_cached(&format!("{columns} AND uid = ANY ($5)")).await?;
        client.query(&statement, &[&m, &f, &from, &until, &uids]).await?
    } else {
        let statement = client.prepare_cached(&format!("{columns} AND gone_cn IS NULL")).await?;
        client.query(&statement, &[&m, &f, &from, &until]).await?
    };
    Ok(found.iter().map(named).collect())
}

/// Names that somebody may know from `since_cn` and that nothing has any more.
async fn gone_names(
    client: &impl GenericClient,
    request: &proto::ItemsRequest,
    until: u64,
    live: &HashMap<u32, Row>,
) -> Result<Vec<String>, Error> {
    let (m, f) = (bigint(request.mailbox_id), bigint(request.folder_id));
    let statement = client
        .prepare_cached(
            "SELECT payload FROM change_log WHERE mailbox_id = $1 AND folder_id = $2 AND cn > $3 AND cn <= $4
             AND kind = $5",
        )
        .await?;
    let rows =
        client.query(&statement, &[&m, &f, &bigint(request.since_cn), &bigint(until), &KIND_GONE]).await?;
    let gone = Ranges::union(rows.iter().filter_map(|row| match Change::decode(KIND_GONE, row.get(0)) {
        Some(Change::Gone { uids, .. }) => Some(uids),
        _ => None,
    }));
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (from, to) in gone.iter() {
        first.push(i64::from(from));
        last.push(i64::from(to));
    }
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let statement = client
        .prepare_cached(
            "SELECT DISTINCT i.name FROM unnest($3::bigint[], $4::bigint[]) AS g (first, last)
             JOIN item i ON i.mailbox_id = $1 AND i.folder_id = $2 AND i.uid BETWEEN g.first AND g.last",
        )
        .await?;
    let names: Vec<String> =
        client.query(&statement, &[&m, &f, &first, &last]).await?.iter().map(|row| row.get(0)).collect();
    let again = by_name(client, request.mailbox_id, request.folder_id, &names).await?;
    let there: HashSet<&String> =
        again.iter().filter(|(uid, _)| live.contains_key(uid)).map(|(_, name)| name).collect();
    let asked = |name: &String| request.names.is_empty() || request.names.contains(name);
    Ok(names.iter().filter(|name| !there.contains(name) && asked(name)).cloned().collect())
}

/// How many items go into the next page.
fn page_length(rows: &[(Row, Named)], request: &proto::ItemsRequest) -> usize {
    let mut weight = 0u64;
    for (i, (row, _)) in rows.iter().enumerate().take(MOST_IN_PAGE) {
        weight += 256;
        if request.body && row.size <= request.max_body {
            weight += row.size;
        }
        if request.properties {
            // About what they are; a text of a few lines has some 2 KiB of them.
            weight += 2048 + row.size.min(MOST_DERIVED as u64);
        }
        if weight > PAGE_OCTETS && i > 0 {
            return i;
        }
    }
    rows.len().min(MOST_IN_PAGE)
}

const MOST_NAMES: usize = 10_000;
/// Octets.
const MOST_NAME: usize = 255;
const MOST_UID: usize = 1024;
const MOST_IN_PAGE: usize = 4096;
const PAGE_OCTETS: u64 = 2 << 20;

//! Reading items that have a name of their own: appointments, tasks, contacts (RFC 4791, RFC 6352).
//!
//! Each version is a message with a UID of its own, so that everything that holds for messages holds for items; beside
//! it stands a row with its name. Which versions are there, the folder's state says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use proto::Rights;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::change::{Change, KIND_GONE};
use super::content::Content;
use super::fetch::gather;
use super::item_properties::{MOST_DERIVED, MOST_DERIVED_FROM};
use super::state::{Row, find, wire_u32};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

/// A row of `item`.
pub(super) struct Named {
    pub uid: u32,
    pub item_id: u64,
    pub facts: proto::ItemFacts,
}

impl Mailboxes {
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
        // As it is now, in one copy: the folder is not held for the questions to the database.
        let rows = state.rows.clone();
        drop(state);
        let client = self.db.get().await?;
        // Flags are nothing that an item says: only when its version came counts.
        let names = named_rows(&client, &request, rows.iter().filter(|row| row.cn > since)).await?;
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
            .filter_map(|named| Some((*find(&rows, named.uid)?, named)))
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

pub(super) fn named(row: &tokio_postgres::Row) -> Named {
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
pub(super) async fn by_name(
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
    live: &[Row],
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
        again.iter().filter(|(uid, _)| find(live, **uid).is_some()).map(|(_, name)| name).collect();
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
const MOST_IN_PAGE: usize = 4096;
const PAGE_OCTETS: u64 = 2 << 20;

//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, §3.2.6).
//!
//! One call streams what all messages need, in UID order, and each page is written as it comes. What is
//! not in it (large bodies) is read as a range of the message's bytes and passed through.

mod binary;
mod message;
mod section;

use kontor_imap_proto::{
    Code, FetchWriter, Section, SectionText,
    command::fetch::{Fetch, FetchItem},
};
use kontor_storage_client::proto::{self, store_flags_request::Op};

use crate::{
    flag_names::FlagLists,
    ranges,
    reply::{Failure, Reply},
    session::{Desk, Session},
};

/// What a FETCH needs of each message.
struct Plan {
    items: Vec<FetchItem>,
    view: bool,
    header: bool,
    body: bool,
    object_ids: bool,
}

impl Plan {
    fn new(items: Vec<FetchItem>) -> Self {
        let mut plan = Self { items, view: false, header: false, body: false, object_ids: false };
        for item in &plan.items {
            match item {
                FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => plan.view = true,
                FetchItem::EmailId | FetchItem::ThreadId => plan.object_ids = true,
                FetchItem::Rfc822 => plan.body = true,
                FetchItem::Rfc822Header => plan.header = true,
                FetchItem::Rfc822Text | FetchItem::Binary { .. } | FetchItem::BinarySize { .. } => {
                    (plan.view, plan.body) = (true, true);
                }
                FetchItem::BodySection { section, .. } => match section {
                    Section { part, text: None } if part.is_empty() => plan.body = true,
                    Section { part, text: Some(text) } if part.is_empty() && *text != SectionText::Text => {
                        plan.header = true;
                    }
                    _ => (plan.view, plan.body) = (true, true),
                },
                FetchItem::Flags
                | FetchItem::InternalDate
                | FetchItem::Rfc822Size
                | FetchItem::Uid
                | FetchItem::ModSeq
                | FetchItem::SaveDate => {}
            }
        }
        plan
    }

    /// Whether the skeleton of the folder has all that is asked for.
    fn is_skeleton(&self) -> bool {
        !(self.view || self.header || self.body || self.object_ids)
    }
}

impl Session {
    pub async fn fetch(&mut self, fetch: Fetch) -> Result<Reply, Failure> {
        let mut desk = self.desk()?;
        if fetch.vanished && !desk.enabled.qresync {
            return Err(Reply::bad("Enable QRESYNC first").into());
        }
        let (uids, count) = desk.selected.resolve(&fetch.set, fetch.uid)?;
        let mut items = fetch.items;
        let mut ask = |item: FetchItem, wanted: bool| {
            if wanted && !items.contains(&item) {
                items.insert(0, item);
            }
        };
        ask(FetchItem::ModSeq, fetch.changed_since.is_some());
        ask(FetchItem::Uid, fetch.uid);
        desk.enabled.condstore |= items.contains(&FetchItem::ModSeq);
        let sets_seen = !desk.selected.read_only && items.iter().any(FetchItem::sets_seen);
        let plan = Plan::new(items);
        if let (Some(since), true) = (fetch.changed_since, fetch.vanished) {
            desk.tell_vanished(since, &fetch.set.resolve(desk.selected.map.last_uid())).await?;
        }
        if count == 0 {
            return Ok(Reply::ok("Nothing to fetch"));
        }
        let since = fetch.changed_since.unwrap_or(0);
        let half = desk.selected.map.len() / 2;
        let told = if plan.is_skeleton() && count > MANY && count >= half && count <= SKELETON_MOST {
            desk.fetch_skeleton(&plan, &uids, since).await?
        } else {
            desk.fetch_messages(&plan, &uids, since, sets_seen).await?
        };
        if !fetch.uid && fetch.changed_since.is_none() && told < count {
            return Err(Reply::no(Code::ExpungeIssued, "Some of the messages are gone").into());
        }
        Ok(Reply::ok("Fetched"))
    }
}

impl Desk<'_> {
    /// VANISHED (EARLIER): what of the set went after `since`.
    async fn tell_vanished(&mut self, since: u64, set: &[(u32, u32)]) -> Result<(), Failure> {
        let (mailbox_id, folder_id) = (self.selected.mailbox_id, self.selected.folder_id);
        let changes = self.account.store.changes(mailbox_id, folder_id, since).await?;
        let gone = if changes.too_old {
            // Nobody remembers what went: all that is not there.
            ranges::intersect(set, &[(1, self.selected.map.last_uid())])
        } else {
            ranges::intersect(set, &ranges::paired(&changes.gone))
        };
        let gone = ranges::without(&gone, self.selected.map.uids());
        self.wire.encoder().vanished(true, &gone);
        Ok(())
    }

    /// Answers from the skeleton; gives how many messages were told.
    async fn fetch_skeleton(&mut self, plan: &Plan, uids: &[(u32, u32)], since: u64) -> Result<u32, Failure> {
        let wants = |item: &FetchItem| plan.items.contains(item);
        let column = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
        let columns = column(wants(&FetchItem::Flags), 2)
            | column(wants(&FetchItem::ModSeq) || since > 0, 4)
            | column(wants(&FetchItem::Rfc822Size), 8)
            | column(wants(&FetchItem::InternalDate), 16);
        let (mailbox_id, folder_id) = (self.selected.mailbox_id, self.selected.folder_id);
        let rows = self.account.store.skeleton(mailbox_id, folder_id, columns).await?;
        self.hear_of_keywords(&rows.keywords);
        let mut lists = FlagLists::new(&self.selected.keywords);
        let mut within = uids.iter().copied().peekable();
        let mut told = 0;
        for (row, &uid) in rows.uids.iter().enumerate() {
            while within.next_if(|&(_, last)| last < uid).is_some() {}
            if within.peek().is_none_or(|&(first, _)| first > uid) {
                continue;
            }
            let mod_seq = rows.modseqs.get(row).copied().unwrap_or(0);
            let Some(number) = self.selected.map.number_of(uid).filter(|_| since == 0 || mod_seq > since)
            else {
                continue;
            };
            let item = proto::FetchItem {
                uid,
                flags: rows.flags.get(row).copied().unwrap_or(0),
                modseq: mod_seq,
                size: rows.sizes.get(row).copied().unwrap_or(0),
                internal_date: rows.dates.get(row).copied().unwrap_or(0),
                ..Default::default()
            };
            let mut encoder = self.wire.encoder();
            let mut writer = encoder.fetch(number);
            for wanted in &plan.items {
                message::write_plain(&mut writer, wanted, &item, &mut lists);
            }
            drop(writer);
            told += 1;
            self.wire.flush_if_full().await?;
        }
        Ok(told)
    }

    /// Streams messages; gives how many were told.
    async fn fetch_messages(
        &mut self,
        plan: &Plan,
        uids: &[(u32, u32)],
        since: u64,
        sets_seen: bool,
    ) -> Result<u32, Failure> {
        let request = proto::FetchRequest {
            mailbox_id: self.selected.mailbox_id,
            folder_id: self.selected.folder_id,
            uid_ranges: ranges::flat(uids),
            changed_since: since,
            view: plan.view,
            header: plan.header,
            body: plan.body,
            max_body: MAX_INLINE,
            object_ids: plan.object_ids,
            packed: true,
        };
        let account = self.account.clone();
        let mut pages = account.store.fetch(request).await?;
        let mut told = 0;
        let mut unseen = Vec::new();
        let mut keywords_known = self.selected.keywords.clone();
        let mut lists = FlagLists::new(&keywords_known);
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error) => return Err(error.into()),
            };
            // A keyword that the dictionary has no name for was made by another session just now.
            let newest = page.items.iter().fold(0, |all, item| all | item.flags);
            if unnamed(newest, keywords_known.len()) {
                let answer = account.store.list_folders(self.selected.mailbox_id, u64::MAX >> 1).await?;
                self.hear_of_keywords(&answer.keywords);
                keywords_known = self.selected.keywords.clone();
                lists = FlagLists::new(&keywords_known);
            }
            for item in page.items {
                let Some(number) = self.selected.map.number_of(item.uid) else { continue };
                message::write(self.wire, &account, self.selected, plan, &mut lists, number, &item).await?;
                told += 1;
                if sets_seen && item.flags & SEEN == 0 {
                    unseen.push(item.uid);
                }
                self.wire.flush_if_full().await?;
            }
        }
        if !unseen.is_empty() {
            self.set_seen(unseen).await?;
        }
        Ok(told)
    }

    /// Sets `\Seen` on what was read, and tells.
    async fn set_seen(&mut self, uids: Vec<u32>) -> Result<(), Failure> {
        let request = proto::StoreFlagsRequest {
            mailbox_id: self.selected.mailbox_id,
            folder_id: self.selected.folder_id,
            uid_ranges: ranges::flat(&kontor_imap_proto::join(uids)),
            op: Op::Add.into(),
            flags: SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
        };
        let done = self.account.store.store_flags(request).await?;
        self.selected.know(&done);
        let mut lists = FlagLists::new(&self.selected.keywords);
        for ((&uid, &flags), &mod_seq) in done.uids.iter().zip(&done.flags).zip(&done.modseqs) {
            let Some(number) = self.selected.map.number_of(uid) else { continue };
            let mut encoder = self.wire.encoder();
            let mut writer: FetchWriter<'_> = encoder.fetch(number);
            writer.uid(uid).rendered_flags(lists.get(flags));
            if self.enabled.condstore {
                writer.mod_seq(mod_seq.max(1));
            }
            drop(writer);
            self.wire.flush_if_full().await?;
        }
        Ok(())
    }

    /// Takes a longer keyword dictionary, and tells.
    fn hear_of_keywords(&mut self, keywords: &[String]) {
        if keywords.len() > self.selected.keywords.len() {
            self.selected.keywords = keywords.to_vec();
            crate::sync::tell_flags(
                &mut self.wire.encoder(),
                &self.selected.keywords,
                self.selected.read_only,
            );
        }
    }
}

/// Whether a keyword bit is set that the first `known` slots do not name.
fn unnamed(flags: u64, known: usize) -> bool {
    kontor_model::Flags::from_bits(flags).keywords().any(|slot| usize::from(slot) >= known)
}

/// From so many messages on, a listing of half a mailbox is answered from its skeleton.
const MANY: u32 = 16;
/// The skeleton of more messages than this is too much to hold.
const SKELETON_MOST: u32 = 200_000;
/// Messages up to this size come with the page, octets.
const MAX_INLINE: u64 = 128 << 10;
const SEEN: u64 = kontor_model::Flags::SEEN.bits();

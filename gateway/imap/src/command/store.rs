//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use kontor_imap_proto::{
    Code,
    command::store::{Store, StoreAction},
};
use kontor_storage_client::proto::{self, store_flags_request::Op};

use crate::{
    flag_names::{self, FlagLists},
    ranges,
    reply::{Failure, Reply, ReplyCode},
    selected::Selected,
    session::Session,
    sync::{self, Expunges},
    wire::Wire,
};

impl Session {
    pub async fn store(&mut self, store: Store) -> Result<Reply, Failure> {
        let desk = self.desk()?;
        let (wire, selected) = (desk.wire, desk.selected);
        if selected.read_only {
            return Err(Reply::no(Code::ReadOnly, "The mailbox is read-only").into());
        }
        let wanted = flag_names::wanted(&store.flags)
            .map_err(|name| Reply::no(Code::Cannot, format!("No such flag: \\{name}")))?;
        desk.enabled.condstore |= store.unchanged_since.is_some();
        let (uids, count) = selected.resolve(&store.set, store.uid)?;
        if count == 0 {
            return Ok(Reply::ok("Nothing to store"));
        }
        let op = match store.action {
            StoreAction::Replace => Op::Replace,
            StoreAction::Add => Op::Add,
            StoreAction::Remove => Op::Remove,
        };
        let mut request = proto::StoreFlagsRequest {
            mailbox_id: selected.mailbox_id,
            folder_id: selected.folder_id,
            uid_ranges: ranges::flat(&uids),
            op: op.into(),
            flags: wanted.bits,
            keywords: wanted.keywords,
            unchanged_since: store.unchanged_since,
        };
        let mut answered = 0;
        let mut attempt = 1;
        let modified = loop {
            // A client that does not want to hear the new flags works them out from those it knows. So
            // its change is made on what it knows, and what others have changed is told first.
            let blind = store.silent && store.unchanged_since.is_none() && attempt < MOST_ATTEMPTS;
            if blind {
                request.unchanged_since = Some(selected.cn);
            }
            let done = desk.account.store.store_flags(request.clone()).await?;
            if done.keywords.len() > selected.keywords.len() {
                selected.keywords.clone_from(&done.keywords);
                sync::tell_flags(&mut wire.encoder(), &selected.keywords, false);
            }
            let tell = !store.silent || attempt == MOST_ATTEMPTS;
            answer(wire, selected, &done, tell, desk.enabled.condstore).await?;
            // What the client made itself, or was just told, is not told when the change log is read.
            selected.know(&done);
            if blind {
                selected.advance(&done);
            }
            answered += done.uids.len();
            if !blind || done.modified.is_empty() {
                answered += done.modified.len();
                break done.modified;
            }
            request.uid_ranges = ranges::flat(&kontor_imap_proto::join(done.modified));
            request.unchanged_since = None;
            selected.sync(wire, &desk.account, desk.enabled, Expunges::Keep).await?;
            attempt += 1;
        };
        if !modified.is_empty() {
            let modified = if store.uid {
                modified
            } else {
                modified.into_iter().filter_map(|uid| selected.map.number_of(uid)).collect()
            };
            return Ok(Reply::ok_with(ReplyCode::Modified(modified), "Some messages have changed since"));
        }
        if !store.uid && answered < usize::try_from(count).unwrap_or(usize::MAX) {
            return Err(Reply::no(Code::ExpungeIssued, "Some of the messages are gone").into());
        }
        Ok(Reply::ok("Stored"))
    }
}

/// Tells what the messages are now: all of it, or of those that changed the modification sequence only.
async fn answer(
    wire: &mut Wire,
    selected: &Selected,
    done: &proto::StoreFlagsResponse,
    tell: bool,
    condstore: bool,
) -> Result<(), Failure> {
    if !tell && !condstore {
        return Ok(());
    }
    let mut lists = FlagLists::new(&selected.keywords);
    for ((&uid, &flags), &mod_seq) in done.uids.iter().zip(&done.flags).zip(&done.modseqs) {
        let Some(number) = selected.map.number_of(uid).filter(|_| tell || mod_seq > selected.cn) else {
            continue;
        };
        let mut encoder = wire.encoder();
        let mut fetch = encoder.fetch(number);
        fetch.uid(uid);
        if tell {
            fetch.rendered_flags(lists.get(flags));
        }
        if condstore {
            fetch.mod_seq(mod_seq.max(1));
        }
        drop(fetch);
        wire.flush_if_full().await?;
    }
    Ok(())
}

/// After so many times of being overtaken a silent STORE is made anyhow, and told.
const MOST_ATTEMPTS: u32 = 6;

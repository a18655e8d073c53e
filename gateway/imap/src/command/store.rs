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
    session::Session,
    sync,
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
        let request = proto::StoreFlagsRequest {
            mailbox_id: selected.mailbox_id,
            folder_id: selected.folder_id,
            uid_ranges: ranges::flat(&uids),
            op: op.into(),
            flags: wanted.bits,
            keywords: wanted.keywords,
            unchanged_since: store.unchanged_since,
        };
        let done = desk.account.store.store_flags(request).await?;
        if done.keywords.len() > selected.keywords.len() {
            selected.keywords = done.keywords;
            sync::tell_flags(&mut wire.encoder(), &selected.keywords, false);
        }
        // What the client asked for itself is not told again when the change log is read.
        if done.highest_cn > selected.cn && done.modseqs.contains(&done.highest_cn) {
            selected.own.push(done.highest_cn);
        }
        let answered = done.uids.len().saturating_add(done.modified.len());
        let mut lists = FlagLists::new(&selected.keywords);
        for ((&uid, &flags), &mod_seq) in done.uids.iter().zip(&done.flags).zip(&done.modseqs) {
            let changed = mod_seq == done.highest_cn;
            if store.silent && !(desk.enabled.condstore && changed) {
                continue;
            }
            let Some(number) = selected.map.number_of(uid) else { continue };
            let mut encoder = wire.encoder();
            let mut fetch = encoder.fetch(number);
            fetch.uid(uid);
            if !store.silent {
                fetch.rendered_flags(lists.get(flags));
            }
            if desk.enabled.condstore {
                fetch.mod_seq(mod_seq.max(1));
            }
            drop(fetch);
            wire.flush_if_full().await?;
        }
        if !done.modified.is_empty() {
            let modified = if store.uid {
                done.modified
            } else {
                done.modified.into_iter().filter_map(|uid| selected.map.number_of(uid)).collect()
            };
            return Ok(Reply::ok_with(ReplyCode::Modified(modified), "Some messages have changed since"));
        }
        if !store.uid && answered < usize::try_from(count).unwrap_or(usize::MAX) {
            return Err(Reply::no(Code::ExpungeIssued, "Some of the messages are gone").into());
        }
        Ok(Reply::ok("Stored"))
    }
}

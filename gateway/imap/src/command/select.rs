//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; QRESYNC: RFC 7162 §3.2.5).

use std::time::Instant;

use kontor_imap_proto::{
    Code, ListEntry, Status,
    command::select::{Qresync, Select},
};
use kontor_storage_client::proto;

use crate::{
    flag_names::FlagLists,
    ranges,
    reply::{Failure, Reply, ReplyCode},
    selected::Selected,
    session::{Account, Enabled, Session, State},
    sync,
    tree::{Mailbox, Tree},
    uid_map::UidMap,
    wire::Wire,
};

impl Session {
    pub async fn select(&mut self, select: Select) -> Result<Reply, Failure> {
        let account = self.account()?;
        if select.qresync.is_some() && !self.enabled.qresync {
            return Err(Reply::bad("Enable QRESYNC first").into());
        }
        // Whatever comes of this, the former mailbox is left (RFC 9051 §6.3.2).
        if self.leave() {
            self.wire.encoder().untagged(Status::Ok, Some(Code::Closed), "The former mailbox is closed");
        }
        self.enabled.condstore |= select.condstore;
        let tree = Tree::load(&account).await?;
        let Some(mailbox) = tree.get(&select.mailbox) else {
            return Err(Reply::no(Code::Nonexistent, "No such mailbox").into());
        };
        let rights = mailbox.folder.rights;
        if rights & proto::Rights::Read as u32 == 0 {
            return Err(Reply::no(Code::NoPerm, "Permission denied").into());
        }
        let changeable = proto::Rights::Flags as u32 | proto::Rights::Delete as u32;
        let read_only = select.read_only || rights & changeable == 0;

        let selected = self.open(&account, mailbox, read_only).await?;
        if let Some(known) = select.qresync
            && known.uid_validity == selected.uid_validity
        {
            resync(&mut self.wire, &account, &selected, &known).await?;
        }
        self.state = State::Selected(account, Box::new(selected));
        Ok(if read_only {
            Reply::ok_with(ReplyCode::Plain(Code::ReadOnly), "Opened to look at")
        } else {
            Reply::ok_with(ReplyCode::Plain(Code::ReadWrite), "Opened")
        })
    }

    /// Reads the mailbox's skeleton and tells what SELECT tells.
    async fn open(
        &mut self,
        account: &Account,
        mailbox: &Mailbox,
        read_only: bool,
    ) -> Result<Selected, Failure> {
        let (mailbox_id, folder_id) = (account.mailbox_id, mailbox.folder.folder_id);
        // Before the skeleton: what comes between is heard.
        let watch = account.store.watch(mailbox_id, folder_id);
        // Only RFC 3501 wants the first unseen message.
        let want_flags = !self.enabled.rev2 && mailbox.folder.unseen > 0;
        let skeleton =
            account.store.skeleton(mailbox_id, folder_id, if want_flags { FLAGS } else { 0 }).await?;
        let first_unseen = skeleton
            .flags
            .iter()
            .zip(1_u32..)
            .find(|(flags, _)| *flags & SEEN == 0)
            .map(|(_, number)| number);
        let selected = Selected {
            mailbox_id,
            folder_id,
            uid_validity: skeleton.uid_validity,
            read_only,
            map: UidMap::new(skeleton.uids),
            cn: skeleton.highest_cn,
            gone: Vec::new(),
            own: Vec::new(),
            keywords: skeleton.keywords,
            saved: Vec::new(),
            watch,
            stale: false,
            synced: Instant::now(),
        };
        let Enabled { rev2, .. } = self.enabled;
        let mut encoder = self.wire.encoder();
        sync::tell_flags(&mut encoder, &selected.keywords, read_only);
        encoder.exists(selected.map.len());
        if !rev2 {
            encoder.recent(0);
            if let Some(number) = first_unseen {
                encoder.untagged(Status::Ok, Some(Code::Unseen(number)), "First unseen");
            }
        }
        encoder.untagged(Status::Ok, Some(Code::UidValidity(selected.uid_validity)), "UIDs valid");
        encoder.untagged(Status::Ok, Some(Code::UidNext(skeleton.uid_next)), "Next UID");
        encoder.untagged(Status::Ok, Some(Code::HighestModSeq(selected.cn.max(1))), "Highest");
        encoder.untagged(Status::Ok, Some(Code::MailboxId(folder_id)), "Mailbox");
        if rev2 {
            encoder.list(&ListEntry {
                name: &mailbox.path,
                special_use: mailbox.special_use(),
                ..ListEntry::default()
            });
        }
        Ok(selected)
    }
}

/// Tells what has gone and changed since the client was here last.
async fn resync(wire: &mut Wire, account: &Account, now: &Selected, known: &Qresync) -> Result<(), Failure> {
    let last = now.map.last_uid();
    let known_uids = match &known.known_uids {
        Some(set) => set.resolve(last),
        None => vec![(1, u32::MAX)],
    };
    let changes = account.store.changes(now.mailbox_id, now.folder_id, known.mod_seq).await?;
    let (gone, uids, flags, mod_seqs) = if changes.too_old {
        let all = account.store.skeleton(now.mailbox_id, now.folder_id, FLAGS | MOD_SEQS).await?;
        // Nobody remembers what went: all that is not there.
        let below = ranges::intersect(&known_uids, &[(1, all.uid_next.saturating_sub(1))]);
        (below, all.uids, all.flags, all.modseqs)
    } else {
        let gone = ranges::intersect(&known_uids, &ranges::paired(&changes.gone));
        (gone, changes.uids, changes.flags, changes.modseqs)
    };
    let gone = ranges::without(&gone, now.map.uids());
    wire.encoder().vanished(true, &gone);
    let mut lists = FlagLists::new(&now.keywords);
    for ((uid, flags), mod_seq) in uids.into_iter().zip(flags).zip(mod_seqs) {
        let is_known = known_uids.binary_search_by(|&(first, last)| {
            if last < uid {
                std::cmp::Ordering::Less
            } else if first > uid {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        });
        if mod_seq <= known.mod_seq || is_known.is_err() {
            continue;
        }
        let Some(number) = now.map.number_of(uid) else { continue };
        wire.encoder().fetch(number).uid(uid).rendered_flags(lists.get(flags)).mod_seq(mod_seq);
        wire.flush_if_full().await?;
    }
    Ok(())
}

/// Columns of a skeleton.
const FLAGS: u32 = 2;
const MOD_SEQS: u32 = 4;
const SEEN: u64 = kontor_model::Flags::SEEN.bits();

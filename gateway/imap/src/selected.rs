//! A selected mailbox as its session knows it.

use std::{collections::BTreeMap, time::Instant};

use kontor_imap_proto::SequenceSet;
use kontor_storage_client::{WatchHandle, proto};

use crate::{reply::Reply, uid_map::UidMap};

/// What the client was told of its mailbox, and where to look for what it was not told.
pub(crate) struct Selected {
    pub mailbox_id: u64,
    pub folder_id: u64,
    pub uid_validity: u32,
    /// EXAMINE, or a mailbox that the person may only read.
    pub read_only: bool,
    /// The messages that the client knows.
    pub map: UidMap,
    /// Everything up to this change number was told.
    pub cn: u64,
    /// UIDs of the map that are gone and that the client could not be told of yet. Ascending.
    pub gone: Vec<u32>,
    /// Changes above `cn` that the client knows of, because it made them or was told: what a change
    /// number did to which UIDs.
    pub own: Vec<(u64, Vec<(u32, u32)>)>,
    /// The keyword dictionary.
    pub keywords: Vec<String>,
    /// What SEARCH RETURN (SAVE) found, UIDs, ascending.
    pub saved: Vec<u32>,
    pub watch: WatchHandle,
    /// The last attempt to read the change log failed.
    pub stale: bool,
    /// When the change log was read last.
    pub synced: Instant,
}

impl Selected {
    /// Takes note of what the client knows after a STORE: these messages at these change numbers.
    pub fn know(&mut self, done: &proto::StoreFlagsResponse) {
        let mut by_cn: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (&uid, &cn) in done.uids.iter().zip(&done.modseqs).filter(|&(_, &cn)| cn > self.cn) {
            by_cn.entry(cn).or_default().push(uid);
        }
        self.own.extend(by_cn.into_iter().map(|(cn, uids)| (cn, kontor_imap_proto::join(uids))));
    }

    /// After a STORE that left alone whatever changed after `cn`: if it made the very next change, then
    /// nothing came between, and the change log needs not be read for it.
    pub fn advance(&mut self, done: &proto::StoreFlagsResponse) {
        if done.modseqs.contains(&(self.cn + 1)) {
            self.cn += 1;
            self.own.retain(|(cn, _)| *cn > self.cn);
        }
    }

    /// Whether the client knows what this change did to this message.
    pub fn knows(&self, uid: u32, cn: u64) -> bool {
        self.own.iter().any(|(known, ranges)| {
            *known == cn && ranges.get(ranges.partition_point(|r| r.1 < uid)).is_some_and(|r| r.0 <= uid)
        })
    }

    /// The UID ranges of a command's set, narrowed to messages that the client knows, and how many
    /// messages they hold.
    ///
    /// A message number beyond the last is refused as RFC 9051 §6.4 wants, but for `*` in an empty mailbox.
    pub fn resolve(&self, set: &SequenceSet, uid: bool) -> Result<(Vec<(u32, u32)>, u32), Reply> {
        if *set == SequenceSet::Saved {
            let known: Vec<u32> =
                self.saved.iter().copied().filter(|&u| self.map.number_of(u).is_some()).collect();
            let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
            return Ok((kontor_imap_proto::join(known), count));
        }
        if uid {
            return Ok(self.map.known_uid_ranges(&set.resolve(self.map.last_uid())));
        }
        let numbers = set.resolve(self.map.len());
        if numbers.last().is_some_and(|&(_, last)| last > self.map.len())
            && !(self.map.len() == 0 && set.has_star())
        {
            return Err(Reply::bad("No message has this number"));
        }
        Ok(self.map.uid_ranges_of_numbers(&numbers))
    }
}

//! A selected mailbox as its session knows it.

use std::time::Instant;

use kontor_imap_proto::SequenceSet;
use kontor_storage_client::WatchHandle;

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
    /// Change numbers above `cn` that are this session's own STOREs: nobody wants to hear of them.
    pub own: Vec<u64>,
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

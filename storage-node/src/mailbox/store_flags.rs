//! Flags of many messages in one transaction.

use std::sync::Arc;

use kontor_storage_proto as proto;
use proto::Rights;
use proto::store_flags_request::Op;

use super::change::Change;
use super::state::{DELETED, FolderState};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Mailboxes {
    pub async fn store_flags(
        &self,
        who: &Principal,
        request: &proto::StoreFlagsRequest,
    ) -> Result<proto::StoreFlagsResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        let rights = self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let ranges = Ranges::from_wire(&request.uid_ranges)?;
        let op = request.op();
        let mut flags = request.flags;
        let mut keywords = None;
        if !request.keywords.is_empty() {
            let (bits, known) = self.keyword_slots(mailbox, &request.keywords, op != Op::Remove).await?;
            flags |= bits;
            keywords = Some(known);
        }
        // RFC 4314: \Deleted goes with deleting, the others with changing flags.
        let mut mutable = 0;
        if rights & Rights::Flags as u32 != 0 {
            mutable |= !DELETED;
        }
        if rights & Rights::Delete as u32 != 0 {
            mutable |= DELETED;
        }
        if mutable == 0 {
            return Err(Error::Denied("the folder's permissions do not allow changing flags".into()));
        }
        let (add, remove) = match op {
            Op::Add => (flags & mutable, 0),
            Op::Remove => (0, flags & mutable),
            Op::Replace => (flags & mutable, mutable),
            Op::Unspecified => return Err(Error::Invalid("add, remove or replace?".into())),
        };
        let held_back = |row: &super::state::Row| request.unchanged_since.is_some_and(|u| row.modseq() > u);
        let mut modified = Vec::new();
        let mut state = self
            .change(mailbox, folder, |state| {
                modified = state.select(&ranges).filter(|r| held_back(r)).map(|r| r.uid).collect();
                let changed = Ranges::from_uids(
                    state
                        .select(&ranges)
                        .filter(|r| !held_back(r) && r.flags & !remove | add != r.flags)
                        .map(|r| r.uid),
                );
                (!changed.is_empty()).then_some(Change::Flags { add, remove, uids: changed })
            })
            .await?;
        if let Some(keywords) = keywords.filter(|k| k.len() > state.keywords.len()) {
            state.keywords = Arc::new(keywords);
        }
        Ok(answer(&state, &ranges, modified))
    }

    /// Flag bits of keywords by name; unknown ones get a slot when `add`.
    pub(super) async fn keyword_bits(&self, mailbox: u64, names: &[String], add: bool) -> Result<u64, Error> {
        Ok(self.keyword_slots(mailbox, names, add).await?.0)
    }

    /// The same, with the names of all slots.
    async fn keyword_slots(
        &self,
        mailbox: u64,
        names: &[String],
        add: bool,
    ) -> Result<(u64, Vec<String>), Error> {
        for name in names {
            if name.is_empty() || name.len() > LONGEST_KEYWORD || name.chars().any(|c| c.is_control()) {
                return Err(Error::Invalid(format!("{name:?} cannot be a keyword")));
            }
        }
        let client = self.db.get().await?;
        let m = bigint(mailbox);
        let known = client
            .query_opt("SELECT keywords FROM mailbox WHERE mailbox_id = $1", &[&m])
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let mut keywords: Vec<String> = known.get(0);
        let missing = names.iter().any(|n| slot(&keywords, n).is_none());
        if missing && add {
            let most = i32::try_from(proto::KEYWORD_SLOTS).unwrap_or(0);
            let row = client.query_one("SELECT add_keywords($1, $2, $3)", &[&m, &names, &most]).await?;
            keywords = row.get(0);
        }
        let bits = names.iter().filter_map(|n| slot(&keywords, n)).fold(0, |bits, bit| bits | bit);
        Ok((bits, keywords))
    }
}

/// Flag bit of a keyword.
pub(super) fn slot(keywords: &[String], name: &str) -> Option<u64> {
    let i = keywords
        .iter()
        .position(|k| k.eq_ignore_ascii_case(name) || k.to_lowercase() == name.to_lowercase())?;
    1u64.checked_shl(proto::FIRST_KEYWORD_BIT + u32::try_from(i).ok()?)
}

fn answer(state: &FolderState, ranges: &Ranges, modified: Vec<u32>) -> proto::StoreFlagsResponse {
    let mut response = proto::StoreFlagsResponse {
        highest_cn: state.cn,
        keywords: state.keywords.to_vec(),
        ..Default::default()
    };
    for row in state.select(ranges).filter(|r| modified.binary_search(&r.uid).is_err()) {
        response.uids.push(row.uid);
        response.flags.push(row.flags);
        response.modseqs.push(row.modseq());
    }
    response.modified = modified;
    response
}

const LONGEST_KEYWORD: usize = 200;

//! SEARCH and UID SEARCH (RFC 9051 §6.4.4; RFC 4731; RFC 5182).

use std::time::{SystemTime, UNIX_EPOCH};

use kontor_imap_proto::{
    Date, EsearchResult, SequenceSet, Tag,
    command::search::{Returns, Search, SearchKey},
};
use kontor_model::{Flags, SystemFlag};
use kontor_storage_client::proto::{self, search_key::Key};

use crate::{
    ranges,
    reply::{Failure, Reply},
    selected::Selected,
    session::Session,
    sync::Expunges,
};

impl Session {
    pub async fn search(&mut self, tag: &Tag, search: Search) -> Result<Reply, Failure> {
        let save = search.returns.is_some_and(|r| r.save);
        let done = self.find(tag, search).await;
        if save && done.is_err() {
            // RFC 5182 §2.1: a search that failed leaves nothing.
            if let Ok(desk) = self.desk() {
                desk.selected.saved = Vec::new();
            }
        }
        done
    }

    async fn find(&mut self, tag: &Tag, search: Search) -> Result<Reply, Failure> {
        let desk = self.desk()?;
        let (wire, selected, enabled) = (desk.wire, desk.selected, desk.enabled);
        // What has come since is found too.
        let expunges = if search.uid { Expunges::Tell } else { Expunges::Keep };
        if selected.may_have_changed(expunges) {
            selected.sync(wire, &desk.account, enabled, expunges).await?;
        }
        let by_mod_seq = search.keys.iter().any(asks_mod_seq);
        enabled.condstore |= by_mod_seq;
        let keys =
            search.keys.iter().map(|key| translate(key, selected)).collect::<Result<Vec<_>, Reply>>()?;
        let key = match <[_; 1]>::try_from(keys) {
            Ok([one]) => one,
            Err(many) => wrap(Key::And(proto::SearchKeys { keys: many })),
        };
        let request = proto::SearchRequest {
            mailbox_id: selected.mailbox_id,
            folder_id: selected.folder_id,
            key: Some(key),
        };
        let found = desk.account.store.search(request).await?;
        let uids: Vec<u32> =
            found.uids.into_iter().filter(|&uid| selected.map.number_of(uid).is_some()).collect();
        let mod_seq = (by_mod_seq && !uids.is_empty()).then_some(found.modseq.max(1));
        if let Some(returns) = search.returns
            && returns.save
        {
            selected.saved = saved(&uids, returns);
        }
        let numbers: Vec<u32> = if search.uid {
            uids
        } else {
            uids.iter().filter_map(|&uid| selected.map.number_of(uid)).collect()
        };
        match search.returns {
            // With ENABLE IMAP4rev2 there is no other answer than ESEARCH (RFC 9051 §7.3.4).
            None if !enabled.rev2 => wire.encoder().search(&numbers, mod_seq),
            Some(Returns { min: false, max: false, all: false, count: false, .. }) => {}
            returns => {
                let returns = returns.unwrap_or(Returns { all: true, ..Returns::default() });
                wire.encoder().esearch(
                    tag,
                    &EsearchResult {
                        uid: search.uid,
                        min: numbers.first().copied().filter(|_| returns.min),
                        max: numbers.last().copied().filter(|_| returns.max),
                        all: returns.all.then_some(&numbers),
                        count: returns.count.then(|| u32::try_from(numbers.len()).unwrap_or(u32::MAX)),
                        mod_seq,
                    },
                );
            }
        }
        Ok(Reply::ok("Searched"))
    }
}

/// What `$` holds afterwards: with MIN or MAX alone only these (RFC 5182 §2.1).
fn saved(uids: &[u32], returns: Returns) -> Vec<u32> {
    if (returns.min || returns.max) && !returns.all && !returns.count {
        let mut out: Vec<u32> = uids.first().copied().filter(|_| returns.min).into_iter().collect();
        out.extend(uids.last().copied().filter(|last| returns.max && !out.contains(last)));
        return out;
    }
    uids.to_vec()
}

fn asks_mod_seq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::Not(inner) => asks_mod_seq(inner),
        SearchKey::Or(a, b) => asks_mod_seq(a) || asks_mod_seq(b),
        SearchKey::And(keys) => keys.iter().any(asks_mod_seq),
        _ => false,
    }
}

fn wrap(key: Key) -> proto::SearchKey {
    proto::SearchKey { key: Some(key) }
}

fn not(key: proto::SearchKey) -> proto::SearchKey {
    wrap(Key::Not(Box::new(key)))
}

fn nothing() -> proto::SearchKey {
    not(wrap(Key::All(true)))
}

/// A key in the store's words. The grammar bounds the depth.
fn translate(key: &SearchKey, selected: &Selected) -> Result<proto::SearchKey, Reply> {
    use SearchKey as K;
    let flag = |flag: SystemFlag| wrap(Key::Flags(flag.flags().bits()));
    let header = |name: &str, value: &str| {
        wrap(Key::Header(proto::HeaderMatch { name: name.to_owned(), value: value.to_owned() }))
    };
    Ok(match key {
        K::All | K::Old | K::SaveDateSupported => wrap(Key::All(true)),
        // No session of Kontor's sees a message as recent.
        K::New | K::Recent => nothing(),
        K::Answered => flag(SystemFlag::Answered),
        K::Deleted => flag(SystemFlag::Deleted),
        K::Draft => flag(SystemFlag::Draft),
        K::Flagged => flag(SystemFlag::Flagged),
        K::Seen => flag(SystemFlag::Seen),
        K::Unanswered => not(flag(SystemFlag::Answered)),
        K::Undeleted => not(flag(SystemFlag::Deleted)),
        K::Undraft => not(flag(SystemFlag::Draft)),
        K::Unflagged => not(flag(SystemFlag::Flagged)),
        K::Unseen => not(flag(SystemFlag::Seen)),
        K::Keyword(name) => keyword(name, selected),
        K::Unkeyword(name) => not(keyword(name, selected)),
        K::Bcc(text) => header("Bcc", text),
        K::Cc(text) => header("Cc", text),
        K::From(text) => header("From", text),
        K::Subject(text) => header("Subject", text),
        K::To(text) => header("To", text),
        K::Header(name, text) => header(name, text),
        K::Body(text) | K::Text(text) if text.is_empty() => wrap(Key::All(true)),
        K::Body(text) => wrap(Key::Body(text.clone())),
        K::Text(text) => wrap(Key::Text(text.clone())),
        K::Larger(size) => wrap(Key::Larger(*size)),
        K::Smaller(size) => wrap(Key::Smaller(*size)),
        K::ModSeq(mod_seq) => wrap(Key::Modseq(*mod_seq)),
        // Without a date of saving the date of arrival takes its place (RFC 8514 §4.3).
        K::Before(date) | K::SavedBefore(date) => wrap(Key::InternalDate(until(*date))),
        K::On(date) | K::SavedOn(date) => wrap(Key::InternalDate(on(*date))),
        K::Since(date) | K::SavedSince(date) => wrap(Key::InternalDate(from(*date))),
        K::SentBefore(date) => wrap(Key::SentDate(until(*date))),
        K::SentOn(date) => wrap(Key::SentDate(on(*date))),
        K::SentSince(date) => wrap(Key::SentDate(from(*date))),
        K::Older(seconds) => {
            let until = now() - i64::from(*seconds);
            wrap(Key::InternalDate(proto::TimeRange { from: None, until: Some(until + 1) }))
        }
        K::Younger(seconds) => {
            let from = now() - i64::from(*seconds);
            wrap(Key::InternalDate(proto::TimeRange { from: Some(from), until: None }))
        }
        K::EmailId(id) => object_id(id).map_or_else(nothing, |id| wrap(Key::ContentId(id.into()))),
        K::ThreadId(id) => object_id(id).map_or_else(nothing, |id| wrap(Key::ThreadId(id.into()))),
        K::Uid(set) => uids(set, true, selected)?,
        K::Set(set) => uids(set, false, selected)?,
        K::Not(inner) => not(translate(inner, selected)?),
        K::Or(a, b) => {
            wrap(Key::Or(proto::SearchKeys { keys: vec![translate(a, selected)?, translate(b, selected)?] }))
        }
        K::And(keys) => {
            let keys = keys.iter().map(|k| translate(k, selected)).collect::<Result<_, _>>()?;
            wrap(Key::And(proto::SearchKeys { keys }))
        }
    })
}

fn uids(set: &SequenceSet, uid: bool, selected: &Selected) -> Result<proto::SearchKey, Reply> {
    let (known, count) = selected.resolve(set, uid)?;
    if count == 0 {
        return Ok(nothing());
    }
    Ok(wrap(Key::Uids(proto::UidRanges { ranges: ranges::flat(&known) })))
}

fn keyword(name: &str, selected: &Selected) -> proto::SearchKey {
    if let Some(system) = SystemFlag::from_imap_name(name) {
        return wrap(Key::Flags(system.flags().bits()));
    }
    let slot = selected.keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
    match slot.and_then(|slot| u8::try_from(slot).ok()).and_then(Flags::keyword) {
        Some(flags) => wrap(Key::Flags(flags.bits())),
        None => wrap(Key::Keyword(name.to_owned())),
    }
}

fn on(date: Date) -> proto::TimeRange {
    proto::TimeRange { from: Some(date.start()), until: Some(date.start() + DAY) }
}

fn until(date: Date) -> proto::TimeRange {
    proto::TimeRange { from: None, until: Some(date.start()) }
}

fn from(date: Date) -> proto::TimeRange {
    proto::TimeRange { from: Some(date.start()), until: None }
}

/// The bytes of an object id, which is told in hexadecimal after one letter.
fn object_id(text: &str) -> Option<Vec<u8>> {
    let hex = text.get(1..).filter(|hex| hex.len() % 2 == 0 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let pairs = (0..hex.len()).step_by(2).filter_map(|at| hex.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_hexadecimal_after_a_letter() {
        assert_eq!(object_id("M00ff").as_deref(), Some(&[0, 255][..]));
        assert_eq!(object_id("M0"), None);
        assert_eq!(object_id("Mxx"), None);
        assert_eq!(object_id(""), None);
    }

    #[test]
    fn min_and_max_alone_save_only_these() {
        let returns = |min, max, all| Returns { min, max, all, ..Returns::default() };
        assert_eq!(saved(&[1, 2, 3], returns(true, true, false)), [1, 3]);
        assert_eq!(saved(&[7], returns(true, true, false)), [7]);
        assert_eq!(saved(&[1, 2, 3], returns(true, false, true)), [1, 2, 3]);
    }
}

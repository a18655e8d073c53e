//! Conditions of a request on what is there: `If-Match`, `If-None-Match` (RFC 9110 §13.1), `If` (RFC 4918 §10.4).

use std::collections::HashMap;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use kontor_dav_proto::header::{ETag, ETagList, If, StateOrTag};
use kontor_dav_proto::{Limits, Reference};
use kontor_storage_client::proto::put_item_request::Expected;

use crate::answer::Failure;
use crate::call::Call;
use crate::home::Collection;
use crate::item::{tag, version_in};
use crate::lock::token_uri;
use crate::place::Place;

/// What the item must be when it is changed. Mostly it follows from the headers alone, and the store checks it; else
/// the item is looked at first, and must then still be what it was.
///
/// # Errors
/// 412 where a condition does not hold already.
pub(crate) async fn expected(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
) -> Result<Option<Expected>, Failure> {
    let list = |value: Option<&str>| value.map(|value| ETagList::parse(value, call.limits)).transpose();
    let matches = list(call.header(IF_MATCH)?)?;
    let none_match = list(call.header(IF_NONE_MATCH)?)?;
    let lists = if_header(call)?;
    // Locks are known already, and the store looks at them again.
    let asks_version = lists.as_ref().is_some_and(has_tags);
    if let (Some(lists), false) = (&lists, asks_version) {
        let here = State::of_locks(collection, name);
        check(call, lists, &collection.item_place(name), here).await?;
    }
    match (&matches, &none_match, asks_version) {
        (None, None, false) => return Ok(None),
        (None, Some(ETagList::Any), false) => return Ok(Some(Expected::Absent(true))),
        (Some(ETagList::Any), None, false) => return Ok(Some(Expected::Present(true))),
        (Some(ETagList::Tags(tags)), None, false) if tags.len() == 1 => {
            let version = tags.first().filter(|tag| !tag.weak).and_then(|tag| version_in(&tag.tag));
            return version.map(|version| Some(Expected::ContentId(version))).ok_or_else(failed);
        }
        _ => {}
    }
    let version = call.find_item(collection, name, false).await?.map(|item| item.content_id);
    let current = version.as_ref().map(|version| ETag::strong(&tag(version)));
    let holds = matches.is_none_or(|list| list.if_match(current.as_ref()))
        && none_match.is_none_or(|list| list.if_none_match(current.as_ref()));
    if !holds {
        return Err(failed());
    }
    if let (Some(lists), true) = (&lists, asks_version) {
        let here = State { etag: current, ..State::of_locks(collection, name) };
        check(call, lists, &collection.item_place(name), here).await?;
    }
    Ok(Some(version.map_or(Expected::Absent(true), Expected::ContentId)))
}

/// The version that a DELETE is for; empty for whichever is there.
pub(crate) async fn version(call: &Call<'_>, collection: &Collection, name: &str) -> Result<Bytes, Failure> {
    match expected(call, collection, name).await? {
        Some(Expected::ContentId(version)) => Ok(version),
        Some(Expected::Absent(true)) => Err(failed()),
        _ => Ok(Bytes::new()),
    }
}

/// Passes where `If` holds, for methods that have no version to expect.
///
/// # Errors
/// 412 where it does not.
pub(crate) async fn if_holds(call: &Call<'_>, place: &Place) -> Result<(), Failure> {
    let Some(lists) = if_header(call)? else { return Ok(()) };
    let here = State::read(call, place).await?;
    check(call, &lists, place, here).await
}

fn if_header(call: &Call<'_>) -> Result<Option<If>, Failure> {
    let value = call.header(HeaderName::from_static("if"))?;
    Ok(value.map(|value| If::parse(value, call.limits)).transpose()?)
}

fn has_tags(lists: &If) -> bool {
    let mut conditions = lists.lists.iter().flat_map(|list| &list.conditions);
    conditions.any(|condition| matches!(condition.state, StateOrTag::Tag(_)))
}

/// Whether a header holds, of which one resource is known already.
async fn check(call: &Call<'_>, lists: &If, place: &Place, here: State) -> Result<(), Failure> {
    let mut known = HashMap::from([(place.clone(), here)]);
    let others = lists.lists.iter().filter_map(|list| named(list.resource.as_deref()?, call.limits));
    for other in others {
        if !known.contains_key(&other) {
            if known.len() >= MOST_RESOURCES {
                return Err(kontor_dav_proto::Error::Syntax("If is about too many resources").into());
            }
            let state = State::read(call, &other).await?;
            known.insert(other, state);
        }
    }
    let has = |resource: Option<&str>, state: &StateOrTag| {
        let place = match resource {
            None => Some(place.clone()),
            Some(resource) => named(resource, call.limits),
        };
        place.and_then(|place| known.get(&place)).is_some_and(|known| known.has(state))
    };
    if lists.holds(has) { Ok(()) } else { Err(failed()) }
}

/// The place that a resource in a header names, its owner as the store knows them.
fn named(resource: &str, limits: &Limits) -> Option<Place> {
    Place::of(&Reference::parse(resource, limits).ok()?.href)
}

/// What `If` can be about.
#[derive(Debug, Default)]
struct State {
    etag: Option<ETag>,
    /// Of the locks that cover it.
    tokens: Vec<String>,
}

impl State {
    fn of_locks(collection: &Collection, name: &str) -> Self {
        let tokens = collection.locks_of(name).map(|lock| token_uri(&lock.token)).collect();
        Self { etag: None, tokens }
    }

    /// Of any place; of what may not be seen there is nothing.
    async fn read(call: &Call<'_>, place: &Place) -> Result<Self, Failure> {
        let (Place::Collection(tree, address, slug) | Place::Item(tree, address, slug, _)) = place else {
            return Ok(Self::default());
        };
        let collection = match call.collection(*tree, address, slug).await {
            Err(failure) if failure.status() == StatusCode::NOT_FOUND => return Ok(Self::default()),
            found => found?,
        };
        Ok(match place {
            Place::Item(.., name) => {
                let item = call.find_item(&collection, name, false).await?;
                let etag = item.map(|item| ETag::strong(&tag(&item.content_id)));
                Self { etag, ..Self::of_locks(&collection, name) }
            }
            _ => {
                let etag = Some(ETag::strong(&collection.folder.highest_cn.to_string()));
                Self { etag, ..Self::of_locks(&collection, "") }
            }
        })
    }

    fn has(&self, state: &StateOrTag) -> bool {
        match state {
            StateOrTag::Tag(tag) => self.etag.as_ref().is_some_and(|etag| etag.is_strongly(tag)),
            StateOrTag::State(token) => self.tokens.contains(token),
        }
    }
}

pub(crate) const fn failed() -> Failure {
    Failure::Status(StatusCode::PRECONDITION_FAILED, "the resource is not as it was expected to be")
}

/// That one header is about.
const MOST_RESOURCES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_its_version_and_its_locks() {
        let state = State { etag: Some(ETag::strong("1")), tokens: vec!["urn:uuid:a".to_owned()] };
        let holds = |value: &str| {
            If::parse(value, &Limits::default()).unwrap().holds(|_, condition| state.has(condition))
        };
        assert!(
            holds("(<urn:uuid:a> [\"1\"])") && holds("(Not <DAV:no-lock>)") && holds("([\"2\"]) ([\"1\"])")
        );
        assert!(!holds("(<urn:uuid:b>)") && !holds("([W/\"1\"])") && !holds("(Not <urn:uuid:a>)"));
    }
}

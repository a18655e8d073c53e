//! Conditions of a request on the version of an item: `If-Match`, `If-None-Match` (RFC 9110 §13.1), `If` (RFC 4918
//! §10.4).

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
    let lists = call.header(HeaderName::from_static("if"))?;
    let lists = lists.map(|value| If::parse(value, call.limits)).transpose()?;
    match (&matches, &none_match, &lists) {
        (None, None, None) => return Ok(None),
        (None, Some(ETagList::Any), None) => return Ok(Some(Expected::Absent(true))),
        (Some(ETagList::Any), None, None) => return Ok(Some(Expected::Present(true))),
        (Some(ETagList::Tags(tags)), None, None) if tags.len() == 1 => {
            let version = tags.first().filter(|tag| !tag.weak).and_then(|tag| version_in(&tag.tag));
            return version.map(|version| Some(Expected::ContentId(version))).ok_or_else(failed);
        }
        _ => {}
    }
    let version = call.find_item(collection, name, false).await?.map(|item| item.content_id);
    let current = version.as_ref().map(|version| ETag::strong(&tag(version)));
    let here = collection.item_place(name);
    let holds = matches.is_none_or(|list| list.if_match(current.as_ref()))
        && none_match.is_none_or(|list| list.if_none_match(current.as_ref()))
        && lists.is_none_or(|lists| {
            lists.holds(|resource, state| has(resource, state, &here, &current, call.limits))
        });
    if !holds {
        return Err(failed());
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

/// Whether a resource has what `If` says. Nothing is locked, so it has no state but its version; of other resources
/// nothing is known, and so no condition on them holds.
fn has(
    resource: Option<&str>,
    state: &StateOrTag,
    here: &Place,
    current: &Option<ETag>,
    limits: &Limits,
) -> bool {
    let is_here = resource.is_none_or(|resource| {
        Reference::parse(resource, limits).ok().and_then(|reference| Place::of(&reference.href)).as_ref()
            == Some(here)
    });
    match state {
        StateOrTag::Tag(tag) => is_here && current.as_ref().is_some_and(|current| current.is_strongly(tag)),
        StateOrTag::State(_) => false,
    }
}

pub(crate) const fn failed() -> Failure {
    Failure::Status(StatusCode::PRECONDITION_FAILED, "the resource is not as it was expected to be")
}

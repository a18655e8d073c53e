//! GET and HEAD (RFC 9110 §9.3.1), of a part too (§14).

use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE, VARY,
};
use http::{HeaderValue, StatusCode};
use kontor_dav_proto::header::{ETag, ETagList, Part, if_range, range};

use super::put::SCHEDULE_TAG;
use super::{attachment, export};
use crate::answer::{Answer, Failure, put, status, whole};
use crate::call::Call;
use crate::condition::failed;
use crate::home::Holds;
use crate::item::{tag, text, without_zones};
use crate::place::Place;
use crate::property::item::{content_type, http_date};
use crate::scheduling::schedule_tag_of;

pub(crate) async fn get(call: &Call<'_>, place: &Place, is_head: bool) -> Result<Answer, Failure> {
    let mut answer = match place {
        Place::Item(tree, address, slug, name) => {
            let collection = call.collection(*tree, address, slug).await?;
            let item = call.item(&collection, name, true).await?;
            let text = text(&item).ok_or_else(Failure::not_found)?;
            let etag = ETag::strong(&tag(&item.content_id));
            let text = if collection.holds == Holds::Cards || !call.without_zones()? {
                text
            } else {
                without_zones(text)
            };
            let schedule_tag = schedule_tag_of(&text, &collection.owner);
            let mut answer = content(call, text, &content_type(&collection), &etag)?;
            if let Some(tag) = schedule_tag.filter(|_| collection.holds != Holds::Inbox) {
                put(&mut answer, SCHEDULE_TAG, &format!("\"{tag}\""));
            }
            put(&mut answer, LAST_MODIFIED, &http_date(item.created_at));
            put(&mut answer, VARY, "CalDAV-Timezones");
            answer
        }
        Place::Attachment(id, _) => attachment::get(call, id).await?,
        _ => export::collection(call, place).await?,
    };
    if is_head {
        *answer.body_mut() = whole("");
    }
    Ok(answer)
}

/// Content that is there as a whole, by the conditions of the request on its version.
pub(super) fn content(
    call: &Call<'_>,
    content: bytes::Bytes,
    content_type: &str,
    etag: &ETag,
) -> Result<Answer, Failure> {
    let list = |value: Option<&str>| value.map(|value| ETagList::parse(value, call.limits)).transpose();
    let (matches, none_match) = (list(call.header(IF_MATCH)?)?, list(call.header(IF_NONE_MATCH)?)?);
    if matches.is_some_and(|list| !list.if_match(Some(etag))) {
        return Err(failed());
    }
    let mut answer = if none_match.is_some_and(|list| !list.if_none_match(Some(etag))) {
        status(StatusCode::NOT_MODIFIED)
    } else {
        let is_same = call.header(IF_RANGE)?.map_or(Ok(true), |value| if_range(value, etag, call.limits))?;
        let length = content.len() as u64;
        let wanted = match call.header(RANGE)? {
            Some(value) if is_same => range(value, length),
            _ => Part::Whole,
        };
        let (code, content) = match wanted {
            Part::Whole => (StatusCode::OK, content),
            Part::None => (StatusCode::RANGE_NOT_SATISFIABLE, bytes::Bytes::new()),
            Part::Octets(ref part) => {
                let at = |at: u64| usize::try_from(at).unwrap_or(content.len()).min(content.len());
                (StatusCode::PARTIAL_CONTENT, content.slice(at(part.start)..at(part.end)))
            }
        };
        let mut answer = status(code);
        match wanted {
            Part::Whole => {}
            Part::None => put(&mut answer, CONTENT_RANGE, &format!("bytes */{length}")),
            Part::Octets(part) => {
                put(&mut answer, CONTENT_RANGE, &format!("bytes {}-{}/{length}", part.start, part.end - 1));
            }
        }
        put(&mut answer, CONTENT_TYPE, content_type);
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
        *answer.body_mut() = whole(content);
        answer
    };
    put(&mut answer, ETAG, &etag.to_string());
    put(&mut answer, ACCEPT_RANGES, "bytes");
    Ok(answer)
}

//! GET and HEAD (RFC 9110 §9.3.1).

use http::HeaderValue;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED};
use kontor_dav_proto::header::{ETag, ETagList};

use super::put::SCHEDULE_TAG;
use crate::answer::{Answer, Failure, put, status, whole};
use crate::call::Call;
use crate::home::Holds;
use crate::item::{tag, text};
use crate::place::Place;
use crate::property::item::{content_type, http_date};
use crate::scheduling::schedule_tag_of;

pub(crate) async fn get(call: &Call<'_>, place: &Place, is_head: bool) -> Result<Answer, Failure> {
    let Place::Item(tree, address, slug, name) = place else {
        return Err(Failure::Status(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is a place for calendar and contacts programs: give them this address",
        ));
    };
    let collection = call.collection(*tree, address, slug).await?;
    let item = call.item(&collection, name, true).await?;
    let etag = ETag::strong(&tag(&item.content_id));
    let known = call.header(IF_NONE_MATCH)?.map(|value| ETagList::parse(value, call.limits)).transpose()?;
    let text = text(&item).ok_or_else(Failure::not_found)?;
    let schedule_tag = schedule_tag_of(&text, &collection.owner);
    let mut answer = if known.is_some_and(|known| !known.if_none_match(Some(&etag))) {
        status(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = status(StatusCode::OK);
        put(&mut answer, CONTENT_TYPE, &content_type(&collection));
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        if !is_head {
            *answer.body_mut() = whole(text);
        }
        answer
    };
    put(&mut answer, ETAG, &etag.to_string());
    if let Some(tag) = schedule_tag.filter(|_| collection.holds != Holds::Inbox) {
        put(&mut answer, SCHEDULE_TAG, &format!("\"{tag}\""));
    }
    put(&mut answer, LAST_MODIFIED, &http_date(item.created_at));
    Ok(answer)
}

//! PUT (RFC 4791 §5.3.2, RFC 6352 §6.3.2).

use bytes::Bytes;
use http::StatusCode;
use http::header::{ETAG, HeaderName};
use kontor_dav_proto::Precondition;
use kontor_dav_proto::header::ETag;
use kontor_dav_proto::response::ErrorBody;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::put_item_request::Expected;
use kontor_storage_client::proto::{PutItemRequest, SchedulingMessage};

use crate::answer::{Answer, Failure, put as put_header, status};
use crate::call::Call;
use crate::condition::{expected, failed};
use crate::home::{Collection, Holds};
use crate::item::{NewItem, tag, without_zones};
use crate::place::{Place, Tree};
use crate::scheduling;

pub(crate) async fn put(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let Place::Item(tree, address, slug, name) = place else { return Err(Call::not_here()) };
    let collection = call.collection(*tree, address, slug).await.map_err(without_parent)?;
    collection.check_changeable()?;
    let expected = expected(call, &collection, name).await?;
    let mut tries = TRIES;
    loop {
        match put_once(call, &collection, name, expected.clone()).await {
            // Somebody else changed it meanwhile, and the client did not ask for it to be as it was.
            Err(failure)
                if failure.status() == StatusCode::PRECONDITION_FAILED && expected.is_none() && tries > 0 =>
            {
                tries -= 1;
            }
            answer => return answer,
        }
    }
}

async fn put_once(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    expected: Option<Expected>,
) -> Result<Answer, Failure> {
    let item = read(collection, &call.body).await?;
    let stored = store_and_tell(call, collection, name, item, expected).await?;
    let mut answer = status(stored.code());
    if stored.text.is_none() && is_seen_as_sent(call, &stored.item)? {
        put_header(&mut answer, ETAG, &stored.etag());
    }
    stored.put_schedule_tag(&mut answer);
    Ok(answer)
}

/// An object that was stored.
pub(super) struct Stored {
    pub item: NewItem,
    /// Its text, where that is other than what was to be stored.
    pub text: Option<Bytes>,
    created: bool,
    schedule_tag: Option<String>,
}

impl Stored {
    pub fn code(&self) -> StatusCode {
        if self.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT }
    }

    pub fn etag(&self) -> String {
        ETag::strong(&tag(&self.item.content.content_id)).to_string()
    }

    pub fn put_schedule_tag(&self, answer: &mut Answer) {
        if let Some(tag) = &self.schedule_tag {
            put_header(answer, SCHEDULE_TAG, &format!("\"{tag}\""));
        }
    }
}

/// Stores an object, and has those told whom it concerns (RFC 6638 §3.2).
pub(super) async fn store_and_tell(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    mut item: NewItem,
    expected: Option<Expected>,
) -> Result<Stored, Failure> {
    let change = match &item.calendar {
        Some(calendar) if matches!(collection.holds, Holds::Events | Holds::Tasks) => {
            scheduling::of_put(call, collection, name, calendar, expected.as_ref()).await?
        }
        _ => None,
    };
    let Some(change) = change else {
        let created = store(call, collection, name, &item, expected).await?;
        return Ok(Stored { item, text: None, created, schedule_tag: None });
    };
    if let Some(text) = &change.text {
        item = read(collection, text).await?;
    }
    let about = About { send: change.send, is_meeting: change.is_meeting };
    let created = store_telling(call, collection, name, &item, Some(change.expected), about).await?;
    Ok(Stored { item, text: change.text, created, schedule_tag: change.tag })
}

/// Whether what is served is what came, to the octet, so that the client need not fetch it (RFC 4791 §5.3.4). Who leaves
/// zones out does not get them either.
fn is_seen_as_sent(call: &Call<'_>, item: &NewItem) -> Result<bool, Failure> {
    if call.without_zones()? { Ok(without_zones(call.body.clone()) == call.body) } else { Ok(item.as_sent) }
}

/// Without a collection there is nothing that could hold the item: 409 (RFC 4918 §9.7.1).
pub(super) fn without_parent(failure: Failure) -> Failure {
    match failure.status() {
        StatusCode::NOT_FOUND => Failure::Status(StatusCode::CONFLICT, "there is no collection of this name"),
        _ => failure,
    }
}

/// Checks an object where it may take its time.
pub(super) async fn read(collection: &Collection, text: &Bytes) -> Result<NewItem, Failure> {
    let (collection, text) = (collection.clone(), text.clone());
    let read = tokio::task::spawn_blocking(move || NewItem::read(&collection, &text)).await;
    read.map_err(|error| StoreError::Internal(format!("an object was not read: {error}")))?
}

/// Stores an object under a name; whether there was none of it.
pub(super) async fn store(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    item: &NewItem,
    expected: Option<Expected>,
) -> Result<bool, Failure> {
    store_telling(call, collection, name, item, expected, About::default()).await
}

/// What is to be known of an item that is a meeting.
#[derive(Default)]
struct About {
    send: Vec<SchedulingMessage>,
    is_meeting: bool,
}

async fn store_telling(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    item: &NewItem,
    expected: Option<Expected>,
    about: About,
) -> Result<bool, Failure> {
    let is_conditional = expected.is_some();
    let request = PutItemRequest {
        facts: Some(item.facts(name)),
        expected,
        submitted: Some(call.submitted()?),
        attachments: item.attachments.clone(),
        send: about.send,
        is_meeting: about.is_meeting,
        ..PutItemRequest::default()
    };
    let stored = call.session.put_item_with(collection.store_place(), &item.content, request).await;
    let stored = match stored {
        Err(StoreError::Conflict(_)) if is_conditional => return Err(failed()),
        stored => stored?,
    };
    if !stored.locked.is_empty() {
        return Err(collection.locked(Precondition::LockTokenSubmitted, &stored.locked));
    }
    if stored.uid_taken_by.is_empty() {
        return Ok(stored.created);
    }
    if stored.uid_taken_in != 0 {
        // RFC 6638 §3.2.4.1
        let all = call.collections(Tree::Calendars, &collection.owner).await?;
        let other = all.iter().find(|other| other.folder.folder_id == stored.uid_taken_in);
        let other = other.map(|other| other.item_place(&stored.uid_taken_by).href());
        let error = ErrorBody::with_hrefs(
            Precondition::UniqueSchedulingObjectResource,
            other.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        return Err(Failure::Condition(StatusCode::FORBIDDEN, error));
    }
    Err(uid_taken(collection, &stored.uid_taken_by))
}

/// The refusal of an object whose UID another one has.
pub(super) fn uid_taken(collection: &Collection, by: &str) -> Failure {
    let precondition = match collection.holds.tree() {
        Tree::Calendars => Precondition::NoUidConflict,
        Tree::AddressBooks => Precondition::NoAddressUidConflict,
    };
    let other = collection.item_place(by).href();
    Failure::Condition(StatusCode::FORBIDDEN, ErrorBody::with_hrefs(precondition, [other.as_str()]))
}

pub(super) const SCHEDULE_TAG: HeaderName = HeaderName::from_static("schedule-tag");
const TRIES: u32 = 5;

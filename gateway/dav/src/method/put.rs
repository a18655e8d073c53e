//! PUT (RFC 4791 §5.3.2, RFC 6352 §6.3.2).

use http::StatusCode;
use http::header::ETAG;
use kontor_dav_proto::Precondition;
use kontor_dav_proto::header::ETag;
use kontor_dav_proto::response::ErrorBody;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::put_item_request::Expected;

use crate::answer::{Answer, Failure, put as put_header, status};
use crate::call::Call;
use crate::condition::{expected, failed};
use crate::home::Collection;
use crate::item::{NewItem, tag};
use crate::place::{Place, Tree};

pub(crate) async fn put(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let Place::Item(tree, address, slug, name) = place else { return Err(Call::not_here()) };
    let collection = call.collection(*tree, address, slug).await.map_err(without_parent)?;
    collection.check_changeable()?;
    let expected = expected(call, &collection, name).await?;
    let item = read(&collection, &call.body).await?;
    let created = store(call, &collection, name, &item, expected).await?;
    let mut answer = status(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    // What is stored is what came, to the octet, so the client need not fetch it (RFC 4791 §5.3.4).
    put_header(&mut answer, ETAG, &ETag::strong(&tag(&item.content.content_id)).to_string());
    Ok(answer)
}

/// Without a collection there is nothing that could hold the item: 409 (RFC 4918 §9.7.1).
pub(super) fn without_parent(failure: Failure) -> Failure {
    match failure.status() {
        StatusCode::NOT_FOUND => Failure::Status(StatusCode::CONFLICT, "there is no collection of this name"),
        _ => failure,
    }
}

/// Checks an object where it may take its time.
pub(super) async fn read(collection: &Collection, text: &bytes::Bytes) -> Result<NewItem, Failure> {
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
    let is_conditional = expected.is_some();
    let stored =
        call.session.put_item(collection.store_place(), item.facts(name), &item.content, expected).await;
    let stored = match stored {
        Err(StoreError::Conflict(_)) if is_conditional => return Err(failed()),
        stored => stored?,
    };
    if stored.uid_taken_by.is_empty() {
        return Ok(stored.created);
    }
    let precondition = match collection.holds.tree() {
        Tree::Calendars => Precondition::NoUidConflict,
        Tree::AddressBooks => Precondition::NoAddressUidConflict,
    };
    let other = collection.item_place(&stored.uid_taken_by).href();
    Err(Failure::Condition(StatusCode::FORBIDDEN, ErrorBody::with_hrefs(precondition, [other.as_str()])))
}

//! DELETE (RFC 4918 §9.6): items go to Recoverable Items, and so does what is in a collection.

use http::StatusCode;
use kontor_dav_proto::Precondition;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{DeleteItemRequest, SchedulingMessage};

use crate::answer::{Answer, Failure, status};
use crate::birthdays;
use crate::call::Call;
use crate::condition::{failed, if_holds, version};
use crate::derived::Source;
use crate::home::Collection;
use crate::place::Place;
use crate::scheduling;

pub(crate) async fn delete(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    match place {
        Place::Item(tree, address, slug, name) => {
            let collection = call.collection(*tree, address, slug).await?;
            collection.check_changeable()?;
            let version = version(call, &collection, name).await?;
            let (version, send) = scheduling::of_delete(call, &collection, name, &version).await?;
            remove(call, &collection, name, version, send).await?;
        }
        Place::Collection(tree, address, slug) => {
            let collection = call.collection(*tree, address, slug).await?;
            if collection.guest.is_some() {
                // What a guest gives back is their share in it.
                call.session.leave_shared(collection.mailbox_id, collection.folder.folder_id).await?;
                return Ok(status(StatusCode::NO_CONTENT));
            }
            match &collection.source {
                Source::Folder => {}
                Source::Birthdays(_) => {
                    birthdays::hide(call).await?;
                    return Ok(status(StatusCode::NO_CONTENT));
                }
                Source::Directory => return Err(Failure::forbidden("everybody has the directory")),
            }
            if collection.folder.role != 0 {
                return Err(Failure::forbidden("a mailbox always has this collection"));
            }
            if_holds(call, place).await?;
            collection.wholly_unlocked(call)?;
            call.session.delete_folder(collection.mailbox_id, collection.folder.folder_id).await?;
        }
        _ => return Err(Failure::forbidden("this place is always there")),
    }
    Ok(status(StatusCode::NO_CONTENT))
}

/// Removes an item; an empty version is whichever is there.
pub(super) async fn remove(
    call: &Call<'_>,
    collection: &Collection,
    name: &str,
    version: bytes::Bytes,
    send: Vec<SchedulingMessage>,
) -> Result<(), Failure> {
    let is_conditional = !version.is_empty();
    let request = DeleteItemRequest {
        mailbox_id: collection.mailbox_id,
        folder_id: collection.folder.folder_id,
        name: name.to_owned(),
        content_id: version,
        submitted: Some(call.submitted()?),
        send,
    };
    match call.session.delete_item(request).await {
        Err(StoreError::Conflict(_)) if is_conditional => Err(failed()),
        removed => match removed?.locked.as_slice() {
            [] => Ok(()),
            locks => Err(collection.locked(Precondition::LockTokenSubmitted, locks)),
        },
    }
}

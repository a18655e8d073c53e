//! COPY and MOVE (RFC 4918 §9.8, §9.9).

use http::StatusCode;
use http::header::{HeaderName, LOCATION};
use kontor_dav_proto::Error;
use kontor_dav_proto::header::{destination, overwrite};
use kontor_storage_client::proto::put_item_request::Expected;

use super::delete::remove;
use super::put::{read, store, store_and_tell, without_parent};
use super::transfer_collection::transfer_collection;
use crate::answer::{Answer, Failure, put, status};
use crate::call::Call;
use crate::condition::{failed, version};
use crate::item::text;
use crate::place::Place;

pub(crate) async fn transfer(call: &Call<'_>, place: &Place, is_move: bool) -> Result<Answer, Failure> {
    let value = call.header(HeaderName::from_static("destination"))?;
    let target = destination(value.ok_or(Error::Syntax("Destination is missing"))?, call.limits)?;
    let target = Place::of(&target.href).ok_or(WRONG_PLACE)?;
    let may_overwrite = call.header(HeaderName::from_static("overwrite"))?.map_or(Ok(true), overwrite)?;
    if let (Place::Collection(..), Place::Collection(..)) = (place, &target) {
        return transfer_collection(call, place, &target, is_move, may_overwrite).await;
    }
    let (Place::Item(tree, address, slug, name), Place::Item(to_tree, to_address, to_slug, to_name)) =
        (place, &target)
    else {
        return Err(WRONG_PLACE);
    };
    if *place == target {
        return Err(Failure::forbidden("that is where it is"));
    }
    let from = call.collection(*tree, address, slug).await?;
    let to = call.collection(*to_tree, to_address, to_slug).await.map_err(without_parent)?;
    to.check_changeable()?;
    if is_move {
        from.check_changeable()?;
    }
    let wanted = version(call, &from, name).await?;
    let item = call.item(&from, name, true).await?;
    if !wanted.is_empty() && wanted != item.content_id {
        return Err(failed());
    }
    let text = text(&item).ok_or_else(Failure::not_found)?;
    let new = read(&to, &text).await?;
    let expected = (!may_overwrite).then_some(Expected::Absent(true));
    if !is_move {
        // It is a new object, of which others may have to hear.
        let stored = store_and_tell(call, &to, to_name, new, expected).await?;
        let mut answer = status(stored.code());
        put(&mut answer, LOCATION, &target.href());
        return Ok(answer);
    }
    let is_rename = from.place() == to.place();
    if is_rename {
        // The UID must be free before it can be used again. What is removed can be recovered, whatever happens.
        remove(call, &from, name, item.content_id.clone(), Vec::new()).await?;
    }
    let created = match store(call, &to, to_name, &new, expected).await {
        Ok(created) => created,
        Err(failure) if is_rename => {
            let again = read(&from, &text).await?;
            store(call, &from, name, &again, Some(Expected::Absent(true))).await?;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    if !is_rename {
        remove(call, &from, name, item.content_id, Vec::new()).await?;
    }
    let mut answer = status(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    put(&mut answer, LOCATION, &target.href());
    Ok(answer)
}

pub(super) const WRONG_PLACE: Failure = Failure::Status(
    StatusCode::FORBIDDEN,
    "objects go to collections of this server, collections to homes of their kind",
);

//! COPY and MOVE of calendars and address books (RFC 4918 §9.8.3, §9.9.2): between the homes of one kind.

use http::StatusCode;
use http::header::LOCATION;
use kontor_dav_proto::Error;
use kontor_dav_proto::header::Depth;
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{CopyRequest, CreateFolderRequest, Folder, Rights, UpdateFolderRequest};

use super::transfer::WRONG_PLACE;
use crate::answer::{Answer, Failure, put, status};
use crate::call::Call;
use crate::condition::{failed, if_holds};
use crate::derived::Source;
use crate::home::{Collection, free_name};
use crate::place::Place;

pub(super) async fn transfer_collection(
    call: &Call<'_>,
    place: &Place,
    target: &Place,
    is_move: bool,
    may_overwrite: bool,
) -> Result<Answer, Failure> {
    let (Place::Collection(tree, address, slug), Place::Collection(to_tree, to_address, to_slug)) =
        (place, target)
    else {
        return Err(WRONG_PLACE);
    };
    if tree != to_tree {
        return Err(WRONG_PLACE);
    }
    let with_items = match call.depth(Depth::Infinity)? {
        Depth::Infinity => true,
        Depth::Zero if !is_move => false,
        _ => return Err(Error::Syntax("the Depth of COPY is 0 or infinity, that of MOVE infinity").into()),
    };
    if_holds(call, place).await?;
    let from = call.collection(*tree, address, slug).await?;
    if !matches!(from.source, Source::Folder) {
        return Err(Failure::forbidden("this collection is made anew for every answer"));
    }
    if with_items && !from.may(Rights::Read) {
        return Err(Failure::forbidden("who copies a collection must be allowed to read it"));
    }
    if is_move {
        may_go(&from)?;
        from.wholly_unlocked(call)?;
    }
    // Collections are made by the owner of a home alone, and nobody else learns what is there.
    let home = call.session.open(to_address).await?;
    if home.mailbox_id != call.session.info().mailbox_id {
        return Err(Failure::forbidden("a collection goes to a home of one's own"));
    }
    let there = call.collections(*to_tree, to_address).await?;
    let there = there.into_iter().find(|collection| collection.slug == *to_slug);
    if let Some(there) = &there {
        if there.folder.folder_id == from.folder.folder_id && there.mailbox_id == from.mailbox_id {
            return Err(Failure::forbidden("that is where it is"));
        }
        if !may_overwrite {
            return Err(failed());
        }
        may_go(there)?;
        there.wholly_unlocked(call)?;
        call.session.delete_folder(there.mailbox_id, there.folder.folder_id).await?;
    }
    if is_move && from.mailbox_id == home.mailbox_id {
        let request = UpdateFolderRequest {
            mailbox_id: from.mailbox_id,
            folder_id: from.folder.folder_id,
            slug: Some(to_slug.clone()),
            ..UpdateFolderRequest::default()
        };
        call.session.update_folder(request).await?;
    } else {
        let name = free_name(&home.folders, &from.folder.name);
        let request = CreateFolderRequest {
            mailbox_id: home.mailbox_id,
            name,
            container_class: from.holds.class().to_owned(),
            slug: to_slug.clone(),
            properties: from.kept.write().into(),
            transparent: from.folder.transparent,
            time_zone: from.folder.time_zone.clone(),
            ..CreateFolderRequest::default()
        };
        let made = call.session.create_folder(request).await?;
        if with_items && let Err(error) = copy_items(call, &from, home.mailbox_id, &made).await {
            // All or nothing.
            call.session.delete_folder(home.mailbox_id, made.folder_id).await?;
            return Err(error.into());
        }
        if is_move {
            call.session.delete_folder(from.mailbox_id, from.folder.folder_id).await?;
        }
    }
    let mut answer = status(if there.is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED });
    put(&mut answer, LOCATION, &target.href());
    Ok(answer)
}

/// What a mailbox always has stays where it is.
fn may_go(collection: &Collection) -> Result<(), Failure> {
    if collection.folder.role != 0 {
        return Err(Failure::forbidden("a mailbox always has this collection"));
    }
    if !collection.may(Rights::Owner) {
        return Err(Failure::forbidden("a collection is moved and replaced by its owner"));
    }
    Ok(())
}

/// In one transaction of the store; the copies keep their names.
async fn copy_items(
    call: &Call<'_>,
    from: &Collection,
    to_mailbox_id: u64,
    to: &Folder,
) -> Result<(), StoreError> {
    let request = CopyRequest {
        mailbox_id: from.mailbox_id,
        folder_id: from.folder.folder_id,
        uid_ranges: vec![1, u32::MAX],
        to_mailbox_id,
        to_folder_id: to.folder_id,
        r#move: false,
    };
    call.session.copy(request).await.map(|_| ())
}

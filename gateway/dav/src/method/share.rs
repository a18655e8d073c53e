//! Sharing as Apple's calendar server has it: what an owner posts to a collection, and a guest to their home. A share is
//! accepted as soon as it is given: the collection is in the guest's home, and whoever does not want it deletes it there.

use http::StatusCode;
use kontor_dav_proto::request::{InviteReply, Share, ShareAccess, ShareChange};
use kontor_dav_proto::response::{Multistatus, Response};
use kontor_dav_proto::xml::Writer;
use kontor_dav_proto::{Element, Name, Reference};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{Permission, SetPermissionsRequest};

use super::acl::require_owner;
use crate::answer::{Answer, Failure, multistatus, status, xml};
use crate::call::Call;
use crate::home::Collection;
use crate::place::{Place, Tree};
use crate::privilege::{READ, READ_WRITE};

/// `CS:share`
pub(super) async fn share(call: &Call<'_>, collection: &Collection) -> Result<Answer, Failure> {
    let asked = Share::parse(&call.body, call.limits)?;
    require_owner(collection)?;
    collection.unlocked(call)?;
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for change in &asked.changes {
        let (href, rights) = match change {
            ShareChange::Set(sharee) => {
                let write = sharee.access == ShareAccess::ReadWrite;
                (&sharee.href, if write { READ_WRITE } else { READ })
            }
            ShareChange::Remove(href) => (href, 0),
        };
        match address_in(call, href).filter(|address| *address != collection.owner) {
            Some(principal) => good.push((href, Permission { principal, rights })),
            None => bad.push(href),
        }
    }
    let all: Vec<Permission> = good.iter().map(|(_, permission)| permission.clone()).collect();
    match set(call, collection, all).await {
        Err(StoreError::Invalid(_)) => {
            // Somebody among them is nobody; the others are not to suffer from it.
            let mut known = Vec::new();
            for (href, permission) in good {
                match set(call, collection, vec![permission]).await {
                    Err(StoreError::Invalid(_)) => bad.push(href),
                    done => {
                        done?;
                        known.push(href);
                    }
                }
            }
            return Ok(outcome(&known, &bad));
        }
        done => done?,
    }
    let good: Vec<&String> = good.into_iter().map(|(href, _)| href).collect();
    Ok(outcome(&good, &bad))
}

async fn set(
    call: &Call<'_>,
    collection: &Collection,
    permissions: Vec<Permission>,
) -> Result<(), StoreError> {
    if permissions.is_empty() {
        return Ok(());
    }
    let (mailbox_id, folder_id) = (collection.mailbox_id, collection.folder.folder_id);
    let request = SetPermissionsRequest { mailbox_id, folder_id, permissions, replace: false };
    call.session.set_permissions(request).await.map(drop)
}

fn outcome(good: &[&String], bad: &[&String]) -> Answer {
    if bad.is_empty() {
        return status(StatusCode::OK);
    }
    let mut out = Multistatus::new();
    good.iter().for_each(|href| out.response(&Response::status(href.trim(), 200)));
    for href in bad {
        out.response(&Response::status(href.trim(), 403).with_description("this is nobody here"));
    }
    multistatus(out)
}

/// Whom an href names: `mailto:`, or a principal.
fn address_in(call: &Call<'_>, href: &str) -> Option<String> {
    let href = href.trim();
    let mailto = href.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    if mailto.is_some() {
        let address = kontor_dav_proto::decode_segment(href.get(7..)?).ok()?;
        return Some(address.to_lowercase()).filter(|address| address.contains('@'));
    }
    match Place::of(&Reference::parse(href, call.limits).ok()?.href)? {
        Place::Principal(address) => Some(address.to_lowercase()).filter(|address| address.contains('@')),
        _ => None,
    }
}

/// `CS:invite-reply`: what was shared is there already, so that to accept changes nothing.
pub(super) async fn invite_reply(call: &Call<'_>, home: Tree) -> Result<Answer, Failure> {
    let asked = InviteReply::parse(&call.body, call.limits)?;
    let place = Reference::parse(&asked.host_url, call.limits).ok().and_then(|found| Place::of(&found.href));
    let Some(Place::Collection(tree, owner, slug)) = place.filter(|_| home == Tree::Calendars) else {
        return Err(Failure::not_found());
    };
    let theirs = call.collection(tree, &owner, &slug).await?;
    let shared = call.session.shared_with_me(theirs.mailbox_id, theirs.folder.folder_id).await?;
    let mine =
        shared.into_iter().find_map(|shared| crate::guest::guest(&call.session.info().address, shared));
    let mine = mine.ok_or_else(Failure::not_found)?;
    if !asked.accepted {
        call.session.leave_shared(mine.mailbox_id, mine.folder.folder_id).await?;
        return Ok(status(StatusCode::NO_CONTENT));
    }
    let href = Element::new(Name::dav("href")).with_text(mine.place().href());
    let mut writer = Writer::document();
    writer.element(&Element::new(Name::calendarserver("shared-as")).with(href));
    Ok(xml(StatusCode::OK, writer.take()))
}

//! PROPPATCH (RFC 4918 §9.2): all or nothing.

use kontor_dav_proto::request::{PropertyChange, PropertyUpdate};
use kontor_dav_proto::response::{ErrorBody, Multistatus, Response};
use kontor_dav_proto::{CALDAV, DAV, Element, Name, Precondition, Reference};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::{SetCalendarProxiesRequest, UpdateFolderRequest, UpdateSharedRequest};

use super::availability;
use crate::answer::{Answer, Failure, multistatus};
use crate::birthdays;
use crate::call::Call;
use crate::derived::Source;
use crate::guest::Guest;
use crate::home::{Collection, INBOX};
use crate::place::{Place, Tree};
use crate::property::MadeBy;

pub(crate) async fn proppatch(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    let update = PropertyUpdate::parse(&call.body, call.limits)?;
    if let Place::Proxy(address, writes) = place {
        return proxies(call, place, address, *writes, &update).await;
    }
    if let Place::Home(Tree::Calendars, owner) = place {
        return availability::proppatch(call, place, owner, &update).await;
    }
    if let Place::Collection(Tree::Calendars, owner, slug) = place
        && slug == INBOX
        && availability::is_all_of(&update)
    {
        return availability::proppatch(call, place, owner, &update).await;
    }
    let Place::Collection(tree, address, slug) = place else {
        // The properties of anything else are ours to say.
        let refused: Vec<Name> = update.changes.iter().map(|change| change.name().clone()).collect();
        return Ok(answer(place, &update, &refused, PROTECTED));
    };
    for _ in 0..TRIES {
        // Somebody else may set others meanwhile.
        if let Some(answer) = of_collection(call, place, (*tree, address, slug), &update).await? {
            return Ok(answer);
        }
    }
    Err(StoreError::Unavailable("the properties change all the time".to_owned()).into())
}

/// `None` where they are not any more what they were.
async fn of_collection(
    call: &Call<'_>,
    place: &Place,
    (tree, address, slug): (Tree, &str, &str),
    update: &PropertyUpdate,
) -> Result<Option<Answer>, Failure> {
    let collection = call.collection(tree, address, slug).await?;
    let refused: Vec<Name> = update
        .changes
        .iter()
        .map(PropertyChange::name)
        .filter(|name| MadeBy::Patch.refuses(name) || matches!(collection.source, Source::Directory))
        .cloned()
        .collect();
    if !refused.is_empty() {
        return Ok(Some(answer(place, update, &refused, PROTECTED)));
    }
    if let Some(guest) = &collection.guest {
        return of_guest(call, place, &collection, guest, update).await.map(Some);
    }
    collection.unlocked(call)?;
    let mut kept = collection.kept.clone();
    let (mut name, mut transparent) = (None, None);
    for change in &update.changes {
        match change {
            PropertyChange::Set(element) if is_display_name(&element.name) => {
                name = Some(element.text().trim().to_owned()).filter(|name| !name.is_empty());
            }
            // A folder always has a name.
            PropertyChange::Remove(removed) if is_display_name(removed) => {}
            PropertyChange::Set(element) if is_transparency(&element.name) => {
                transparent = Some(element.has(CALDAV, "transparent"));
            }
            PropertyChange::Remove(removed) if is_transparency(removed) => transparent = Some(false),
            PropertyChange::Set(element) => {
                if let Err(precondition) = kept.choose(element.clone()) {
                    return Ok(Some(answer(
                        place,
                        update,
                        std::slice::from_ref(&element.name),
                        precondition,
                    )));
                }
            }
            PropertyChange::Remove(removed) => kept.forget(removed),
        }
    }
    if let Source::Birthdays(_) = &collection.source {
        birthdays::patch(call, &kept, name.as_deref()).await?;
        return Ok(Some(answer(place, update, &[], PROTECTED)));
    }
    let name = name.map(|name| folder_name(&name)).filter(|name| *name != collection.folder.name);
    let time_zone = kept.time_zone_text();
    let request = UpdateFolderRequest {
        mailbox_id: collection.mailbox_id,
        folder_id: collection.folder.folder_id,
        parent_id: name.is_some().then_some(collection.folder.parent_id),
        name,
        properties: (kept != collection.kept).then(|| kept.write().into()),
        expected_properties: (kept != collection.kept).then(|| collection.folder.properties.clone()),
        transparent: transparent.filter(|transparent| *transparent != collection.folder.transparent),
        time_zone: (time_zone != collection.folder.time_zone).then_some(time_zone),
        ..UpdateFolderRequest::default()
    };
    if request.name.is_some()
        || request.properties.is_some()
        || request.transparent.is_some()
        || request.time_zone.is_some()
    {
        match call.session.update_folder(request).await {
            Err(StoreError::Conflict(_)) => return Ok(None),
            updated => updated.map(drop)?,
        }
    }
    Ok(Some(answer(place, update, &[], PROTECTED)))
}

/// What a guest says, for their own eyes. Whether it makes somebody busy is not theirs to say: it does not them.
async fn of_guest(
    call: &Call<'_>,
    place: &Place,
    collection: &Collection,
    guest: &Guest,
    update: &PropertyUpdate,
) -> Result<Answer, Failure> {
    let names = update.changes.iter().map(PropertyChange::name);
    let refused: Vec<Name> = names.filter(|name| is_transparency(name)).cloned().collect();
    if !refused.is_empty() {
        return Ok(answer(place, update, &refused, PROTECTED));
    }
    let mut kept = guest.kept.clone();
    for change in &update.changes {
        match change {
            PropertyChange::Set(element) => kept.set(element.clone()),
            PropertyChange::Remove(removed) => kept.remove(removed),
        }
    }
    let request = UpdateSharedRequest {
        mailbox_id: collection.mailbox_id,
        folder_id: collection.folder.folder_id,
        properties: kept.write().into(),
    };
    call.session.update_shared(request).await?;
    Ok(answer(place, update, &[], PROTECTED))
}

/// Who acts for the owner: the members of the group that stands for them.
async fn proxies(
    call: &Call<'_>,
    place: &Place,
    owner: &str,
    writes: bool,
    update: &PropertyUpdate,
) -> Result<Answer, Failure> {
    let is_own = owner.eq_ignore_ascii_case(&call.session.info().address);
    let members = match update.changes.as_slice() {
        [PropertyChange::Set(element)] if is_own && element.is(DAV, "group-member-set") => element,
        changes => {
            let refused: Vec<Name> = changes.iter().map(|change| change.name().clone()).collect();
            return Ok(answer(place, update, &refused, PROTECTED));
        }
    };
    let mut addresses = Vec::new();
    for href in members.all(DAV, "href") {
        match Reference::parse(&href.text(), call.limits).ok().and_then(|found| Place::of(&found.href)) {
            Some(Place::Principal(address)) if address.contains('@') => addresses.push(address),
            _ => return Ok(answer(place, update, std::slice::from_ref(&members.name), PROTECTED)),
        }
    }
    match call.session.set_calendar_proxies(SetCalendarProxiesRequest { writes, addresses }).await {
        Err(StoreError::Invalid(_)) => {
            Ok(answer(place, update, std::slice::from_ref(&members.name), PROTECTED))
        }
        set => {
            set?;
            Ok(answer(place, update, &[], PROTECTED))
        }
    }
}

/// What became of each property: when one is refused, none of the others is set either.
pub(super) fn answer(place: &Place, update: &PropertyUpdate, refused: &[Name], why: Precondition) -> Answer {
    let response = update.changes.iter().map(PropertyChange::name).fold(
        Response::new(place.href()),
        |response, name| {
            if refused.contains(name) {
                response.refused(403, name.clone(), ErrorBody::of(why))
            } else {
                response.with(if refused.is_empty() { 200 } else { 424 }, Element::new(name.clone()))
            }
        },
    );
    let mut out = Multistatus::new();
    out.response(&response);
    multistatus(out)
}

pub(super) fn is_display_name(name: &Name) -> bool {
    *name == Name::dav("displayname")
}

pub(super) fn is_transparency(name: &Name) -> bool {
    *name == Name::caldav("schedule-calendar-transp")
}

/// A name as folders have it: one level, without controls.
pub(crate) fn folder_name(text: &str) -> String {
    let name: String =
        text.chars().filter(|c| !c.is_control()).map(|c| if c == '/' { '\u{2215}' } else { c }).collect();
    let end = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MOST_NAME).last();
    name.get(..end.unwrap_or_default()).unwrap_or_default().trim().to_owned()
}

pub(super) const PROTECTED: Precondition = Precondition::CannotModifyProtectedProperty;
/// Octets.
const MOST_NAME: usize = 255;
const TRIES: usize = 8;

#[cfg(test)]
mod tests {
    use super::folder_name;

    #[test]
    fn names_of_folders() {
        assert_eq!(folder_name(" A/B\u{0}\n "), "A\u{2215}B");
        assert_eq!(folder_name(&"\u{e4}".repeat(200)).len(), 254);
    }
}

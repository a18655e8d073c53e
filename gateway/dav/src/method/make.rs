//! MKCALENDAR (RFC 4791 §5.3.1) and MKCOL, plain and extended (RFC 4918 §9.3, RFC 5689).

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use kontor_dav_proto::header::is_xml;
use kontor_dav_proto::request::{self, MakeCollection};
use kontor_dav_proto::response::{ErrorBody, Response, mkcol_response};
use kontor_dav_proto::{CALDAV, CALENDARSERVER, CARDDAV, Element, Name, Precondition};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::CreateFolderRequest;

use super::proppatch::{folder_name, is_display_name, is_transparency};
use crate::answer::{Answer, Failure, put, status, xml};
use crate::birthdays;
use crate::call::Call;
use crate::guest::shared_in;
use crate::home::{Holds, INBOX, OUTBOX, components_in, free_name};
use crate::kept::Kept;
use crate::place::{Place, Tree};
use crate::property::MadeBy;
use crate::subscription::Subscription;

pub(crate) async fn mkcalendar(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    check_type(call)?;
    let made = request::mkcalendar(&call.body, call.limits)?;
    make(call, place, made, &Name::caldav("mkcalendar-response")).await
}

pub(crate) async fn mkcol(call: &Call<'_>, place: &Place) -> Result<Answer, Failure> {
    check_type(call)?;
    let made = request::mkcol(&call.body, call.limits)?;
    make(call, place, made, &Name::dav("mkcol-response")).await
}

fn check_type(call: &Call<'_>) -> Result<(), Failure> {
    // What begins as XML is read as that, whatever a client calls it.
    if call.body.trim_ascii_start().first().is_none_or(|octet| *octet == b'<')
        || is_xml(call.header(CONTENT_TYPE)?)
    {
        return Ok(());
    }
    Err(kontor_dav_proto::Error::MediaType.into())
}

async fn make(
    call: &Call<'_>,
    place: &Place,
    wanted: MakeCollection,
    root: &Name,
) -> Result<Answer, Failure> {
    let Place::Collection(tree, address, slug) = place else {
        return Err(match place {
            Place::Item(..) => LOCATION,
            _ => Call::not_here(),
        });
    };
    let refused: Vec<&Element> =
        wanted.properties.iter().filter(|property| MadeBy::Making.refuses(&property.name)).collect();
    if !refused.is_empty() {
        let response = wanted.properties.iter().fold(Response::new(place.href()), |response, property| {
            if refused.contains(&property) {
                let error = ErrorBody::of(Precondition::CannotModifyProtectedProperty);
                response.refused(403, property.name.clone(), error)
            } else {
                response.with(424, Element::new(property.name.clone()))
            }
        });
        return Ok(xml(StatusCode::FORBIDDEN, mkcol_response(root, &response)));
    }
    if shared_in(slug).is_some() {
        return Err(Failure::forbidden("names like this are those of shared collections"));
    }
    let holds = what_it_holds(*tree, &wanted)?;
    let wants_source = wanted.resource_types.iter().any(|name| name.is(CALENDARSERVER, "subscribed"));
    let collections = call.collections(*tree, address).await?;
    let is_reserved = *tree == Tree::Calendars && [INBOX, OUTBOX].contains(&slug.as_str());
    if is_reserved || collections.iter().any(|collection| collection.slug == *slug) {
        let error = ErrorBody::of(Precondition::ResourceMustBeNull);
        return Err(Failure::Condition(StatusCode::METHOD_NOT_ALLOWED, error));
    }
    if birthdays::is_hidden(call, *tree, address, slug).await? {
        birthdays::show(call, &wanted.properties).await?;
        return Ok(status(StatusCode::CREATED));
    }
    let opened = call.session.open(address).await?;
    let mut kept = Kept::default();
    let mut transparent = None;
    let mut name = folder_name(slug);
    for property in wanted.properties {
        if is_display_name(&property.name) {
            name = Some(folder_name(&property.text())).filter(|name| !name.is_empty()).unwrap_or(name);
        } else if is_transparency(&property.name) {
            transparent = Some(property.has(CALDAV, "transparent"));
        } else {
            let refuse = |precondition| Failure::precondition(precondition, "the calendar's zone is none");
            kept.choose(property).map_err(refuse)?;
        }
    }
    let is_subscription = match Subscription::begin(&mut kept) {
        Ok(true) if holds != Holds::Events => Err("only calendars of events are subscribed to".to_owned()),
        Ok(false) if wants_source => Err("a subscription needs the URL of a calendar".to_owned()),
        begun => begun.map_err(|error| error.to_string()),
    };
    let is_subscription = is_subscription.map_err(|what| {
        let error = ErrorBody::with(Element::new(Name::calendarserver("source"))).described(what);
        Failure::Condition(StatusCode::FORBIDDEN, error)
    })?;
    let name = free_name(&opened.folders, &name);
    let request = CreateFolderRequest {
        mailbox_id: opened.mailbox_id,
        parent_id: 0,
        name,
        role: 0,
        container_class: holds.class().to_owned(),
        slug: slug.clone(),
        properties: kept.write().into(),
        // What happens elsewhere keeps nobody busy, unless they say so.
        transparent: transparent.unwrap_or(is_subscription),
        time_zone: kept.time_zone_text(),
    };
    match call.session.create_folder(request).await {
        Err(StoreError::Exists(_)) => {
            let error = ErrorBody::of(Precondition::ResourceMustBeNull);
            return Err(Failure::Condition(StatusCode::METHOD_NOT_ALLOWED, error));
        }
        made => made?,
    };
    if is_subscription {
        // It comes while the client asks for what it has made.
        let opened = call.session.open(address).await?;
        call.subscriptions.begin(call.session, &opened);
    }
    let mut answer = status(StatusCode::CREATED);
    put(&mut answer, CACHE_CONTROL, "no-cache");
    Ok(answer)
}

/// What the new collection is for. A plain one becomes what its tree is for.
fn what_it_holds(tree: Tree, wanted: &MakeCollection) -> Result<Holds, Failure> {
    let has = |namespace, local| wanted.resource_types.iter().any(|name| name.is(namespace, local));
    let (calendar, book) = (has(CALDAV, "calendar"), has(CARDDAV, "addressbook"));
    let known = |name: &Name| {
        name.is("DAV:", "collection")
            || name.is(CALDAV, "calendar")
            || name.is(CARDDAV, "addressbook")
            || (tree == Tree::Calendars && name.is(CALENDARSERVER, "subscribed"))
    };
    if (calendar && book) || !wanted.resource_types.iter().all(known) {
        let what = "a collection is a calendar or an address book";
        return Err(Failure::precondition(Precondition::ValidResourcetype, what));
    }
    match tree {
        Tree::Calendars if book => Err(LOCATION),
        Tree::AddressBooks if calendar => Err(LOCATION),
        Tree::AddressBooks => Ok(Holds::Cards),
        Tree::Calendars => {
            let set = Name::caldav("supported-calendar-component-set");
            let set = wanted.properties.iter().find(|property| property.name == set);
            let components = set.map(components_in).unwrap_or_default();
            if components.iter().any(|name| !STORED.contains(&name.as_str())) {
                let what = "a calendar holds VEVENT, VTODO and VJOURNAL";
                return Err(Failure::precondition(Precondition::SupportedCalendarComponent, what));
            }
            Ok(match components.as_slice() {
                [only] if only == "VTODO" => Holds::Tasks,
                [only] if only == "VJOURNAL" => Holds::Journals,
                _ => Holds::Events,
            })
        }
    }
}

const STORED: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];
const LOCATION: Failure = Failure::Protocol(kontor_dav_proto::Error::Precondition(
    Precondition::CalendarCollectionLocationOk,
    "calendars are made in /dav/calendars/ADDRESS/, address books in /dav/addressbooks/ADDRESS/",
));

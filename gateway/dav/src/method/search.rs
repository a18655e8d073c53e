//! Reports about people (RFC 3253 §3.8, RFC 3744 §9.3 to §9.5), and who somebody is.

use http::StatusCode;
use kontor_dav_proto::request::{
    CalendarServerPrincipalSearch, ExpandProperty, PrincipalMatch, PrincipalPropertySearch, PropFind,
    PropertySearch, Test, Who,
};
use kontor_dav_proto::response::{Multistatus, Response};
use kontor_dav_proto::xml::{Node, Writer};
use kontor_dav_proto::{CALDAV, CALENDARSERVER, DAV, Element, Limits, Name, Reference};
use kontor_storage_client::StoreError;
use kontor_storage_client::proto::FindPeopleRequest;

use super::acl::require_owner;
use super::propfind::{members, of_collection, permissions};
use crate::answer::{Answer, Failure, multistatus, xml};
use crate::call::Call;
use crate::place::Place;
use crate::property::{
    Person, PlaceResource, PrincipalResource, ProxyResource, Resource, calendar_user_type, principals,
    response,
};
use crate::scheduling::addresses_of;

/// Somebody of the tenant, by address.
///
/// # Errors
/// Where there is nobody, or nobody that address books show.
pub(super) async fn person(call: &Call<'_>, address: &str) -> Result<Person, Failure> {
    let own = call.session.info();
    if own.address.eq_ignore_ascii_case(address) {
        return Ok(Person {
            address: own.address.clone(),
            display_name: own.display_name.clone(),
            kind: "user".to_owned(),
            acts_for: acts_for(call).await?,
            addresses: addresses_of(call, &own.address).await?,
        });
    }
    let found = people(call, address, &[], FEW).await?;
    found
        .into_iter()
        .find(|person| person.address.eq_ignore_ascii_case(address))
        .ok_or_else(Failure::not_found)
}

/// People of these kinds, or of any where there are none, whose name or address begins so.
async fn people(call: &Call<'_>, prefix: &str, kinds: &[&str], most: u32) -> Result<Vec<Person>, Failure> {
    let request = FindPeopleRequest {
        prefix: prefix.to_owned(),
        page_size: most,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        ..FindPeopleRequest::default()
    };
    let request = call.session.authorize(request).await?;
    let found = call.session.store().directory()?.find_people(request).await.map_err(StoreError::from)?;
    let people = found.into_inner().people.into_iter();
    Ok(people
        .map(|person| Person {
            address: person.address,
            display_name: person.display_name,
            kind: person.kind,
            acts_for: Vec::new(),
            addresses: Vec::new(),
        })
        .collect())
}

/// For whom the viewer acts in their calendars, and whether they write.
async fn acts_for(call: &Call<'_>) -> Result<Vec<(String, bool)>, Failure> {
    let proxies = call.session.calendar_proxies().await?.acts_for.into_iter();
    Ok(proxies.map(|proxy| (proxy.address, proxy.writes)).collect())
}

/// RFC 3744 §9.3: the principal that is the user, or the collections in a home that are the user's.
pub(super) async fn principal_match(
    call: &Call<'_>,
    place: &Place,
    asked: PrincipalMatch,
) -> Result<Answer, Failure> {
    let mut out = Multistatus::new();
    let own = &call.session.info().address;
    match (&asked.who, place) {
        (Who::This, _) => {
            let person = person(call, own).await?;
            say(call, &mut out, &person, &asked.properties);
        }
        (Who::Property(name), Place::Home(tree, address)) if name.is(DAV, "owner") => {
            for collection in call.collections(*tree, address).await? {
                if collection.owner == *own {
                    let permissions = permissions(call, &collection, &asked.properties).await?;
                    let resource = of_collection(call, &collection, permissions);
                    out.response(&response(&resource, &asked.properties, call.prefer().is_minimal()));
                }
            }
        }
        (Who::Property(_), _) => {}
    }
    Ok(multistatus(out))
}

/// RFC 3744 §9.2: of everybody who is named in the ACL.
pub(super) async fn acl_principal_prop_set(
    call: &Call<'_>,
    place: &Place,
    properties: &PropFind,
) -> Result<Answer, Failure> {
    let Place::Collection(tree, address, slug) = place else { return Err(super::report::NOT_HERE) };
    let collection = call.collection(*tree, address, slug).await?;
    require_owner(&collection)?;
    let (mailbox, folder) = (collection.mailbox_id, collection.folder.folder_id);
    let permissions = call.session.list_permissions(mailbox, folder).await?;
    let mut out = Multistatus::new();
    for address in principals(&collection, &permissions) {
        match person(call, &address).await {
            Ok(person) => say(call, &mut out, &person, properties),
            // Somebody whom address books do not show.
            Err(failure) if failure.status() == StatusCode::NOT_FOUND => {
                out.response(&Response::status(Place::Principal(address).href(), 404));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(multistatus(out))
}

pub(super) async fn principal_property_search(
    call: &Call<'_>,
    asked: PrincipalPropertySearch,
) -> Result<Answer, Failure> {
    let (by_kind, by_text): (Vec<_>, Vec<_>) = asked.searches.iter().partition(|search| is_of_kind(search));
    let texts: Vec<String> = by_text
        .iter()
        .filter(|search| search.properties.iter().all(is_searched))
        .map(|search| search.text.trim().trim_start_matches("mailto:").to_owned())
        .collect();
    let is_answerable = texts.len() == by_text.len() || asked.test == Test::AnyOf;
    let mut out = Multistatus::new();
    if is_answerable {
        let mut search = Search { texts, test: asked.test, ..Search::default() };
        match asked.test {
            Test::AllOf => {
                search.kinds = KINDS
                    .into_iter()
                    .filter(|kind| by_kind.iter().all(|search| is_called(kind, &search.text)))
                    .collect();
            }
            Test::AnyOf => {
                search.also = KINDS
                    .into_iter()
                    .filter(|kind| by_kind.iter().any(|search| is_called(kind, &search.text)))
                    .collect();
            }
        }
        found(call, &mut out, &search, &asked.properties, asked.limit).await?;
    }
    Ok(multistatus(out))
}

pub(super) async fn calendarserver_search(
    call: &Call<'_>,
    asked: CalendarServerPrincipalSearch,
) -> Result<Answer, Failure> {
    let mut out = Multistatus::new();
    // What Apple's clients look for: a place for a meeting, something to take along, or somebody.
    let kinds = match asked.context.as_deref() {
        Some("location") => vec!["room"],
        Some("resource") => vec!["equipment"],
        Some("user") => vec!["user", "shared"],
        Some("group") => vec!["group"],
        _ => KINDS.to_vec(),
    };
    let search = Search { texts: asked.tokens, test: Test::AllOf, kinds, also: Vec::new() };
    found(call, &mut out, &search, &asked.properties, asked.limit).await?;
    Ok(multistatus(out))
}

/// Who is looked for.
#[derive(Default)]
struct Search {
    /// Words in names and addresses; none is anybody.
    texts: Vec<String>,
    /// How the words are put together.
    test: Test,
    /// Kinds of the directory of whom the words are looked for.
    kinds: Vec<&'static str>,
    /// Everybody of these kinds as well, whatever the words.
    also: Vec<&'static str>,
}

/// Says who is found.
async fn found(
    call: &Call<'_>,
    out: &mut Multistatus,
    search: &Search,
    properties: &PropFind,
    limit: Option<u32>,
) -> Result<(), Failure> {
    let Search { texts, test, kinds, also } = search;
    let mut seen: Vec<Person> = Vec::new();
    let has = |person: &Person, text: &str| {
        let text = text.to_lowercase();
        person.display_name.to_lowercase().contains(&text) || person.address.to_lowercase().contains(&text)
    };
    let is_any = *test == Test::AnyOf;
    let mut wanted: Vec<(&str, &[&str])> = Vec::new();
    if is_any || !kinds.is_empty() {
        let words = texts.iter().filter(|text| !text.is_empty()).take(MOST_TEXTS);
        wanted.extend(words.map(|text| (text.as_str(), kinds.as_slice())));
        // The kind alone.
        if !is_any && texts.is_empty() && kinds.len() < KINDS.len() {
            wanted.push(("", kinds));
        }
    }
    if !also.is_empty() {
        wanted.push(("", also));
    }
    for (text, kinds) in wanted {
        for person in people(call, text, kinds, MANY).await? {
            let is_new = seen.iter().all(|other| other.address != person.address);
            if is_new && (is_any || texts.iter().all(|text| has(&person, text))) {
                seen.push(person);
            }
        }
    }
    let most = usize::try_from(limit.unwrap_or(MANY)).unwrap_or(usize::MAX);
    seen.iter().take(most).for_each(|person| say(call, out, person, properties));
    Ok(())
}

/// Whether it is about what kind of calendar user somebody is (RFC 6638 §2.4.2).
fn is_of_kind(search: &PropertySearch) -> bool {
    !search.properties.is_empty()
        && search.properties.iter().all(|name| name.is(CALDAV, "calendar-user-type"))
}

fn is_called(kind: &str, text: &str) -> bool {
    calendar_user_type(kind).contains(&text.trim().to_ascii_uppercase())
}

fn say(call: &Call<'_>, out: &mut Multistatus, person: &Person, properties: &PropFind) {
    let viewer = call.session.info().address.as_str();
    let resource = PrincipalResource { person, viewer };
    out.response(&response(&resource, properties, call.prefer().is_minimal()));
}

/// Properties of people that can be searched: those that their names and addresses are in.
fn is_searched(name: &Name) -> bool {
    !name.is(CALDAV, "calendar-user-type")
        && SEARCHED.iter().any(|(namespace, local, _)| name.is(namespace, local))
}

/// RFC 3744 §9.5
pub(super) fn search_property_set() -> Answer {
    let mut writer = Writer::document();
    let each = SEARCHED.iter().map(|(namespace, local, words)| {
        let property = Element::new(Name::dav("prop")).with(Element::new(Name::known(namespace, local)));
        let description = Element::new(Name::dav("description")).with_text(*words);
        Element::new(Name::dav("principal-search-property")).with(property).with(description)
    });
    writer.element(&Element::new(Name::dav("principal-search-property-set")).with_all(each));
    xml(StatusCode::OK, writer.take())
}

/// RFC 3253 §3.8: hrefs in properties become what they refer to, where that is a person.
pub(super) async fn expand_property(
    call: &Call<'_>,
    place: &Place,
    asked: &[ExpandProperty],
) -> Result<Answer, Failure> {
    let names: Vec<Name> = asked.iter().map(|property| property.name.clone()).collect();
    let viewer = call.session.info().address.as_str();
    let mut answer = kontor_dav_proto::response::Response::new(place.href());
    let found: Vec<Option<Element>> = match place {
        Place::Principal(address) => {
            let person = person(call, address).await?;
            values(&PrincipalResource { person: &person, viewer }, &names)
        }
        Place::Collection(tree, address, slug) => {
            let collection = call.collection(*tree, address, slug).await?;
            let permissions = permissions(call, &collection, &PropFind::Listed(names.clone())).await?;
            values(&of_collection(call, &collection, permissions), &names)
        }
        Place::Proxy(address, writes) => {
            let person = person(call, address).await?;
            let members = members(call, &person.address, *writes).await?;
            let (owner, members) = (person.address.as_str(), members.as_deref());
            values(&ProxyResource { owner, writes: *writes, members, viewer }, &names)
        }
        Place::Item(..) | Place::Attachment(..) => return Err(Call::not_here()),
        place => values(&PlaceResource { place, viewer, collections: &[] }, &names),
    };
    for (property, value) in asked.iter().zip(found) {
        answer = match value {
            Some(value) => answer.with(200, expanded(call, value, property).await?),
            None => answer.missing(property.name.clone()),
        };
    }
    let mut out = Multistatus::new();
    out.response(&answer);
    Ok(multistatus(out))
}

fn values(resource: &impl Resource, names: &[Name]) -> Vec<Option<Element>> {
    names.iter().map(|name| resource.property(name)).collect()
}

async fn expanded(call: &Call<'_>, value: Element, asked: &ExpandProperty) -> Result<Element, Failure> {
    if asked.properties.is_empty() {
        return Ok(value);
    }
    let names = PropFind::Listed(asked.properties.iter().map(|property| property.name.clone()).collect());
    let mut out = Element { children: Vec::new(), ..value.clone() };
    for child in value.children {
        let person = match &child {
            Node::Element(href) if href.is(DAV, "href") => referred(call, &href.text(), call.limits).await?,
            _ => None,
        };
        out.children.push(match person {
            Some(person) => {
                let mut inner = Multistatus::new();
                say(call, &mut inner, &person, &names);
                let document = Element::parse(&inner.finish(None), call.limits)
                    .map_err(kontor_dav_proto::Error::from)?;
                let response = document.elements().next().cloned();
                response.map_or(child, Node::Element)
            }
            None => child,
        });
    }
    Ok(out)
}

async fn referred(call: &Call<'_>, href: &str, limits: &Limits) -> Result<Option<Person>, Failure> {
    let place = Reference::parse(href, limits).ok().and_then(|found| Place::of(&found.href));
    let Some(Place::Principal(address)) = place else { return Ok(None) };
    match person(call, &address).await {
        Ok(person) => Ok(Some(person)),
        Err(failure) if failure.status() == StatusCode::NOT_FOUND => Ok(None),
        Err(failure) => Err(failure),
    }
}

const SEARCHED: [(&str, &str, &str); 5] = [
    (DAV, "displayname", "name"),
    (CALENDARSERVER, "email-address-set", "address"),
    (CALDAV, "calendar-user-address-set", "address"),
    (DAV, "alternate-URI-set", "address"),
    (CALDAV, "calendar-user-type", "person, group, room or resource"),
];
/// As the directory says them.
const KINDS: [&str; 5] = ["user", "shared", "group", "room", "equipment"];
const FEW: u32 = 20;
const MANY: u32 = 100;
const MOST_TEXTS: usize = 8;

//! Properties of resources: what PROPFIND and the reports answer.

mod access;
mod collection;
pub(crate) mod item;
mod outbox;
pub(crate) mod place;
mod principal;
mod proxy;

use kontor_dav_proto::request::PropFind;
use kontor_dav_proto::response::Response;
use kontor_dav_proto::{CALENDARSERVER, CARDDAV, DAV, Element, Name};

pub(crate) use access::{Permissions, needs_permissions, principals};
pub(crate) use collection::{CollectionResource, MadeBy};
pub(crate) use item::{ItemResource, Wanted};
pub(crate) use outbox::OutboxResource;
pub(crate) use place::PlaceResource;
pub(crate) use principal::{Person, PrincipalResource, calendar_user_type};
pub(crate) use proxy::ProxyResource;

use crate::place::Place;
use crate::privilege::{Privilege, elements};

/// Something that has properties.
pub(crate) trait Resource {
    /// Its path, encoded.
    fn href(&self) -> String;

    /// The value of a property, as its element; `None` for one that it does not have, or that may not be seen.
    fn property(&self, name: &Name) -> Option<Element>;

    /// The names of the properties that `allprop` is answered with (RFC 4918 §9.1).
    fn common(&self) -> Vec<Name>;

    /// The names of the others.
    fn further(&self) -> Vec<Name>;
}

/// What is answered of a resource.
pub(crate) fn response(resource: &impl Resource, wanted: &PropFind, minimal: bool) -> Response {
    let response = Response::new(resource.href());
    let response = match wanted {
        PropFind::All { include } => {
            let mut names = resource.common();
            names.extend(include.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
            of_names(resource, &names, response)
        }
        PropFind::Names => resource
            .common()
            .into_iter()
            .chain(resource.further())
            .filter(|name| resource.property(name).is_some())
            .fold(response, |response, name| response.with(200, Element::new(name))),
        PropFind::Listed(names) => of_names(resource, names, response),
    };
    if minimal { response.minimal() } else { response }
}

fn of_names(resource: &impl Resource, names: &[Name], response: Response) -> Response {
    names.iter().fold(response, |response, name| match resource.property(name) {
        Some(property) => response.with(200, property),
        None => response.missing(name.clone()),
    })
}

/// What every resource has for a viewer.
fn of_everything(viewer: &str, name: &Name) -> Option<Element> {
    if name.namespace() != DAV {
        return None;
    }
    let principal = || Place::Principal(viewer.to_owned()).href();
    match name.local() {
        "current-user-principal" => Some(with_href(name, &principal())),
        "principal-collection-set" => Some(with_href(name, &Place::Principals.href())),
        _ => None,
    }
}

/// An element with an href in it.
fn with_href(name: &Name, href: &str) -> Element {
    with_hrefs(name, [href])
}

fn with_hrefs<'a>(name: &Name, hrefs: impl IntoIterator<Item = &'a str>) -> Element {
    let hrefs = hrefs.into_iter().map(|href| Element::new(Name::dav("href")).with_text(href));
    Element::new(name.clone()).with_all(hrefs)
}

fn with_text(name: &Name, text: impl Into<String>) -> Element {
    Element::new(name.clone()).with_text(text)
}

fn with_elements(name: &Name, names: impl IntoIterator<Item = Name>) -> Element {
    Element::new(name.clone()).with_all(names.into_iter().map(Element::new))
}

/// `DAV:supported-report-set` (RFC 3253 §3.1.5).
fn reports(name: &Name, reports: impl IntoIterator<Item = Name>) -> Element {
    let of = |report: Name| {
        let report = Element::new(Name::dav("report")).with(Element::new(report));
        Element::new(Name::dav("supported-report")).with(report)
    };
    Element::new(name.clone()).with_all(reports.into_iter().map(of))
}

/// `DAV:current-user-privilege-set` (RFC 3744 §5.4).
fn privileges(name: &Name, privileges: impl IntoIterator<Item = Privilege>) -> Element {
    elements(name, privileges)
}

/// The same, by names that are those of one kind of collection only (RFC 6638 §6).
fn privilege_names(name: &Name, names: impl IntoIterator<Item = Name>) -> Element {
    let of = |privilege| Element::new(Name::dav("privilege")).with(Element::new(privilege));
    Element::new(name.clone()).with_all(names.into_iter().map(of))
}

/// The reports that are about principals, which every collection answers.
fn principal_reports() -> [Name; 5] {
    [
        Name::dav("expand-property"),
        Name::dav("principal-match"),
        Name::dav("principal-property-search"),
        Name::dav("principal-search-property-set"),
        Name::known(CALENDARSERVER, "calendarserver-principal-search"),
    ]
}

const fn cs(local: &'static str) -> Name {
    Name::known(CALENDARSERVER, local)
}

const fn card(local: &'static str) -> Name {
    Name::known(CARDDAV, local)
}

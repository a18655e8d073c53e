//! Requests: what a body asks for, by method and by report. Elements that are not known are passed over (RFC 4918 §17).

mod acl;
mod address_data;
mod addressbook_query;
mod calendar_data;
mod calendar_query;
mod expand_property;
mod lock;
mod mkcol;
mod multiget;
mod principal;
mod propfind;
mod proppatch;
mod report;
mod share;
mod sync_collection;
mod text_match;

pub use acl::{Ace, AcePrincipal, Acl};
pub use address_data::AddressData;
pub use addressbook_query::{AddressFilter, AddressbookQuery, ContactPropFilter, ContactPropTest};
pub use calendar_data::{CalendarData, CompSelection, PropSelection, RecurrenceSelection, Selected};
pub use calendar_query::{
    CalendarQuery, CompFilter, CompTest, FreeBusyQuery, PropFilter, PropTest, ValueTest,
};
pub use expand_property::ExpandProperty;
pub use lock::{LockInfo, LockScope};
pub use mkcol::{MakeCollection, mkcalendar, mkcol};
pub use multiget::{AddressbookMultiget, CalendarMultiget};
pub use principal::{
    CalendarServerPrincipalSearch, PrincipalMatch, PrincipalPropertySearch, PropertySearch, Who,
};
pub use propfind::PropFind;
pub use proppatch::{PropertyChange, PropertyUpdate};
pub use report::Report;
pub use share::{InviteReply, Share, ShareAccess, ShareChange, Sharee};
pub use sync_collection::{SyncCollection, SyncLevel};
pub use text_match::{MatchType, ParamFilter, ParamTest, Test, TextMatch};

use crate::xml::Element;
use crate::{DAV, Error, Limits, Name};

/// The root of a body; `None` for a body of nothing but white space.
fn root(body: &[u8], limits: &Limits) -> Result<Option<Element>, Error> {
    if body.trim_ascii().is_empty() && body.len() <= limits.body {
        return Ok(None);
    }
    Ok(Some(Element::parse(body, limits)?))
}

/// The names of the elements in an element, e.g. in a `DAV:prop`.
fn names(element: &Element, limits: &Limits) -> Result<Vec<Name>, Error> {
    let names: Vec<Name> =
        element.elements().take(limits.properties.saturating_add(1)).map(|e| e.name.clone()).collect();
    if names.len() > limits.properties {
        return Err(too_many("properties", limits.properties));
    }
    Ok(names)
}

/// The texts of the `DAV:href` elements in an element, without white space around them.
fn hrefs(element: &Element, limits: &Limits) -> Result<Vec<String>, Error> {
    let mut hrefs = Vec::new();
    for href in element.all(DAV, "href") {
        if hrefs.len() >= limits.hrefs {
            return Err(too_many("hrefs", limits.hrefs));
        }
        hrefs.push(href_text(href, limits)?);
    }
    Ok(hrefs)
}

fn href_text(href: &Element, limits: &Limits) -> Result<String, Error> {
    let text = href.text().trim().to_owned();
    match text.len() {
        0 => Err(Error::Syntax("an empty href")),
        length if length > limits.href => Err(too_many("octets of an href", limits.href)),
        _ => Ok(text),
    }
}

/// The number in a `limit` with `nresults` (RFC 5323 §5.17, RFC 6352 §10.6).
fn nresults(limit: &Element) -> Result<u32, Error> {
    let number = limit.elements().find(|element| element.name.local() == "nresults").map(Element::text);
    let number = number.unwrap_or_default();
    let number = number.trim();
    let is_number = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
    match number.parse() {
        Ok(number) if number > 0 => Ok(number),
        // More than fits is no limit.
        Err(_) if is_number => Ok(u32::MAX),
        _ => Err(Error::Syntax("nresults is a positive number")),
    }
}

const fn too_many(what: &'static str, limit: usize) -> Error {
    Error::Limit { what, limit }
}

#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod tests;

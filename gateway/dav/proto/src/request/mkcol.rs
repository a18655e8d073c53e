//! Extended MKCOL (RFC 5689) and MKCALENDAR (RFC 4791 §5.3.1).

use super::proppatch::properties;
use super::{root, too_many};
use crate::xml::Element;
use crate::{CALDAV, DAV, Error, Limits, Name};

/// A collection to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MakeCollection {
    /// Properties that it is to have, but for its `DAV:resourcetype`; all or nothing.
    pub properties: Vec<Element>,
    /// What its `DAV:resourcetype` is to hold; empty where nothing is said.
    pub resource_types: Vec<Name>,
}

/// Reads the body of MKCOL; an empty one asks for a plain collection. A body that is no `DAV:mkcol` is of a type that
/// MKCOL does not take (RFC 4918 §9.3).
pub fn mkcol(body: &[u8], limits: &Limits) -> Result<MakeCollection, Error> {
    let Some(root) = root(body, limits)? else { return Ok(MakeCollection::default()) };
    if !root.is(DAV, "mkcol") {
        return Err(Error::MediaType);
    }
    make(&root, limits)
}

/// Reads the body of MKCALENDAR, which may be empty. What is made is a calendar, whatever the body says.
pub fn mkcalendar(body: &[u8], limits: &Limits) -> Result<MakeCollection, Error> {
    let mut made = match root(body, limits)? {
        None => MakeCollection::default(),
        Some(root) if root.is(CALDAV, "mkcalendar") => make(&root, limits)?,
        Some(_) => return Err(Error::Syntax("the body of MKCALENDAR is a CALDAV:mkcalendar")),
    };
    made.resource_types = vec![Name::dav("collection"), Name::caldav("calendar")];
    Ok(made)
}

fn make(root: &Element, limits: &Limits) -> Result<MakeCollection, Error> {
    if root.has(DAV, "remove") {
        return Err(Error::Syntax("what is made has no properties to remove"));
    }
    let mut made = MakeCollection::default();
    for property in root.all(DAV, "set").flat_map(|set| properties(set, root.language())) {
        if property.is(DAV, "resourcetype") {
            made.resource_types = property.elements().map(|kind| kind.name.clone()).collect();
        } else {
            made.properties.push(property);
        }
        if made.properties.len() > limits.properties {
            return Err(too_many("properties", limits.properties));
        }
    }
    Ok(made)
}

//! PROPPATCH (RFC 4918 §9.2).

use super::{root, too_many};
use crate::name::XML;
use crate::xml::Element;
use crate::{DAV, Error, Limits, Name};

/// The changes of a PROPPATCH, in the order in which they are to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyUpdate {
    /// The changes; there is at least one.
    pub changes: Vec<PropertyChange>,
}

/// A change of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyChange {
    /// Give it this value: the element of the property, with the `xml:lang` that holds for it (RFC 4918 §4.3).
    Set(Element),
    /// Remove it.
    Remove(Name),
}

impl PropertyChange {
    /// The property.
    pub const fn name(&self) -> &Name {
        match self {
            Self::Set(element) => &element.name,
            Self::Remove(name) => name,
        }
    }
}

impl PropertyUpdate {
    /// Reads a body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let root = root(body, limits)?.ok_or(Error::Syntax("PROPPATCH needs a body"))?;
        if !root.is(DAV, "propertyupdate") {
            return Err(Error::Syntax("the body of PROPPATCH is a DAV:propertyupdate"));
        }
        let mut changes = Vec::new();
        for instruction in root.elements() {
            if instruction.is(DAV, "set") {
                for property in properties(instruction, root.language()) {
                    changes.push(PropertyChange::Set(property));
                }
            } else if instruction.is(DAV, "remove") {
                let removed = instruction.all(DAV, "prop").flat_map(Element::elements);
                changes.extend(removed.map(|property| PropertyChange::Remove(property.name.clone())));
            }
            if changes.len() > limits.properties {
                return Err(too_many("properties", limits.properties));
            }
        }
        if changes.is_empty() {
            return Err(Error::Syntax("DAV:propertyupdate sets and removes nothing"));
        }
        Ok(Self { changes })
    }
}

/// The properties of a `DAV:set`, each with the language that holds for it.
pub(super) fn properties(set: &Element, outer: Option<&str>) -> Vec<Element> {
    let mut found = Vec::new();
    for prop in set.all(DAV, "prop") {
        let language = prop.language().or(set.language()).or(outer);
        for property in prop.elements() {
            let mut property = property.clone();
            if let (None, Some(language)) = (property.language(), language) {
                property = property.with_attribute(Name::known(XML, "lang"), language);
            }
            found.push(property);
        }
    }
    found
}

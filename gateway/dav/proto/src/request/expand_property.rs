//! expand-property (RFC 3253 §3.8).

use super::too_many;
use crate::xml::Element;
use crate::{DAV, Error, Limits, Name};

/// A property that is wanted, and what is wanted of each resource that an href in it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandProperty {
    /// The property.
    pub name: Name,
    /// Of the resources that it refers to; where nothing is, the property is given as it is.
    pub properties: Vec<ExpandProperty>,
}

impl ExpandProperty {
    /// The properties that an element asks for.
    pub(super) fn list(root: &Element, limits: &Limits) -> Result<Vec<Self>, Error> {
        Self::of(root, &mut { limits.properties }, limits)
    }

    fn of(element: &Element, budget: &mut usize, limits: &Limits) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        for property in element.all(DAV, "property") {
            *budget = budget.checked_sub(1).ok_or(too_many("properties", limits.properties))?;
            let namespace = property.attribute("namespace").unwrap_or(DAV);
            let name = property.attribute("name").and_then(|name| Name::new(namespace, name));
            let name = name.ok_or(Error::Syntax("a property needs a name"))?;
            found.push(Self { name, properties: Self::of(property, budget, limits)? });
        }
        Ok(found)
    }
}

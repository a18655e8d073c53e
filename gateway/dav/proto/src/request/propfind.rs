//! PROPFIND (RFC 4918 §9.1), and how reports name the properties that they want.

use super::{names, root};
use crate::xml::Element;
use crate::{DAV, Error, Limits, Name};

/// Which properties are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropFind {
    /// `allprop`: the dead ones, those of RFC 4918, and some more.
    All {
        /// The further ones (RFC 4918 §14.8).
        include: Vec<Name>,
    },
    /// `propname`: the names of all.
    Names,
    /// `prop`: these.
    Listed(Vec<Name>),
}

impl PropFind {
    /// Reads a body; an empty one asks for all.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, Error> {
        let Some(root) = root(body, limits)? else { return Ok(Self::All { include: Vec::new() }) };
        if !root.is(DAV, "propfind") {
            return Err(Error::Syntax("the body of PROPFIND is a DAV:propfind"));
        }
        Self::of(&root, limits)?.ok_or(Error::Syntax("DAV:propfind holds allprop, propname or prop"))
    }

    /// Of an element that holds one of the three; `None` where it holds none.
    pub(super) fn of(element: &Element, limits: &Limits) -> Result<Option<Self>, Error> {
        let (all, name) = (element.has(DAV, "allprop"), element.has(DAV, "propname"));
        let listed = element.first(DAV, "prop");
        match (all, name, listed) {
            (true, false, None) => {
                let include = element.first(DAV, "include").map(|include| names(include, limits));
                Ok(Some(Self::All { include: include.transpose()?.unwrap_or_default() }))
            }
            (false, true, None) => Ok(Some(Self::Names)),
            (false, false, Some(listed)) => Ok(Some(Self::Listed(names(listed, limits)?))),
            (false, false, None) => Ok(None),
            _ => Err(Error::Syntax("one of allprop, propname and prop, not more")),
        }
    }

    /// Of a report, where none of the three asks for no property.
    pub(super) fn of_report(element: &Element, limits: &Limits) -> Result<Self, Error> {
        Ok(Self::of(element, limits)?.unwrap_or_else(|| Self::Listed(Vec::new())))
    }

    /// Whether this property is listed or included.
    pub fn lists(&self, name: &Name) -> bool {
        match self {
            Self::All { include: names } | Self::Listed(names) => names.contains(name),
            Self::Names => false,
        }
    }
}

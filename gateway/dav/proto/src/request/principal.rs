//! The reports about principals (RFC 3744 §9.3, §9.4), and that of Apple's calendar server.

use super::{MatchType, PropFind, Test, names, nresults, too_many};
use crate::xml::Element;
use crate::{CALENDARSERVER, DAV, Error, Limits, Name};

/// principal-property-search (RFC 3744 §9.4)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalPropertySearch {
    /// How the conditions are put together; all of them unless said otherwise.
    pub test: Test,
    /// The conditions; there is at least one.
    pub searches: Vec<PropertySearch>,
    /// Which properties are wanted.
    pub properties: PropFind,
    /// Search where principals are, and not in the collection of the request.
    pub in_principal_collections: bool,
    /// How many principals at most.
    pub limit: Option<u32>,
}

/// Text to look for in properties, without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertySearch {
    /// The properties; each of them must have the text.
    pub properties: Vec<Name>,
    /// The text.
    pub text: String,
    /// Where it must be.
    pub match_type: MatchType,
}

impl PrincipalPropertySearch {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let mut searches = Vec::new();
        for search in root.all(DAV, "property-search") {
            if searches.len() >= limits.filters {
                return Err(too_many("filters", limits.filters));
            }
            let prop = search.first(DAV, "prop").map(|prop| names(prop, limits)).transpose()?;
            let text = search.first(DAV, "match").map(|text| (text.text(), MatchType::of(text)));
            let (Some(properties), Some((text, match_type))) = (prop, text) else {
                return Err(Error::Syntax("a property-search has a prop and a match"));
            };
            bounded(&text, limits)?;
            searches.push(PropertySearch { properties, text, match_type: match_type? });
        }
        if searches.is_empty() {
            return Err(Error::Syntax("a principal-property-search needs a property-search"));
        }
        Ok(Self {
            test: if root.attribute("test").is_some() { Test::of(root)? } else { Test::AllOf },
            searches,
            properties: PropFind::of_report(root, limits)?,
            in_principal_collections: root.has(DAV, "apply-to-principal-collection-set"),
            limit: limit(root)?,
        })
    }
}

/// principal-match (RFC 3744 §9.3)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalMatch {
    /// Which resources.
    pub who: Who,
    /// Which properties are wanted.
    pub properties: PropFind,
}

/// Which resources a principal-match is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Principals that are the user, or a group of theirs.
    This,
    /// Resources that have the user in this property.
    Property(Name),
}

impl PrincipalMatch {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let bad = Error::Syntax("a principal-match has self or a principal-property");
        let property = root.first(DAV, "principal-property").map(|property| names(property, limits));
        let who = match (root.has(DAV, "self"), property.transpose()?.as_deref()) {
            (true, None) => Who::This,
            (false, Some([name])) => Who::Property(name.clone()),
            _ => return Err(bad),
        };
        Ok(Self { who, properties: PropFind::of_report(root, limits)? })
    }
}

/// calendarserver-principal-search: words to look for in names and addresses of principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarServerPrincipalSearch {
    /// The words, each of which must be found; there is at least one.
    pub tokens: Vec<String>,
    /// What the principals are for: `attendee`, `location`, `resource`, `user`, `group`, ...
    pub context: Option<String>,
    /// Which properties are wanted.
    pub properties: PropFind,
    /// How many principals at most.
    pub limit: Option<u32>,
}

impl CalendarServerPrincipalSearch {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let mut tokens = Vec::new();
        for token in root.all(CALENDARSERVER, "search-token") {
            if tokens.len() >= limits.filters {
                return Err(too_many("filters", limits.filters));
            }
            let text = token.text().trim().to_owned();
            bounded(&text, limits)?;
            if !text.is_empty() {
                tokens.push(text);
            }
        }
        if tokens.is_empty() {
            return Err(Error::Syntax("a calendarserver-principal-search needs a search-token"));
        }
        Ok(Self {
            tokens,
            context: root.attribute("context").map(str::to_owned),
            properties: PropFind::of_report(root, limits)?,
            limit: limit(root)?,
        })
    }
}

fn limit(root: &Element) -> Result<Option<u32>, Error> {
    let limit = root.first(DAV, "limit").or_else(|| root.first(CALENDARSERVER, "limit"));
    limit.map(nresults).transpose()
}

fn bounded(text: &str, limits: &Limits) -> Result<(), Error> {
    if text.len() > limits.match_text {
        return Err(too_many("octets of a text to match", limits.match_text));
    }
    Ok(())
}

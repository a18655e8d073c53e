//! `text-match` and `param-filter`, which CalDAV (RFC 4791 §9.7.3, §9.7.5) and CardDAV (RFC 6352 §10.5.2, §10.5.4) have
//! in common.

use super::too_many;
use crate::collation::Collation;
use crate::xml::Element;
use crate::{CALDAV, Error, Limits, Precondition};

/// How several conditions are put together (RFC 6352 §10.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Test {
    /// One of them holds.
    #[default]
    AnyOf,
    /// All of them hold.
    AllOf,
}

impl Test {
    pub(super) fn of(element: &Element) -> Result<Self, Error> {
        match element.attribute("test") {
            None | Some("anyof") => Ok(Self::AnyOf),
            Some("allof") => Ok(Self::AllOf),
            Some(_) => Err(Error::Syntax("test is anyof or allof")),
        }
    }

    /// Whether conditions hold; there should be one.
    pub(crate) fn holds(self, mut conditions: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::AnyOf => conditions.any(|holds| holds),
            Self::AllOf => conditions.all(|holds| holds),
        }
    }
}

/// A text to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    /// The text.
    pub text: String,
    /// How it is compared.
    pub collation: Collation,
    /// Where it must be.
    pub match_type: MatchType,
    /// It must not be there.
    pub negate: bool,
}

/// `match-type` (RFC 6352 §10.5.4); CalDAV has no other than `contains`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatchType {
    /// All of the value.
    Equals,
    /// Anywhere in it.
    #[default]
    Contains,
    /// At its beginning.
    StartsWith,
    /// At its end.
    EndsWith,
}

impl MatchType {
    pub(super) fn of(element: &Element) -> Result<Self, Error> {
        Ok(match element.attribute("match-type") {
            None | Some("contains") => Self::Contains,
            Some("equals") => Self::Equals,
            Some("starts-with") => Self::StartsWith,
            Some("ends-with") => Self::EndsWith,
            Some(_) => return Err(Error::Syntax("match-type is equals, contains, starts-with or ends-with")),
        })
    }
}

impl TextMatch {
    pub(super) fn of(element: &Element, limits: &Limits) -> Result<Self, Error> {
        let text = element.text();
        if text.len() > limits.match_text {
            return Err(too_many("octets of a text to match", limits.match_text));
        }
        let (default, unsupported) = if element.name.namespace() == CALDAV {
            (Collation::AsciiCasemap, Precondition::SupportedCollation)
        } else {
            (Collation::UnicodeCasemap, Precondition::SupportedAddressCollation)
        };
        let collation = match element.attribute("collation") {
            None => default,
            Some(id) => Collation::named(id.trim())
                .ok_or(Error::Precondition(unsupported, "this collation is not known"))?,
        };
        let negate = match element.attribute("negate-condition").unwrap_or("no") {
            "yes" => true,
            "no" => false,
            _ => return Err(Error::Syntax("negate-condition is yes or no")),
        };
        Ok(Self { text, collation, match_type: MatchType::of(element)?, negate })
    }
}

/// A condition on a parameter of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamFilter {
    /// Its name.
    pub name: String,
    /// What must hold.
    pub test: ParamTest,
}

/// What must hold of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamTest {
    /// It is there.
    Defined,
    /// It is not there.
    NotDefined,
    /// One of its values has this text.
    Text(TextMatch),
}

impl ParamFilter {
    pub(super) fn of(element: &Element, limits: &Limits) -> Result<Self, Error> {
        let namespace = element.name.namespace();
        let name = named(element)?;
        let text = element.first(namespace, "text-match");
        let test = match (element.has(namespace, "is-not-defined"), text) {
            (false, None) => ParamTest::Defined,
            (true, None) => ParamTest::NotDefined,
            (false, Some(text)) => ParamTest::Text(TextMatch::of(text, limits)?),
            (true, Some(_)) => return Err(Error::Syntax("what is not defined has no text")),
        };
        Ok(Self { name, test })
    }
}

/// The `name` of a filter.
pub(super) fn named(element: &Element) -> Result<String, Error> {
    let name = element.attribute("name").map(str::trim).filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or(Error::Syntax("a filter needs a name"))
}

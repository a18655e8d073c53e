//! addressbook-query (RFC 6352 §8.6, §10.3, §10.5).

use super::text_match::named;
use super::{AddressData, ParamFilter, PropFind, Test, TextMatch, nresults, too_many};
use crate::xml::Element;
use crate::{CARDDAV, Error, Limits};

/// addressbook-query
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressbookQuery {
    /// Which properties are wanted.
    pub properties: PropFind,
    /// What of the address data, where it is wanted.
    pub data: Option<AddressData>,
    /// Which objects.
    pub filter: AddressFilter,
    /// How many objects at most.
    pub limit: Option<u32>,
}

/// A condition on a card (RFC 6352 §10.5). One without conditions holds for every card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressFilter {
    /// How the conditions are put together.
    pub test: Test,
    /// The conditions.
    pub properties: Vec<ContactPropFilter>,
}

/// A condition on a property of a card (RFC 6352 §10.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPropFilter {
    /// Its name, with its group and a dot before it where only that group is meant.
    pub name: String,
    /// What must hold.
    pub test: ContactPropTest,
}

/// What must hold of a property of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactPropTest {
    /// There is none.
    NotDefined,
    /// There is one for which this holds; without conditions, that there is one.
    Defined {
        /// How the conditions are put together.
        test: Test,
        /// Of its value.
        texts: Vec<TextMatch>,
        /// Of its parameters.
        parameters: Vec<ParamFilter>,
    },
}

impl AddressbookQuery {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let filter = root.first(CARDDAV, "filter");
        let filter = filter.ok_or(Error::Syntax("an addressbook-query needs a filter"))?;
        Ok(Self {
            properties: PropFind::of_report(root, limits)?,
            data: AddressData::of_report(root, limits)?,
            filter: AddressFilter::of(filter, limits)?,
            limit: root.first(CARDDAV, "limit").map(nresults).transpose()?,
        })
    }
}

impl AddressFilter {
    fn of(element: &Element, limits: &Limits) -> Result<Self, Error> {
        let mut budget = limits.filters;
        let mut properties = Vec::new();
        for inner in element.all(CARDDAV, "prop-filter") {
            properties.push(ContactPropFilter::of(inner, &mut budget, limits)?);
        }
        Ok(Self { test: Test::of(element)?, properties })
    }
}

impl ContactPropFilter {
    fn of(element: &Element, budget: &mut usize, limits: &Limits) -> Result<Self, Error> {
        let mut spend = || {
            *budget = budget.checked_sub(1).ok_or(too_many("filters", limits.filters))?;
            Ok::<_, Error>(())
        };
        spend()?;
        let name = named(element)?;
        let mut texts = Vec::new();
        for inner in element.all(CARDDAV, "text-match") {
            spend()?;
            texts.push(TextMatch::of(inner, limits)?);
        }
        let mut parameters = Vec::new();
        for inner in element.all(CARDDAV, "param-filter") {
            spend()?;
            parameters.push(ParamFilter::of(inner, limits)?);
        }
        let test = if element.has(CARDDAV, "is-not-defined") {
            if !texts.is_empty() || !parameters.is_empty() {
                return Err(Error::Syntax("of what is not defined nothing more can hold"));
            }
            ContactPropTest::NotDefined
        } else {
            ContactPropTest::Defined { test: Test::of(element)?, texts, parameters }
        };
        Ok(Self { name, test })
    }
}

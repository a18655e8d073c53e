//! calendar-multiget (RFC 4791 §7.9) and addressbook-multiget (RFC 6352 §8.7).

use super::{AddressData, CalendarData, PropFind, hrefs};
use crate::xml::Element;
use crate::{Error, Limits};

/// calendar-multiget
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarMultiget {
    /// Which properties are wanted.
    pub properties: PropFind,
    /// What of the calendar data, where it is wanted.
    pub data: Option<CalendarData>,
    /// The hrefs as they were written; one that cannot be read is answered with its own status.
    pub hrefs: Vec<String>,
}

/// addressbook-multiget
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressbookMultiget {
    /// Which properties are wanted.
    pub properties: PropFind,
    /// What of the address data, where it is wanted.
    pub data: Option<AddressData>,
    /// The hrefs as they were written; one that cannot be read is answered with its own status.
    pub hrefs: Vec<String>,
}

impl CalendarMultiget {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let properties = PropFind::of_report(root, limits)?;
        Ok(Self { properties, data: CalendarData::of_report(root, limits)?, hrefs: some(root, limits)? })
    }
}

impl AddressbookMultiget {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let properties = PropFind::of_report(root, limits)?;
        Ok(Self { properties, data: AddressData::of_report(root, limits)?, hrefs: some(root, limits)? })
    }
}

fn some(root: &Element, limits: &Limits) -> Result<Vec<String>, Error> {
    let hrefs = hrefs(root, limits)?;
    if hrefs.is_empty() { Err(Error::Syntax("a multiget needs an href")) } else { Ok(hrefs) }
}

//! `calendar-data` in a report: what of the calendar objects is wanted (RFC 4791 §9.6).

use std::ops::Range;

use super::too_many;
use crate::time_range::TimeRange;
use crate::xml::Element;
use crate::{CALDAV, DAV, Error, Limits, Precondition};

/// What of a calendar object is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarData {
    /// Which components and properties; `None` for all.
    pub comp: Option<CompSelection>,
    /// Which instances; `None` for the object as it is.
    pub recurrence: Option<RecurrenceSelection>,
    /// Only the busy times in this range, seconds since 1970 (RFC 4791 §9.6.7).
    pub limit_freebusy_set: Option<Range<i64>>,
}

/// What becomes of what recurs. Ranges are of seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecurrenceSelection {
    /// Each instance in a range as a component of its own, in UTC (RFC 4791 §9.6.5).
    Expand(Range<i64>),
    /// Only the changed instances that matter in a range (RFC 4791 §9.6.6).
    Limit(Range<i64>),
}

/// A component that is wanted, and what of it (RFC 4791 §9.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompSelection {
    /// Its name.
    pub name: String,
    /// Its properties.
    pub properties: Selected<PropSelection>,
    /// The components in it.
    pub components: Selected<CompSelection>,
}

/// All, or those of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected<T> {
    /// All.
    All,
    /// These.
    Listed(Vec<T>),
}

/// A property that is wanted (RFC 4791 §9.6.4, RFC 6352 §10.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropSelection {
    /// Its name; in CardDAV with the group before it, where one was given.
    pub name: String,
    /// Without its value.
    pub no_value: bool,
}

impl CalendarData {
    /// Of the `calendar-data` among the properties that a report wants.
    pub(super) fn of_report(report: &Element, limits: &Limits) -> Result<Option<Self>, Error> {
        let data = report.all(DAV, "prop").find_map(|prop| prop.first(CALDAV, "calendar-data"));
        data.map(|data| Self::of(data, limits)).transpose()
    }

    fn of(data: &Element, limits: &Limits) -> Result<Self, Error> {
        let kind = data.attribute("content-type").unwrap_or("text/calendar");
        let version = data.attribute("version").unwrap_or("2.0");
        if !kind.trim().eq_ignore_ascii_case("text/calendar") || version.trim() != "2.0" {
            let what = "calendar data is text/calendar, version 2.0";
            return Err(Error::Precondition(Precondition::SupportedCalendarData, what));
        }
        let range = |name| data.first(CALDAV, name).map(closed_range).transpose();
        let recurrence = match (range("expand")?, range("limit-recurrence-set")?) {
            (Some(_), Some(_)) => {
                return Err(Error::Syntax("expand or limit-recurrence-set, not both"));
            }
            (Some(range), None) => Some(RecurrenceSelection::Expand(range)),
            (None, range) => range.map(RecurrenceSelection::Limit),
        };
        let mut budget = limits.properties;
        let comp = data.first(CALDAV, "comp").map(|comp| selection(comp, &mut budget, limits));
        let comp = comp.transpose()?;
        if comp.as_ref().is_some_and(|comp| !comp.name.eq_ignore_ascii_case("VCALENDAR")) {
            return Err(Error::Syntax("the outermost comp of calendar-data is VCALENDAR"));
        }
        Ok(Self { comp, recurrence, limit_freebusy_set: range("limit-freebusy-set")? })
    }
}

fn selection(comp: &Element, budget: &mut usize, limits: &Limits) -> Result<CompSelection, Error> {
    let mut spend = || {
        *budget = budget.checked_sub(1).ok_or(too_many("properties", limits.properties))?;
        Ok::<_, Error>(())
    };
    spend()?;
    let name = comp.attribute("name").ok_or(Error::Syntax("comp needs a name"))?.to_owned();
    // RFC 4791 §7.8.1 shows an empty comp that stands for all of its component.
    let is_empty = comp.elements().next().is_none();
    let mut properties = Vec::new();
    for prop in comp.all(CALDAV, "prop") {
        spend()?;
        properties.push(prop_selection(prop)?);
    }
    let mut components = Vec::new();
    for inner in comp.all(CALDAV, "comp") {
        components.push(selection(inner, budget, limits)?);
    }
    let all_properties = is_empty || comp.has(CALDAV, "allprop");
    let all_components = is_empty || comp.has(CALDAV, "allcomp");
    Ok(CompSelection {
        name,
        properties: if all_properties { Selected::All } else { Selected::Listed(properties) },
        components: if all_components { Selected::All } else { Selected::Listed(components) },
    })
}

pub(super) fn prop_selection(prop: &Element) -> Result<PropSelection, Error> {
    let name = prop.attribute("name").ok_or(Error::Syntax("prop needs a name"))?.to_owned();
    let no_value = match prop.attribute("novalue").unwrap_or("no") {
        "yes" => true,
        "no" => false,
        _ => return Err(Error::Syntax("novalue is yes or no")),
    };
    Ok(PropSelection { name, no_value })
}

/// A range that has both ends.
fn closed_range(element: &Element) -> Result<Range<i64>, Error> {
    let bad = Error::Syntax("expand and the limits of calendar-data have a start and a later end in UTC");
    match TimeRange::of(element) {
        Some(TimeRange { start: Some(start), end: Some(end) }) => Ok(start..end),
        _ => Err(bad),
    }
}

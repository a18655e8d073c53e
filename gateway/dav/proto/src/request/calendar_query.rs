//! calendar-query (RFC 4791 §7.8, §9.5, §9.7) and free-busy-query (§7.10).

use kontor_model::icalendar::Component;
use kontor_model::time_zone::TimeZone;

use super::text_match::named;
use super::{CalendarData, ParamFilter, PropFind, TextMatch, too_many};
use crate::limits::TIME_ZONE;
use crate::time_range::TimeRange;
use crate::xml::Element;
use crate::{CALDAV, Error, Limits, Precondition};

/// calendar-query
#[derive(Clone, Debug)]
pub struct CalendarQuery {
    /// Which properties are wanted.
    pub properties: PropFind,
    /// What of the calendar data, where it is wanted.
    pub data: Option<CalendarData>,
    /// Which objects; it is about `VCALENDAR`.
    pub filter: CompFilter,
    /// The zone in which floating times and dates are read; `None` for that of the calendar.
    pub time_zone: Option<TimeZone>,
}

/// A condition on a component (RFC 4791 §9.7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompFilter {
    /// The name of the component.
    pub name: String,
    /// What must hold.
    pub test: CompTest,
}

/// What must hold of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompTest {
    /// There is none.
    NotDefined,
    /// There is one for which all of this holds.
    Defined {
        /// It is in this range.
        time_range: Option<TimeRange>,
        /// Of its properties.
        properties: Vec<PropFilter>,
        /// Of the components in it.
        components: Vec<CompFilter>,
    },
}

/// A condition on a property (RFC 4791 §9.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropFilter {
    /// The name of the property.
    pub name: String,
    /// What must hold.
    pub test: PropTest,
}

/// What must hold of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropTest {
    /// There is none.
    NotDefined,
    /// There is one for which all of this holds.
    Defined {
        /// Of its value.
        value: Option<ValueTest>,
        /// Of its parameters.
        parameters: Vec<ParamFilter>,
    },
}

/// What must hold of the value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueTest {
    /// The time or period is in this range.
    TimeRange(TimeRange),
    /// It has this text.
    Text(TextMatch),
}

impl CalendarQuery {
    pub(super) fn of(root: &Element, limits: &Limits) -> Result<Self, Error> {
        let invalid = |what| Error::Precondition(Precondition::ValidFilter, what);
        let filter = root.first(CALDAV, "filter").ok_or(invalid("a calendar-query needs a filter"))?;
        let mut outer = filter.all(CALDAV, "comp-filter");
        let (Some(comp), None) = (outer.next(), outer.next()) else {
            return Err(invalid("a filter holds one comp-filter"));
        };
        let filter = CompFilter::of(comp, &mut { limits.filters }, limits)?;
        if !filter.name.eq_ignore_ascii_case("VCALENDAR") {
            return Err(invalid("the outermost comp-filter is about VCALENDAR"));
        }
        Ok(Self {
            properties: PropFind::of_report(root, limits)?,
            data: CalendarData::of_report(root, limits)?,
            filter,
            time_zone: time_zone(root)?,
        })
    }
}

impl CompFilter {
    fn of(element: &Element, budget: &mut usize, limits: &Limits) -> Result<Self, Error> {
        spend(budget, limits)?;
        let name = filter_name(element)?;
        let ranges = element.all(CALDAV, "time-range").count();
        let time_range = element.first(CALDAV, "time-range").map(time_range).transpose()?;
        let mut properties = Vec::new();
        for inner in element.all(CALDAV, "prop-filter") {
            properties.push(PropFilter::of(inner, budget, limits)?);
        }
        let mut components = Vec::new();
        for inner in element.all(CALDAV, "comp-filter") {
            components.push(Self::of(inner, budget, limits)?);
        }
        let is_outermost = name.eq_ignore_ascii_case("VCALENDAR");
        if ranges > 1 || (ranges > 0 && is_outermost) {
            let what = "a time-range that is not of an event, a task or another component with times";
            return Err(Error::Precondition(Precondition::ValidFilter, what));
        }
        let test = if element.has(CALDAV, "is-not-defined") {
            if ranges > 0 || !properties.is_empty() || !components.is_empty() {
                return Err(NOTHING_MORE);
            }
            CompTest::NotDefined
        } else {
            CompTest::Defined { time_range, properties, components }
        };
        Ok(Self { name, test })
    }
}

impl PropFilter {
    fn of(element: &Element, budget: &mut usize, limits: &Limits) -> Result<Self, Error> {
        spend(budget, limits)?;
        let name = filter_name(element)?;
        let range = element.first(CALDAV, "time-range").map(time_range).transpose()?;
        let text = element.first(CALDAV, "text-match").map(|text| TextMatch::of(text, limits));
        let value = match (range, text.transpose()?) {
            (Some(range), None) => Some(ValueTest::TimeRange(range)),
            (None, text) => text.map(ValueTest::Text),
            (Some(_), Some(_)) => {
                let what = "a prop-filter has a time-range or a text-match, not both";
                return Err(Error::Precondition(Precondition::ValidFilter, what));
            }
        };
        let mut parameters = Vec::new();
        for inner in element.all(CALDAV, "param-filter") {
            spend(budget, limits)?;
            parameters.push(ParamFilter::of(inner, limits)?);
        }
        let test = if element.has(CALDAV, "is-not-defined") {
            if value.is_some() || !parameters.is_empty() {
                return Err(NOTHING_MORE);
            }
            PropTest::NotDefined
        } else {
            PropTest::Defined { value, parameters }
        };
        Ok(Self { name, test })
    }
}

/// free-busy-query: the range of it (RFC 4791 §7.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeBusyQuery {
    /// From when to when.
    pub range: TimeRange,
}

impl FreeBusyQuery {
    pub(super) fn of(root: &Element) -> Result<Self, Error> {
        let range = root.first(CALDAV, "time-range").and_then(TimeRange::of);
        let range = range.ok_or(Error::Syntax("a free-busy-query needs a time-range in UTC"))?;
        Ok(Self { range })
    }
}

fn time_range(element: &Element) -> Result<TimeRange, Error> {
    let what = "a time-range has a start or a later end in UTC";
    TimeRange::of(element).ok_or(Error::Precondition(Precondition::ValidFilter, what))
}

fn filter_name(element: &Element) -> Result<String, Error> {
    named(element).map_err(|_| Error::Precondition(Precondition::ValidFilter, "a filter needs a name"))
}

fn spend(budget: &mut usize, limits: &Limits) -> Result<(), Error> {
    *budget = budget.checked_sub(1).ok_or(too_many("filters", limits.filters))?;
    Ok(())
}

/// `timezone` (RFC 4791 §9.8), or `timezone-id` (RFC 7809 §4.2).
fn time_zone(root: &Element) -> Result<Option<TimeZone>, Error> {
    if let Some(id) = root.first(CALDAV, "timezone-id") {
        let zone = TimeZone::named(&id.text());
        let unknown = Error::Precondition(Precondition::ValidTimezone, "this time zone is not known");
        return zone.map(Some).ok_or(unknown);
    }
    let Some(element) = root.first(CALDAV, "timezone") else { return Ok(None) };
    let text = element.text();
    let zone = Component::parse(text.trim().as_bytes(), &TIME_ZONE).ok().and_then(|calendar| {
        let component = if calendar.is("VTIMEZONE") { &calendar } else { calendar.component("VTIMEZONE")? };
        TimeZone::from_vtimezone(component).ok()
    });
    let what = "timezone is a calendar with one VTIMEZONE";
    zone.map(Some).ok_or(Error::Precondition(Precondition::ValidCalendarData, what))
}

const NOTHING_MORE: Error =
    Error::Precondition(Precondition::ValidFilter, "of what is not defined nothing more can hold");

//! Single instances of a meeting: which they are, and their own components.

use crate::icalendar::value::CalendarTime;
use crate::icalendar::{Component, Property};
use crate::time_zone::{CalendarZones, TimeZone, clock, wall_seconds};

use super::people::{is_part, parts};

/// The moments of a calendar object. Floating times compare as if they were UTC.
pub(crate) fn zones(calendar: &Component) -> CalendarZones {
    CalendarZones::of(calendar, TimeZone::utc())
}

/// Which instance a component is of; `None` is the series.
pub(crate) fn instance(part: &Component, zones: &CalendarZones) -> Option<i64> {
    part.time("RECURRENCE-ID")?.ok().map(|time| zones.to_unix(&time))
}

/// The component of an instance, or of the series.
pub(crate) fn part<'a>(
    calendar: &'a Component,
    zones: &CalendarZones,
    which: Option<i64>,
) -> Option<&'a Component> {
    parts(calendar).find(|part| instance(part, zones) == which)
}

/// The component of an instance as the series has it: the master with a RECURRENCE-ID and the times of that day.
pub(super) fn detached(master: &Component, id: &Property) -> Component {
    let mut part = master.clone();
    for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
        part.remove(name);
    }
    let start = master.time("DTSTART").and_then(Result::ok);
    let end = ["DTEND", "DUE"].into_iter().find_map(|name| Some((name, master.time(name)?.ok()?)));
    let original = CalendarTime::parse(&id.value, id.parameter("TZID"));
    if let (Some(start), Ok(original)) = (start, original) {
        let zones = zones(&Component { components: vec![master.clone()], ..Component::new("VCALENDAR") });
        // The instance by the clock of the series.
        let zone = zones.zone_of(&start);
        let local = match &original {
            CalendarTime::Utc(_) if !start.is_date() => zone.to_local(zones.to_unix(&original)),
            time => time.local(),
        };
        part.set(Property::with_time("DTSTART", &start.with_local(local)));
        if let Some((name, end)) = end {
            let length = wall_seconds(end.local()) - wall_seconds(start.local());
            let end = end.with_local(clock(wall_seconds(local).saturating_add(length)));
            part.set(Property::with_time(name, &end));
        }
    }
    part.set(id.clone());
    part
}

/// A component of a series as one instance of it, which begins and ends then.
pub(crate) fn single(
    series: &Component,
    begins: &CalendarTime,
    ends: i64,
    zones: &CalendarZones,
) -> Component {
    let mut part = series.clone();
    for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
        part.remove(name);
    }
    let times = (series.time("DTSTART").and_then(Result::ok), series.time("DTEND").and_then(Result::ok));
    part.set(Property::with_time("DTSTART", begins));
    if let (Some(start), Some(end)) = times {
        let length = wall_seconds(end.local()).saturating_sub(wall_seconds(start.local()));
        let by_clock = end.with_local(clock(wall_seconds(begins.local()).saturating_add(length)));
        // A date of a series may have a length of its own, and clocks change.
        let is_same = start.is_date() || zones.to_unix(&by_clock) == ends;
        part.set(Property::with_time(
            "DTEND",
            &if is_same { by_clock } else { CalendarTime::Utc(clock(ends)) },
        ));
    }
    part
}

/// Takes an instance out of a series.
pub(super) fn exclude(master: &mut Component, id: &Property) {
    let mut property = id.clone();
    "EXDATE".clone_into(&mut property.name);
    property.remove_parameter("RANGE");
    let same = |other: &Property| other.is("EXDATE") && other.value == property.value;
    if !master.properties.iter().any(same) {
        master.push(property);
    }
}

/// Removes the component of an instance; whether there was one.
pub(super) fn remove(calendar: &mut Component, zones: &CalendarZones, which: Option<i64>) -> bool {
    let before = calendar.components.len();
    calendar.components.retain(|part| !is_part(part) || instance(part, zones) != which);
    before != calendar.components.len()
}

/// Adds the time zones that a calendar does not have from another one.
pub(super) fn adopt_zones(calendar: &mut Component, from: &Component) {
    let known: Vec<_> = calendar.components_named("VTIMEZONE").filter_map(|zone| zone.text("TZID")).collect();
    let new: Vec<_> = from
        .components_named("VTIMEZONE")
        .filter(|zone| zone.text("TZID").is_some_and(|tzid| !known.contains(&tzid)))
        .cloned()
        .collect();
    calendar.components.splice(0..0, new);
}

//! Single instances of a meeting: which they are, and their own components.

use crate::icalendar::value::CalendarTime;
use crate::icalendar::{CalendarObject, Component, Property};
use crate::recurrence::{Limits, instances};
use crate::time_zone::{CalendarZones, TimeZone, clock, wall_seconds};

use super::people::{is_part, parts};

/// The moments of a calendar object. Floating times compare as if they were UTC.
pub(crate) fn zones(calendar: &Component) -> CalendarZones {
    CalendarZones::of(calendar, TimeZone::utc())
}

/// What a component is about that is not about the whole series. There may be one for an instance and another one for all
/// from it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Which {
    /// When the instance would be by the series, in Unix seconds.
    pub at: i64,
    /// All instances from it on (RFC 5545 §3.2.13).
    pub and_future: bool,
}

impl Which {
    /// A single instance.
    pub const fn one(at: i64) -> Self {
        Self { at, and_future: false }
    }
}

/// Which instances a component is of; `None` is the series.
pub(crate) fn instance(part: &Component, zones: &CalendarZones) -> Option<Which> {
    let id = part.property("RECURRENCE-ID")?;
    let time = CalendarTime::parse(&id.value, id.parameter("TZID")).ok()?;
    Some(Which { at: zones.to_unix(&time), and_future: id.parameter("RANGE").is_some() })
}

/// The component of an instance, or of the series.
pub(crate) fn part<'a>(
    calendar: &'a Component,
    zones: &CalendarZones,
    which: Option<Which>,
) -> Option<&'a Component> {
    parts(calendar).find(|part| instance(part, zones) == which)
}

/// The component that says how an instance is which has none of its own.
pub(crate) fn describing<'a>(
    calendar: &'a Component,
    zones: &CalendarZones,
    at: i64,
) -> Option<&'a Component> {
    let futures = parts(calendar).filter_map(|part| Some((instance(part, zones)?, part)));
    let futures = futures.filter(|(which, _)| which.and_future && which.at <= at);
    let last = futures.max_by_key(|(which, _)| which.at).map(|(_, part)| part);
    last.or_else(|| part(calendar, zones, None))
}

/// What is said of an instance with this RECURRENCE-ID: by its own component, or as one of its own would repeat it. `None`
/// where there is no series that it could be of.
pub(super) fn said_of(
    calendar: &Component,
    zones: &CalendarZones,
    which: Which,
    id: &Property,
) -> Option<Component> {
    if let Some(own) = part(calendar, zones, Some(which)) {
        return Some(own.clone());
    }
    let describing = describing(calendar, zones, which.at)?;
    if describing.property("RECURRENCE-ID").is_none() {
        return Some(detached(describing, id));
    }
    let mut one = as_instance(calendar, zones, which.at)?;
    one.set(id.clone());
    Some(one)
}

/// An instance that has no component of its own, as one that has, without its RECURRENCE-ID; `None` where there is none.
pub(super) fn as_instance(calendar: &Component, zones: &CalendarZones, at: i64) -> Option<Component> {
    let object = CalendarObject::check(calendar).ok()?;
    // Where all from some instance on are at another time, so is this one.
    let shifts = parts(calendar).filter_map(|part| {
        let from = instance(part, zones).filter(|which| which.and_future)?;
        let start = part.time("DTSTART")?.ok()?;
        Some(zones.to_unix(&start).saturating_sub(from.at))
    });
    let near = |shift: i64| {
        let moment = at.saturating_add(shift);
        moment.saturating_sub(DAY)..moment.saturating_add(DAY)
    };
    let mut windows = std::iter::once(0).chain(shifts.take(MOST_SHIFTS)).map(near);
    windows.find_map(|window| {
        let all = instances(&object, zones, window, Limits::default()).ok()?;
        let is_it = |id: &CalendarTime| zones.to_unix(id) == at;
        let found = all.into_iter().find(|one| one.recurrence_id.as_ref().is_some_and(is_it))?;
        Some(single(found.component, &found.start, found.unix.end, zones))
    })
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
pub(super) fn remove(calendar: &mut Component, zones: &CalendarZones, which: Option<Which>) -> bool {
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

/// Seconds.
const DAY: i64 = 86_400;
const MOST_SHIFTS: usize = 16;

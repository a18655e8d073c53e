//! In which form the times of an item are said.

use super::clock::Clock;
use super::{Context, Kept};
use crate::icalendar::value::CalendarTime;
use crate::icalendar::{Component, Property};
use crate::message::Message;
use crate::property::{PropertyName, named};
use crate::time_zone::TimeZone;

/// The clocks of an item's times.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) start: Clock,
    pub(super) end: Clock,
    pub(super) all_day: bool,
    /// Where the series, or the only instance, begins.
    pub(super) begins: i64,
}

impl Form {
    /// Of an appointment: by its definitions of zones, with the names that are kept where they mean the same.
    pub(super) fn of(message: &Message, kept: Option<&Kept<'_>>, context: &Context) -> Self {
        let bag = &message.properties;
        let all_day = bag.boolean(named::APPOINTMENT_SUB_TYPE);
        let known = |name: &str| {
            let time = kept?.component.time(name)?.ok()?;
            Some(Clock::of_time(&time, kept?.zones))
        };
        let (start_known, end_known) = (known("DTSTART"), known("DTEND").or_else(|| known("DTSTART")));
        let clock = |names: &[PropertyName], known: Option<&Clock>| {
            let found = names.iter().find_map(|name| bag.binary(name.clone()));
            found.and_then(|octets| Clock::of_definition(octets, known))
        };
        let otherwise = || if all_day { Clock::of_zone(context.zone.clone()) } else { Clock::utc() };
        let series = named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR;
        let display = named::APPOINTMENT_TIME_ZONE_DEFINITION_START_DISPLAY;
        let end_display = named::APPOINTMENT_TIME_ZONE_DEFINITION_END_DISPLAY;
        let start = clock(&[series.clone(), display], start_known.as_ref())
            .or_else(|| structure_clock(message))
            .unwrap_or_else(otherwise);
        let end = clock(&[end_display, series], end_known.as_ref()).unwrap_or_else(|| start.clone());
        let begins = bag.time(named::APPOINTMENT_START_WHOLE).map_or(0, |time| time.to_unix());
        Self { start, end, all_day, begins }
    }

    /// Of a task: dates are days, in no zone.
    pub(super) fn of_task(message: &Message, kept: Option<&Kept<'_>>, context: &Context) -> Self {
        let times: Vec<_> = ["DTSTART", "DUE"]
            .iter()
            .filter_map(|name| kept.and_then(|kept| kept.component.time(name)?.ok()))
            .collect();
        // A task that came with times of the day goes on having them.
        let timed = times.iter().find(|time| !time.is_date());
        let clock = match (timed, kept) {
            (Some(time), Some(kept)) => Clock::of_time(time, kept.zones),
            _ => Clock::of_zone(context.zone.clone()),
        };
        let begins = message.properties.time(named::COMMON_START).map_or(0, |time| time.to_unix());
        Self { start: clock.clone(), end: clock, all_day: timed.is_none(), begins }
    }

    /// Of a journal entry.
    pub(super) fn of_journal(message: &Message, kept: Option<&Kept<'_>>, context: &Context) -> Self {
        let time = kept.and_then(|kept| Some((kept.component.time("DTSTART")?.ok()?, kept.zones)));
        let clock = match &time {
            Some((time, zones)) => Clock::of_time(time, zones),
            None => Clock::of_zone(context.zone.clone()),
        };
        let begins = message.properties.time(named::LOG_START).map_or(0, |time| time.to_unix());
        let all_day = match time {
            Some((time, _)) => time.is_date(),
            None => message.properties.boolean(named::APPOINTMENT_SUB_TYPE),
        };
        Self { start: clock.clone(), end: clock, all_day, begins }
    }

    /// The RECURRENCE-ID of the instance that the series has at a moment.
    pub(super) fn original(&self, unix: i64) -> CalendarTime {
        self.start.time(unix, self.all_day)
    }
}

/// The clock of what has only PidLidTimeZoneStruct, as older programs write it.
fn structure_clock(message: &Message) -> Option<Clock> {
    let octets = message.properties.binary(named::TIME_ZONE_STRUCT)?;
    let name = message.properties.string(named::TIME_ZONE_DESCRIPTION).unwrap_or("Zone");
    let zone = crate::time_zone::TimeZoneStruct::decode(octets).ok()?.to_zone(name);
    Some(Clock::of_zone(zone))
}

/// Adds a VTIMEZONE for each TZID that has none yet.
pub(super) fn add_zones(calendar: &mut Component, message: &Message) {
    let mut missing: Vec<String> = Vec::new();
    let mut since = i64::MAX;
    for component in calendar.components.iter().filter(|component| !component.is("VTIMEZONE")) {
        for tzid in component.properties.iter().filter_map(|property| property.parameter("TZID")) {
            let is_there = calendar
                .components_named("VTIMEZONE")
                .any(|zone| zone.property("TZID").map(Property::text).as_deref() == Some(tzid));
            if !is_there && !missing.iter().any(|known| known == tzid) {
                missing.push(tzid.to_owned());
            }
        }
        if let Some(Ok(start)) = component.time("DTSTART") {
            since = since.min(crate::time_zone::wall_seconds(start.local()));
        }
    }
    let since = if since == i64::MAX { 0 } else { since };
    let own = structure_or_definition(message);
    for tzid in missing {
        let zone = own.clone().filter(|zone| zone.id() == tzid).or_else(|| TimeZone::named(&tzid));
        if let Some(zone) = zone {
            calendar.components.insert(0, zone.to_vtimezone(&tzid, since));
        }
    }
}

fn structure_or_definition(message: &Message) -> Option<TimeZone> {
    let definitions = [
        named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR,
        named::APPOINTMENT_TIME_ZONE_DEFINITION_START_DISPLAY,
    ];
    let clock = definitions
        .iter()
        .find_map(|name| Clock::of_definition(message.properties.binary(name.clone())?, None))
        .or_else(|| structure_clock(message))?;
    Some(clock.zone().clone())
}

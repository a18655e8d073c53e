//! Series for which MAPI has no pattern: several rules, further dates, days of the year, a start that the rule does not
//! give, changes of all instances from one on.
//!
//! MAPI gets every week on the weekdays that occur, without the days that are not of the series; an instance that is at
//! another time of its day, or that a change of all from one on describes, is a changed one. So MAPI shows what is there,
//! for [`DAYS`] from the start on. A series with several instances on one day, or with too many, has no recurrence in
//! MAPI: its first instance is all that is shown.

use std::collections::BTreeMap;

use jiff::civil::Weekday;

use super::{Exception, Series, exception_class};
use crate::calendar_item::{Input, Kind, is_of_all_after, read_component};
use crate::icalendar::value::{ByDay, CalendarTime, Frequency, Recur};
use crate::icalendar::{CalendarObject, Component};
use crate::message::Message;
use crate::property::{FileTime, named, tags};
use crate::recurrence::{Instance, Limits, RecurrencePattern, instances, minutes};

/// The pattern of a series, `exact` where MAPI has one, and more changed instances.
pub(super) fn read(
    series: &Series<'_>,
    exact: Option<RecurrencePattern>,
    kind: &Kind,
    input: &Input<'_>,
    message: &Message,
    exceptions: &mut Vec<Exception>,
) -> Option<RecurrencePattern> {
    let Series { object, master, .. } = series;
    let futures: Vec<&Component> =
        object.overrides.iter().copied().filter(|component| is_of_all_after(component)).collect();
    let recurs = ["RRULE", "RDATE"].iter().any(|name| master.property(name).is_some());
    if !recurs || (exact.is_some() && futures.is_empty()) {
        return exact;
    }
    // The single changes have their own place.
    let object = CalendarObject { master: Some(master), overrides: futures, ..(*object).clone() };
    let first = input.zones.to_unix(&series.start);
    let window = first..first.saturating_add(DAYS * 86_400);
    let found = instances(&object, input.zones, window, LIMITS);
    let Ok(found) = found else { return exact };
    let mut days = BTreeMap::new();
    for instance in found {
        let origin = instance.recurrence_id.clone().unwrap_or_else(|| instance.start.clone());
        let origin = series.clock.local(input.zones.to_unix(&origin));
        if days.insert(origin.date(), (origin, instance)).is_some() {
            return exact;
        }
    }
    // A change of an instance at another time of the day than the first has no place in MAPI.
    let is_placed = |original: i64| series.clock.local(original).time() == series.begins.time();
    if exact.is_none() && !exceptions.iter().all(|one| is_placed(one.original)) {
        return None;
    }
    let length = message.properties.integer32(named::APPOINTMENT_DURATION).unwrap_or(0);
    let changed = days.values().filter(|(origin, instance)| {
        let is_own = std::ptr::eq(instance.component, *master);
        let minutes = (instance.unix.end - instance.unix.start) / 60;
        !is_own || origin.time() != series.begins.time() || minutes != i64::from(length)
    });
    let changed: Vec<_> = changed.take(MOST_CHANGED).collect();
    let made = exact.or_else(|| covering(series, &days));
    if made.is_some() {
        for (origin, instance) in changed {
            let original = series.clock.unix(origin.date().to_datetime(series.begins.time()));
            if !exceptions.iter().any(|one| one.original == original) {
                exceptions.push(exception(original, instance, kind, input));
            }
        }
    }
    made
}

type Days<'a> = BTreeMap<jiff::civil::Date, (jiff::civil::DateTime, Instance<'a>)>;

/// Every week on the weekdays that occur, without the days that do not.
fn covering(series: &Series<'_>, days: &Days<'_>) -> Option<RecurrencePattern> {
    let (last, _) = days.last_key_value()?;
    let first = series.begins.date();
    let mut weekdays: Vec<Weekday> = days.keys().map(|day| day.weekday()).chain([first.weekday()]).collect();
    weekdays.sort_by_key(|weekday| weekday.to_sunday_zero_offset());
    weekdays.dedup();
    let rule = Recur {
        by_day: weekdays.iter().map(|weekday| ByDay { nth: None, weekday: *weekday }).collect(),
        until: Some(CalendarTime::Floating(last.to_datetime(series.begins.time()))),
        ..Recur::new(Frequency::Weekly)
    };
    let mut pattern = RecurrencePattern::of_rule(&rule, series.begins, LIMITS)?;
    let all = first.series(jiff::Span::new().days(1)).take_while(|day| day <= last);
    let deleted = all.filter(|day| weekdays.contains(&day.weekday()) && !days.contains_key(day));
    pattern.deleted = deleted.filter_map(minutes).collect();
    Some(pattern)
}

/// An instance that is not as the series has it.
fn exception(original: i64, instance: &Instance<'_>, kind: &Kind, input: &Input<'_>) -> Exception {
    let mut message = read_component(instance.component, kind, input);
    message.class = exception_class();
    let bag = &mut message.properties;
    let minutes = (instance.unix.end - instance.unix.start) / 60;
    bag.set(named::APPOINTMENT_DURATION, i32::try_from(minutes).unwrap_or(i32::MAX));
    bag.set(named::EXCEPTION_REPLACE_TIME, FileTime::from_unix(original));
    for (names, unix) in [
        ((named::APPOINTMENT_START_WHOLE, named::COMMON_START, tags::START_DATE), instance.unix.start),
        ((named::APPOINTMENT_END_WHOLE, named::COMMON_END, tags::END_DATE), instance.unix.end),
    ] {
        bag.set(names.0, FileTime::from_unix(unix));
        bag.set(names.1, FileTime::from_unix(unix));
        bag.set(names.2, FileTime::from_unix(unix));
    }
    Exception { original, message }
}

/// How far from its start a series without a pattern is in MAPI. Four octets for each day that is left out are less than
/// the 32 KiB that fit a property which clients read in one piece.
const DAYS: i64 = 7_000;
const LIMITS: Limits = Limits { occurrences: 7_000, effort: 1_000_000 };
/// Changed instances that are made of one change.
const MOST_CHANGED: usize = 200;

//! Tasks and journal entries (MS-OXOTASK, MS-OXOJRNL).

use super::fields::{self, Field};
use super::{Form, Input, recurrence};
use crate::icalendar::value::CalendarTime;
use crate::icalendar::{Component, Property};
use crate::message::Message;
use crate::property::{FileTime, Value, named};
use crate::time_zone::wall_seconds;

pub(super) const TASK: &[Field] = &[
    fields::UID,
    Field { names: &["DTSTART", "DUE", "DURATION"], read: read_times, lines: times },
    recurrence::RULE,
    recurrence::EXDATE,
    fields::SUMMARY,
    fields::DESCRIPTION,
    fields::CATEGORIES,
    fields::CLASS,
    fields::PRIORITY,
    Field { names: &["STATUS", "PERCENT-COMPLETE", "COMPLETED"], read: read_progress, lines: progress },
    fields::STAMPS,
];

pub(super) const JOURNAL: &[Field] = &[
    fields::UID,
    Field { names: &["DTSTART"], read: read_entry, lines: entry },
    fields::SUMMARY,
    fields::DESCRIPTION,
    fields::CATEGORIES,
    fields::CLASS,
    fields::STAMPS,
];

fn read_times(component: &Component, input: &Input<'_>, message: &mut Message) {
    let start = component.time("DTSTART").and_then(Result::ok);
    let due = component.time("DUE").and_then(Result::ok).or_else(|| {
        let start = start.as_ref().filter(|_| component.property("DURATION").is_some())?;
        Some(fields::end_of(component, start, input.zones))
    });
    let bag = &mut message.properties;
    for (time, day, moment) in
        [(start, named::TASK_START_DATE, named::COMMON_START), (due, named::TASK_DUE_DATE, named::COMMON_END)]
    {
        if let Some(time) = time {
            bag.set(day, midnight(&time));
            bag.set(moment, FileTime::from_unix(input.zones.to_unix(&time)));
        }
    }
}

fn times(message: &Message, form: &Form) -> Vec<Property> {
    let bag = &message.properties;
    let line = |name, day, moment, clock: &super::clock::Clock| {
        let day = bag.time(day).map(|day| crate::time_zone::clock(day.to_unix()).date());
        let moment = bag.time(moment).map(FileTime::to_unix);
        let time = match (day, moment) {
            // The day is what programs change; the time of the day stays as long as it is on that day.
            (Some(day), Some(moment)) if !form.all_day && clock.day(moment) == day => {
                clock.time(moment, false)
            }
            (Some(day), _) => CalendarTime::Date(day),
            (None, Some(moment)) => clock.time(moment, form.all_day),
            (None, None) => return None,
        };
        Some(Property::with_time(name, &time))
    };
    [
        line("DTSTART", named::TASK_START_DATE, named::COMMON_START, &form.start),
        line("DUE", named::TASK_DUE_DATE, named::COMMON_END, &form.end),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A day as tasks have it: its midnight, as if the clock were UTC (MS-OXOTASK 2.2.2.2.4).
fn midnight(time: &CalendarTime) -> FileTime {
    FileTime::from_unix(wall_seconds(time.date().at(0, 0, 0, 0)))
}

fn read_progress(component: &Component, _: &Input<'_>, message: &mut Message) {
    let said = component.text("STATUS").unwrap_or_default();
    let percent = component.property("PERCENT-COMPLETE").and_then(|p| p.value.trim().parse::<u8>().ok());
    let completed = component.time("COMPLETED").and_then(Result::ok);
    let known = STATUSES.iter().find(|(name, _)| said.trim().eq_ignore_ascii_case(name));
    let status = match (known, percent) {
        (Some((_, status)), _) => *status,
        (None, Some(100)) => COMPLETE,
        (None, _) if completed.is_some() => COMPLETE,
        (None, Some(1..)) => IN_PROGRESS,
        (None, _) => NOT_STARTED,
    };
    let percent = if status == COMPLETE { 100 } else { percent.unwrap_or(0).min(100) };
    let bag = &mut message.properties;
    bag.set(named::TASK_STATUS, status);
    bag.set(named::TASK_COMPLETE, status == COMPLETE);
    bag.set(named::PERCENT_COMPLETE, Value::Floating64(f64::from(percent) / 100.0));
    bag.set(named::TASK_STATE, 1);
    bag.set(named::TASK_OWNERSHIP, 0);
    if let Some(completed) = completed {
        bag.set(named::TASK_DATE_COMPLETED, midnight(&completed));
    }
}

fn progress(message: &Message, _: &Form) -> Vec<Property> {
    let bag = &message.properties;
    let complete = bag.boolean(named::TASK_COMPLETE) || bag.integer32(named::TASK_STATUS) == Some(COMPLETE);
    let status = if complete { COMPLETE } else { bag.integer32(named::TASK_STATUS).unwrap_or(NOT_STARTED) };
    // Waiting and deferred are nothing that iCalendar knows.
    let name = STATUSES.iter().find(|(_, known)| *known == status && *known != DEFERRED);
    let mut lines = vec![Property::new("STATUS", name.map_or("NEEDS-ACTION", |(name, _)| *name))];
    if let Some(Value::Floating64(share)) = bag.get(named::PERCENT_COMPLETE) {
        lines.push(Property::new("PERCENT-COMPLETE", format!("{:.0}", (share * 100.0).clamp(0.0, 100.0))));
    }
    if let Some(day) = bag.time(named::TASK_DATE_COMPLETED).filter(|_| complete) {
        let day = crate::time_zone::clock(day.to_unix());
        lines.push(Property::with_time("COMPLETED", &CalendarTime::Utc(day)));
    }
    lines
}

fn read_entry(component: &Component, input: &Input<'_>, message: &mut Message) {
    let bag = &mut message.properties;
    bag.set(named::LOG_TYPE, "Task");
    if let Some(Ok(time)) = component.time("DTSTART") {
        // MS-OXOJRNL has nothing that says it; appointments have this.
        bag.set(named::APPOINTMENT_SUB_TYPE, time.is_date());
        let start = FileTime::from_unix(input.zones.to_unix(&time));
        for name in [named::LOG_START, named::LOG_END, named::COMMON_START, named::COMMON_END] {
            bag.set(name, start);
        }
    }
}

fn entry(message: &Message, form: &Form) -> Vec<Property> {
    let start = message.properties.time(named::LOG_START);
    let line =
        start.map(|start| Property::with_time("DTSTART", &form.start.time(start.to_unix(), form.all_day)));
    line.into_iter().collect()
}

/// PidLidTaskStatus (MS-OXOTASK 2.2.2.2.2) by STATUS (RFC 5545 §3.8.1.11).
const STATUSES: [(&str, i32); 4] = [
    ("NEEDS-ACTION", NOT_STARTED),
    ("IN-PROCESS", IN_PROGRESS),
    ("COMPLETED", COMPLETE),
    ("CANCELLED", DEFERRED),
];
const NOT_STARTED: i32 = 0;
const IN_PROGRESS: i32 = 1;
const COMPLETE: i32 = 2;
const DEFERRED: i32 = 4;

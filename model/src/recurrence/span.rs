//! Between which moments all instances of an object are: what a store can look for by.

use super::{Limits, instances};
use crate::icalendar::value::{CalendarTime, Recur};
use crate::icalendar::{CalendarObject, Component};
use crate::time_zone::CalendarZones;

/// The first moment and the end of the last one of all instances, in seconds since 1970. `None` is without end, or more
/// than `limits` allow to look at; both are `None` for what has no time at all. Days and floating times are where they
/// are for anybody on earth.
pub fn span(
    object: &CalendarObject<'_>,
    zones: &CalendarZones,
    limits: Limits,
) -> (Option<i64>, Option<i64>) {
    let parts: Vec<&Component> = object.master.iter().chain(&object.overrides).copied().collect();
    let is_floating = |time: &CalendarTime| !matches!(time, CalendarTime::Utc(_) | CalendarTime::Zoned(..));
    let floats = parts
        .iter()
        .flat_map(|part| ["DTSTART", "DTEND", "DUE"].iter().filter_map(|name| part.time(name)?.ok()));
    let margin = if floats.into_iter().any(|time| is_floating(&time)) { MARGIN } else { 0 };
    let is_endless = parts.iter().flat_map(|part| part.properties_named("RRULE")).any(|rule| {
        rule.value.parse::<Recur>().map_or(true, |rule| rule.count.is_none() && rule.until.is_none())
    });
    if !is_endless && let Ok(all) = instances(object, zones, EVER, limits) {
        let first = all.iter().map(|instance| instance.unix.start).min();
        let last = all.iter().map(|instance| instance.unix.end).max();
        // What takes no time is there for its moment.
        return (first.map(|first| first - margin), last.map(|last| last.saturating_add(1) + margin));
    }
    let starts = parts.iter().flat_map(|part| {
        let own = ["DTSTART", "DUE"].into_iter().filter_map(|name| part.time(name)?.ok());
        let further = part.properties_named("RDATE").flat_map(|property| {
            let periods = property.periods().unwrap_or_default().into_iter().map(|period| period.start);
            property.times().unwrap_or_default().into_iter().chain(periods).collect::<Vec<_>>()
        });
        own.chain(further).collect::<Vec<_>>()
    });
    (starts.map(|time| zones.to_unix(&time)).min().map(|first| first - margin), None)
}

/// The years that iCalendar can write.
const EVER: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
/// No clock is further from UTC.
const MARGIN: i64 = 15 * 3_600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icalendar::Limits as ReadLimits;
    use crate::time_zone::TimeZone;

    fn of(parts: &[&str]) -> (Option<i64>, Option<i64>) {
        let parts: String =
            parts.iter().map(|part| format!("BEGIN:VEVENT\nUID:1\n{part}END:VEVENT\n")).collect();
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\n{parts}END:VCALENDAR\n");
        let calendar = Component::parse(text.as_bytes(), &ReadLimits::default()).expect("a calendar");
        let object = CalendarObject::check(&calendar).expect("an object");
        span(&object, &CalendarZones::of(&calendar, TimeZone::utc()), Limits::default())
    }

    #[test]
    fn finite_and_endless() {
        let hour = "DTSTART:19700102T000000Z\nDTEND:19700102T010000Z\n";
        assert_eq!(of(&[hour]), (Some(86_400), Some(90_001)));
        assert_eq!(of(&[&format!("{hour}RRULE:FREQ=DAILY;COUNT=3\n")]), (Some(86_400), Some(262_801)));
        assert_eq!(of(&[&format!("{hour}RRULE:FREQ=DAILY\n")]), (Some(86_400), None));
        // One instance was moved to before the first.
        let moved = "RECURRENCE-ID:19700103T000000Z\nDTSTART:19700101T000000Z\nDTEND:19700101T000500Z\n";
        assert_eq!(of(&[&format!("{hour}RRULE:FREQ=DAILY;COUNT=3\n"), moved]), (Some(0), Some(262_801)));
        assert_eq!(of(&[&format!("{hour}RRULE:FREQ=DAILY\n"), moved]), (Some(0), None));
        assert_eq!(
            of(&[&format!("{hour}RDATE:19691231T000000Z\nRRULE:FREQ=DAILY\n")]),
            (Some(-86_400), None)
        );
        // Too many to look at.
        assert_eq!(of(&[&format!("{hour}RRULE:FREQ=SECONDLY;COUNT=99999999\n")]), (Some(86_400), None));
    }

    #[test]
    fn a_day_is_somewhere_a_day_already() {
        let (first, last) = of(&["DTSTART;VALUE=DATE:19700102\n"]);
        assert!(first.is_some_and(|first| first <= 86_400 - 14 * 3_600));
        assert!(last.is_some_and(|last| last >= 2 * 86_400 + 12 * 3_600));
    }
}

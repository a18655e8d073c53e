//! When somebody can be met at all (RFC 7953): VAVAILABILITY says which hours are not to be used, whatever is in the
//! calendar.
//!
//! ```
//! use kontor_model::availability::unavailable;
//! use kontor_model::free_busy::Busy;
//! use kontor_model::icalendar::{Component, Limits};
//! use kontor_model::time_zone::TimeZone;
//!
//! let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VAVAILABILITY\r\nUID:1\r\n\
//!     BEGIN:AVAILABLE\r\nUID:2\r\nDTSTART:19700101T080000Z\r\nDTEND:19700101T160000Z\r\nRRULE:FREQ=DAILY\r\n\
//!     END:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n";
//! let calendar = Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar");
//! let times = unavailable(&calendar, &TimeZone::utc(), 0..86_400, Default::default()).expect("few of them");
//! assert_eq!(times, [(0..28_800, Busy::OutOfOffice), (57_600..86_400, Busy::OutOfOffice)]);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::free_busy::Busy;
use crate::icalendar::value::Recur;
use crate::icalendar::{CalendarObject, Component, ObjectKind};
use crate::recurrence::{Limits, TooMuch, instances};
use crate::time_zone::{CalendarZones, TimeZone};

/// Why a calendar says no availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvailabilityError {
    /// Another component than VAVAILABILITY and VTIMEZONE, or none.
    #[error("availability is a VCALENDAR with VAVAILABILITY components")]
    Component,
    /// A part without a start, or with an end that is none.
    #[error("an AVAILABLE needs a DTSTART and a DTEND or DURATION")]
    Part,
    /// More than is kept.
    #[error("at most {MOST_PARTS} parts")]
    TooMany,
}

/// Passes for a calendar that may be kept as somebody's availability.
///
/// # Errors
/// What is wrong with it.
pub fn check(calendar: &Component) -> Result<(), AvailabilityError> {
    let is_known = |component: &Component| component.is("VAVAILABILITY") || component.is("VTIMEZONE");
    if !calendar.is("VCALENDAR")
        || calendar.component("VAVAILABILITY").is_none()
        || !calendar.components.iter().all(is_known)
    {
        return Err(AvailabilityError::Component);
    }
    let all: Vec<&Component> = calendar.components_named("VAVAILABILITY").collect();
    let parts = all.iter().map(|all| all.components.len()).sum::<usize>();
    if all.len() + parts > MOST_PARTS {
        return Err(AvailabilityError::TooMany);
    }
    let is_time = |component: &Component, name| component.time(name).is_none_or(|time| time.is_ok());
    let has_length = |component: &Component| {
        component.property("DURATION").is_none_or(|duration| duration.duration().is_ok())
            && is_time(component, "DTSTART")
            && is_time(component, "DTEND")
    };
    let is_part = |part: &Component| {
        let ends = part.property("DTEND").is_some() || part.property("DURATION").is_some();
        let recurs = part.properties_named("RRULE").all(|rule| rule.value.parse::<Recur>().is_ok());
        part.is("AVAILABLE") && part.property("DTSTART").is_some() && ends && recurs && has_length(part)
    };
    let is_fine = |all: &&Component| has_length(all) && all.components.iter().all(is_part);
    if all.iter().all(is_fine) { Ok(()) } else { Err(AvailabilityError::Part) }
}

/// The times in a window, in seconds since 1970, that are not to be used; in order, without overlaps. Floating times are
/// read in the zone `floating`.
///
/// # Errors
/// [`TooMuch`]
pub fn unavailable(
    calendar: &Component,
    floating: &TimeZone,
    window: Range<i64>,
    limits: Limits,
) -> Result<Vec<(Range<i64>, Busy)>, TooMuch> {
    let zones = CalendarZones::of(calendar, floating.clone());
    let mut all: Vec<&Component> = calendar.components_named("VAVAILABILITY").take(MOST_PARTS).collect();
    // RFC 7953 §3.2: 1 counts most, 9 least, and one without a priority even less. The last layer is on top.
    all.sort_by_key(|all| std::cmp::Reverse(priority(all)));
    let mut layers: Vec<(Range<i64>, Option<Busy>)> = Vec::new();
    for availability in all {
        let range = range_of(availability, &zones, &window);
        layers.push((range.clone(), Some(busy_type(availability))));
        for object in parts(availability) {
            for instance in instances(&object, &zones, range.clone(), limits)? {
                let Range { start, end } = instance.unix;
                layers.push((start.max(range.start)..end.min(range.end), None));
            }
            if layers.len() > usize::try_from(limits.occurrences).unwrap_or(usize::MAX) {
                return Err(TooMuch);
            }
        }
    }
    Ok(seen_from_above(&layers))
}

/// What is left of layers where the last that is there counts.
fn seen_from_above(layers: &[(Range<i64>, Option<Busy>)]) -> Vec<(Range<i64>, Busy)> {
    let mut edges: BTreeMap<i64, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, (range, _)) in layers.iter().enumerate().filter(|(_, (range, _))| range.start < range.end) {
        edges.entry(range.start).or_default().0.push(at);
        edges.entry(range.end).or_default().1.push(at);
    }
    let mut out: Vec<(Range<i64>, Busy)> = Vec::new();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    let mut from = None;
    for (edge, (begin, end)) in edges {
        let top = open.last().and_then(|at| layers.get(*at)?.1);
        if let (Some(from), Some(busy)) = (from, top) {
            match out.last_mut() {
                Some((last, same)) if last.end == from && *same == busy => last.end = edge,
                _ => out.push((from..edge, busy)),
            }
        }
        open.extend(begin);
        end.iter().for_each(|at| {
            open.remove(at);
        });
        from = Some(edge);
    }
    out
}

/// The AVAILABLE parts: each with those that change single occurrences of it.
fn parts(availability: &Component) -> Vec<CalendarObject<'_>> {
    let mut found: Vec<CalendarObject<'_>> = Vec::new();
    for part in availability.components_named("AVAILABLE").take(MOST_PARTS) {
        let uid = part.text("UID").unwrap_or_default();
        let known = found.iter_mut().find(|object| object.uid == uid && !uid.is_empty());
        let is_override = part.property("RECURRENCE-ID").is_some();
        match (known, is_override) {
            (Some(object), true) => object.overrides.push(part),
            (Some(object), false) if object.master.is_none() => object.master = Some(part),
            (_, true) => {
                found.push(CalendarObject {
                    uid,
                    kind: ObjectKind::Event,
                    master: None,
                    overrides: vec![part],
                });
            }
            (_, false) => {
                let overrides = Vec::new();
                found.push(CalendarObject { uid, kind: ObjectKind::Event, master: Some(part), overrides });
            }
        }
    }
    found
}

/// What it speaks of, within a window; all of it where it does not say.
fn range_of(availability: &Component, zones: &CalendarZones, window: &Range<i64>) -> Range<i64> {
    let time = |name| Some(zones.to_unix(&availability.time(name)?.ok()?));
    let start = time("DTSTART");
    let end = time("DTEND").or_else(|| {
        let duration = availability.property("DURATION")?.duration().ok()?;
        Some(start?.saturating_add(duration.to_seconds()))
    });
    start.unwrap_or(i64::MIN).max(window.start)..end.unwrap_or(i64::MAX).min(window.end)
}

fn priority(availability: &Component) -> u8 {
    match availability.property("PRIORITY").and_then(|priority| priority.value.trim().parse().ok()) {
        None | Some(0) => 10,
        Some(priority) => priority,
    }
}

fn busy_type(availability: &Component) -> Busy {
    let said = availability.property("BUSYTYPE").map(|property| property.value.trim().to_ascii_uppercase());
    match said.as_deref() {
        Some("BUSY") => Busy::Busy,
        Some("BUSY-TENTATIVE") => Busy::Tentative,
        _ => Busy::OutOfOffice,
    }
}

const MOST_PARTS: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::icalendar::Limits as ReadLimits;

    fn calendar(inner: &str) -> Component {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\n{inner}END:VCALENDAR\n");
        Component::parse(text.as_bytes(), &ReadLimits::default()).expect("a calendar")
    }

    fn hours(inner: &str, until: i64) -> Vec<(i64, i64, Busy)> {
        let calendar = calendar(inner);
        check(&calendar).expect("availability");
        let zone = TimeZone::iana("Europe/Berlin").expect("a zone");
        let times = unavailable(&calendar, &zone, 0..until * 3600, Limits::default()).expect("times");
        times.into_iter().map(|(time, busy)| (time.start / 3600, time.end / 3600, busy)).collect()
    }

    #[test]
    fn what_counts_more_covers_what_counts_less() {
        // RFC 7953 §4: a usual week, and a trip in it.
        let inner = "BEGIN:VAVAILABILITY\nUID:1\nBEGIN:AVAILABLE\nUID:2\nDTSTART:19700101T090000\nDTEND:19700101T170000\n\
            RRULE:FREQ=DAILY\nEND:AVAILABLE\nEND:VAVAILABILITY\n\
            BEGIN:VAVAILABILITY\nUID:3\nPRIORITY:1\nBUSYTYPE:BUSY\nDTSTART:19700101T100000\nDURATION:PT4H\n\
            BEGIN:AVAILABLE\nUID:4\nDTSTART:19700101T110000\nDTEND:19700101T120000\nEND:AVAILABLE\nEND:VAVAILABILITY\n";
        assert_eq!(
            hours(inner, 24),
            [
                (0, 8, Busy::OutOfOffice),
                (9, 10, Busy::Busy),
                (11, 13, Busy::Busy),
                (16, 24, Busy::OutOfOffice)
            ]
        );
    }

    #[test]
    fn one_day_is_different() {
        let inner = "BEGIN:VAVAILABILITY\nUID:1\nBEGIN:AVAILABLE\nUID:2\nDTSTART:19700101T090000Z\nDURATION:PT8H\n\
            RRULE:FREQ=DAILY\nEND:AVAILABLE\nBEGIN:AVAILABLE\nUID:2\nRECURRENCE-ID:19700102T090000Z\n\
            DTSTART:19700102T120000Z\nDURATION:PT1H\nEND:AVAILABLE\nEND:VAVAILABILITY\n";
        let out = Busy::OutOfOffice;
        assert_eq!(hours(inner, 48), [(0, 9, out), (17, 36, out), (37, 48, out)]);
    }

    #[test]
    fn what_is_no_availability() {
        for (inner, error) in [
            ("", AvailabilityError::Component),
            ("BEGIN:VEVENT\nUID:1\nDTSTART:19700101T000000Z\nEND:VEVENT\n", AvailabilityError::Component),
            (
                "BEGIN:VAVAILABILITY\nBEGIN:AVAILABLE\nEND:AVAILABLE\nEND:VAVAILABILITY\n",
                AvailabilityError::Part,
            ),
            ("BEGIN:VAVAILABILITY\nDTSTART:x\nEND:VAVAILABILITY\n", AvailabilityError::Part),
        ] {
            assert_eq!(check(&calendar(inner)), Err(error), "{inner}");
        }
        let many = "BEGIN:VAVAILABILITY\nEND:VAVAILABILITY\n".repeat(201);
        assert_eq!(check(&calendar(&many)), Err(AvailabilityError::TooMany));
    }

    proptest! {
        #[test]
        fn the_last_layer_counts(layers in prop::collection::vec((0i64..30, 0i64..12, prop::option::of(0usize..3)), 0..10)) {
            let kinds = [Busy::Tentative, Busy::Busy, Busy::OutOfOffice];
            let layers: Vec<_> =
                layers.into_iter().map(|(from, length, kind)| (from..from + length, kind.map(|kind| kinds[kind]))).collect();
            let out = seen_from_above(&layers);
            prop_assert!(out.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
            for second in 0..45 {
                let top = layers.iter().rev().find(|(range, _)| range.contains(&second)).and_then(|(_, busy)| *busy);
                let said = out.iter().find(|(range, _)| range.contains(&second)).map(|(_, busy)| *busy);
                prop_assert_eq!(said, top);
            }
        }
    }
}

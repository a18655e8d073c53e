//! When somebody is busy (RFC 4791 §7.10, MS-OXOCAL 2.2.1.2): from the items of a calendar to times that do not overlap.
//!
//! ```
//! use kontor_model::free_busy::{Busy, busy_times, merged};
//! use kontor_model::icalendar::{CalendarObject, Component, Limits};
//! use kontor_model::time_zone::{CalendarZones, TimeZone};
//!
//! let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
//!     DTSTART:19700101T000010Z\r\nDTEND:19700101T000020Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
//! let calendar = Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar");
//! let object = CalendarObject::check(&calendar).expect("an event");
//! let zones = CalendarZones::of(&calendar, TimeZone::utc());
//! let times = busy_times(&object, &zones, 0..100_000, "", Default::default()).expect("few of them");
//! assert_eq!(merged(times), [(10..20, Busy::Busy), (86_410..86_420, Busy::Busy)]);
//! ```

use std::ops::Range;

use crate::icalendar::value::{CalendarTime, PeriodEnd};
use crate::icalendar::{CalendarObject, Component, ObjectKind, Property};
use crate::recurrence::{Limits, TooMuch, instances};
use crate::time_zone::{CalendarZones, clock};

/// How busy somebody is; what weighs more comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Busy {
    /// olWorkingElsewhere: there, but not here.
    Elsewhere,
    /// BUSY-TENTATIVE
    Tentative,
    /// BUSY
    Busy,
    /// BUSY-UNAVAILABLE: out of office.
    OutOfOffice,
}

impl Busy {
    /// PidLidBusyStatus (MS-OXOCAL 2.2.1.2).
    pub const fn code(self) -> u8 {
        match self {
            Self::Tentative => 1,
            Self::Busy => 2,
            Self::OutOfOffice => 3,
            Self::Elsewhere => 4,
        }
    }

    /// Of a PidLidBusyStatus; `None` for who is free.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Tentative),
            2 => Some(Self::Busy),
            3 => Some(Self::OutOfOffice),
            4 => Some(Self::Elsewhere),
            _ => None,
        }
    }

    /// FBTYPE (RFC 5545 §3.2.9).
    pub const fn fb_type(self) -> &'static str {
        match self {
            Self::Elsewhere | Self::Tentative => "BUSY-TENTATIVE",
            Self::Busy => "BUSY",
            Self::OutOfOffice => "BUSY-UNAVAILABLE",
        }
    }

    /// How busy an event makes its owner; `None` where it does not.
    fn of(event: &Component, owner: &str) -> Option<Self> {
        let says = |name: &str, what: &str| {
            event.property(name).is_some_and(|property| property.value.trim().eq_ignore_ascii_case(what))
        };
        if says("STATUS", "CANCELLED") {
            return None;
        }
        let own = event.properties_named("ATTENDEE").find(|attendee| {
            attendee.address().email().is_some_and(|email| email.eq_ignore_ascii_case(owner))
        });
        let answer = own.and_then(|own| own.parameter("PARTSTAT")).unwrap_or_default();
        if answer.eq_ignore_ascii_case("DECLINED") {
            return None;
        }
        // The word of Exchange says more than TRANSP.
        match event
            .text("X-MICROSOFT-CDO-BUSYSTATUS")
            .unwrap_or_default()
            .trim()
            .to_ascii_uppercase()
            .as_str()
        {
            "FREE" => return None,
            "OOF" => return Some(Self::OutOfOffice),
            "WORKINGELSEWHERE" => return Some(Self::Elsewhere),
            "TENTATIVE" => return Some(Self::Tentative),
            _ if says("TRANSP", "TRANSPARENT") => return None,
            _ => {}
        }
        let is_open = ["NEEDS-ACTION", "TENTATIVE"].iter().any(|open| answer.eq_ignore_ascii_case(open));
        Some(if says("STATUS", "TENTATIVE") || is_open { Self::Tentative } else { Self::Busy })
    }
}

/// When an item makes its owner busy within a window, in seconds since 1970. Only events do.
///
/// # Errors
/// [`TooMuch`]
pub fn busy_times(
    object: &CalendarObject<'_>,
    zones: &CalendarZones,
    window: Range<i64>,
    owner: &str,
    limits: Limits,
) -> Result<Vec<(Range<i64>, Busy)>, TooMuch> {
    if object.kind != ObjectKind::Event {
        return Ok(Vec::new());
    }
    let all = instances(object, zones, window.clone(), limits)?;
    let times = all.into_iter().filter_map(|instance| {
        let busy = Busy::of(instance.component, owner)?;
        let time = instance.unix.start.max(window.start)..instance.unix.end.min(window.end);
        (time.start < time.end).then_some((time, busy))
    });
    Ok(times.collect())
}

/// The same times in order and without overlaps: where there is more than one, what weighs most.
pub fn merged(mut times: Vec<(Range<i64>, Busy)>) -> Vec<(Range<i64>, Busy)> {
    times.retain(|(time, _)| time.start < time.end);
    let mut edges: Vec<i64> = times.iter().flat_map(|(time, _)| [time.start, time.end]).collect();
    edges.sort_unstable();
    edges.dedup();
    times.sort_by_key(|(time, _)| time.start);
    let mut out: Vec<(Range<i64>, Busy)> = Vec::new();
    let mut open: Vec<(i64, Busy)> = Vec::new();
    let mut coming = times.into_iter().peekable();
    for pair in edges.windows(2) {
        let &[from, until] = pair else { continue };
        open.retain(|(end, _)| *end > from);
        while let Some((time, busy)) = coming.next_if(|(time, _)| time.start <= from) {
            open.push((time.end, busy));
        }
        let Some(busy) = open.iter().map(|(_, busy)| *busy).max() else { continue };
        match out.last_mut() {
            Some((last, same)) if last.end == from && *same == busy => last.end = until,
            _ => out.push((from..until, busy)),
        }
    }
    out
}

/// What answers a request for somebody's free and busy times (RFC 5545 §3.6.4).
pub fn to_component(times: &[(Range<i64>, Busy)], window: &Range<i64>) -> Component {
    let utc = |unix: i64| CalendarTime::Utc(clock(unix));
    let mut component = Component::new("VFREEBUSY");
    component.push(Property::with_time("DTSTART", &utc(window.start)));
    component.push(Property::with_time("DTEND", &utc(window.end)));
    for (time, busy) in times {
        let period = format!("{}/{}", utc(time.start), utc(time.end));
        component.push(Property::new("FREEBUSY", period).with_parameter("FBTYPE", busy.fb_type()));
    }
    component
}

/// The times that a VFREEBUSY of somebody else says.
pub fn of_component(component: &Component, zones: &CalendarZones) -> Vec<(Range<i64>, Busy)> {
    let mut out = Vec::new();
    for property in component.properties_named("FREEBUSY") {
        let busy = match property.parameter("FBTYPE").unwrap_or("BUSY").to_ascii_uppercase().as_str() {
            "FREE" => continue,
            "BUSY-TENTATIVE" => Busy::Tentative,
            "BUSY-UNAVAILABLE" => Busy::OutOfOffice,
            _ => Busy::Busy,
        };
        for period in property.periods().unwrap_or_default() {
            let start = zones.to_unix(&period.start);
            let end = match &period.end {
                PeriodEnd::Explicit(end) => zones.to_unix(end),
                PeriodEnd::Duration(length) => start.saturating_add(length.to_seconds()),
            };
            if start < end {
                out.push((start..end, busy));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::icalendar::Limits as ReadLimits;
    use crate::time_zone::TimeZone;

    fn event(lines: &str) -> Component {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nBEGIN:VEVENT\nUID:1\nDTSTART:19700101T000000Z\nDURATION:PT1H\n\
             {lines}END:VEVENT\nEND:VCALENDAR\n"
        );
        Component::parse(text.as_bytes(), &ReadLimits::default()).expect("a calendar")
    }

    fn busy(lines: &str) -> Option<Busy> {
        let calendar = event(lines);
        let object = CalendarObject::check(&calendar).expect("an event");
        let zones = CalendarZones::of(&calendar, TimeZone::utc());
        let times =
            busy_times(&object, &zones, 0..1_800, "anna@example.org", Limits::default()).expect("times");
        assert!(times.iter().all(|(time, _)| *time == (0..1_800)), "cut to the window: {times:?}");
        times.first().map(|(_, busy)| *busy)
    }

    #[test]
    fn what_an_event_says_of_its_owner() {
        assert_eq!(busy(""), Some(Busy::Busy));
        assert_eq!(busy("TRANSP:TRANSPARENT\n"), None);
        assert_eq!(busy("STATUS:TENTATIVE\n"), Some(Busy::Tentative));
        assert_eq!(busy("STATUS:CANCELLED\n"), None);
        assert_eq!(busy("X-MICROSOFT-CDO-BUSYSTATUS:OOF\nTRANSP:OPAQUE\n"), Some(Busy::OutOfOffice));
        assert_eq!(busy("X-MICROSOFT-CDO-BUSYSTATUS:FREE\n"), None);
        assert_eq!(busy("ATTENDEE;PARTSTAT=DECLINED:mailto:Anna@Example.org\n"), None);
        assert_eq!(busy("ATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.org\n"), Some(Busy::Busy));
        assert_eq!(busy("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n"), Some(Busy::Tentative));
    }

    #[test]
    fn codes_come_back() {
        for busy in [Busy::Elsewhere, Busy::Tentative, Busy::Busy, Busy::OutOfOffice] {
            assert_eq!(Busy::from_code(busy.code()), Some(busy));
        }
        assert_eq!(Busy::from_code(0), None);
    }

    #[test]
    fn what_weighs_more_wins() {
        let times =
            vec![(0..10, Busy::Tentative), (5..8, Busy::Busy), (8..12, Busy::Busy), (20..20, Busy::Busy)];
        assert_eq!(merged(times), [(0..5, Busy::Tentative), (5..12, Busy::Busy)]);
    }

    proptest! {
        #[test]
        fn merging_loses_no_second(
            times in prop::collection::vec((0i64..50, 0i64..12, 0usize..4), 0..12)
        ) {
            let kinds = [Busy::Elsewhere, Busy::Tentative, Busy::Busy, Busy::OutOfOffice];
            let times: Vec<_> =
                times.into_iter().map(|(from, length, kind)| (from..from + length, kinds[kind])).collect();
            let out = merged(times.clone());
            prop_assert!(out.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
            for second in 0..70 {
                let at = |all: &[(Range<i64>, Busy)]| {
                    all.iter().filter(|(time, _)| time.contains(&second)).map(|(_, busy)| *busy).max()
                };
                prop_assert_eq!(at(&out), at(&times));
            }
            let component = to_component(&out, &(0..100));
            let zones = CalendarZones::floating(TimeZone::utc());
            let back = of_component(&component, &zones);
            prop_assert_eq!(back.len(), out.len());
        }
    }
}

//! The instances of a calendar object.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::civil::{Date, DateTime};

use super::{Limits, Occurrences, TooMuch};
use crate::icalendar::value::{CalendarTime, Duration, Period, PeriodEnd, Recur};
use crate::icalendar::{CalendarObject, Component};
use crate::time_zone::{CalendarZones, clock, wall_seconds};

/// One instance of an event, a task or a journal entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// What describes it: the master, or the component that changes this instance or all from one on.
    pub component: &'a Component,
    /// Where the recurrence has it, whatever has moved it since; `None` where nothing recurs.
    pub recurrence_id: Option<CalendarTime>,
    /// Where it begins.
    pub start: CalendarTime,
    /// From when to when, in seconds since 1970; the end is not part of it.
    pub unix: Range<i64>,
}

impl Instance<'_> {
    /// Whether any of it is in a window (RFC 4791 §9.9). What takes no time is where it begins.
    fn is_in(&self, window: &Range<i64>) -> bool {
        let Range { start, end } = self.unix;
        if end > start { start < window.end && end > window.start } else { window.contains(&start) }
    }
}

/// The instances of an object that are in a window of seconds since 1970, by their start. What has neither a start nor a
/// DUE has none.
///
/// # Errors
/// [`TooMuch`], when there are more than `limits` allow, or they are too hard to find.
pub fn instances<'a>(
    object: &CalendarObject<'a>,
    zones: &CalendarZones,
    window: Range<i64>,
    limits: Limits,
) -> Result<Vec<Instance<'a>>, TooMuch> {
    let changes = Changes::of(object, zones);
    let mut found = Vec::new();
    if let Some(master) = object.master
        && let Some(start) = start_of(master)
    {
        let recurs = ["RRULE", "RDATE"].iter().any(|name| master.property(name).is_some());
        let series = Series { master, start, zones, changes: &changes };
        for origin in series.origins(&window, limits)? {
            if let Some(instance) = series.instance(origin, recurs) {
                push(&mut found, instance, &window, limits)?;
            }
        }
    }
    for (component, id) in &changes.single {
        let Some(start) = start_of(component) else { continue };
        let unix = zones.to_unix(&start);
        let end = Length::of(component, zones).end(&start, unix, zones);
        let instance =
            Instance { component, recurrence_id: Some(id.clone()), start, unix: unix..end.max(unix) };
        push(&mut found, instance, &window, limits)?;
    }
    found.sort_by_key(|instance| instance.unix.start);
    Ok(found)
}

fn push<'a>(
    found: &mut Vec<Instance<'a>>,
    instance: Instance<'a>,
    window: &Range<i64>,
    limits: Limits,
) -> Result<(), TooMuch> {
    if instance.is_in(window) {
        if found.len() >= usize::try_from(limits.occurrences).unwrap_or(usize::MAX) {
            return Err(TooMuch);
        }
        found.push(instance);
    }
    Ok(())
}

/// Where a component begins; a task without a start is where it is due.
fn start_of(component: &Component) -> Option<CalendarTime> {
    component.time("DTSTART").or_else(|| component.time("DUE"))?.ok()
}

/// How long a component takes.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// Days of the calendar.
    Days(i64),
    /// Exact seconds (RFC 5545 §3.8.5.3, of DTEND).
    Seconds(i64),
    /// Days of the calendar, then exact seconds (RFC 5545 §3.3.6).
    Duration(Duration),
}

impl Length {
    fn of(component: &Component, zones: &CalendarZones) -> Self {
        let Some(Ok(start)) = component.time("DTSTART") else { return Self::Seconds(0) };
        let end = component.time("DTEND").or_else(|| component.time("DUE"));
        if let Some(Ok(end)) = end {
            if start.is_date() && end.is_date() {
                return Self::Days((wall_seconds(end.local()) - wall_seconds(start.local())) / DAY);
            }
            return Self::Seconds(zones.to_unix(&end) - zones.to_unix(&start));
        }
        match component.property("DURATION").map(crate::icalendar::Property::duration) {
            Some(Ok(duration)) => Self::Duration(duration),
            // RFC 5545 §3.6.1: a day, or no time.
            _ if start.is_date() && component.is("VEVENT") => Self::Days(1),
            _ => Self::Seconds(0),
        }
    }

    fn end(self, start: &CalendarTime, unix: i64, zones: &CalendarZones) -> i64 {
        let days_later = |days: i64| {
            let local = clock(wall_seconds(start.local()).saturating_add(days.saturating_mul(DAY)));
            zones.to_unix(&start.with_local(local))
        };
        match self {
            Self::Days(days) => days_later(days),
            Self::Seconds(seconds) => unix.saturating_add(seconds),
            Self::Duration(Duration { days: 0, seconds }) => unix.saturating_add(seconds),
            Self::Duration(Duration { days, seconds }) => days_later(i64::from(days)).saturating_add(seconds),
        }
    }

    /// About so many seconds.
    fn seconds(self) -> i64 {
        match self {
            Self::Days(days) => days.saturating_mul(DAY),
            Self::Seconds(seconds) => seconds,
            Self::Duration(duration) => duration.to_seconds(),
        }
    }
}

/// The components that change instances.
struct Changes<'a> {
    /// Of single instances, with their RECURRENCE-ID.
    single: Vec<(&'a Component, CalendarTime)>,
    /// The moments of those.
    moments: BTreeSet<i64>,
    /// Of all instances from one on (RANGE=THISANDFUTURE), by its moment.
    future: BTreeMap<i64, Future<'a>>,
}

struct Future<'a> {
    component: &'a Component,
    /// How much later than the recurrence has it each instance begins, seconds of the clock.
    shift: i64,
    length: Length,
}

impl<'a> Changes<'a> {
    fn of(object: &CalendarObject<'a>, zones: &CalendarZones) -> Self {
        let mut changes = Self { single: Vec::new(), moments: BTreeSet::new(), future: BTreeMap::new() };
        for component in object.overrides.iter().copied() {
            let Some(id) = component.property("RECURRENCE-ID") else { continue };
            let Ok(time) = id.time() else { continue };
            let moment = zones.to_unix(&time);
            let is_future =
                id.parameter("RANGE").is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
            match start_of(component) {
                Some(start) if is_future && object.master.is_some() => {
                    // By the clock of the recurrence, so that it stays the same clock time across changes of it.
                    let zone = zones.zone_of(&time);
                    let begins = match &start {
                        CalendarTime::Utc(_) => zone.to_local(zones.to_unix(&start)),
                        _ => start.local(),
                    };
                    let id = match &time {
                        CalendarTime::Utc(_) => zone.to_local(moment),
                        _ => time.local(),
                    };
                    let shift = wall_seconds(begins) - wall_seconds(id);
                    let length = Length::of(component, zones);
                    changes.future.insert(moment, Future { component, shift, length });
                }
                _ => {
                    changes.moments.insert(moment);
                    changes.single.push((component, time));
                }
            }
        }
        changes
    }
}

/// A start that the recurrence gives, perhaps with a length of its own (an RDATE with a period).
struct Origin {
    start: CalendarTime,
    end: Option<PeriodEnd>,
}

/// A master and what it needs to recur.
struct Series<'s, 'a> {
    master: &'a Component,
    start: CalendarTime,
    zones: &'s CalendarZones,
    changes: &'s Changes<'a>,
}

impl<'a> Series<'_, 'a> {
    /// The starts that can have an instance in a window, by their moments: rules and further dates without the
    /// exceptions and without those that a component of their own describes.
    fn origins(&self, window: &Range<i64>, limits: Limits) -> Result<Vec<Origin>, TooMuch> {
        let zones = self.zones;
        let mut origins: BTreeMap<i64, Origin> = BTreeMap::new();
        let mut add = |start: CalendarTime, end: Option<PeriodEnd>| {
            origins.entry(zones.to_unix(&start)).or_insert(Origin { start, end });
        };
        add(self.start.clone(), None);
        // Instances begin so much later than their origins, and end so much later than they begin.
        let futures = self.changes.future.values();
        let shifts = || futures.clone().map(|future| future.shift).chain([0]);
        let lengths = futures.clone().map(|future| future.length).chain([Length::of(self.master, zones)]);
        let longest = lengths.map(Length::seconds).max().unwrap_or(0).max(0);
        let latest = shifts().max().unwrap_or(0).saturating_add(longest);
        let earliest = shifts().min().unwrap_or(0);
        // A day and a half for clocks that change.
        let margin = DAY * 3 / 2;
        let from = self.clock_at(window.start.saturating_sub(latest).saturating_sub(margin));
        let until = self.clock_at(window.end.saturating_sub(earliest).saturating_add(margin));
        for property in self.master.properties_named("RRULE") {
            let Ok(rule) = property.value.parse::<Recur>() else { continue };
            let end = self.end_of(&rule).map_or(until, |end| end.min(until));
            // Those around the window are counted here, those in it later.
            let most = limits.occurrences.saturating_mul(AROUND);
            let limits = Limits { occurrences: u32::MAX, ..limits };
            let mut around = 0;
            for time in Occurrences::new(&rule, self.start.local(), limits).until(end).from(from) {
                let time = time?;
                if time >= from {
                    around += 1;
                    if around > most {
                        return Err(TooMuch);
                    }
                    add(self.start.with_local(time), None);
                }
            }
        }
        for property in self.master.properties_named("RDATE") {
            if property.parameter("VALUE").is_some_and(|value| value.eq_ignore_ascii_case("PERIOD")) {
                for Period { start, end } in property.periods().unwrap_or_default() {
                    add(start, Some(end));
                }
            } else {
                property.times().unwrap_or_default().into_iter().for_each(|time| add(time, None));
            }
        }
        for property in self.master.properties_named("EXDATE") {
            for time in property.times().unwrap_or_default() {
                match time {
                    // Some products leave out a day.
                    CalendarTime::Date(day) if !self.start.is_date() => {
                        origins.retain(|_, origin| origin.start.date() != day);
                    }
                    time => drop(origins.remove(&zones.to_unix(&time))),
                }
            }
        }
        origins.retain(|moment, _| !self.changes.moments.contains(moment));
        Ok(origins.into_values().collect())
    }

    /// The instance of an origin, as the master or a change of all from some instance on has it.
    fn instance(&self, origin: Origin, recurs: bool) -> Option<Instance<'a>> {
        let zones = self.zones;
        let moment = zones.to_unix(&origin.start);
        let future = self.changes.future.range(..=moment).next_back().map(|(_, future)| future);
        let mut start = origin.start.clone();
        let mut length = Length::of(self.master, zones);
        let mut component = self.master;
        if let Some(future) = future {
            (component, length) = (future.component, future.length);
            let shifted = clock(wall_seconds(start.local()).saturating_add(future.shift));
            start = start_of(component)?.with_local(shifted);
        }
        let unix = zones.to_unix(&start);
        let end = match origin.end {
            Some(PeriodEnd::Explicit(end)) => zones.to_unix(&end),
            Some(PeriodEnd::Duration(duration)) => Length::Duration(duration).end(&start, unix, zones),
            None => length.end(&start, unix, zones),
        };
        let recurrence_id = recurs.then_some(origin.start);
        Some(Instance { component, recurrence_id, start, unix: unix..end.max(unix) })
    }

    /// The clock of the series at a moment.
    fn clock_at(&self, unix: i64) -> DateTime {
        match &self.start {
            CalendarTime::Utc(_) => clock(unix),
            start => self.zones.zone_of(start).to_local(unix),
        }
    }

    /// UNTIL by the clock of the series (RFC 5545 §3.3.10).
    fn end_of(&self, rule: &Recur) -> Option<DateTime> {
        let whole = |day: Date| day.at(23, 59, 59, 0);
        Some(match rule.until.as_ref()? {
            CalendarTime::Date(day) => whole(*day),
            until if self.start.is_date() => whole(until.date()),
            until @ CalendarTime::Utc(_) => self.clock_at(self.zones.to_unix(until)),
            until => until.local(),
        })
    }
}

const DAY: i64 = 86_400;
/// How many times as many instances may be around a window as in it.
const AROUND: u32 = 10;

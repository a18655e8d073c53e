//! The judgement of a request.

use std::ops::Range;

use super::reason::{Dates, Reason};
use super::{AutomateProcessing, Rules, WorkingHours};
use crate::icalendar::value::{CalendarTime, Recur};
use crate::icalendar::{CalendarObject, Component, ObjectKind};
use crate::recurrence::{self, Limits};
use crate::scheduling::people;
use crate::time_zone::{CalendarZones, TimeZone, wall_seconds};

/// Who asks, and what the resource knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The organizer's addresses and those of the groups that the organizer is in, in small letters.
    pub names: &'a [String],
    /// Whether the organizer is of the resource's own organization, and has proved it.
    pub is_of_tenant: bool,
    /// The resource's copy of the meeting, where it has one.
    pub existing: Option<&'a Component>,
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Not at all, and nothing is kept.
    Ignored(Reason),
    /// Yes, apart from these instances.
    Accepted {
        /// Those that are taken.
        declined: Vec<Instance>,
        /// Why those are declined.
        reason: Option<Reason>,
    },
    /// A delegate decides; the organizer hears that.
    Tentative(Reason),
    /// A delegate decides; the organizer hears nothing until then.
    Left(Reason),
    /// No, and nothing is kept.
    Declined(Reason),
}

/// One instance of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where the recurrence has it; `None` where nothing recurs.
    pub recurrence_id: Option<CalendarTime>,
    /// Where it begins.
    pub start: CalendarTime,
    /// From when to when, in seconds since 1970.
    pub unix: Range<i64>,
}

/// Between which moments it matters when the resource is taken.
pub fn window(rules: &Rules, now: i64) -> Range<i64> {
    let length = match i64::from(rules.maximum_duration_minutes) {
        0 => YEAR,
        minutes => minutes * 60,
    };
    now..now.saturating_add(i64::from(rules.booking_window_days) * DAY).saturating_add(length)
}

/// Judges a request. `resource` is the address by which it is asked; `busy` is when it is taken by other meetings, at
/// least within [`window`]. A request of single instances is judged by those alone.
pub fn decide(
    rules: &Rules,
    request: &Component,
    resource: &str,
    asking: &Asking<'_>,
    busy: &[Range<i64>],
    now: i64,
) -> Decision {
    if rules.automate_processing == AutomateProcessing::None {
        return Decision::Ignored(Reason::NotAutomatic);
    }
    if !asking.is_of_tenant && !rules.process_external_meeting_messages {
        return Decision::Ignored(Reason::External);
    }
    let mut request = request.clone();
    request.remove("METHOD");
    let object = match CalendarObject::check(&request) {
        Ok(object) if object.kind == ObjectKind::Event => object,
        _ => return Decision::Ignored(Reason::NotAnEvent),
    };
    if !parts(&object).any(|part| is_asked(part, resource)) {
        return Decision::Ignored(Reason::NotAnEvent);
    }
    if rules.automate_processing == AutomateProcessing::AutoUpdate {
        return Decision::Left(Reason::Pending);
    }
    let is_in = |list: &[String]| {
        list.iter().any(|name| asking.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
    };
    let may_book = rules.all_book_in_policy || is_in(&rules.book_in_policy);
    let may_ask = rules.all_request_in_policy || is_in(&rules.request_in_policy);
    if !may_book && !may_ask {
        return Decision::Declined(Reason::NotPermitted);
    }
    let zones = CalendarZones::of(&request, rules.zone());
    let all = match judged(rules, &object, resource, &zones, now) {
        Ok(all) => all,
        // What is over stays as it was.
        Err(Reason::Past)
            if asking.existing.is_some_and(|existing| is_over(existing, resource, rules, now)) =>
        {
            return Decision::Ignored(Reason::Past);
        }
        Err(reason) => return Decision::Declined(reason),
    };
    let busy = disjoint(busy);
    let (taken, free): (Vec<_>, Vec<_>) = all.into_iter().partition(|instance| is_taken(&busy, instance));
    if !taken.is_empty() && !rules.allow_conflicts {
        let reason = Reason::Taken(dates(&taken, rules));
        let some = match object.master {
            Some(_) => is_tolerated(rules, taken.len(), free.len()),
            None => true,
        };
        if free.is_empty() || !some {
            return Decision::Declined(reason);
        }
        if may_book {
            return Decision::Accepted { declined: taken, reason: Some(reason) };
        }
    }
    if may_book {
        Decision::Accepted { declined: Vec::new(), reason: None }
    } else {
        Decision::Tentative(Reason::Pending)
    }
}

/// Whether a series may lose so many of its instances.
fn is_tolerated(rules: &Rules, taken: usize, free: usize) -> bool {
    let most = usize::try_from(rules.max_conflict_instances).unwrap_or(usize::MAX);
    let percentage = usize::try_from(rules.max_conflict_percentage).unwrap_or(100);
    taken <= most && taken.saturating_mul(100) <= percentage.saturating_mul(taken.saturating_add(free))
}

/// The instances that are to come, when the rules allow for all of them.
fn judged(
    rules: &Rules,
    object: &CalendarObject<'_>,
    resource: &str,
    zones: &CalendarZones,
    now: i64,
) -> Result<Vec<Instance>, Reason> {
    let recurs = |name| object.master.is_some_and(|master| master.property(name).is_some());
    if !rules.allow_recurring && (recurs("RRULE") || recurs("RDATE")) {
        return Err(Reason::Recurring);
    }
    if is_endless(object) {
        return Err(Reason::BeyondWindow(rules.booking_window_days));
    }
    let all = coming(object, resource, zones, now).map_err(|_| Reason::TooManyInstances)?;
    if all.is_empty() {
        return Err(Reason::Past);
    }
    let last = now.saturating_add(i64::from(rules.booking_window_days) * DAY);
    if all.iter().any(|instance| instance.unix.start > last) {
        return Err(Reason::BeyondWindow(rules.booking_window_days));
    }
    let longest = i64::from(rules.maximum_duration_minutes) * 60;
    if longest > 0
        && all.iter().any(|instance| instance.unix.end.saturating_sub(instance.unix.start) > longest)
    {
        return Err(Reason::TooLong(rules.maximum_duration_minutes));
    }
    if let Some(hours) = &rules.working_hours {
        let zone = rules.zone();
        let outside: Vec<_> = all.iter().filter(|one| !is_within(hours, &zone, &one.unix)).cloned().collect();
        if !outside.is_empty() {
            return Err(Reason::OutsideWorkingHours(dates(&outside, rules)));
        }
    }
    let invited = parts(object).map(count).max().unwrap_or(0);
    if rules.enforce_capacity && invited > usize::try_from(rules.capacity).unwrap_or(usize::MAX) {
        return Err(Reason::Capacity { invited, capacity: rules.capacity });
    }
    Ok(all)
}

/// Instances that the resource is asked to and that are not over.
fn coming(
    object: &CalendarObject<'_>,
    resource: &str,
    zones: &CalendarZones,
    now: i64,
) -> Result<Vec<Instance>, recurrence::TooMuch> {
    let limits = Limits { occurrences: MOST_INSTANCES, ..Limits::default() };
    let all = recurrence::instances(object, zones, now..EVER, limits)?;
    let asked = all.into_iter().filter(|one| is_asked(one.component, resource));
    Ok(asked
        .map(|one| Instance { recurrence_id: one.recurrence_id, start: one.start, unix: one.unix })
        .collect())
}

/// Whether nothing of the copy that is there is still to come.
fn is_over(existing: &Component, resource: &str, rules: &Rules, now: i64) -> bool {
    let zones = CalendarZones::of(existing, rules.zone());
    CalendarObject::check(existing).is_ok_and(|object| {
        !is_endless(&object)
            && coming(&object, resource, &zones, now).is_ok_and(|instances| instances.is_empty())
    })
}

fn parts<'o, 'a: 'o>(object: &'o CalendarObject<'a>) -> impl Iterator<Item = &'a Component> + 'o {
    object.master.iter().chain(&object.overrides).copied()
}

fn is_asked(part: &Component, resource: &str) -> bool {
    let is_off =
        part.property("STATUS").is_some_and(|status| status.value.trim().eq_ignore_ascii_case("CANCELLED"));
    !is_off
        && part.properties_named("ATTENDEE").any(|attendee| {
            attendee.address().email().is_some_and(|email| email.eq_ignore_ascii_case(resource))
        })
}

fn is_endless(object: &CalendarObject<'_>) -> bool {
    parts(object).flat_map(|part| part.properties_named("RRULE")).any(|rule| {
        rule.value.parse::<Recur>().map_or(true, |rule| rule.count.is_none() && rule.until.is_none())
    })
}

/// How many people come, the organizer among them.
fn count(part: &Component) -> usize {
    let mut all: Vec<String> = Vec::new();
    for line in part.properties.iter().filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER")) {
        let is_thing = line
            .parameter("CUTYPE")
            .is_some_and(|kind| ["ROOM", "RESOURCE"].iter().any(|thing| kind.eq_ignore_ascii_case(thing)));
        let is_away =
            line.parameter("PARTSTAT").is_some_and(|answer| answer.eq_ignore_ascii_case("DECLINED"));
        let who = people::address(line);
        if !is_thing && !is_away && !all.contains(&who) {
            all.push(who);
        }
    }
    all.len()
}

fn is_within(hours: &WorkingHours, zone: &TimeZone, time: &Range<i64>) -> bool {
    let (start, end) = (zone.to_local(time.start), zone.to_local(time.end.max(time.start)));
    let day = u32::try_from(start.weekday().to_monday_zero_offset()).unwrap_or(0);
    let midnight = wall_seconds(start.date().at(0, 0, 0, 0));
    let open = midnight + i64::from(hours.from) * 60;
    let close = midnight + i64::from(hours.until) * 60;
    u32::from(hours.days) >> day & 1 == 1 && wall_seconds(start) >= open && wall_seconds(end) <= close
}

/// In order and without overlaps.
fn disjoint(busy: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut busy: Vec<_> = busy.iter().filter(|time| time.start < time.end).cloned().collect();
    busy.sort_unstable_by_key(|time| time.start);
    let mut out: Vec<Range<i64>> = Vec::with_capacity(busy.len());
    for time in busy {
        match out.last_mut() {
            Some(last) if time.start <= last.end => last.end = last.end.max(time.end),
            _ => out.push(time),
        }
    }
    out
}

/// Whether any of an instance is taken. `busy` is in order and without overlaps.
fn is_taken(busy: &[Range<i64>], instance: &Instance) -> bool {
    let Range { start, end } = instance.unix;
    let next = busy.partition_point(|time| time.end <= start);
    start < end && busy.get(next).is_some_and(|time| time.start < end)
}

fn dates(instances: &[Instance], rules: &Rules) -> Dates {
    let first = instances.iter().take(SHOWN).map(|instance| date(instance, rules)).collect();
    Dates { first, others: instances.len().saturating_sub(SHOWN) }
}

/// When an instance begins, by its own clock, or by that of the resource.
fn date(instance: &Instance, rules: &Rules) -> String {
    let clock = |time: jiff::civil::DateTime, zone: &str| {
        format!("{} {zone}", time.strftime("%a %-d %b %Y %H:%M")).trim_end().to_owned()
    };
    match &instance.start {
        CalendarTime::Date(day) => day.strftime("%a %-d %b %Y").to_string(),
        CalendarTime::Floating(time) => clock(*time, ""),
        CalendarTime::Zoned(time, zone) => clock(*time, zone),
        CalendarTime::Utc(_) => {
            let zone = rules.zone();
            clock(zone.to_local(instance.unix.start), zone.id())
        }
    }
}

const DAY: i64 = 86_400;
const YEAR: i64 = 366 * DAY;
/// The end of the years that iCalendar can write.
const EVER: i64 = 253_402_300_800;
/// Three years of every day.
const MOST_INSTANCES: u32 = 1_100;
/// So many dates go into a text.
const SHOWN: usize = 10;

//! VTIMEZONE (RFC 5545 §3.6.5) in both directions.

use jiff::civil::{Date, DateTime};

use super::observance::{Observance, YearlyOnsets};
use super::yearly::{DayRule, Yearly};
use super::{TimeZone, Transition, clock, wall_seconds};
use crate::icalendar::value::{ByDay, Frequency, Recur, UtcOffset};
use crate::icalendar::{Component, Property};

/// Why a VTIMEZONE is no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No observance that could be read.
    #[error("a time zone without a STANDARD or DAYLIGHT part")]
    NoObservance,
    /// More observances, or dates in them, than any zone has had.
    #[error("a time zone with too many parts")]
    TooMany,
}

impl TimeZone {
    /// The zone that a VTIMEZONE means: by its TZID or X-LIC-LOCATION, where these name a zone that is known; else by
    /// its own rules.
    pub fn from_vtimezone(component: &Component) -> Result<Self, ZoneError> {
        let tzid = component.text("TZID").unwrap_or_default();
        let known = Self::named(&tzid)
            .or_else(|| Self::named(&component.text("X-LIC-LOCATION")?))
            .or_else(|| Self::named(&component.text("X-MICROSOFT-CDO-TZID-NAME")?));
        match known {
            Some(zone) => Ok(zone),
            None => Self::from_vtimezone_rules(component),
        }
    }

    /// The zone by the rules of a VTIMEZONE alone, whatever it is called.
    pub fn from_vtimezone_rules(component: &Component) -> Result<Self, ZoneError> {
        if component.components.len() > MAX_OBSERVANCES {
            return Err(ZoneError::TooMany);
        }
        let mut observances = Vec::new();
        for part in &component.components {
            if part.is("STANDARD") || part.is("DAYLIGHT") {
                observances.extend(observance(part)?);
            }
        }
        if observances.is_empty() {
            return Err(ZoneError::NoObservance);
        }
        Ok(Self::of_observances(&component.text("TZID").unwrap_or_default(), observances))
    }

    /// A VTIMEZONE with this TZID for moments from `since` on, in seconds since 1970. What recurs every year is a rule,
    /// what does not is listed for fifty years.
    pub fn to_vtimezone(&self, tzid: &str, since: i64) -> Component {
        let mut zone = Component::new("VTIMEZONE");
        zone.push(Property::with_text("TZID", tzid));
        if let Some(iana) = self.iana_id().filter(|iana| *iana != tzid) {
            zone.push(Property::new("X-LIC-LOCATION", iana));
        }
        let year = clock(since).year().clamp(1, 9_000) - 1;
        let start = wall_seconds(new_year(year));
        let tail_year = year.max(LAST_LISTED_YEAR) + 1;
        let end = wall_seconds(new_year(tail_year + TAIL_YEARS));
        let mut changes = self.transitions(start, end, MAX_TRANSITIONS);
        let tail = Tail::of(&changes, year, tail_year);
        let listed_until = tail.as_ref().map_or(year + LISTED_YEARS, |tail| tail.first_year);
        changes.retain(|change| local(change).0.year() < listed_until);
        if changes.first().is_none_or(|first| first.unix > since)
            && tail.as_ref().is_none_or(|tail| tail.first_year > year)
        {
            let offset = self.offset_at(start);
            let initial = Transition {
                unix: start - i64::from(offset),
                before: offset,
                after: offset,
                daylight: false,
                name: None,
            };
            zone.components.push(write_observance(&initial, &[], None));
        }
        let mut rest = changes.as_slice();
        let mut written: Vec<&Transition> = Vec::new();
        while let [change, after @ ..] = rest {
            rest = after;
            if written.iter().any(|known| same_kind(known, change)) {
                continue;
            }
            written.push(change);
            let more: Vec<_> = after.iter().filter(|later| same_kind(later, change)).collect();
            zone.components.push(write_observance(change, &more, None));
        }
        for (change, rule) in tail.iter().flat_map(|tail| &tail.rules) {
            zone.components.push(write_observance(change, &[], Some(*rule)));
        }
        zone
    }
}

/// What recurs in every year from one on.
struct Tail {
    first_year: i16,
    /// The first transition of each rule.
    rules: Vec<(Transition, Yearly)>,
}

impl Tail {
    /// What holds from `tail_year` on, and how far back it held; not before `year`.
    fn of(changes: &[Transition], year: i16, tail_year: i16) -> Option<Self> {
        let in_year = |year: i16| changes.iter().filter(move |change| local(change).0.year() == year);
        let rules: Vec<Yearly> = in_year(tail_year)
            .map(|first| {
                let of_kind = changes.iter().filter(|change| same_kind(change, first)).map(local);
                let moments: Vec<_> = of_kind.filter(|(date, _)| date.year() >= tail_year).collect();
                Yearly::of(&moments)
            })
            .collect::<Option<_>>()?;
        if rules.is_empty() || in_year(tail_year + TAIL_YEARS - 1).count() != rules.len() {
            return None;
        }
        let model: Vec<_> = in_year(tail_year).collect();
        let holds = |year: i16| {
            let mut here = in_year(year);
            let all = model.iter().zip(&rules).all(|(model, rule)| {
                here.next().is_some_and(|change| {
                    let (date, second) = local(change);
                    same_kind(model, change) && rule.fits(date, second)
                })
            });
            all && here.next().is_none()
        };
        let first_year = (year..=tail_year).rev().take_while(|year| holds(*year)).last()?;
        Some(Self { first_year, rules: in_year(first_year).cloned().zip(rules).collect() })
    }
}

fn same_kind(a: &Transition, b: &Transition) -> bool {
    (a.before, a.after, a.daylight, &a.name) == (b.before, b.after, b.daylight, &b.name)
}

/// Day and second by the clock that goes before the change.
fn local(change: &Transition) -> (Date, i32) {
    let local = clock(change.unix + i64::from(change.before));
    let second = i32::from(local.hour()) * 3600 + i32::from(local.minute()) * 60 + i32::from(local.second());
    (local.date(), second)
}

fn write_observance(first: &Transition, more: &[&Transition], rule: Option<Yearly>) -> Component {
    let mut part = Component::new(if first.daylight { "DAYLIGHT" } else { "STANDARD" });
    let offset = |seconds| UtcOffset::from_seconds(seconds).unwrap_or_default().to_string();
    let onset = |change: &Transition| {
        let local = clock(change.unix + i64::from(change.before));
        crate::icalendar::value::CalendarTime::Floating(local).to_string()
    };
    part.push(Property::new("DTSTART", onset(first)));
    part.push(Property::new("TZOFFSETFROM", offset(first.before)));
    part.push(Property::new("TZOFFSETTO", offset(first.after)));
    if let Some(name) = &first.name {
        part.push(Property::with_text("TZNAME", name));
    }
    if let Some(rule) = rule {
        let mut recur = Recur::new(Frequency::Yearly);
        recur.by_month = vec![rule.month.unsigned_abs()];
        match rule.day {
            DayRule::Day(day) => recur.by_month_day = vec![day],
            DayRule::Nth(weekday, nth) => recur.by_day = vec![ByDay { nth: Some(nth), weekday }],
            DayRule::OnOrAfter(weekday, day) => {
                recur.by_day = vec![ByDay { nth: None, weekday }];
                recur.by_month_day = (day..=day.saturating_add(6).min(31)).collect();
            }
        }
        part.push(Property::new("RRULE", recur.to_string()));
    }
    for change in more {
        part.push(Property::new("RDATE", onset(change)));
    }
    part
}

fn new_year(year: i16) -> DateTime {
    DateTime::new(year, 1, 1, 0, 0, 0, 0).unwrap_or(DateTime::MIN)
}

/// `None` for a part that cannot be read.
fn observance(part: &Component) -> Result<Option<Observance>, ZoneError> {
    let offset = |name| part.property(name).and_then(|p| p.value.parse::<UtcOffset>().ok());
    let Some(after) = offset("TZOFFSETTO").map(UtcOffset::seconds) else { return Ok(None) };
    let before = offset("TZOFFSETFROM").map_or(after, UtcOffset::seconds);
    let Some(Ok(start)) = part.time("DTSTART") else { return Ok(None) };
    let start = start.local();
    let to_unix = |local: DateTime| wall_seconds(local) - i64::from(before);
    let mut listed = vec![to_unix(start)];
    for dates in part.properties_named("RDATE") {
        for date in dates.times().unwrap_or_default() {
            listed.push(match date {
                crate::icalendar::value::CalendarTime::Utc(utc) => wall_seconds(utc),
                date => to_unix(date.local()),
            });
        }
        if listed.len() > MAX_ONSETS {
            return Err(ZoneError::TooMany);
        }
    }
    let rule = part.property("RRULE").and_then(|rule| rule.value.parse::<Recur>().ok());
    let yearly = rule.as_ref().and_then(|rule| yearly_onsets(rule, start, before));
    listed.sort_unstable();
    listed.dedup();
    let name = part.text("TZNAME");
    Ok(Some(Observance { daylight: part.is("DAYLIGHT"), before, after, name, listed, yearly }))
}

/// The rule of every year; `None` for a rule of another form.
fn yearly_onsets(rule: &Recur, start: DateTime, before: i32) -> Option<YearlyOnsets> {
    let plain = rule.by_year_day.is_empty()
        && rule.by_week_no.is_empty()
        && rule.by_set_pos.is_empty()
        && rule.by_hour.is_empty()
        && rule.by_minute.is_empty()
        && rule.by_second.is_empty()
        && rule.count.is_none()
        && rule.other.is_empty();
    if rule.frequency != Frequency::Yearly || rule.interval != 1 || !plain {
        return None;
    }
    let month = match rule.by_month.as_slice() {
        [] => start.month(),
        [month] => i8::try_from(*month).ok()?,
        _ => return None,
    };
    let day = match (rule.by_day.as_slice(), rule.by_month_day.as_slice()) {
        ([], []) => DayRule::Day(start.day()),
        ([], [day]) if *day > 0 => DayRule::Day(*day),
        ([ByDay { nth: Some(nth), weekday }], []) if !rule.by_month.is_empty() => {
            DayRule::Nth(*weekday, *nth)
        }
        ([ByDay { nth: None, weekday }], days) if days.len() == 7 => {
            let first = *days.iter().min()?;
            let consecutive = (0..7).all(|ahead| days.contains(&(first + ahead)));
            (consecutive && first >= 1).then_some(DayRule::OnOrAfter(*weekday, first))?
        }
        _ => return None,
    };
    let until = match &rule.until {
        None => i64::MAX,
        Some(crate::icalendar::value::CalendarTime::Utc(utc)) => wall_seconds(*utc),
        // A day counts to its end.
        Some(until) if until.is_date() => wall_seconds(until.local()) + 86_399 - i64::from(before),
        Some(until) => wall_seconds(until.local()) - i64::from(before),
    };
    let second = i32::from(start.hour()) * 3600 + i32::from(start.minute()) * 60 + i32::from(start.second());
    let first = Yearly { month, day, second };
    // DTSTART stands for its own year (RFC 5545 §3.6.5: the first onset).
    let first_year = match first.date(start.year()) {
        Some(date) if date < start.date() => start.year() + 1,
        _ => start.year(),
    };
    Some(YearlyOnsets { rule: first, first_year, last_year: last_year(until, first_year), until })
}

fn last_year(until: i64, first_year: i16) -> i16 {
    if until == i64::MAX { i16::MAX } else { clock(until).year().saturating_add(1).max(first_year) }
}

/// No zone that is known has changed its rules so often.
const MAX_OBSERVANCES: usize = 500;
const MAX_ONSETS: usize = 2_000;
const MAX_TRANSITIONS: usize = 2_000;
/// The database lists Morocco's changes until 2087; every other zone follows a rule long before.
const LAST_LISTED_YEAR: i16 = 2_090;
/// How far a zone is listed that follows no rule that can be said, such as Egypt's day after the last Thursday.
const LISTED_YEARS: i16 = 50;
/// In so many years every date falls on every weekday.
const TAIL_YEARS: i16 = 28;

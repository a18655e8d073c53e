//! The times of one rule.

use std::collections::VecDeque;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday, date};

use super::{Limits, TooMuch};
use crate::icalendar::value::{ByDay, CalendarTime, Frequency, Recur};
use crate::time_zone::{clock, wall_seconds};

/// The times of a rule by the clock of its zone, in order, the start first, whether the rule gives it or not: it counts
/// as the first instance (RFC 5545 §3.8.5.3). The last item is an error when a limit was reached.
#[derive(Clone, Debug)]
pub struct Occurrences<'a> {
    rule: &'a Recur,
    start: DateTime,
    until: Option<DateTime>,
    parts: Parts,
    /// Number of the next period, counted in intervals from the one with the start.
    period: i64,
    /// Found and not given yet.
    found: VecDeque<DateTime>,
    given: u32,
    limits: Limits,
    ended: bool,
}

/// The parts of a rule with what the start says where they are silent, ready to be asked about a day.
#[derive(Clone, Debug)]
struct Parts {
    by_month: Vec<u8>,
    by_month_day: Vec<i8>,
    by_day: Vec<ByDay>,
    hours: Vec<u8>,
    minutes: Vec<u8>,
    seconds: Vec<u8>,
    nth: Nth,
}

/// What an nth weekday is the nth of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nth {
    Month,
    Year,
    /// The number says nothing.
    Nothing,
}

impl<'a> Occurrences<'a> {
    /// The times of a rule. An UNTIL in UTC is read as if it were of the zone of `start`; where it is not,
    /// [`Self::until`] says better.
    pub fn new(rule: &'a Recur, start: DateTime, limits: Limits) -> Self {
        let until = rule.until.as_ref().map(|until| match until {
            CalendarTime::Date(day) => day.at(23, 59, 59, 0),
            other => other.local(),
        });
        let parts = Parts::of(rule, start);
        let found = VecDeque::from([start]);
        Self { rule, start, until, parts, period: 0, found, given: 0, limits, ended: false }
    }

    /// Ends after this time by the same clock instead.
    #[must_use]
    pub fn until(self, until: DateTime) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Leaves out what is long before a time, as far as that can be without counting: the next item is not after the
    /// first one at or after `from`, but may be before it.
    #[must_use]
    pub fn from(mut self, from: DateTime) -> Self {
        if self.rule.count.is_some() || from <= self.start || self.given > 0 {
            return self;
        }
        let interval = i64::from(self.rule.interval);
        let seconds = wall_seconds(from) - wall_seconds(self.start);
        let periods = match self.rule.frequency {
            Frequency::Yearly => i64::from(from.year()) - i64::from(self.start.year()),
            Frequency::Monthly => months(from.date()) - months(self.start.date()),
            Frequency::Weekly => seconds / (7 * DAY),
            Frequency::Daily => seconds / DAY,
            Frequency::Hourly => seconds / 3600,
            Frequency::Minutely => seconds / 60,
            Frequency::Secondly => seconds,
        };
        // One less, for what begins in the middle of a period.
        self.period = (periods / interval - 1).max(0);
        if self.period > 0 {
            self.found.clear();
        }
        self
    }

    fn is_spent(&mut self, effort: usize) -> bool {
        let effort = u32::try_from(effort).unwrap_or(u32::MAX);
        let left = self.limits.effort.checked_sub(effort);
        self.limits.effort = left.unwrap_or(0);
        left.is_none()
    }

    /// Looks through the next period; false at the end of all times.
    fn search(&mut self) -> Result<bool, TooMuch> {
        let Some(period) = self.period.checked_mul(i64::from(self.rule.interval)) else { return Ok(false) };
        let Some(mut times) = self.times_of(period)? else { return Ok(false) };
        times.sort_unstable();
        times.dedup();
        if !self.rule.by_set_pos.is_empty() {
            times = at_positions(&times, &self.rule.by_set_pos);
        }
        // The start itself has been given.
        self.found.extend(times.into_iter().filter(|time| *time > self.start));
        Ok(true)
    }

    /// The times of a period, unsorted, or none at the end of all times; moves on to the next one that can have any.
    fn times_of(&mut self, period: i64) -> Result<Option<Vec<DateTime>>, TooMuch> {
        self.period += 1;
        let Some(first) = self.first_day(period) else { return Ok(None) };
        if self.until.is_some_and(|until| first > until.date()) {
            return Ok(None);
        }
        let days: Vec<Date> = match self.rule.frequency {
            Frequency::Yearly => days_from(first, if first.in_leap_year() { 366 } else { 365 }),
            Frequency::Monthly => days_from(first, i64::from(first.days_in_month())),
            Frequency::Weekly => days_from(first, 7),
            Frequency::Daily => vec![first],
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                return self.within_a_day(period);
            }
        };
        if self.is_spent(days.len()) {
            return Err(TooMuch);
        }
        let days: Vec<Date> =
            days.into_iter().filter(|day| *day <= LAST && self.parts.holds(self.rule, *day)).collect();
        let parts = &self.parts;
        let each = parts.hours.len() * parts.minutes.len() * parts.seconds.len();
        let cost = each.saturating_mul(days.len());
        if self.is_spent(cost) {
            return Err(TooMuch);
        }
        let mut times = Vec::with_capacity(cost);
        for day in days {
            self.parts.clock_times(day, &mut times);
        }
        Ok(Some(times))
    }

    /// The first day of a period; for those within a day, the day.
    fn first_day(&self, period: i64) -> Option<Date> {
        let start = self.start.date();
        let day = match self.rule.frequency {
            Frequency::Yearly => {
                let year = i16::try_from(period.checked_add(i64::from(start.year()))?).ok()?;
                Date::new(year, 1, 1).ok()?
            }
            Frequency::Monthly => {
                let month = period.checked_add(months(start))?;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?
            }
            Frequency::Weekly => {
                let back = start.weekday().since(self.rule.week_start);
                let monday = start.checked_sub(i64::from(back).days()).ok()?;
                monday.checked_add(period.checked_mul(7).filter(|days| *days < FAR)?.days()).ok()?
            }
            Frequency::Daily => start.checked_add(Some(period).filter(|days| *days < FAR)?.days()).ok()?,
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                clock(self.moment(period)?).date()
            }
        };
        (day <= LAST).then_some(day)
    }

    /// Where a period within a day begins, in seconds of the clock.
    fn moment(&self, period: i64) -> Option<i64> {
        let step = self.step();
        let begin = wall_seconds(self.start).div_euclid(step) * step;
        begin.checked_add(period.checked_mul(step)?).filter(|moment| *moment < FAR * DAY)
    }

    fn step(&self) -> i64 {
        match self.rule.frequency {
            Frequency::Hourly => 3600,
            Frequency::Minutely => 60,
            _ => 1,
        }
    }

    /// As [`Self::times_of`], for hours, minutes and seconds. Where a day or an hour has none, all of it is passed over.
    fn within_a_day(&mut self, period: i64) -> Result<Option<Vec<DateTime>>, TooMuch> {
        let Some(moment) = self.moment(period) else { return Ok(None) };
        if self.is_spent(1) {
            return Err(TooMuch);
        }
        let time = clock(moment);
        let (rule, parts) = (self.rule, &self.parts);
        let is_in = |list: &[u8], value: i8| {
            list.is_empty() || list.iter().any(|v| i64::from(*v) == i64::from(value))
        };
        if !parts.holds(rule, time.date()) {
            self.pass_over(moment, DAY);
            return Ok(Some(Vec::new()));
        }
        if !is_in(&rule.by_hour, time.hour()) {
            self.pass_over(moment, 3600);
            return Ok(Some(Vec::new()));
        }
        if rule.frequency != Frequency::Hourly && !is_in(&rule.by_minute, time.minute()) {
            self.pass_over(moment, 60);
            return Ok(Some(Vec::new()));
        }
        let (mut minutes, mut seconds) = (parts.minutes.clone(), parts.seconds.clone());
        if rule.frequency != Frequency::Hourly {
            minutes = u8::try_from(time.minute()).into_iter().collect();
        }
        if rule.frequency == Frequency::Secondly {
            seconds = u8::try_from(time.second())
                .into_iter()
                .filter(|_| is_in(&rule.by_second, time.second()))
                .collect();
        }
        if self.is_spent(minutes.len() * seconds.len()) {
            return Err(TooMuch);
        }
        let mut times = Vec::new();
        for minute in minutes {
            times.extend(seconds.iter().filter_map(|second| at(time.date(), time.hour(), minute, *second)));
        }
        Ok(Some(times))
    }

    /// Goes to the first period that does not begin in the same `unit` as `moment`.
    fn pass_over(&mut self, moment: i64, unit: i64) {
        let end = (moment.div_euclid(unit) + 1) * unit;
        let stride = self.step().saturating_mul(i64::from(self.rule.interval));
        let periods = (end - moment).div_euclid(stride) + i64::from((end - moment).rem_euclid(stride) > 0);
        // One of them has been counted.
        self.period = self.period.saturating_add(periods.max(1) - 1);
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Result<DateTime, TooMuch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let time = loop {
            if let Some(time) = self.found.pop_front() {
                break time;
            }
            match self.search() {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    return None;
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        };
        let is_past = self.until.is_some_and(|until| time > until) && time != self.start;
        if is_past || self.rule.count.is_some_and(|count| self.given >= count) {
            self.ended = true;
            return None;
        }
        if self.given >= self.limits.occurrences {
            self.ended = true;
            return Some(Err(TooMuch));
        }
        self.given += 1;
        Some(Ok(time))
    }
}

impl Parts {
    fn of(rule: &Recur, start: DateTime) -> Self {
        let mut parts = Self {
            by_month: rule.by_month.clone(),
            by_month_day: rule.by_month_day.clone(),
            by_day: rule.by_day.clone(),
            hours: or(&rule.by_hour, start.hour()),
            minutes: or(&rule.by_minute, start.minute()),
            seconds: or(&rule.by_second, start.second()),
            nth: match rule.frequency {
                Frequency::Monthly => Nth::Month,
                Frequency::Yearly if !rule.by_week_no.is_empty() => Nth::Nothing,
                Frequency::Yearly if !rule.by_month.is_empty() => Nth::Month,
                Frequency::Yearly => Nth::Year,
                _ => Nth::Nothing,
            },
        };
        let silent = rule.by_year_day.is_empty() && parts.by_month_day.is_empty() && parts.by_day.is_empty();
        match rule.frequency {
            Frequency::Yearly if silent && !rule.by_week_no.is_empty() => parts.on(start.weekday()),
            Frequency::Yearly if silent => {
                if parts.by_month.is_empty() {
                    parts.by_month = or(&[], start.month());
                }
                parts.by_month_day = vec![start.day()];
            }
            Frequency::Monthly if silent => parts.by_month_day = vec![start.day()],
            Frequency::Weekly if silent => parts.on(start.weekday()),
            _ => {}
        }
        parts
    }

    fn on(&mut self, weekday: Weekday) {
        self.by_day = vec![ByDay { nth: None, weekday }];
    }

    /// Whether a day is one by all parts that speak of days.
    fn holds(&self, rule: &Recur, day: Date) -> bool {
        let month = i64::from(day.month());
        let in_month =
            |nth: i8| from_either_end(i64::from(nth), i64::from(day.day()), i64::from(day.days_in_month()));
        let days = if day.in_leap_year() { 366 } else { 365 };
        let in_year = |nth: i16| from_either_end(i64::from(nth), i64::from(day.day_of_year()), days);
        (self.by_month.is_empty() || self.by_month.iter().any(|m| i64::from(*m) == month))
            && (self.by_month_day.is_empty() || self.by_month_day.iter().any(|nth| in_month(*nth)))
            && (rule.by_year_day.is_empty() || rule.by_year_day.iter().any(|nth| in_year(*nth)))
            && (self.by_day.is_empty() || self.by_day.iter().any(|by_day| self.is_the(by_day, day)))
            && (rule.by_week_no.is_empty() || in_weeks(&rule.by_week_no, rule.week_start, day))
    }

    fn is_the(&self, by_day: &ByDay, day: Date) -> bool {
        if by_day.weekday != day.weekday() {
            return false;
        }
        let Some(nth) = by_day.nth.filter(|_| self.nth != Nth::Nothing) else { return true };
        let (at, length) = match self.nth {
            Nth::Month => (i64::from(day.day()), i64::from(day.days_in_month())),
            _ => (i64::from(day.day_of_year()), if day.in_leap_year() { 366 } else { 365 }),
        };
        // The nth of its weekday, and the nth from the end.
        if nth > 0 { (at - 1) / 7 + 1 == i64::from(nth) } else { (length - at) / 7 + 1 == -i64::from(nth) }
    }

    fn clock_times(&self, day: Date, out: &mut Vec<DateTime>) {
        for hour in &self.hours {
            for minute in &self.minutes {
                let hour = i8::try_from(*hour).unwrap_or(0);
                out.extend(self.seconds.iter().filter_map(|second| at(day, hour, *minute, *second)));
            }
        }
    }
}

/// Whether the `nth` of `length`, counted from the end where it is negative, is `at`.
fn from_either_end(nth: i64, at: i64, length: i64) -> bool {
    if nth < 0 { length + 1 + nth == at } else { nth == at }
}

/// Whether a day is in one of the weeks of its year: the first one has at least four days (RFC 5545 §3.3.10, BYWEEKNO).
fn in_weeks(weeks: &[i8], week_start: Weekday, day: Date) -> bool {
    let number = |day: Date| {
        let begin = day.checked_sub(i64::from(day.weekday().since(week_start)).days()).ok()?;
        // The day that is in the week's own year in any case.
        let middle = begin.checked_add(3.days()).ok()?;
        Some((middle.year(), (i64::from(middle.day_of_year()) - 1) / 7 + 1))
    };
    let Some((year, week)) = number(day) else { return false };
    let last = Date::new(year, 12, 28).ok().and_then(number).map_or(52, |(_, week)| week);
    weeks.iter().any(|nth| from_either_end(i64::from(*nth), week, last))
}

/// BYSETPOS: from either end, of what the other parts give for one period.
fn at_positions(times: &[DateTime], positions: &[i16]) -> Vec<DateTime> {
    let at = |position: &i16| {
        let place = usize::from(position.unsigned_abs());
        let index = if *position > 0 { place.checked_sub(1) } else { times.len().checked_sub(place) };
        times.get(index?).copied()
    };
    let mut chosen: Vec<DateTime> = positions.iter().filter_map(at).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn or(given: &[u8], start: i8) -> Vec<u8> {
    if given.is_empty() { u8::try_from(start).into_iter().collect() } else { given.to_vec() }
}

/// A leap second is the last ordinary one (RFC 5545 §3.3.12).
fn at(day: Date, hour: i8, minute: u8, second: u8) -> Option<DateTime> {
    let (minute, second) = (i8::try_from(minute).ok()?, i8::try_from(second.min(59)).ok()?);
    (hour < 24 && minute < 60).then(|| day.at(hour, minute, second, 0))
}

fn days_from(first: Date, count: i64) -> Vec<Date> {
    (0..count).filter_map(|days| first.checked_add(days.days()).ok()).collect()
}

/// Months since the year 0.
fn months(day: Date) -> i64 {
    i64::from(day.year()) * 12 + i64::from(day.month()) - 1
}

/// The last day that iCalendar can write.
const LAST: Date = date(9999, 12, 31);
const DAY: i64 = 86_400;
/// Days from any start to beyond [`LAST`].
const FAR: i64 = 366 * 10_000;

//! Rules as MAPI says them, and back (MS-OXCICAL 2.1.3.2.2, MS-OXOCAL 2.2.1.44.1).

use jiff::civil::{Date, DateTime, Weekday, date};

use super::stored::StoredFrequency;
use super::{End, Limits, Occurrences, Pattern, RecurrencePattern};
use crate::icalendar::value::{ByDay, CalendarTime, Frequency, Recur};

impl RecurrencePattern {
    /// The pattern of a rule, without deleted or changed instances. `None` where MAPI has no pattern that gives the same
    /// instances: several days of a month, days of a year, times within a day, a start that the rule does not give, a
    /// series that is too long for `limits`.
    pub fn of_rule(rule: &Recur, start: DateTime, limits: Limits) -> Option<Self> {
        let is_silent = |list: &[u8], own: i8| {
            list.is_empty() || (list.len() == 1 && list.first() == u8::try_from(own).ok().as_ref())
        };
        if !is_silent(&rule.by_hour, start.hour())
            || !is_silent(&rule.by_minute, start.minute())
            || !is_silent(&rule.by_second, start.second())
            || !rule.by_year_day.is_empty()
            || !rule.by_week_no.is_empty()
            || rule.other.iter().any(|(name, _)| name == "RSCALE")
        {
            return None;
        }
        let day = start.date();
        let (frequency, pattern, period) = match rule.frequency {
            Frequency::Daily | Frequency::Weekly => by_week(rule, day)?,
            Frequency::Monthly if rule.by_month.is_empty() => {
                (StoredFrequency::Monthly, by_month(rule, day)?, rule.interval)
            }
            Frequency::Yearly => {
                let is_own = is_silent(&rule.by_month, day.month());
                // Without a month, a weekday would be one of the year and a day one of every month.
                let is_whole =
                    rule.by_month.is_empty() && !(rule.by_day.is_empty() && rule.by_month_day.is_empty());
                if !is_own || is_whole {
                    return None;
                }
                (StoredFrequency::Yearly, by_month(rule, day)?, rule.interval.checked_mul(12)?)
            }
            _ => return None,
        };
        if !holds(pattern, day) {
            return None;
        }
        let first_weekday = u32::try_from(rule.week_start.to_sunday_zero_offset()).ok()?;
        let mut out = Self {
            frequency,
            pattern,
            calendar: 0,
            first: first(pattern, period, first_weekday, day)?,
            period,
            sliding: false,
            end: End::Never,
            count: ENDLESS,
            first_weekday,
            deleted: Vec::new(),
            modified: Vec::new(),
            start: minutes(day)?,
            last: Self::NO_END,
        };
        if rule.count.is_some() || rule.until.is_some() {
            out.end = if rule.count.is_some() { End::Count } else { End::Date };
            let mut last = day;
            out.count = 0;
            for time in Occurrences::new(rule, start, limits) {
                last = time.ok()?.date();
                out.count += 1;
            }
            out.last = minutes(last)?;
        }
        Some(out)
    }

    /// The rule that gives the same days. `None` for the Hijri calendar, for a pattern that never holds and for a task
    /// that recurs by its completion.
    pub fn to_rule(&self) -> Option<Recur> {
        if self.sliding {
            return None;
        }
        let mut rule = match (self.frequency, self.pattern) {
            (_, Pattern::Day) => Recur { interval: self.period / DAY, ..Recur::new(Frequency::Daily) },
            (_, Pattern::Week(_)) => Recur { interval: self.period, ..Recur::new(Frequency::Weekly) },
            (StoredFrequency::Yearly, _) if self.period.is_multiple_of(12) => {
                let month = u8::try_from(date_of(self.start)?.month()).ok()?;
                Recur { interval: self.period / 12, by_month: vec![month], ..Recur::new(Frequency::Yearly) }
            }
            _ => Recur { interval: self.period, ..Recur::new(Frequency::Monthly) },
        };
        rule.interval = rule.interval.max(1);
        match self.pattern {
            Pattern::Day => {}
            Pattern::Week(weekdays) => rule.by_day = days(weekdays, None)?,
            Pattern::Month(day @ 1..=28) => rule.by_month_day = vec![i8::try_from(day).ok()?],
            // Of a shorter month it is the last day.
            Pattern::Month(day @ 29..=30) | Pattern::MonthEnd(day @ 29..=30) => {
                rule.by_month_day = (28..=i8::try_from(day).ok()?).collect();
                rule.by_set_pos = vec![-1];
            }
            Pattern::Month(31) | Pattern::MonthEnd(_) => rule.by_month_day = vec![-1],
            Pattern::MonthNth { weekdays, nth: nth @ 1..=5 } => {
                let nth = if nth == 5 { -1 } else { i8::try_from(nth).ok()? };
                if weekdays.count_ones() == 1 {
                    rule.by_day = days(weekdays, Some(nth))?;
                } else {
                    rule.by_day = days(weekdays, None)?;
                    rule.by_set_pos = vec![i16::from(nth)];
                }
            }
            _ => return None,
        }
        let first =
            i8::try_from(self.first_weekday).ok().and_then(|day| Weekday::from_sunday_zero_offset(day).ok());
        rule.week_start = first.unwrap_or(Weekday::Sunday);
        match self.end {
            End::Count => rule.count = Some(self.count.max(1)),
            End::Date => rule.until = Some(CalendarTime::Date(date_of(self.last)?)),
            End::Never => {}
        }
        Some(rule)
    }
}

fn by_week(rule: &Recur, start: Date) -> Option<(StoredFrequency, Pattern, u32)> {
    if !rule.by_month.is_empty() || !rule.by_month_day.is_empty() || !rule.by_set_pos.is_empty() {
        return None;
    }
    if rule.frequency == Frequency::Daily && rule.by_day.is_empty() {
        return Some((StoredFrequency::Daily, Pattern::Day, rule.interval.checked_mul(DAY)?));
    }
    // Every day that is one of these is a week of these.
    if rule.frequency == Frequency::Daily && rule.interval != 1 {
        return None;
    }
    let weekdays = if rule.by_day.is_empty() { bit(start.weekday()) } else { bits(&rule.by_day) };
    Some((StoredFrequency::Weekly, Pattern::Week(weekdays), rule.interval))
}

fn by_month(rule: &Recur, start: Date) -> Option<Pattern> {
    match (rule.by_month_day.as_slice(), rule.by_day.as_slice(), rule.by_set_pos.as_slice()) {
        ([], [], []) if start.day() <= 28 => Some(Pattern::Month(u32::try_from(start.day()).ok()?)),
        ([day @ 1..=28], [], []) => Some(Pattern::Month(u32::try_from(*day).ok()?)),
        ([-1], [], []) => Some(Pattern::Month(31)),
        ([28, 29], [], [-1]) => Some(Pattern::Month(29)),
        ([28, 29, 30], [], [-1]) => Some(Pattern::Month(30)),
        ([], [ByDay { nth: Some(nth), weekday }], []) => {
            Some(Pattern::MonthNth { weekdays: bit(*weekday), nth: position(i16::from(*nth))? })
        }
        ([], weekdays, [nth]) if !weekdays.is_empty() && weekdays.iter().all(|day| day.nth.is_none()) => {
            Some(Pattern::MonthNth { weekdays: bits(weekdays), nth: position(*nth)? })
        }
        _ => None,
    }
}

fn position(nth: i16) -> Option<u32> {
    match nth {
        -1 => Some(5),
        1..=4 => u32::try_from(nth).ok(),
        _ => None,
    }
}

/// Whether a day is one of a pattern, whatever its period.
fn holds(pattern: Pattern, day: Date) -> bool {
    let (at, length) = (i64::from(day.day()), i64::from(day.days_in_month()));
    match pattern {
        Pattern::Day => true,
        Pattern::Week(weekdays) => weekdays & bit(day.weekday()) != 0,
        Pattern::Month(wanted) | Pattern::MonthEnd(wanted) => at == i64::from(wanted).min(length),
        Pattern::MonthNth { weekdays, nth } => {
            let is_one = |other: i64| {
                let other =
                    i8::try_from(other).ok().and_then(|other| Date::new(day.year(), day.month(), other).ok());
                other.is_some_and(|other| weekdays & bit(other.weekday()) != 0)
            };
            let before = (1..at).filter(|other| is_one(*other)).count();
            let after = (at + 1..=length).filter(|other| is_one(*other)).count();
            is_one(at) && if nth == 5 { after == 0 } else { u32::try_from(before + 1) == Ok(nth) }
        }
        Pattern::HijriMonth(_) | Pattern::HijriMonthEnd(_) | Pattern::HijriMonthNth { .. } => false,
    }
}

/// FirstDateTime
fn first(pattern: Pattern, period: u32, first_weekday: u32, start: Date) -> Option<u32> {
    match pattern {
        Pattern::Day => minutes(start)?.checked_rem(period),
        Pattern::Week(_) => {
            let weekday = u32::try_from(start.weekday().to_sunday_zero_offset()).ok()?;
            let back = (weekday + 7 - first_weekday) % 7;
            minutes(start)?.checked_sub(back * DAY)?.checked_rem(period.checked_mul(7 * DAY)?)
        }
        _ => {
            let months = (i64::from(start.year()) - 1601) * 12 + i64::from(start.month()) - 1;
            let months = u32::try_from(months).ok()?.checked_rem(period)?;
            let year = i16::try_from(1601 + months / 12).ok()?;
            minutes(Date::new(year, i8::try_from(months % 12 + 1).ok()?, 1).ok()?)
        }
    }
}

fn bit(weekday: Weekday) -> u32 {
    1 << weekday.to_sunday_zero_offset()
}

fn bits(days: &[ByDay]) -> u32 {
    days.iter().fold(0, |all, day| all | bit(day.weekday))
}

fn days(weekdays: u32, nth: Option<i8>) -> Option<Vec<ByDay>> {
    let all = (0..7).filter(|day| weekdays & (1 << day) != 0);
    let days: Vec<_> = all
        .filter_map(|day| Weekday::from_sunday_zero_offset(day).ok())
        .map(|weekday| ByDay { nth, weekday })
        .collect();
    (!days.is_empty()).then_some(days)
}

/// Minutes from 1601 to the midnight of a day.
pub(crate) fn minutes(day: Date) -> Option<u32> {
    let days = (crate::time_zone::wall_seconds(day.at(0, 0, 0, 0))
        - crate::time_zone::wall_seconds(EPOCH.at(0, 0, 0, 0)))
        / 86_400;
    u32::try_from(days).ok()?.checked_mul(DAY)
}

/// The day of a number of minutes from 1601.
pub(crate) fn date_of(minutes: u32) -> Option<Date> {
    let epoch = crate::time_zone::wall_seconds(EPOCH.at(0, 0, 0, 0));
    let date = crate::time_zone::clock(epoch + i64::from(minutes) * 60).date();
    (date.year() >= 1601).then_some(date)
}

const EPOCH: Date = date(1601, 1, 1);
/// Minutes.
const DAY: u32 = 1440;
/// OccurrenceCount of a series without end.
const ENDLESS: u32 = 10;

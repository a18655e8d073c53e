//! Days that recur every year, as the rules of zones name them.

use jiff::civil::{Date, Weekday};

/// A day of a month by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayRule {
    /// This day.
    Day(i8),
    /// The nth of a weekday, from 1; from the end, from -1.
    Nth(Weekday, i8),
    /// The first of a weekday on or after this day.
    OnOrAfter(Weekday, i8),
}

/// A clock time on a day of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Yearly {
    /// 1 to 12
    pub(super) month: i8,
    pub(super) day: DayRule,
    /// Seconds since midnight.
    pub(super) second: i32,
}

impl Yearly {
    /// The day in one year; `None` where the month has none such.
    pub(super) fn date(self, year: i16) -> Option<Date> {
        let first = Date::new(year, self.month, 1).ok()?;
        match self.day {
            DayRule::Day(day) => Date::new(year, self.month, day).ok(),
            DayRule::Nth(weekday, nth) => first.nth_weekday_of_month(nth, weekday).ok(),
            DayRule::OnOrAfter(weekday, day) => {
                let start = Date::new(year, self.month, day).ok()?;
                let ahead = start.weekday().until(weekday);
                Date::new(year, self.month, day.checked_add(ahead)?).ok()
            }
        }
    }

    /// The rule that all these moments of successive years follow.
    pub(super) fn of(moments: &[(Date, i32)]) -> Option<Self> {
        let (first, second) = *moments.first()?;
        let weekday = first.weekday();
        let earliest = moments.iter().map(|(date, _)| date.day()).min()?;
        let nth = (first.day() - 1) / 7 + 1;
        [
            DayRule::Nth(weekday, nth),
            DayRule::Nth(weekday, -1),
            DayRule::Day(first.day()),
            DayRule::OnOrAfter(weekday, earliest),
        ]
        .into_iter()
        .map(|day| Self { month: first.month(), day, second })
        .find(|rule| moments.iter().all(|(date, second)| rule.fits(*date, *second)))
    }

    /// Whether a moment is that of its year.
    pub(super) fn fits(self, date: Date, second: i32) -> bool {
        second == self.second && self.date(date.year()) == Some(date)
    }
}

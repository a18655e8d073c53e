//! DURATION (RFC 5545 §3.3.6).

use std::fmt;
use std::str::FromStr;

use super::{ValueError, digits};

/// A duration: nominal days, which are as long as the zone makes them, and exact seconds. Both have the same sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Duration {
    /// Days, weeks counted as seven.
    pub days: i32,
    /// Seconds, with hours and minutes.
    pub seconds: i64,
}

impl Duration {
    /// Exact seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { days: 0, seconds }
    }

    /// In seconds, with days of 24 hours.
    pub fn to_seconds(self) -> i64 {
        i64::from(self.days) * 86_400 + self.seconds
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    /// Parts in any order, and weeks beside others, are read too.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("DURATION");
        let text = text.trim();
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut rest = rest.strip_prefix(['P', 'p']).ok_or(error)?;
        let (mut days, mut seconds, mut in_time) = (0i32, 0i64, false);
        if rest.is_empty() {
            return Err(error);
        }
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(['T', 't']) {
                in_time = true;
                rest = after;
                continue;
            }
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(error)?;
            let (number, after) = rest.split_at(end);
            let number = digits(number).and_then(|n| i32::try_from(n).ok()).ok_or(error)?;
            let mut unit = after.chars();
            let per = match (unit.next().map(|c| c.to_ascii_uppercase()), in_time) {
                (Some('W'), false) => (7, 0),
                (Some('D'), false) => (1, 0),
                (Some('H'), true) => (0, 3600),
                (Some('M'), true) => (0, 60),
                (Some('S'), true) => (0, 1),
                _ => return Err(error),
            };
            days = number.checked_mul(per.0).and_then(|n| days.checked_add(n)).ok_or(error)?;
            seconds = seconds.checked_add(i64::from(number) * per.1).ok_or(error)?;
            rest = unit.as_str();
        }
        Ok(if negative { Self { days: -days, seconds: -seconds } } else { Self { days, seconds } })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.days.unsigned_abs(), self.seconds.unsigned_abs());
        if self.days < 0 || self.seconds < 0 {
            f.write_str("-")?;
        }
        f.write_str("P")?;
        if days > 0 && days.is_multiple_of(7) && seconds == 0 {
            return write!(f, "{}W", days / 7);
        }
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if seconds > 0 || days == 0 {
            f.write_str("T")?;
            let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            if hours > 0 {
                write!(f, "{hours}H")?;
            }
            // RFC 5545's grammar has no seconds after hours without minutes between.
            if minutes > 0 || (hours > 0 && rest > 0) {
                write!(f, "{minutes}M")?;
            }
            if rest > 0 || seconds == 0 {
                write!(f, "{rest}S")?;
            }
        }
        Ok(())
    }
}

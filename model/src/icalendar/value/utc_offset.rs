//! UTC-OFFSET (RFC 5545 §3.3.14).

use std::fmt;
use std::str::FromStr;

use super::{ValueError, digits};

/// Seconds east of UTC; less than a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcOffset(i32);

impl UtcOffset {
    /// From seconds east of UTC; `None` from a day on.
    pub fn from_seconds(seconds: i32) -> Option<Self> {
        (seconds.abs() < 86_400).then_some(Self(seconds))
    }

    /// Seconds east of UTC.
    pub const fn seconds(self) -> i32 {
        self.0
    }
}

impl FromStr for UtcOffset {
    type Err = ValueError;

    /// `+hhmm` or `+hhmmss`; the colon and the missing sign that some products write are read too.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let error = ValueError("UTC-OFFSET");
        let text = text.trim();
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let rest = rest.replace(':', "");
        let part = |range: std::ops::Range<usize>| rest.get(range).and_then(digits);
        let (hours, minutes, seconds) = match rest.len() {
            2 => (part(0..2), Some(0), Some(0)),
            4 => (part(0..2), part(2..4), Some(0)),
            6 => (part(0..2), part(2..4), part(4..6)),
            _ => return Err(error),
        };
        match (hours, minutes, seconds) {
            (Some(h @ 0..24), Some(m @ 0..60), Some(s @ 0..60)) => {
                let seconds = (h * 3600 + m * 60 + s).cast_signed();
                Ok(Self(if negative { -seconds } else { seconds }))
            }
            _ => Err(error),
        }
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, seconds) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(f, "{sign}{:02}{:02}", seconds / 3600, seconds / 60 % 60)?;
        if !seconds.is_multiple_of(60) {
            write!(f, "{:02}", seconds % 60)?;
        }
        Ok(())
    }
}

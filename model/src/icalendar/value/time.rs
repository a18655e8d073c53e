//! DATE and DATE-TIME (RFC 5545 §3.3.4, §3.3.5).

use std::fmt;

use jiff::civil::{Date, DateTime};

use super::{ValueError, digits};

/// A date, or a date with a time in one of the three forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CalendarTime {
    /// DATE
    Date(Date),
    /// DATE-TIME form 1: the same clock everywhere.
    Floating(DateTime),
    /// DATE-TIME form 2
    Utc(DateTime),
    /// DATE-TIME form 3, with its TZID.
    Zoned(DateTime, String),
}

impl CalendarTime {
    /// Reads a value with the TZID of its property. Eight digits are a date whatever `VALUE` says; `Z` outweighs a
    /// TZID; hyphens and colons, as of ISO 8601's long form, and missing seconds are read too.
    pub fn parse(value: &str, zone: Option<&str>) -> Result<Self, ValueError> {
        let error = ValueError("DATE-TIME");
        let value = value.trim();
        let (value, utc) = match value.strip_suffix(['Z', 'z']) {
            Some(value) => (value, true),
            None => (value, false),
        };
        let (date, clock) = match value.split_once(['T', 't']) {
            Some((date, clock)) => (date, Some(clock)),
            None => (value, None),
        };
        let compact = date.replace('-', "");
        let part = |range: std::ops::Range<usize>| compact.get(range).and_then(digits);
        if compact.len() != 8 {
            return Err(error);
        }
        let date = match (part(0..4), part(4..6), part(6..8)) {
            (Some(year), Some(month), Some(day)) => {
                let small = |n| i8::try_from(n).unwrap_or(0);
                let year = i16::try_from(year).map_err(|_| error)?;
                Date::new(year, small(month), small(day)).map_err(|_| error)?
            }
            _ => return Err(error),
        };
        let Some(clock) = clock else { return Ok(Self::Date(date)) };
        let clock = clock.replace(':', "");
        let part = |range: std::ops::Range<usize>| {
            clock.get(range).and_then(digits).and_then(|n| i8::try_from(n).ok()).ok_or(error)
        };
        let second = match clock.len() {
            4 => 0,
            // A leap second is the last ordinary one (RFC 5545 §3.3.12).
            6 => part(4..6).map(|second| if second == 60 { 59 } else { second })?,
            _ => return Err(error),
        };
        let (year, month, day) = (date.year(), date.month(), date.day());
        let time = DateTime::new(year, month, day, part(0..2)?, part(2..4)?, second, 0).map_err(|_| error)?;
        Ok(match zone {
            _ if utc => Self::Utc(time),
            Some(zone) if !zone.is_empty() => Self::Zoned(time, zone.to_owned()),
            _ => Self::Floating(time),
        })
    }

    /// The date, in its own zone.
    pub fn date(&self) -> Date {
        self.local().date()
    }

    /// Date and time in its own zone; midnight for a date.
    pub fn local(&self) -> DateTime {
        match self {
            Self::Date(date) => date.at(0, 0, 0, 0),
            Self::Floating(time) | Self::Utc(time) | Self::Zoned(time, _) => *time,
        }
    }

    /// Another date and time in the same form.
    #[must_use]
    pub fn with_local(&self, local: DateTime) -> Self {
        match self {
            Self::Date(_) => Self::Date(local.date()),
            Self::Floating(_) => Self::Floating(local),
            Self::Utc(_) => Self::Utc(local),
            Self::Zoned(_, zone) => Self::Zoned(local, zone.clone()),
        }
    }

    /// Whether it is a date only.
    pub fn is_date(&self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// Its TZID.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Zoned(_, zone) => Some(zone),
            _ => None,
        }
    }
}

/// The value without its parameters.
impl fmt::Display for CalendarTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local();
        let year = local.year().clamp(0, 9999);
        write!(f, "{year:04}{:02}{:02}", local.month(), local.day())?;
        if !self.is_date() {
            write!(f, "T{:02}{:02}{:02}", local.hour(), local.minute(), local.second())?;
        }
        if matches!(self, Self::Utc(_)) { f.write_str("Z") } else { Ok(()) }
    }
}

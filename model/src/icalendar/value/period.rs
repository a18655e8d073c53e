//! PERIOD (RFC 5545 §3.3.9).

use std::fmt;

use super::{CalendarTime, Duration, ValueError};

/// A stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// Where it begins.
    pub start: CalendarTime,
    /// Where it ends.
    pub end: PeriodEnd,
}

/// How the end of a period is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeriodEnd {
    /// As a moment.
    Explicit(CalendarTime),
    /// As a duration from the start.
    Duration(Duration),
}

impl Period {
    /// Reads a value with the TZID of its property.
    pub fn parse(value: &str, zone: Option<&str>) -> Result<Self, ValueError> {
        let error = ValueError("PERIOD");
        let (start, end) = value.split_once('/').ok_or(error)?;
        let start = CalendarTime::parse(start, zone).map_err(|_| error)?;
        let end = if end.trim_start().starts_with(['P', 'p', '+', '-']) {
            PeriodEnd::Duration(end.parse().map_err(|_| error)?)
        } else {
            PeriodEnd::Explicit(CalendarTime::parse(end, zone).map_err(|_| error)?)
        };
        Ok(Self { start, end })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            PeriodEnd::Explicit(end) => write!(f, "{}/{end}", self.start),
            PeriodEnd::Duration(duration) => write!(f, "{}/{duration}", self.start),
        }
    }
}

//! `time-range` (RFC 4791 §9.9).

use std::ops::Range;

use kontor_model::icalendar::value::CalendarTime;
use kontor_model::time_zone::wall_seconds;

use crate::xml::Element;

/// From when to when, in seconds since 1970; the end is not part of it. One of the two may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// Where it begins.
    pub start: Option<i64>,
    /// Where it ends.
    pub end: Option<i64>,
}

impl TimeRange {
    /// Of an element with `start` and `end`; `None` where they are no times in UTC, none is there, or the end is not
    /// after the start.
    pub(crate) fn of(element: &Element) -> Option<Self> {
        let (start, end) = (read(element.attribute("start"))?, read(element.attribute("end"))?);
        let is_range = match (start, end) {
            (Some(start), Some(end)) => start < end,
            (None, None) => false,
            _ => true,
        };
        is_range.then_some(Self { start, end })
    }

    /// As a range with both ends, those that are open as far as calendars go.
    pub(crate) fn closed(self) -> Range<i64> {
        self.start.unwrap_or(EARLIEST)..self.end.unwrap_or(LATEST)
    }
}

/// `None` for a bad one.
fn read(value: Option<&str>) -> Option<Option<i64>> {
    let Some(value) = value else { return Some(None) };
    match CalendarTime::parse(value, None) {
        Ok(CalendarTime::Utc(utc)) => Some(Some(wall_seconds(utc))),
        _ => None,
    }
}

/// The years 1 and 9999, a little inside.
pub(crate) const EARLIEST: i64 = -62_000_000_000;
pub(crate) const LATEST: i64 = 253_300_000_000;

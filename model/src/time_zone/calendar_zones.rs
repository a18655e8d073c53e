//! The zones of one calendar object.

use std::collections::BTreeMap;

use super::{TimeZone, wall_seconds};
use crate::icalendar::Component;
use crate::icalendar::value::CalendarTime;

/// What each TZID of a calendar means, and the zone in which floating times and dates are read.
#[derive(Clone, Debug)]
pub struct CalendarZones {
    by_id: BTreeMap<String, TimeZone>,
    floating: TimeZone,
}

impl CalendarZones {
    /// The zones of a `VCALENDAR`: those that its VTIMEZONE components give, and those that are known by name
    /// (RFC 7809). `floating` is the zone of the person who looks.
    pub fn of(calendar: &Component, floating: TimeZone) -> Self {
        let mut by_id = BTreeMap::new();
        for component in calendar.components_named("VTIMEZONE") {
            if let (Some(tzid), Ok(zone)) = (component.text("TZID"), TimeZone::from_vtimezone(component)) {
                by_id.entry(tzid).or_insert(zone);
            }
        }
        let mut zones = Self { by_id, floating };
        zones.add_named(calendar, 0);
        zones
    }

    /// No zones but the one of floating times.
    pub fn floating(floating: TimeZone) -> Self {
        Self { by_id: BTreeMap::new(), floating }
    }

    /// The zone of a TZID, if it is known.
    pub fn get(&self, tzid: &str) -> Option<&TimeZone> {
        self.by_id.get(tzid)
    }

    /// The zone by which a time is read. An unknown TZID is as good as none.
    pub fn zone_of(&self, time: &CalendarTime) -> &TimeZone {
        time.zone().and_then(|tzid| self.get(tzid)).unwrap_or(&self.floating)
    }

    /// A time in seconds since 1970; a date is its first moment.
    pub fn to_unix(&self, time: &CalendarTime) -> i64 {
        match time {
            CalendarTime::Utc(utc) => wall_seconds(*utc),
            _ => self.zone_of(time).to_unix(time.local()),
        }
    }

    /// Makes a zone known.
    pub fn insert(&mut self, tzid: &str, zone: TimeZone) {
        self.by_id.insert(tzid.to_owned(), zone);
    }

    fn add_named(&mut self, component: &Component, depth: usize) {
        for tzid in component.properties.iter().filter_map(|property| property.parameter("TZID")) {
            if !self.by_id.contains_key(tzid)
                && let Some(zone) = TimeZone::named(tzid)
            {
                self.insert(tzid, zone);
            }
        }
        if depth < MAX_DEPTH {
            component.components.iter().for_each(|inner| self.add_named(inner, depth + 1));
        }
    }
}

/// No time that matters lies deeper.
const MAX_DEPTH: usize = 4;

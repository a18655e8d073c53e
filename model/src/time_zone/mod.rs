//! Time zones: by IANA id, by Windows name, by the rules of a VTIMEZONE (RFC 5545 §3.6.5) or of MAPI's structures
//! (MS-OXOCAL 2.2.1.39 to 2.2.1.43).
//!
//! The database is part of the program, so that every machine means the same by a name.
//!
//! ```
//! use jiff::civil::datetime;
//! use kontor_model::time_zone::TimeZone;
//!
//! let zone = TimeZone::named("W. Europe Standard Time").unwrap();
//! assert_eq!((zone.id(), zone.offset_at(1_720_000_000)), ("Europe/Berlin", 7_200));
//! // 02:30 does not exist on that day; it is counted with the offset before the gap.
//! let unix = zone.to_unix(datetime(2024, 3, 31, 2, 30, 0, 0));
//! assert_eq!(zone.to_local(unix), datetime(2024, 3, 31, 3, 30, 0, 0));
//! ```

mod by_reference;
mod calendar_zones;
mod mapi;
mod observance;
mod vtimezone;
mod windows_zones;
mod yearly;

pub use by_reference::{with_missing_zones, without_known_zones};
pub use calendar_zones::CalendarZones;
pub use mapi::{MapiZoneError, SystemTime, TimeZoneDefinition, TimeZoneRule, TimeZoneStruct};
pub use vtimezone::ZoneError;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{self, TimeZoneDatabase};

use observance::Observance;

/// A time zone.
#[derive(Clone, Debug)]
pub struct TimeZone {
    id: String,
    rules: Rules,
}

#[derive(Clone, Debug)]
enum Rules {
    Iana(tz::TimeZone),
    Own(Arc<[Observance]>),
}

/// A change of a zone's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When, in seconds since 1970.
    pub unix: i64,
    /// Seconds east of UTC until then.
    pub before: i32,
    /// Seconds east of UTC from then on.
    pub after: i32,
    /// Whether daylight saving time is in force from then on.
    pub daylight: bool,
    /// What the clock is called from then on, e.g. `CEST`.
    pub name: Option<String>,
}

impl TimeZone {
    /// UTC
    pub fn utc() -> Self {
        Self { id: "UTC".to_owned(), rules: Rules::Iana(tz::TimeZone::UTC) }
    }

    /// The zone with this IANA id, in any case.
    pub fn iana(id: &str) -> Option<Self> {
        let zone = DATABASE.get(id).ok()?;
        let id = zone.iana_name().unwrap_or(id).to_owned();
        Some(Self { id, rules: Rules::Iana(zone) })
    }

    /// The zone with this Windows name, in any case, e.g. `Eastern Standard Time` (CLDR `windowsZones`).
    pub fn windows(name: &str) -> Option<Self> {
        let known = windows_zones::ZONES.iter().find(|(windows, ..)| windows.eq_ignore_ascii_case(name))?;
        Self::iana(known.1)
    }

    /// The zone that a TZID means by its name alone: an IANA id, a Windows name, or a path that ends in an IANA id, as
    /// `/mozilla.org/20050126_1/Europe/Berlin` or `tzone://Microsoft/Utc`.
    pub fn named(tzid: &str) -> Option<Self> {
        let tzid = tzid.trim().trim_matches('"');
        if let Some(zone) = Self::iana(tzid).or_else(|| Self::windows(tzid)) {
            return Some(zone);
        }
        if tzid.len() > MAX_PATH || !(tzid.starts_with('/') || tzid.contains("://")) {
            return None;
        }
        // America/Argentina/Buenos_Aires has three parts, no id has four.
        let starts: Vec<usize> = tzid.rmatch_indices('/').take(3).map(|(at, _)| at + 1).collect();
        starts.into_iter().rev().find_map(|start| Self::iana(tzid.get(start..)?))
    }

    fn of_observances(id: &str, observances: Vec<Observance>) -> Self {
        Self { id: id.to_owned(), rules: Rules::Own(observances.into()) }
    }

    /// The id: IANA's where it is one of those, else the name that its source gave it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The IANA id; `None` for a zone with rules of its own.
    pub fn iana_id(&self) -> Option<&str> {
        matches!(self.rules, Rules::Iana(_)).then_some(&self.id)
    }

    /// The Windows name (CLDR `windowsZones`), for an IANA zone that has one.
    pub fn windows_name(&self) -> Option<&'static str> {
        let Rules::Iana(zone) = &self.rules else { return None };
        let by_id = |id: &str| WINDOWS_NAMES.get(id).copied();
        by_id(&self.id).or_else(|| by_id(zone.primary_iana_name()?))
    }

    /// Seconds east of UTC at a moment.
    pub fn offset_at(&self, unix: i64) -> i32 {
        match &self.rules {
            Rules::Iana(zone) => zone.to_offset(timestamp(unix)).seconds(),
            Rules::Own(observances) => observance::offset_at(observances, unix),
        }
    }

    /// The clock at a moment.
    pub fn to_local(&self, unix: i64) -> DateTime {
        clock(unix.saturating_add(i64::from(self.offset_at(unix))))
    }

    /// The moment of a clock time. One that occurs twice is the first; one that does not exist is counted with the
    /// offset before the gap (RFC 5545 §3.3.5).
    pub fn to_unix(&self, local: DateTime) -> i64 {
        let wall = wall_seconds(local);
        // No zone changes twice within two days.
        let before = i64::from(self.offset_at(wall - DAY));
        let after = i64::from(self.offset_at(wall + DAY));
        if before == after {
            // A change and its reversal may lie between; a zone with rules from a peer may have any.
            return wall - before;
        }
        let valid = |offset: i64| i64::from(self.offset_at(wall - offset)) == offset;
        if !valid(before) && valid(after) { wall - after } else { wall - before }
    }

    /// The changes of the offset from one moment until before another, in order; at most `limit`.
    pub fn transitions(&self, from: i64, until: i64, limit: usize) -> Vec<Transition> {
        let zone = match &self.rules {
            Rules::Iana(zone) => zone,
            Rules::Own(observances) => return observance::transitions(observances, from, until, limit),
        };
        let mut before = self.offset_at(from.saturating_sub(1));
        let mut out = Vec::new();
        for change in zone.following(timestamp(from.saturating_sub(1))) {
            let unix = change.timestamp().as_second();
            if unix >= until || out.len() >= limit {
                break;
            }
            let after = change.offset().seconds();
            if after != before {
                out.push(Transition {
                    unix,
                    before,
                    after,
                    daylight: change.dst().is_dst(),
                    name: Some(change.abbreviation().to_owned()),
                });
            }
            before = after;
        }
        out
    }
}

/// The clock's reading as seconds since it read 1970-01-01T00:00:00.
pub fn wall_seconds(local: DateTime) -> i64 {
    tz::Offset::UTC.to_timestamp(local).map_or_else(
        // The outermost day of what jiff can say.
        |_| if local.year() < 0 { Timestamp::MIN.as_second() } else { Timestamp::MAX.as_second() },
        Timestamp::as_second,
    )
}

/// The clock that reads so many seconds after 1970-01-01T00:00:00; within the years that it can say.
pub fn clock(wall_seconds: i64) -> DateTime {
    tz::Offset::UTC.to_datetime(timestamp(wall_seconds))
}

fn timestamp(unix: i64) -> Timestamp {
    let unix = unix.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(unix).expect("clamped to what it can hold")
}

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Windows names by IANA id, and by what IANA calls those ids now.
static WINDOWS_NAMES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
    let mut names = BTreeMap::new();
    let pairs = windows_zones::ZONES.iter().flat_map(|(windows, first, others)| {
        std::iter::once(first).chain(others.iter()).map(move |iana| (*iana, *windows))
    });
    let pairs: Vec<_> = pairs.collect();
    for &(iana, windows) in &pairs {
        names.insert(iana.to_owned(), windows);
    }
    for (iana, windows) in pairs {
        if let Some(primary) =
            DATABASE.get(iana).ok().and_then(|zone| zone.primary_iana_name().map(str::to_owned))
        {
            names.entry(primary).or_insert(windows);
        }
    }
    names
});

const DAY: i64 = 86_400;
/// A longer TZID is no path to an IANA id.
const MAX_PATH: usize = 255;

#[cfg(test)]
mod tests;

//! The clock by which an item's times are meant.

use jiff::civil::{Date, DateTime};

use crate::icalendar::value::CalendarTime;
use crate::time_zone::{CalendarZones, TimeZone, TimeZoneDefinition};

/// A clock, and how iCalendar says a time by it.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    form: ClockForm,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ClockForm {
    Utc,
    /// Without a zone.
    Floating,
    /// With this TZID.
    Zoned(String),
}

impl Clock {
    pub(super) fn utc() -> Self {
        Self { form: ClockForm::Utc, zone: TimeZone::utc() }
    }

    /// The clock of a zone, by the name that everybody knows.
    pub(super) fn of_zone(zone: TimeZone) -> Self {
        if zone.id() == TimeZone::utc().id() {
            return Self::utc();
        }
        Self { form: ClockForm::Zoned(zone.id().to_owned()), zone }
    }

    /// The clock that a time is by.
    pub(super) fn of_time(time: &CalendarTime, zones: &CalendarZones) -> Self {
        let form = match time {
            CalendarTime::Utc(_) => return Self::utc(),
            CalendarTime::Zoned(_, tzid) if zones.get(tzid).is_some() => ClockForm::Zoned(tzid.clone()),
            _ => ClockForm::Floating,
        };
        Self { form, zone: zones.zone_of(time).clone() }
    }

    /// The clock of a PidLidAppointmentTimeZoneDefinition*; `known`, where that one is meant.
    pub(super) fn of_definition(octets: &[u8], known: Option<&Self>) -> Option<Self> {
        let definition = TimeZoneDefinition::decode(octets).ok()?;
        if let Some(known) = known
            && known.definition(0, false).key_name == definition.key_name
        {
            return Some(known.clone());
        }
        definition.to_zone().map(Self::of_zone)
    }

    /// The PidLidAppointmentTimeZoneDefinition* for a time in a year.
    pub(super) fn definition(&self, year: i16, recurring: bool) -> TimeZoneDefinition {
        TimeZoneDefinition::of_zone(&self.zone, year..=year, recurring)
    }

    pub(super) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(super) fn is_utc(&self) -> bool {
        self.form == ClockForm::Utc
    }

    pub(super) fn local(&self, unix: i64) -> DateTime {
        self.zone.to_local(unix)
    }

    pub(super) fn day(&self, unix: i64) -> Date {
        self.local(unix).date()
    }

    pub(super) fn unix(&self, local: DateTime) -> i64 {
        self.zone.to_unix(local)
    }

    /// The moment as iCalendar says it: by the clock, or the day alone.
    pub(super) fn time(&self, unix: i64, all_day: bool) -> CalendarTime {
        let local = self.local(unix);
        if all_day {
            return CalendarTime::Date(local.date());
        }
        match &self.form {
            ClockForm::Utc => CalendarTime::Utc(local),
            ClockForm::Floating => CalendarTime::Floating(local),
            ClockForm::Zoned(tzid) => CalendarTime::Zoned(local, tzid.clone()),
        }
    }
}

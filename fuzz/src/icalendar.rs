//! Any bytes as a calendar: what is read is written so that it is read again, and its time zones answer for any moment.
#![no_main]

use kontor_model::icalendar::{CalendarObject, Component, Limits};
use kontor_model::time_zone::{CalendarZones, TimeZone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let Ok(calendars) = Component::parse_stream(data, &limits) else { return };
    for calendar in calendars {
        let text = calendar.to_string();
        let again = Component::parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again, calendar);
        let _ = CalendarObject::check(&calendar);
        let zones = CalendarZones::of(&calendar, TimeZone::utc());
        for component in &calendar.components {
            for property in &component.properties {
                for time in property.times().into_iter().flatten() {
                    zones.to_unix(&time);
                }
                let _ = (property.periods(), property.duration(), property.address(), property.text());
            }
        }
    }
});

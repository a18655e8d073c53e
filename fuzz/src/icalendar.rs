//! Any bytes as a calendar: what is read is written so that it is read again, its time zones answer for any moment, and
//! the item that it is gives it back. What it says about a meeting is applied and told.
#![no_main]

use std::borrow::Cow;

use kontor_model::availability;
use kontor_model::calendar_item::{
    Context, KEPT_ICALENDAR, from_icalendar, from_itip, to_icalendar, to_itip,
};
use kontor_model::icalendar::{CalendarObject, Component, Feed, FeedOptions, Limits};
use kontor_model::message::Content;
use kontor_model::recurrence;
use kontor_model::scheduling::{apply, ask_again, forbidden_to_attendee, to_attendees, to_organizer};
use kontor_model::time_zone::{CalendarZones, TimeZone, with_missing_zones, without_known_zones};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let context = Context { owner: "anna@example.org".to_owned(), zone: TimeZone::utc() };
    let Ok(calendars) = Component::parse_stream(data, &limits) else { return };
    let components = ["VEVENT", "VTODO"].map(str::to_owned);
    let options = FeedOptions {
        components: &components,
        strip_alarms: data.len() % 2 == 0,
        strip_attachments: data.len() % 3 == 0,
        objects: 100,
        zone_octets: 100_000,
        uid_of: &|text: &str| format!("{:x}", text.len()),
    };
    if let Ok(feed) = Feed::of(&calendars, &options) {
        assert!(feed.objects.len() <= options.objects);
        for (uid, calendar) in &feed.objects {
            if let Ok(object) = CalendarObject::check(calendar) {
                assert_eq!(object.uid.trim(), uid);
            }
        }
    }
    // Two of them are a copy of a meeting and what is said about it.
    if let [copy, other, ..] = calendars.as_slice() {
        for owner in [context.owner.as_str(), "clara@example.org"] {
            let _ = (apply(None, other, owner), apply(Some(copy), other, owner));
            to_attendees(Some(copy), Some(other), owner);
            to_organizer(copy, Some(other), owner);
            forbidden_to_attendee(copy, other, owner);
            ask_again(copy, &mut other.clone(), owner);
        }
    }
    for calendar in calendars {
        if let Ok(message) = from_itip(&calendar, &context) {
            assert!(to_itip(&message, &context).is_some());
        }
        let text = calendar.to_string();
        let again =
            Component::parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again, calendar);
        if let Ok(mut item) = from_icalendar(&calendar, &context) {
            // Attachments come back as they are written best.
            if item.attachments.iter().all(|attachment| matches!(attachment.content, Content::Message(_))) {
                assert_eq!(to_icalendar(&item, &context), calendar);
            }
            item.properties.remove(KEPT_ICALENDAR);
            to_icalendar(&item, &context);
        }
        // Zones are put in once, and what else there is stays.
        let full = with_missing_zones(&text, &calendar).into_owned();
        if let Ok(full_calendar) = Component::parse(full.as_bytes(), &Limits { octets: usize::MAX, ..limits }) {
            assert!(matches!(with_missing_zones(&full, &full_calendar), Cow::Borrowed(_)), "{full}");
        }
        without_known_zones(&full);
        if availability::check(&calendar).is_ok() {
            let few = recurrence::Limits { occurrences: 100, effort: 10_000 };
            let _ = availability::unavailable(&calendar, &TimeZone::utc(), 0..10_000_000, few);
        }
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

//! Calendar objects in the forms that products write become items and come back.

use std::path::PathBuf;

use kontor_model::calendar_item::{Context, from_icalendar, to_icalendar};
use kontor_model::icalendar::{CalendarObject, Component, Limits, Property};
use kontor_model::message::{Content, Message};
use kontor_model::property::{FileTime, Value, named, tags};
use kontor_model::recurrence::{End, ExceptionInfo, Pattern, StoredRecurrence};
use kontor_model::time_zone::{CalendarZones, TimeZone, TimeZoneDefinition};
use kontor_model::{GlobalObjectId, recurrence};
use proptest::prelude::*;

fn samples() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/calendar");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of samples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("a sample"))
        })
        .collect();
    all.sort();
    all
}

fn sample(name: &str) -> Component {
    let (_, text) = samples().into_iter().find(|(own, _)| own == name).expect("a sample");
    parse(&text)
}

fn parse(text: &str) -> Component {
    Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
}

fn context() -> Context {
    Context { owner: "anna@example.org".to_owned(), zone: TimeZone::named("Europe/Berlin").expect("a zone") }
}

fn read(name: &str) -> Message {
    from_icalendar(&sample(name), &context()).expect("an item")
}

/// What the item is as iCalendar after a change.
fn edited(name: &str, edit: impl FnOnce(&mut Message)) -> Component {
    let mut item = read(name);
    edit(&mut item);
    to_icalendar(&item, &context())
}

/// The lines that are in one and not in the other.
fn difference(from: &Component, to: &Component) -> (Vec<String>, Vec<String>) {
    let lines = |component: &Component| {
        let text = component.to_string().replace("\r\n ", "");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (from, to) = (lines(from), lines(to));
    let without = |own: &[String], other: &[String]| {
        own.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>()
    };
    (without(&from, &to), without(&to, &from))
}

fn time(text: &str) -> FileTime {
    let time = kontor_model::icalendar::value::CalendarTime::parse(text, None).expect("a time");
    FileTime::from_unix(CalendarZones::floating(TimeZone::utc()).to_unix(&time))
}

#[test]
fn every_sample_comes_back_as_it_was() {
    let samples = samples();
    assert!(samples.len() >= 23, "{}", samples.len());
    for (name, text) in samples {
        let calendar = parse(&text);
        let item = from_icalendar(&calendar, &context()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(to_icalendar(&item, &context()).to_string(), calendar.to_string(), "{name}");
        // Also for somebody who looks from elsewhere, and when it was stored meanwhile.
        let elsewhere =
            Context { owner: String::new(), zone: TimeZone::named("Asia/Tokyo").expect("a zone") };
        let mut stored = item.clone();
        stored.properties = kontor_model::property::Bag::decode(&item.properties.encode()).expect("a bag");
        stored.properties.set(tags::LAST_MODIFICATION_TIME, time("20270101T000000Z"));
        assert_eq!(to_icalendar(&stored, &elsewhere).to_string(), calendar.to_string(), "{name}");
    }
}

#[test]
fn what_mapi_alone_knows_is_a_calendar_too() {
    for (name, text) in samples() {
        let mut item = from_icalendar(&parse(&text), &context()).expect("an item");
        item.properties.remove(kontor_model::calendar_item::KEPT_ICALENDAR);
        let made = to_icalendar(&item, &context());
        // As a client gets it.
        let made = parse(&made.to_string());
        CalendarObject::check(&made).unwrap_or_else(|error| panic!("{name}: {error}\n{made}"));
        let again = from_icalendar(&made, &context()).expect("an item");
        for key in [
            named::APPOINTMENT_START_WHOLE,
            named::APPOINTMENT_END_WHOLE,
            named::APPOINTMENT_SUB_TYPE,
            named::BUSY_STATUS,
            named::CLEAN_GLOBAL_OBJECT_ID,
            named::APPOINTMENT_RECUR,
            named::REMINDER_SET,
            named::REMINDER_DELTA,
            named::TASK_START_DATE,
            named::TASK_DUE_DATE,
            named::TASK_STATUS,
            named::PERCENT_COMPLETE,
            named::LOG_START,
            named::LOCATION,
            named::APPOINTMENT_STATE_FLAGS,
        ] {
            assert_eq!(
                again.properties.get(key.clone()),
                item.properties.get(key.clone()),
                "{name}: {key}\n{made}"
            );
        }
        for tag in [tags::SUBJECT, tags::BODY, tags::IMPORTANCE, tags::SENSITIVITY, tags::DISPLAY_TO] {
            assert_eq!(again.properties.get(tag), item.properties.get(tag), "{name}: {tag:?}\n{made}");
        }
        assert_eq!(again.recipients, item.recipients, "{name}");
    }
}

#[test]
fn a_meeting_has_the_properties_that_outlook_reads() {
    let item = read("outlook-meeting.ics");
    let bag = &item.properties;
    assert_eq!(item.class.as_str(), "IPM.Appointment");
    assert_eq!(bag.time(named::APPOINTMENT_START_WHOLE), Some(time("20260112T130000Z")));
    assert_eq!(bag.time(named::APPOINTMENT_END_WHOLE), Some(time("20260112T140000Z")));
    assert_eq!(bag.time(tags::START_DATE), Some(time("20260112T130000Z")));
    assert_eq!(bag.time(named::COMMON_END), Some(time("20260112T140000Z")));
    assert_eq!(bag.integer32(named::APPOINTMENT_DURATION), Some(60));
    assert!(!bag.boolean(named::APPOINTMENT_SUB_TYPE));
    assert_eq!(bag.integer32(named::BUSY_STATUS), Some(3));
    assert_eq!(bag.integer32(tags::IMPORTANCE), Some(2));
    assert_eq!(bag.integer32(tags::SENSITIVITY), Some(2));
    assert!(bag.boolean(named::PRIVATE));
    assert_eq!(bag.string(named::LOCATION), Some("Boardroom"));
    assert_eq!(item.body(), Some("Figures for the quarter.\r\n\r\n"));
    assert!(item.html().is_some_and(|html| html.contains("<b>quarter</b>")));
    assert!(bag.boolean(named::REMINDER_SET));
    assert_eq!(bag.integer32(named::REMINDER_DELTA), Some(15));
    assert_eq!(bag.time(named::REMINDER_SIGNAL_TIME), Some(time("20260112T124500Z")));
    let zone = bag.binary(named::APPOINTMENT_TIME_ZONE_DEFINITION_START_DISPLAY).expect("a zone");
    assert_eq!(TimeZoneDefinition::decode(zone).expect("a zone").key_name, "W. Europe Standard Time");
    let id = bag.binary(named::GLOBAL_OBJECT_ID).expect("an id");
    assert!(GlobalObjectId::read(id).is_ok_and(|id| id.instance.is_none() && id.data.len() == 16));
    // Anna was asked by Clara and has not answered.
    assert_eq!(bag.integer32(named::APPOINTMENT_STATE_FLAGS), Some(3));
    assert_eq!(bag.integer32(named::RESPONSE_STATUS), Some(5));
    assert_eq!(item.from().map(|from| from.address).as_deref(), Some("clara@example.org"));
    let people: Vec<_> = item
        .recipients
        .iter()
        .map(|r| (r.kind.code(), r.person.address.as_str(), r.properties.integer32(tags::RECIPIENT_FLAGS)))
        .collect();
    assert_eq!(
        people,
        [
            (1, "clara@example.org", Some(3)),
            (1, "anna@example.org", Some(1)),
            (3, "boardroom@example.org", Some(1)),
        ]
    );
}

#[test]
fn a_series_is_stored_as_outlook_stores_it() {
    let item = read("google-weekly-moved.ics");
    let bag = &item.properties;
    let stored =
        StoredRecurrence::read(bag.binary(named::APPOINTMENT_RECUR).expect("a recurrence")).expect("one");
    let day = |month: i8, day: i8| {
        let unix = time(&format!("2026{month:02}{day:02}T000000Z")).0 / 600_000_000;
        u32::try_from(unix).expect("minutes")
    };
    assert_eq!(stored.pattern.pattern, Pattern::Week(0b10));
    assert_eq!((stored.pattern.end, stored.pattern.count), (End::Date, 9));
    assert_eq!((stored.pattern.start, stored.pattern.last), (day(3, 2), day(4, 27)));
    assert_eq!(stored.pattern.deleted, [day(3, 16), day(3, 30)]);
    assert_eq!(stored.pattern.modified, [day(3, 31)]);
    assert_eq!((stored.start_offset, stored.end_offset), (540, 570));
    assert_eq!(
        stored.exceptions,
        [ExceptionInfo {
            start: day(3, 31) + 660,
            end: day(3, 31) + 720,
            original_start: day(3, 30) + 540,
            subject: Some("Weekly, on Tuesday".to_owned()),
            location: Some(String::new()),
            reminder_set: Some(0),
            has_body: true,
            ..ExceptionInfo::default()
        }]
    );
    assert!(bag.boolean(named::RECURRING) && bag.boolean(named::IS_RECURRING));
    assert_eq!(bag.integer32(named::RECURRENCE_TYPE), Some(2));
    assert_eq!(bag.time(named::CLIP_START), Some(time("20260302T000000Z")));
    assert_eq!(bag.time(named::CLIP_END), Some(time("20260427T000000Z")));
    assert!(bag.binary(named::TIME_ZONE_STRUCT).is_some_and(|octets| octets.len() == 48));
    let [attachment] = item.attachments.as_slice() else { panic!("one changed instance") };
    assert_eq!(attachment.properties.integer32(tags::ATTACHMENT_FLAGS), Some(2));
    assert_eq!(attachment.properties.time(tags::EXCEPTION_START_TIME), Some(time("20260331T110000Z")));
    let Content::Message(instance) = &attachment.content else { panic!("a message") };
    assert_eq!(instance.class.as_str(), "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}");
    assert_eq!(instance.properties.time(named::EXCEPTION_REPLACE_TIME), Some(time("20260330T070000Z")));
    assert!(!bag.boolean(tags::HAS_ATTACHMENTS));
}

#[test]
fn a_day_is_midnight_by_the_clock_of_its_owner() {
    let item = read("apple-all-day.ics");
    let bag = &item.properties;
    assert!(bag.boolean(named::APPOINTMENT_SUB_TYPE));
    assert_eq!(bag.time(named::APPOINTMENT_START_WHOLE), Some(time("20260713T220000Z")));
    assert_eq!(bag.integer32(named::APPOINTMENT_DURATION), Some(1440));
    assert_eq!(bag.integer32(named::BUSY_STATUS), Some(0));
    assert_eq!(bag.time(named::CLIP_END).map(|never| never.0), Some(0x0CB3_4557_A3DD_4000));
    let stored = StoredRecurrence::read(bag.binary(named::APPOINTMENT_RECUR).expect("one")).expect("one");
    assert_eq!((stored.pattern.pattern, stored.pattern.period), (Pattern::Month(14), 12));
    assert_eq!((stored.start_offset, stored.end_offset), (0, 1440));
}

#[test]
fn tasks_have_their_days_without_a_zone() {
    let item = read("nextcloud-task.ics");
    let bag = &item.properties;
    assert_eq!(item.class.as_str(), "IPM.Task");
    assert_eq!(bag.time(named::TASK_DUE_DATE), Some(time("20260331T000000Z")));
    assert_eq!(bag.time(named::COMMON_END), Some(time("20260330T220000Z")));
    assert_eq!(bag.integer32(named::TASK_STATUS), Some(1));
    assert_eq!(bag.get(named::PERCENT_COMPLETE), Some(&Value::Floating64(0.4)));
    let done = edited("nextcloud-task.ics", |item| {
        item.properties.set(named::TASK_STATUS, 2);
        item.properties.set(named::TASK_COMPLETE, true);
        item.properties.set(named::PERCENT_COMPLETE, Value::Floating64(1.0));
        item.properties.set(named::TASK_DATE_COMPLETED, time("20260320T000000Z"));
        item.properties.set(tags::LAST_MODIFICATION_TIME, time("20260320T100000Z"));
    });
    let (gone, new) = difference(&sample("nextcloud-task.ics"), &done);
    assert!(gone.contains(&"STATUS:IN-PROCESS".to_owned()), "{gone:?}");
    for line in ["STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20260320T000000Z"] {
        assert!(new.contains(&line.to_owned()), "{new:?}");
    }
    assert!(done.to_string().contains("X-APPLE-SORT-ORDER:771234\r\n"));
}

#[test]
fn an_answer_in_outlook_changes_one_parameter() {
    let name = "outlook-meeting.ics";
    let after = edited(name, |item| {
        item.properties.set(named::RESPONSE_STATUS, 3);
        item.properties.set(named::BUSY_STATUS, 2);
        item.properties.set(tags::LAST_MODIFICATION_TIME, time("20260106T080000Z"));
    });
    let (gone, new) = difference(&sample(name), &after);
    assert_eq!(
        new,
        [
            "ATTENDEE;CN=\"Berg, Anna\";PARTSTAT=ACCEPTED:mailto:anna@example.org",
            "DTSTAMP:20260106T080000Z",
            "LAST-MODIFIED:20260106T080000Z",
            "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
            "STATUS:CONFIRMED",
        ]
        .into_iter()
        .filter(|line| *line != "STATUS:CONFIRMED")
        .collect::<Vec<_>>()
    );
    assert_eq!(gone.len(), 4, "{gone:?}");
}

#[test]
fn a_series_is_moved_and_its_zone_stays() {
    let name = "google-weekly-moved.ics";
    let after = edited(name, |item| {
        item.properties.set(named::APPOINTMENT_START_WHOLE, time("20260302T083000Z"));
        item.properties.set(named::APPOINTMENT_END_WHOLE, time("20260302T093000Z"));
    });
    let text = after.to_string();
    assert!(text.contains("DTSTART;TZID=Europe/Berlin:20260302T093000\r\n"), "{text}");
    assert!(text.contains("X-GOOGLE-CONFERENCE"), "{text}");
    assert_eq!(after.components_named("VTIMEZONE").count(), 1);
    assert_eq!(after.components_named("VEVENT").count(), 2);
}

#[test]
fn instances_change_in_mapi() {
    let name = "google-weekly-moved.ics";
    // Another one is deleted, the changed one is renamed.
    let after = edited(name, |item| {
        let octets = item.properties.binary(named::APPOINTMENT_RECUR).expect("one").to_vec();
        let mut stored = StoredRecurrence::read(&octets).expect("one");
        stored.pattern.deleted.push(stored.pattern.start + 7 * 1440);
        stored.pattern.deleted.sort_unstable();
        item.properties.set(named::APPOINTMENT_RECUR, stored.write());
        let Some(Content::Message(instance)) = item.attachments.first_mut().map(|a| &mut a.content) else {
            panic!()
        };
        instance.properties.set(tags::SUBJECT, "Renamed");
    });
    let text = after.to_string();
    assert!(text.contains("EXDATE;TZID=Europe/Berlin:20260309T090000\r\n"), "{text}");
    assert!(text.contains("EXDATE;TZID=Europe/Berlin:20260316T090000\r\n"), "{text}");
    assert!(text.contains("RRULE:FREQ=WEEKLY;WKST=MO;UNTIL=20260427T215959Z;BYDAY=MO\r\n"), "{text}");
    assert!(text.contains("SUMMARY:Renamed\r\n") && text.contains("SUMMARY:Weekly\r\n"), "{text}");

    // The change is taken back: the attachment and what the recurrence says of it go.
    let after = edited(name, |item| {
        let octets = item.properties.binary(named::APPOINTMENT_RECUR).expect("one").to_vec();
        let mut stored = StoredRecurrence::read(&octets).expect("one");
        stored.exceptions.clear();
        stored.pattern.modified.clear();
        stored.pattern.deleted.pop();
        item.properties.set(named::APPOINTMENT_RECUR, stored.write());
        item.attachments.clear();
    });
    assert_eq!(after.components_named("VEVENT").count(), 1, "{after}");

    // One is moved by a program that writes the recurrence alone.
    let after = edited("thunderbird-floating.ics", |item| {
        let octets = item.properties.binary(named::APPOINTMENT_RECUR).expect("one").to_vec();
        let mut stored = StoredRecurrence::read(&octets).expect("one");
        let day = stored.pattern.start + 1440;
        stored.pattern.deleted.push(day);
        stored.pattern.modified.push(day);
        stored.exceptions.push(ExceptionInfo {
            start: day + 600,
            end: day + 660,
            original_start: day + 420,
            location: Some("Lake".to_owned()),
            ..ExceptionInfo::default()
        });
        item.properties.set(named::APPOINTMENT_RECUR, stored.write());
    });
    let moved = after.components_named("VEVENT").nth(1).expect("another event");
    let line = |name: &str| moved.property(name).map(Property::to_string).unwrap_or_default();
    assert_eq!(line("RECURRENCE-ID"), "RECURRENCE-ID:20260217T070000\r\n", "{after}");
    assert_eq!(line("LOCATION"), "LOCATION:Lake\r\n");
    assert_eq!(line("SUMMARY"), "SUMMARY:Swim\r\n");
    assert!(line("DTSTART").contains("20260217T100000"), "{after}");
    let zones = CalendarZones::of(&after, context().zone);
    let object = CalendarObject::check(&after).expect("an object");
    let all = recurrence::instances(&object, &zones, 0..i64::from(u32::MAX), recurrence::Limits::default());
    assert_eq!(all.expect("instances").len(), 5);
}

#[test]
fn reminders_and_people_come_and_go() {
    let name = "google-weekly-moved.ics";
    let after = edited(name, |item| {
        item.properties.set(named::REMINDER_DELTA, 30);
        item.recipients.retain(|recipient| recipient.person.address != "ben@example.org");
    });
    let text = after.to_string().replace("\r\n ", "");
    assert!(text.contains("TRIGGER:-PT30M\r\n") && text.contains("This is an event reminder"), "{text}");
    assert!(!text.contains("ben@example.org"), "{text}");
    assert!(text.contains("PARTSTAT=ACCEPTED;CN=Anna Berg;X-NUM-GUESTS=0"), "{text}");
    let after = edited(name, |item| {
        item.properties.set(named::REMINDER_SET, false);
    });
    assert!(!after.to_string().contains("VALARM"), "{after}");
    // An alarm that sends mail is none of MAPI's.
    let after = edited("thunderbird-floating.ics", |item| {
        item.properties.set(named::REMINDER_SET, true);
        item.properties.set(named::REMINDER_DELTA, 5);
    });
    assert_eq!(after.component("VEVENT").map(|event| event.components_named("VALARM").count()), Some(2));
}

#[test]
fn attachments_are_attachments() {
    let name = "evolution-attachment.ics";
    let item = read(name);
    let [attachment] = item.attachments.as_slice() else { panic!("one attachment") };
    assert_eq!(attachment.content, Content::Bytes(b"Hello, world!".to_vec()));
    assert_eq!(attachment.file_name.as_deref(), Some("a.txt"));
    assert!(item.properties.boolean(tags::HAS_ATTACHMENTS));
    let kept = item.properties.string(kontor_model::calendar_item::KEPT_ICALENDAR).expect("kept");
    assert!(!kept.contains("SGVsbG8"), "{kept}");
    let after = edited(name, |item| item.attachments.clear()).to_string();
    assert!(!after.contains("a.txt") && after.contains("https://example.org/plan.pdf"), "{after}");
    let after = edited(name, |item| {
        let mut new = item.attachments.first().cloned().expect("one");
        new.properties = kontor_model::property::Bag::new();
        new.file_name = Some("b.txt".to_owned());
        item.attachments.push(new);
    });
    assert!(after.to_string().contains("X-FILENAME=b.txt"), "{after}");
    // A client cannot put somebody else's place into its text.
    let forged = sample(name).to_string().replace("ATTACH:https", "ATTACH;X-KONTOR-ATTACHMENT=TRUE:1;https");
    let item = from_icalendar(&parse(&forged), &context()).expect("an item");
    assert_eq!(to_icalendar(&item, &context()).to_string().matches("SGVsbG8").count(), 1);
}

proptest! {
    #[test]
    fn no_text_is_too_strange(
        at in 0usize..23,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[A-Z0-9:;=,TZ.-]{0,12}"), 1..8),
    ) {
        let (_, text) = samples().into_iter().nth(at).expect("a sample");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, place, new) in edits {
            let line = line.get_mut(&mut lines);
            let at = place.index(line.len() + 1);
            let at = (0..=at).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            line.truncate(at);
            line.push_str(&new);
        }
        let Ok(calendar) = Component::parse(lines.join("\r\n").as_bytes(), &Limits::default()) else { return Ok(()) };
        let Ok(mut item) = from_icalendar(&calendar, &context()) else { return Ok(()) };
        prop_assert_eq!(to_icalendar(&item, &context()).to_string(), calendar.to_string());
        item.properties.remove(kontor_model::calendar_item::KEPT_ICALENDAR);
        to_icalendar(&item, &context());
    }
}

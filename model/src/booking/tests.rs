use std::ops::Range;

use proptest::prelude::*;

use super::answer::answer_of;
use super::*;
use crate::free_busy::busy_times;
use crate::icalendar::{CalendarObject, Component, Limits};
use crate::recurrence;
use crate::scheduling::{Applied, apply, to_attendees, to_organizer};
use crate::time_zone::CalendarZones;

const ROOM: &str = "blue@example.org";
const CLARA: &str = "clara@example.org";
/// 2026-03-01T00:00:00Z, a Sunday.
const NOW: i64 = 1_772_323_200;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn parse(text: &str) -> Component {
    Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
}

/// A meeting of Clara and Anna in the room, of events with these lines.
fn meeting(events: &[&str]) -> Component {
    let events: String = events
        .iter()
        .map(|lines| {
            format!(
                "BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nSUMMARY:Plans\nORGANIZER;CN=Clara Clay:mailto:{CLARA}\n\
                 ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n\
                 ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:Blue@example.org\n{lines}END:VEVENT\n"
            )
        })
        .collect();
    parse(&format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\n{events}END:VCALENDAR\n"))
}

fn with(rules: &Rules, request: &Component, busy: &[Range<i64>]) -> Decision {
    let names = [CLARA.to_owned()];
    let asking = Asking { names: &names, is_of_tenant: true, existing: None };
    decide(rules, request, ROOM, &asking, busy, NOW)
}

fn default(events: &[&str], busy: &[Range<i64>]) -> Decision {
    with(&Rules::default(), &meeting(events), busy)
}

fn accepted() -> Decision {
    Decision::Accepted { declined: Vec::new(), reason: None }
}

fn text(decision: &Decision) -> String {
    match decision {
        Decision::Declined(reason)
        | Decision::Tentative(reason)
        | Decision::Left(reason)
        | Decision::Ignored(reason)
        | Decision::Accepted { reason: Some(reason), .. } => reason.to_string(),
        Decision::Accepted { reason: None, .. } => String::new(),
    }
}

const MONDAY: &str = "DTSTART:20260302T090000Z\nDTEND:20260302T100000Z\n";
const NINE: i64 = NOW + DAY + 9 * HOUR;

#[test]
fn a_free_hour_is_given_and_a_taken_one_is_not() {
    assert_eq!(default(&[MONDAY], &[]), accepted());
    // Next to each other is fine.
    assert_eq!(default(&[MONDAY], &[NINE - HOUR..NINE, NINE + HOUR..NINE + 2 * HOUR]), accepted());
    let taken = default(&[MONDAY], &[NINE + HOUR - 1..NINE + 2 * HOUR]);
    assert_eq!(text(&taken), "It is taken already: Mon 2 Mar 2026 09:00 UTC.");
    assert!(matches!(taken, Decision::Declined(Reason::Taken(_))));
    let several = Rules { allow_conflicts: true, ..Rules::default() };
    assert_eq!(with(&several, &meeting(&[MONDAY]), &[NINE..NINE + 1]), accepted());
}

#[test]
fn bounds_of_time() {
    let edge = "DTSTART:20260828T000000Z\nDURATION:PT1H\n";
    assert_eq!(default(&[edge], &[]), accepted(), "180 days ahead to the second");
    let later = default(&["DTSTART:20260828T000001Z\nDURATION:PT1H\n"], &[]);
    assert!(matches!(later, Decision::Declined(Reason::BeyondWindow(180))));
    assert_eq!(default(&["DTSTART;VALUE=DATE:20260302\n"], &[]), accepted(), "a day");
    let long = default(&["DTSTART:20260302T000000Z\nDURATION:PT24H1M\n"], &[]);
    assert_eq!(text(&long), "It can be booked for at most 24 hours.");
    let any = Rules { maximum_duration_minutes: 0, ..Rules::default() };
    assert_eq!(with(&any, &meeting(&["DTSTART:20260302T000000Z\nDURATION:P30D\n"]), &[]), accepted());
    assert_eq!(
        default(&["DTSTART:20260227T090000Z\nDURATION:PT1H\n"], &[]),
        Decision::Declined(Reason::Past)
    );
    // It has begun.
    assert_eq!(default(&["DTSTART:20260228T233000Z\nDURATION:PT1H\n"], &[]), accepted());
}

#[test]
fn what_is_over_stays_as_it_was() {
    let past = meeting(&["DTSTART:20260227T090000Z\nDURATION:PT1H\n"]);
    let names = [CLARA.to_owned()];
    let rules = Rules::default();
    let asking = Asking { names: &names, is_of_tenant: true, existing: Some(&past) };
    assert_eq!(decide(&rules, &past, ROOM, &asking, &[], NOW), Decision::Ignored(Reason::Past));
    // One that was to come and is moved into the past gives its time back.
    let coming = meeting(&[MONDAY]);
    let asking = Asking { existing: Some(&coming), ..asking };
    assert_eq!(decide(&rules, &past, ROOM, &asking, &[], NOW), Decision::Declined(Reason::Past));
}

#[test]
fn series() {
    let daily = format!("{MONDAY}RRULE:FREQ=DAILY;COUNT=5\n");
    assert_eq!(default(&[&daily], &[]), accepted());
    let none = Rules { allow_recurring: false, ..Rules::default() };
    assert_eq!(with(&none, &meeting(&[&daily]), &[]), Decision::Declined(Reason::Recurring));
    let endless = default(&[&format!("{MONDAY}RRULE:FREQ=WEEKLY\n")], &[]);
    assert_eq!(endless, Decision::Declined(Reason::BeyondWindow(180)));
    let long = default(&[&format!("{MONDAY}RRULE:FREQ=WEEKLY;COUNT=40\n")], &[]);
    assert_eq!(long, Decision::Declined(Reason::BeyondWindow(180)));
    let many = default(&[&format!("{MONDAY}RRULE:FREQ=SECONDLY;COUNT=2000000000\n")], &[]);
    assert_eq!(many, Decision::Declined(Reason::TooManyInstances));
    let hostile = default(&[&format!("{MONDAY}RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3\n")], &[]);
    assert!(matches!(hostile, Decision::Accepted { .. } | Decision::Declined(_)));
    // Another one on Wednesday.
    let wednesday = [NINE + 2 * DAY..NINE + 2 * DAY + 60];
    let whole = default(&[&daily], &wednesday);
    assert_eq!(text(&whole), "It is taken already: Wed 4 Mar 2026 09:00 UTC.");
    assert!(matches!(whole, Decision::Declined(_)));
    let one = Rules { max_conflict_instances: 1, ..Rules::default() };
    let Decision::Accepted { declined, .. } = with(&one, &meeting(&[&daily]), &wednesday) else { panic!() };
    assert_eq!(declined.iter().map(|one| one.unix.start).collect::<Vec<_>>(), [NINE + 2 * DAY]);
    // One of five are twenty of a hundred.
    let few = Rules { max_conflict_percentage: 19, ..one.clone() };
    assert!(matches!(with(&few, &meeting(&[&daily]), &wednesday), Decision::Declined(_)));
    let two = [NINE..NINE + 60, NINE + 2 * DAY..NINE + 2 * DAY + 60];
    assert!(matches!(with(&one, &meeting(&[&daily]), &two), Decision::Declined(_)));
    // Nothing would be left.
    let all = Rules { max_conflict_instances: 100, ..Rules::default() };
    assert!(matches!(with(&all, &meeting(&[&daily]), &[NINE..NINE + 9 * DAY]), Decision::Declined(_)));
}

#[test]
fn instances_that_the_resource_is_not_asked_to_do_not_count() {
    let daily = format!("{MONDAY}RRULE:FREQ=DAILY;COUNT=3\n");
    let off = "RECURRENCE-ID:20260303T090000Z\nDTSTART:20260303T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED\n";
    let tuesday = [NINE + DAY..NINE + DAY + HOUR];
    assert!(matches!(default(&[&daily], &tuesday), Decision::Declined(_)));
    assert_eq!(default(&[&daily, off], &tuesday), accepted());
    let mut elsewhere = meeting(&[&daily, &off.replace("STATUS:CANCELLED\n", "")]);
    let moved = elsewhere.components.last_mut().expect("an instance");
    moved.properties.retain(|line| line.parameter("CUTYPE").is_none());
    assert_eq!(with(&Rules::default(), &elsewhere, &tuesday), accepted());
}

#[test]
fn single_instances_are_answered_by_themselves() {
    let instance = "RECURRENCE-ID:20260303T090000Z\nDTSTART:20260303T110000Z\nDURATION:PT1H\n";
    let eleven = NINE + DAY + 2 * HOUR;
    assert_eq!(default(&[instance], &[]), accepted());
    let taken = default(&[instance], std::slice::from_ref(&(eleven..eleven + 60)));
    assert!(matches!(taken, Decision::Declined(_)));
    let other = "RECURRENCE-ID:20260304T090000Z\nDTSTART:20260304T110000Z\nDURATION:PT1H\n";
    let request = meeting(&[instance, other]);
    let some = with(&Rules::default(), &request, std::slice::from_ref(&(eleven..eleven + 60)));
    let Decision::Accepted { declined, .. } = &some else { panic!("{some:?}") };
    assert_eq!(declined.len(), 1);
    // In a copy with the whole series, the other instances stay as they are.
    let daily = format!("{MONDAY}RRULE:FREQ=DAILY;COUNT=3\n");
    let series = answered(&meeting(&[&daily]), &meeting(&[&daily]), ROOM, &accepted());
    let Ok(Applied::Stored(copy)) = apply(Some(&series), &as_request(&request), ROOM) else { panic!() };
    let copy = answered(&copy, &request, ROOM, &some);
    assert_eq!(answer_of(&copy, ROOM, None).as_deref(), Some("ACCEPTED"));
    assert_eq!(answer_of(&copy, ROOM, Some(NINE + DAY)).as_deref(), Some("DECLINED"));
    assert_eq!(answer_of(&copy, ROOM, Some(NINE + 2 * DAY)).as_deref(), Some("ACCEPTED"));
}

#[test]
fn who_may_book() {
    let request = meeting(&[MONDAY]);
    let ask = |rules: &Rules, name: &str, is_of_tenant: bool| {
        let names = [name.to_owned(), "staff@example.org".to_owned()];
        decide(rules, &request, ROOM, &Asking { names: &names, is_of_tenant, existing: None }, &[], NOW)
    };
    let open = Rules::default();
    assert_eq!(ask(&open, CLARA, true), accepted());
    assert_eq!(ask(&open, CLARA, false), Decision::Ignored(Reason::External));
    let wide = Rules { process_external_meeting_messages: true, ..Rules::default() };
    assert_eq!(ask(&wide, "guest@example.com", false), accepted());
    let some = Rules {
        all_book_in_policy: false,
        book_in_policy: vec!["Clara@example.org".into()],
        request_in_policy: vec!["ben@example.org".into()],
        delegates: vec!["boss@example.org".into()],
        ..Rules::default()
    };
    assert_eq!(ask(&some, CLARA, true), accepted());
    assert_eq!(ask(&some, "ben@example.org", true), Decision::Tentative(Reason::Pending));
    assert_eq!(ask(&some, "dora@example.org", true), Decision::Declined(Reason::NotPermitted));
    let group = Rules { book_in_policy: vec!["staff@example.org".into()], ..some.clone() };
    assert_eq!(ask(&group, "dora@example.org", true), accepted());
    let asked = Rules { all_request_in_policy: true, ..some };
    assert_eq!(ask(&asked, "dora@example.org", true), Decision::Tentative(Reason::Pending));
    // Delegates are not asked for what cannot be.
    let names = ["dora@example.org".to_owned()];
    let asking = Asking { names: &names, is_of_tenant: true, existing: None };
    let taken = decide(&asked, &request, ROOM, &asking, std::slice::from_ref(&(NINE..NINE + 1)), NOW);
    assert!(matches!(taken, Decision::Declined(Reason::Taken(_))));
    let update = Rules { automate_processing: AutomateProcessing::AutoUpdate, ..asked.clone() };
    assert_eq!(ask(&update, CLARA, true), Decision::Left(Reason::Pending));
    let nothing = Rules { automate_processing: AutomateProcessing::None, ..asked };
    assert_eq!(ask(&nothing, CLARA, true), Decision::Ignored(Reason::NotAutomatic));
}

#[test]
fn working_hours_by_the_clock_of_the_room() {
    let hours =
        WorkingHours { days: 0b1_1111, from: 8 * 60, until: 18 * 60, time_zone: "Europe/Berlin".into() };
    let rules = Rules { working_hours: Some(hours), ..Rules::default() };
    let ask = |lines: &str| with(&rules, &meeting(&[lines]), &[]);
    // 09:00 UTC is 10:00 in Berlin.
    assert_eq!(ask(MONDAY), accepted());
    assert_eq!(ask("DTSTART:20260302T070000Z\nDTEND:20260302T170000Z\n"), accepted());
    let early = ask("DTSTART:20260302T065900Z\nDTEND:20260302T100000Z\n");
    assert_eq!(
        text(&early),
        "It can be booked within working hours only; this is not: Mon 2 Mar 2026 07:59 Europe/Berlin."
    );
    assert!(matches!(ask("DTSTART:20260302T160000Z\nDTEND:20260302T170001Z\n"), Decision::Declined(_)));
    assert!(matches!(ask("DTSTART:20260307T090000Z\nDTEND:20260307T100000Z\n"), Decision::Declined(_)));
    // Until the clocks change on 29 March, 16:30 UTC is 17:30; from then on it is 18:30.
    let series = ask("DTSTART:20260327T163000Z\nDURATION:PT30M\nRRULE:FREQ=WEEKLY;COUNT=2\n");
    assert!(text(&series).ends_with("this is not: Fri 3 Apr 2026 18:30 Europe/Berlin."), "{}", text(&series));
}

#[test]
fn capacity_counts_people() {
    let rules = Rules { enforce_capacity: true, capacity: 2, ..Rules::default() };
    assert_eq!(with(&rules, &meeting(&[MONDAY]), &[]), accepted(), "Clara and Anna");
    let three = format!("{MONDAY}ATTENDEE:mailto:ben@example.org\nATTENDEE:MAILTO:Clara@example.org\n");
    assert_eq!(text(&with(&rules, &meeting(&[&three]), &[])), "3 people are invited, and it holds 2.");
    let away = format!("{MONDAY}ATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.org\n");
    assert_eq!(with(&rules, &meeting(&[&away]), &[]), accepted());
}

#[test]
fn a_claimed_answer_is_none() {
    let mut request = meeting(&[MONDAY]);
    for line in request.components.iter_mut().flat_map(|part| &mut part.properties) {
        if line.parameter("CUTYPE").is_some() {
            line.set_parameter("PARTSTAT", "ACCEPTED");
        }
    }
    let decision = with(&Rules::default(), &request, std::slice::from_ref(&(NINE..NINE + 1)));
    let said = answered(&request, &request, ROOM, &decision);
    assert_eq!(answer_of(&said, ROOM, None).as_deref(), Some("DECLINED"));
    let left = answered(&request, &request, ROOM, &Decision::Left(Reason::Pending));
    assert_eq!(answer_of(&left, ROOM, None).as_deref(), Some("NEEDS-ACTION"));
}

#[test]
fn the_organizer_hears_why() {
    let request = meeting(&[MONDAY]);
    let decision = with(&Rules::default(), &request, std::slice::from_ref(&(NINE..NINE + 1)));
    let reply = to_organizer(&request, Some(&answered(&request, &request, ROOM, &decision)), ROOM);
    let text = reply.expect("a reply").calendar.to_string();
    assert!(text.contains("PARTSTAT=DECLINED:mailto:Blue@example.org"), "{text}");
    assert!(text.contains("COMMENT:It is taken already: Mon 2 Mar 2026 09:00 UTC."), "{text}");
}

#[test]
fn what_the_calendar_of_a_room_says() {
    let lines = format!("{MONDAY}TRANSP:TRANSPARENT\nDESCRIPTION:secret\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\n");
    let copy = meeting(&[&lines]);
    let summary = |rules: &Rules| {
        let kept = kept(rules, &copy);
        assert_eq!(super::kept(rules, &kept), kept, "again");
        assert!(!kept.to_string().contains("TRANSP") && !kept.to_string().contains("BUSYSTATUS"));
        assert_eq!(kept.to_string().contains("secret"), !rules.delete_subject);
        kept.components[0].text("SUMMARY")
    };
    let rules = Rules::default();
    assert_eq!(summary(&rules).as_deref(), Some("Clara Clay"));
    let both = Rules { delete_subject: false, ..rules.clone() };
    assert_eq!(summary(&both).as_deref(), Some("Clara Clay: Plans"));
    let neither = Rules { delete_subject: false, add_organizer_to_subject: false, ..rules.clone() };
    assert_eq!(summary(&neither).as_deref(), Some("Plans"));
    assert_eq!(summary(&Rules { add_organizer_to_subject: false, ..rules }), None);
}

#[test]
fn what_is_no_request_is_left_alone() {
    let task = parse(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nBEGIN:VTODO\nUID:1\nDUE:20260302T090000Z\n\
         ATTENDEE:mailto:blue@example.org\nEND:VTODO\nEND:VCALENDAR\n",
    );
    assert_eq!(with(&Rules::default(), &task, &[]), Decision::Ignored(Reason::NotAnEvent));
    let names = [CLARA.to_owned()];
    let asking = Asking { names: &names, is_of_tenant: true, existing: None };
    let other = decide(&Rules::default(), &meeting(&[MONDAY]), "red@example.org", &asking, &[], NOW);
    assert_eq!(other, Decision::Ignored(Reason::NotAnEvent));
}

#[test]
fn rules_that_will_not_do() {
    let rule = |rules: Rules| rules.check().expect_err("wrong").rule;
    assert_eq!(Rules::default().check(), Ok(()));
    assert_eq!(rule(Rules { booking_window_days: 1081, ..Rules::default() }), "booking_window_days");
    assert_eq!(rule(Rules { max_conflict_percentage: 101, ..Rules::default() }), "max_conflict_percentage");
    assert_eq!(rule(Rules { all_request_in_policy: true, ..Rules::default() }), "delegates");
    let none = AutomateProcessing::None;
    assert_eq!(rule(Rules { automate_processing: none, ..Rules::default() }), "delegates");
    assert_eq!(rule(Rules { enforce_capacity: true, ..Rules::default() }), "enforce_capacity");
    let hours =
        |time_zone: &str, until| WorkingHours { days: 1, from: 60, until, time_zone: time_zone.into() };
    for wrong in [hours("Europe/Berlin", 60), hours("Europe/Berlin", 1441), hours("Nowhere", 120)] {
        assert_eq!(rule(Rules { working_hours: Some(wrong), ..Rules::default() }), "working_hours");
    }
    for way in AutomateProcessing::ALL {
        assert_eq!(AutomateProcessing::of(&way.as_str().to_lowercase()), Some(way));
    }
}

fn as_request(calendar: &Component) -> Component {
    let mut request = calendar.clone();
    request.push(crate::icalendar::Property::new("METHOD", "REQUEST"));
    request
}

fn taken_by(calendar: &Component) -> Vec<Range<i64>> {
    let object = CalendarObject::check(calendar).expect("an object");
    let zones = CalendarZones::of(calendar, Rules::default().zone());
    let times = busy_times(&object, &zones, NOW - DAY..NOW + 400 * DAY, ROOM, recurrence::Limits::default());
    times.expect("few").into_iter().map(|(time, _)| time).collect()
}

prop_compose! {
    /// Series by a clock that changes on 29 March, some with a moved instance, some with one length for later ones.
    fn a_series()(
        day in 2u32..28, hour in 0u32..23, minutes in prop::sample::select(vec![30u32, 60, 90, 600]),
        interval in 1u32..4, count in 1u32..12, moved in prop::option::of((0u32..12, 0u32..23)), future: bool,
    ) -> Component {
        let zone = ";TZID=Europe/Berlin";
        let master = format!(
            "DTSTART{zone}:202603{day:02}T{hour:02}0000\nDURATION:PT{minutes}M\n\
             RRULE:FREQ=DAILY;INTERVAL={interval};COUNT={count}\n"
        );
        let mut events = vec![master];
        if let Some((which, to)) = moved {
            let on = day + which * interval;
            if which < count && on <= 28 {
                let range = if future { ";RANGE=THISANDFUTURE" } else { "" };
                events.push(format!(
                    "RECURRENCE-ID{range}{zone}:202603{on:02}T{hour:02}0000\nDTSTART{zone}:202603{on:02}T{to:02}1500\n\
                     DTEND{zone}:202603{on:02}T{to:02}4500\n"
                ));
            }
        }
        meeting(&events.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

proptest! {
    /// Whatever is asked for: nothing is taken twice, and the organizer's copy says of each instance what the room's does.
    #[test]
    fn nothing_is_given_twice(
        request in a_series(),
        busy in prop::collection::vec((0i64..60 * 24, 1i64..8), 0..12),
        most in 0u32..6,
    ) {
        let busy: Vec<_> =
            busy.iter().map(|(from, hours)| NOW + from * HOUR..NOW + (from + hours) * HOUR).collect();
        let rules = Rules { max_conflict_instances: most, ..Rules::default() };
        let decision = with(&rules, &as_request(&request), &busy);
        let overlaps = |times: &[Range<i64>]| {
            times.iter().filter(|time| busy.iter().any(|other| other.start < time.end && time.start < other.end)).count()
        };
        let wanted = taken_by(&request);
        let conflicts = overlaps(&wanted);
        let Ok(Applied::Stored(copy)) = apply(None, &as_request(&request), ROOM) else { panic!() };
        let answered_copy = answered(&copy, &request, ROOM, &decision);
        let stored = kept(&rules, &answered_copy);
        match &decision {
            Decision::Accepted { declined, .. } => {
                prop_assert_eq!(declined.len(), conflicts);
                prop_assert!(conflicts == 0 || conflicts <= most as usize && conflicts < wanted.len());
                prop_assert_eq!(overlaps(&taken_by(&stored)), 0);
                prop_assert_eq!(taken_by(&stored).len(), wanted.len() - conflicts);
            }
            Decision::Declined(Reason::Taken(_)) => {
                prop_assert!(conflicts > most as usize || conflicts == wanted.len());
                prop_assert_eq!(taken_by(&stored).len(), 0);
            }
            other => prop_assert!(false, "{:?}", other),
        }
        // What the organizer makes of the reply.
        let sent = to_attendees(None, Some(&request), CLARA);
        let asked = sent.iter().find(|sent| sent.recipient == ROOM).expect("the room is asked");
        let said = answered(&asked.calendar, &asked.calendar, ROOM, &decision);
        let reply = to_organizer(&asked.calendar, Some(&said), ROOM).expect("a reply");
        let Ok(Applied::Stored(claras)) = apply(Some(&request), &reply.calendar, CLARA) else { panic!() };
        let sorted = |mut times: Vec<Range<i64>>| { times.sort_by_key(|time| (time.start, time.end)); times };
        prop_assert_eq!(sorted(taken_by(&claras)), sorted(taken_by(&stored)));
    }

    #[test]
    fn a_single_meeting_is_given_when_it_is_free(
        from in 0i64..200, minutes in 1i64..600, busy in prop::collection::vec((0i64..250, 1i64..9), 0..20)
    ) {
        let start = NOW + from * HOUR / 2;
        let time = start..start + minutes * 60;
        let busy: Vec<_> =
            busy.iter().map(|(from, hours)| NOW + from * HOUR / 2..NOW + (from + 2 * hours) * HOUR / 2).collect();
        let at = |unix| crate::icalendar::value::CalendarTime::Utc(crate::time_zone::clock(unix));
        let request = meeting(&[&format!("DTSTART:{}\nDTEND:{}\n", at(time.start), at(time.end))]);
        let is_free = !busy.iter().any(|other| other.start < time.end && time.start < other.end);
        let decision = with(&Rules::default(), &request, &busy);
        prop_assert_eq!(matches!(decision, Decision::Accepted { .. }), is_free);
        prop_assert!(is_free || matches!(decision, Decision::Declined(Reason::Taken(_))));
    }
}

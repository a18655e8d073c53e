use proptest::prelude::*;

use super::*;
use crate::icalendar::{Limits, Property};

const CLARA: &str = "clara@example.org";
const ANNA: &str = "anna@example.org";
const BEN: &str = "ben@example.org";

fn parse(text: &str) -> Component {
    Component::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default()).expect("a calendar")
}

/// A calendar with these components, written without their common lines.
fn calendar(parts: &[&str]) -> Component {
    let mut text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//t//EN\n".to_owned();
    for part in parts {
        text +=
            "BEGIN:VEVENT\nUID:m1\nDTSTAMP:20260101T000000Z\nORGANIZER;CN=Clara:mailto:clara@example.org\n";
        text += part;
        text += "END:VEVENT\n";
    }
    text += "END:VCALENDAR\n";
    parse(&text)
}

const SERIES: &str = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
    RRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:Plan\nSEQUENCE:1\n\
    ATTENDEE;PARTSTAT=ACCEPTED:mailto:clara@example.org\n\
    ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:anna@example.org\n\
    ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Ben:MAILTO:Ben@Example.org\n";
const MOVED: &str = "RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000\n\
    DTSTART;TZID=Europe/Berlin:20260310T110000\nDTEND;TZID=Europe/Berlin:20260310T120000\nSUMMARY:Plan\nSEQUENCE:2\n\
    ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n";

fn stored(outcome: Result<Applied, ItipError>) -> Component {
    match outcome {
        Ok(Applied::Stored(calendar)) => calendar,
        other => panic!("{other:?}"),
    }
}

fn to<'a>(messages: &'a [Itip], who: &str) -> Vec<&'a Itip> {
    messages.iter().filter(|message| message.recipient == who).collect()
}

/// A copy with one line said differently.
fn with(calendar: &Component, from: &str, to: &str) -> Component {
    let text = calendar.to_string().replace("\r\n ", "");
    assert!(text.contains(from), "{from}: {text}");
    Component::parse(text.replace(from, to).as_bytes(), &Limits::default()).expect("a calendar")
}

fn answered(calendar: &Component, who: &str, answer: &str) -> Component {
    let mut out = calendar.clone();
    for part in &mut out.components {
        for line in part.properties.iter_mut().filter(|line| line.is("ATTENDEE") && people::is(line, who)) {
            line.set_parameter("PARTSTAT", answer);
        }
    }
    out
}

fn answer_of(part: &Component, who: &str) -> String {
    people::attendee(part, who).map(people::answer).unwrap_or_default().to_owned()
}

#[test]
fn a_new_meeting_is_sent_to_each_attendee_once() {
    let mut meeting = calendar(&[SERIES]);
    let alarm = parse("BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n");
    meeting.components[0].components.push(alarm);
    let sent = to_attendees(None, Some(&meeting), CLARA);
    let people: Vec<_> = sent.iter().map(|message| message.recipient.as_str()).collect();
    assert_eq!(people, [ANNA, BEN]);
    for message in &sent {
        assert_eq!(Method::of(&message.calendar), Some(Method::Request));
        assert!(
            !message.calendar.to_string().contains("VALARM"),
            "the organizer's reminder is the organizer's"
        );
    }
    // Somebody whom the organizer's program tells itself is not told again.
    let own = with(&meeting, "RSVP=TRUE;CN=Ben", "SCHEDULE-AGENT=CLIENT;CN=Ben");
    assert_eq!(to_attendees(None, Some(&own), CLARA).len(), 1);
}

#[test]
fn answers_and_reminders_are_no_news() {
    let meeting = calendar(&[SERIES]);
    for quiet in [
        answered(&meeting, ANNA, "ACCEPTED"),
        with(&meeting, "DTSTAMP:20260101T000000Z", "DTSTAMP:20260105T000000Z"),
        with(&meeting, "SEQUENCE:1", "SEQUENCE:1\r\nTRANSP:TRANSPARENT"),
        with(&meeting, ";CN=Ben", ";CN=Benjamin"),
    ] {
        assert_eq!(to_attendees(Some(&meeting), Some(&quiet), CLARA), [], "{quiet}");
    }
    let moved = with(&meeting, "20260302T090000", "20260302T080000");
    assert_eq!(to_attendees(Some(&meeting), Some(&moved), CLARA).len(), 2);
    let forced = with(&answered(&meeting, ANNA, "ACCEPTED"), "CN=Ben", "CN=Ben;SCHEDULE-FORCE-SEND=REQUEST");
    let people: Vec<_> =
        to_attendees(Some(&meeting), Some(&forced), CLARA).into_iter().map(|m| m.recipient).collect();
    assert_eq!(people, [BEN]);
}

#[test]
fn who_is_left_out_is_told() {
    let meeting = calendar(&[SERIES]);
    let mut without = meeting.clone();
    without.components[0].properties.retain(|line| !(line.is("ATTENDEE") && people::is(line, BEN)));
    let sent = to_attendees(Some(&meeting), Some(&without), CLARA);
    let bens = to(&sent, BEN);
    assert_eq!(bens.len(), 1);
    assert_eq!(bens[0].method, Method::Cancel);
    assert!(
        bens[0].calendar.to_string().contains("SEQUENCE:2\r\nSUMMARY")
            || bens[0].calendar.to_string().contains("SEQUENCE:2")
    );
    assert_eq!(to(&sent, ANNA)[0].method, Method::Request, "who else comes is news");
    let gone = to_attendees(Some(&meeting), None, CLARA);
    assert!(gone.len() == 2 && gone.iter().all(|message| message.method == Method::Cancel));
    let off = with(&meeting, "SEQUENCE:1", "SEQUENCE:2\r\nSTATUS:CANCELLED");
    let gone = to_attendees(Some(&meeting), Some(&off), CLARA);
    assert!(gone.len() == 2 && gone.iter().all(|message| message.method == Method::Cancel), "{gone:?}");
    // It has been called off: deleting it is nothing new.
    assert_eq!(to_attendees(Some(&off), None, CLARA), []);
}

#[test]
fn of_a_series_each_sees_what_is_theirs() {
    // Ben does not come to the moved one, Dora only to that.
    let moved = format!("{MOVED}ATTENDEE:mailto:dora@example.net\n");
    let meeting = calendar(&[SERIES, &moved]);
    let sent = to_attendees(None, Some(&meeting), CLARA);
    let text = |who| to(&sent, who).first().map(|message| message.calendar.to_string()).unwrap_or_default();
    assert!(text(ANNA).contains("RRULE") && text(ANNA).contains("RECURRENCE-ID"));
    assert!(text(BEN).contains("EXDATE;TZID=Europe/Berlin:20260309T090000\r\n"), "{}", text(BEN));
    assert!(!text(BEN).contains("RECURRENCE-ID"));
    assert!(
        !text("dora@example.net").contains("RRULE") && text("dora@example.net").contains("RECURRENCE-ID")
    );
    // The moved one is gone: Dora has nothing any more.
    let excluded = calendar(&[&format!("{SERIES}EXDATE;TZID=Europe/Berlin:20260309T090000\n")]);
    let sent = to_attendees(Some(&meeting), Some(&excluded), CLARA);
    let doras = to(&sent, "dora@example.net");
    assert_eq!((doras.len(), doras[0].method), (1, Method::Cancel));
    assert!(doras[0].calendar.to_string().contains("RECURRENCE-ID"));
    // For Ben it was gone before.
    assert_eq!(to(&sent, BEN), Vec::<&Itip>::new());
    // Of two instances that Dora was asked to, one goes.
    let other = moved.replace("20260309T090000", "20260316T090000").replace("20260310", "20260317");
    let two = calendar(&[SERIES, &moved, &other]);
    let sent = to_attendees(Some(&two), Some(&meeting), CLARA);
    let methods: Vec<_> = to(&sent, "dora@example.net").iter().map(|message| message.method).collect();
    assert_eq!(methods, [Method::Cancel, Method::Request]);
}

#[test]
fn a_meeting_from_both_ends() {
    let claras = calendar(&[SERIES]);
    let sent = to_attendees(None, Some(&claras), CLARA);
    let annas = stored(apply(None, &to(&sent, ANNA)[0].calendar, ANNA));
    assert_eq!(Method::of(&annas), None);
    assert!(apply(None, &claras, ANNA).is_err(), "no METHOD");

    // She puts a reminder of her own and accepts.
    let mut accepted = answered(&annas, ANNA, "ACCEPTED");
    accepted.components[0]
        .components
        .push(parse("BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT1M\nEND:VALARM\n"));
    let reply = to_organizer(&annas, Some(&accepted), ANNA).expect("a reply");
    assert_eq!((reply.method, reply.recipient.as_str()), (Method::Reply, CLARA));
    assert_eq!(reply.calendar.to_string().matches("ATTENDEE").count(), 1, "only her own answer");
    assert!(!reply.calendar.to_string().contains("VALARM"));
    assert_eq!(to_organizer(&accepted, Some(&accepted), ANNA), None, "nothing new");
    let claras = stored(apply(Some(&claras), &reply.calendar, CLARA));
    assert_eq!(answer_of(&claras.components[0], ANNA), "ACCEPTED");
    assert_eq!(answer_of(&claras.components[0], BEN), "NEEDS-ACTION");
    assert!(claras.to_string().contains("SCHEDULE-STATUS=2.0"));
    assert_eq!(apply(Some(&claras), &reply.calendar, CLARA), Ok(Applied::Ignored(Ignored::Stale)), "twice");

    // She declines one instance.
    let mut declined = accepted.clone();
    let id = Property::new("RECURRENCE-ID", "20260316T090000").with_parameter("TZID", "Europe/Berlin");
    let one = instances::detached(&declined.components[0], &id);
    assert!(one.to_string().contains("DTSTART;TZID=Europe/Berlin:20260316T090000\r\n"), "{one}");
    assert!(one.to_string().contains("DTEND;TZID=Europe/Berlin:20260316T100000\r\n"), "{one}");
    declined.components.push(
        answered(&Component { components: vec![one], ..Component::new("VCALENDAR") }, ANNA, "DECLINED")
            .components
            .remove(0),
    );
    let reply = to_organizer(&accepted, Some(&declined), ANNA).expect("a reply");
    assert_eq!(parts_of(&reply.calendar), 1);
    let claras = stored(apply(Some(&claras), &reply.calendar, CLARA));
    assert_eq!(parts_of(&claras), 2);
    let instance =
        claras.components.iter().find(|part| part.property("RECURRENCE-ID").is_some()).expect("one");
    assert_eq!(answer_of(instance, ANNA), "DECLINED");
    assert_eq!(answer_of(&claras.components[0], ANNA), "ACCEPTED");
    // An instance that the series does not have is none.
    let elsewhere = with(&reply.calendar, "20260316T090000", "20260317T090000");
    assert_eq!(apply(Some(&claras), &elsewhere, CLARA), Ok(Applied::Ignored(Ignored::Unknown)));

    // Clara moves the series; Anna is asked again, her reminder stays, and an old request changes nothing.
    let later = with(
        &with(&claras, "SEQUENCE:1", "SEQUENCE:3"),
        "DTSTART;TZID=Europe/Berlin:20260302T090000",
        "DTSTART;TZID=Europe/Berlin:20260302T093000",
    );
    let later = answered(&later, ANNA, "NEEDS-ACTION");
    let sent_later = to_attendees(Some(&claras), Some(&later), CLARA);
    let annas = stored(apply(Some(&declined), &to(&sent_later, ANNA)[0].calendar, ANNA));
    let master = annas.components.iter().find(|part| part.property("RRULE").is_some()).expect("the series");
    assert_eq!(answer_of(master, ANNA), "NEEDS-ACTION");
    assert_eq!(master.components.len(), 1, "her reminder");
    assert_eq!(apply(Some(&annas), &to(&sent, ANNA)[0].calendar, ANNA), Ok(Applied::Ignored(Ignored::Stale)));

    // It is called off.
    let gone = to_attendees(Some(&later), None, CLARA);
    let annas = stored(apply(Some(&annas), &to(&gone, ANNA)[0].calendar, ANNA));
    assert!(annas.components.iter().all(|part| part.to_string().contains("STATUS:CANCELLED")), "{annas}");
}

fn parts_of(calendar: &Component) -> usize {
    people::parts(calendar).count()
}

#[test]
fn one_instance_is_moved_and_one_called_off() {
    let annas = calendar(&[SERIES]);
    let mut update = calendar(&[MOVED]);
    update.set(Property::new("METHOD", "REQUEST"));
    let after = stored(apply(Some(&annas), &update, ANNA));
    assert_eq!(parts_of(&after), 2);
    let mut cancel =
        calendar(&["RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nSEQUENCE:3\nSTATUS:CANCELLED\n"]);
    cancel.set(Property::new("METHOD", "CANCEL"));
    let after = stored(apply(Some(&after), &cancel, ANNA));
    assert!(after.to_string().contains("EXDATE;TZID=Europe/Berlin:20260323T090000\r\n"), "{after}");
    assert_eq!(parts_of(&after), 2);
    // The moved one, by what it was.
    let cancel = with(&cancel, "20260323T090000", "20260309T090000");
    let after = stored(apply(Some(&after), &cancel, ANNA));
    assert_eq!(parts_of(&after), 1, "{after}");
    // Whoever was asked to one instance alone keeps it, called off.
    let alone = calendar(&[MOVED]);
    let after = stored(apply(Some(&alone), &cancel, ANNA));
    assert!(after.to_string().contains("STATUS:CANCELLED"), "{after}");
}

#[test]
fn whoever_says_what_is_not_theirs_is_not_heard() {
    let claras = calendar(&[SERIES]);
    let mut request = claras.clone();
    request.set(Property::new("METHOD", "REQUEST"));
    assert_eq!(apply(Some(&claras), &request, CLARA), Ok(Applied::Ignored(Ignored::WrongRole)));
    let mut cancel = claras.clone();
    cancel.set(Property::new("METHOD", "CANCEL"));
    assert_eq!(apply(Some(&claras), &cancel, CLARA), Ok(Applied::Ignored(Ignored::WrongRole)));
    let mut reply = calendar(&["SEQUENCE:1\nATTENDEE;PARTSTAT=ACCEPTED:mailto:eve@example.net\n"]);
    reply.set(Property::new("METHOD", "REPLY"));
    assert_eq!(apply(Some(&claras), &reply, CLARA), Ok(Applied::Ignored(Ignored::NotAsked)));
    assert_eq!(apply(Some(&claras), &reply, ANNA), Ok(Applied::Ignored(Ignored::WrongRole)));
    assert_eq!(apply(None, &reply, CLARA), Ok(Applied::Ignored(Ignored::Unknown)));
    let late = with(&reply, "SEQUENCE:1", "SEQUENCE:0");
    let late = with(&late, "eve@example.net", "anna@example.org");
    assert_eq!(apply(Some(&claras), &late, CLARA), Ok(Applied::Ignored(Ignored::Stale)));
    let counter = with(&reply, "METHOD:REPLY", "METHOD:COUNTER");
    assert_eq!(apply(Some(&claras), &counter, CLARA), Ok(Applied::Asked));
    let refresh = with(&reply, "METHOD:REPLY", "METHOD:REFRESH");
    assert_eq!(apply(Some(&claras), &refresh, CLARA), Ok(Applied::Resend));
    let eves = with(&request, "mailto:clara@example.org", "mailto:eve@example.net");
    assert_eq!(apply(Some(&calendar(&[SERIES])), &eves, ANNA), Ok(Applied::Ignored(Ignored::WrongRole)));
    let mut two = request.clone();
    let mut other = claras.components[0].clone();
    other.set(Property::new("UID", "m2"));
    two.components.push(other);
    assert_eq!(apply(None, &two, ANNA), Err(ItipError::Object));
}

#[test]
fn deleting_an_invitation_declines_it() {
    let annas = calendar(&[SERIES]);
    let reply = to_organizer(&annas, None, ANNA).expect("a reply");
    assert!(reply.calendar.to_string().contains("PARTSTAT=DECLINED"));
    let declined = answered(&annas, ANNA, "DECLINED");
    assert_eq!(to_organizer(&declined, None, ANNA), None);
    let off = with(&annas, "SEQUENCE:1", "SEQUENCE:1\r\nSTATUS:CANCELLED");
    assert_eq!(to_organizer(&off, None, ANNA), None);
    assert_eq!(to_organizer(&annas, None, CLARA), None, "the organizer answers nobody");
    let own = with(&annas, "ORGANIZER;CN=Clara", "ORGANIZER;SCHEDULE-AGENT=NONE");
    assert_eq!(to_organizer(&own, None, ANNA), None);
}

#[test]
fn an_instance_that_is_taken_out_is_declined() {
    let annas = answered(&calendar(&[SERIES]), ANNA, "ACCEPTED");
    let without = with(&annas, "SEQUENCE:1", "SEQUENCE:1\r\nEXDATE;TZID=Europe/Berlin:20260309T090000");
    let reply = to_organizer(&annas, Some(&without), ANNA).expect("a reply");
    let text = reply.calendar.to_string();
    assert!(
        text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000") && text.contains("DECLINED"),
        "{text}"
    );
    assert_eq!(parts_of(&reply.calendar), 1);
    assert_eq!(to_organizer(&without, Some(&without), ANNA), None);
    let claras = stored(apply(Some(&calendar(&[SERIES])), &reply.calendar, CLARA));
    assert_eq!(parts_of(&claras), 2);
}

#[test]
fn attendees_change_what_is_theirs() {
    let annas = calendar(&[SERIES]);
    let fine = [
        answered(&annas, ANNA, "ACCEPTED"),
        with(&annas, "SEQUENCE:1", "SEQUENCE:1\r\nTRANSP:TRANSPARENT\r\nX-MOZ-GENERATION:2"),
        with(&annas, "SEQUENCE:1", "SEQUENCE:1\r\nEXDATE;TZID=Europe/Berlin:20260309T090000"),
        with(&annas, "RRULE:FREQ=WEEKLY;COUNT=5", "RRULE:COUNT=5;FREQ=WEEKLY;INTERVAL=1"),
        with(&annas, "CN=Ben:MAILTO:Ben@Example.org", "CN=B:mailto:ben@example.org"),
    ];
    for change in &fine {
        assert_eq!(forbidden_to_attendee(&annas, change, ANNA), None, "{change}");
    }
    for change in [
        with(
            &annas,
            "DTSTART;TZID=Europe/Berlin:20260302T090000",
            "DTSTART;TZID=Europe/Berlin:20260302T080000",
        ),
        with(&annas, "SUMMARY:Plan", "SUMMARY:Mine"),
        with(&annas, "COUNT=5", "COUNT=6"),
        with(&annas, "mailto:clara@example.org", "mailto:anna@example.org"),
        with(&annas, "SEQUENCE:1", "SEQUENCE:1\r\nATTENDEE:mailto:eve@example.org"),
        calendar(&[MOVED]),
    ] {
        assert!(forbidden_to_attendee(&annas, &change, ANNA).is_some(), "{change}");
    }
    // An answer of its own to one instance, at its time; and not at another one.
    let id = Property::new("RECURRENCE-ID", "20260316T090000").with_parameter("TZID", "Europe/Berlin");
    let mut one = annas.clone();
    one.components.push(instances::detached(&annas.components[0], &id));
    assert_eq!(forbidden_to_attendee(&annas, &one, ANNA), None);
    assert!(forbidden_to_attendee(&annas, &calendar(&[SERIES, MOVED]), ANNA).is_some());
}

#[test]
fn whoever_agreed_to_another_time_is_asked_again() {
    let before = answered(&answered(&calendar(&[SERIES]), ANNA, "ACCEPTED"), BEN, "DECLINED");
    let asked = |mut after: Component| {
        ask_again(&before, &mut after, CLARA);
        let answers = |part: &Component| [CLARA, ANNA, BEN].map(|who| answer_of(part, who));
        after.components.iter().map(answers).collect::<Vec<_>>()
    };
    let (open, given) = (
        ["ACCEPTED", "NEEDS-ACTION", "NEEDS-ACTION"].map(str::to_owned),
        ["ACCEPTED", "ACCEPTED", "DECLINED"].map(str::to_owned),
    );
    assert_eq!(asked(before.clone()), std::slice::from_ref(&given));
    assert_eq!(asked(with(&before, "SUMMARY:Plan", "SUMMARY:Plans")), std::slice::from_ref(&given));
    assert_eq!(asked(with(&before, "COUNT=5", "COUNT=6")), std::slice::from_ref(&open));
    assert_eq!(asked(with(&before, "20260302T090000", "20260302T080000")), std::slice::from_ref(&open));
    // One instance at another time, and one where the series has it.
    let mut after = before.clone();
    for (id, start) in [("20260309T090000", "20260309T093000"), ("20260316T090000", "20260316T090000")] {
        let mut part = before.components[0].clone();
        part.remove("RRULE");
        part.set(Property::new("RECURRENCE-ID", id).with_parameter("TZID", "Europe/Berlin"));
        part.set(Property::new("DTSTART", start).with_parameter("TZID", "Europe/Berlin"));
        part.set(Property::new("DTEND", start.replace("T09", "T10")).with_parameter("TZID", "Europe/Berlin"));
        after.components.push(part);
    }
    assert_eq!(asked(after), [given.clone(), open, given]);
}

#[test]
fn an_answer_to_one_of_all_that_were_moved_keeps_its_time() {
    let later = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260309T090000\n\
        DTSTART;TZID=Europe/Berlin:20260309T150000\nDTEND;TZID=Europe/Berlin:20260309T160000\nSUMMARY:Plan\nSEQUENCE:1\n\
        ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\n";
    let claras = calendar(&[SERIES, later]);
    for (day, time) in [("09", "20260309T150000"), ("23", "20260323T150000")] {
        let reply = format!(
            "RECURRENCE-ID;TZID=Europe/Berlin:202603{day}T090000\nSEQUENCE:1\n\
             ATTENDEE;PARTSTAT=DECLINED:mailto:anna@example.org\n"
        );
        let mut reply = calendar(&[&reply]);
        reply.set(Property::new("METHOD", "REPLY"));
        let noted = stored(apply(Some(&claras), &reply, CLARA));
        assert_eq!(noted.components.len(), 3, "{noted}");
        let one = &noted.components[2];
        assert_eq!(one.property("DTSTART").map(|line| line.value.as_str()), Some(time));
        assert_eq!(answer_of(one, ANNA), "DECLINED");
        assert_eq!(answer_of(&noted.components[1], ANNA), "NEEDS-ACTION");
    }
}

#[test]
fn one_of_all_that_were_moved_is_answered_from_the_attendees_copy() {
    let later = "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260309T090000\n\
        DTSTART;TZID=Europe/Berlin:20260309T150000\nDTEND;TZID=Europe/Berlin:20260309T160000\nSUMMARY:Plan\nSEQUENCE:1\n\
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.org\n";
    let claras = calendar(&[SERIES, later]);
    for day in ["09", "16"] {
        // The same instance at the time that it has now, and at the one that it would have had.
        let one = |hour: u32, answer: &str| {
            format!(
                "RECURRENCE-ID;TZID=Europe/Berlin:202603{day}T090000\nDTSTART;TZID=Europe/Berlin:202603{day}T{hour:02}0000\n\
                 DTEND;TZID=Europe/Berlin:202603{day}T{:02}0000\nSUMMARY:Plan\nSEQUENCE:1\n\
                 ATTENDEE;PARTSTAT={answer}:mailto:anna@example.org\n",
                hour + 1
            )
        };
        let annas = |hour, answer| calendar(&[SERIES, later, &one(hour, answer)]);
        assert_eq!(forbidden_to_attendee(&claras, &annas(15, "DECLINED"), ANNA), None);
        assert!(forbidden_to_attendee(&claras, &annas(9, "DECLINED"), ANNA).is_some());
        // As she has answered all of them is no news.
        assert!(to_organizer(&claras, Some(&annas(15, "ACCEPTED")), ANNA).is_none());
        let told = to_organizer(&claras, Some(&annas(15, "DECLINED")), ANNA).expect("news");
        assert_eq!(told.calendar.components.len(), 1, "{}", told.calendar);
        let noted = stored(apply(Some(&claras), &told.calendar, CLARA));
        let answers: Vec<String> = noted.components.iter().map(|part| answer_of(part, ANNA)).collect();
        assert_eq!(answers, ["NEEDS-ACTION", "ACCEPTED", "DECLINED"]);
        // The organizer's next word about that one is about no other.
        let next = with(&calendar(&[&one(16, "NEEDS-ACTION")]), "SEQUENCE:1", "SEQUENCE:2");
        let mut next = with(&next, "PRODID", "METHOD:REQUEST\r\nPRODID");
        next.components[0].set(Property::new("DTSTAMP", "20260102T000000Z"));
        let hers = stored(apply(Some(&annas(15, "DECLINED")), &next, ANNA));
        assert_eq!(hers.components.len(), 3, "{hers}");
        assert_eq!(answer_of(&hers.components[1], ANNA), "ACCEPTED");
        assert_eq!(answer_of(&hers.components[2], ANNA), "NEEDS-ACTION", "it is at another time");
    }
}

#[test]
fn a_series_ends_before_an_instance() {
    let moved = "RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nDTSTART;TZID=Europe/Berlin:20260324T090000\n\
        DTEND;TZID=Europe/Berlin:20260324T100000\nSUMMARY:Plan\nSEQUENCE:1\nATTENDEE:mailto:anna@example.org\n";
    let annas = calendar(&[SERIES, MOVED, moved]);
    let annas = with(&annas, "RRULE", "RDATE;TZID=Europe/Berlin:20260303T090000,20260501T090000\r\nRRULE");
    let cancel = |from: &str| {
        let part = format!(
            "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:{from}T090000\nSEQUENCE:3\nATTENDEE:mailto:anna@example.org\n"
        );
        let mut message = calendar(&[&part]);
        message.set(Property::new("METHOD", "CANCEL"));
        stored(apply(Some(&annas), &message, ANNA))
    };
    let ended = cancel("20260316");
    let line =
        |name: &str| ended.components[0].property(name).map(|line| line.value.clone()).unwrap_or_default();
    // 2026-03-16 at nine in Berlin is eight in UTC.
    assert_eq!(line("RRULE"), "FREQ=WEEKLY;UNTIL=20260316T075959Z");
    assert_eq!((line("RDATE").as_str(), line("SEQUENCE").as_str()), ("20260303T090000", "3"));
    assert_eq!(ended.components.len(), 2, "only what was before it: {ended}");
    assert!(!ended.to_string().contains("CANCELLED"));
    // From the first one on, it is all.
    let all = cancel("20260302");
    assert!(is_called_off(&all) && all.components.len() == 3, "{all}");
}

#[test]
fn an_invitation_is_passed_on() {
    let meeting = calendar(&[SERIES]);
    let line = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:anna@example.org";
    let delegated = "ATTENDEE;PARTSTAT=DELEGATED;ROLE=CHAIR;DELEGATED-TO=\"mailto:dora@far.example\":mailto:anna@example.org";
    let annas = with(&meeting, line, delegated);
    assert_eq!(forbidden_to_attendee(&meeting, &annas, ANNA), None);
    let told = to_organizer(&meeting, Some(&annas), ANNA).expect("news");
    let noted = stored(apply(Some(&meeting), &told.calendar, CLARA));
    let dora = people::attendee(&noted.components[0], "dora@far.example").expect("Dora is asked");
    assert_eq!(
        (dora.parameter("DELEGATED-FROM"), dora.parameter("PARTSTAT")),
        (Some("mailto:anna@example.org"), Some("NEEDS-ACTION"))
    );
    let invited = to_new_attendees(&meeting, &noted, CLARA);
    assert_eq!(
        invited.iter().map(|message| message.recipient.as_str()).collect::<Vec<_>>(),
        ["dora@far.example"]
    );
    assert_eq!(invited[0].method, Method::Request);
    // Said again it is no news; whoever is there already, and the organizer, are not brought.
    assert_eq!(apply(Some(&noted), &told.calendar, CLARA), Ok(Applied::Ignored(Ignored::Stale)));
    // Not without end, and not from hand to hand.
    let crowd: Vec<String> = (0..9).map(|number| format!("\"mailto:d{number}@far.example\"")).collect();
    let many = with(&annas, "\"mailto:dora@far.example\"", &crowd.join(","));
    let told = to_organizer(&meeting, Some(&many), ANNA).expect("news");
    let crowded = stored(apply(Some(&noted), &told.calendar, CLARA));
    assert_eq!(crowded.components[0].properties_named("ATTENDEE").count(), 3 + 4);
    let hers = with(
        &noted,
        "ATTENDEE;DELEGATED-FROM=\"mailto:anna@example.org\";PARTSTAT=NEEDS-ACTION",
        "ATTENDEE;DELEGATED-FROM=\"mailto:anna@example.org\";DELEGATED-TO=\"mailto:eve@far.example\";PARTSTAT=DELEGATED",
    );
    let told = to_organizer(&noted, Some(&hers), "dora@far.example").expect("news");
    let on = stored(apply(Some(&noted), &told.calendar, CLARA));
    assert_eq!(on.components[0].properties_named("ATTENDEE").count(), 4);
    for who in [BEN, CLARA] {
        let annas = with(&annas, "dora@far.example", who);
        let told = to_organizer(&meeting, Some(&annas), ANNA).expect("news");
        let noted = stored(apply(Some(&meeting), &told.calendar, CLARA));
        assert!(to_new_attendees(&meeting, &noted, CLARA).is_empty());
        assert_eq!(noted.components[0].properties_named("ATTENDEE").count(), 3);
    }
}

#[test]
fn what_somebody_is_in_a_meeting() {
    let meeting = calendar(&[SERIES]);
    let role_of = |who: &str| role(&meeting, |address| address == who);
    assert_eq!(role_of(CLARA), Some(Role::Organizer(CLARA.to_owned())));
    assert_eq!(role_of(BEN), Some(Role::Attendee(BEN.to_owned())));
    assert_eq!(role_of("eve@example.net"), None);
    assert!(has_one_organizer(&meeting));
    let mut two = calendar(&[SERIES, MOVED]);
    assert!(has_one_organizer(&two));
    two.components[1].set(Property::new("ORGANIZER", "mailto:eve@example.net"));
    assert!(!has_one_organizer(&two));
}

#[test]
fn tags_do_not_move_when_others_answer() {
    let meeting = calendar(&[SERIES]);
    let tag = |calendar: &Component, owner| tagged(calendar, owner).expect("a meeting");
    let ben = answered(&meeting, BEN, "ACCEPTED");
    assert_eq!(tag(&meeting, CLARA), tag(&ben, CLARA));
    assert_eq!(tag(&meeting, ANNA), tag(&ben, ANNA));
    assert_ne!(tag(&meeting, BEN), tag(&ben, BEN));
    assert_ne!(tag(&meeting, CLARA), tag(&with(&meeting, "SUMMARY:Plan", "SUMMARY:Other"), CLARA));
    // A change from before the answer keeps it, unless the time is another one.
    let mut change = with(&meeting, "SUMMARY:Plan", "SUMMARY:Other");
    keep_answers(&ben, &mut change, CLARA);
    assert_eq!(answer_of(&change.components[0], BEN), "ACCEPTED");
    let mut moved = with(&meeting, "20260302T090000", "20260302T080000");
    keep_answers(&ben, &mut moved, CLARA);
    assert_eq!(answer_of(&moved.components[0], BEN), "NEEDS-ACTION");
}

proptest! {
    /// Whatever two copies are, telling and applying ends, and what is applied is a calendar again.
    #[test]
    fn any_two_copies_can_be_compared(
        first in prop::collection::vec(prop::sample::select(vec![SERIES, MOVED, "SUMMARY:x\n", "RECURRENCE-ID:20260101\n"]), 1..4),
        second in prop::collection::vec(prop::sample::select(vec![SERIES, MOVED, "DTSTART:2026\nATTENDEE:x\n", "STATUS:CANCELLED\n"]), 1..4),
    ) {
        let (first, second) = (calendar(&first), calendar(&second));
        for who in [CLARA, ANNA, "x", ""] {
            let mut sent = to_attendees(Some(&first), Some(&second), who);
            sent.extend(to_organizer(&first, Some(&second), who));
            sent.extend(to_organizer(&first, None, who));
            for message in sent {
                for owner in [CLARA, ANNA, BEN] {
                    let mut changed = second.clone();
                    keep_answers(&first, &mut changed, owner);
                    drop((tagged(&changed, owner), forbidden_to_attendee(&first, &second, owner)));
                    if let Ok(Applied::Stored(copy)) = apply(Some(&first), &message.calendar, owner) {
                        prop_assert_eq!(Method::of(&copy), None);
                        prop_assert!(copy.components.iter().any(people::is_part));
                    }
                }
            }
        }
    }
}

//! Messages about meetings: iTIP to message objects and back (MS-OXCICAL 2.1.3.1.1.1, MS-OXOCAL 2.2.4 to 2.2.9).
//!
//! A request has what the meeting has, and says how busy its organizer wants one to be; until it is answered the time is
//! tentative. An answer says who answers and when. A cancellation gives the time back. Unlike items, these objects keep no
//! iCalendar beside them: the mail that they came as is kept itself.

use super::people::{
    self, CANCELED, MEETING, NOT_RESPONDED, ORGANIZED, RECEIVED, is_organizer, of_person, person,
};
use super::{Context, KEPT_ICALENDAR, KEPT_OWNER, KEPT_ZONE, fields, from_icalendar, made};
use crate::class::MessageClass;
use crate::icalendar::{Component, ObjectError, Property};
use crate::message::{Message, Recipient, RecipientKind};
use crate::property::{FileTime, named, tags};
use crate::scheduling::Method;
use crate::time_zone::{CalendarZones, clock};

/// The kind of message that an iTIP message with this answer in it is; `None` where it is only a mail.
pub(crate) fn class_of(method: Method, answer: &str) -> Option<MessageClass> {
    let of_answer = || {
        let answers: [(&[&str], MessageClass); 3] = [
            (&["ACCEPTED", "COMPLETED", "IN-PROCESS"], MessageClass::MEETING_ACCEPTED),
            (&["DECLINED"], MessageClass::MEETING_DECLINED),
            (&["TENTATIVE", "DELEGATED"], MessageClass::MEETING_TENTATIVE),
        ];
        let is_it = |words: &[&str]| words.iter().any(|word| answer.trim().eq_ignore_ascii_case(word));
        answers.into_iter().find(|(words, _)| is_it(words)).map(|(_, class)| class)
    };
    match method {
        Method::Request | Method::Add => Some(MessageClass::MEETING_REQUEST),
        Method::Cancel => Some(MessageClass::MEETING_CANCELED),
        // Another time is an answer with a proposal (MS-OXOCAL 2.2.7.3).
        Method::Counter => Some(MessageClass::MEETING_TENTATIVE),
        Method::Reply => of_answer(),
        Method::Publish | Method::Refresh | Method::DeclineCounter => None,
    }
}

/// The message object that an iTIP message about an event is.
///
/// # Errors
/// [`ObjectError`] where it is about no event, or is of a method that no message object has.
pub fn from_itip(calendar: &Component, context: &Context) -> Result<Message, ObjectError> {
    let method = Method::of(calendar).ok_or(ObjectError::Resource("no METHOD that is known"))?;
    let mut plain = calendar.clone();
    plain.remove("METHOD");
    let mut message = from_icalendar(&plain, context)?;
    let event = plain.component("VEVENT").ok_or(ObjectError::Component)?;
    let attendee = event.property("ATTENDEE");
    let answer = attendee.and_then(|line| line.parameter("PARTSTAT")).unwrap_or_default();
    message.class = class_of(method, answer).ok_or(ObjectError::Component)?;
    let bag = &mut message.properties;
    for kept in [KEPT_ICALENDAR, KEPT_ZONE, KEPT_OWNER] {
        bag.remove(kept);
    }
    if let Some(location) = bag.string(named::LOCATION).map(str::to_owned) {
        bag.set(named::WHERE, location);
    }
    let (mut flags, mut meeting_type) = (MEETING | RECEIVED, MEETING_EMPTY);
    match method {
        Method::Request | Method::Add => {
            let busy = bag.integer32(named::BUSY_STATUS).unwrap_or(BUSY);
            let intended =
                event.text("X-MICROSOFT-CDO-INTENDEDSTATUS").and_then(|said| fields::busy_status(&said));
            bag.set(named::INTENDED_BUSY_STATUS, intended.unwrap_or(busy));
            bag.set(named::BUSY_STATUS, busy.min(TENTATIVE));
            bag.set(named::RESPONSE_STATUS, NOT_RESPONDED);
            let is_first = bag.integer32(named::APPOINTMENT_SEQUENCE).unwrap_or(0) == 0;
            meeting_type = if is_first { MEETING_FIRST } else { MEETING_FULL };
            message.recipients.retain(|recipient| !is_organizer(recipient));
        }
        Method::Cancel => {
            flags |= CANCELED;
            bag.set(named::INTENDED_BUSY_STATUS, FREE);
            bag.set(named::BUSY_STATUS, FREE);
            bag.set(named::RESPONSE_STATUS, NOT_RESPONDED);
            message.recipients.retain(|recipient| !is_organizer(recipient));
        }
        _ => {
            let status =
                RESPONSES.iter().find(|(class, _)| *class == message.class).map_or(0, |(_, status)| *status);
            bag.set(named::RESPONSE_STATUS, status);
            // When somebody answered, not when the organizer changed it.
            if let Some(stamp) = bag.get(named::OWNER_CRITICAL_CHANGE).cloned() {
                bag.remove(named::OWNER_CRITICAL_CHANGE);
                bag.set(named::ATTENDEE_CRITICAL_CHANGE, stamp);
            }
            if method == Method::Counter {
                propose(event, &plain, context, &mut message);
            }
            let organizer = event.property("ORGANIZER").map(person);
            message.recipients =
                organizer.map(|who| Recipient::new(RecipientKind::To, who)).into_iter().collect();
            if let Some(who) = attendee.map(person) {
                message.set_sender(&who);
                message.set_from(&who);
            }
        }
    }
    let bag = &mut message.properties;
    bag.set(named::APPOINTMENT_STATE_FLAGS, flags);
    bag.set(named::MEETING_TYPE, meeting_type);
    let icon = ICONS.iter().find(|(class, _)| *class == message.class).map(|(_, icon)| *icon);
    if let Some(icon) = icon {
        bag.set(tags::ICON_INDEX, icon);
    }
    message.derive();
    Ok(message)
}

/// Another time (MS-OXOCAL 2.2.7.3): what is proposed is said beside what is.
fn propose(event: &Component, calendar: &Component, context: &Context, message: &mut Message) {
    let zones = CalendarZones::of(calendar, context.zone.clone());
    let bag = &mut message.properties;
    bag.set(named::APPOINTMENT_COUNTER_PROPOSAL, true);
    for (now, proposed, original) in [
        (named::APPOINTMENT_START_WHOLE, named::APPOINTMENT_PROPOSED_START_WHOLE, "X-MS-OLK-ORIGINALSTART"),
        (named::APPOINTMENT_END_WHOLE, named::APPOINTMENT_PROPOSED_END_WHOLE, "X-MS-OLK-ORIGINALEND"),
    ] {
        if let Some(time) = bag.time(now.clone()) {
            bag.set(proposed, time);
        }
        if let Some(unix) = fields::unix(event, original, &zones) {
            bag.set(now, FileTime::from_unix(unix));
        }
    }
    if let Some(minutes) = bag.integer32(named::APPOINTMENT_DURATION) {
        bag.set(named::APPOINTMENT_PROPOSED_DURATION, minutes);
    }
}

/// The iTIP message that a message object is; `None` where it is none about a meeting.
pub fn to_itip(message: &Message, context: &Context) -> Option<Component> {
    let bag = &message.properties;
    let is_proposal = bag.boolean(named::APPOINTMENT_COUNTER_PROPOSAL);
    let response = RESPONSES.iter().find(|(class, _)| message.class.is_a(class)).map(|(_, status)| *status);
    let method = match response {
        Some(_) if is_proposal => Method::Counter,
        Some(_) => Method::Reply,
        None if message.class.is_a(&MessageClass::MEETING_REQUEST) => Method::Request,
        None if message.class.is_a(&MessageClass::MEETING_CANCELED) => Method::Cancel,
        None => return None,
    };
    let mut plain = message.clone();
    plain.class = MessageClass::APPOINTMENT;
    let own = &mut plain.properties;
    // When it was saved is nobody's business; when it was said is.
    own.remove(tags::LAST_MODIFICATION_TIME);
    match method {
        Method::Request => {
            own.set(named::APPOINTMENT_STATE_FLAGS, MEETING);
            own.set(named::RESPONSE_STATUS, ORGANIZED);
            own.set(named::BUSY_STATUS, bag.integer32(named::INTENDED_BUSY_STATUS).unwrap_or(BUSY));
        }
        Method::Cancel => own.set(named::APPOINTMENT_STATE_FLAGS, MEETING | CANCELED).map_or((), drop),
        _ => {
            own.set(named::APPOINTMENT_STATE_FLAGS, 0);
            if let Some(stamp) = bag.get(named::ATTENDEE_CRITICAL_CHANGE).cloned() {
                own.set(named::OWNER_CRITICAL_CHANGE, stamp);
            }
        }
    }
    if is_proposal {
        for (now, proposed) in [
            (named::APPOINTMENT_START_WHOLE, named::APPOINTMENT_PROPOSED_START_WHOLE),
            (named::APPOINTMENT_END_WHOLE, named::APPOINTMENT_PROPOSED_END_WHOLE),
        ] {
            if let Some(time) = bag.time(proposed) {
                own.set(now, time);
            }
        }
    }
    let mut calendar = made(&plain, context);
    calendar.push(Property::new("METHOD", method.as_str()));
    if let Some(status) = response {
        for event in calendar.components.iter_mut().filter(|part| part.is("VEVENT")) {
            answer(event, message, status, is_proposal);
        }
    }
    Some(calendar)
}

/// What an answer says instead of what a meeting says.
fn answer(event: &mut Component, message: &Message, status: i32, is_proposal: bool) {
    for name in ["ORGANIZER", "ATTENDEE", "TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "STATUS"] {
        event.remove(name);
    }
    let organizer = message.recipients.iter().find(|recipient| recipient.kind == RecipientKind::To);
    if let Some(organizer) = organizer {
        event.push(of_person("ORGANIZER", &organizer.person));
    }
    if let Some(who) = message.from() {
        let word = people::RESPONSES.iter().find(|(known, _)| *known == status).map(|(_, word)| *word);
        event.push(of_person("ATTENDEE", &who).with_parameter("PARTSTAT", word.unwrap_or("NEEDS-ACTION")));
    }
    if is_proposal {
        let originals = [
            ("X-MS-OLK-ORIGINALSTART", named::APPOINTMENT_START_WHOLE),
            ("X-MS-OLK-ORIGINALEND", named::APPOINTMENT_END_WHOLE),
        ];
        for (name, property) in originals {
            if let Some(time) = message.properties.time(property) {
                let time = crate::icalendar::value::CalendarTime::Utc(clock(time.to_unix()));
                event.push(Property::with_time(name, &time));
            }
        }
    }
}

/// With PidLidResponseStatus (MS-OXOCAL 2.2.1.11).
const RESPONSES: [(MessageClass, i32); 3] = [
    (MessageClass::MEETING_TENTATIVE, 2),
    (MessageClass::MEETING_ACCEPTED, 3),
    (MessageClass::MEETING_DECLINED, 4),
];
/// PidTagIconIndex (MS-OXOCAL 2.2.1.49)
const ICONS: [(MessageClass, i32); 5] = [
    (MessageClass::MEETING_REQUEST, 0x404),
    (MessageClass::MEETING_ACCEPTED, 0x405),
    (MessageClass::MEETING_DECLINED, 0x406),
    (MessageClass::MEETING_TENTATIVE, 0x407),
    (MessageClass::MEETING_CANCELED, 0x408),
];
/// PidLidMeetingType (MS-OXOCAL 2.2.6.5)
const MEETING_EMPTY: i32 = 0;
const MEETING_FIRST: i32 = 1;
const MEETING_FULL: i32 = 0x1_0000;
/// PidLidBusyStatus (MS-OXOCAL 2.2.1.2)
const FREE: i32 = 0;
const TENTATIVE: i32 = 1;
const BUSY: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icalendar::Limits;
    use crate::recurrence::StoredRecurrence;
    use crate::scheduling::{Applied, Itip, apply, to_attendees, to_organizer};
    use crate::time_zone::TimeZone;

    const CLARA: &str = "clara@example.org";
    const ANNA: &str = "anna@example.org";

    fn context(owner: &str) -> Context {
        Context { owner: owner.to_owned(), zone: TimeZone::utc() }
    }

    fn parse(text: &str) -> Component {
        Component::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default()).expect("a calendar")
    }

    fn meeting() -> Component {
        let zone = TimeZone::iana("Europe/Berlin").expect("a zone").to_vtimezone("Europe/Berlin", 0);
        parse(&format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//t//EN\n{}BEGIN:VEVENT\nUID:m1\nDTSTAMP:20260101T000000Z\n\
             DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
             RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=MO\nSUMMARY:Plan\nLOCATION:Room 1\nSEQUENCE:0\n\
             ORGANIZER;CN=Clara:mailto:clara@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:clara@example.org\n\
             ATTENDEE;CN=Anna;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:anna@example.org\nEND:VEVENT\nEND:VCALENDAR\n",
            zone.to_string().replace("\r\n", "\n")
        ))
    }

    fn stored(outcome: Result<Applied, crate::scheduling::ItipError>) -> Component {
        match outcome {
            Ok(Applied::Stored(calendar)) => calendar,
            other => panic!("{other:?}"),
        }
    }

    /// By way of MAPI: what is left is what its properties say.
    fn through(message: &Itip, owner: &str) -> (Message, Component) {
        let object = from_itip(&message.calendar, &context(owner)).expect("a message");
        let again = to_itip(&object, &context(owner)).expect("iTIP");
        assert_eq!(Method::of(&again), Some(message.method));
        (object, again)
    }

    /// The moments of a meeting, and the answers.
    fn shape(calendar: &Component) -> Vec<String> {
        let zones = CalendarZones::of(calendar, TimeZone::utc());
        let mut all = Vec::new();
        for event in calendar.components.iter().filter(|part| part.is("VEVENT")) {
            for name in ["DTSTART", "DTEND", "RECURRENCE-ID"] {
                all.extend(fields::unix(event, name, &zones).map(|unix| format!("{name} {unix}")));
            }
            for name in ["UID", "RRULE", "SUMMARY", "LOCATION", "STATUS"] {
                all.extend(
                    event.text(name).filter(|text| text != "CONFIRMED").map(|text| format!("{name} {text}")),
                );
            }
            for line in event.properties_named("ATTENDEE") {
                all.push(format!(
                    "{} {}",
                    person(line).address,
                    line.parameter("PARTSTAT").unwrap_or_default()
                ));
            }
        }
        all.sort();
        all
    }

    #[test]
    fn a_request_an_answer_and_a_cancellation() {
        let claras = meeting();
        let request = to_attendees(None, Some(&claras), CLARA).remove(0);
        let (object, again) = through(&request, ANNA);
        let bag = &object.properties;
        assert_eq!(object.class, MessageClass::MEETING_REQUEST);
        assert_eq!(bag.integer32(named::MEETING_TYPE), Some(1));
        assert_eq!(bag.integer32(named::APPOINTMENT_STATE_FLAGS), Some(3));
        assert_eq!(bag.integer32(named::RESPONSE_STATUS), Some(5));
        assert_eq!(bag.integer32(named::BUSY_STATUS), Some(1), "tentative until it is answered");
        assert_eq!(bag.integer32(named::INTENDED_BUSY_STATUS), Some(2));
        assert_eq!(bag.integer32(tags::ICON_INDEX), Some(0x404));
        assert_eq!(bag.string(named::WHERE), Some("Room 1"));
        assert_eq!(object.from().expect("from").address, CLARA);
        assert_eq!(object.recipients.iter().map(|r| r.person.address.as_str()).collect::<Vec<_>>(), [ANNA]);
        let blob = bag.binary(named::APPOINTMENT_RECUR).expect("a recurrence");
        assert_eq!(StoredRecurrence::read(blob).expect("a recurrence").pattern.count, 5);
        let annas = stored(apply(None, &again, ANNA));
        let direct = stored(apply(None, &request.calendar, ANNA));
        // The organizer's own line is no recipient of a request.
        let theirs: Vec<String> =
            shape(&direct).into_iter().filter(|line| !line.starts_with(CLARA)).collect();
        assert_eq!(shape(&annas), theirs);

        // Anna accepts.
        let accepted = direct.to_string().replace("NEEDS-ACTION", "ACCEPTED");
        let accepted = Component::parse(accepted.as_bytes(), &Limits::default()).expect("a calendar");
        let reply = to_organizer(&direct, Some(&accepted), ANNA).expect("news");
        let (object, again) = through(&reply, CLARA);
        let bag = &object.properties;
        assert_eq!(object.class, MessageClass::MEETING_ACCEPTED);
        assert_eq!(
            (bag.integer32(named::RESPONSE_STATUS), bag.integer32(tags::ICON_INDEX)),
            (Some(3), Some(0x405))
        );
        assert!(
            bag.time(named::ATTENDEE_CRITICAL_CHANGE).is_some()
                && bag.time(named::OWNER_CRITICAL_CHANGE).is_none()
        );
        assert_eq!((object.from().expect("from").address.as_str(), object.recipients.len()), (ANNA, 1));
        let noted = stored(apply(Some(&claras), &again, CLARA));
        assert_eq!(shape(&noted), shape(&stored(apply(Some(&claras), &reply.calendar, CLARA))));
        assert!(shape(&noted).contains(&format!("{ANNA} ACCEPTED")));

        // It is called off.
        let cancel = to_attendees(Some(&claras), None, CLARA).remove(0);
        let (object, again) = through(&cancel, ANNA);
        let bag = &object.properties;
        assert_eq!(object.class, MessageClass::MEETING_CANCELED);
        assert_eq!(
            (bag.integer32(named::APPOINTMENT_STATE_FLAGS), bag.integer32(named::BUSY_STATUS)),
            (Some(7), Some(0))
        );
        let off = stored(apply(Some(&accepted), &again, ANNA));
        assert!(shape(&off).contains(&"STATUS CANCELLED".to_owned()));
    }

    #[test]
    fn an_update_is_full_and_an_instance_stays_one() {
        let claras = meeting();
        let text = claras.to_string().replace("SEQUENCE:0", "SEQUENCE:1").replace("T090000", "T080000");
        let later = Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar");
        let update = to_attendees(Some(&claras), Some(&later), CLARA).remove(0);
        let (object, _) = through(&update, ANNA);
        assert_eq!(object.properties.integer32(named::MEETING_TYPE), Some(0x1_0000));
        // An answer to one instance alone.
        let reply = parse(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:m1\nDTSTAMP:20260102T000000Z\n\
             RECURRENCE-ID:20260309T080000Z\nDTSTART:20260309T080000Z\nDTEND:20260309T090000Z\nSUMMARY:Plan\n\
             ORGANIZER:mailto:clara@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:anna@example.org\n\
             END:VEVENT\nEND:VCALENDAR\n",
        );
        let reply = Itip { method: Method::Reply, recipient: CLARA.to_owned(), calendar: reply };
        let (object, again) = through(&reply, CLARA);
        assert_eq!(object.class, MessageClass::MEETING_DECLINED);
        assert_eq!(shape(&again), shape(&reply.calendar));
        let noted = stored(apply(Some(&claras), &again, CLARA));
        assert_eq!(noted.components.iter().filter(|part| part.is("VEVENT")).count(), 2);
    }

    #[test]
    fn another_time_is_proposed() {
        let counter = parse(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nMETHOD:COUNTER\nBEGIN:VEVENT\nUID:m2\nDTSTAMP:20260102T000000Z\n\
             DTSTART:20260309T100000Z\nDTEND:20260309T110000Z\nX-MS-OLK-ORIGINALSTART:20260309T080000Z\n\
             X-MS-OLK-ORIGINALEND:20260309T090000Z\nSUMMARY:Plan\nORGANIZER:mailto:clara@example.org\n\
             ATTENDEE;PARTSTAT=TENTATIVE:mailto:anna@example.org\nEND:VEVENT\nEND:VCALENDAR\n",
        );
        let counter = Itip { method: Method::Counter, recipient: CLARA.to_owned(), calendar: counter };
        let (object, again) = through(&counter, CLARA);
        let time = |name| object.properties.time(name).map(FileTime::to_unix);
        assert_eq!(object.class, MessageClass::MEETING_TENTATIVE);
        assert!(object.properties.boolean(named::APPOINTMENT_COUNTER_PROPOSAL));
        assert_eq!(
            time(named::APPOINTMENT_PROPOSED_START_WHOLE)
                .zip(time(named::APPOINTMENT_START_WHOLE))
                .map(|(a, b)| a - b),
            Some(7200)
        );
        assert_eq!(shape(&again), shape(&counter.calendar));
        assert!(again.to_string().contains("X-MS-OLK-ORIGINALSTART:20260309T080000Z"));
    }

    #[test]
    fn what_is_none() {
        let none = |text: &str| from_itip(&parse(text), &context(ANNA)).is_err();
        let with = |method: &str, kind: &str| {
            format!(
                "BEGIN:VCALENDAR\nVERSION:2.0\n{method}BEGIN:{kind}\nUID:1\nDTSTART:20260309T100000Z\nEND:{kind}\nEND:VCALENDAR\n"
            )
        };
        assert!(none(&with("", "VEVENT")) && none(&with("METHOD:REFRESH\n", "VEVENT")));
        assert!(none(&with("METHOD:REQUEST\n", "VTODO")) && none(&with("METHOD:REPLY\n", "VEVENT")));
        assert!(!none(&with("METHOD:REQUEST\n", "VEVENT")));
        assert_eq!(to_itip(&Message::default(), &context(ANNA)), None);
    }
}

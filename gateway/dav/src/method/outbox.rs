//! POST to the scheduling outbox (RFC 6638 §5): when people are busy.

use http::StatusCode;
use kontor_dav_proto::xml::Writer;
use kontor_dav_proto::{Element, Name, Precondition};
use kontor_model::free_busy::{Busy, to_component};
use kontor_model::icalendar::{Component, Limits, Property};
use kontor_storage_client::proto::person_busy::Status;
use kontor_storage_client::proto::{FreeBusyRequest, PersonBusy};

use crate::answer::{Answer, Failure, xml};
use crate::call::Call;
use crate::scheduling::is_own;

pub(super) async fn busy(call: &Call<'_>, owner: &str) -> Result<Answer, Failure> {
    if !call.session.info().address.eq_ignore_ascii_case(owner) {
        return Err(Failure::not_found());
    }
    let question = Question::read(&call.body)?;
    if !is_own(call, &question.organizer).await? {
        let what = "the organizer is somebody else";
        return Err(Failure::precondition(Precondition::OrganizerAllowed, what));
    }
    let request = FreeBusyRequest {
        addresses: question.attendees.iter().map(|line| line.address().email().unwrap_or_default()).collect(),
        start: question.start,
        end: question.end,
        ignore_uid: question.ignored.clone(),
        ..FreeBusyRequest::default()
    };
    let people = call.session.free_busy(request).await?;
    let responses = question.attendees.iter().zip(&people).map(|(line, busy)| question.response(line, busy));
    let answer = Element::new(Name::caldav("schedule-response")).with_all(responses);
    let mut writer = Writer::document();
    writer.element(&answer);
    Ok(xml(StatusCode::OK, writer.take()))
}

/// A VFREEBUSY with METHOD REQUEST (RFC 5546 §3.3.2).
struct Question {
    organizer: Property,
    attendees: Vec<Property>,
    /// Unix seconds.
    start: i64,
    end: i64,
    uid: Option<Property>,
    stamp: Option<Property>,
    /// A meeting that does not count.
    ignored: String,
}

impl Question {
    fn read(text: &[u8]) -> Result<Self, Failure> {
        let calendar = Component::parse(text, &Limits::default())
            .map_err(|_| Failure::precondition(Precondition::ValidCalendarData, "this is no calendar"))?;
        let invalid = |what| Failure::precondition(Precondition::ValidSchedulingMessage, what);
        let is_request = calendar
            .property("METHOD")
            .is_some_and(|method| method.value.trim().eq_ignore_ascii_case("REQUEST"));
        let part = calendar.component("VFREEBUSY").filter(|_| is_request);
        let part = part.ok_or_else(|| invalid("only a VFREEBUSY with METHOD:REQUEST is answered here"))?;
        let zones =
            kontor_model::time_zone::CalendarZones::of(&calendar, kontor_model::time_zone::TimeZone::utc());
        let time = |name| part.time(name).and_then(Result::ok).map(|time| zones.to_unix(&time));
        let (Some(start), Some(end)) = (time("DTSTART"), time("DTEND")) else {
            return Err(invalid("a DTSTART and a DTEND are needed"));
        };
        let organizer = part.property("ORGANIZER").cloned();
        let attendees: Vec<Property> = part.properties_named("ATTENDEE").cloned().collect();
        if start >= end || end - start > LONGEST {
            return Err(invalid("at most 400 days can be asked for"));
        }
        if attendees.is_empty() || attendees.len() > MOST_PEOPLE {
            return Err(invalid("1 to 100 people can be asked for"));
        }
        Ok(Self {
            organizer: organizer.ok_or_else(|| invalid("an ORGANIZER is needed"))?,
            attendees,
            start,
            end,
            uid: part.property("UID").cloned(),
            stamp: part.property("DTSTAMP").cloned(),
            // Apple's clients say which meeting is being moved.
            ignored: part.text("X-CALENDARSERVER-MASK-UID").unwrap_or_default(),
        })
    }

    fn response(&self, attendee: &Property, busy: &PersonBusy) -> Element {
        let recipient = Element::new(Name::dav("href")).with_text(&attendee.value);
        let recipient = Element::new(Name::caldav("recipient")).with(recipient);
        let status = |text: &str| Element::new(Name::caldav("request-status")).with_text(text);
        let response = Element::new(Name::caldav("response")).with(recipient);
        if busy.status() != Status::Known {
            return response.with(status("3.7;Invalid calendar user"));
        }
        let kind = |code: u32| u8::try_from(code).ok().and_then(Busy::from_code).unwrap_or(Busy::Busy);
        let times: Vec<_> = busy.times.iter().map(|time| (time.start..time.end, kind(time.kind))).collect();
        let mut part = to_component(&times, &(self.start..self.end));
        part.properties.extend(self.uid.iter().chain(&self.stamp).cloned());
        part.push(self.organizer.clone());
        part.push(attendee.clone());
        let mut calendar = Component::new("VCALENDAR");
        calendar.push(Property::new("VERSION", "2.0"));
        calendar.push(Property::new("PRODID", "-//Kontor//DAV//EN"));
        calendar.push(Property::new("METHOD", "REPLY"));
        calendar.components.push(part);
        let data = Element::new(Name::caldav("calendar-data")).with_text(calendar.to_string());
        response.with(status("2.0;Success")).with(data)
    }
}

/// Seconds.
const LONGEST: i64 = 400 * 86_400;
const MOST_PEOPLE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, lines: &str) -> Result<Question, Failure> {
        let text = format!(
            "BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nBEGIN:VFREEBUSY\r\nUID:1\r\n{lines}END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        );
        Question::read(text.as_bytes())
    }

    #[test]
    fn questions_are_read_and_bounded() {
        let lines = "ORGANIZER:mailto:a@x\r\nATTENDEE:mailto:b@x\r\nDTSTART:20260302T000000Z\r\n";
        let day = format!("{lines}DTEND:20260303T000000Z\r\n");
        let question = read("REQUEST", &day).unwrap();
        assert_eq!(question.end - question.start, 86_400);
        assert!(read("PUBLISH", &day).is_err());
        assert!(read("REQUEST", lines).is_err());
        assert!(read("REQUEST", &format!("{lines}DTEND:20290303T000000Z\r\n")).is_err());
        assert!(read("REQUEST", &day.replace("ATTENDEE", "X-A")).is_err());
        let busy = PersonBusy { status: Status::Unknown as i32, ..PersonBusy::default() };
        let response = question.response(&question.attendees[0], &busy);
        assert!(!response.elements().any(|element| element.name.local() == "calendar-data"));
    }
}

//! The organizer and the attendees (MS-OXCICAL 2.1.3.1.1.20.2 and .16, MS-OXOCAL 2.2.4.10).

use super::fields::Field;
use super::{Form, Input};
use crate::icalendar::value::CalAddress;
use crate::icalendar::{Component, Property};
use crate::message::{Message, Person, Recipient, RecipientKind};
use crate::property::{named, tags};

pub(super) const ATTENDEES: Field = Field { names: &["ORGANIZER", "ATTENDEE"], read, lines };

/// PidLidAppointmentStateFlags (MS-OXOCAL 2.2.1.10)
pub(super) const MEETING: i32 = 1;
pub(super) const RECEIVED: i32 = 2;
pub(super) const CANCELED: i32 = 4;
/// PidTagRecipientFlags (MS-OXOCAL 2.2.4.10.1)
const SENDABLE: i32 = 1;
const ORGANIZER: i32 = 2;
/// PidLidResponseStatus, PidTagRecipientTrackStatus (MS-OXOCAL 2.2.1.11)
pub(super) const ORGANIZED: i32 = 1;
pub(super) const NOT_RESPONDED: i32 = 5;
/// With the PARTSTAT that says the same.
pub(super) const RESPONSES: [(i32, &str); 3] = [(2, "TENTATIVE"), (3, "ACCEPTED"), (4, "DECLINED")];

fn read(component: &Component, input: &Input<'_>, message: &mut Message) {
    let organizer = component.property("ORGANIZER");
    let is_owner = |address: &str| !input.context.owner.is_empty() && same(address, &input.context.owner);
    let bag = &mut message.properties;
    if organizer.is_none() && component.property("ATTENDEE").is_none() {
        bag.set(named::APPOINTMENT_STATE_FLAGS, 0);
        bag.set(named::RESPONSE_STATUS, 0);
        return;
    }
    let organizer = organizer.map(person);
    let is_own = organizer.as_ref().is_none_or(|organizer| is_owner(&organizer.address));
    bag.set(named::APPOINTMENT_STATE_FLAGS, if is_own { MEETING } else { MEETING | RECEIVED });
    bag.set(named::RESPONSE_STATUS, if is_own { ORGANIZED } else { NOT_RESPONDED });
    if let Some(organizer) = &organizer {
        message.set_from(organizer);
        let mut recipient = Recipient::new(RecipientKind::To, organizer.clone());
        recipient.properties.set(tags::RECIPIENT_FLAGS, SENDABLE | ORGANIZER);
        recipient.properties.set(tags::RECIPIENT_TRACK_STATUS, ORGANIZED);
        message.recipients.push(recipient);
    }
    for attendee in component.properties_named("ATTENDEE") {
        let person = person(attendee);
        if organizer.as_ref().is_some_and(|organizer| same(&organizer.address, &person.address)) {
            continue;
        }
        let answer = attendee.parameter("PARTSTAT").unwrap_or_default();
        let status = RESPONSES.iter().find(|(_, name)| answer.eq_ignore_ascii_case(name));
        let status = status.map_or(0, |(status, _)| *status);
        if !is_own && is_owner(&person.address) && status != 0 {
            message.properties.set(named::RESPONSE_STATUS, status);
        }
        let mut recipient = Recipient::new(kind(attendee), person);
        recipient.properties.set(tags::RECIPIENT_FLAGS, SENDABLE);
        recipient.properties.set(tags::RECIPIENT_TRACK_STATUS, status);
        message.recipients.push(recipient);
    }
}

fn lines(message: &Message, _: &Form) -> Vec<Property> {
    let bag = &message.properties;
    let flags = bag.integer32(named::APPOINTMENT_STATE_FLAGS).unwrap_or(0);
    if flags & MEETING == 0 {
        return Vec::new();
    }
    let own_answer = bag.integer32(named::RESPONSE_STATUS).unwrap_or(0);
    let organizer = message.recipients.iter().find(|recipient| is_organizer(recipient));
    let organizer = organizer.map(|recipient| recipient.person.clone()).or_else(|| message.from());
    let mut lines = Vec::new();
    if let Some(organizer) = &organizer {
        lines.push(of_person("ORGANIZER", organizer));
    }
    let owner = bag.string(super::KEPT_OWNER).unwrap_or_default();
    for recipient in message.recipients.iter().filter(|recipient| !is_organizer(recipient)) {
        let tracked = recipient.properties.integer32(tags::RECIPIENT_TRACK_STATUS).unwrap_or(0);
        // In an attendee's copy the own answer is the item's.
        let is_own = flags & RECEIVED != 0 && !owner.is_empty() && same(owner, &recipient.person.address);
        let status = if is_own { own_answer } else { tracked };
        let answer = RESPONSES.iter().find(|(known, _)| *known == status).map(|(_, name)| *name);
        let mut line = of_person("ATTENDEE", &recipient.person);
        match recipient.kind {
            RecipientKind::To => line.set_parameter("ROLE", "REQ-PARTICIPANT"),
            RecipientKind::Cc => line.set_parameter("ROLE", "OPT-PARTICIPANT"),
            RecipientKind::Bcc => {
                line.set_parameter("CUTYPE", "RESOURCE");
                line.set_parameter("ROLE", "NON-PARTICIPANT");
            }
        }
        line.set_parameter("PARTSTAT", answer.unwrap_or("NEEDS-ACTION"));
        if answer.is_none() {
            line.set_parameter("RSVP", "TRUE");
        }
        lines.push(line);
    }
    lines
}

pub(super) fn is_organizer(recipient: &Recipient) -> bool {
    recipient.properties.integer32(tags::RECIPIENT_FLAGS).unwrap_or(0) & ORGANIZER != 0
}

/// Resources are Bcc (MS-OXOCAL 2.2.4.10.7).
fn kind(attendee: &Property) -> RecipientKind {
    let says = |name: &str, values: &[&str]| {
        let value = attendee.parameter(name).unwrap_or_default();
        values.iter().any(|known| value.eq_ignore_ascii_case(known))
    };
    if says("CUTYPE", &["RESOURCE", "ROOM"]) {
        RecipientKind::Bcc
    } else if says("ROLE", &["OPT-PARTICIPANT", "NON-PARTICIPANT"]) {
        RecipientKind::Cc
    } else {
        RecipientKind::To
    }
}

/// Who it is. What is no mail address stays the URI that it is.
pub(super) fn person(property: &Property) -> Person {
    let address = property.address();
    let email = address.email().or_else(|| {
        // Some programs say the address here and something of their own in the value.
        property.parameter("EMAIL").filter(|email| email.contains('@')).map(str::to_owned)
    });
    Person {
        name: property.parameter("CN").unwrap_or_default().to_owned(),
        address: email.unwrap_or_else(|| address.as_str().to_owned()),
    }
}

pub(super) fn of_person(name: &str, person: &Person) -> Property {
    let is_uri = !person.address.contains('@') && person.address.contains(':');
    let address =
        if is_uri { CalAddress::parse(&person.address) } else { CalAddress::from_email(&person.address) };
    let mut property = Property::new(name, address.as_str());
    if !person.name.is_empty() {
        property.set_parameter("CN", &person.name);
    }
    property
}

/// Whether two lines are about the same person.
pub(super) fn are_same(one: &Property, other: &Property) -> bool {
    one.is(&other.name) && same(&person(one).address, &person(other).address)
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

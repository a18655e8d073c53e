//! Messages about meetings (RFC 6047): which part says it, and what kind of item that makes of the message.

use crate::class::MessageClass;
use crate::icalendar::{Component, Limits};
use crate::mime::{Part, PartKind, Structure};
use crate::scheduling::Method;

/// The text of the iTIP object: of the first part that is one.
pub(super) fn text(structure: &Structure<'_>) -> Option<String> {
    parts(structure).find_map(|part| {
        // A part whose type says one method and whose text another one is none (RFC 6047 §2.4).
        let said = method(part);
        let text = structure.text(part, MAX_OBJECT + 1);
        let is_whole = text.len() <= MAX_OBJECT;
        let found = is_whole.then(|| object(&text)).flatten().and_then(|calendar| Method::of(&calendar))?;
        let agrees = said.is_none_or(|said| said.eq_ignore_ascii_case(found.as_str().as_bytes()));
        agrees.then(|| text.into_owned())
    })
}

/// MS-OXCICAL 2.1.3.1.1.1
pub(super) fn class(structure: &Structure<'_>) -> MessageClass {
    let is_attached = |part: &&Part<'_>| part.disposition.as_ref().is_some_and(|d| d.is_attachment());
    let Some(part) = parts(structure).find(|part| !is_attached(part)) else { return MessageClass::NOTE };
    match method(part).map(<[u8]>::to_ascii_lowercase).as_deref() {
        Some(b"request" | b"add") => MessageClass::MEETING_REQUEST,
        Some(b"cancel") => MessageClass::MEETING_CANCELED,
        // Another time is an answer with a proposal (MS-OXOCAL 2.2.7.3).
        Some(b"counter") => MessageClass::MEETING_TENTATIVE,
        Some(b"reply") => object(&structure.text(part, MAX_OBJECT)).map_or(MessageClass::NOTE, |calendar| {
            let attendee = calendar.components.iter().find_map(|part| part.property("ATTENDEE"));
            match attendee.and_then(|line| line.parameter("PARTSTAT")).map(str::to_ascii_uppercase).as_deref()
            {
                Some("ACCEPTED" | "COMPLETED" | "IN-PROCESS") => MessageClass::MEETING_ACCEPTED,
                Some("DECLINED") => MessageClass::MEETING_DECLINED,
                Some("TENTATIVE" | "DELEGATED") => MessageClass::MEETING_TENTATIVE,
                _ => MessageClass::NOTE,
            }
        }),
        _ => MessageClass::NOTE,
    }
}

/// Calendars in the message itself; what is in a message that it carries is of that one.
fn parts<'s, 'a>(structure: &'s Structure<'a>) -> impl Iterator<Item = &'s Part<'a>> {
    let is_own = |part: &&Part<'a>| {
        let mut at = part.parent;
        while let Some(parent) = at.and_then(|at| structure.part(at)) {
            if parent.kind == PartKind::Message {
                return false;
            }
            at = parent.parent;
        }
        true
    };
    structure
        .parts()
        .iter()
        .filter(|part| part.kind == PartKind::Leaf && part.content_type.is("text", "calendar"))
        .filter(is_own)
        .take(MOST_PARTS)
}

fn method<'p>(part: &'p Part<'_>) -> Option<&'p [u8]> {
    part.content_type.parameters.get("method")
}

fn object(text: &str) -> Option<Component> {
    Component::parse(text.as_bytes(), &Limits::default()).ok()
}

/// Octets of an object.
const MAX_OBJECT: usize = 1 << 20;
/// Calendars that are looked at.
const MOST_PARTS: usize = 4;

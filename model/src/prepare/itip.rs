//! Messages about meetings (RFC 6047): which part says it, and what kind of item that makes of the message.

use crate::calendar_item::class_of;
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
    let said = method(part).map(String::from_utf8_lossy).and_then(|word| Method::named(&word));
    let Some(said) = said else { return MessageClass::NOTE };
    let answer = || {
        let calendar = object(&structure.text(part, MAX_OBJECT))?;
        let attendee = calendar.components.iter().find_map(|part| part.property("ATTENDEE"))?;
        attendee.parameter("PARTSTAT").map(str::to_owned)
    };
    let answer = if said == Method::Reply { answer() } else { None };
    class_of(said, &answer.unwrap_or_default()).unwrap_or(MessageClass::NOTE)
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

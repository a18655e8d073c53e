//! Attachments inside a calendar object (RFC 5545 §3.8.1.1, MS-OXCICAL 2.1.3.1.1.20.1).

use crate::icalendar::{Component, Property};
use crate::message::{Attachment, Content, Message};
use crate::property::tags;

/// Moves what is attached as octets from the kept text to the message.
pub(super) fn take_out(calendar: &mut Component, message: &mut Message) {
    let mut number = 0;
    for component in &mut calendar.components {
        for property in component.properties.iter_mut().filter(|property| property.is("ATTACH")) {
            property.remove_parameter(PLACE);
            if !is_inline(property) {
                continue;
            }
            let Ok(octets) = property.binary(MOST_OCTETS) else { continue };
            number += 1;
            property.value = number.to_string();
            property.set_parameter(PLACE, "TRUE");
            // The same for all instances, as most programs write it.
            let same = Content::Bytes(octets);
            if let Some(there) = message.attachments.iter_mut().find(|attachment| attachment.content == same)
            {
                let first = there.properties.integer32(super::KEPT_ATTACHMENT).unwrap_or(number);
                property.value = first.to_string();
                continue;
            }
            let mut attachment = Attachment {
                content: same,
                file_name: NAMES.iter().find_map(|name| property.parameter(name)).map(str::to_owned),
                mime_type: property.parameter("FMTTYPE").map(str::to_ascii_lowercase),
                ..Attachment::default()
            };
            attachment.properties.set(super::KEPT_ATTACHMENT, number);
            message.attachments.push(attachment);
        }
    }
}

/// Puts what is attached back in its place; what is new goes to the first component.
pub(super) fn put_back(calendar: &mut Component, message: &Message) {
    let octets = |attachment: &'_ Attachment| match &attachment.content {
        Content::Bytes(octets) => Some(encode(octets)),
        Content::Message(_) => None,
    };
    for component in &mut calendar.components {
        component.properties.retain_mut(|property| {
            if property.parameter(PLACE).is_none() {
                return true;
            }
            let number = property.value.trim().parse::<i32>().ok();
            let found = message.attachments.iter().find(|attachment| {
                number.is_some() && attachment.properties.integer32(super::KEPT_ATTACHMENT) == number
            });
            property.remove_parameter(PLACE);
            let Some(value) = found.and_then(octets) else { return false };
            property.value = value;
            true
        });
    }
    let Some(first) = calendar.components.iter_mut().find(|component| !component.is("VTIMEZONE")) else {
        return;
    };
    for attachment in &message.attachments {
        let is_new = attachment.properties.get(super::KEPT_ATTACHMENT).is_none();
        let Some(value) = octets(attachment).filter(|_| is_new) else { continue };
        let mut property = Property::new("ATTACH", value);
        if let Some(kind) = &attachment.mime_type {
            property.set_parameter("FMTTYPE", kind);
        }
        property.set_parameter("ENCODING", "BASE64");
        property.set_parameter("VALUE", "BINARY");
        let short = attachment.properties.string(tags::ATTACH_FILENAME);
        if let Some(name) = attachment.file_name.as_deref().or(short) {
            property.set_parameter("X-FILENAME", name);
        }
        first.push(property);
    }
}

fn is_inline(property: &Property) -> bool {
    property.parameter("ENCODING").is_some_and(|name| name.eq_ignore_ascii_case("BASE64"))
}

fn encode(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

/// The parameters in which programs write a file's name.
const NAMES: [&str; 4] = ["X-FILENAME", "FILENAME", "X-APPLE-FILENAME", "X-ORACLE-FILENAME"];
/// Marks a line whose octets are an attachment of the message.
const PLACE: &str = "X-KONTOR-ATTACHMENT";
/// More than any calendar object may have.
const MOST_OCTETS: usize = 64 << 20;

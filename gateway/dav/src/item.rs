//! Items: what may be put into a collection, and the form in which the store keeps it.
//!
//! The store keeps messages, so an object is the body of one, octet for octet, behind a short header.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use kontor_dav_proto::Precondition;
use kontor_dav_proto::response::ErrorBody;
use kontor_model::icalendar::{self, CalendarObject, Component, ObjectError, ObjectMessage};
use kontor_model::message::unstructured_field;
use kontor_model::time_zone::{with_missing_zones, without_known_zones};
use kontor_model::vcard::{self, AddressObjectError, VCard, address_object};
use kontor_storage_client::PreparedMessage;
use kontor_storage_client::proto::{Item, ItemFacts};

use crate::answer::Failure;
use crate::attachment;
use crate::home::{Collection, Holds};

/// An object that may be put into a collection.
pub(crate) struct NewItem {
    pub uid: String,
    pub starts_at: Option<i64>,
    pub ends_at: Option<i64>,
    pub content: PreparedMessage,
    /// What is stored is what came, to the octet.
    pub as_sent: bool,
    /// Ids of the files that it names.
    pub attachments: Vec<Bytes>,
    /// Of a calendar object, what it says.
    pub calendar: Option<Component>,
}

impl NewItem {
    /// Checks an object, by the preconditions of its kind of collection (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1). It may
    /// take a while, for what recurs.
    ///
    /// # Errors
    /// The precondition that does not hold.
    pub fn read(collection: &Collection, text: &Bytes) -> Result<Self, Failure> {
        if collection.holds == Holds::Inbox {
            return Err(Failure::forbidden("what comes into this collection comes from others"));
        }
        if collection.holds == Holds::Cards {
            Self::of_card(text)
        } else {
            Self::of_calendar(collection, text)
        }
    }

    pub fn facts(&self, name: &str) -> ItemFacts {
        ItemFacts {
            name: name.to_owned(),
            item_uid: self.uid.clone(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
        }
    }

    fn of_calendar(collection: &Collection, text: &Bytes) -> Result<Self, Failure> {
        if std::str::from_utf8(text).is_err() {
            return Err(refused(Precondition::ValidCalendarData, "calendar data is in UTF-8"));
        }
        let calendar = Component::parse(text, &icalendar::Limits::default())
            .map_err(|error| refused(Precondition::ValidCalendarData, &error.to_string()))?;
        let object = CalendarObject::check(&calendar).map_err(|error| {
            let precondition = match &error {
                ObjectError::Data(_) => Precondition::ValidCalendarData,
                ObjectError::Resource(_) => Precondition::ValidCalendarObjectResource,
                ObjectError::Component => Precondition::SupportedCalendarComponent,
            };
            refused(precondition, &error.to_string())
        })?;
        let component = object.kind.component_name();
        if !collection.components().iter().any(|name| name == component) {
            let what = format!("this calendar does not take {component}");
            return Err(refused(Precondition::SupportedCalendarComponent, &what));
        }
        // Whoever reads it may know no zone by its name (RFC 7809 §3.1.1).
        let sent = std::str::from_utf8(text).unwrap_or_default();
        let (text, as_sent) = match with_missing_zones(sent, &calendar) {
            Cow::Borrowed(_) => (text.clone(), true),
            Cow::Owned(text) => (text.into(), false),
        };
        let message = ObjectMessage::new(&calendar, &object, &text);
        let mut content = PreparedMessage::from_rfc5322(message.raw.into());
        content.prepared.class = message.class.to_string();
        let (uid, starts_at, ends_at) = (message.uid, message.starts_at, message.ends_at);
        let attachments = attachment::named(&calendar);
        Ok(Self { uid, starts_at, ends_at, content, calendar: Some(calendar), as_sent, attachments })
    }

    fn of_card(text: &Bytes) -> Result<Self, Failure> {
        let (card, uid) = address_object(text, &vcard::Limits::default()).map_err(|error| {
            let precondition = match &error {
                AddressObjectError::Size(_) => Precondition::AddressMaxResourceSize,
                _ => Precondition::ValidAddressData,
            };
            refused(precondition, &error.to_string())
        })?;
        let class = if card.is_group() { "IPM.DistList" } else { "IPM.Contact" };
        let subject = card.text("FN").unwrap_or_default();
        let content = content(&subject, "text/vcard; charset=utf-8", class, text);
        let (starts_at, ends_at) = (None, None);
        Ok(Self { uid, starts_at, ends_at, content, calendar: None, as_sent: true, attachments: Vec::new() })
    }
}

/// The refusal of an object, with words for a person beside the condition.
fn refused(precondition: Precondition, what: &str) -> Failure {
    let status = StatusCode::from_u16(precondition.status()).unwrap_or(StatusCode::FORBIDDEN);
    Failure::Condition(status, ErrorBody::of(precondition).described(what))
}

fn content(subject: &str, kind: &str, class: &str, text: &Bytes) -> PreparedMessage {
    let mut raw = unstructured_field("Subject", subject);
    let rest =
        format!("MIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    raw.extend_from_slice(rest.as_bytes());
    raw.extend_from_slice(text);
    let mut content = PreparedMessage::from_rfc5322(raw.into());
    class.clone_into(&mut content.prepared.class);
    content
}

/// The object in the bytes of an item; `None` where they were not asked for.
pub(crate) fn text(item: &Item) -> Option<Bytes> {
    let body = item.body.as_ref()?;
    let header = usize::try_from(item.header_size).ok()?.min(body.len());
    Some(body.slice(header..))
}

/// A calendar object as who knows zones by their names wants it (RFC 7809 §3.1.2).
pub(crate) fn without_zones(text: Bytes) -> Bytes {
    let changed = std::str::from_utf8(&text).ok().map(without_known_zones);
    match changed {
        Some(Cow::Owned(changed)) => changed.into(),
        _ => text,
    }
}

/// How long the object is, octets.
pub(crate) fn length(item: &Item) -> u64 {
    item.size.saturating_sub(item.header_size)
}

/// What is between the quotation marks of its entity tag: it names the version.
pub(crate) fn tag(content_id: &[u8]) -> String {
    content_id.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The version that a tag of ours names.
pub(crate) fn version_in(tag: &str) -> Option<Bytes> {
    if tag.len() != 32 || !tag.is_ascii() {
        return None;
    }
    let pair = |at: usize| tag.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..16).map(|i| pair(2 * i)).collect::<Option<Vec<u8>>>().map(Bytes::from)
}

/// A stored calendar object, read.
pub(crate) fn calendar(text: &[u8]) -> Option<Component> {
    Component::parse(text, &icalendar::Limits::default()).ok()
}

/// A stored card, read.
pub(crate) fn card(text: &[u8]) -> Option<VCard> {
    VCard::parse(text, &vcard::Limits::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_versions() {
        let id: Vec<u8> = (0..16).collect();
        assert_eq!(tag(&id), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(version_in(&tag(&id)).unwrap(), id);
        for bad in ["", "00", "g00102030405060708090a0b0c0d0e0f", "+00102030405060708090a0b0c0d0e0f\u{e9}"] {
            assert_eq!(version_in(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_object_is_the_body_to_the_octet() {
        let text = Bytes::from_static(b"BEGIN:VCARD\nVERSION:4.0\nUID:1\nFN:B\xc3\xa4r\nEND:VCARD");
        let new = NewItem::of_card(&text).unwrap();
        assert!(new.content.raw.ends_with(&text));
        assert_eq!(new.content.prepared.class, "IPM.Contact");
        assert_eq!(new.content.prepared.subject, "B\u{e4}r");
        let size = new.content.raw.len() as u64;
        let header_size = new.content.prepared.header_size;
        let item = Item { body: Some(new.content.raw), size, header_size, ..Item::default() };
        assert_eq!(super::text(&item).unwrap(), text);
        assert_eq!(length(&item), text.len() as u64);
    }
}

//! The form in which the store keeps a calendar object: the body of a message, octet for octet, behind a short header.

use super::{CalendarObject, Component, ObjectKind};
use crate::MessageClass;
use crate::message::unstructured_field;
use crate::recurrence::{Limits, span};
use crate::time_zone::{CalendarZones, TimeZone};

/// A calendar object as the store takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMessage {
    /// The UID of the object.
    pub uid: String,
    /// Unix seconds between which all of its instances are; `None` is without end.
    pub starts_at: Option<i64>,
    /// See `starts_at`.
    pub ends_at: Option<i64>,
    /// What kind of item it is.
    pub class: MessageClass,
    /// The message.
    pub raw: Vec<u8>,
}

impl ObjectMessage {
    /// Of `object`, which is what `calendar` holds, with its octets in `text`. It may take a while, for what recurs.
    pub fn new(calendar: &Component, object: &CalendarObject<'_>, text: &[u8]) -> Self {
        let component = object.kind.component_name();
        let class = match object.kind {
            ObjectKind::Todo => MessageClass::TASK,
            ObjectKind::Journal => MessageClass::ACTIVITY,
            _ => MessageClass::APPOINTMENT,
        };
        let zones = CalendarZones::of(calendar, TimeZone::utc());
        let (starts_at, ends_at) = span(object, &zones, Limits::default());
        let named = object.master.or(object.overrides.first().copied());
        let subject = named.and_then(|component| component.text("SUMMARY")).unwrap_or_default();
        let mut raw = unstructured_field("Subject", &subject);
        let rest = format!(
            "MIME-Version: 1.0\r\nContent-Type: text/calendar; charset=utf-8; component={component}\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n"
        );
        raw.extend_from_slice(rest.as_bytes());
        raw.extend_from_slice(text);
        Self { uid: object.uid.clone(), starts_at, ends_at, class, raw }
    }
}

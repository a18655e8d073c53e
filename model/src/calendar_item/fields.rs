//! The lines of a component and the properties that say the same (MS-OXCICAL 2.1.3.1.1.20).

use super::people;
use super::recurrence;
use super::{Form, Input};
use crate::GlobalObjectId;
use crate::icalendar::value::{self, CalendarTime};
use crate::icalendar::{Component, Property};
use crate::message::Message;
use crate::property::{Bag, FileTime, Value, keywords, named, tags};
use crate::time_zone::{CalendarZones, TimeZoneStruct};

/// Lines that stand for properties.
pub(super) struct Field {
    /// What the lines are called.
    pub(super) names: &'static [&'static str],
    /// Sets the properties.
    pub(super) read: fn(&Component, &Input<'_>, &mut Message),
    /// Writes the lines.
    pub(super) lines: fn(&Message, &Form) -> Vec<Property>,
}

pub(super) const EVENT: &[Field] = &[
    UID,
    Field { names: &["DTSTART", "DTEND", "DURATION"], read: read_times, lines: times },
    recurrence::RULE,
    recurrence::EXDATE,
    SUMMARY,
    Field { names: &["LOCATION"], read: read_location, lines: location },
    DESCRIPTION,
    CATEGORIES,
    CLASS,
    PRIORITY,
    Field { names: &["TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS"], read: read_busy, lines: busy },
    people::ATTENDEES,
    Field { names: &["STATUS"], read: read_status, lines: status },
    Field { names: &["SEQUENCE"], read: read_sequence, lines: sequence },
    STAMPS,
];

pub(super) const UID: Field =
    Field { names: &["UID"], read: read_uid, lines: |message, _| vec![uid(message)] };

pub(super) const SUMMARY: Field = Field {
    names: &["SUMMARY"],
    read: |component, _, message| {
        let subject = component.text("SUMMARY").unwrap_or_default();
        message.properties.set(tags::SUBJECT, subject.replace('\n', " "));
    },
    lines: |message, _| text("SUMMARY", message.subject()),
};

pub(super) const DESCRIPTION: Field =
    Field { names: &["DESCRIPTION", "X-ALT-DESC"], read: read_description, lines: description };

pub(super) const CATEGORIES: Field = Field {
    names: &["CATEGORIES"],
    read: |component, _, message| {
        let mut all = component.text_list("CATEGORIES");
        all.retain(|category| !category.trim().is_empty());
        if !all.is_empty() {
            message.properties.set(keywords(), all);
        }
    },
    lines: |message, _| match message.properties.get(keywords()) {
        Some(Value::MultipleString(all)) if !all.is_empty() => {
            vec![Property::with_texts("CATEGORIES", all.iter().map(String::as_str))]
        }
        _ => Vec::new(),
    },
};

pub(super) const CLASS: Field = Field {
    names: &["CLASS"],
    read: |component, _, message| {
        let class = component.text("CLASS").unwrap_or_default();
        let at = CLASSES.iter().position(|name| class.trim().eq_ignore_ascii_case(name)).unwrap_or(0);
        message.properties.set(tags::SENSITIVITY, i32::try_from(at).unwrap_or(0));
        message.properties.set(named::PRIVATE, at == 2);
    },
    lines: |message, _| {
        let class = message.properties.integer32(tags::SENSITIVITY).unwrap_or(0);
        let name = usize::try_from(class).ok().filter(|at| *at > 0).and_then(|at| CLASSES.get(at));
        name.map(|name| Property::new("CLASS", *name)).into_iter().collect()
    },
};

pub(super) const PRIORITY: Field = Field {
    names: &["PRIORITY"],
    read: |component, _, message| {
        let priority = component.property("PRIORITY").and_then(|priority| priority.value.trim().parse().ok());
        let importance = match priority {
            Some(1u8..=4) => HIGH,
            Some(6..=9) => LOW,
            _ => NORMAL,
        };
        message.properties.set(tags::IMPORTANCE, importance);
        message.properties.set(tags::PRIORITY, importance - NORMAL);
    },
    lines: |message, _| match message.properties.integer32(tags::IMPORTANCE) {
        Some(HIGH) => vec![Property::new("PRIORITY", "1")],
        Some(LOW) => vec![Property::new("PRIORITY", "9")],
        _ => Vec::new(),
    },
};

/// When it was made and last changed. Every save changes that, so these lines follow the others ([`stamp`]).
pub(super) const STAMPS: Field = Field {
    names: &[],
    read: |component, input, message| {
        for (name, tag) in [("CREATED", tags::CREATION_TIME), ("LAST-MODIFIED", tags::LAST_MODIFICATION_TIME)]
        {
            if let Some(unix) = unix(component, name, input.zones) {
                message.properties.set(tag, FileTime::from_unix(unix));
            }
        }
        if let Some(unix) = unix(component, "DTSTAMP", input.zones) {
            message.properties.set(named::OWNER_CRITICAL_CHANGE, FileTime::from_unix(unix));
        }
    },
    lines: |_, _| Vec::new(),
};

/// Writes when it was made and last changed.
pub(super) fn stamp(component: &mut Component, message: &Message) {
    let bag = &message.properties;
    let time = |time: FileTime| CalendarTime::Utc(crate::time_zone::clock(time.to_unix()));
    let modified = bag.time(tags::LAST_MODIFICATION_TIME);
    let stamp = modified.or_else(|| bag.time(named::OWNER_CRITICAL_CHANGE)).unwrap_or(FileTime::from_unix(0));
    component.set(Property::with_time("DTSTAMP", &time(stamp)));
    for (name, at) in [("CREATED", bag.time(tags::CREATION_TIME)), ("LAST-MODIFIED", modified)] {
        if let Some(at) = at {
            component.set(Property::with_time(name, &time(at)));
        }
    }
}

fn read_uid(component: &Component, input: &Input<'_>, message: &mut Message) {
    let uid = component.text("UID").unwrap_or_default();
    let Some(mut id) = GlobalObjectId::of_uid(&uid) else { return };
    message.properties.set(named::CLEAN_GLOBAL_OBJECT_ID, id.write());
    if let Some(Ok(original)) = component.time("RECURRENCE-ID") {
        id.instance = Some(original.date());
        let replaced = FileTime::from_unix(input.zones.to_unix(&original));
        message.properties.set(named::EXCEPTION_REPLACE_TIME, replaced);
    }
    message.properties.set(named::GLOBAL_OBJECT_ID, id.write());
}

/// The UID of an item; from its search key, where it was never given one.
pub(super) fn uid(message: &Message) -> Property {
    let bag = &message.properties;
    let id = bag.binary(named::CLEAN_GLOBAL_OBJECT_ID).or_else(|| bag.binary(named::GLOBAL_OBJECT_ID));
    let uid = id.and_then(|octets| GlobalObjectId::read(octets).ok()).map(|id| id.uid());
    let uid = uid.unwrap_or_else(|| {
        let key = bag.binary(tags::SEARCH_KEY).unwrap_or_default();
        key.iter().map(|octet| format!("{octet:02X}")).collect()
    });
    Property::with_text("UID", &uid)
}

fn read_times(component: &Component, input: &Input<'_>, message: &mut Message) {
    let Some(Ok(start)) = component.time("DTSTART") else { return };
    let begins = input.zones.to_unix(&start);
    let end = end_of(component, &start, input.zones);
    let ends = input.zones.to_unix(&end).max(begins);
    let bag = &mut message.properties;
    for (names, unix) in [
        ((named::APPOINTMENT_START_WHOLE, named::COMMON_START, tags::START_DATE), begins),
        ((named::APPOINTMENT_END_WHOLE, named::COMMON_END, tags::END_DATE), ends),
    ] {
        bag.set(names.0, FileTime::from_unix(unix));
        bag.set(names.1, FileTime::from_unix(unix));
        bag.set(names.2, FileTime::from_unix(unix));
    }
    bag.set(named::APPOINTMENT_DURATION, i32::try_from((ends - begins) / 60).unwrap_or(i32::MAX));
    bag.set(named::APPOINTMENT_SUB_TYPE, start.is_date());
    for (name, time) in [
        (named::APPOINTMENT_TIME_ZONE_DEFINITION_START_DISPLAY, &start),
        (named::APPOINTMENT_TIME_ZONE_DEFINITION_END_DISPLAY, &end),
    ] {
        let clock = super::clock::Clock::of_time(time, input.zones);
        if !clock.is_utc() {
            bag.set(name, clock.definition(time.date().year(), false).encode());
        }
    }
}

/// Where a component ends that begins at `start` (RFC 5545 §3.6.1).
pub(super) fn end_of(component: &Component, start: &CalendarTime, zones: &CalendarZones) -> CalendarTime {
    if let Some(Ok(end)) = component.time("DTEND") {
        return end;
    }
    let length = component.property("DURATION").and_then(|duration| duration.duration().ok());
    let length = match length {
        Some(length) => length,
        None if start.is_date() => value::Duration { days: 1, seconds: 0 },
        None => value::Duration { days: 0, seconds: 0 },
    };
    // Days by the clock, then exact seconds (RFC 5545 §3.3.6).
    let days = i64::from(length.days).saturating_mul(86_400);
    let local = crate::time_zone::wall_seconds(start.local()).saturating_add(days);
    let later = start.with_local(crate::time_zone::clock(local));
    if length.seconds == 0 {
        return later;
    }
    let unix = zones.to_unix(&later).saturating_add(length.seconds);
    match later {
        CalendarTime::Utc(_) => CalendarTime::Utc(crate::time_zone::clock(unix)),
        later => {
            let zone = zones.zone_of(&later);
            later.with_local(zone.to_local(unix))
        }
    }
}

fn times(message: &Message, form: &Form) -> Vec<Property> {
    let time = |name| message.properties.time(name).map(FileTime::to_unix);
    let Some(start) = time(named::APPOINTMENT_START_WHOLE).or_else(|| time(named::COMMON_START)) else {
        return Vec::new();
    };
    let end = time(named::APPOINTMENT_END_WHOLE).or_else(|| time(named::COMMON_END)).unwrap_or(start);
    vec![
        Property::with_time("DTSTART", &form.start.time(start, form.all_day)),
        Property::with_time("DTEND", &form.end.time(end.max(start), form.all_day)),
    ]
}

/// PidLidTimeZoneStruct and its description, of a series.
pub(super) fn set_series_zone(bag: &mut Bag, clock: &super::clock::Clock, year: i16) {
    let definition = clock.definition(year, true);
    bag.set(named::TIME_ZONE_STRUCT, TimeZoneStruct::of_zone(clock.zone(), year).encode());
    bag.set(named::TIME_ZONE_DESCRIPTION, definition.key_name.clone());
    bag.set(named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR, definition.encode());
}

fn read_location(component: &Component, _: &Input<'_>, message: &mut Message) {
    if let Some(location) = component.text("LOCATION").filter(|location| !location.is_empty()) {
        message.properties.set(named::LOCATION, location.replace('\n', " "));
    }
}

fn location(message: &Message, _: &Form) -> Vec<Property> {
    text("LOCATION", message.properties.string(named::LOCATION).unwrap_or_default())
}

fn read_description(component: &Component, _: &Input<'_>, message: &mut Message) {
    if let Some(description) = component.text("DESCRIPTION").filter(|description| !description.is_empty()) {
        message.properties.set(tags::BODY, description.replace('\n', "\r\n"));
    }
    let html = component.properties_named("X-ALT-DESC");
    if let Some(html) = html.into_iter().find(|alternative| {
        alternative.parameter("FMTTYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
    }) {
        message.set_html(&html.text());
    }
}

fn description(message: &Message, _: &Form) -> Vec<Property> {
    let mut lines = match (message.body(), message.html()) {
        (Some(body), _) => text("DESCRIPTION", &body.replace("\r\n", "\n")),
        (None, Some(html)) => {
            let mut plain = String::new();
            crate::mime::html::text_into(html, &mut plain);
            text("DESCRIPTION", plain.trim())
        }
        (None, None) => Vec::new(),
    };
    if let Some(html) = message.html() {
        lines.push(Property::with_text("X-ALT-DESC", html).with_parameter("FMTTYPE", "text/html"));
    }
    lines
}

fn read_busy(component: &Component, _: &Input<'_>, message: &mut Message) {
    let said = component.text("X-MICROSOFT-CDO-BUSYSTATUS").and_then(|said| busy_status(&said));
    let says = |name: &str, what: &str| {
        component.text(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(what))
    };
    let status = match said {
        Some(status) => status,
        None if says("TRANSP", "TRANSPARENT") => BUSY_FREE,
        None if says("STATUS", "TENTATIVE") => BUSY_TENTATIVE,
        None => BUSY_BUSY,
    };
    message.properties.set(named::BUSY_STATUS, status);
}

/// PidLidBusyStatus by the word of MS-OXCICAL 2.1.3.1.1.20.31.
pub(super) fn busy_status(word: &str) -> Option<i32> {
    let at = BUSY.iter().position(|name| word.trim().eq_ignore_ascii_case(name))?;
    i32::try_from(at).ok()
}

fn busy(message: &Message, _: &Form) -> Vec<Property> {
    let status = message.properties.integer32(named::BUSY_STATUS).unwrap_or(BUSY_BUSY);
    let transparency = if status == BUSY_FREE { "TRANSPARENT" } else { "OPAQUE" };
    let mut lines = vec![Property::new("TRANSP", transparency)];
    if let Some(name) = usize::try_from(status).ok().and_then(|at| BUSY.get(at)) {
        lines.push(Property::new("X-MICROSOFT-CDO-BUSYSTATUS", *name));
    }
    lines
}

fn read_status(component: &Component, _: &Input<'_>, message: &mut Message) {
    let status = component.text("STATUS").unwrap_or_default();
    if status.trim().eq_ignore_ascii_case("CANCELLED") {
        let flags = message.properties.integer32(named::APPOINTMENT_STATE_FLAGS).unwrap_or(0);
        message.properties.set(named::APPOINTMENT_STATE_FLAGS, flags | people::CANCELED);
    }
}

fn status(message: &Message, _: &Form) -> Vec<Property> {
    let bag = &message.properties;
    let flags = bag.integer32(named::APPOINTMENT_STATE_FLAGS).unwrap_or(0);
    let tentative = bag.integer32(named::BUSY_STATUS) == Some(BUSY_TENTATIVE);
    let status = match (flags & people::CANCELED != 0, tentative) {
        (true, _) => "CANCELLED",
        (false, true) => "TENTATIVE",
        (false, false) => "CONFIRMED",
    };
    vec![Property::new("STATUS", status)]
}

fn read_sequence(component: &Component, _: &Input<'_>, message: &mut Message) {
    let sequence =
        component.property("SEQUENCE").and_then(|sequence| sequence.value.trim().parse::<i32>().ok());
    message.properties.set(named::APPOINTMENT_SEQUENCE, sequence.unwrap_or(0).max(0));
}

fn sequence(message: &Message, _: &Form) -> Vec<Property> {
    let sequence = message.properties.integer32(named::APPOINTMENT_SEQUENCE).unwrap_or(0);
    vec![Property::new("SEQUENCE", sequence.max(0).to_string())]
}

/// A line with a text, unless it is empty.
pub(super) fn text(name: &str, text: &str) -> Vec<Property> {
    if text.is_empty() { Vec::new() } else { vec![Property::with_text(name, text)] }
}

/// The moment of the first property of this name.
pub(super) fn unix(component: &Component, name: &str, zones: &CalendarZones) -> Option<i64> {
    component.time(name)?.ok().map(|time| zones.to_unix(&time))
}

/// By the number of PidTagSensitivity (MS-OXCMSG 2.2.1.13).
const CLASSES: [&str; 4] = ["PUBLIC", "PERSONAL", "PRIVATE", "CONFIDENTIAL"];
/// By the number of PidLidBusyStatus (MS-OXOCAL 2.2.1.2).
const BUSY: [&str; 5] = ["FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE"];
const BUSY_FREE: i32 = 0;
const BUSY_TENTATIVE: i32 = 1;
const BUSY_BUSY: i32 = 2;
/// PidTagImportance
const LOW: i32 = 0;
const NORMAL: i32 = 1;
const HIGH: i32 = 2;

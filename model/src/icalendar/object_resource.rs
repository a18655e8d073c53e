//! What CalDAV keeps in one resource (RFC 4791 §4.1).

use std::collections::BTreeSet;

use super::value::Recur;
use super::{Component, Property};

/// The kinds of calendar components that a collection stores (RFC 4791 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// VEVENT
    Event,
    /// VTODO
    Todo,
    /// VJOURNAL
    Journal,
    /// VFREEBUSY
    FreeBusy,
    /// VAVAILABILITY (RFC 7953)
    Availability,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Event, Self::Todo, Self::Journal, Self::FreeBusy, Self::Availability];

    /// The name of its components.
    pub const fn component_name(self) -> &'static str {
        match self {
            Self::Event => "VEVENT",
            Self::Todo => "VTODO",
            Self::Journal => "VJOURNAL",
            Self::FreeBusy => "VFREEBUSY",
            Self::Availability => "VAVAILABILITY",
        }
    }

    /// The kind of a component.
    pub fn of(component: &Component) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| component.is(kind.component_name()))
    }
}

/// A `VCALENDAR` that may be stored as one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarObject<'a> {
    /// The one UID.
    pub uid: String,
    /// The one kind.
    pub kind: ObjectKind,
    /// The component without RECURRENCE-ID. An attendee of single occurrences has none.
    pub master: Option<&'a Component>,
    /// The components with RECURRENCE-ID, in their order.
    pub overrides: Vec<&'a Component>,
}

/// Why a calendar may not be stored, by the preconditions of RFC 4791 §5.3.2.1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// CALDAV:valid-calendar-data
    #[error("{0}")]
    Data(&'static str),
    /// CALDAV:valid-calendar-object-resource
    #[error("{0}")]
    Resource(&'static str),
    /// CALDAV:supported-calendar-component
    #[error("a component of this kind is not stored")]
    Component,
}

impl<'a> CalendarObject<'a> {
    /// Checks a `VCALENDAR`. Missing `PRODID` and `DTSTAMP`, which clients forget and nobody needs, are let pass.
    pub fn check(calendar: &'a Component) -> Result<Self, ObjectError> {
        if !calendar.is("VCALENDAR") {
            return Err(ObjectError::Data("not a VCALENDAR"));
        }
        if calendar.property("VERSION").is_none_or(|version| version.value.trim() != "2.0") {
            return Err(ObjectError::Data("not VERSION:2.0"));
        }
        if calendar.property("METHOD").is_some() {
            return Err(ObjectError::Resource("METHOD belongs to messages"));
        }
        let mut found: Option<Self> = None;
        let mut recurrence_ids = BTreeSet::new();
        for component in calendar.components.iter().filter(|component| !component.is("VTIMEZONE")) {
            let kind = match ObjectKind::of(component) {
                Some(kind) => kind,
                // RFC 5545 §3.6: what is not known is ignored.
                None if component.name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-")) => continue,
                None => return Err(ObjectError::Component),
            };
            let uid = component.property("UID").map(Property::text).unwrap_or_default();
            if uid.trim().is_empty() {
                return Err(ObjectError::Resource("a component has no UID"));
            }
            check_values(component, kind)?;
            let object = found.get_or_insert_with(|| Self {
                uid: uid.clone(),
                kind,
                master: None,
                overrides: Vec::new(),
            });
            if object.uid != uid {
                return Err(ObjectError::Resource("more than one UID"));
            }
            if object.kind != kind {
                return Err(ObjectError::Resource("more than one kind of component"));
            }
            match component.property("RECURRENCE-ID") {
                Some(id) => {
                    // All from one instance on, and that one alone, may be said differently.
                    let is_future = id.parameter("RANGE").is_some();
                    if !recurrence_ids.insert((id.value.trim(), id.parameter("TZID"), is_future)) {
                        return Err(ObjectError::Resource("a RECURRENCE-ID twice"));
                    }
                    object.overrides.push(component);
                }
                None if object.master.is_some() => {
                    return Err(ObjectError::Resource("two components without RECURRENCE-ID"));
                }
                None => object.master = Some(component),
            }
        }
        found.ok_or(ObjectError::Resource("no calendar component"))
    }
}

fn check_values(component: &Component, kind: ObjectKind) -> Result<(), ObjectError> {
    let once = ["DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "UID"];
    if once.iter().any(|name| component.properties_named(name).count() > 1) {
        return Err(ObjectError::Data("a property twice that may be there once"));
    }
    let start = component.time("DTSTART").transpose();
    let start = start.map_err(|_| ObjectError::Data("DTSTART is no date"))?;
    if kind == ObjectKind::Event && start.is_none() {
        return Err(ObjectError::Data("an event without DTSTART"));
    }
    for name in ["DTEND", "DUE", "RECURRENCE-ID"] {
        if component.time(name).is_some_and(|time| time.is_err()) {
            return Err(ObjectError::Data("DTEND, DUE or RECURRENCE-ID is no date"));
        }
    }
    if let Some(duration) = component.property("DURATION") {
        if duration.duration().is_err() {
            return Err(ObjectError::Data("DURATION is none"));
        }
        if component.property("DTEND").is_some() || component.property("DUE").is_some() {
            return Err(ObjectError::Data("an end and a DURATION"));
        }
    }
    for rule in component.properties_named("RRULE") {
        if rule.value.parse::<Recur>().is_err() {
            return Err(ObjectError::Data("RRULE is none"));
        }
        // Tasks are met that recur by their DUE alone.
        if start.is_none() && component.property("DUE").is_none() {
            return Err(ObjectError::Data("RRULE without DTSTART"));
        }
    }
    for name in ["EXDATE", "RDATE"] {
        let wrong = |property: &Property| property.times().is_err() && property.periods().is_err();
        if component.properties_named(name).any(wrong) {
            return Err(ObjectError::Data("EXDATE or RDATE is no list of dates"));
        }
    }
    Ok(())
}

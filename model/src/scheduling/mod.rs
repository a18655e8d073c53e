//! What the copies of a meeting tell each other (RFC 5546), and when (RFC 6638 §3.2): the one set of rules for every
//! protocol.
//!
//! All of it is computed from calendar objects: what the organizer's change means for each attendee
//! ([`to_attendees`]), what an attendee's change means for the organizer ([`to_organizer`]), and what a message does to
//! the copy of whoever gets it ([`apply`]). As a mail it is written by [`Imip`]. Nothing here sends or stores.
//!
//! ```
//! use kontor_model::icalendar::{Component, Limits};
//! use kontor_model::scheduling::{Applied, Method, apply, to_attendees, to_organizer};
//!
//! let parse = |text: &str| Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar");
//! let meeting = parse("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
//!     DTSTAMP:20260101T000000Z\r\nDTSTART:20260302T090000Z\r\nORGANIZER:mailto:clara@example.org\r\n\
//!     ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
//! let sent = to_attendees(None, Some(&meeting), "clara@example.org");
//! assert_eq!((sent[0].method, sent[0].recipient.as_str()), (Method::Request, "anna@example.org"));
//! let Ok(Applied::Stored(annas)) = apply(None, &sent[0].calendar, "anna@example.org") else { panic!() };
//! let accepted = parse(&annas.to_string().replace("NEEDS-ACTION", "ACCEPTED"));
//! let reply = to_organizer(&annas, Some(&accepted), "anna@example.org").expect("a reply");
//! let Ok(Applied::Stored(claras)) = apply(Some(&meeting), &reply.calendar, "clara@example.org") else { panic!() };
//! assert!(claras.to_string().contains("PARTSTAT=ACCEPTED"));
//! ```

mod apply;
pub(crate) mod instances;
mod mail;
mod object;
mod outgoing;
pub(crate) mod people;

pub use apply::{Applied, Ignored, apply};
pub use mail::Imip;
pub use object::{Role, ask_again, forbidden_to_attendee, has_one_organizer, keep_answers, role, tagged};
pub use outgoing::{is_called_off, to_attendees, to_new_attendees, to_organizer};
pub use people::{is_organizer, organizer_address};

use std::fmt;

use crate::icalendar::Component;

/// What a message asks for (RFC 5546 §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is its name in RFC 5546")]
pub enum Method {
    Publish,
    Request,
    Reply,
    Add,
    Cancel,
    Refresh,
    Counter,
    DeclineCounter,
}

impl Method {
    const ALL: [Self; 8] = [
        Self::Publish,
        Self::Request,
        Self::Reply,
        Self::Add,
        Self::Cancel,
        Self::Refresh,
        Self::Counter,
        Self::DeclineCounter,
    ];

    /// The value of the `METHOD` property.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Reply => "REPLY",
            Self::Add => "ADD",
            Self::Cancel => "CANCEL",
            Self::Refresh => "REFRESH",
            Self::Counter => "COUNTER",
            Self::DeclineCounter => "DECLINECOUNTER",
        }
    }

    /// The method of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| name.trim().eq_ignore_ascii_case(method.as_str()))
    }

    /// The method of a calendar; `None` where it has none, or one that nobody knows.
    pub fn of(calendar: &Component) -> Option<Self> {
        Self::named(&calendar.property("METHOD")?.value)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message from the organizer to an attendee, or the other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Itip {
    /// What it asks for.
    pub method: Method,
    /// Whom it goes to: the SMTP address, or the URI of a calendar user who has none.
    pub recipient: String,
    /// What is sent, with its `METHOD`.
    pub calendar: Component,
}

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItipError {
    /// There is no `METHOD`, or one that nobody knows.
    #[error("no METHOD that is known")]
    Method,
    /// It is no event or task, or several.
    #[error("not one event or task")]
    Object,
}

#[cfg(test)]
mod tests;

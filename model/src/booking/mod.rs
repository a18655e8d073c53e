//! How rooms and equipment answer for themselves: by rules (the resource booking attendant, Set-CalendarProcessing;
//! CUTYPE ROOM and RESOURCE, RFC 5545 §3.2.3).
//!
//! [`decide`] judges a request (RFC 5546 §3.2.2) by the rules and by when the resource is taken; [`answered`] is what
//! the resource says to it, and [`kept`] what it keeps of it. Nothing here stores or sends.
//!
//! ```
//! use kontor_model::booking::{Asking, Decision, Rules, decide};
//! use kontor_model::icalendar::{Component, Limits};
//!
//! let request = Component::parse(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:REQUEST\r\n\
//!     BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260302T090000Z\r\nDTEND:20260302T100000Z\r\n\
//!     ORGANIZER:mailto:clara@example.org\r\nATTENDEE;CUTYPE=ROOM:mailto:blue@example.org\r\n\
//!     END:VEVENT\r\nEND:VCALENDAR\r\n", &Limits::default()).expect("a calendar");
//! let asking = Asking { names: &["clara@example.org".into()], is_of_tenant: true, existing: None };
//! let (now, nine) = (1_772_000_000, 1_772_442_000);
//! let free = decide(&Rules::default(), &request, "blue@example.org", &asking, &[], now);
//! assert_eq!(free, Decision::Accepted { declined: vec![], reason: None });
//! let taken = decide(&Rules::default(), &request, "blue@example.org", &asking, &[nine..nine + 60], now);
//! let Decision::Declined(reason) = taken else { panic!("{taken:?}") };
//! assert_eq!(reason.to_string(), "It is taken already: Mon 2 Mar 2026 09:00 UTC.");
//! ```

mod answer;
mod decide;
mod reason;

pub use answer::{answered, kept};
pub use decide::{Asking, Decision, Instance, decide, window};
pub use reason::Reason;

use crate::time_zone::TimeZone;

/// What happens to a request without anybody's doing (AutomateProcessing).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutomateProcessing {
    /// Nothing: it lies in the inbox.
    None,
    /// It is put into the calendar, and a delegate answers it.
    AutoUpdate,
    /// It is answered by the rules.
    #[default]
    AutoAccept,
}

impl AutomateProcessing {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::AutoUpdate, Self::AutoAccept];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::AutoUpdate => "AutoUpdate",
            Self::AutoAccept => "AutoAccept",
        }
    }

    /// By its word, in any case.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str().eq_ignore_ascii_case(word))
    }
}

/// The rules of a resource. The defaults are those of a new room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What happens to a request without anybody's doing.
    pub automate_processing: AutomateProcessing,
    /// Whether it is given to several at the same time.
    pub allow_conflicts: bool,
    /// Of a series, so many instances may be declined because they are taken, and the others accepted.
    pub max_conflict_instances: u32,
    /// And not more than so many of a hundred.
    pub max_conflict_percentage: u32,
    /// How many days ahead a meeting may begin.
    pub booking_window_days: u32,
    /// How long one may take; 0 = as long as it likes.
    pub maximum_duration_minutes: u32,
    /// Whether series are accepted.
    pub allow_recurring: bool,
    /// When it can be had; `None` is at any time.
    pub working_hours: Option<WorkingHours>,
    /// Whether meetings with more people than its capacity are declined.
    pub enforce_capacity: bool,
    /// How many people it holds; 0 = nobody said.
    pub capacity: u32,
    /// Its calendar does not say what a meeting is about.
    pub delete_subject: bool,
    /// Its calendar says whose a meeting is.
    pub add_organizer_to_subject: bool,
    /// Who decides where the rules do not: mail addresses.
    pub delegates: Vec<String>,
    /// Whether everybody may book.
    pub all_book_in_policy: bool,
    /// Who else may: mail addresses of people and groups.
    pub book_in_policy: Vec<String>,
    /// Whether everybody who may not book may ask the delegates.
    pub all_request_in_policy: bool,
    /// Who else may ask them.
    pub request_in_policy: Vec<String>,
    /// Whether people of elsewhere count as everybody; else their requests are left alone.
    pub process_external_meeting_messages: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            automate_processing: AutomateProcessing::AutoAccept,
            allow_conflicts: false,
            max_conflict_instances: 0,
            max_conflict_percentage: 100,
            booking_window_days: 180,
            maximum_duration_minutes: 1440,
            allow_recurring: true,
            working_hours: None,
            enforce_capacity: false,
            capacity: 0,
            delete_subject: true,
            add_organizer_to_subject: true,
            delegates: Vec::new(),
            all_book_in_policy: true,
            book_in_policy: Vec::new(),
            all_request_in_policy: false,
            request_in_policy: Vec::new(),
            process_external_meeting_messages: false,
        }
    }
}

impl Rules {
    /// Where the resource is: what days and floating times are read by.
    pub fn zone(&self) -> TimeZone {
        let named = self.working_hours.as_ref().and_then(|hours| TimeZone::named(&hours.time_zone));
        named.unwrap_or_else(TimeZone::utc)
    }

    /// What is wrong with them, with the name of the rule.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), RuleError> {
        let wrong = |rule, why: &str| Err(RuleError { rule, why: why.to_owned() });
        if self.booking_window_days > MOST_DAYS {
            return wrong("booking_window_days", &format!("at most {MOST_DAYS} days"));
        }
        if self.maximum_duration_minutes > MOST_MINUTES {
            return wrong("maximum_duration_minutes", &format!("at most {MOST_MINUTES} minutes"));
        }
        if self.max_conflict_percentage > 100 {
            return wrong("max_conflict_percentage", "at most 100");
        }
        for (rule, list) in [
            ("delegates", &self.delegates),
            ("book_in_policy", &self.book_in_policy),
            ("request_in_policy", &self.request_in_policy),
        ] {
            if list.len() > MOST_NAMES {
                return wrong(rule, &format!("at most {MOST_NAMES} of them"));
            }
        }
        if let Some(hours) = &self.working_hours {
            if hours.days == 0 || hours.days >= 1 << 7 || hours.from >= hours.until || hours.until > 24 * 60 {
                return wrong("working_hours", "some days, and an end after the beginning");
            }
            if TimeZone::named(&hours.time_zone).is_none() {
                return wrong("working_hours", &format!("{:?} is no time zone", hours.time_zone));
            }
        }
        if self.enforce_capacity && self.capacity == 0 {
            return wrong("enforce_capacity", "the capacity is not set");
        }
        let asks = self.all_request_in_policy || !self.request_in_policy.is_empty();
        if self.delegates.is_empty() && (asks || self.automate_processing != AutomateProcessing::AutoAccept) {
            return wrong("delegates", "there is nobody to decide: name delegates");
        }
        Ok(())
    }
}

/// A rule that will not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {why}")]
pub struct RuleError {
    /// Its name.
    pub rule: &'static str,
    /// For a person.
    pub why: String,
}

/// When a resource can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingHours {
    /// Bit 0 is Monday.
    pub days: u8,
    /// Minutes after midnight.
    pub from: u32,
    /// Minutes after midnight, at most 1440.
    pub until: u32,
    /// IANA id or Windows name.
    pub time_zone: String,
}

/// As long as Exchange's.
const MOST_DAYS: u32 = 1080;
/// A year.
const MOST_MINUTES: u32 = 527_040;
const MOST_NAMES: usize = 1000;

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one time that a room is taken")]
mod tests;

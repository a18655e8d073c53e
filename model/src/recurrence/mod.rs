//! What a recurrence means: the times of a rule (RFC 5545 §3.3.10), and the instances of a calendar object with its
//! further dates, exceptions and moved instances (RFC 5545 §3.8.5, §3.8.4.4).
//!
//! How MAPI stores a recurrence is [`StoredRecurrence`] (PidLidAppointmentRecur, MS-OXOCAL 2.2.1.44); rules that it can
//! say become one and back.
//!
//! All of it is counted against [`Limits`]: a rule that would take forever ends in [`TooMuch`].
//!
//! ```
//! use jiff::civil::date;
//! use kontor_model::recurrence::{Limits, Occurrences};
//!
//! let rule = "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3".parse().expect("a rule");
//! let start = date(2026, 1, 30).at(9, 0, 0, 0);
//! let times: Vec<_> = Occurrences::new(&rule, start, Limits::default()).map(Result::unwrap).collect();
//! assert_eq!(times, [30, 27, 27].into_iter().zip(1..).map(|(day, month)| date(2026, month, day).at(9, 0, 0, 0))
//!     .collect::<Vec<_>>());
//! ```

mod instances;
mod occurrences;
mod pattern;
mod span;
mod stored;

pub use instances::{Instance, instances};
pub use occurrences::Occurrences;
pub(crate) use pattern::{date_of, minutes};
pub use span::span;
pub use stored::{
    End, ExceptionInfo, Pattern, RecurrencePattern, StoredError, StoredFrequency, StoredRecurrence,
};

/// What a recurrence may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Times that are given.
    pub occurrences: u32,
    /// Days and clock times that are looked at in search of them.
    pub effort: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { occurrences: 10_000, effort: 1_000_000 }
    }
}

/// A recurrence has more instances than are wanted, or they are too hard to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recurrence has too many instances")]
pub struct TooMuch;

#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;

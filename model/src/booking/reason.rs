//! Why a resource answers as it does, for a person.

use std::fmt;

/// Why a resource answers as it does. What it is taken by, nobody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It answers nothing by itself.
    NotAutomatic,
    /// The organizer is of elsewhere, and that is not for them.
    External,
    /// It is no event that it takes part in.
    NotAnEvent,
    /// The organizer may not book it.
    NotPermitted,
    /// All of it is over.
    Past,
    /// It does not take part in series.
    Recurring,
    /// There are more instances than can be looked at.
    TooManyInstances,
    /// It takes longer than so many minutes.
    TooLong(u32),
    /// Some of it is later than so many days from now.
    BeyondWindow(u32),
    /// Some of it is when it cannot be had.
    OutsideWorkingHours(Dates),
    /// More people than it holds.
    Capacity {
        /// Who are asked.
        invited: usize,
        /// How many it holds.
        capacity: u32,
    },
    /// It is taken at these times.
    Taken(Dates),
    /// A delegate decides.
    Pending,
}

/// Some dates for a person, and how many others there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// As they are written.
    pub first: Vec<String>,
    /// So many more.
    pub others: usize,
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join("; "))?;
        if self.others > 0 { write!(f, "; and {} more", self.others) } else { Ok(()) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAutomatic => f.write_str("Requests are not answered automatically."),
            Self::External => f.write_str("People from outside the organization cannot book it."),
            Self::NotAnEvent => f.write_str("It takes part in meetings only."),
            Self::NotPermitted => f.write_str("You are not among those who may book it."),
            Self::Past => f.write_str("It cannot be booked for a time in the past."),
            Self::Recurring => f.write_str("It cannot be booked for a recurring meeting."),
            Self::TooManyInstances => f.write_str("The recurring meeting has too many instances."),
            Self::TooLong(minutes) => write!(f, "It can be booked for at most {}.", Length(*minutes)),
            Self::BeyondWindow(days) => {
                let all = "for all of it; a recurring meeting has to end by then";
                write!(f, "It can be booked at most {days} days in advance, {all}.")
            }
            Self::OutsideWorkingHours(dates) => {
                write!(f, "It can be booked within working hours only; this is not: {dates}.")
            }
            Self::Capacity { invited, capacity } => {
                write!(f, "{invited} people are invited, and it holds {capacity}.")
            }
            Self::Taken(dates) => write!(f, "It is taken already: {dates}."),
            Self::Pending => f.write_str("The request waits for somebody to decide."),
        }
    }
}

struct Length(u32);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => write!(f, "{minutes} minutes"),
            (1, 0) => f.write_str("1 hour"),
            (hours, 0) => write!(f, "{hours} hours"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

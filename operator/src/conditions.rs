//! Conditions: what was found, merged into what was said before.
//!
//! Pure. Time comes from the caller.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    True,
    /// It does not; the reason and the message say what to do.
    False,
    /// Nobody knows yet.
    Unknown,
}

impl Holds {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub type_: &'static str,
    /// Whether it holds.
    pub holds: Holds,
    /// Why, in CamelCase.
    pub reason: &'static str,
    /// Why and what to do, for a person.
    pub message: String,
}

impl Finding {
    /// It holds.
    pub fn yes(type_: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, holds: Holds::True, reason, message: message.into() }
    }

    /// It does not hold.
    pub fn no(type_: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, holds: Holds::False, reason, message: message.into() }
    }

    /// Nobody knows yet.
    pub fn unknown(type_: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, holds: Holds::Unknown, reason, message: message.into() }
    }
}

/// The conditions after `findings`: those of the same status keep the time of their last transition, those that
/// nothing was found about stay as they were.
pub fn merge(
    before: &[Condition],
    findings: &[Finding],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut after: Vec<Condition> =
        before.iter().filter(|c| findings.iter().all(|f| f.type_ != c.type_)).cloned().collect();
    for finding in findings {
        let status = finding.holds.as_str();
        let since = before.iter().find(|c| c.type_ == finding.type_ && c.status == status);
        after.push(Condition {
            type_: finding.type_.to_owned(),
            status: status.to_owned(),
            reason: finding.reason.to_owned(),
            message: truncated(&finding.message),
            observed_generation: generation,
            last_transition_time: since
                .map_or_else(|| Time(seconds(now)), |c| c.last_transition_time.clone()),
        });
    }
    after.sort_by(|a, b| rank(&a.type_).cmp(&rank(&b.type_)).then_with(|| a.type_.cmp(&b.type_)));
    after
}

/// Those of `after` whose status or reason is another one than before, with the former status.
pub fn transitions<'a>(
    before: &'a [Condition],
    after: &'a [Condition],
) -> impl Iterator<Item = (Option<&'a Condition>, &'a Condition)> {
    after.iter().filter_map(move |new| {
        let old = before.iter().find(|old| old.type_ == new.type_);
        let same = old.is_some_and(|old| old.status == new.status && old.reason == new.reason);
        (!same).then_some((old, new))
    })
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of a type is True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// The API keeps whole seconds; what is compared with it must too.
fn seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Ready is read first.
fn rank(type_: &str) -> u8 {
    u8::from(type_ != "Ready")
}

/// The API refuses messages of more than 32 KiB, and nobody reads even a tenth of that.
fn truncated(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn the_time_of_a_transition_stays_until_the_next_one() {
        let first = merge(&[], &[Finding::no("Ready", "Pending", "wait")], Some(1), at(10));
        let second = merge(&first, &[Finding::no("Ready", "Failed", "other")], Some(2), at(20));
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("Failed", Some(2)));
        let third = merge(&second, &[Finding::yes("Ready", "AllWell", "")], Some(2), at(30));
        assert_eq!(third[0].last_transition_time.0, at(30));
    }

    #[test]
    fn what_was_not_looked_at_stays_and_ready_comes_first() {
        let first = merge(&[], &[Finding::yes("Accepted", "Valid", "")], Some(1), at(10));
        let second = merge(&first, &[Finding::unknown("Ready", "Pending", "")], Some(1), at(20));
        let types: Vec<_> = second.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(types, ["Ready", "Accepted"]);
    }

    #[test]
    fn a_transition_is_another_status_or_reason_and_not_another_message() {
        let before = merge(&[], &[Finding::no("Ready", "Pending", "1 of 2")], Some(1), at(10));
        let message = merge(&before, &[Finding::no("Ready", "Pending", "2 of 2")], Some(1), at(20));
        assert_eq!(transitions(&before, &message).count(), 0);
        let reason = merge(&before, &[Finding::no("Ready", "Failed", "x")], Some(1), at(20));
        assert_eq!(transitions(&before, &reason).count(), 1);
    }
}

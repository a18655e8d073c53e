//! From what became of each copy to what the client is told.
//!
//! A recipient may stand for many mailboxes, and an SMTP reply for many recipients. When some copies are
//! stored and others are not, refusing would make the client send those that arrived again; so the message
//! is accepted, and the rest becomes ours: what may work later goes into the queue, what never will is
//! reported to the sender.

use kontor_smtp_proto::Reply;

use crate::routing::over_quota;

/// What became of one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored, in a mailbox or in the queue.
    Stored,
    /// The quota does not allow it now.
    OverQuota,
    /// The quota does not allow it, and by the policy it is not to be tried again.
    Full,
    /// There is no such mailbox any more.
    Gone,
    /// It may work later.
    Deferred,
}

/// What to do about a set of copies that share one reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was stored: the client keeps it.
    Refuse(Reply),
    /// At least one copy is stored. Indexes of copies to try again, and of those to report.
    Accept { again: Vec<usize>, bounce: Vec<usize> },
}

/// `copies` are (address, outcome).
pub(crate) fn settle(copies: &[(&str, Outcome)]) -> Verdict {
    let first = |wanted: Outcome| copies.iter().find(|(_, outcome)| *outcome == wanted);
    if first(Outcome::Stored).is_none() {
        let reply = if first(Outcome::Deferred).is_some() {
            Reply::new(451, (4, 3, 0), "Mail system is not available, try again later")
        } else if let Some((address, _)) = first(Outcome::OverQuota) {
            over_quota(address, false)
        } else if let Some((address, _)) = first(Outcome::Full) {
            over_quota(address, true)
        } else if let Some((address, _)) = first(Outcome::Gone) {
            Reply::new(550, (5, 1, 1), format!("<{address}>: no such user here"))
        } else {
            Reply::new(554, (5, 5, 1), "No valid recipients")
        };
        return Verdict::Refuse(reply);
    }
    let (mut again, mut bounce) = (Vec::new(), Vec::new());
    for (at, (_, outcome)) in copies.iter().enumerate() {
        match outcome {
            Outcome::Stored => {}
            Outcome::Deferred | Outcome::OverQuota => again.push(at),
            Outcome::Gone | Outcome::Full => bounce.push(at),
        }
    }
    Verdict::Accept { again, bounce }
}

#[cfg(test)]
mod tests {
    use super::Outcome::*;
    use super::*;

    fn refused(copies: &[(&str, Outcome)]) -> u16 {
        match settle(copies) {
            Verdict::Refuse(reply) => reply.code,
            accepted => panic!("{accepted:?}"),
        }
    }

    #[test]
    fn nothing_stored_is_refused_by_what_helps_the_client_most() {
        assert_eq!(refused(&[("a", Gone), ("b", Deferred)]), 451);
        assert_eq!(refused(&[("a", Gone), ("b", OverQuota)]), 452);
        assert_eq!(refused(&[("a", Gone), ("b", Full)]), 552);
        assert_eq!(refused(&[("a", Full), ("b", OverQuota)]), 452);
        assert_eq!(refused(&[("a", Gone)]), 550);
        assert_eq!(refused(&[]), 554);
    }

    #[test]
    fn one_stored_copy_makes_the_rest_ours() {
        let copies = [("a", Deferred), ("b", Stored), ("c", Gone), ("d", OverQuota), ("e", Full)];
        assert_eq!(settle(&copies), Verdict::Accept { again: vec![0, 3], bounce: vec![2, 4] });
    }
}

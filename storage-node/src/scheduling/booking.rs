//! A request comes to a room or to equipment: it answers for itself, by its rules.

use std::ops::Range;

use kontor_model::booking::{Asking, Decision, Rules, answered, decide, kept, window};
use kontor_model::free_busy::Busy;
use kontor_model::icalendar::Component;
use kontor_model::scheduling::{Applied, apply, organizer_address, to_organizer};
use kontor_storage_proto as proto;

use super::Scheduling;
use super::incoming::{Outcome, object_of, wire};
use crate::directory::Owner;
use crate::error::{Error, unix_now};

/// A request to a resource.
pub(super) struct Request<'a> {
    pub owner: &'a Owner,
    /// Under which address it is asked.
    pub own: &'a str,
    pub message: &'a Component,
    pub existing: Option<&'a Component>,
    /// Whether the organizer signed in.
    pub is_proven: bool,
}

impl Scheduling {
    /// What a resource does with a request. Whoever calls it keeps others from booking the same resource until it is
    /// stored.
    pub(super) async fn answer(&self, rules: &Rules, request: Request<'_>) -> Result<Outcome, Error> {
        let Request { owner, own, message, existing, is_proven } = request;
        let uid = message.components.iter().find_map(|part| part.text("UID")).unwrap_or_default();
        let Ok(Applied::Stored(copy)) = apply(existing, message, own) else {
            return Ok(Outcome::Nothing("ignored"));
        };
        let organizer = organizer_address(message).unwrap_or_default();
        let names = self.directory.names(owner.tenant_id, &organizer).await?;
        let now = unix_now();
        let mut busy: Vec<Range<i64>> = Vec::new();
        let Range { start, end } = window(rules, now);
        let mut from = start;
        while from < end {
            let until = end.min(from.saturating_add(AT_ONCE));
            let some = self.mailboxes.busy_times(owner.mailbox_id, from..until, &uid).await?;
            // Whatever is in its calendar takes it.
            busy.extend(some.into_iter().filter(|(_, kind)| *kind != Busy::Elsewhere).map(|(time, _)| time));
            from = until;
        }
        let (own, asked, existing, by) = (own.to_owned(), message.clone(), existing.cloned(), rules.clone());
        let work = move || {
            let is_of_tenant = is_proven && names.is_some();
            let names = names.unwrap_or_else(|| vec![organizer]);
            let asking = Asking { names: &names, is_of_tenant, existing: existing.as_ref() };
            let decision = decide(&by, &asked, &own, &asking, &busy, now);
            let is_open = matches!(decision, Decision::Tentative(_) | Decision::Left(_));
            (is_open, outcome(&by, &decision, &copy, &asked, existing.is_some(), &own))
        };
        let (is_open, outcome) = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Internal(format!("a request was not answered: {error}")))?;
        if is_open {
            self.ask_delegates(owner, &rules.delegates, message).await?;
        }
        Ok(outcome)
    }
}

fn outcome(
    rules: &Rules,
    decision: &Decision,
    copy: &Component,
    message: &Component,
    is_booked: bool,
    own: &str,
) -> Outcome {
    if matches!(decision, Decision::Ignored(_)) {
        return Outcome::Nothing("left_alone");
    }
    // What the organizer hears is what is another answer than the request has.
    let mut asked = message.clone();
    asked.remove("METHOD");
    let answer = answered(copy, message, own, decision);
    let send: Vec<proto::SchedulingMessage> =
        to_organizer(&asked, Some(&answered(&asked, &asked, own, decision)), own)
            .into_iter()
            .map(wire)
            .collect();
    if matches!(decision, Decision::Declined(_)) {
        // What was booked before is not any more.
        return if is_booked { Outcome::Remove(send) } else { Outcome::Send(send) };
    }
    match object_of(&kept(rules, &answer)) {
        Some(object) => Outcome::Store(Box::new(object), send),
        None => Outcome::Nothing("no_calendar"),
    }
}

/// Seconds that busy times are asked for in one question.
const AT_ONCE: i64 = 365 * 86_400;

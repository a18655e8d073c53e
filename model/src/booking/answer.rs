//! What a resource says and keeps.

use super::{Decision, Instance, Rules};
use crate::icalendar::{Component, Property};
use crate::scheduling::instances::{Which, describing, instance, part, single, zones};
use crate::scheduling::people::{self, is_part};

/// A copy of a meeting with the resource's answer to a request in it: to the instances that the request is about. Where
/// the copy is the request itself, what has changed is what the organizer is to hear
/// ([`to_organizer`](crate::scheduling::to_organizer)).
pub fn answered(copy: &Component, request: &Component, resource: &str, decision: &Decision) -> Component {
    let (answer, reason) = match decision {
        Decision::Ignored(_) => return copy.clone(),
        Decision::Left(_) => ("NEEDS-ACTION", None),
        Decision::Accepted { .. } => ("ACCEPTED", None),
        Decision::Tentative(reason) => ("TENTATIVE", Some(reason)),
        Decision::Declined(reason) => ("DECLINED", Some(reason)),
    };
    let mut out = copy.clone();
    out.remove("METHOD");
    let (asked, own) = (zones(request), zones(copy));
    let is_whole = part(request, &asked, None).is_some();
    for one in out.components.iter_mut().filter(|one| is_part(one)) {
        let which = instance(one, &own);
        if is_whole || part(request, &asked, which).is_some() {
            say(one, resource, answer, reason.map(ToString::to_string));
        }
    }
    if let Decision::Accepted { declined, reason } = decision {
        for one in declined {
            decline(&mut out, one, resource, reason.as_ref().map(ToString::to_string));
        }
    }
    out
}

/// Notes the answer in the line of the resource.
fn say(part: &mut Component, resource: &str, answer: &str, reason: Option<String>) {
    part.remove("COMMENT");
    if let Some(line) =
        part.properties.iter_mut().find(|line| line.is("ATTENDEE") && people::is(line, resource))
    {
        line.set_parameter("PARTSTAT", answer);
        line.remove_parameter("RSVP");
    }
    if let Some(reason) = reason {
        part.push(Property::with_text("COMMENT", &reason));
    }
}

/// Declines one instance of a meeting.
fn decline(calendar: &mut Component, declined: &Instance, resource: &str, reason: Option<String>) {
    let zones = zones(calendar);
    let Some(id) = &declined.recurrence_id else { return };
    let at = zones.to_unix(id);
    let is_it = |one: &&mut Component| is_part(one) && instance(one, &zones) == Some(Which::one(at));
    if let Some(own) = calendar.components.iter_mut().find(is_it) {
        return say(own, resource, "DECLINED", reason);
    }
    let Some(like) = describing(calendar, &zones, at) else { return };
    let mut own = single(like, &declined.start, declined.unix.end, &zones);
    own.set(Property::with_time("RECURRENCE-ID", id));
    say(&mut own, resource, "DECLINED", reason);
    calendar.components.push(own);
}

/// What a resource keeps of a copy in its calendar: the time, and of the subject what the rules say.
pub fn kept(rules: &Rules, copy: &Component) -> Component {
    let mut out = copy.clone();
    for part in out.components.iter_mut().filter(|part| is_part(part)) {
        part.components.retain(|inner| !inner.is("VALARM"));
        // Whoever has the resource has it, whatever the meeting does to its people's time.
        for name in ["TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-CDO-INTENDEDSTATUS"] {
            part.remove(name);
        }
        let organizer = part.property("ORGANIZER").map(|organizer| {
            let name = organizer.parameter("CN").map(str::trim).filter(|name| !name.is_empty());
            name.map_or_else(|| people::address(organizer), str::to_owned)
        });
        let subject = part.text("SUMMARY").unwrap_or_default();
        let organizer = organizer.filter(|_| rules.add_organizer_to_subject);
        let kept = match (organizer, rules.delete_subject) {
            (None, false) => continue,
            (None, true) => String::new(),
            (Some(organizer), true) => organizer,
            (Some(organizer), false) if subject.is_empty() => organizer,
            (Some(organizer), false) if subject.starts_with(&organizer) => continue,
            (Some(organizer), false) => format!("{organizer}: {subject}"),
        };
        if rules.delete_subject {
            part.remove("X-ALT-DESC");
            part.remove("DESCRIPTION");
        }
        part.remove("SUMMARY");
        if !kept.is_empty() {
            part.push(Property::with_text("SUMMARY", &kept));
        }
    }
    out
}

/// The answer of a resource in its own copy; `None` where it is not asked.
#[cfg(test)]
pub(super) fn answer_of(calendar: &Component, resource: &str, at: Option<i64>) -> Option<String> {
    let zones = zones(calendar);
    let part = part(calendar, &zones, at.map(Which::one))?;
    Some(people::answer(people::attendee(part, resource)?).to_owned())
}

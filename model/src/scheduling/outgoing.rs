//! What a change of one copy means for the others (RFC 6638 §3.2.1, §3.2.2).

use std::collections::{BTreeMap, BTreeSet};

use super::instances::{Which, detached, exclude, instance, part, said_of, zones};
use super::people::{self, address, answer, attendee, attendees, is, is_part, is_told, parts};
use super::{Itip, Method};
use crate::icalendar::value::CalendarTime;
use crate::icalendar::{Component, Property};

/// What the attendees are told when the organizer's copy changes: `None` before is a new meeting, `None` after a deleted
/// one. An attendee hears of a change of what is theirs: the time, the place, the text, who else comes; not of answers
/// and reminders.
pub fn to_attendees(before: Option<&Component>, after: Option<&Component>, organizer: &str) -> Vec<Itip> {
    let mut all: Vec<String> = Vec::new();
    for calendar in [before, after].into_iter().flatten() {
        for who in attendees(calendar, organizer) {
            if !all.contains(&who) {
                all.push(who);
            }
        }
    }
    let mut out = Vec::new();
    for who in all {
        let had = before.and_then(|calendar| seen_by(calendar, &who));
        let has =
            after.and_then(|calendar| seen_by(calendar, &who)).filter(|calendar| !is_called_off(calendar));
        let is_forced = after.is_some_and(|calendar| is_forced(calendar, &who));
        match (had, has) {
            (Some(had), Some(has)) if !is_forced && substance(&had) == substance(&has) => {}
            (had, Some(has)) => {
                // Whoever was asked to single instances alone does not see that one is gone.
                if let Some(lost) = had.and_then(|had| lost(&had, &has)) {
                    out.push(message(Method::Cancel, &who, lost));
                }
                out.push(message(Method::Request, &who, has));
            }
            (Some(had), None) if !is_called_off(&had) => {
                out.push(message(Method::Cancel, &who, cancelled(had, after)));
            }
            _ => {}
        }
    }
    out
}

/// The invitations of those alone who come to a meeting by a change of it: where an attendee has passed theirs on, for one.
pub fn to_new_attendees(before: &Component, after: &Component, organizer: &str) -> Vec<Itip> {
    let known = attendees(before, organizer);
    let mut all = to_attendees(Some(before), Some(after), organizer);
    all.retain(|message| !known.contains(&message.recipient));
    all
}

/// What the organizer is told when an attendee's copy changes; `None` after is a deleted one, which declines. `None` when
/// no answer is another one than before, or the organizer wants to hear nothing.
pub fn to_organizer(before: &Component, after: Option<&Component>, attendee: &str) -> Option<Itip> {
    let told = parts(after.unwrap_or(before)).find_map(|part| part.property("ORGANIZER"))?;
    let forced = |line: &Property| line.parameter("SCHEDULE-FORCE-SEND").is_some();
    if is(told, attendee) || !is_told(told) {
        return None;
    }
    let recipient = address(told);
    let was = answers(before, attendee);
    let mut calendar = frame(before);
    match after {
        Some(after) => {
            let zones = zones(after);
            for part in parts(after) {
                let Some(line) = people::attendee(part, attendee) else { continue };
                let which = instance(part, &zones);
                // An instance that had no component of its own was answered with those from an earlier one on, or with all.
                let earlier = || {
                    let is_earlier =
                        |known: &Which| known.and_future && which.is_some_and(|which| known.at <= which.at);
                    was.iter()
                        .rfind(|(known, _)| known.as_ref().is_none_or(is_earlier))
                        .map(|(_, answer)| answer)
                };
                let old = was.get(&which).or_else(earlier).map(String::as_str);
                if old.unwrap_or("NEEDS-ACTION") != answer(line).to_ascii_uppercase() || forced(told) {
                    calendar.components.push(reply_part(part, line.clone()));
                }
            }
            for part in left_out(before, after) {
                if let Some(mut line) = people::attendee(&part, attendee).cloned()
                    && !answer(&line).eq_ignore_ascii_case("DECLINED")
                {
                    line.set_parameter("PARTSTAT", "DECLINED");
                    calendar.components.push(reply_part(&part, line));
                }
            }
        }
        None => {
            for part in parts(before).filter(|part| !is_cancelled_part(part)) {
                let Some(line) = people::attendee(part, attendee) else { continue };
                if !answer(line).eq_ignore_ascii_case("DECLINED") {
                    let mut line = line.clone();
                    line.set_parameter("PARTSTAT", "DECLINED");
                    calendar.components.push(reply_part(part, line));
                }
            }
        }
    }
    if !calendar.components.iter().any(is_part) {
        return None;
    }
    Some(message(Method::Reply, &recipient, calendar))
}

/// The instances that an attendee has taken out of a series, as they were (RFC 6638 §3.2.2.1).
fn left_out(before: &Component, after: &Component) -> Vec<Component> {
    let (old, new) = (zones(before), zones(after));
    let (Some(was), Some(is)) = (part(before, &old, None), part(after, &new, None)) else {
        return Vec::new();
    };
    let known: BTreeSet<i64> = excluded(was).map(|at| old.to_unix(&at)).collect();
    let fresh = excluded(is).filter(|at| !known.contains(&new.to_unix(at)));
    fresh
        .take(MOST_LEFT_OUT)
        .map(|at| {
            let id = Property::with_time("RECURRENCE-ID", &at);
            said_of(before, &old, Which::one(old.to_unix(&at)), &id).unwrap_or_else(|| detached(was, &id))
        })
        .collect()
}

/// The moments in EXDATE.
fn excluded(master: &Component) -> impl Iterator<Item = CalendarTime> {
    master.properties_named("EXDATE").flat_map(|line| line.times().unwrap_or_default())
}

/// The answers of an attendee by instance.
fn answers(calendar: &Component, who: &str) -> BTreeMap<Option<Which>, String> {
    let zones = zones(calendar);
    let answers = parts(calendar).filter_map(|part| {
        let line = attendee(part, who)?;
        Some((instance(part, &zones), answer(line).to_ascii_uppercase()))
    });
    answers.collect()
}

/// What of a component goes back with an answer (RFC 5546 §3.2.3).
fn reply_part(part: &Component, mut line: Property) -> Component {
    let mut out = Component::new(part.name.as_str());
    for name in
        ["UID", "DTSTAMP", "RECURRENCE-ID", "SEQUENCE", "DTSTART", "DTEND", "DUE", "DURATION", "SUMMARY"]
    {
        out.properties.extend(part.property(name).cloned());
    }
    out.properties.extend(part.property("ORGANIZER").cloned().map(|mut organizer| {
        organizer.remove_parameter("SCHEDULE-STATUS");
        organizer.remove_parameter("SCHEDULE-FORCE-SEND");
        organizer
    }));
    line.remove_parameter("RSVP");
    out.push(line);
    out.properties.extend(part.properties_named("COMMENT").cloned());
    out
}

/// The part of a meeting that an attendee has to do with; `None` where that is nothing.
fn seen_by(calendar: &Component, who: &str) -> Option<Component> {
    let mut out = frame(calendar);
    let zones = zones(calendar);
    let mut excluded: Vec<Property> = Vec::new();
    let mut has_master = false;
    for part in parts(calendar) {
        if attendee(part, who).is_some_and(is_told) {
            has_master |= instance(part, &zones).is_none();
            out.components.push(shown(part));
        } else if let Some(id) = part.property("RECURRENCE-ID") {
            excluded.push(id.clone());
        }
    }
    if !out.components.iter().any(is_part) {
        return None;
    }
    if has_master
        && let Some(master) =
            out.components.iter_mut().find(|part| is_part(part) && part.property("RECURRENCE-ID").is_none())
    {
        for id in &excluded {
            exclude(master, id);
        }
    }
    Some(out)
}

/// A component without what is the organizer's own.
fn shown(part: &Component) -> Component {
    let mut part = part.clone();
    part.components.retain(|inner| !inner.is("VALARM"));
    for line in part.properties.iter_mut().filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER")) {
        for name in ["SCHEDULE-STATUS", "SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND"] {
            line.remove_parameter(name);
        }
    }
    for name in ["TRANSP", "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR", "X-MOZ-LASTACK", "X-MOZ-SNOOZE-TIME"] {
        part.remove(name);
    }
    part
}

/// Sorted lines of each instance, without those that change with every save and without answers.
fn substance(calendar: &Component) -> BTreeMap<Option<Which>, Vec<String>> {
    let zones = zones(calendar);
    let lines = |part: &Component| {
        let lines = part.properties.iter().filter(|line| !QUIET.iter().any(|name| line.is(name)));
        let mut lines: Vec<String> = lines
            .map(|line| {
                let mut line = line.clone();
                if line.is("ATTENDEE") || line.is("ORGANIZER") {
                    for name in
                        ["PARTSTAT", "RSVP", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND", "CN", "X-NUM-GUESTS"]
                    {
                        line.remove_parameter(name);
                    }
                }
                line.to_string()
            })
            .collect();
        lines.sort();
        lines
    };
    parts(calendar).map(|part| (instance(part, &zones), lines(part))).collect()
}

/// Whether the organizer's program wants this attendee to be told again (RFC 6638 §7.2).
fn is_forced(calendar: &Component, who: &str) -> bool {
    let lines = parts(calendar).filter_map(|part| attendee(part, who));
    lines
        .filter_map(|line| line.parameter("SCHEDULE-FORCE-SEND"))
        .any(|force| force.eq_ignore_ascii_case("REQUEST"))
}

/// The instances that somebody was asked to, one by one, and is not any more.
fn lost(had: &Component, has: &Component) -> Option<Component> {
    let (old, new) = (zones(had), zones(has));
    if parts(has).any(|part| instance(part, &new).is_none()) {
        return None;
    }
    let mut out = frame(had);
    let is_gone = |part: &&Component| {
        let which = instance(part, &old);
        which.is_some() && !parts(has).any(|other| instance(other, &new) == which)
    };
    out.components.extend(parts(had).filter(is_gone).cloned());
    out.components.iter().any(is_part).then(|| cancelled(out, None))
}

pub(super) fn is_cancelled_part(part: &Component) -> bool {
    part.property("STATUS").is_some_and(|status| status.value.trim().eq_ignore_ascii_case("CANCELLED"))
}

/// Whether nothing of a meeting takes place.
pub fn is_called_off(calendar: &Component) -> bool {
    parts(calendar).all(is_cancelled_part)
}

/// The same as called off, later than what came before.
fn cancelled(mut calendar: Component, after: Option<&Component>) -> Component {
    let next = after.into_iter().flat_map(parts).map(sequence).max();
    for part in calendar.components.iter_mut().filter(|part| is_part(part)) {
        part.set(Property::new("STATUS", "CANCELLED"));
        let sequence = next.unwrap_or(0).max(sequence(part).saturating_add(1));
        part.set(Property::new("SEQUENCE", sequence.to_string()));
    }
    calendar
}

/// SEQUENCE
pub(super) fn sequence(part: &Component) -> u32 {
    part.property("SEQUENCE").and_then(|sequence| sequence.value.trim().parse().ok()).unwrap_or(0)
}

/// A calendar with the zones of another one and nothing else.
fn frame(calendar: &Component) -> Component {
    let mut out = Component::new("VCALENDAR");
    for name in ["VERSION", "PRODID", "CALSCALE"] {
        out.properties.extend(calendar.property(name).cloned());
    }
    out.components.extend(calendar.components_named("VTIMEZONE").cloned());
    out
}

fn message(method: Method, recipient: &str, mut calendar: Component) -> Itip {
    calendar.set(Property::new("METHOD", method.as_str()));
    Itip { method, recipient: recipient.to_owned(), calendar }
}

/// Instances that one change declines.
const MOST_LEFT_OUT: usize = 1_000;
/// What says nothing that an attendee would have to hear.
const QUIET: [&str; 8] = [
    "DTSTAMP",
    "LAST-MODIFIED",
    "CREATED",
    "SEQUENCE",
    "X-MICROSOFT-CDO-BUSYSTATUS",
    "X-MOZ-GENERATION",
    "X-MICROSOFT-CDO-APPT-SEQUENCE",
    "REQUEST-STATUS",
];

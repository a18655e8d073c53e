//! A meeting as a resource that its owner changes (RFC 6638 §3.1, §3.2): whose it is, what may be changed of it, and when
//! it counts as changed.

use std::collections::BTreeMap;

use super::instances::{Which, instance, part, said_of, zones};
use super::people::{address, is_part, parts};
use crate::icalendar::value::CalendarTime;
use crate::icalendar::{Component, Property};
use crate::time_zone::{CalendarZones, wall_seconds};

/// What somebody is in a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The organizer, under this address.
    Organizer(String),
    /// An attendee, under this address.
    Attendee(String),
}

/// What somebody with these addresses is in a meeting; `None` where it is no meeting, or not theirs.
pub fn role(calendar: &Component, is_own: impl Fn(&str) -> bool) -> Option<Role> {
    let organizer = super::organizer_address(calendar)?;
    if is_own(&organizer) {
        return Some(Role::Organizer(organizer));
    }
    let attendees = parts(calendar).flat_map(|part| part.properties_named("ATTENDEE"));
    attendees.map(address).find(|who| is_own(who)).map(Role::Attendee)
}

/// Whether every component names the same organizer (RFC 6638 §3.2.4.2).
pub fn has_one_organizer(calendar: &Component) -> bool {
    let mut all = parts(calendar).map(|part| part.property("ORGANIZER").map(address));
    let first = all.next();
    all.all(|other| Some(other) == first)
}

/// Why an attendee may not make a change (RFC 6638 §3.2.2.1); `None` where they may. What is the organizer's to say is
/// when and where the meeting is, what it is about, how it recurs, and who comes.
pub fn forbidden_to_attendee(before: &Component, after: &Component, attendee: &str) -> Option<&'static str> {
    let (old, new) = (zones(before), zones(after));
    for changed in parts(after) {
        let which = instance(changed, &new);
        let like = match (which, changed.property("RECURRENCE-ID")) {
            // It may be an answer of its own to an instance that had none.
            (Some(which), Some(id)) => match said_of(before, &old, which, id) {
                Some(like) => like,
                None => return Some("this is no instance that you were invited to"),
            },
            _ => match part(before, &old, None) {
                Some(series) => series.clone(),
                None => return Some("you were invited to single instances, not to the series"),
            },
        };
        if when(&like, &old) != when(changed, &new) {
            return Some("the organizer says when a meeting is");
        }
        for (name, what) in SAID {
            let text = |part: &Component| part.text(name).unwrap_or_default().trim().to_owned();
            if text(&like) != text(changed) {
                return Some(what);
            }
        }
        if who(&like, attendee) != who(changed, attendee) {
            return Some("the organizer says who comes to a meeting");
        }
    }
    let is_gone = |part: &&Component| {
        let which = instance(part, &old);
        super::instances::part(after, &new, which).is_none()
    };
    let gone = parts(before).filter(is_gone).any(|gone| {
        // One that was taken out, or that follows the series again.
        gone.property("RECURRENCE-ID").is_none() || part(after, &new, None).is_none()
    });
    gone.then_some("a meeting is left by declining it")
}

/// Times and rules, as moments.
fn when(part: &Component, zones: &CalendarZones) -> Vec<(&'static str, Vec<i64>, String)> {
    let moment = |time: &CalendarTime| match time {
        CalendarTime::Floating(_) | CalendarTime::Date(_) => wall_seconds(time.local()),
        other => zones.to_unix(other),
    };
    let start = part.time("DTSTART").and_then(Result::ok).map(|time| moment(&time));
    let end = ["DTEND", "DUE"].into_iter().find_map(|name| part.time(name)?.ok()).map(|time| moment(&time));
    let length = part.property("DURATION").and_then(|line| line.duration().ok()).map(|d| d.to_seconds());
    let end = end.or_else(|| Some(start?.saturating_add(length?)));
    let mut out = vec![("DTSTART", start.into_iter().collect(), String::new())];
    // An end that is nowhere is the start, or the end of its day.
    out.extend(end.filter(|end| Some(*end) != start).map(|end| ("DTEND", vec![end], String::new())));
    for name in ["RRULE", "RDATE"] {
        for line in part.properties_named(name) {
            let mut rules: Vec<String> =
                line.value.to_ascii_uppercase().split(';').map(str::to_owned).collect();
            rules.retain(|rule| !matches!(rule.as_str(), "INTERVAL=1" | "WKST=MO"));
            rules.sort();
            out.push((name, Vec::new(), rules.join(";")));
        }
    }
    out
}

/// The others who take part.
fn who(part: &Component, but: &str) -> Vec<String> {
    let lines = part.properties.iter().filter(|line| line.is("ATTENDEE") || line.is("ORGANIZER"));
    // Whoever passes an invitation on brings somebody.
    let is_brought = |line: &&Property| {
        let from = line.parameter_values("DELEGATED-FROM").iter();
        from.filter_map(|uri| crate::icalendar::value::CalAddress::parse(uri).email())
            .any(|email| email.eq_ignore_ascii_case(but))
    };
    let lines = lines.filter(|line| !is_brought(line));
    let mut all: Vec<String> = lines.map(address).filter(|who| !who.eq_ignore_ascii_case(but)).collect();
    all.sort();
    all.dedup();
    all
}

/// Takes over the answers that have come since, into a change that was made from an older state (RFC 6638 §3.2.10): of
/// everybody but `owner`, where the time is the same.
pub fn keep_answers(stored: &Component, change: &mut Component, owner: &str) {
    let (old, new) = (zones(stored), zones(change));
    for changed in change.components.iter_mut().filter(|part| is_part(part)) {
        let which = instance(changed, &new);
        let Some(like) = part(stored, &old, which) else { continue };
        if when(like, &old) != when(changed, &new) {
            continue;
        }
        for line in changed.properties.iter_mut().filter(|line| line.is("ATTENDEE")) {
            let who = address(line);
            let known = like.properties_named("ATTENDEE").find(|other| address(other) == who);
            let Some(known) = known.filter(|_| !who.eq_ignore_ascii_case(owner)) else { continue };
            for name in ["PARTSTAT", "SCHEDULE-STATUS"] {
                line.remove_parameter(name);
                if let Some(value) = known.parameter(name) {
                    line.set_parameter(name, value);
                }
            }
        }
    }
}

/// Whoever agreed to another time is asked again (RFC 6638 §3.2.8): where the organizer changes when a meeting is, or how
/// it recurs, all answers but the organizer's own are open.
pub fn ask_again(before: &Component, after: &mut Component, organizer: &str) {
    let (old, new) = (zones(before), zones(after));
    for changed in after.components.iter_mut().filter(|part| is_part(part)) {
        let like = match (instance(changed, &new), changed.property("RECURRENCE-ID")) {
            (Some(which), Some(id)) => said_of(before, &old, which, id),
            _ => part(before, &old, None).cloned(),
        };
        let Some(like) = like else { continue };
        if when(&like, &old) == when(changed, &new) {
            continue;
        }
        for line in changed.properties.iter_mut().filter(|line| line.is("ATTENDEE")) {
            if !super::people::is(line, organizer) && line.parameter("PARTSTAT").is_some() {
                line.set_parameter("PARTSTAT", "NEEDS-ACTION");
            }
        }
    }
}

/// What a schedule tag is made of (RFC 6638 §3.2.10): everything but what changes when others answer. `None` where it is
/// no meeting.
pub fn tagged(calendar: &Component, owner: &str) -> Option<String> {
    super::organizer_address(calendar)?;
    let zones = zones(calendar);
    let mut all: BTreeMap<Option<Which>, Vec<String>> = BTreeMap::new();
    for part in parts(calendar) {
        let mut lines: Vec<String> =
            part.properties.iter().filter_map(|line| tagged_line(line, owner)).collect();
        lines.sort();
        lines.extend(part.components.iter().map(ToString::to_string));
        all.insert(instance(part, &zones), lines);
    }
    Some(format!("{all:?}"))
}

fn tagged_line(line: &Property, owner: &str) -> Option<String> {
    if ["DTSTAMP", "LAST-MODIFIED"].iter().any(|name| line.is(name)) {
        return None;
    }
    if !line.is("ATTENDEE") && !line.is("ORGANIZER") {
        return Some(line.to_string());
    }
    let mut line = line.clone();
    line.remove_parameter("SCHEDULE-STATUS");
    if line.is("ATTENDEE") && !super::people::is(&line, owner) {
        line.remove_parameter("PARTSTAT");
        line.remove_parameter("RSVP");
    }
    Some(line.to_string())
}

/// Texts that are the organizer's.
const SAID: [(&str, &str); 3] = [
    ("SUMMARY", "the organizer says what a meeting is about"),
    ("LOCATION", "the organizer says where a meeting is"),
    ("DESCRIPTION", "the organizer says what a meeting is about"),
];

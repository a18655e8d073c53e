//! What a message does to the copy of whoever gets it (RFC 5546 §2.1.5, §3.2; RFC 6638 §4).

use super::instances::{Which, adopt_zones, as_instance, describing, exclude, instance, part, remove, zones};
use super::outgoing::{is_cancelled_part as is_cancelled, sequence};
use super::people::{self, address, is_organizer, is_part, organizer_address, parts};
use super::{ItipError, Method};
use crate::icalendar::value::{CalAddress, CalendarTime, Recur};
use crate::icalendar::{Component, Property};
use crate::time_zone::{CalendarZones, clock, wall_seconds};

/// What came of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// This is the copy now.
    Stored(Component),
    /// Nothing changes.
    Ignored(Ignored),
    /// Nothing changes until the owner decides: a proposal of other times, or its refusal.
    Asked,
    /// The sender wants the meeting sent again.
    Resend,
}

/// Why nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The copy is of a later version.
    Stale,
    /// There is no such meeting, or instance.
    Unknown,
    /// The message is not from whom it should be, or to the wrong one: an answer to somebody who is not the organizer, a
    /// request to the organizer, or one of another organizer.
    WrongRole,
    /// The one who answers was not asked.
    NotAsked,
}

/// The copy of `owner` after a message. `existing` is that copy, without METHOD; `None` where there is none.
///
/// An attendee's copy keeps the reminders and what else is the attendee's own; an organizer's copy notes answers, for
/// single instances as well. Whether the sender may say this is the caller's to check.
///
/// # Errors
/// [`ItipError`], for what is no such message.
pub fn apply(existing: Option<&Component>, message: &Component, owner: &str) -> Result<Applied, ItipError> {
    let method = Method::of(message).ok_or(ItipError::Method)?;
    let first = parts(message).next().ok_or(ItipError::Object)?;
    let uid = first.text("UID").unwrap_or_default();
    let is_same = |part: &Component| part.text("UID").unwrap_or_default() == uid && part.is(&first.name);
    if uid.is_empty() || !parts(message).all(is_same) {
        return Err(ItipError::Object);
    }
    let own = |existing: Option<&Component>| existing.is_some_and(|existing| is_organizer(existing, owner));
    // Nobody takes over somebody else's meeting by knowing its UID.
    let organizer = existing.and_then(organizer_address);
    let is_other =
        organizer.is_some() && organizer_address(message).is_some_and(|other| organizer != Some(other));
    if is_other {
        return Ok(Applied::Ignored(Ignored::WrongRole));
    }
    Ok(match method {
        Method::Request | Method::Publish | Method::Add if own(existing) || is_organizer(message, owner) => {
            Applied::Ignored(Ignored::WrongRole)
        }
        Method::Request | Method::Publish => request(existing, message, owner),
        Method::Add => match existing {
            Some(existing) => update(existing, message, owner),
            None => Applied::Ignored(Ignored::Unknown),
        },
        Method::Cancel => match existing {
            Some(_) if own(existing) => Applied::Ignored(Ignored::WrongRole),
            Some(existing) => cancel(existing, message),
            None => Applied::Ignored(Ignored::Unknown),
        },
        Method::Reply => match existing {
            Some(existing) if own(Some(existing)) => reply(existing, message),
            Some(_) => Applied::Ignored(Ignored::WrongRole),
            None => Applied::Ignored(Ignored::Unknown),
        },
        Method::Refresh => match existing {
            Some(_) if own(existing) => Applied::Resend,
            _ => Applied::Ignored(Ignored::Unknown),
        },
        Method::Counter | Method::DeclineCounter if existing.is_some() => Applied::Asked,
        Method::Counter | Method::DeclineCounter => Applied::Ignored(Ignored::Unknown),
    })
}

/// The message as something to keep.
fn kept(message: &Component) -> Component {
    let mut calendar = message.clone();
    calendar.remove("METHOD");
    for part in calendar.components.iter_mut().filter(|part| is_part(part)) {
        part.components.retain(|inner| !inner.is("VALARM"));
        part.remove("REQUEST-STATUS");
    }
    calendar
}

fn request(existing: Option<&Component>, message: &Component, owner: &str) -> Applied {
    match existing {
        None => Applied::Stored(kept(message)),
        Some(existing) => update(existing, message, owner),
    }
}

/// A message about a meeting that is there already. One with the series replaces it, one with instances those.
fn update(existing: &Component, message: &Component, owner: &str) -> Applied {
    let new = kept(message);
    let (old_zones, new_zones) = (zones(existing), zones(&new));
    let mut out = existing.clone();
    let whole = part(&new, &new_zones, None).is_some();
    if whole {
        let old = part(existing, &old_zones, None);
        if old.is_some_and(|old| is_older(part(&new, &new_zones, None).unwrap_or(old), old)) {
            return Applied::Ignored(Ignored::Stale);
        }
        // What the series says of its instances now is all there is.
        out.components.retain(|part| !is_part(part));
    }
    let mut is_changed = whole;
    for new in parts(&new) {
        let which = instance(new, &new_zones);
        let old = part(existing, &old_zones, which);
        if old.is_some_and(|old| is_older(new, old)) {
            if whole {
                out.components.extend(old.cloned());
            }
            continue;
        }
        remove(&mut out, &old_zones, which);
        // An instance without a component of its own was as the series is.
        let like = old.or_else(|| like(existing, &old_zones, which));
        let mut new = new.clone();
        if let Some(like) = like {
            adopt_own(&mut new, like, owner);
        }
        out.components.push(new);
        is_changed = true;
    }
    if !is_changed {
        return Applied::Ignored(Ignored::Stale);
    }
    adopt_zones(&mut out, &new);
    Applied::Stored(out)
}

/// The component of an instance, or the one that says how it is.
fn like<'a>(calendar: &'a Component, zones: &CalendarZones, which: Option<Which>) -> Option<&'a Component> {
    let own = part(calendar, zones, which);
    own.or_else(|| {
        which.map_or_else(|| part(calendar, zones, None), |which| describing(calendar, zones, which.at))
    })
}

/// Takes over what is the attendee's own.
fn adopt_own(new: &mut Component, old: &Component, owner: &str) {
    new.components.extend(old.components_named("VALARM").cloned());
    for line in old.properties.iter().filter(|line| OWN.iter().any(|name| line.is(name))) {
        if new.property(&line.name).is_none() {
            new.push(line.clone());
        }
    }
    let same_time = ["DTSTART", "DTEND", "DURATION", "DUE", "RRULE"]
        .iter()
        .all(|name| new.property(name).map(|line| &line.value) == old.property(name).map(|line| &line.value));
    // An answer holds as long as the time does (RFC 6638 §3.2.8); afterwards it is what the organizer says.
    let answer = people::attendee(old, owner).map(|line| people::answer(line).to_owned());
    if let (true, Some(answer)) = (same_time, answer)
        && let Some(line) =
            new.properties.iter_mut().find(|line| line.is("ATTENDEE") && people::is(line, owner))
        && people::answer(line).eq_ignore_ascii_case("NEEDS-ACTION")
    {
        line.set_parameter("PARTSTAT", &answer);
    }
}

fn cancel(existing: &Component, message: &Component) -> Applied {
    let (old_zones, new_zones) = (zones(existing), zones(message));
    let mut out = existing.clone();
    let mut outcome = Applied::Ignored(Ignored::Unknown);
    for new in parts(message) {
        let which = instance(new, &new_zones);
        let Some(like) = like(existing, &old_zones, which) else { continue };
        if sequence(new) < sequence(like) {
            outcome = Applied::Ignored(Ignored::Stale);
            continue;
        }
        match new.property("RECURRENCE-ID") {
            None => {
                for part in out.components.iter_mut().filter(|part| is_part(part)) {
                    call_off(part, new);
                }
            }
            Some(id) if which.is_some_and(|which| which.and_future) => {
                end_before(&mut out, &old_zones, id, new);
            }
            Some(id) => {
                let master = out
                    .components
                    .iter_mut()
                    .find(|part| is_part(part) && part.property("RECURRENCE-ID").is_none());
                match master {
                    Some(master) => {
                        exclude(master, id);
                        remove(&mut out, &old_zones, which);
                    }
                    None => {
                        let own =
                            |part: &&mut Component| is_part(part) && instance(part, &old_zones) == which;
                        if let Some(part) = out.components.iter_mut().find(own) {
                            call_off(part, new);
                        }
                    }
                }
            }
        }
        outcome = Applied::Stored(Component::default());
    }
    match outcome {
        Applied::Stored(_) => Applied::Stored(out),
        other => other,
    }
}

/// Ends a series before an instance: nothing from it on takes place (RFC 5546 §3.2.5). What has no series any more is called
/// off.
fn end_before(calendar: &mut Component, zones: &CalendarZones, id: &Property, message: &Component) {
    let Ok(from) = CalendarTime::parse(&id.value, id.parameter("TZID")) else { return };
    let at = zones.to_unix(&from);
    let is_later = |time: &CalendarTime| zones.to_unix(time) >= at;
    let is_series = |part: &Component| is_part(part) && part.property("RECURRENCE-ID").is_none();
    let starts =
        calendar.components.iter().find(|part| is_series(part)).and_then(|part| part.time("DTSTART")?.ok());
    if starts.as_ref().is_none_or(is_later) {
        let later =
            |part: &&mut Component| is_part(part) && instance(part, zones).is_none_or(|which| which.at >= at);
        calendar.components.iter_mut().filter(later).for_each(|part| call_off(part, message));
        return;
    }
    calendar
        .components
        .retain(|part| !is_part(part) || instance(part, zones).is_none_or(|which| which.at < at));
    let until = match &from {
        CalendarTime::Date(_) => from.with_local(clock(wall_seconds(from.local()) - DAY)),
        CalendarTime::Floating(_) => from.with_local(clock(wall_seconds(from.local()) - 1)),
        _ => CalendarTime::Utc(clock(at - 1)),
    };
    for series in calendar.components.iter_mut().filter(|part| is_series(part)) {
        for rule in series.properties.iter_mut().filter(|line| line.is("RRULE")) {
            let Ok(mut recur) = rule.value.parse::<Recur>() else { continue };
            if recur.until.as_ref().is_none_or(is_later) {
                (recur.count, recur.until) = (None, Some(until.clone()));
                rule.value = recur.to_string();
            }
        }
        for line in series.properties.iter_mut().filter(|line| line.is("RDATE")) {
            let zone = line.parameter("TZID").map(str::to_owned);
            let begins = |piece: &&str| {
                let time = piece.split('/').next().unwrap_or_default().trim();
                !CalendarTime::parse(time, zone.as_deref()).is_ok_and(|time| is_later(&time))
            };
            line.value = line.value.split(',').filter(begins).collect::<Vec<_>>().join(",");
        }
        series.properties.retain(|line| !line.is("RDATE") || !line.value.is_empty());
        series.set(Property::new("SEQUENCE", sequence(message).max(sequence(series)).to_string()));
    }
}

fn call_off(part: &mut Component, message: &Component) {
    part.set(Property::new("STATUS", "CANCELLED"));
    part.set(Property::new("SEQUENCE", sequence(message).max(sequence(part)).to_string()));
    for name in ["DTSTAMP", "COMMENT"] {
        if let Some(line) = message.property(name) {
            part.set(line.clone());
        }
    }
}

fn reply(existing: &Component, message: &Component) -> Applied {
    let (old_zones, new_zones) = (zones(existing), zones(message));
    let mut out = existing.clone();
    let mut outcome = Applied::Ignored(Ignored::Unknown);
    for new in parts(message) {
        let Some(line) = new.property("ATTENDEE") else { continue };
        let who = address(line);
        let which = instance(new, &new_zones);
        let Some(like) = like(existing, &old_zones, which) else { continue };
        if sequence(new) < sequence(like) {
            outcome = Applied::Ignored(Ignored::Stale);
            continue;
        }
        if people::attendee(like, &who).is_none() {
            outcome = Applied::Ignored(Ignored::NotAsked);
            continue;
        }
        let is_own = |part: &Component| is_part(part) && instance(part, &old_zones) == which;
        if let (Some(id), Some(Which { at, .. })) = (new.property("RECURRENCE-ID"), which)
            && !out.components.iter().any(is_own)
        {
            let Some(mut one) = as_instance(existing, &old_zones, at) else { continue };
            one.set(id.clone());
            out.components.push(one);
        }
        let noted = out
            .components
            .iter_mut()
            .filter(|part| is_own(part))
            .flat_map(|part| part.properties.iter_mut())
            .find(|line| line.is("ATTENDEE") && people::is(line, &who));
        if let Some(noted) = noted {
            note(noted, line, new);
            let passed_on = noted.clone();
            out.components.iter_mut().filter(|part| is_own(part)).for_each(|part| bring(part, &passed_on));
            outcome = Applied::Stored(Component::default());
        }
    }
    match outcome {
        Applied::Stored(_) if out == *existing => Applied::Ignored(Ignored::Stale),
        Applied::Stored(_) => Applied::Stored(out),
        other => other,
    }
}

/// Asks those whom an attendee has passed the invitation on to (RFC 5546 §3.2.2.3). Nobody has many asked in the organizer's
/// name, and who was brought brings nobody.
fn bring(part: &mut Component, from: &Property) {
    if !people::answer(from).eq_ignore_ascii_case("DELEGATED") || from.parameter("DELEGATED-FROM").is_some() {
        return;
    }
    let by = format!("mailto:{}", address(from));
    let is_brought = |line: &&Property| line.parameter("DELEGATED-FROM") == Some(by.as_str());
    let brought = part.properties_named("ATTENDEE").filter(is_brought).count();
    let delegates = from.parameter_values("DELEGATED-TO").iter();
    for who in delegates
        .filter_map(|uri| CalAddress::parse(uri).email().map(|email| email.to_ascii_lowercase()))
        .take(MOST_DELEGATES.saturating_sub(brought))
    {
        if people::attendee(part, &who).is_some()
            || part.property("ORGANIZER").is_some_and(|line| people::is(line, &who))
        {
            continue;
        }
        let mut line = Property::new("ATTENDEE", format!("mailto:{who}"))
            .with_parameter("DELEGATED-FROM", &by)
            .with_parameter("PARTSTAT", "NEEDS-ACTION")
            .with_parameter("RSVP", "TRUE");
        if let Some(role) = from.parameter("ROLE") {
            line = line.with_parameter("ROLE", role);
        }
        part.push(line);
    }
}

/// Notes an answer in the line of an attendee.
fn note(line: &mut Property, answer: &Property, reply: &Component) {
    line.set_parameter("PARTSTAT", &people::answer(answer).to_ascii_uppercase());
    line.remove_parameter("RSVP");
    for name in ["DELEGATED-TO", "DELEGATED-FROM"] {
        let said = answer.parameters.iter().find(|parameter| parameter.is(name));
        if let Some(parameter) = said.filter(|parameter| !line.parameters.contains(parameter)) {
            line.remove_parameter(name);
            line.parameters.push(parameter.clone());
        }
    }
    let status = reply
        .property("REQUEST-STATUS")
        .map_or("2.0", |status| status.value.split(';').next().unwrap_or("2.0"));
    line.set_parameter("SCHEDULE-STATUS", status);
}

/// Whether a component is of an earlier version (RFC 5546 §2.1.5).
fn is_older(new: &Component, old: &Component) -> bool {
    let stamp = |part: &Component| part.property("DTSTAMP").map(|stamp| stamp.value.trim().to_owned());
    // Somebody who was left out, and is invited again by what has gone on without them.
    if is_cancelled(old) && stamp(new) > stamp(old) {
        return false;
    }
    sequence(new) < sequence(old) || (sequence(new) == sequence(old) && stamp(new) < stamp(old))
}

/// Seconds.
const DAY: i64 = 86_400;
/// Of one attendee.
const MOST_DELEGATES: usize = 4;
/// Lines that an attendee may have put there.
const OWN: [&str; 4] = ["TRANSP", "CATEGORIES", "COLOR", "X-MICROSOFT-CDO-BUSYSTATUS"];

//! Reminders (MS-OXCICAL 2.1.3.1.1.20.64, MS-OXORMDR 2.2.1).

use super::{Input, fields};
use crate::icalendar::{Component, Property};
use crate::message::Message;
use crate::property::{FileTime, named};

/// Sets the reminder: the first alarm that shows or sounds.
pub(super) fn read(component: &Component, input: &Input<'_>, message: &mut Message) {
    let minutes = component.components.iter().find_map(|alarm| minutes_before(alarm, component, input));
    let bag = &mut message.properties;
    bag.set(named::REMINDER_SET, minutes.is_some());
    let begins = bag.time(named::COMMON_START).or_else(|| bag.time(named::COMMON_END));
    if let Some(minutes) = minutes {
        bag.set(named::REMINDER_DELTA, minutes);
        if let Some(begins) = begins {
            bag.set(named::REMINDER_TIME, begins);
            let signal = begins.to_unix() - 60 * i64::from(minutes);
            bag.set(named::REMINDER_SIGNAL_TIME, FileTime::from_unix(signal));
        }
    }
}

/// How long before the beginning an alarm goes off; negative after it.
fn minutes_before(alarm: &Component, component: &Component, input: &Input<'_>) -> Option<i32> {
    if !alarm.is("VALARM") || !is_shown(alarm) {
        return None;
    }
    let trigger = alarm.property("TRIGGER")?;
    let begins = fields::unix(component, "DTSTART", input.zones);
    let due = fields::unix(component, "DUE", input.zones);
    let base = begins.or(due)?;
    let seconds = match trigger.duration() {
        Ok(duration) => {
            let from_end = trigger.parameter("RELATED").is_some_and(|from| from.eq_ignore_ascii_case("END"));
            let from = if from_end { due.or_else(|| ends(component, input)).unwrap_or(base) } else { base };
            base - from.saturating_add(duration.to_seconds())
        }
        Err(_) => base - input.zones.to_unix(&trigger.time().ok()?),
    };
    i32::try_from(seconds.div_euclid(60)).ok()
}

fn ends(component: &Component, input: &Input<'_>) -> Option<i64> {
    let start = component.time("DTSTART")?.ok()?;
    Some(input.zones.to_unix(&fields::end_of(component, &start, input.zones)))
}

/// Not one that sends mail, and not one that a program has put there to mean none.
fn is_shown(alarm: &Component) -> bool {
    let action = alarm.text("ACTION").unwrap_or_default();
    let default = alarm.property("X-APPLE-DEFAULT-ALARM").is_some();
    !default && ["DISPLAY", "AUDIO", ""].iter().any(|known| action.trim().eq_ignore_ascii_case(known))
}

/// Makes the reminder of a component that has none.
pub(super) fn write(component: &mut Component, message: &Message) {
    if !message.properties.boolean(named::REMINDER_SET) {
        return;
    }
    let minutes = message.properties.integer32(named::REMINDER_DELTA).unwrap_or(DEFAULT);
    let mut alarm = Component::new("VALARM");
    alarm.push(Property::new("ACTION", "DISPLAY"));
    alarm.push(Property::new("TRIGGER", trigger(minutes)));
    alarm.push(Property::with_text("DESCRIPTION", "Reminder"));
    component.components.push(alarm);
}

/// Changes the reminder where it changed; whether it did.
pub(super) fn merge(component: &mut Component, before: &Message, now: &Message) -> bool {
    let reminder = |message: &Message| {
        let bag = &message.properties;
        bag.boolean(named::REMINDER_SET).then(|| bag.integer32(named::REMINDER_DELTA).unwrap_or(DEFAULT))
    };
    let (had, has) = (reminder(before), reminder(now));
    if had == has {
        return false;
    }
    let at = component
        .components
        .iter()
        .position(|alarm| alarm.is("VALARM") && is_shown(alarm) && alarm.property("TRIGGER").is_some());
    match (at.filter(|_| had.is_some()), has) {
        (Some(at), Some(minutes)) => {
            if let Some(alarm) = component.components.get_mut(at) {
                alarm.set(Property::new("TRIGGER", trigger(minutes)));
            }
        }
        (Some(at), None) => {
            component.components.remove(at);
        }
        (None, _) => write(component, now),
    }
    true
}

fn trigger(minutes: i32) -> String {
    let sign = if minutes > 0 { "-" } else { "" };
    format!("{sign}PT{}M", minutes.unsigned_abs())
}

/// PidLidReminderDelta where it is missing (MS-OXORMDR 2.2.1.3 leaves it to the client; 15 is what they take).
const DEFAULT: i32 = 15;

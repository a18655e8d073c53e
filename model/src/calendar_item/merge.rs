//! What changed since an item was iCalendar, in the text that is kept of it.

use super::{Context, Form, Input, Kept, Kind, alarm, fields, form, is_of_all_after, made_exception, people};
use super::{original_of, recurrence};
use crate::icalendar::{CalendarObject, Component, Property};
use crate::message::Message;
use crate::time_zone::{CalendarZones, TimeZone};

/// The kept calendar with what is different now. `None` where it is no calendar object of this kind.
pub(super) fn changed(mut calendar: Component, now: &Message, context: &Context) -> Option<Component> {
    let bag = &now.properties;
    let zone = bag.string(super::KEPT_ZONE).and_then(TimeZone::named);
    // As it was read.
    let context = Context {
        owner: bag.string(super::KEPT_OWNER).unwrap_or_default().to_owned(),
        zone: zone.unwrap_or_else(|| context.zone.clone()),
    };
    let kind = Kind::of(now);
    let zones = CalendarZones::of(&calendar, context.zone.clone());
    let before = before(&calendar, &zones, &context)?;
    let first = calendar
        .components
        .iter()
        .position(|component| component.is(kind.component) && component.property("RECURRENCE-ID").is_none());
    let has_series = first.is_some();
    let first = first.or_else(|| calendar.components.iter().position(|one| one.is(kind.component)))?;
    let sides = Sides::of(calendar.components.get(first)?, &zones, &before, now, kind, &context);
    let mut is_changed = sides.merge(calendar.components.get_mut(first)?, kind);
    if has_series {
        let had = recurrence::exceptions(&before, &sides.had);
        let mut has = recurrence::exceptions(now, &sides.has);
        calendar.components.retain_mut(|component| {
            if !component.is(kind.component) || is_of_all_after(component) {
                return true;
            }
            let Some(original) = original_of(component, &zones) else { return true };
            let Some(old) = had.iter().find(|one| one.original == original) else { return true };
            let Some(at) = has.iter().position(|one| one.original == original) else {
                is_changed = true;
                return false;
            };
            let new = has.swap_remove(at);
            is_changed |= Sides::of(component, &zones, &old.message, &new.message, kind, &context)
                .merge(component, kind);
            true
        });
        has.sort_by_key(|one| one.original);
        for exception in &has {
            let old = had.iter().find(|old| old.original == exception.original);
            let made = made_exception(exception, now, kind, &sides.has, &context);
            // One that the series itself gives, such as a further date, has no component as long as it is that.
            let was = old.map(|old| made_exception(old, &before, kind, &sides.had, &context));
            if was.is_none_or(|was| !says_the_same(was, made.clone())) {
                calendar.components.push(made);
                is_changed = true;
            }
        }
    }
    if is_changed {
        form::add_zones(&mut calendar, now);
    }
    Some(calendar)
}

/// The item that the kept text gives.
fn before(calendar: &Component, zones: &CalendarZones, context: &Context) -> Option<Message> {
    let object = CalendarObject::check(calendar).ok()?;
    let mut message = super::read(&object, &Input { context, zones }).ok()?;
    message.properties.set(super::KEPT_OWNER, context.owner.as_str());
    Some(message)
}

/// An item before and now, and the forms of its times.
struct Sides<'a> {
    before: &'a Message,
    now: &'a Message,
    had: Form,
    has: Form,
}

impl<'a> Sides<'a> {
    fn of(
        component: &Component,
        zones: &CalendarZones,
        before: &'a Message,
        now: &'a Message,
        kind: &Kind,
        context: &Context,
    ) -> Self {
        let kept = Kept { component, zones };
        let form = |message| (kind.form)(message, Some(&kept), context);
        Self { before, now, had: form(before), has: form(now) }
    }

    /// Changes the lines of a component; whether there was anything to change.
    fn merge(&self, component: &mut Component, kind: &Kind) -> bool {
        let mut is_changed = false;
        for field in kind.fields {
            let had = (field.lines)(self.before, &self.had);
            let has = (field.lines)(self.now, &self.has);
            if had != has {
                replace(component, field.names, &had, has);
                is_changed = true;
            }
        }
        is_changed |= alarm::merge(component, self.before, self.now);
        if is_changed {
            fields::stamp(component, self.now);
        }
        is_changed
    }
}

/// Whether two components differ in nothing but when they were made.
fn says_the_same(mut one: Component, mut other: Component) -> bool {
    for component in [&mut one, &mut other] {
        ["DTSTAMP", "CREATED", "LAST-MODIFIED"].iter().for_each(|name| component.remove(name));
    }
    one == other
}

/// Puts lines in the place of those of their names. Of a person who is still there, the line stays as far as it says
/// what it said before.
fn replace(component: &mut Component, names: &[&str], had: &[Property], has: Vec<Property>) {
    let is_one = |property: &Property| names.iter().any(|name| property.is(name));
    let at = component.properties.iter().position(is_one).unwrap_or(component.properties.len());
    if names == recurrence::EXDATE.names && had.iter().all(|line| has.contains(line)) {
        let new = has.into_iter().filter(|line| !had.contains(line));
        component.properties.splice(at..at, new);
        return;
    }
    let (old, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut component.properties).into_iter().partition(is_one);
    component.properties = rest;
    let lines = has.into_iter().map(|line| {
        if !line.is("ATTENDEE") && !line.is("ORGANIZER") {
            return line;
        }
        let kept = old.iter().find(|kept| people::are_same(kept, &line));
        let said = had.iter().find(|said| people::are_same(said, &line));
        match (kept, said) {
            (Some(kept), Some(said)) => amended(kept, said, &line),
            _ => line,
        }
    });
    let lines: Vec<_> = lines.collect();
    let at = at.min(component.properties.len());
    component.properties.splice(at..at, lines);
}

/// A kept line with the parameters that are said differently now.
fn amended(kept: &Property, said: &Property, says: &Property) -> Property {
    let mut line = kept.clone();
    for parameter in &said.parameters {
        if says.parameter(&parameter.name).is_none() {
            line.remove_parameter(&parameter.name);
        }
    }
    for parameter in says.parameters.iter().filter(|new| !said.parameters.contains(new)) {
        let value = parameter.values.first().map(String::as_str).unwrap_or_default();
        line.set_parameter(&parameter.name, value);
    }
    line
}

//! Whether a calendar object matches a filter (RFC 4791 §9.7, §9.9).

use std::cell::Cell;
use std::ops::Range;

use kontor_model::icalendar::value::{Duration, PeriodEnd};
use kontor_model::icalendar::{CalendarObject, Component, ObjectKind, Property};
use kontor_model::recurrence::{Instance, instances};
use kontor_model::time_zone::{CalendarZones, TimeZone};

use crate::TimeRange;
use crate::limits::MATCHING;
use crate::request::{CompFilter, CompTest, ParamFilter, ParamTest, PropFilter, PropTest, ValueTest};

impl CompFilter {
    /// Whether a `VCALENDAR` matches. Floating times and dates are read in the zone `floating`.
    ///
    /// An object with so many instances that not all can be looked at matches every range of time: a client rather gets
    /// one too many than misses one.
    pub fn matches(&self, calendar: &Component, floating: &TimeZone) -> bool {
        match &self.test {
            CompTest::NotDefined => !calendar.is(&self.name),
            CompTest::Defined { properties, components, .. } => {
                let zones = CalendarZones::of(calendar, floating.clone());
                let object = Object { calendar, zones, expansions: Cell::new(MOST_EXPANSIONS) };
                calendar.is(&self.name)
                    && properties.iter().all(|filter| object.has_property(filter, calendar))
                    && components.iter().all(|filter| object.has_component(filter, calendar))
            }
        }
    }
}

/// A calendar object that is looked at.
struct Object<'a> {
    calendar: &'a Component,
    zones: CalendarZones,
    /// How often instances may still be looked for.
    expansions: Cell<u32>,
}

impl<'a> Object<'a> {
    fn has_component(&self, filter: &CompFilter, parent: &'a Component) -> bool {
        let mut named = parent.components.iter().filter(|component| component.is(&filter.name));
        let CompTest::Defined { time_range, properties, components } = &filter.test else {
            return named.next().is_none();
        };
        let matches = |component: &&'a Component| {
            properties.iter().all(|filter| self.has_property(filter, component))
                && components.iter().all(|filter| self.has_component(filter, component))
        };
        let Some(range) = time_range else { return named.any(|component| matches(&component)) };
        let found: Vec<&'a Component> = named.filter(matches).collect();
        found.first().is_some_and(|first| self.is_any_in(first, &found, parent, &range.closed()))
    }

    /// Whether one of some components of one name is in a range.
    fn is_any_in(
        &self,
        first: &Component,
        found: &[&'a Component],
        parent: &'a Component,
        range: &Range<i64>,
    ) -> bool {
        if first.is("VALARM") {
            return found.iter().any(|alarm| self.rings_in(alarm, parent, range));
        }
        match ObjectKind::of(first) {
            Some(ObjectKind::FreeBusy) => found.iter().any(|component| self.is_busy_in(component, range)),
            Some(ObjectKind::Availability) => {
                found.iter().any(|component| self.is_available_in(component, range))
            }
            Some(kind) => {
                let is_found = |instance: &Instance<'_>| {
                    found.iter().any(|component| std::ptr::eq(*component, instance.component))
                        && is_instance_in(instance, kind, range)
                };
                let timeless = |component: &&Component| self.is_timeless_in(component, range);
                (kind == ObjectKind::Todo && found.iter().any(timeless))
                    || self.has_instance(kind, &widened(range, DAY), is_found)
            }
            None => false,
        }
    }

    /// Whether an instance of what has this kind is as it should be, of those around a range. The range is looked at in
    /// growing pieces, so that what has no end is not followed to its end.
    fn has_instance(
        &self,
        kind: ObjectKind,
        range: &Range<i64>,
        mut is_found: impl FnMut(&Instance<'_>) -> bool,
    ) -> bool {
        let object = self.of_kind(kind);
        let Some(earliest) = self.earliest(&object) else { return false };
        let recurs = object.master.is_some_and(|master| master.property("RRULE").is_some());
        let mut span = if recurs { 400 * DAY } else { i64::MAX };
        let mut from = range.start.max(earliest.saturating_sub(2 * DAY));
        while from < range.end {
            let until = from.saturating_add(span).min(range.end);
            let Some(left) = self.expansions.get().checked_sub(1) else { return true };
            self.expansions.set(left);
            match instances(&object, &self.zones, from..until, MATCHING) {
                Ok(found) if found.iter().any(&mut is_found) => return true,
                Ok(_) => {}
                Err(_) => return true,
            }
            from = until;
            span = span.saturating_mul(8);
        }
        false
    }

    fn of_kind(&self, kind: ObjectKind) -> CalendarObject<'a> {
        object_of(self.calendar, kind)
    }

    /// No instance begins before this.
    fn earliest(&self, object: &CalendarObject<'_>) -> Option<i64> {
        let components = object.master.iter().chain(&object.overrides);
        let starts = components.filter_map(|component| {
            let start = component.time("DTSTART").or_else(|| component.time("DUE"))?;
            start.ok().map(|start| self.zones.to_unix(&start))
        });
        let further = object.master.iter().flat_map(|master| master.properties_named("RDATE"));
        let further = further.flat_map(|property| match property.times() {
            Ok(times) => times,
            Err(_) => property.periods().unwrap_or_default().into_iter().map(|period| period.start).collect(),
        });
        starts.chain(further.map(|time| self.zones.to_unix(&time))).min()
    }

    fn unix(&self, component: &Component, name: &str) -> Option<i64> {
        component.time(name)?.ok().map(|time| self.zones.to_unix(&time))
    }

    /// A task that neither begins nor is due.
    fn is_timeless_in(&self, todo: &Component, range: &Range<i64>) -> bool {
        if todo.property("DTSTART").is_some() || todo.property("DUE").is_some() {
            return false;
        }
        let Range { start, end } = *range;
        match (self.unix(todo, "COMPLETED"), self.unix(todo, "CREATED")) {
            (Some(completed), Some(created)) => {
                (start <= created || start <= completed) && (end >= created || end >= completed)
            }
            (Some(completed), None) => start <= completed && end >= completed,
            (None, Some(created)) => end > created,
            (None, None) => true,
        }
    }

    fn is_busy_in(&self, busy: &Component, range: &Range<i64>) -> bool {
        match (self.unix(busy, "DTSTART"), self.unix(busy, "DTEND")) {
            (Some(start), Some(end)) => range.start <= end && range.end > start,
            _ => busy.properties_named("FREEBUSY").any(|property| self.has_period_in(property, range)),
        }
    }

    /// RFC 7953 §3.1: what does not begin or end is available from or for ever.
    fn is_available_in(&self, availability: &Component, range: &Range<i64>) -> bool {
        let start = self.unix(availability, "DTSTART");
        let lasts = availability.property("DURATION").and_then(|duration| duration.duration().ok());
        let end =
            self.unix(availability, "DTEND").or(start.zip(lasts).map(|(start, lasts)| later(start, lasts)));
        start.is_none_or(|start| start < range.end) && end.is_none_or(|end| end > range.start)
    }

    fn has_period_in(&self, property: &Property, range: &Range<i64>) -> bool {
        property.periods().unwrap_or_default().iter().any(|period| {
            let start = self.zones.to_unix(&period.start);
            let end = match &period.end {
                PeriodEnd::Explicit(end) => self.zones.to_unix(end),
                PeriodEnd::Duration(duration) => later(start, *duration),
            };
            range.start < end && range.end > start
        })
    }

    /// Whether an alarm goes off in a range, for any instance of the component that it is in.
    fn rings_in(&self, alarm: &Component, parent: &Component, range: &Range<i64>) -> bool {
        let Some(trigger) = alarm.property("TRIGGER") else { return false };
        let rings = Rings::of(alarm);
        if let Ok(time) = trigger.time() {
            return rings.any_in(self.zones.to_unix(&time), range);
        }
        let (Ok(offset), Some(kind)) = (trigger.duration(), ObjectKind::of(parent)) else { return false };
        let offset = offset.to_seconds();
        let from_end =
            trigger.parameter("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
        let base =
            range.start.saturating_sub(offset).saturating_sub(rings.last())..range.end.saturating_sub(offset);
        self.has_instance(kind, &widened(&base, DAY), |instance| {
            let from = if from_end { instance.unix.end } else { instance.unix.start };
            std::ptr::eq(instance.component, parent) && rings.any_in(from.saturating_add(offset), range)
        })
    }

    fn has_property(&self, filter: &PropFilter, component: &Component) -> bool {
        let mut named = component.properties_named(&filter.name);
        match &filter.test {
            PropTest::NotDefined => named.next().is_none(),
            PropTest::Defined { value, parameters } => named.any(|property| {
                value.as_ref().is_none_or(|value| self.has_value(value, property))
                    && parameters.iter().all(|filter| has_parameter(filter, property))
            }),
        }
    }

    fn has_value(&self, test: &ValueTest, property: &Property) -> bool {
        match test {
            ValueTest::Text(text) => text.holds(&property.text()),
            ValueTest::TimeRange(range) => self.is_value_in(property, range),
        }
    }

    fn is_value_in(&self, property: &Property, range: &TimeRange) -> bool {
        let range = range.closed();
        let Ok(times) = property.times() else { return self.has_period_in(property, &range) };
        times.iter().any(|time| {
            let unix = self.zones.to_unix(time);
            if time.is_date() {
                unix < range.end && unix.saturating_add(DAY) > range.start
            } else {
                range.contains(&unix)
            }
        })
    }
}

fn has_parameter(filter: &ParamFilter, property: &Property) -> bool {
    let is_there = property.parameters.iter().any(|parameter| parameter.is(&filter.name));
    match &filter.test {
        ParamTest::Defined => is_there,
        ParamTest::NotDefined => !is_there,
        ParamTest::Text(text) => {
            property.parameter_values(&filter.name).iter().any(|value| text.holds(value))
        }
    }
}

/// The components of one kind as one object. What is stored has one UID and one kind; what has more is not refused here.
pub(crate) fn object_of(calendar: &Component, kind: ObjectKind) -> CalendarObject<'_> {
    let named = || calendar.components_named(kind.component_name());
    let changes = |component: &&Component| component.property("RECURRENCE-ID").is_some();
    let uid = named().next().and_then(|component| component.text("UID")).unwrap_or_default();
    let master = named().find(|component| !changes(component));
    CalendarObject { uid, kind, master, overrides: named().filter(changes).collect() }
}

/// The tables of RFC 4791 §9.9.
fn is_instance_in(instance: &Instance<'_>, kind: ObjectKind, range: &Range<i64>) -> bool {
    let Range { start, end } = *range;
    let Range { start: begins, end: ends } = instance.unix;
    let has = |name| instance.component.property(name).is_some();
    let at_start = start <= begins && end > begins;
    match kind {
        ObjectKind::Todo if has("DTSTART") && has("DURATION") => {
            start <= ends && (end > begins || end >= ends)
        }
        ObjectKind::Todo if has("DTSTART") && has("DUE") => {
            (start < ends || start <= begins) && (end > begins || end >= ends)
        }
        ObjectKind::Todo if has("DTSTART") => at_start,
        ObjectKind::Todo => start < ends && end >= ends,
        ObjectKind::Journal if instance.start.is_date() => start < begins.saturating_add(DAY) && end > begins,
        _ if ends > begins => begins < end && ends > start,
        _ => at_start,
    }
}

/// How often an alarm goes off (RFC 5545 §3.6.6), in seconds after its trigger.
struct Rings {
    repeat: i64,
    every: i64,
}

impl Rings {
    fn of(alarm: &Component) -> Self {
        let repeat = alarm.property("REPEAT").and_then(|repeat| repeat.value.trim().parse::<u16>().ok());
        let every =
            alarm.property("DURATION").and_then(|every| every.duration().ok()).map(Duration::to_seconds);
        match (repeat, every) {
            (Some(repeat), Some(every)) if every > 0 => Self { repeat: i64::from(repeat), every },
            _ => Self { repeat: 0, every: 1 },
        }
    }

    fn last(&self) -> i64 {
        self.repeat.saturating_mul(self.every)
    }

    fn any_in(&self, trigger: i64, range: &Range<i64>) -> bool {
        let before = range.start.saturating_sub(trigger).max(0);
        let times = before / self.every + i64::from(before % self.every > 0);
        let first = trigger.saturating_add(times.saturating_mul(self.every));
        times <= self.repeat && range.contains(&first)
    }
}

fn later(start: i64, lasts: Duration) -> i64 {
    start.saturating_add(lasts.to_seconds())
}

fn widened(range: &Range<i64>, by: i64) -> Range<i64> {
    range.start.saturating_sub(by)..range.end.saturating_add(by)
}

const DAY: i64 = 86_400;
/// Only an object of many changed instances with alarms needs more than a few.
const MOST_EXPANSIONS: u32 = 64;

#[cfg(test)]
mod tests;

//! What of a calendar object an answer holds (RFC 4791 §9.6).

use std::collections::BTreeSet;
use std::ops::Range;

use kontor_model::icalendar::value::{CalendarTime, Duration, Period, PeriodEnd};
use kontor_model::icalendar::{CalendarObject, Component, ObjectKind, Property};
use kontor_model::recurrence::{Instance, TooMuch, instances};
use kontor_model::time_zone::{CalendarZones, TimeZone, clock};

use crate::calendar_filter::object_of;
use crate::limits::EXPANDING;
use crate::request::{CalendarData, CompSelection, PropSelection, RecurrenceSelection, Selected};

impl CalendarData {
    /// Whether an object is wanted as it is stored.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// What is wanted of a `VCALENDAR`. Floating times and dates are read in the zone `floating`.
    ///
    /// # Errors
    /// [`TooMuch`], when it would be expanded into too many instances.
    pub fn select(&self, calendar: &Component, floating: &TimeZone) -> Result<Component, TooMuch> {
        let zones = || CalendarZones::of(calendar, floating.clone());
        let mut selected = match &self.recurrence {
            None => calendar.clone(),
            Some(RecurrenceSelection::Expand(range)) => expand(calendar, &zones(), range)?,
            Some(RecurrenceSelection::Limit(range)) => limit(calendar, &zones(), range),
        };
        if let Some(range) = &self.limit_freebusy_set {
            limit_busy(&mut selected, &zones(), range);
        }
        Ok(match &self.comp {
            Some(comp) => prune(&selected, comp),
            None => selected,
        })
    }
}

/// Every instance in a range as a component without a recurrence, its times in UTC (RFC 4791 §9.6.5).
fn expand(calendar: &Component, zones: &CalendarZones, range: &Range<i64>) -> Result<Component, TooMuch> {
    let mut out = Component { components: Vec::new(), ..calendar.clone() };
    let mut budget = MOST_OCTETS;
    for kind in RECURRING {
        let object = object_of(calendar, kind);
        for instance in instances(&object, zones, range.clone(), EXPANDING)? {
            budget = budget.checked_sub(octets(instance.component)).ok_or(TooMuch)?;
            out.components.push(alone(&instance, zones));
        }
    }
    for component in &calendar.components {
        let is_expanded = ObjectKind::of(component).is_some_and(|kind| RECURRING.contains(&kind));
        // A task without times has no instances, and is there always.
        let is_timeless = component.property("DTSTART").is_none() && component.property("DUE").is_none();
        if !component.is("VTIMEZONE") && (!is_expanded || is_timeless) {
            let mut copy = component.clone();
            to_utc(&mut copy, zones);
            out.components.push(copy);
        }
    }
    Ok(out)
}

/// About how long a component is when it is written.
fn octets(component: &Component) -> usize {
    let values = |values: &[String]| values.iter().map(String::len).sum::<usize>();
    let parameters = |property: &Property| -> usize {
        property.parameters.iter().map(|parameter| parameter.name.len() + values(&parameter.values)).sum()
    };
    let own = component
        .properties
        .iter()
        .map(|property| EACH + property.name.len() + property.value.len() + parameters(property));
    EACH + own.sum::<usize>() + component.components.iter().map(octets).sum::<usize>()
}

/// The component of one instance.
fn alone(instance: &Instance<'_>, zones: &CalendarZones) -> Component {
    let mut component = instance.component.clone();
    for name in ["RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"] {
        component.remove(name);
    }
    let Range { start, end } = instance.unix;
    let has_start = component.property("DTSTART").is_some();
    if has_start {
        set_time(&mut component, "DTSTART", &moment(start, &instance.start, zones));
    }
    for name in ["DTEND", "DUE"] {
        if component.property(name).is_some() {
            set_time(&mut component, name, &moment(end, &instance.start, zones));
        }
    }
    if !instance.start.is_date()
        && let Some(duration) = component.property_mut("DURATION")
    {
        duration.value = Duration::from_seconds(end.saturating_sub(start)).to_string();
    }
    if let Some(id) = &instance.recurrence_id {
        component.push(Property::with_time("RECURRENCE-ID", &moment(zones.to_unix(id), id, zones)));
    }
    to_utc(&mut component, zones);
    component
}

/// A moment as a date, a floating time, or else in UTC.
fn moment(unix: i64, like: &CalendarTime, zones: &CalendarZones) -> CalendarTime {
    let local = || zones.zone_of(like).to_local(unix);
    match like {
        CalendarTime::Date(_) => CalendarTime::Date(local().date()),
        CalendarTime::Floating(_) => CalendarTime::Floating(local()),
        CalendarTime::Utc(_) | CalendarTime::Zoned(..) => CalendarTime::Utc(clock(unix)),
    }
}

/// Gives a property another time and keeps its other parameters.
fn set_time(component: &mut Component, name: &str, time: &CalendarTime) {
    let Some(property) = component.property_mut(name) else { return };
    let with_time = Property::with_time(name, time);
    property.value = with_time.value;
    property.parameters.retain(|parameter| !parameter.is("TZID") && !parameter.is("VALUE"));
    property.parameters.extend(with_time.parameters);
}

/// Makes the times that still are of a zone UTC.
fn to_utc(component: &mut Component, zones: &CalendarZones) {
    for property in component.properties.iter_mut().filter(|property| property.parameter("TZID").is_some()) {
        let Ok(times) = property.times() else { continue };
        let times: Vec<String> =
            times.iter().map(|time| moment(zones.to_unix(time), time, zones).to_string()).collect();
        property.value = times.join(",");
        property.remove_parameter("TZID");
    }
    component.components.iter_mut().for_each(|inner| to_utc(inner, zones));
}

/// The object without the changed instances that do not matter in a range (RFC 4791 §9.6.6).
fn limit(calendar: &Component, zones: &CalendarZones, range: &Range<i64>) -> Component {
    let mut out = calendar.clone();
    let mut kept: BTreeSet<usize> = BTreeSet::new();
    for kind in RECURRING {
        let object = object_of(calendar, kind);
        // Where the recurrence has its instances, if nothing had changed them.
        let unchanged = CalendarObject { overrides: Vec::new(), ..object.clone() };
        let found = instances(&object, zones, range.clone(), EXPANDING);
        let original = instances(&unchanged, zones, range.clone(), EXPANDING);
        let (Ok(found), Ok(original)) = (found, original) else { return out };
        let moments: BTreeSet<i64> = original
            .iter()
            .filter_map(|instance| instance.recurrence_id.as_ref())
            .map(|id| zones.to_unix(id))
            .collect();
        for (at, component) in calendar.components.iter().enumerate() {
            let Some(id) = component.property("RECURRENCE-ID") else { continue };
            let Some(moment) = id.time().ok().map(|time| zones.to_unix(&time)) else { continue };
            let is_future = id.parameter("RANGE").is_some_and(|r| r.eq_ignore_ascii_case("THISANDFUTURE"));
            if ObjectKind::of(component) == Some(kind)
                && (moments.contains(&moment)
                    || (is_future && moment < range.end)
                    || found.iter().any(|instance| std::ptr::eq(instance.component, component)))
            {
                kept.insert(at);
            }
        }
    }
    let mut at = 0;
    out.components.retain(|component| {
        let keep = component.property("RECURRENCE-ID").is_none() || kept.contains(&at);
        at += 1;
        keep
    });
    out
}

/// Only the busy times in a range (RFC 4791 §9.6.7).
fn limit_busy(calendar: &mut Component, zones: &CalendarZones, range: &Range<i64>) {
    for component in calendar.components.iter_mut().filter(|component| component.is("VFREEBUSY")) {
        component.properties.retain_mut(|property| {
            if !property.is("FREEBUSY") {
                return true;
            }
            let zone = property.parameter("TZID");
            let is_in =
                |piece: &&str| Period::parse(piece, zone).is_ok_and(|period| overlaps(&period, zones, range));
            let kept: Vec<&str> = property.value.split(',').map(str::trim).filter(is_in).collect();
            let kept = kept.join(",");
            property.value = kept;
            !property.value.is_empty()
        });
    }
}

fn overlaps(period: &Period, zones: &CalendarZones, range: &Range<i64>) -> bool {
    let start = zones.to_unix(&period.start);
    let end = match &period.end {
        PeriodEnd::Explicit(end) => zones.to_unix(end),
        PeriodEnd::Duration(duration) => start.saturating_add(duration.to_seconds()),
    };
    start < range.end && end > range.start
}

/// Only the properties and components that are listed (RFC 4791 §9.6.1).
fn prune(component: &Component, selection: &CompSelection) -> Component {
    let properties = match &selection.properties {
        Selected::All => component.properties.clone(),
        Selected::Listed(listed) => {
            let wanted = |property: &Property| {
                let found = listed.iter().find(|selection| property.is(&selection.name))?;
                Some(valued(property, found))
            };
            component.properties.iter().filter_map(wanted).collect()
        }
    };
    let components = match &selection.components {
        Selected::All => component.components.clone(),
        Selected::Listed(listed) => {
            let wanted = |inner: &Component| {
                let found = listed.iter().find(|selection| inner.is(&selection.name))?;
                Some(prune(inner, found))
            };
            component.components.iter().filter_map(wanted).collect()
        }
    };
    Component { name: component.name.clone(), properties, components }
}

fn valued(property: &Property, selection: &PropSelection) -> Property {
    let mut property = property.clone();
    if selection.no_value {
        property.value.clear();
    }
    property
}

/// The kinds that have instances.
const RECURRING: [ObjectKind; 3] = [ObjectKind::Event, ObjectKind::Todo, ObjectKind::Journal];
/// What a property costs apart from its text.
const EACH: usize = 64;
/// Of an object when it is expanded.
const MOST_OCTETS: usize = 16 << 20;

#[cfg(test)]
mod tests;

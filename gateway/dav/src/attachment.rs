//! Attachments that the server keeps (RFC 8607): the ATTACH properties of a calendar object, and to which of its components
//! they belong.

use bytes::Bytes;
use kontor_model::icalendar::value::CalendarTime;
use kontor_model::icalendar::{CalendarObject, Component, Property};
use kontor_model::recurrence::{Limits, instances};
use kontor_model::time_zone::{CalendarZones, TimeZone};

use crate::lock::{token_in, token_uri};

/// A file that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub id: Bytes,
    pub name: String,
    pub content_type: String,
    pub size: u64,
}

impl Attachment {
    /// Its property; `url` is where it is had.
    fn property(&self, url: &str) -> Property {
        let mut property = Property::new("ATTACH", url);
        property.set_parameter("MANAGED-ID", &id_text(&self.id));
        property.set_parameter("FMTTYPE", &self.content_type);
        property.set_parameter("SIZE", &self.size.to_string());
        property.set_parameter("FILENAME", &self.name);
        property
    }
}

/// Which instances are meant (RFC 8607 §3.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instances {
    /// All: the master, and every instance that is described by itself.
    All,
    /// The master, and these.
    Some { master: bool, ids: Vec<CalendarTime> },
}

impl Instances {
    /// Reads the value of `rid`; `None` where it is no list of recurrence ids.
    pub fn parse(value: &str) -> Option<Self> {
        let (mut master, mut ids) = (false, Vec::new());
        for word in value.split(',').map(str::trim) {
            if word == "M" {
                master = true;
                continue;
            }
            let mut property = Property::new("RECURRENCE-ID", word);
            if !word.contains('T') {
                property.set_parameter("VALUE", "DATE");
            }
            ids.push(property.time().ok()?);
        }
        (ids.len() <= MOST_INSTANCES).then_some(Self::Some { master, ids })
    }
}

/// Adds a file to instances; `None` where one of them is none of this object.
pub(crate) fn add(calendar: &mut Component, which: &Instances, file: &Attachment, url: &str) -> Option<()> {
    let property = file.property(url);
    for at in places(calendar, which)? {
        calendar.components.get_mut(at)?.push(property.clone());
    }
    Some(())
}

/// Puts a file where another was; `None` where it was nowhere.
pub(crate) fn replace(calendar: &mut Component, id: &[u8], file: &Attachment, url: &str) -> Option<()> {
    let mut found = false;
    for component in &mut calendar.components {
        for property in component.properties.iter_mut().filter(|property| is_managed(property, id)) {
            *property = file.property(url);
            found = true;
        }
    }
    found.then_some(())
}

/// Why a file is not taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotThere {
    Instance,
    File,
}

/// Takes a file from instances.
pub(crate) fn remove(calendar: &mut Component, which: &Instances, id: &[u8]) -> Result<(), NotThere> {
    let places = places(calendar, which).ok_or(NotThere::Instance)?;
    let mut found = false;
    for at in places {
        if let Some(component) = calendar.components.get_mut(at) {
            let before = component.properties.len();
            component.properties.retain(|property| !is_managed(property, id));
            found |= component.properties.len() < before;
        }
    }
    if found { Ok(()) } else { Err(NotThere::File) }
}

/// The files that an object names, each once.
pub(crate) fn named(calendar: &Component) -> Vec<Bytes> {
    let attached = calendar.components.iter().flat_map(|component| component.properties_named("ATTACH"));
    let mut ids: Vec<Bytes> =
        attached.filter_map(|property| id_in(property.parameter("MANAGED-ID")?)).take(MOST_NAMED).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// How many files the component with the most of them has.
pub(crate) fn most(calendar: &Component) -> usize {
    let of = |component: &Component| {
        component.properties_named("ATTACH").filter(|attach| attach.parameter("MANAGED-ID").is_some()).count()
    };
    calendar.components.iter().map(of).max().unwrap_or_default()
}

/// An id as it stands in MANAGED-ID and in paths.
pub(crate) fn id_text(id: &[u8]) -> String {
    token_uri(id).trim_start_matches("urn:uuid:").to_owned()
}

/// The id in a MANAGED-ID of ours.
pub(crate) fn id_in(text: &str) -> Option<Bytes> {
    token_in(&format!("urn:uuid:{text}"))
}

fn is_managed(property: &Property, id: &[u8]) -> bool {
    property.is("ATTACH")
        && property.parameter("MANAGED-ID").and_then(id_in).is_some_and(|managed| managed[..] == *id)
}

/// Where the components of instances are. An instance that the master alone describes gets a component of its own.
fn places(calendar: &mut Component, which: &Instances) -> Option<Vec<usize>> {
    let is_timed = |component: &Component| !component.is("VTIMEZONE");
    let Instances::Some { master, ids } = which else {
        let all = calendar.components.iter().enumerate();
        return Some(all.filter(|(_, component)| is_timed(component)).map(|(at, _)| at).collect());
    };
    let is_master =
        |component: &Component| is_timed(component) && component.property("RECURRENCE-ID").is_none();
    let mut found = Vec::new();
    if *master {
        found.push(calendar.components.iter().position(is_master)?);
    }
    let zones = CalendarZones::of(calendar, TimeZone::utc());
    for id in ids {
        let unix = zones.to_unix(id);
        let known = calendar.components.iter().position(|component| {
            component
                .time("RECURRENCE-ID")
                .is_some_and(|time| time.is_ok_and(|time| zones.to_unix(&time) == unix))
        });
        found.push(match known {
            Some(at) => at,
            None => {
                let own = own_component(calendar, &zones, unix)?;
                calendar.components.push(own);
                calendar.components.len() - 1
            }
        });
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// A component for one instance, as the master describes it.
fn own_component(calendar: &Component, zones: &CalendarZones, unix: i64) -> Option<Component> {
    let object = CalendarObject::check(calendar).ok()?;
    let found = instances(&object, zones, unix..unix.saturating_add(1), Limits::default()).ok()?;
    let instance = found
        .into_iter()
        .find(|instance| instance.recurrence_id.as_ref().is_some_and(|id| zones.to_unix(id) == unix))?;
    let id = instance.recurrence_id?;
    let mut component = instance.component.clone();
    for name in ["RRULE", "RDATE", "EXDATE", "EXRULE"] {
        component.remove(name);
    }
    let zone = zones.zone_of(&id);
    let local = zone.to_local(instance.unix.end);
    let end = match &id {
        CalendarTime::Date(_) => CalendarTime::Date(local.date()),
        CalendarTime::Floating(_) => CalendarTime::Floating(local),
        CalendarTime::Utc(_) => CalendarTime::Utc(local),
        CalendarTime::Zoned(_, tzid) => CalendarTime::Zoned(local, tzid.clone()),
    };
    component.set(Property::with_time("DTSTART", &instance.start));
    for name in ["DTEND", "DUE"] {
        if component.property(name).is_some() {
            component.set(Property::with_time(name, &end));
        }
    }
    component.push(Property::with_time("RECURRENCE-ID", &id));
    Some(component)
}

const MOST_INSTANCES: usize = 100;
const MOST_NAMED: usize = 1000;

#[cfg(test)]
mod tests {
    use kontor_model::icalendar::Limits as ReadLimits;

    use super::*;

    fn weekly() -> Component {
        let text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=Europe/Berlin:20260701T100000\n\
            DTEND;TZID=Europe/Berlin:20260701T113000\nRRULE:FREQ=WEEKLY;COUNT=5\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\n\
            RECURRENCE-ID;TZID=Europe/Berlin:20260708T100000\nDTSTART;TZID=Europe/Berlin:20260708T120000\nDURATION:PT1H\n\
            END:VEVENT\nEND:VCALENDAR\n";
        Component::parse(text.as_bytes(), &ReadLimits::default()).unwrap()
    }

    fn file(octet: u8) -> Attachment {
        let id = vec![octet; 16].into();
        Attachment { id, name: "a, \u{e4}.pdf".into(), content_type: "application/pdf".into(), size: 7 }
    }

    fn files(calendar: &Component) -> Vec<usize> {
        calendar.components.iter().map(|component| component.properties_named("ATTACH").count()).collect()
    }

    #[test]
    fn files_go_to_the_instances_that_are_meant() {
        let mut calendar = weekly();
        add(&mut calendar, &Instances::All, &file(1), "https://x/1").unwrap();
        assert_eq!(files(&calendar), [1, 1]);
        let two = Instances::parse("M,20260708T080000Z").unwrap();
        add(&mut calendar, &two, &file(2), "https://x/2").unwrap();
        assert_eq!((files(&calendar), most(&calendar)), (vec![2, 2], 2));
        // One that nobody has described yet.
        let third = Instances::parse("20260715T080000Z").unwrap();
        add(&mut calendar, &third, &file(3), "https://x/3").unwrap();
        assert_eq!((files(&calendar), named(&calendar).len()), (vec![2, 2, 3], 3));
        let own = calendar.components.last().unwrap();
        assert_eq!(own.property("DTEND").unwrap().value, "20260715T113000");
        assert!(own.property("RRULE").is_none() && CalendarObject::check(&calendar).is_ok());
        let again = Component::parse(calendar.to_string().as_bytes(), &ReadLimits::default()).unwrap();
        assert_eq!(
            again.components[0].property("ATTACH").unwrap().parameter("FILENAME"),
            Some("a, \u{e4}.pdf")
        );
        assert_eq!(add(&mut calendar, &Instances::parse("20260716T080000Z").unwrap(), &file(4), ""), None);

        assert_eq!(replace(&mut calendar, &[9; 16], &file(4), "https://x/4"), None);
        replace(&mut calendar, &[1; 16], &file(4), "https://x/4").unwrap();
        assert!(named(&calendar).contains(&file(4).id) && !named(&calendar).contains(&file(1).id));
        assert_eq!(remove(&mut calendar, &third, &[4; 16]), Ok(()));
        assert_eq!(remove(&mut calendar, &third, &[4; 16]), Err(NotThere::File));
        assert_eq!(remove(&mut calendar, &Instances::All, &[2; 16]), Ok(()));
        assert_eq!(files(&calendar), [1, 1, 1]);
    }

    #[test]
    fn lists_of_instances() {
        assert_eq!(Instances::parse("M"), Some(Instances::Some { master: true, ids: vec![] }));
        assert!(
            matches!(Instances::parse("20260708"), Some(Instances::Some { ids, .. }) if ids[0].is_date())
        );
        for bad in ["", "m", "x", "20260708T080000Z,", "M,,M"] {
            assert_eq!(Instances::parse(bad), None, "{bad}");
        }
        assert_eq!(id_in(&id_text(&[7; 16])).unwrap(), vec![7u8; 16]);
        assert_eq!(id_in("7"), None);
    }
}

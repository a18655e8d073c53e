//! A published calendar as the objects that CalDAV keeps: one for each UID (RFC 4791 §4.1).
//!
//! Publishers are careless, and their readers want to see what can be seen: what has no UID is given one that follows
//! from its text, what has the UID of something else becomes an object of its own, `METHOD` goes.

use std::collections::{HashMap, HashSet};

use super::value::Duration;
use super::{Component, Property};

/// What is taken from a feed.
#[derive(Clone, Copy)]
pub struct FeedOptions<'a> {
    /// The kinds of components that are taken, e.g. `VEVENT`.
    pub components: &'a [String],
    /// Without `VALARM`.
    pub strip_alarms: bool,
    /// Without `ATTACH`.
    pub strip_attachments: bool,
    /// Objects at most.
    pub objects: usize,
    /// Octets of time zones at most: each object has those that it needs.
    pub zone_octets: usize,
    /// A UID that follows from a text.
    pub uid_of: &'a dyn Fn(&str) -> String,
}

/// A feed, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// What it calls itself (RFC 7986 §5.1, or `X-WR-CALNAME`).
    pub name: Option<String>,
    /// After how many seconds it is to be asked for again (RFC 7986 §5.7, or `X-PUBLISHED-TTL`).
    pub refresh: Option<i64>,
    /// The objects, by UID.
    pub objects: Vec<(String, Component)>,
}

/// Why a feed is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// There is no `VCALENDAR`.
    #[error("there is no calendar in it")]
    NoCalendar,
    /// More objects than [`FeedOptions::objects`].
    #[error("there are more than {0} events in it")]
    TooMany(usize),
    /// More than [`FeedOptions::zone_octets`].
    #[error("its time zones are too large for so many events")]
    Zones,
}

impl Feed {
    /// Takes the calendars of a stream apart.
    ///
    /// # Errors
    /// Where there is no calendar, or too much in it.
    pub fn of(calendars: &[Component], options: &FeedOptions<'_>) -> Result<Self, FeedError> {
        let mut feed = Self::default();
        let mut is_calendar = false;
        let mut parts = Parts::default();
        for calendar in calendars.iter().filter(|calendar| calendar.is("VCALENDAR")) {
            is_calendar = true;
            let text = |name: &str| calendar.text(name).map(|text| text.trim().to_owned());
            let name = text("NAME").or_else(|| text("X-WR-CALNAME")).filter(|name| !name.is_empty());
            feed.name = feed.name.or(name);
            let seconds = |name: &str| calendar.property(name)?.duration().ok().map(Duration::to_seconds);
            let refresh = || seconds("REFRESH-INTERVAL").or_else(|| seconds("X-PUBLISHED-TTL"));
            feed.refresh = feed.refresh.or_else(refresh);
            let id = |zone: &'_ Component| Some(zone.property("TZID")?.value.trim().to_owned());
            let zones = calendar.components_named("VTIMEZONE");
            let zones: Zones<'_> =
                zones.filter_map(|zone| Some((id(zone)?, (zone, zone.to_string().len())))).collect();
            for component in &calendar.components {
                if options.components.iter().any(|name| component.is(name)) {
                    parts.add(calendar, &zones, component, options)?;
                }
            }
        }
        feed.objects = parts.parts.into_iter().map(|part| (part.uid, part.calendar)).collect();
        if is_calendar { Ok(feed) } else { Err(FeedError::NoCalendar) }
    }
}

/// Objects as they are put together.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    places: HashMap<String, usize>,
    zone_octets: usize,
}

/// Zones by their ids, each with its octets.
type Zones<'a> = HashMap<String, (&'a Component, usize)>;

struct Part {
    uid: String,
    /// The name of its components.
    kind: String,
    calendar: Component,
    zones: HashSet<String>,
    /// What there is a component for: the master, single instances.
    instances: HashSet<Instance>,
}

/// `RECURRENCE-ID` with its zone; `None` for the master.
type Instance = Option<(String, Option<String>)>;

impl Parts {
    fn add(
        &mut self,
        calendar: &Component,
        zones: &Zones<'_>,
        component: &Component,
        options: &FeedOptions<'_>,
    ) -> Result<(), FeedError> {
        let mut component = component.clone();
        if options.strip_alarms {
            component.components.retain(|inner| !inner.is("VALARM"));
        }
        if options.strip_attachments {
            component.remove("ATTACH");
            component.components.iter_mut().for_each(|inner| inner.remove("ATTACH"));
        }
        let mut uid = component.text("UID").unwrap_or_default().trim().to_owned();
        let instance = component
            .property("RECURRENCE-ID")
            .map(|id| (id.value.trim().to_owned(), id.parameter("TZID").map(str::to_owned)));
        let is_taken =
            self.at(&uid).is_some_and(|part| part.instances.contains(&instance) || !component.is(&part.kind));
        if uid.is_empty() || uid.len() > MOST_UID || uid.chars().any(char::is_control) || is_taken {
            let mut anonymous = component.clone();
            anonymous.remove("DTSTAMP");
            uid = (options.uid_of)(&anonymous.to_string());
            component.set(Property::with_text("UID", &uid));
            if self.places.contains_key(&uid) {
                // The very same thing twice.
                return Ok(());
            }
        }
        if !self.places.contains_key(&uid) {
            if self.parts.len() >= options.objects {
                return Err(FeedError::TooMany(options.objects));
            }
            self.places.insert(uid.clone(), self.parts.len());
            self.parts.push(Part {
                uid: uid.clone(),
                kind: component.name.clone(),
                calendar: frame(calendar),
                zones: HashSet::new(),
                instances: HashSet::new(),
            });
        }
        let part = self.places.get(&uid).and_then(|at| self.parts.get_mut(*at));
        if let Some(part) = part {
            self.zone_octets += part.put_zones(zones, &component);
            part.instances.insert(instance);
            part.calendar.components.push(component);
        }
        if self.zone_octets > options.zone_octets { Err(FeedError::Zones) } else { Ok(()) }
    }

    fn at(&self, uid: &str) -> Option<&Part> {
        self.places.get(uid).and_then(|at| self.parts.get(*at))
    }
}

impl Part {
    /// The zones that a component names, where the calendar says what they are; how many octets they have.
    fn put_zones(&mut self, zones: &Zones<'_>, component: &Component) -> usize {
        let mut octets = 0;
        let inner = component.components.iter().flat_map(|inner| inner.properties.iter());
        for id in component.properties.iter().chain(inner).filter_map(|property| property.parameter("TZID")) {
            if let Some((zone, length)) = zones.get(id)
                && self.zones.insert(id.to_owned())
            {
                self.calendar.components.push((*zone).clone());
                octets += length;
            }
        }
        octets
    }
}

/// A calendar with nothing in it.
fn frame(calendar: &Component) -> Component {
    let mut frame = Component::new("VCALENDAR");
    frame.push(Property::new("VERSION", "2.0"));
    let producer = calendar.property("PRODID").map_or("-//Kontor//Subscriptions//EN", |id| id.value.as_str());
    frame.push(Property::new("PRODID", producer));
    frame
}

/// Octets.
const MOST_UID: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icalendar::{CalendarObject, Limits};

    fn feed(inner: &str, change: impl Fn(&mut FeedOptions<'_>)) -> Result<Feed, FeedError> {
        let text = format!("BEGIN:VCALENDAR|VERSION:2.0|METHOD:PUBLISH|{inner}END:VCALENDAR|");
        let calendars = Component::parse_stream(text.replace('|', "\r\n").as_bytes(), &Limits::default());
        let components = vec!["VEVENT".to_owned()];
        let uid_of = |text: &str| format!("made-{}", text.len());
        let mut options = FeedOptions {
            components: &components,
            strip_alarms: false,
            strip_attachments: false,
            objects: 10,
            zone_octets: 1000,
            uid_of: &uid_of,
        };
        change(&mut options);
        Feed::of(&calendars.unwrap(), &options)
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT|DTSTART:20261201T100000Z|{lines}END:VEVENT|")
    }

    #[test]
    fn each_uid_is_an_object_that_may_be_stored() {
        let zone = |id: &str| {
            format!(
                "BEGIN:VTIMEZONE|TZID:{id}|BEGIN:STANDARD|DTSTART:19700101T000000|TZOFFSETFROM:+0100|\
                 TZOFFSETTO:+0100|END:STANDARD|END:VTIMEZONE|"
            )
        };
        let inner = [
            "X-WR-CALNAME:Holidays|X-PUBLISHED-TTL:PT12H|".to_owned(),
            zone("A"),
            zone("B"),
            event("UID:1|RRULE:FREQ=DAILY|"),
            "BEGIN:VEVENT|UID:2|DTSTART;TZID=A:20261201T100000|END:VEVENT|".to_owned(),
            event("UID:1|RECURRENCE-ID:20261202T100000Z|"),
            "BEGIN:VTODO|UID:3|END:VTODO|".to_owned(),
        ];
        let feed = feed(&inner.concat(), |_| {}).unwrap();
        assert_eq!((feed.name.as_deref(), feed.refresh), (Some("Holidays"), Some(12 * 3600)));
        let uids: Vec<&str> = feed.objects.iter().map(|(uid, _)| uid.as_str()).collect();
        assert_eq!(uids, ["1", "2"]);
        for (uid, calendar) in &feed.objects {
            assert_eq!(CalendarObject::check(calendar).unwrap().uid, *uid);
        }
        assert_eq!(feed.objects[0].1.components.len(), 2);
        assert_eq!(feed.objects[1].1.text("TZID"), None);
        assert_eq!(feed.objects[1].1.component("VTIMEZONE").unwrap().text("TZID").as_deref(), Some("A"));
    }

    #[test]
    fn careless_publishers_are_read() {
        // Without a UID, one UID for everything, and something twice.
        let inner = [
            event("SUMMARY:a|"),
            event("SUMMARY:a|"),
            event("UID:x|SUMMARY:b|"),
            event("UID:x|SUMMARY:other|"),
            event("UID:x|SUMMARY:b|"),
        ];
        let feed = feed(&inner.concat(), |_| {}).unwrap();
        let summaries: Vec<_> = feed
            .objects
            .iter()
            .map(|(_, calendar)| calendar.component("VEVENT").unwrap().text("SUMMARY").unwrap())
            .collect();
        assert_eq!(summaries, ["a", "b", "other", "b"]);
        for (uid, calendar) in &feed.objects {
            assert_eq!(CalendarObject::check(calendar).unwrap().uid, *uid);
        }
    }

    #[test]
    fn what_is_not_wanted_goes() {
        let inner = event("UID:1|ATTACH:http://x/|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT5M|END:VALARM|");
        let whole = feed(&inner, |_| {}).unwrap().objects[0].1.to_string();
        assert!(whole.contains("VALARM") && whole.contains("ATTACH"));
        let bare = feed(&inner, |options| {
            options.strip_alarms = true;
            options.strip_attachments = true;
        });
        let bare = bare.unwrap().objects[0].1.to_string();
        assert!(!bare.contains("VALARM") && !bare.contains("ATTACH") && bare.contains("UID:1"));
    }

    #[test]
    fn too_much_and_nothing_are_errors() {
        let inner: String = (0..11).map(|n| event(&format!("UID:{n}|"))).collect();
        assert_eq!(feed(&inner, |_| {}), Err(FeedError::TooMany(10)));
        let zoned = |n: u32| format!("BEGIN:VEVENT|UID:{n}|DTSTART;TZID=A:20261201T100000|END:VEVENT|");
        let zone = format!("BEGIN:VTIMEZONE|TZID:A|COMMENT:{}|END:VTIMEZONE|", "x".repeat(500));
        assert_eq!(feed(&format!("{zone}{}", zoned(1)), |_| {}).unwrap().objects.len(), 1);
        assert_eq!(feed(&format!("{zone}{}{}", zoned(1), zoned(2)), |_| {}), Err(FeedError::Zones));
        assert_eq!(feed("", |_| {}).unwrap(), Feed::default());
        let options = |uid_of| FeedOptions {
            components: &[],
            strip_alarms: false,
            strip_attachments: false,
            objects: 1,
            zone_octets: 0,
            uid_of,
        };
        assert_eq!(
            Feed::of(&[Component::new("VEVENT")], &options(&str::to_owned)),
            Err(FeedError::NoCalendar)
        );
    }
}

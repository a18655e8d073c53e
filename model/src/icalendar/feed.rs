//! A published calendar as the objects that CalDAV keeps: one for each UID (RFC 4791 §4.1).
//!
//! Publishers are careless, and their readers want to see what can be seen: what has no UID is given one that follows
//! from its text, what has the UID of something else becomes an object of its own, `METHOD` goes.

use std::collections::{BTreeSet, HashMap};

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
}

impl Feed {
    /// Takes the calendars of a stream apart.
    ///
    /// # Errors
    /// Where there is no calendar, or too much in it.
    pub fn of(calendars: &[Component], options: &FeedOptions<'_>) -> Result<Self, FeedError> {
        let mut feed = Self::default();
        let mut is_calendar = false;
        let mut places = HashMap::new();
        for calendar in calendars.iter().filter(|calendar| calendar.is("VCALENDAR")) {
            is_calendar = true;
            let text = |name: &str| calendar.text(name).map(|text| text.trim().to_owned());
            let name = text("NAME").or_else(|| text("X-WR-CALNAME")).filter(|name| !name.is_empty());
            feed.name = feed.name.or(name);
            let seconds = |name: &str| calendar.property(name)?.duration().ok().map(Duration::to_seconds);
            feed.refresh =
                feed.refresh.or_else(|| seconds("REFRESH-INTERVAL").or_else(|| seconds("X-PUBLISHED-TTL")));
            for component in &calendar.components {
                if options.components.iter().any(|name| component.is(name)) {
                    feed.add(calendar, component, options, &mut places)?;
                }
            }
        }
        if is_calendar { Ok(feed) } else { Err(FeedError::NoCalendar) }
    }

    fn add(
        &mut self,
        calendar: &Component,
        component: &Component,
        options: &FeedOptions<'_>,
        places: &mut HashMap<String, usize>,
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
        let is_same = |other: &Component| same_instance(other, &component) && other.is(&component.name);
        let taken = places.get(&uid).and_then(|at| self.objects.get(*at));
        let is_taken = taken.is_some_and(|(_, object)| {
            let mut others = object.components.iter().filter(|other| !other.is("VTIMEZONE"));
            others.clone().any(is_same) || others.any(|other| !other.is(&component.name))
        });
        if uid.is_empty() || uid.len() > MOST_UID || uid.chars().any(char::is_control) || is_taken {
            let mut anonymous = component.clone();
            anonymous.remove("DTSTAMP");
            uid = (options.uid_of)(&anonymous.to_string());
            component.set(Property::with_text("UID", &uid));
            if places.contains_key(&uid) {
                // The very same thing twice.
                return Ok(());
            }
        }
        let at = match places.get(&uid) {
            Some(at) => *at,
            None if self.objects.len() >= options.objects => return Err(FeedError::TooMany(options.objects)),
            None => {
                let at = self.objects.len();
                places.insert(uid.clone(), at);
                self.objects.push((uid, frame(calendar)));
                at
            }
        };
        if let Some((_, object)) = self.objects.get_mut(at) {
            put_zones(object, calendar, &component);
            object.components.push(component);
        }
        Ok(())
    }
}

/// Whether both are the master, or say something of the same instance.
fn same_instance(one: &Component, other: &Component) -> bool {
    let id = |component: &Component| {
        let id = component.property("RECURRENCE-ID")?;
        Some((id.value.trim().to_owned(), id.parameter("TZID").map(str::to_owned)))
    };
    id(one) == id(other)
}

/// A calendar with nothing in it.
fn frame(calendar: &Component) -> Component {
    let mut frame = Component::new("VCALENDAR");
    frame.push(Property::new("VERSION", "2.0"));
    let producer = calendar.property("PRODID").map_or("-//Kontor//Subscriptions//EN", |id| id.value.as_str());
    frame.push(Property::new("PRODID", producer));
    frame
}

/// The zones that a component names, where the calendar says what they are.
fn put_zones(object: &mut Component, calendar: &Component, component: &Component) {
    let properties = component.properties.iter();
    let inner = component.components.iter().flat_map(|inner| inner.properties.iter());
    let wanted: BTreeSet<&str> =
        properties.chain(inner).filter_map(|property| property.parameter("TZID")).collect();
    let id = |zone: &Component| zone.property("TZID").map(|id| id.value.trim().to_owned());
    for zone in calendar.components_named("VTIMEZONE") {
        let Some(own) = id(zone).filter(|own| wanted.contains(own.as_str())) else { continue };
        if object.components_named("VTIMEZONE").all(|other| id(other).as_ref() != Some(&own)) {
            // Zones come first.
            object.components.insert(0, zone.clone());
        }
    }
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
        assert_eq!(feed("", |_| {}).unwrap(), Feed::default());
        let options = |uid_of| FeedOptions {
            components: &[],
            strip_alarms: false,
            strip_attachments: false,
            objects: 1,
            uid_of,
        };
        assert_eq!(
            Feed::of(&[Component::new("VEVENT")], &options(&str::to_owned)),
            Err(FeedError::NoCalendar)
        );
    }
}

//! Properties of a collection that clients have set, and that the store keeps as they came.

use kontor_dav_proto::xml::Writer;
use kontor_dav_proto::{CALDAV, Element, Limits, Name, Precondition};
use kontor_model::icalendar::{Component, Limits as CalendarLimits, Property};
use kontor_model::time_zone::TimeZone;

/// The namespace of what only this server says and keeps.
pub(crate) const KONTOR: &str = "urn:kontor:dav";

/// Elements by their names, as a `DAV:prop` holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(Vec<Element>);

impl Kept {
    /// Reads what was written; what cannot be read is nothing.
    pub fn read(octets: &[u8]) -> Self {
        if octets.is_empty() {
            return Self::default();
        }
        match Element::parse(octets, &Limits::default()) {
            Ok(prop) => Self::of(&prop),
            Err(error) => {
                tracing::error!(%error, "the properties of a collection cannot be read");
                Self::default()
            }
        }
    }

    /// Those in an element.
    pub fn of(prop: &Element) -> Self {
        Self(prop.elements().cloned().collect())
    }

    /// As the store keeps it; nothing where there is none.
    pub fn write(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut writer = Writer::fragment();
        writer.element(&Element::new(Name::dav("prop")).with_all(self.0.iter().cloned()));
        writer.take()
    }

    pub fn get(&self, name: &Name) -> Option<&Element> {
        self.0.iter().find(|element| element.name == *name)
    }

    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().map(|element| &element.name)
    }

    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.0.iter()
    }

    pub fn set(&mut self, property: Element) {
        self.remove(&property.name.clone());
        self.0.push(property);
    }

    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|element| element.name != *name);
    }

    /// A property; of the two that say a calendar's zone, each is made from the other (RFC 7809 §5.2).
    pub fn value(&self, name: &Name) -> Option<Element> {
        if let Some(kept) = self.get(name) {
            return Some(kept.clone());
        }
        if name.is(CALDAV, "calendar-timezone") {
            let id = self.get(&Name::caldav("calendar-timezone-id"))?.text();
            let zone = TimeZone::named(&id)?;
            let mut calendar = Component::new("VCALENDAR");
            calendar.push(Property::new("VERSION", "2.0"));
            calendar.push(Property::new("PRODID", "-//Kontor//DAV//EN"));
            calendar.components.push(zone.to_vtimezone(id.trim(), 0));
            return Some(Element::new(name.clone()).with_text(calendar.to_string()));
        }
        if name.is(CALDAV, "calendar-timezone-id") {
            let zone = self.time_zone()?;
            return Some(Element::new(name.clone()).with_text(zone.iana_id()?));
        }
        None
    }

    /// Sets a property that a client chose.
    ///
    /// # Errors
    /// The condition that its value does not meet.
    pub fn choose(&mut self, property: Element) -> Result<(), Precondition> {
        if property.name.is(CALDAV, "calendar-timezone-id") {
            let text = property.text();
            if TimeZone::iana(text.trim()).is_none() {
                return Err(Precondition::ValidTimezone);
            }
            self.remove(&Name::caldav("calendar-timezone"));
        } else if property.name.is(CALDAV, "calendar-timezone") {
            let text = property.text();
            let calendar = Component::parse(text.trim().as_bytes(), &CalendarLimits::default())
                .map_err(|_| Precondition::ValidCalendarData)?;
            let zone = calendar.component("VTIMEZONE").map(TimeZone::from_vtimezone);
            if !matches!(zone, Some(Ok(_))) {
                return Err(Precondition::ValidCalendarData);
            }
            self.remove(&Name::caldav("calendar-timezone-id"));
        }
        self.set(property);
        Ok(())
    }

    /// Removes a property as a client asks; a calendar's zone by either of its names.
    pub fn forget(&mut self, name: &Name) {
        let zone = ["calendar-timezone", "calendar-timezone-id"].map(Name::caldav);
        if zone.contains(name) {
            zone.iter().for_each(|name| self.remove(name));
        }
        self.remove(name);
    }

    /// What the store is told of that zone: a name, or a calendar that describes it; nothing where none is set.
    pub fn time_zone_text(&self) -> String {
        let said = |local| self.get(&Name::caldav(local)).map(|element| element.text().trim().to_owned());
        let text = said("calendar-timezone-id").or_else(|| said("calendar-timezone"));
        text.filter(|text| text.len() <= MOST_TIME_ZONE).unwrap_or_default()
    }

    /// The zone in which the calendar's floating times and dates are (RFC 4791 §5.2.2, RFC 7809 §5.2).
    pub fn time_zone(&self) -> Option<TimeZone> {
        if let Some(id) = self.get(&Name::caldav("calendar-timezone-id")) {
            return TimeZone::named(id.text().trim());
        }
        let text = self.get(&Name::caldav("calendar-timezone"))?.text();
        let calendar = Component::parse(text.trim().as_bytes(), &CalendarLimits::default()).ok()?;
        TimeZone::from_vtimezone(calendar.component("VTIMEZONE")?).ok()
    }
}

/// Octets, as many as the store takes.
const MOST_TIME_ZONE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_comes_back() {
        let mut kept = Kept::default();
        assert!(kept.write().is_empty());
        let color = Name::known(kontor_dav_proto::APPLE, "calendar-color");
        kept.set(Element::new(color.clone()).with_text("#ff0000"));
        kept.set(
            Element::new(color.clone())
                .with_text("#00ff00ff")
                .with_attribute(Name::new("", "symbolic-color").unwrap(), "green"),
        );
        kept.set(Element::new(Name::new("urn:x", "y").unwrap()).with(Element::new(Name::dav("z"))));
        let again = Kept::read(&kept.write());
        assert_eq!(again, kept);
        assert_eq!(again.get(&color).unwrap().text(), "#00ff00ff");
        assert_eq!(Kept::read(b"<"), Kept::default());
    }

    #[test]
    fn a_zone_by_its_name_or_as_it_came() {
        let mut kept = Kept::default();
        assert!(kept.time_zone().is_none());
        let zone = TimeZone::iana("Europe/Berlin").unwrap().to_vtimezone("Here", 1_700_000_000);
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{zone}END:VCALENDAR\r\n");
        kept.set(Element::new(Name::caldav("calendar-timezone")).with_text(&text));
        assert_eq!(kept.time_zone().unwrap().offset_at(1_767_225_600), 3600);
        assert_eq!(kept.time_zone_text(), text.trim());
        kept.set(Element::new(Name::caldav("calendar-timezone-id")).with_text("Asia/Tokyo"));
        assert_eq!(kept.time_zone_text(), "Asia/Tokyo");
        assert_eq!(kept.time_zone().unwrap().offset_at(1_767_225_600), 9 * 3600);

        let (id, data) = (Name::caldav("calendar-timezone-id"), Name::caldav("calendar-timezone"));
        let mut kept = Kept::default();
        let wrong = Element::new(id.clone()).with_text("Nowhere/Town");
        assert_eq!(kept.choose(wrong), Err(Precondition::ValidTimezone));
        assert_eq!(
            kept.choose(Element::new(data.clone()).with_text("x")),
            Err(Precondition::ValidCalendarData)
        );
        kept.choose(Element::new(id.clone()).with_text("Asia/Tokyo")).unwrap();
        let described = kept.value(&data).unwrap();
        assert!(described.text().contains("TZOFFSETTO:+0900"), "{}", described.text());
        kept.choose(described).unwrap();
        assert_eq!((kept.get(&id), kept.value(&id).unwrap().text()), (None, "Asia/Tokyo".into()));
        kept.forget(&id);
        assert_eq!(kept, Kept::default());
    }
}

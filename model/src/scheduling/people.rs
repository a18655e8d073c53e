//! Who takes part.

use crate::icalendar::{Component, Property};

/// Who a line is about: the mail address in small letters, or the URI.
pub(crate) fn address(property: &Property) -> String {
    let address = property.address();
    address.email().map_or_else(|| address.as_str().to_owned(), |email| email.to_ascii_lowercase())
}

pub(crate) fn is(property: &Property, who: &str) -> bool {
    address(property).eq_ignore_ascii_case(who)
}

/// The line of an attendee.
pub(crate) fn attendee<'a>(component: &'a Component, who: &str) -> Option<&'a Property> {
    component.properties_named("ATTENDEE").find(|attendee| is(attendee, who))
}

/// Whether the server is to tell this attendee (RFC 6638 §7.1).
pub(crate) fn is_told(property: &Property) -> bool {
    let agent = property.parameter("SCHEDULE-AGENT").unwrap_or("SERVER");
    agent.eq_ignore_ascii_case("SERVER")
}

pub(crate) fn answer(property: &Property) -> &str {
    property.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION")
}

/// Components that a meeting is made of.
pub(crate) fn parts(calendar: &Component) -> impl Iterator<Item = &Component> {
    calendar.components.iter().filter(|part| is_part(part))
}

pub(crate) fn is_part(component: &Component) -> bool {
    component.is("VEVENT") || component.is("VTODO") || component.is("VJOURNAL")
}

/// The organizer of a calendar object: the mail address in small letters, or the URI.
pub fn organizer_address(calendar: &Component) -> Option<String> {
    parts(calendar).find_map(|part| part.property("ORGANIZER")).map(address)
}

/// Whether this is the organizer's own copy.
pub fn is_organizer(calendar: &Component, owner: &str) -> bool {
    organizer_address(calendar).is_some_and(|organizer| organizer.eq_ignore_ascii_case(owner))
}

/// Every attendee apart from the organizer, once.
pub(crate) fn attendees(calendar: &Component, organizer: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in parts(calendar).flat_map(|part| part.properties_named("ATTENDEE")) {
        let who = address(line);
        if !who.eq_ignore_ascii_case(organizer) && is_told(line) && !all.contains(&who) {
            all.push(who);
        }
    }
    all
}

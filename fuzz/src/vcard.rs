//! Any bytes as vCards: what is read is written so that it is read again, in both versions, and the
//! contact that it is gives it back.
#![no_main]

use kontor_model::birthday::days;
use kontor_model::contact::{KEPT_VCARD, from_vcard, to_vcard};
use kontor_model::icalendar::{self, CalendarObject, Component};
use kontor_model::vcard::{Limits, VCard, Version, address_object};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let read =
        |text: &str| VCard::parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let _ = address_object(data, &limits);
    let Ok(cards) = VCard::parse_all(data, &limits) else { return };
    for card in cards {
        // Not equal cards: 3.0 has no way to write some parameter values (see the module).
        let text = card.to_text();
        assert_eq!(read(&text).to_text(), text);
        for version in [Version::V3, Version::V4] {
            read(&card.converted(version).to_text());
        }
        for day in days(&card) {
            let calendar = day.to_calendar("1", 0);
            CalendarObject::check(&calendar).unwrap_or_else(|error| panic!("{error}\n{calendar}"));
            let again = Component::parse(calendar.to_string().as_bytes(), &icalendar::Limits::default());
            assert_eq!(again.as_ref(), Ok(&calendar));
        }
        let mut contact = from_vcard(&card);
        assert_eq!(to_vcard(&contact, card.version).to_text(), text);
        contact.properties.remove(KEPT_VCARD);
        for version in [Version::V3, Version::V4] {
            read(&to_vcard(&contact, version).to_text());
        }
        for property in &card.properties {
            let _ = (property.list(), property.date(), property.media());
        }
    }
});

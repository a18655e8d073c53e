//! Contacts: vCard to message objects and back (MS-OXVCARD, MS-OXOCNTC).
//!
//! As with [`crate::calendar_item`], the card that came is kept; on the way back each property of the message is compared
//! with what the kept card gives, and only lines that say something else now are changed.
//!
//! ```
//! use kontor_model::contact::{from_vcard, to_vcard};
//! use kontor_model::property::{named, tags};
//! use kontor_model::vcard::{Limits, VCard, Version};
//!
//! let text = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada Byron\r\nN:Byron;Ada;;;\r\nEMAIL;TYPE=WORK:ada@example.org\r\n\
//!     X-ENGINE:analytical\r\nEND:VCARD\r\n";
//! let card = VCard::parse(text, &Limits::default()).expect("a vCard");
//! let mut contact = from_vcard(&card);
//! assert_eq!(contact.properties.string(named::EMAIL1_EMAIL_ADDRESS), Some("ada@example.org"));
//! assert_eq!(to_vcard(&contact, Version::V3), card);
//! contact.properties.set(tags::SURNAME, "Lovelace");
//! let after = to_vcard(&contact, Version::V3).to_text();
//! assert!(after.contains("N:Lovelace;Ada;;;\r\n") && after.contains("X-ENGINE:analytical\r\n"));
//! ```
//!
//! MAPI has three addresses of mail, three postal ones, and one or two telephones of each kind. Addresses of mail and
//! telephones beyond them are in properties of ours ([`FURTHER_EMAIL_ADDRESSES`], [`FURTHER_TELEPHONE_NUMBERS`]), what
//! else there is more of than MAPI has in the kept card only.

mod further;
mod members;
mod photo;
mod slots;

use crate::class::MessageClass;
use crate::message::Message;
use crate::property::{Bag, Guid, PropertyName, named, tags};
use crate::vcard::{Limits, Property, VCard, Version};
use slots::{SLOTS, Slot};

/// The vCard that an item came as.
pub const KEPT_VCARD: PropertyName = PropertyName::id(Guid::KONTOR, 5);
/// The UID of a card.
pub const CARD_UID: PropertyName = PropertyName::id(Guid::KONTOR, 6);

/// Addresses of mail beyond the third, as a MultipleString.
pub const FURTHER_EMAIL_ADDRESSES: PropertyName = PropertyName::id(Guid::KONTOR, 7);
/// Telephones beyond those that MAPI has, as a MultipleString.
pub const FURTHER_TELEPHONE_NUMBERS: PropertyName = PropertyName::id(Guid::KONTOR, 8);

/// The contact, or the distribution list, that a card is.
pub fn from_vcard(card: &VCard) -> Message {
    let mut message = read(card);
    message.properties.set(KEPT_VCARD, card.to_text());
    message
}

/// The card that an item is, in a version.
pub fn to_vcard(message: &Message, version: Version) -> VCard {
    let kept = message.properties.string(KEPT_VCARD);
    let kept = kept.and_then(|text| VCard::parse(text.as_bytes(), &Limits::default()).ok());
    let card = match kept {
        Some(kept) => changed(kept, message),
        None => made(message),
    };
    if card.version == version { card } else { card.converted(version) }
}

fn read(card: &VCard) -> Message {
    let class = if card.is_group() { MessageClass::DISTRIBUTION_LIST } else { MessageClass::CONTACT };
    let mut message = Message { class, ..Message::default() };
    for (slot, at) in assigned(card) {
        if let Some(property) = card.properties.get(at) {
            (slot.read)(property, &mut message.properties);
        }
    }
    further::read(card, &mut message.properties);
    members::read(card, &mut message);
    message.attachments.extend(photo::read(card));
    derive(&mut message);
    message
}

/// What follows from the rest: names to list and to file by (MS-OXOCNTC 2.2.1.1).
fn derive(message: &mut Message) {
    let has_picture = !message.attachments.is_empty();
    let is_list = is_list(message);
    let bag = &mut message.properties;
    let text = |bag: &Bag, tag| bag.string(tag).unwrap_or_default().trim().to_owned();
    let (surname, given, company) =
        (text(bag, tags::SURNAME), text(bag, tags::GIVEN_NAME), text(bag, tags::COMPANY_NAME));
    let shown =
        [text(bag, tags::DISPLAY_NAME), format!("{given} {surname}").trim().to_owned(), company.clone()];
    let shown = shown.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let filed = match (surname.is_empty(), given.is_empty()) {
        (false, false) => format!("{surname}, {given}"),
        (false, true) => surname,
        (true, false) => given,
        (true, true) => shown.clone(),
    };
    bag.set(named::FILE_UNDER, filed);
    if bag.get(tags::DISPLAY_NAME).is_none() && !shown.is_empty() {
        bag.set(tags::DISPLAY_NAME, shown.as_str());
    }
    if is_list {
        bag.set(named::DISTRIBUTION_LIST_NAME, shown.as_str());
    }
    bag.set(tags::SUBJECT, shown);
    bag.set(named::HAS_PICTURE, has_picture);
    message.derive();
}

fn is_list(message: &Message) -> bool {
    message.class.is_a(&MessageClass::DISTRIBUTION_LIST)
}

/// Which property says what: each slot takes the first that fits it and that no earlier one has taken.
fn assigned(card: &VCard) -> Vec<(&'static Slot, usize)> {
    let mut taken = vec![false; card.properties.len()];
    let mut out = Vec::new();
    for slot in SLOTS {
        let fits = |(at, property): &(usize, &Property)| {
            taken.get(*at) == Some(&false)
                && slot.names.iter().any(|name| property.is(name))
                && (slot.fits)(property)
        };
        if let Some((at, _)) = card.properties.iter().enumerate().find(fits) {
            out.push((slot, at));
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
        }
    }
    out
}

fn made(message: &Message) -> VCard {
    let mut card = VCard::new(Version::V3);
    card.properties.extend(SLOTS.iter().filter_map(|slot| (slot.line)(&message.properties)));
    card.properties.extend(further::lines(&message.properties));
    // RFC 2426 §3.1.1, §3.1.2: both have to be there.
    if card.first("FN").is_none() {
        card.properties.insert(0, Property::of_text("FN", message.subject()));
    }
    if card.first("N").is_none() {
        card.properties.push(Property::raw("N", ";;;;"));
    }
    if is_list(message) {
        card.properties.push(Property::raw("X-ADDRESSBOOKSERVER-KIND", "group"));
        card.properties.extend(members::lines(message, card.version));
    }
    card.properties.extend(photo::line(message, card.version));
    stamp(&mut card, message);
    card
}

/// The kept card with what is different now.
fn changed(mut card: VCard, now: &Message) -> VCard {
    let before = read(&card);
    let mut is_changed = further::take_out(&mut card, &before.properties, &now.properties);
    let places = assigned(&card);
    let mut gone = Vec::new();
    for slot in SLOTS {
        let (had, has) = ((slot.line)(&before.properties), (slot.line)(&now.properties));
        if had == has {
            continue;
        }
        is_changed = true;
        let place = places.iter().find(|(own, _)| std::ptr::eq(*own, slot)).map(|(_, at)| *at);
        match (place.and_then(|at| card.properties.get_mut(at)), has) {
            // Its group and what else is said of it stay.
            (Some(property), Some(line)) => {
                property.value = (slot.merge)(&property.value, had.as_ref(), &line.value);
                if slots::is_date(property) {
                    property.remove("VALUE");
                    property.remove(slots::OMIT_YEAR);
                    if let Some(year) = line.parameter(slots::OMIT_YEAR).next() {
                        property.set(slots::OMIT_YEAR, year);
                    }
                }
            }
            (Some(_), None) => gone.extend(place),
            (None, Some(line)) => card.properties.push(line),
            (None, None) => {}
        }
    }
    gone.sort_unstable();
    for at in gone.into_iter().rev() {
        card.properties.remove(at);
    }
    is_changed |= further::add(&mut card, &before.properties, &now.properties);
    is_changed |= members::merge(&mut card, &before, now);
    is_changed |= photo::merge(&mut card, &before, now);
    if is_changed {
        stamp(&mut card, now);
    }
    card
}

/// When it was last changed.
fn stamp(card: &mut VCard, message: &Message) {
    let Some(modified) = message.properties.time(tags::LAST_MODIFICATION_TIME) else { return };
    let clock = crate::time_zone::clock(modified.to_unix());
    let value = format!("{}Z", clock.strftime("%Y-%m-%dT%H:%M:%S"));
    let value = if card.version == Version::V4 { value.replace(['-', ':'], "") } else { value };
    match card.properties.iter_mut().find(|property| property.is("REV")) {
        Some(revision) => revision.value = value,
        None => card.properties.push(Property::raw("REV", value)),
    }
}

//! The members of a distribution list (MS-OXOCNTC 2.2.2.2).
//!
//! Each is a one-off entry. Of a member by mail it is its address. A member by another address, mostly the UID of a card,
//! has that as its address and the scheme in capitals as its type: who serves MAPI knows which contact it is.

use super::is_list;
use crate::OneOffEntryId;
use crate::icalendar::value::CalAddress;
use crate::message::Message;
use crate::property::{Bag, Value, named};
use crate::vcard::{Property, VCard, Version};

/// The lines that are members.
fn of(card: &VCard) -> impl Iterator<Item = (usize, OneOffEntryId)> {
    let lines = card.properties.iter().enumerate().filter(|(_, property)| is_member(property));
    lines.filter_map(|(at, property)| Some((at, entry(property)?))).take(MOST)
}

fn is_member(property: &Property) -> bool {
    NAMES.iter().any(|name| property.is(name))
}

fn entry(property: &Property) -> Option<OneOffEntryId> {
    let text = property.text();
    let text = text.trim();
    let (scheme, _) = text.split_once(':').filter(|(scheme, _)| !scheme.is_empty())?;
    let name = property.parameter("CN").next().unwrap_or_default();
    Some(match CalAddress::parse(text).email() {
        Some(address) => OneOffEntryId::smtp(if name.is_empty() { &address } else { name }, &address),
        None => OneOffEntryId {
            display_name: if name.is_empty() { text } else { name }.to_owned(),
            address_type: scheme.to_ascii_uppercase(),
            email_address: text.to_owned(),
        },
    })
}

fn line(entry: &OneOffEntryId, version: Version) -> Property {
    let address = if entry.address_type.eq_ignore_ascii_case("SMTP") {
        CalAddress::from_email(&entry.email_address).as_str().to_owned()
    } else {
        entry.email_address.clone()
    };
    let name = if version == Version::V4 { "MEMBER" } else { "X-ADDRESSBOOKSERVER-MEMBER" };
    let line = Property::raw(name, address);
    let is_said = entry.display_name.is_empty() || entry.display_name == entry.email_address;
    if is_said { line } else { line.with("CN", &entry.display_name) }
}

pub(super) fn read(card: &VCard, message: &mut Message) {
    if !is_list(message) {
        return;
    }
    let members: Vec<Vec<u8>> = of(card).map(|(_, entry)| entry.write()).collect();
    if members.is_empty() {
        return;
    }
    let bag = &mut message.properties;
    bag.set(named::DISTRIBUTION_LIST_CHECKSUM, checksum(&members).cast_signed());
    bag.set(named::DISTRIBUTION_LIST_ONE_OFF_MEMBERS, Value::MultipleBinary(members.clone()));
    bag.set(named::DISTRIBUTION_LIST_MEMBERS, Value::MultipleBinary(members));
}

/// The members of an item. Those without a one-off entry, contacts that a client chose, are known by that only.
fn entries(bag: &Bag) -> Vec<OneOffEntryId> {
    let of = |name| match bag.get(name) {
        Some(Value::MultipleBinary(entries)) => entries.as_slice(),
        _ => &[],
    };
    let mut all = of(named::DISTRIBUTION_LIST_ONE_OFF_MEMBERS);
    if all.is_empty() {
        all = of(named::DISTRIBUTION_LIST_MEMBERS);
    }
    all.iter().take(MOST).filter_map(|octets| OneOffEntryId::read(octets).ok()).collect()
}

pub(super) fn lines(message: &Message, version: Version) -> Vec<Property> {
    if !is_list(message) {
        return Vec::new();
    }
    entries(&message.properties).iter().map(|entry| line(entry, version)).collect()
}

/// Takes out who is gone and adds who is new; whether there was anybody.
pub(super) fn merge(card: &mut VCard, before: &Message, now: &Message) -> bool {
    let (had, has) = (entries(&before.properties), entries(&now.properties));
    if had == has || !is_list(now) {
        return false;
    }
    let mut left: Vec<&OneOffEntryId> = has.iter().collect();
    let mut gone = Vec::new();
    for (at, entry) in of(card) {
        match left.iter().position(|new| **new == entry) {
            Some(place) => drop(left.remove(place)),
            None => gone.push(at),
        }
    }
    for at in gone.into_iter().rev() {
        card.properties.remove(at);
    }
    let version = card.version;
    card.properties.extend(left.into_iter().map(|entry| line(entry, version)));
    true
}

/// PidLidDistributionListChecksum: the CRC-32 of ISO/IEC 8802-3 over the entries (MS-OXOCNTC 2.2.2.2.3).
fn checksum(members: &[Vec<u8>]) -> u32 {
    let octets = members.iter().flatten();
    !octets.fold(u32::MAX, |crc, octet| {
        (0..8).fold(
            crc ^ u32::from(*octet),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 }
            },
        )
    })
}

const POLYNOMIAL: u32 = 0xEDB8_8320;
const NAMES: [&str; 2] = ["MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"];
/// Limits::default() of a card has no more properties.
const MOST: usize = 5_000;

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(super::checksum(&[b"12345".to_vec(), b"6789".to_vec()]), 0xCBF4_3926);
    }
}

//! Addresses of mail and telephones for which MAPI has no place: the fourth, and what comes after it.

use super::{FURTHER_EMAIL_ADDRESSES, FURTHER_TELEPHONE_NUMBERS, assigned};
use crate::property::{Bag, PropertyName, Value};
use crate::vcard::{Property, VCard};

/// Lines of which there may be any number.
struct Further {
    name: &'static str,
    key: PropertyName,
    fits: fn(&str) -> bool,
}

const ALL: [Further; 2] = [
    Further { name: "EMAIL", key: FURTHER_EMAIL_ADDRESSES, fits: |text| text.contains('@') },
    Further { name: "TEL", key: FURTHER_TELEPHONE_NUMBERS, fits: |text| !text.is_empty() },
];

impl Further {
    /// The lines that have no place of their own, with what they say.
    fn of(&self, card: &VCard) -> Vec<(usize, String)> {
        let taken: Vec<usize> = assigned(card).into_iter().map(|(_, at)| at).collect();
        let lines = card.properties.iter().enumerate();
        let lines = lines.filter(|(at, property)| property.is(self.name) && !taken.contains(at));
        lines
            .map(|(at, property)| (at, said(property)))
            .filter(|(_, text)| (self.fits)(text))
            .take(MOST)
            .collect()
    }

    fn texts<'a>(&self, bag: &'a Bag) -> &'a [String] {
        match bag.get(self.key.clone()) {
            Some(Value::MultipleString(texts)) => texts,
            _ => &[],
        }
    }

    fn line(&self, text: &str) -> Property {
        Property::of_text(self.name, text)
    }
}

fn said(property: &Property) -> String {
    super::slots::number(property.text().trim()).to_owned()
}

pub(super) fn read(card: &VCard, bag: &mut Bag) {
    for further in ALL {
        let texts: Vec<_> = further.of(card).into_iter().map(|(_, text)| text).collect();
        if !texts.is_empty() {
            bag.set(further.key, texts);
        }
    }
}

pub(super) fn lines(bag: &Bag) -> Vec<Property> {
    let of = |further: &Further| {
        further.texts(bag).iter().take(MOST).map(|text| further.line(text)).collect::<Vec<_>>()
    };
    ALL.iter().flat_map(of).collect()
}

/// Takes out what is gone; whether there was any. Before anything else moves up to one of the places that MAPI has.
pub(super) fn take_out(card: &mut VCard, before: &Bag, now: &Bag) -> bool {
    let mut is_changed = false;
    for further in ALL {
        let mut left = without(further.texts(before), further.texts(now));
        let lines = further.of(card);
        for (at, text) in lines.into_iter().rev() {
            if let Some(place) = left.iter().position(|gone| *gone == text) {
                left.remove(place);
                card.properties.remove(at);
                is_changed = true;
            }
        }
    }
    is_changed
}

/// Adds what is new; whether there was any.
pub(super) fn add(card: &mut VCard, before: &Bag, now: &Bag) -> bool {
    let count = card.properties.len();
    for further in ALL {
        let new = without(further.texts(now), further.texts(before));
        card.properties.extend(new.iter().take(MOST).map(|text| further.line(text)));
    }
    card.properties.len() > count
}

/// What is in one and not in the other.
fn without(one: &[String], other: &[String]) -> Vec<String> {
    let mut other: Vec<&String> = other.iter().collect();
    let mut is_left = |text: &&String| match other.iter().position(|known| *known == *text) {
        Some(at) => {
            other.swap_remove(at);
            false
        }
        None => true,
    };
    one.iter().filter(|text| is_left(text)).cloned().collect()
}

/// Of one kind; nobody has more.
const MOST: usize = 100;

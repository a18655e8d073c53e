//! The lines of a card and the properties that say the same (MS-OXVCARD 2.1.3).

use crate::property::{Bag, FileTime, PropertyKey, Value, keywords, named, tags};
use crate::time_zone::{clock, wall_seconds};
use crate::vcard::{PartialDate, Property, escape, unescape};

/// What one line of a card is in MAPI.
pub(super) struct Slot {
    /// What the line may be called.
    pub(super) names: &'static [&'static str],
    /// Whether a line of such a name is this one.
    pub(super) fits: fn(&Property) -> bool,
    /// Sets the properties.
    pub(super) read: fn(&Property, &mut Bag),
    /// Writes the line as a new one.
    pub(super) line: fn(&Bag) -> Option<Property>,
    /// The value of a kept line: what it is, what the new line would have been, what the new line is.
    pub(super) merge: fn(&str, Option<&Property>, &str) -> String,
}

/// The new value, whatever was there.
fn whole(_: &str, _: Option<&Property>, new: &str) -> String {
    new.to_owned()
}

/// Of a structured value the components that are said differently now.
fn by_component(kept: &str, had: Option<&Property>, new: &str) -> String {
    let pieces = |value: &str| crate::vcard::split(value, ';').map(str::to_owned).collect::<Vec<_>>();
    let (kept, new) = (pieces(kept), pieces(new));
    let had = had.map(|had| pieces(&had.value)).unwrap_or_default();
    let count = kept.len().max(new.len());
    let piece = |all: &[String], at: usize| all.get(at).cloned().unwrap_or_default();
    let pieces: Vec<_> = (0..count)
        .map(|at| if piece(&had, at) == piece(&new, at) { piece(&kept, at) } else { piece(&new, at) })
        .collect();
    pieces.join(";")
}

macro_rules! text_slot {
    ($names:expr, $key:expr) => {
        text_slot!($names, $key, |_| true, |property| property)
    };
    ($names:expr, $key:expr, $fits:expr, $with:expr) => {
        Slot {
            names: $names,
            fits: $fits,
            read: |property, bag| set(bag, $key, &property.text()),
            line: |bag| {
                let text = bag.string($key).filter(|text| !text.is_empty())?;
                let with: fn(Property) -> Property = $with;
                Some(with(Property::of_text(first($names), text)))
            },
            merge: whole,
        }
    };
}

macro_rules! phone {
    ($key:expr, $types:expr, $fits:expr) => {
        Slot {
            names: &["TEL"],
            fits: $fits,
            read: |property, bag| set(bag, $key, number(&property.text())),
            line: |bag| {
                let text = bag.string($key).filter(|text| !text.is_empty())?;
                Some(typed(Property::of_text("TEL", text), $types))
            },
            merge: |kept, _, new| {
                if kept.starts_with("tel:") { format!("tel:{}", unescape(new)) } else { new.to_owned() }
            },
        }
    };
}

macro_rules! email {
    ($address:ident, $kind:ident, $shown:ident, $original:ident) => {
        Slot {
            names: &["EMAIL"],
            fits: |property| property.text().contains('@'),
            read: |property, bag| {
                let address = property.text().trim().to_owned();
                bag.set(named::$kind, "SMTP");
                bag.set(named::$shown, address.as_str());
                bag.set(named::$original, address.as_str());
                bag.set(named::$address, address);
            },
            line: |bag| {
                let address = bag.string(named::$address).filter(|address| address.contains('@'))?;
                Some(typed(Property::of_text("EMAIL", address), &["INTERNET"]))
            },
            merge: whole,
        }
    };
}

macro_rules! postal {
    ($types:expr, $fits:expr, $street:expr, $city:expr, $state:expr, $code:expr, $country:expr, $box:expr, $composed:expr) => {
        Slot {
            names: &["ADR"],
            fits: $fits,
            read: |property, bag| {
                let parts: Vec<String> = property.components().into_iter().map(unescape).collect();
                let part = |at: usize| parts.get(at).map(|part| part.trim().to_owned()).unwrap_or_default();
                let street = [part(1), part(2)].into_iter().filter(|line| !line.is_empty());
                let street = street.collect::<Vec<_>>().join("\n").replace('\n', "\r\n");
                set(bag, $street, &street);
                for (key, at) in [
                    (PropertyKey::from($box), 0),
                    ($city.into(), 3),
                    ($state.into(), 4),
                    ($code.into(), 5),
                    ($country.into(), 6),
                ] {
                    set(bag, key, &part(at));
                }
                if let Some(key) = $composed {
                    let key: PropertyKey = key;
                    let lines = [street, format!("{} {}", part(5), part(3)), part(4), part(6)];
                    let lines: Vec<_> =
                        lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
                    set(bag, key, &lines.join("\r\n"));
                }
            },
            line: |bag| {
                let keys: [PropertyKey; 6] =
                    [$box.into(), $street.into(), $city.into(), $state.into(), $code.into(), $country.into()];
                let parts =
                    keys.map(|key| escape(&bag.string(key).unwrap_or_default().replace("\r\n", "\n")));
                if parts.iter().all(String::is_empty) {
                    return None;
                }
                let (own, parts) = parts.split_first()?;
                Some(typed(Property::raw("ADR", format!("{own};;{}", parts.join(";"))), $types))
            },
            merge: |kept, had, new| {
                // The street of MAPI has the extended address in front; where it changed, it is all street.
                let changed = |value: &str| crate::vcard::split(value, ';').nth(2).map(str::to_owned);
                let kept = if had.and_then(|had| changed(&had.value)) == changed(new) {
                    kept.to_owned()
                } else {
                    let mut pieces: Vec<&str> = crate::vcard::split(kept, ';').collect();
                    if let Some(extended) = pieces.get_mut(1) {
                        *extended = "";
                    }
                    pieces.join(";")
                };
                by_component(&kept, had, new)
            },
        }
    };
}

macro_rules! date_slot {
    ($names:expr, $key:expr) => {
        Slot {
            names: $names,
            fits: |property| day(property).is_some(),
            read: |property, bag| {
                if let Some(date) = day(property) {
                    bag.set($key, FileTime::from_unix(wall_seconds(date.at(0, 0, 0, 0))));
                }
            },
            line: |bag| {
                let date = clock(bag.time($key)?.to_unix()).date();
                let line = Property::raw(first($names), date.strftime("%Y-%m-%d").to_string());
                let year = PartialDate::NO_YEAR;
                let has_no_year = u16::try_from(date.year()) == Ok(year);
                Some(if has_no_year { line.with(OMIT_YEAR, &year.to_string()) } else { line })
            },
            merge: |kept, _, new| {
                // As 3.0 has it, or without hyphens as in 4.0.
                if kept.get(4..5) == Some("-") { new.to_owned() } else { new.replace('-', "") }
            },
        }
    };
}

/// In the order in which they take lines: what says most comes first.
pub(super) const SLOTS: &[Slot] = &[
    text_slot!(&["UID"], super::CARD_UID),
    text_slot!(&["FN"], tags::DISPLAY_NAME),
    Slot { names: &["N"], fits: |_| true, read: read_name, line: name, merge: by_component },
    text_slot!(&["NICKNAME"], tags::NICKNAME),
    Slot {
        names: &["ORG"],
        fits: |_| true,
        read: read_organization,
        line: organization,
        merge: by_component,
    },
    text_slot!(&["TITLE"], tags::TITLE),
    text_slot!(&["ROLE"], tags::PROFESSION),
    email!(EMAIL1_EMAIL_ADDRESS, EMAIL1_ADDRESS_TYPE, EMAIL1_DISPLAY_NAME, EMAIL1_ORIGINAL_DISPLAY_NAME),
    email!(EMAIL2_EMAIL_ADDRESS, EMAIL2_ADDRESS_TYPE, EMAIL2_DISPLAY_NAME, EMAIL2_ORIGINAL_DISPLAY_NAME),
    email!(EMAIL3_EMAIL_ADDRESS, EMAIL3_ADDRESS_TYPE, EMAIL3_DISPLAY_NAME, EMAIL3_ORIGINAL_DISPLAY_NAME),
    phone!(tags::HOME_FAX_NUMBER, &["HOME", "FAX"], |p| p.has_type("fax") && p.has_type("home")),
    phone!(tags::BUSINESS_FAX_NUMBER, &["WORK", "FAX"], |p| p.has_type("fax")),
    phone!(tags::PRIMARY_FAX_NUMBER, &["FAX"], |p| p.has_type("fax")),
    phone!(tags::PAGER_TELEPHONE_NUMBER, &["PAGER"], |p| p.has_type("pager")),
    phone!(tags::MOBILE_TELEPHONE_NUMBER, &["CELL"], |p| p.has_type("cell") || p.has_type("iphone")),
    phone!(tags::CAR_TELEPHONE_NUMBER, &["CAR"], |p| p.has_type("car")),
    phone!(tags::ISDN_NUMBER, &["ISDN"], |p| p.has_type("isdn")),
    phone!(tags::TTY_TDD_PHONE_NUMBER, &["TEXTPHONE"], |p| p.has_type("textphone") || p.has_type("x-tty")),
    phone!(tags::BUSINESS_TELEPHONE_NUMBER, &["WORK", "VOICE"], |p| p.has_type("work")),
    phone!(tags::BUSINESS2_TELEPHONE_NUMBER, &["WORK", "VOICE"], |p| p.has_type("work")),
    phone!(tags::HOME_TELEPHONE_NUMBER, &["HOME", "VOICE"], |p| p.has_type("home")),
    phone!(tags::HOME2_TELEPHONE_NUMBER, &["HOME", "VOICE"], |p| p.has_type("home")),
    phone!(tags::PRIMARY_TELEPHONE_NUMBER, &["PREF"], |p| p.is_preferred()),
    phone!(tags::OTHER_TELEPHONE_NUMBER, &["VOICE"], |_| true),
    postal!(
        &["WORK"],
        |p| p.has_type("work"),
        named::WORK_ADDRESS_STREET,
        named::WORK_ADDRESS_CITY,
        named::WORK_ADDRESS_STATE,
        named::WORK_ADDRESS_POSTAL_CODE,
        named::WORK_ADDRESS_COUNTRY,
        named::WORK_ADDRESS_POST_OFFICE_BOX,
        Some(named::WORK_ADDRESS.into())
    ),
    postal!(
        &["HOME"],
        |p| p.has_type("home"),
        tags::HOME_ADDRESS_STREET,
        tags::HOME_ADDRESS_CITY,
        tags::HOME_ADDRESS_STATE_OR_PROVINCE,
        tags::HOME_ADDRESS_POSTAL_CODE,
        tags::HOME_ADDRESS_COUNTRY,
        tags::HOME_ADDRESS_POST_OFFICE_BOX,
        Some(named::HOME_ADDRESS.into())
    ),
    postal!(
        &[],
        |_| true,
        tags::OTHER_ADDRESS_STREET,
        tags::OTHER_ADDRESS_CITY,
        tags::OTHER_ADDRESS_STATE_OR_PROVINCE,
        tags::OTHER_ADDRESS_POSTAL_CODE,
        tags::OTHER_ADDRESS_COUNTRY,
        tags::OTHER_ADDRESS_POST_OFFICE_BOX,
        Some(named::OTHER_ADDRESS.into())
    ),
    text_slot!(&["URL"], tags::PERSONAL_HOME_PAGE, |p| p.has_type("home"), |p| typed(p, &["HOME"])),
    text_slot!(&["URL"], tags::BUSINESS_HOME_PAGE, |_| true, |p| typed(p, &["WORK"])),
    text_slot!(&["IMPP", "X-MS-IMADDRESS"], named::INSTANT_MESSAGING_ADDRESS),
    date_slot!(BIRTHDAYS, tags::BIRTHDAY),
    date_slot!(ANNIVERSARIES, tags::WEDDING_ANNIVERSARY),
    text_slot!(&["X-SPOUSE", "X-MS-SPOUSE", "X-EVOLUTION-SPOUSE"], tags::SPOUSE_NAME),
    text_slot!(&["X-MANAGER", "X-MS-MANAGER", "X-EVOLUTION-MANAGER"], tags::MANAGER_NAME),
    text_slot!(&["X-ASSISTANT", "X-MS-ASSISTANT", "X-EVOLUTION-ASSISTANT"], tags::ASSISTANT),
    Slot {
        names: &["NOTE"],
        fits: |_| true,
        read: |property, bag| set(bag, tags::BODY, &property.text().replace('\n', "\r\n")),
        line: |bag| {
            let body = bag.string(tags::BODY).filter(|body| !body.is_empty())?;
            Some(Property::of_text("NOTE", &body.replace("\r\n", "\n")))
        },
        merge: whole,
    },
    Slot { names: &["CATEGORIES"], fits: |_| true, read: read_categories, line: categories, merge: whole },
    Slot {
        names: &["CLASS"],
        fits: |_| true,
        read: |property, bag| {
            let at = CLASSES.iter().position(|class| property.value.trim().eq_ignore_ascii_case(class));
            if let Some(class) = at.and_then(|at| i32::try_from(at).ok()).filter(|class| *class > 0) {
                bag.set(tags::SENSITIVITY, class);
            }
        },
        line: |bag| {
            let at = usize::try_from(bag.integer32(tags::SENSITIVITY).unwrap_or(0)).unwrap_or(0);
            CLASSES.get(at).filter(|_| at > 0).map(|class| Property::raw("CLASS", *class))
        },
        merge: whole,
    },
];

/// By the number of PidTagSensitivity.
const CLASSES: [&str; 4] = ["PUBLIC", "PERSONAL", "PRIVATE", "CONFIDENTIAL"];

const BIRTHDAYS: &[&str] = &["BDAY"];
const ANNIVERSARIES: &[&str] =
    &["ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-MS-ANNIVERSARY"];
/// Says that the year is none.
pub(super) const OMIT_YEAR: &str = "X-APPLE-OMIT-YEAR";

fn first(names: &[&'static str]) -> &'static str {
    names.first().copied().unwrap_or_default()
}

/// Sets a text, unless it is empty.
fn set(bag: &mut Bag, key: impl Into<PropertyKey>, text: &str) {
    if !text.trim().is_empty() {
        bag.set(key, text);
    }
}

fn typed(mut property: Property, types: &[&str]) -> Property {
    types.iter().for_each(|kind| property.add("TYPE", kind));
    property
}

/// A telephone number without the scheme of 4.0.
pub(super) fn number(text: &str) -> &str {
    text.strip_prefix("tel:").unwrap_or(text)
}

/// Whether a line is a day that MAPI has.
pub(super) fn is_date(property: &Property) -> bool {
    BIRTHDAYS.iter().chain(ANNIVERSARIES).any(|name| property.is(name))
}

/// The day that a line says. Without a year it is in the one that stands for none, as Exchange gets it from telephones.
fn day(property: &Property) -> Option<jiff::civil::Date> {
    let PartialDate { year, month, day } = property.date()?;
    let year = year.unwrap_or(PartialDate::NO_YEAR);
    let (year, month, day) =
        (i16::try_from(year).ok()?, i8::try_from(month?).ok()?, i8::try_from(day?).ok()?);
    jiff::civil::Date::new(year, month, day).ok().filter(|date| date.year() >= 1601)
}

fn read_name(property: &Property, bag: &mut Bag) {
    let parts: Vec<String> = property.components().into_iter().map(unescape).collect();
    for (tag, part) in NAMES.iter().zip(&parts) {
        set(bag, *tag, part);
    }
}

fn name(bag: &Bag) -> Option<Property> {
    let parts = NAMES.map(|tag| escape(bag.string(tag).unwrap_or_default()));
    parts.iter().any(|part| !part.is_empty()).then(|| Property::raw("N", parts.join(";")))
}

/// The components of N in their order.
const NAMES: [crate::property::PropertyTag; 5] =
    [tags::SURNAME, tags::GIVEN_NAME, tags::MIDDLE_NAME, tags::DISPLAY_NAME_PREFIX, tags::GENERATION];

fn read_organization(property: &Property, bag: &mut Bag) {
    let parts: Vec<String> = property.components().into_iter().map(unescape).collect();
    for (tag, part) in [tags::COMPANY_NAME, tags::DEPARTMENT_NAME].into_iter().zip(&parts) {
        set(bag, tag, part);
    }
}

fn organization(bag: &Bag) -> Option<Property> {
    let text = |tag| escape(bag.string(tag).unwrap_or_default());
    let (company, department) = (text(tags::COMPANY_NAME), text(tags::DEPARTMENT_NAME));
    match (company.is_empty(), department.is_empty()) {
        (true, true) => None,
        (_, true) => Some(Property::raw("ORG", company)),
        _ => Some(Property::raw("ORG", format!("{company};{department}"))),
    }
}

fn read_categories(property: &Property, bag: &mut Bag) {
    let all = property.list();
    if !all.is_empty() {
        bag.set(keywords(), all);
    }
}

fn categories(bag: &Bag) -> Option<Property> {
    match bag.get(keywords())? {
        Value::MultipleString(all) if !all.is_empty() => {
            let all: Vec<_> = all.iter().map(|category| escape(category)).collect();
            Some(Property::raw("CATEGORIES", all.join(",")))
        }
        _ => None,
    }
}

//! What an address book shows of a card.

use kontor_model::contact::{KEPT_VCARD, from_vcard, to_vcard};
use kontor_model::property::{Bag, FileTime, tags};
use kontor_model::vcard::{Limits, Property, VCard, Version, unescape};

use super::corpus::{Sample, difference, unfolded};

/// On each way of a sample, the lines that are different.
pub fn differences(sample: &Sample) -> Result<Vec<(&'static str, Vec<String>)>, String> {
    let cards = VCard::parse_all(&sample.octets(), &Limits::default()).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let (mut before, mut three, mut four) = (Vec::new(), Vec::new(), Vec::new());
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for card in &cards {
        let mut stored = from_vcard(card);
        stored.properties = Bag::decode(&stored.properties.encode()).map_err(|error| error.to_string())?;
        stored.properties.set(tags::LAST_MODIFICATION_TIME, FileTime::from_unix(1_900_000_000));
        let kept = to_vcard(&stored, card.version);
        text.push_str(&kept.to_text());
        before.extend(seen(card));
        three.extend(seen(&by_mapi(card, Version::V3)?));
        four.extend(seen(&by_mapi(card, Version::V4)?));
        let other = if card.version == Version::V3 { Version::V4 } else { Version::V3 };
        let between = card.converted(other).to_text();
        let between =
            VCard::parse(between.as_bytes(), &Limits::default()).map_err(|error| error.to_string())?;
        there.extend(lines(card));
        back.extend(lines(&between.converted(card.version)));
    }
    let through = match cards.first().map(|card| card.version) {
        Some(Version::V4) => "through 3.0",
        _ => "through 4.0",
    };
    if three != four {
        let between = difference(&three, &four);
        return Err(format!("MAPI makes another card of 3.0 than of 4.0:\n{}", between.join("\n")));
    }
    Ok(vec![
        ("comes back", difference(&sample.lines(), &unfolded(text.as_bytes()))),
        ("by MAPI", difference(&before, &three)),
        (through, difference(&there, &back)),
    ])
}

/// The card that the properties of the contact alone make; on the way, all that must hold for the contact.
fn by_mapi(card: &VCard, version: Version) -> Result<VCard, String> {
    let mut contact = from_vcard(card);
    contact.properties.remove(KEPT_VCARD);
    let made = to_vcard(&contact, version).to_text();
    let card = VCard::parse(made.as_bytes(), &Limits::default()).map_err(|error| error.to_string())?;
    let mut again = from_vcard(&card);
    again.properties.remove(KEPT_VCARD);
    if again.class != contact.class || again.attachments.len() != contact.attachments.len() {
        return Err(format!("another class, or other attachments:\n{made}"));
    }
    let lines = |bag: &Bag| bag.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    let other = difference(&lines(&contact.properties), &lines(&again.properties));
    if other.is_empty() { Ok(card) } else { Err(format!("{}\n{made}", other.join("\n"))) }
}

/// The lines with the parameters in one order; types are the same in one list and in several.
fn lines(card: &VCard) -> Vec<String> {
    let mut card = card.clone();
    for property in &mut card.properties {
        let mut types: Vec<String> = property.types().map(str::to_lowercase).collect();
        types.sort();
        types.dedup();
        property.remove("TYPE");
        property.parameters.sort_by_key(|parameter| parameter.name.to_uppercase());
        types.iter().for_each(|kind| property.add("TYPE", kind));
    }
    unfolded(card.to_text().as_bytes())
}

fn seen(card: &VCard) -> Vec<String> {
    let mut out = vec![if card.is_group() { "group".to_owned() } else { "contact".to_owned() }];
    for property in &card.properties {
        let upper = property.name.to_ascii_uppercase();
        let text = property.text().trim().to_owned();
        if text.chars().all(|c| c == ';' || c.is_whitespace()) {
            continue;
        }
        let shown = match upper.as_str() {
            "UID" | "NICKNAME" | "TITLE" | "ROLE" | "NOTE" => format!("{text:?}"),
            "FN" => format!("{text:?}"),
            "N" | "ORG" => parts(property).join(" | "),
            "EMAIL" => text,
            "TEL" => format!("{} {}", text.strip_prefix("tel:").unwrap_or(&text), line_kind(property)),
            "ADR" => format!("{} {}", parts(property).join(" | "), place(property)),
            "URL" => format!("{text} {}", if property.has_type("home") { "home" } else { "" }),
            "BDAY" | "ANNIVERSARY" | "X-ANNIVERSARY" | "X-EVOLUTION-ANNIVERSARY" | "X-MS-ANNIVERSARY" => {
                property.date().map_or(format!("{text:?}"), |date| date.to_v4())
            }
            "CATEGORIES" => property.list().join(" | "),
            "PHOTO" => match property.media() {
                Some(media) => format!("{} octets of {}", media.bytes.len(), media.media_type),
                None => text,
            },
            "MEMBER" | "X-ADDRESSBOOKSERVER-MEMBER" => text,
            "IMPP" | "X-MS-IMADDRESS" => text,
            "CLASS" if !text.eq_ignore_ascii_case("public") => text.to_uppercase(),
            _ => continue,
        };
        let name = match upper.as_str() {
            "X-MS-IMADDRESS" => "impp".to_owned(),
            name => name.rsplit('-').next().unwrap_or(name).to_lowercase(),
        };
        out.push(format!("{name}: {shown}"));
    }
    out.sort();
    out
}

fn parts(property: &Property) -> Vec<String> {
    let mut parts: Vec<String> =
        property.components().into_iter().map(|part| unescape(part).trim().to_owned()).collect();
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    parts
}

fn line_kind(property: &Property) -> String {
    let known = ["cell", "fax", "pager", "home", "work", "car", "isdn"];
    known.into_iter().filter(|kind| property.has_type(kind)).collect::<Vec<_>>().join(" ")
}

fn place(property: &Property) -> &'static str {
    match () {
        () if property.has_type("work") => "work",
        () if property.has_type("home") => "home",
        () => "",
    }
}

//! 3.0 to 4.0 and back (RFC 6350 appendix A, RFC 2426), with the extensions that Apple's programs and others use in 3.0
//! for what 4.0 has a word for.

use super::{PartialDate, Property, VCard, Version, escape, split, unescape};

pub(super) fn card(card: &VCard, version: Version) -> VCard {
    if card.version == version {
        return card.clone();
    }
    let mut out = VCard::new(version);
    for property in &card.properties {
        match version {
            Version::V4 => to_v4(property.clone(), &mut out),
            Version::V3 => to_v3(property.clone(), &mut out),
        }
    }
    match version {
        Version::V4 => {
            if out.first("FN").is_none() {
                let name = formatted_name(&out);
                out.properties.insert(0, Property::of_text("FN", &name));
            }
        }
        Version::V3 => complete_v3(&mut out),
    }
    out
}

fn to_v4(mut property: Property, out: &mut VCard) {
    let upper = property.name.to_ascii_uppercase();
    if let Some((_, name)) = RENAMED.iter().find(|(old, _)| *old == upper) {
        property.name = (*name).to_owned();
    }
    if property.remove_value("TYPE", "pref") {
        property.set("PREF", "1");
    }
    match upper.as_str() {
        // RFC 6350 appendix A.1 has it no more.
        "PROFILE" => property.name = "X-PROFILE".to_owned(),
        "EMAIL" => {
            property.remove_value("TYPE", "internet");
        }
        "PHOTO" | "LOGO" | "SOUND" | "KEY" => match property.media() {
            Some(media) => media.put(&mut property, Version::V4),
            None => {
                if property.has("VALUE", "uri") || property.has("VALUE", "url") {
                    property.remove("VALUE");
                    property.value = unescape(&property.value);
                }
            }
        },
        "URL" | "IMPP" | "SOURCE" => property.value = unescape(&property.value),
        "UID" if !is_uri(&property.value) => property.set("VALUE", "text"),
        "BDAY" | "ANNIVERSARY" | "X-ANNIVERSARY" | "X-EVOLUTION-ANNIVERSARY" | "X-MS-ANNIVERSARY" => {
            date_to_v4(&mut property);
        }
        "GEO" => {
            if let [latitude, longitude] = property.components().as_slice() {
                property.value = format!("geo:{},{}", latitude.trim(), longitude.trim());
            }
        }
        "TZ" => {
            let zone = property.value.replace(':', "");
            if is_utc_offset(&zone) {
                property.value = zone;
                property.set("VALUE", "utc-offset");
            } else {
                // What it is without a word (RFC 6350 §6.5.1).
                property.remove_value("VALUE", "text");
            }
        }
        "REV" => property.value = property.value.replace(['-', ':'], ""),
        "AGENT" => {
            property.name = "RELATED".to_owned();
            property.add("TYPE", "agent");
            if !property.has("VALUE", "uri") {
                property.set("VALUE", "text");
            }
        }
        "SORT-STRING" => {
            // Of the name, as it is sorted by surnames; of what is shown where there is none.
            let name = ["N", "FN"].into_iter().find(|name| out.first(name).is_some());
            let target = out.properties.iter_mut().find(|other| name.is_some_and(|name| other.is(name)));
            if let Some(name) = target.filter(|name| name.parameter("SORT-AS").next().is_none()) {
                name.set("SORT-AS", &property.text());
                return;
            }
        }
        "LABEL" => return label_to_parameter(&property, out),
        _ => {}
    }
    out.properties.push(property);
}

fn to_v3(mut property: Property, out: &mut VCard) {
    let upper = property.name.to_ascii_uppercase();
    if property.has("PREF", "1") {
        property.remove("PREF");
        property.add("TYPE", "pref");
    }
    match upper.as_str() {
        "KIND" if property.value.trim().eq_ignore_ascii_case("group") => {
            property.name = "X-ADDRESSBOOKSERVER-KIND".to_owned();
        }
        "MEMBER" => property.name = "X-ADDRESSBOOKSERVER-MEMBER".to_owned(),
        "ANNIVERSARY" => {
            property.name = "X-ANNIVERSARY".to_owned();
            date_to_v3(&mut property);
        }
        "BDAY" => date_to_v3(&mut property),
        "X-PROFILE" => property.name = "PROFILE".to_owned(),
        // RFC 2426 §3.3.2: what kind of address it is; programs look for the word.
        "EMAIL" if !["internet", "x400"].iter().any(|kind| property.has_type(kind)) => {
            property.add("TYPE", "INTERNET");
        }
        "REV" => property.value = extended(&property.value),
        "PHOTO" | "LOGO" | "SOUND" | "KEY" => match property.media() {
            Some(media) => media.put(&mut property, Version::V3),
            None => {
                if is_uri(&property.value) && !property.has("VALUE", "text") {
                    property.set("VALUE", "uri");
                }
            }
        },
        "UID" => {
            property.remove_value("VALUE", "text");
        }
        "TEL" => {
            if property.has("VALUE", "uri")
                && let Some(number) = strip_scheme(&property.value, "tel:")
                && !number.contains([';', ',', '\\'])
            {
                property.value = number.to_owned();
                property.remove("VALUE");
            }
        }
        "GEO" => {
            let point = strip_scheme(&property.value, "geo:").and_then(|point| {
                let (latitude, rest) = point.split_once(',')?;
                Some((latitude, rest.split([',', ';']).next()?))
            });
            if let Some((latitude, longitude)) = point {
                property.value = format!("{latitude};{longitude}");
            }
        }
        "TZ" => {
            let zone = property.value.clone();
            if is_utc_offset(&zone) {
                property.remove_value("VALUE", "utc-offset");
                property.value = match zone.split_at_checked(3) {
                    Some((hours, minutes)) if !minutes.is_empty() => format!("{hours}:{minutes}"),
                    _ => format!("{zone}:00"),
                };
            } else {
                property.set("VALUE", "text");
            }
        }
        "RELATED" if property.has_type("agent") => {
            property.name = "AGENT".to_owned();
            property.remove_value("TYPE", "agent");
            // RFC 2426 §3.5.4: a text, unless it says that it is an address; the other way round in 4.0.
            if property.has("VALUE", "text") {
                property.remove("VALUE");
            } else {
                property.set("VALUE", "uri");
            }
        }
        "ADR" => {
            let label = property.parameter("LABEL").next().map(str::to_owned);
            property.remove("LABEL");
            if let Some(label) = label {
                let mut other = Property { name: "LABEL".to_owned(), ..property.clone() };
                other.value = escape(&label);
                other.remove("ENCODING");
                if property.components().iter().any(|component| !component.is_empty()) {
                    out.properties.push(property);
                }
                out.properties.push(other);
                return;
            }
        }
        _ => {}
    }
    let sort = ["N", "FN"].iter().any(|name| property.is(name));
    let sort_as = property.parameter("SORT-AS").next().map(str::to_owned).filter(|_| sort);
    if let Some(sort_as) = sort_as
        && out.first("SORT-STRING").is_none()
    {
        property.remove("SORT-AS");
        out.properties.push(property);
        out.properties.push(Property::of_text("SORT-STRING", &sort_as));
        return;
    }
    out.properties.push(property);
}

/// The label of an address becomes a parameter of the first address of the same types that has none.
fn label_to_parameter(label: &Property, out: &mut VCard) {
    let kinds = |property: &Property| {
        let mut kinds: Vec<String> = property.types().map(str::to_ascii_lowercase).collect();
        kinds.sort();
        kinds
    };
    let wanted = kinds(label);
    let addresses = out.properties.iter_mut().filter(|property| property.is("ADR")).take(MOST_ADDRESSES);
    let mut unlabelled = addresses.filter(|address| address.parameter("LABEL").next().is_none());
    let target = unlabelled.find(|address| kinds(address) == wanted);
    match target {
        Some(address) => address.set("LABEL", &label.text()),
        None => {
            let mut address = Property { name: "ADR".to_owned(), ..label.clone() };
            address.value = ";;;;;;".to_owned();
            address.set("LABEL", &label.text());
            out.properties.push(address);
        }
    }
}

/// Addresses that a label is looked up among; nobody has more.
const MOST_ADDRESSES: usize = 100;

/// RFC 2426 §3.1.1, §3.1.2: FN and N must be there.
fn complete_v3(card: &mut VCard) {
    if card.first("FN").is_none() {
        let name = formatted_name(card);
        card.properties.insert(0, Property::of_text("FN", &name));
    }
    if card.first("N").is_none() {
        let at = card.properties.iter().position(|property| property.is("FN")).map_or(0, |at| at + 1);
        card.properties.insert(at, Property::raw("N", ";;;;"));
    }
}

fn formatted_name(card: &VCard) -> String {
    let from_n = card.first("N").map(|name| {
        let components = name.components();
        let order = [3, 1, 2, 0, 4].iter().filter_map(|at| components.get(*at));
        let texts = order.map(|component| split(component, ',').map(unescape).collect::<Vec<_>>().join(" "));
        texts.filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join(" ")
    });
    let organisation =
        || card.first("ORG").and_then(|org| org.components().first().map(|name| unescape(name)));
    let text = |name: &str| card.text(name);
    from_n
        .filter(|name| !name.is_empty())
        .or_else(|| organisation().filter(|name| !name.is_empty()))
        .or_else(|| text("NICKNAME"))
        .or_else(|| text("EMAIL"))
        .or_else(|| text("TEL"))
        .unwrap_or_default()
}

fn date_to_v4(property: &mut Property) {
    if let Some(date) = property.date() {
        let time = property.value.split_once('T').map(|(_, time)| time.replace(':', ""));
        property.value = date.to_v4();
        if let Some(time) = time {
            property.value.push('T');
            property.value.push_str(&time);
        }
        property.remove("X-APPLE-OMIT-YEAR");
        property.remove("VALUE");
    } else if PartialDate::parse(&property.value).is_some() {
        // A date in part, which 3.0 has as a text only.
        property.remove_value("VALUE", "text");
    } else if !property.value.is_empty() {
        property.set("VALUE", "text");
    }
}

fn date_to_v3(property: &mut Property) {
    let Some(date) = property.date() else { return };
    let Some(mut text) = date.to_v3() else {
        property.set("VALUE", "text");
        return;
    };
    let time = property.value.split_once('T').map(|(_, time)| time.to_owned());
    if let Some(time) = time.filter(|time| !time.is_empty()) {
        text.push('T');
        text.push_str(&time);
        property.set("VALUE", "date-time");
    } else {
        property.remove("VALUE");
    }
    property.value = text;
    if date.year.is_none() {
        property.set("X-APPLE-OMIT-YEAR", &PartialDate::NO_YEAR.to_string());
    }
}

/// A moment as RFC 2426 §3.6.4 shows it, with hyphens and colons; anything else as it is.
fn extended(value: &str) -> String {
    let parts = |text: &str, widths: &[usize], between: &str| {
        let mut rest = text;
        let mut out = Vec::new();
        for width in widths {
            let (part, after) = rest.split_at_checked(*width)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| out.push(part))?;
            rest = after;
        }
        Some(out.join(between) + rest)
    };
    let (date, time) = match value.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (value, None),
    };
    let Some(date) = parts(date, &[4, 2, 2], "-").filter(|text| text.len() == 10) else {
        return value.to_owned();
    };
    match time.map(|time| parts(time, &[2, 2, 2], ":")) {
        None => date,
        Some(Some(time)) => format!("{date}T{time}"),
        Some(None) => value.to_owned(),
    }
}

/// Whether it begins with a scheme (RFC 3986 §3.1).
fn is_uri(value: &str) -> bool {
    value.split_once(':').is_some_and(|(scheme, rest)| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(allowed)
            && !rest.is_empty()
    })
}

fn is_utc_offset(zone: &str) -> bool {
    let Some(digits) = zone.strip_prefix(['+', '-']) else { return false };
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit())
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// What 4.0 has a name for.
const RENAMED: [(&str, &str); 5] = [
    ("X-ADDRESSBOOKSERVER-KIND", "KIND"),
    ("X-ADDRESSBOOKSERVER-MEMBER", "MEMBER"),
    ("X-ANNIVERSARY", "ANNIVERSARY"),
    ("X-EVOLUTION-ANNIVERSARY", "ANNIVERSARY"),
    ("X-MS-ANNIVERSARY", "ANNIVERSARY"),
];

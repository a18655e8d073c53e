//! Content lines (RFC 5545 §3.1): unfolding, also of what products fold wrongly, and the parts of a line.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;
use memchr::memchr2;

use super::write::written_name;
use super::{Error, Limits, Parameter, Property};
use crate::content_line::{decode_carets, is_forbidden};

/// An unfolded line.
pub(super) struct Line<'a> {
    /// Where it begins in the input, from 1.
    pub(super) number: usize,
    octets: Cow<'a, [u8]>,
}

/// Cuts the input into unfolded lines.
///
/// A line that neither is folded nor looks like a property continues the one before: products that wrap at 75 octets
/// without the blank give it back joined, products that leave line ends in a text give it back with `\n`.
pub(super) fn unfold<'a>(input: &'a [u8], limits: &Limits) -> Result<Vec<Line<'a>>, Error> {
    if input.len() > limits.octets {
        return Err(Error::Limit { what: "octets", limit: limits.octets, line: 1 });
    }
    let mut rest = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut number = 0usize;
    let mut before = 0usize;
    while !rest.is_empty() {
        let (line, after) = match memchr2(b'\r', b'\n', rest) {
            Some(at) => {
                let end = if rest.get(at..at + 2) == Some(b"\r\n") { at + 2 } else { at + 1 };
                (rest.get(..at).unwrap_or_default(), rest.get(end..).unwrap_or_default())
            }
            None => (rest, &[][..]),
        };
        rest = after;
        number += 1;
        if number > limits.lines {
            return Err(Error::Limit { what: "lines", limit: limits.lines, line: number });
        }
        if line.is_empty() {
            continue;
        }
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', folded @ ..], Some(last)) => last.octets.to_mut().extend_from_slice(folded),
            (_, Some(last)) if !begins_property(line) => {
                let last = last.octets.to_mut();
                if before < WRAPPED {
                    last.extend_from_slice(b"\\n");
                }
                last.extend_from_slice(line);
            }
            _ if line.trim_ascii().is_empty() => {}
            _ if begins_property(line.trim_ascii_start()) => {
                lines.push(Line { number, octets: Cow::Borrowed(line.trim_ascii_start()) });
            }
            _ => return Err(Error::NoComponent { line: number }),
        }
        before = line.len();
    }
    Ok(lines)
}

/// Whether a line begins as a property does: a name in capitals, a known or an `X-` name in any, then `:` or `;`.
fn begins_property(line: &[u8]) -> bool {
    let length = line.iter().take_while(|octet| is_name(**octet)).count();
    let (name, rest) = line.split_at(length);
    let shouted = !name.is_empty() && !name.iter().any(u8::is_ascii_lowercase);
    let follows = matches!(rest, [b':' | b';', ..]);
    // A longer one would be folded before its colon, and not be known again.
    length <= LONGEST_NAME
        && follows
        && (shouted || name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"X-")) || is_known(name))
}

/// RFC 5545 has letters, digits and the hyphen; the others occur in the names of products.
fn is_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'/')
}

fn is_known(name: &[u8]) -> bool {
    KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

impl Line<'_> {
    /// The property that the line is.
    pub(super) fn property(&self, limits: &Limits) -> Result<Property, Error> {
        let mut text = match std::str::from_utf8(&self.octets) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(WINDOWS_1252.decode_without_bom_handling(&self.octets).0.into_owned()),
        };
        if text.contains(is_forbidden) {
            text = Cow::Owned(text.replace(is_forbidden, ""));
        }
        let end = text.find([':', ';']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut property = Property::new(name.trim(), "");
        while let Some(after) = rest.strip_prefix(';') {
            let (parameter, after) = self.parameter(after, limits)?;
            rest = after;
            property.parameters.extend(parameter);
            if property.parameters.len() > limits.parameters {
                return Err(self.limit("parameters", limits.parameters));
            }
        }
        rest.strip_prefix(':').unwrap_or_default().clone_into(&mut property.value);
        Ok(property)
    }

    fn parameter<'t>(&self, text: &'t str, limits: &Limits) -> Result<(Option<Parameter>, &'t str), Error> {
        let end = text.find(['=', ';', ':']).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let name = written_name(name.trim());
        let mut values = Vec::new();
        if !rest.starts_with('=') {
            // A name without a value, as in the formats before iCalendar; a stray `;` is nothing.
            values.push(String::new());
            let parameter = Parameter { name, values };
            return Ok(((!parameter.name.is_empty()).then_some(parameter), rest));
        }
        while let Some(after) = rest.strip_prefix(if values.is_empty() { '=' } else { ',' }) {
            let (value, after) = parameter_value(after, name.eq_ignore_ascii_case("TZID"));
            rest = after;
            values.push(decode_carets(&value));
            if values.len() > limits.parameter_values {
                return Err(self.limit("values of a parameter", limits.parameter_values));
            }
        }
        Ok((Some(Parameter { name, values }), rest))
    }

    fn limit(&self, what: &'static str, limit: usize) -> Error {
        Error::Limit { what, limit, line: self.number }
    }
}

/// A value and what comes after it. A quote that is never closed is a letter.
fn parameter_value(text: &str, is_zone: bool) -> (Cow<'_, str>, &str) {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    if let Some((quoted, after)) = text.strip_prefix('"').and_then(|text| text.split_once('"')) {
        value = Cow::Borrowed(quoted);
        rest = after;
    } else if is_zone && (text.starts_with("(UTC") || text.starts_with("(GMT")) {
        // `TZID=(UTC+01:00) Amsterdam:2024…`, without the quotes that its colon needs.
        let end = text.find(')').map_or(0, |at| at + 1);
        value = Cow::Borrowed(text.get(..end).unwrap_or_default());
        rest = text.get(end..).unwrap_or_default();
        if let Some(end) = rest.find([':', ';']) {
            value.to_mut().push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
        }
        return (value, rest);
    }
    let end = rest.find([',', ';', ':']).unwrap_or(rest.len());
    let (plain, after) = rest.split_at(end);
    if value.is_empty() {
        value = Cow::Borrowed(plain);
    } else if !plain.trim().is_empty() {
        value.to_mut().push_str(plain);
    }
    (value, after)
}

/// Octets of the longest name of a property.
const LONGEST_NAME: usize = 60;

/// A line at least so long was cut for its length.
const WRAPPED: usize = 70;

/// Names that are met in small letters too.
const KNOWN: [&str; 56] = [
    "ACTION",
    "ATTACH",
    "ATTENDEE",
    "BEGIN",
    "CALSCALE",
    "CATEGORIES",
    "CLASS",
    "COLOR",
    "COMMENT",
    "COMPLETED",
    "CONFERENCE",
    "CONTACT",
    "CREATED",
    "DESCRIPTION",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "DUE",
    "DURATION",
    "END",
    "EXDATE",
    "EXRULE",
    "FREEBUSY",
    "GEO",
    "IMAGE",
    "LAST-MODIFIED",
    "LOCATION",
    "METHOD",
    "NAME",
    "ORGANIZER",
    "PERCENT-COMPLETE",
    "PRIORITY",
    "PRODID",
    "RDATE",
    "RECURRENCE-ID",
    "REFRESH-INTERVAL",
    "RELATED-TO",
    "REPEAT",
    "REQUEST-STATUS",
    "RESOURCES",
    "RRULE",
    "SEQUENCE",
    "SOURCE",
    "STATUS",
    "SUMMARY",
    "TRANSP",
    "TRIGGER",
    "TZID",
    "TZNAME",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "TZURL",
    "UID",
    "URL",
    "VERSION",
    "ACKNOWLEDGED",
];

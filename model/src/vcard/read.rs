//! Bytes to cards: lines, unfolding, names, parameters (RFC 6350 §3, RFC 2426 §2.6, vCard 2.1 §2.1).

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE};

use super::value::escape;
use super::{Error, Limits, Parameter, Property, VCard, Version};
use crate::content_line::{decode_carets, is_forbidden};
use crate::mime::TransferEncoding;
use crate::mime::charset::decode;

/// Each card of the input.
pub(super) fn cards(input: &[u8], limits: &Limits) -> Result<Vec<VCard>, Error> {
    Ok(read(input, limits)?.into_iter().map(|(card, _)| card).collect())
}

/// The only card, and the version that it states.
pub(super) fn one(input: &[u8], limits: &Limits) -> Result<(VCard, Option<String>), Error> {
    let mut cards = read(input, limits)?;
    match (cards.pop(), cards.len()) {
        (Some(card), 0) => Ok(card),
        (last, rest) => Err(Error::NotOne(rest + usize::from(last.is_some()))),
    }
}

fn read(input: &[u8], limits: &Limits) -> Result<Vec<(VCard, Option<String>)>, Error> {
    if input.len() > limits.octets {
        return Err(Error::TooLarge(limits.octets));
    }
    let input = utf8(input);
    let mut cards = Vec::new();
    let mut open: Option<Open> = None;
    let mut lines = Lines::new(&input, limits.line);
    while let Some(line) = lines.next(open.as_ref().is_some_and(Open::is_v2))? {
        let parsed = parse(&line, limits.parameters)?;
        let marker = |name: &str| {
            parsed.name.eq_ignore_ascii_case(name) && parsed.value.trim_ascii().eq_ignore_ascii_case(b"VCARD")
        };
        let (begins, ends) = (marker("BEGIN"), marker("END"));
        let Some(card) = &mut open else {
            if !begins {
                return Err(Error::NoBegin(line.number));
            }
            if cards.len() >= limits.cards {
                return Err(Error::TooManyCards(limits.cards));
            }
            open = Some(Open { begun: line.number, version: None, lines: Vec::new(), inner: None });
            continue;
        };
        if card.nested(begins, ends, &line)? {
            continue;
        }
        let frames = ["BEGIN", "END"].iter().any(|name| parsed.name.eq_ignore_ascii_case(name));
        if frames && !ends {
            return Err(Error::Malformed(line.number));
        }
        if ends {
            cards.extend(open.take().map(Open::finish));
        } else if parsed.name.eq_ignore_ascii_case("VERSION") {
            card.version = Some(String::from_utf8_lossy(parsed.value.trim_ascii()).into_owned());
        } else if card.lines.len() < limits.properties {
            card.lines.push(parsed);
        } else {
            return Err(Error::TooManyProperties { line: line.number, limit: limits.properties });
        }
    }
    match open {
        Some(card) => Err(Error::NoEnd(card.begun)),
        None => Ok(cards),
    }
}

/// UTF-16 with a mark becomes UTF-8; the mark of UTF-8 goes.
fn utf8(input: &[u8]) -> Cow<'_, [u8]> {
    let wide = match input {
        [0xff, 0xfe, rest @ ..] => UTF_16LE.decode_without_bom_handling(rest).0,
        [0xfe, 0xff, rest @ ..] => UTF_16BE.decode_without_bom_handling(rest).0,
        _ => return Cow::Borrowed(input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input)),
    };
    Cow::Owned(wide.into_owned().into_bytes())
}

/// A line after unfolding, and where it began.
struct Line {
    number: usize,
    bytes: Vec<u8>,
}

struct Lines<'a> {
    rest: Option<&'a [u8]>,
    number: usize,
    limit: usize,
    newline: u8,
}

impl<'a> Lines<'a> {
    fn new(input: &'a [u8], limit: usize) -> Self {
        let newline = if memchr::memchr(b'\n', input).is_some() { b'\n' } else { b'\r' };
        Self { rest: Some(input), number: 0, limit, newline }
    }

    fn peek(&self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let rest = self.rest?;
        let (line, after) = match memchr::memchr(self.newline, rest) {
            Some(at) => (rest.get(..at)?, rest.get(at + 1..)),
            None => (rest, None),
        };
        Some((line.strip_suffix(b"\r").unwrap_or(line), after))
    }

    fn advance(&mut self, after: Option<&'a [u8]>) {
        self.rest = after;
        self.number += 1;
    }

    fn next(&mut self, v2: bool) -> Result<Option<Line>, Error> {
        let mut line = loop {
            let Some((bytes, after)) = self.peek() else { return Ok(None) };
            self.advance(after);
            if !bytes.trim_ascii().is_empty() {
                break Line { number: self.number, bytes: bytes.to_vec() };
            }
        };
        let mut encoding = None;
        // How much of the line is known to hold no colon: nothing is looked through twice.
        let mut searched = 0;
        while let Some((more, after)) = self.peek() {
            if encoding.is_none() {
                let colon = memchr::memchr(b':', line.bytes.get(searched..).unwrap_or_default());
                encoding = colon.and_then(|at| line.bytes.get(..searched + at)).map(Encoded::of);
                searched = line.bytes.len();
            }
            let folded = matches!(more.first(), Some(b' ' | b'\t'));
            if encoding == Some(Encoded::Quoted) && line.bytes.last() == Some(&b'=') {
                line.bytes.pop();
                line.bytes.extend_from_slice(more);
            } else if folded {
                // In 2.1 the white space stays (vCard 2.1 §2.1.3).
                let from = usize::from(!v2 || encoding == Some(Encoded::Base64));
                line.bytes.extend_from_slice(more.get(from..).unwrap_or_default());
            } else if encoding == Some(Encoded::Base64) && is_base64(more) {
                line.bytes.extend_from_slice(more);
            } else {
                break;
            }
            if line.bytes.len() > self.limit {
                break;
            }
            self.advance(after);
        }
        if line.bytes.len() > self.limit {
            return Err(Error::LineTooLong { line: line.number, limit: self.limit });
        }
        Ok(Some(line))
    }
}

/// Encodings in which programs break lines without folding them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoded {
    Plain,
    Quoted,
    Base64,
}

impl Encoded {
    /// As the part of a line before its value says.
    fn of(head: &[u8]) -> Self {
        let head = head.to_ascii_uppercase();
        let first = head.split(|b| *b == b';').skip(1).find_map(|parameter| {
            match memchr::memchr(b'=', parameter).and_then(|at| parameter.split_at_checked(at)) {
                Some((name, value)) if name.trim_ascii() == b"ENCODING" => {
                    value.get(1..)?.split(|b| *b == b',').next().map(<[u8]>::trim_ascii)
                }
                Some(_) => None,
                // The word alone, as 2.1 has it.
                None => Some(parameter.trim_ascii()).filter(|word| ENCODINGS.contains(word)),
            }
        });
        match first {
            Some(b"QUOTED-PRINTABLE") => Self::Quoted,
            Some(b"BASE64" | b"B") => Self::Base64,
            _ => Self::Plain,
        }
    }
}

/// Octets of the longest name of a property, with its group.
const LONGEST_NAME: usize = 60;

/// Words that name an encoding where no parameter is named.
const ENCODINGS: [&[u8]; 4] = [b"QUOTED-PRINTABLE", b"BASE64", b"8BIT", b"7BIT"];

fn is_base64(line: &[u8]) -> bool {
    !line.is_empty() && line.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// A property whose value still has its bytes.
struct Parsed {
    group: Option<String>,
    name: String,
    /// A parameter without a name has an empty one.
    parameters: Vec<Parameter>,
    value: Vec<u8>,
}

fn parse(line: &Line, limit: usize) -> Result<Parsed, Error> {
    let malformed = || Error::Malformed(line.number);
    let bytes = line.bytes.trim_ascii_start();
    let end = bytes.iter().position(|b| matches!(b, b';' | b':')).ok_or_else(malformed)?;
    let (head, mut rest) = bytes.split_at(end);
    let head = std::str::from_utf8(head).map_err(|_| malformed())?.trim_end();
    // A longer one would be folded before its colon, and look like something else when it is read again.
    if head.len() > LONGEST_NAME {
        return Err(malformed());
    }
    let (group, name) = match head.split_once('.') {
        Some((group, name)) => (Some(group), name),
        None => (None, head),
    };
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b',' | b'='))
    };
    if !is_name(name) || !group.is_none_or(is_name) {
        return Err(malformed());
    }
    let mut parameters = Vec::new();
    let mut count = 0;
    while let Some(after) = rest.strip_prefix(b";") {
        let (parameter, after) = take_parameter(after).ok_or_else(malformed)?;
        count += parameter.values.len();
        if count > limit {
            return Err(Error::TooManyParameters { line: line.number, limit });
        }
        if !parameter.name.is_empty() || parameter.values.iter().any(|value| !value.is_empty()) {
            parameters.push(parameter);
        }
        rest = after;
    }
    let value = rest.strip_prefix(b":").ok_or_else(malformed)?;
    Ok(Parsed { group: group.map(str::to_owned), name: name.to_owned(), parameters, value: value.to_vec() })
}

/// A parameter, and what follows it: `;`, `:` or nothing.
fn take_parameter(bytes: &[u8]) -> Option<(Parameter, &[u8])> {
    let end = bytes.iter().position(|b| matches!(b, b'=' | b';' | b':'))?;
    let (name, mut rest) = bytes.split_at(end);
    let name = clean(name).trim().to_owned();
    if rest.first() != Some(&b'=') {
        return Some((Parameter { name: String::new(), values: vec![name] }, rest));
    }
    let is_name = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b',');
    if name.is_empty() || !name.bytes().all(is_name) {
        return None;
    }
    let mut values = Vec::new();
    loop {
        // Past the equals sign or the comma.
        rest = rest.get(1..)?;
        let value;
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let end = memchr::memchr(b'"', quoted)?;
            value = quoted.get(..end)?;
            rest = quoted.get(end + 1..)?;
            let blanks = rest.iter().take_while(|b| **b == b' ').count();
            rest = rest.get(blanks..)?;
            if !matches!(rest.first(), Some(b',' | b';' | b':')) {
                return None;
            }
        } else {
            let end = rest.iter().position(|b| matches!(b, b',' | b';' | b':'))?;
            (value, rest) = rest.split_at(end);
        }
        values.push(clean(value));
        if rest.first() != Some(&b',') {
            return Some((Parameter { name, values }, rest));
        }
    }
}

fn clean(bytes: &[u8]) -> String {
    let text = decode(None, bytes);
    if text.chars().any(is_forbidden) {
        text.chars().filter(|c| !is_forbidden(*c)).collect()
    } else {
        text.into()
    }
}

/// A card whose end has not come.
struct Open {
    begun: usize,
    version: Option<String>,
    lines: Vec<Parsed>,
    /// A card inside it (`AGENT` of 2.1): its depth and its text.
    inner: Option<(usize, String)>,
}

impl Open {
    fn is_v2(&self) -> bool {
        self.version.as_deref() == Some("2.1")
    }

    /// Takes the line where it belongs to a card inside this one.
    fn nested(&mut self, begins: bool, ends: bool, line: &Line) -> Result<bool, Error> {
        if begins && self.inner.is_none() {
            self.inner = Some((0, String::new()));
        }
        let Some((depth, text)) = &mut self.inner else { return Ok(false) };
        text.push_str(&clean(&line.bytes));
        text.push('\n');
        *depth += usize::from(begins);
        *depth -= usize::from(ends);
        if *depth > MAX_DEPTH {
            return Err(Error::Malformed(line.number));
        }
        if *depth == 0 {
            let value = escape(text).into_bytes();
            self.inner = None;
            match self.lines.last_mut() {
                Some(last)
                    if last.name.eq_ignore_ascii_case("AGENT") && last.value.trim_ascii().is_empty() =>
                {
                    last.value = value;
                }
                _ => self.lines.push(Parsed {
                    group: None,
                    name: "AGENT".to_owned(),
                    parameters: Vec::new(),
                    value,
                }),
            }
        }
        Ok(true)
    }

    fn finish(self) -> (VCard, Option<String>) {
        let v2 = self.is_v2();
        let version = match self.version.as_deref() {
            None | Some("2.1" | "3.0") => Version::V3,
            Some(_) => Version::V4,
        };
        let properties = self.lines.into_iter().map(|line| line.finish(version, v2)).collect();
        (VCard { version, properties }, self.version)
    }
}

impl Parsed {
    fn finish(self, version: Version, v2: bool) -> Property {
        let mut property =
            Property { group: self.group, name: self.name, parameters: Vec::new(), value: String::new() };
        for parameter in self.parameters {
            if !parameter.name.is_empty() {
                property.parameters.push(match version {
                    Version::V3 => parameter,
                    Version::V4 => Parameter {
                        values: parameter.values.iter().map(|value| decode_carets(value)).collect(),
                        ..parameter
                    },
                });
                continue;
            }
            for value in parameter.values {
                let is =
                    |words: &[&[u8]]| words.iter().any(|word| word.eq_ignore_ascii_case(value.as_bytes()));
                let name = if is(&ENCODINGS) {
                    "ENCODING"
                } else if is(&[b"INLINE", b"URL", b"CID", b"CONTENT-ID"]) {
                    "VALUE"
                } else {
                    "TYPE"
                };
                property.add(name, &value);
            }
        }
        let charset = property.parameter("CHARSET").next().map(str::to_owned);
        property.remove("CHARSET");
        let encoding = property.parameter("ENCODING").next().unwrap_or_default().to_ascii_uppercase();
        let quoted = encoding == "QUOTED-PRINTABLE";
        let bytes = if quoted {
            property.remove("ENCODING");
            TransferEncoding::QuotedPrintable.decode(&self.value)
        } else {
            Cow::Borrowed(self.value.as_slice())
        };
        let text = decode(charset.as_deref().map(str::as_bytes), &bytes);
        property.value = match encoding.as_str() {
            "BASE64" | "B" => {
                property.set("ENCODING", "b");
                text.chars().filter(|c| !c.is_ascii_whitespace() && !is_forbidden(*c)).collect()
            }
            _ => {
                if matches!(encoding.as_str(), "8BIT" | "7BIT") {
                    property.remove("ENCODING");
                }
                if v2 { upgraded(&property, &text) } else { one_line(&text) }
            }
        };
        property
    }
}

/// A value without line breaks and control characters; escapes stay as they are.
fn one_line(text: &str) -> String {
    if !text.chars().any(is_forbidden) {
        return text.to_owned();
    }
    let text = text.replace("\r\n", "\n");
    let text = text.strip_suffix('\r').unwrap_or(&text).replace(['\r', '\n'], "\\n");
    text.chars().filter(|c| !is_forbidden(*c)).collect()
}

/// A value of 2.1, where only `\;` is an escape, as 3.0 writes it. Escapes of 3.0, which many programs write into 2.1,
/// are left alone.
fn upgraded(property: &Property, text: &str) -> String {
    let is = |names: &[&str]| names.iter().any(|name| property.is(name));
    if is(&["URL", "UID", "GEO", "REV", "BDAY", "TZ", "PHOTO", "LOGO", "SOUND", "KEY", "AGENT"]) {
        return one_line(text);
    }
    let structured = is(&["N", "ADR", "ORG", "GEO"])
        || property.name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-"));
    let list = is(&["CATEGORIES", "NICKNAME"])
        || property.name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-"));
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push('\\');
                match chars.next_if(|c| matches!(c, ';' | ',' | '\\' | 'n' | 'N' | ':')) {
                    Some(next) => out.push(next),
                    None => out.push('\\'),
                }
            }
            ',' if !list => out.push_str("\\,"),
            ';' if !structured => out.push_str("\\;"),
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("\\n");
            }
            '\n' => out.push_str("\\n"),
            c if is_forbidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

const MAX_DEPTH: usize = 8;

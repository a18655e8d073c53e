//! vCards: version 2.1 (read only), 3.0 (RFC 2426) and 4.0 (RFC 6350, RFC 6715, RFC 6868) as lines that are kept
//! as they came: order, groups, parameters, extensions and the exact text of each value.
//!
//! A [`Property`] holds its value as the file has it, escapes and all; what it means is asked of it
//! ([`Property::text`], [`Property::components`], [`Property::date`], [`Property::media`]). [`VCard::converted`] makes a
//! 4.0 card of a 3.0 one and the other way round, [`address_object`] is what CardDAV accepts (RFC 6352 §5.1).
//!
//! ```
//! use kontor_model::vcard::{Limits, VCard, Version};
//!
//! let text = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:;Ada;;;\r\nTEL;TYPE=cell,pref:+1 555\r\nEND:VCARD\r\n";
//! let card = VCard::parse(text, &Limits::default()).expect("a vCard");
//! assert_eq!(card.first("fn").expect("a name").text(), "Ada");
//! assert_eq!(card.to_text().as_bytes(), text);
//! assert!(card.converted(Version::V4).to_text().contains("TEL;TYPE=cell;PREF=1:+1 555"));
//! ```
//!
//! Normalised on purpose, and nothing else:
//!
//! * Line ends are CRLF, lines are folded at 75 octets between characters, empty lines go, `BEGIN`, `VERSION` and `END`
//!   are written in capitals and in this order. White space before a name goes.
//! * What is not UTF-8 (UTF-16 with its mark, `CHARSET=`, Windows-1252) becomes UTF-8; `CHARSET` goes.
//! * Control characters other than TAB go.
//! * A 2.1 card is a 3.0 card once it is read: quoted-printable is decoded, text is escaped as RFC 2426 has it,
//!   `ENCODING=BASE64` becomes `ENCODING=b`, and a parameter without a name becomes one of `TYPE`, also in 3.0.
//! * Blanks in base64 go. Quotation marks around a parameter value are written where they are needed. In 4.0 a
//!   parameter value is written with the escapes of RFC 6868; 3.0 has none, there a quotation mark becomes `'`.
//! * A card without a version counts as 3.0, one of an unknown version as 4.0.

mod address_object;
mod convert;
mod date;
mod media;
mod read;
mod value;
mod write;

pub use address_object::{AddressObjectError, address_object};
pub use date::PartialDate;
pub use media::Media;
pub use value::{escape, unescape};

pub use crate::content_line::{Parameter, split};

/// The version of a vCard that is held here; 2.1 is read as 3.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 2426
    V3,
    /// RFC 6350
    V4,
}

impl Version {
    /// The value of the `VERSION` property.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "3.0",
            Self::V4 => "4.0",
        }
    }
}

/// Bounds of reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the whole input.
    pub octets: usize,
    /// vCards in the input.
    pub cards: usize,
    /// Properties of one vCard.
    pub properties: usize,
    /// Parameter values of one property.
    pub parameters: usize,
    /// Octets of one property after unfolding.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { octets: 16 << 20, cards: 20_000, properties: 5_000, parameters: 200, line: 12 << 20 }
    }
}

/// Why an input is no vCard. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More octets than [`Limits::octets`].
    #[error("more than {0} octets")]
    TooLarge(usize),
    /// More cards than [`Limits::cards`].
    #[error("more than {0} vCards")]
    TooManyCards(usize),
    /// More properties than [`Limits::properties`].
    #[error("line {line}: more than {limit} properties in a vCard")]
    TooManyProperties {
        /// Where it happened.
        line: usize,
        /// The bound.
        limit: usize,
    },
    /// More parameter values than [`Limits::parameters`].
    #[error("line {line}: more than {limit} parameters")]
    TooManyParameters {
        /// Where it happened.
        line: usize,
        /// The bound.
        limit: usize,
    },
    /// Longer than [`Limits::line`].
    #[error("line {line}: a property of more than {limit} octets")]
    LineTooLong {
        /// Where it happened.
        line: usize,
        /// The bound.
        limit: usize,
    },
    /// A content line without a colon, or without a name before it.
    #[error("line {0}: not of the form NAME:VALUE")]
    Malformed(usize),
    /// Something other than `BEGIN:VCARD` where a card should begin.
    #[error("line {0}: BEGIN:VCARD expected")]
    NoBegin(usize),
    /// The input ends inside a card that began at this line.
    #[error("line {0}: this vCard has no END:VCARD")]
    NoEnd(usize),
    /// There is no vCard, or more than one, where one is wanted.
    #[error("one vCard expected, {0} found")]
    NotOne(usize),
}

/// A vCard: its version and its properties apart from `BEGIN`, `VERSION` and `END`, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VCard {
    /// How its properties are to be read.
    pub version: Version,
    /// The properties.
    pub properties: Vec<Property>,
}

/// A property: `group.NAME;PARAMETER=value:value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Property {
    /// The group, as it was written. It binds properties such as `X-ABLabel` to another.
    pub group: Option<String>,
    /// The name, as it was written; compared without case.
    pub name: String,
    /// The parameters, in their order; a name can occur more than once.
    pub parameters: Vec<Parameter>,
    /// The value with its escapes.
    pub value: String,
}

impl VCard {
    /// A card without properties.
    pub const fn new(version: Version) -> Self {
        Self { version, properties: Vec::new() }
    }

    /// Reads an input that is exactly one vCard.
    pub fn parse(input: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut cards = Self::parse_all(input, limits)?;
        match (cards.pop(), cards.len()) {
            (Some(card), 0) => Ok(card),
            (last, rest) => Err(Error::NotOne(rest + usize::from(last.is_some()))),
        }
    }

    /// Reads the vCards of a file. Nothing is lost but what the module lists.
    pub fn parse_all(input: &[u8], limits: &Limits) -> Result<Vec<Self>, Error> {
        read::cards(input, limits)
    }

    /// The text, with CRLF and folded at 75 octets.
    pub fn to_text(&self) -> String {
        write::card(self)
    }

    /// The same card in another version (RFC 6350 appendix A). What a version has no word for is kept as an extension.
    pub fn converted(&self, version: Version) -> Self {
        convert::card(self, version)
    }

    /// The properties of this name, in their order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.is(name))
    }

    /// The first property of this name.
    pub fn first(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.is(name))
    }

    /// The text of the first property of this name, unless it is empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.first(name).map(Property::text).filter(|text| !text.is_empty())
    }

    /// The label that Apple's programs give to the property of this group (`X-ABLabel`), without the `_$!<` and `>!$_`
    /// around those that they translate.
    pub fn label(&self, group: &str) -> Option<String> {
        let label = self.properties.iter().find(|property| {
            property.is("X-ABLABEL")
                && property.group.as_deref().is_some_and(|g| g.eq_ignore_ascii_case(group))
        })?;
        let text = label.text();
        let inner = text.strip_prefix("_$!<").and_then(|text| text.strip_suffix(">!$_"));
        Some(inner.unwrap_or(&text).to_owned())
    }

    /// Whether it stands for a group (RFC 6350 §6.1.4, or as Apple's programs write it in 3.0).
    pub fn is_group(&self) -> bool {
        ["KIND", "X-ADDRESSBOOKSERVER-KIND"]
            .iter()
            .any(|name| self.first(name).is_some_and(|kind| kind.value.trim().eq_ignore_ascii_case("group")))
    }
}

impl Property {
    /// A property with a value that is written as it stands.
    pub fn raw(name: &str, value: impl Into<String>) -> Self {
        Self { group: None, name: name.to_owned(), parameters: Vec::new(), value: value.into() }
    }

    /// A property of text.
    pub fn of_text(name: &str, text: &str) -> Self {
        Self::raw(name, escape(text))
    }

    /// The same with a further value of a parameter.
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.add(parameter, value);
        self
    }

    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The values of a parameter, those in lists and in repeated parameters together.
    pub fn parameter<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.parameters.iter().filter(move |parameter| parameter.is(name));
        named.flat_map(|parameter| parameter.values.iter().map(String::as_str))
    }

    /// The types, one by one: `TYPE="voice,home"` counts as two.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.parameter("TYPE")
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|kind| !kind.is_empty())
    }

    /// Whether it is of this type.
    pub fn has_type(&self, kind: &str) -> bool {
        self.types().any(|own| own.eq_ignore_ascii_case(kind))
    }

    /// Whether it is the preferred one: `TYPE=pref`, or `PREF=1`.
    pub fn is_preferred(&self) -> bool {
        self.has_type("pref") || self.parameter("PREF").any(|value| value == "1")
    }

    /// Whether the parameter has this value.
    pub fn has(&self, parameter: &str, value: &str) -> bool {
        self.parameter(parameter).any(|own| own.eq_ignore_ascii_case(value))
    }

    /// Adds a value to a parameter.
    pub fn add(&mut self, name: &str, value: &str) {
        match self.parameters.iter_mut().find(|parameter| parameter.is(name)) {
            Some(parameter) => parameter.values.push(value.to_owned()),
            None => {
                self.parameters.push(Parameter { name: name.to_owned(), values: vec![value.to_owned()] });
            }
        }
    }

    /// Sets a parameter to one value.
    pub fn set(&mut self, name: &str, value: &str) {
        let place = self.parameters.iter().position(|parameter| parameter.is(name));
        self.remove(name);
        let parameter = Parameter { name: name.to_owned(), values: vec![value.to_owned()] };
        self.parameters.insert(place.unwrap_or(self.parameters.len()), parameter);
    }

    /// Removes a parameter; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.parameters.len();
        self.parameters.retain(|parameter| !parameter.is(name));
        before != self.parameters.len()
    }

    /// Removes a value of a parameter, compared without case; whether there was one.
    pub fn remove_value(&mut self, name: &str, value: &str) -> bool {
        let mut found = false;
        self.parameters.retain_mut(|parameter| {
            if !parameter.is(name) {
                return true;
            }
            let had = parameter.values.len();
            parameter.values.retain_mut(|own| {
                if own.eq_ignore_ascii_case(value) {
                    found = true;
                    return false;
                }
                // A list that was quoted as one.
                if own.split(',').any(|piece| piece.trim().eq_ignore_ascii_case(value)) {
                    found = true;
                    let kept = own.split(',').filter(|piece| !piece.trim().eq_ignore_ascii_case(value));
                    *own = kept.collect::<Vec<_>>().join(",");
                }
                true
            });
            !parameter.values.is_empty() || had == 0
        });
        found
    }

    /// The value as text.
    pub fn text(&self) -> String {
        unescape(&self.value)
    }

    /// The value as a list of texts (`CATEGORIES`, `NICKNAME`); empty ones are left out.
    pub fn list(&self) -> Vec<String> {
        split(&self.value, ',').map(unescape).filter(|text| !text.trim().is_empty()).collect()
    }

    /// The components of a structured value (`N`, `ADR`, `ORG`), each with its escapes.
    pub fn components(&self) -> Vec<&str> {
        split(&self.value, ';').collect()
    }

    /// The value as a date, of any form that RFC 2426, RFC 6350 or Apple's programs write.
    pub fn date(&self) -> Option<PartialDate> {
        if self.has("VALUE", "text") {
            return None;
        }
        let date = PartialDate::parse(self.value.trim())?;
        let omitted = self.parameter("X-APPLE-OMIT-YEAR").next().and_then(|year| year.trim().parse().ok());
        Some(if date.year.is_some() && date.year == omitted {
            PartialDate { year: None, ..date }
        } else {
            date
        })
    }

    /// The bytes inside the value (`PHOTO`, `LOGO`, `SOUND`, `KEY`); `None` where it refers to them by an address.
    pub fn media(&self) -> Option<Media> {
        Media::of(self)
    }
}

#[cfg(test)]
mod tests;

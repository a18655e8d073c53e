//! iCalendar (RFC 5545, RFC 7986) as a tree of components that keeps what it was read from: the order of properties and
//! of components, unknown names, every parameter. Typed values are read from and written to it ([`value`]).
//!
//! What is normalised on the way through: line folding, line ends, the quoting of parameters, properties before inner
//! components, octets that are no UTF-8 (read as windows-1252) and control characters (dropped). Properties and
//! components of RFC 9073 are kept like all that is unknown.
//!
//! ```
//! use kontor_model::icalendar::{Component, Limits};
//!
//! let text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:1\r\nSUMMARY:Tea\\, now\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
//! let calendar = Component::parse(text, &Limits::default()).unwrap();
//! assert_eq!(calendar.component("VTODO").unwrap().text("SUMMARY").as_deref(), Some("Tea, now"));
//! assert_eq!(calendar.to_string().as_bytes(), text);
//! ```

mod content_line;
mod feed;
mod object_message;
mod object_resource;
mod parse;
pub mod value;
mod write;

pub use feed::{Feed, FeedError, FeedOptions};
pub use object_message::ObjectMessage;
pub use object_resource::{CalendarObject, ObjectError, ObjectKind};

pub use crate::content_line::Parameter;

use value::{CalAddress, CalendarTime, Duration, ValueError};

/// What a calendar may cost to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the input.
    pub octets: usize,
    /// Lines as they stand in the input, before unfolding.
    pub lines: usize,
    /// Components within components; the outermost is 1.
    pub depth: usize,
    /// Components in all.
    pub components: usize,
    /// Properties in all.
    pub properties: usize,
    /// Parameters of one property.
    pub parameters: usize,
    /// Values of one parameter.
    pub parameter_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            octets: 20 << 20,
            lines: 500_000,
            depth: 16,
            components: 50_000,
            properties: 400_000,
            parameters: 100,
            parameter_values: 1_000,
        }
    }
}

/// Why an input is no calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A limit is passed.
    #[error("line {line}: more than {limit} {what}")]
    Limit {
        /// Which of [`Limits`].
        what: &'static str,
        /// How many there may be.
        limit: usize,
        /// Where, from 1.
        line: usize,
    },
    /// Something other than `BEGIN` outside every component.
    #[error("line {line}: a component must begin here")]
    NoComponent {
        /// Where, from 1.
        line: usize,
    },
    /// `END` of another component than the one that is open.
    #[error("line {line}: END of a component that is not open")]
    Mismatch {
        /// Where, from 1.
        line: usize,
    },
    /// The input ends inside a component.
    #[error("the input ends inside a component")]
    Unclosed,
    /// Nothing there, or more than the one component that was asked for.
    #[error("{0} components where there must be one")]
    NotOne(usize),
}

/// A component, e.g. `VCALENDAR` or `VEVENT` (RFC 5545 §3.4, §3.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// Its name as written.
    pub name: String,
    /// Its properties in their order.
    pub properties: Vec<Property>,
    /// The components in it, in their order.
    pub components: Vec<Component>,
}

/// A property: one content line (RFC 5545 §3.1, §3.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Property {
    /// Its name as written.
    pub name: String,
    /// Its parameters in their order.
    pub parameters: Vec<Parameter>,
    /// The value as written: unfolded, but with the escapes of its type.
    pub value: String,
}

impl Component {
    /// An empty component.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Reads one component, the `VCALENDAR` of a calendar object.
    pub fn parse(input: &[u8], limits: &Limits) -> Result<Self, Error> {
        let mut stream = Self::parse_stream(input, limits)?;
        match (stream.pop(), stream.len()) {
            (Some(component), 0) => Ok(component),
            (last, before) => Err(Error::NotOne(before + usize::from(last.is_some()))),
        }
    }

    /// Reads every component of a stream (RFC 5545 §3.4 allows several `VCALENDAR`).
    pub fn parse_stream(input: &[u8], limits: &Limits) -> Result<Vec<Self>, Error> {
        parse::stream(input, limits)
    }

    /// Whether it has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first property of this name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.is(name))
    }

    /// The first property of this name.
    pub fn property_mut(&mut self, name: &str) -> Option<&mut Property> {
        self.properties.iter_mut().find(|property| property.is(name))
    }

    /// Every property of this name.
    pub fn properties_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.is(name))
    }

    /// The first inner component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.is(name))
    }

    /// Every inner component of this name.
    pub fn components_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Component> {
        self.components.iter().filter(move |component| component.is(name))
    }

    /// The first property of this name as one text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.property(name).map(Property::text)
    }

    /// The first property of this name as a date or a moment; `None` where there is none.
    pub fn time(&self, name: &str) -> Option<Result<CalendarTime, ValueError>> {
        self.property(name).map(Property::time)
    }

    /// Every text of the lists of this name, e.g. `CATEGORIES`.
    pub fn text_list(&self, name: &str) -> Vec<String> {
        self.properties_named(name).flat_map(|property| value::split_texts(&property.value)).collect()
    }

    /// Adds a property at the end.
    pub fn push(&mut self, property: Property) {
        self.properties.push(property);
    }

    /// Puts a property where the first of its name is, removing the others, or at the end.
    pub fn set(&mut self, property: Property) {
        let at = self.properties.iter().position(|old| old.is(&property.name));
        self.remove(&property.name);
        let at = at.unwrap_or(self.properties.len()).min(self.properties.len());
        self.properties.insert(at, property);
    }

    /// Removes every property of this name.
    pub fn remove(&mut self, name: &str) {
        self.properties.retain(|property| !property.is(name));
    }
}

impl Property {
    /// A property with a value in its written form.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Vec::new(), value: value.into() }
    }

    /// A property with one text, escaped.
    pub fn with_text(name: impl Into<String>, text: &str) -> Self {
        Self::new(name, value::escape(text))
    }

    /// A property with a list of texts, escaped.
    pub fn with_texts<'a>(name: impl Into<String>, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<_> = texts.into_iter().map(value::escape).collect();
        Self::new(name, texts.join(","))
    }

    /// A property with a date or a moment, and the parameters that it needs.
    pub fn with_time(name: impl Into<String>, time: &CalendarTime) -> Self {
        let mut property = Self::new(name, time.to_string());
        match time {
            CalendarTime::Date(_) => property.set_parameter("VALUE", "DATE"),
            CalendarTime::Zoned(_, zone) => property.set_parameter("TZID", zone),
            CalendarTime::Floating(_) | CalendarTime::Utc(_) => {}
        }
        property
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.set_parameter(name, value);
        self
    }

    /// Whether it has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameter_values(name).first().map(String::as_str)
    }

    /// The values of a parameter; none where it is not there.
    pub fn parameter_values(&self, name: &str) -> &[String] {
        let found = self.parameters.iter().find(|parameter| parameter.is(name));
        found.map(|parameter| parameter.values.as_slice()).unwrap_or_default()
    }

    /// Sets a parameter to one value.
    pub fn set_parameter(&mut self, name: &str, value: &str) {
        let values = vec![value.to_owned()];
        match self.parameters.iter_mut().find(|parameter| parameter.is(name)) {
            Some(parameter) => parameter.values = values,
            None => self.parameters.push(Parameter { name: name.to_owned(), values }),
        }
    }

    /// Removes a parameter.
    pub fn remove_parameter(&mut self, name: &str) {
        self.parameters.retain(|parameter| !parameter.is(name));
    }

    /// The value as one text, without escapes (RFC 5545 §3.3.11).
    pub fn text(&self) -> String {
        value::unescape(&self.value)
    }

    /// The value as a date or a moment (RFC 5545 §3.3.4, §3.3.5).
    pub fn time(&self) -> Result<CalendarTime, ValueError> {
        CalendarTime::parse(&self.value, self.parameter("TZID"))
    }

    /// The value as a list of dates or moments (`EXDATE`, `RDATE` without periods).
    pub fn times(&self) -> Result<Vec<CalendarTime>, ValueError> {
        let zone = self.parameter("TZID");
        let pieces = self.value.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        pieces.map(|piece| CalendarTime::parse(piece, zone)).collect()
    }

    /// The value as a list of periods (RFC 5545 §3.3.9).
    pub fn periods(&self) -> Result<Vec<value::Period>, ValueError> {
        let zone = self.parameter("TZID");
        let pieces = self.value.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        pieces.map(|piece| value::Period::parse(piece, zone)).collect()
    }

    /// The value as a duration (RFC 5545 §3.3.6).
    pub fn duration(&self) -> Result<Duration, ValueError> {
        self.value.parse()
    }

    /// The value as the address of a calendar user (RFC 5545 §3.3.3).
    pub fn address(&self) -> CalAddress {
        CalAddress::parse(&self.value)
    }

    /// The value as octets, where it is `ENCODING=BASE64` (RFC 5545 §3.3.1); at most `limit` of them.
    pub fn binary(&self, limit: usize) -> Result<Vec<u8>, ValueError> {
        value::decode_binary(&self.value, limit)
    }
}

#[cfg(test)]
mod tests;

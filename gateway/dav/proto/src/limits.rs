use kontor_model::{icalendar, recurrence};

/// What a peer may make this crate hold or look at. There is no unlimited variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of an XML body.
    pub body: usize,
    /// Elements within elements; the root is 1.
    pub depth: usize,
    /// Elements of a body in all.
    pub elements: usize,
    /// Attributes of one element, declarations of namespaces among them.
    pub attributes: usize,
    /// Properties that a request names.
    pub properties: usize,
    /// Hrefs of a multiget.
    pub hrefs: usize,
    /// Filters of a query in all.
    pub filters: usize,
    /// Octets of a text to search for.
    pub match_text: usize,
    /// Octets of an href before it is decoded.
    pub href: usize,
    /// Segments of an href.
    pub segments: usize,
    /// Octets of the value of a header.
    pub header: usize,
    /// Items in a header that holds a list.
    pub header_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            depth: 32,
            elements: 100_000,
            attributes: 32,
            properties: 1_000,
            hrefs: 20_000,
            filters: 200,
            match_text: 4 << 10,
            href: 8 << 10,
            segments: 32,
            header: 16 << 10,
            header_items: 200,
        }
    }
}

/// What a time zone in a request may be.
pub(crate) const TIME_ZONE: icalendar::Limits = icalendar::Limits {
    octets: 256 << 10,
    lines: 10_000,
    depth: 4,
    components: 1_000,
    properties: 10_000,
    parameters: 20,
    parameter_values: 20,
};

/// What is looked at to see whether an object is in a time range: about 270 years of days.
pub(crate) const MATCHING: recurrence::Limits = recurrence::Limits { occurrences: 5_000, effort: 100_000 };

/// What an object may be expanded into.
pub(crate) const EXPANDING: recurrence::Limits = recurrence::Limits { occurrences: 5_000, effort: 1_000_000 };

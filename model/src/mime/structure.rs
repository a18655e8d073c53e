//! The part tree of a message with byte offsets (RFC 2046 §5).

use std::ops::Range;

use super::header::{self, Field, Name};
use super::parameter::{ContentType, Disposition};
use super::transfer::TransferEncoding;
use super::{Limits, charset};

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// Content.
    Leaf,
    /// Parts. There is always at least one: a multipart without any has one leaf that covers its body.
    Multipart,
    /// An embedded message (`message/rfc822`, `message/global`): one child, whose header is the message's.
    Message,
}

/// An entity: a header and a body (RFC 2045 §2.4).
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// What it holds.
    pub kind: PartKind,
    /// The index of the part that holds this one.
    pub parent: Option<usize>,
    /// One past the index of the last part inside this one.
    pub end: usize,
    /// The header with the blank line that ends it.
    pub header: Range<usize>,
    /// The body, without the line end that belongs to a delimiter after it. It begins where the header ends.
    pub body: Range<usize>,
    /// Line feeds in the body.
    pub lines: usize,
    /// Its fields, as a range of [`Structure::fields`].
    pub fields: Range<usize>,
    /// The type; the default of its place where the header gives none.
    pub content_type: ContentType<'a>,
    /// Whether the header gave a readable type.
    pub typed: bool,
    /// The disposition.
    pub disposition: Option<Disposition<'a>>,
    /// The transfer encoding.
    pub encoding: TransferEncoding,
}

impl Part<'_> {
    /// The name under which a file would be saved: `filename`, else the type's `name`.
    pub fn file_name(&self) -> Option<String> {
        let given = self.disposition.as_ref().and_then(|d| d.parameters.decoded("filename"));
        given.or_else(|| self.content_type.parameters.decoded("name")).filter(|name| !name.is_empty())
    }
}

/// A scanned message.
#[derive(Clone, Debug)]
pub struct Structure<'a> {
    raw: &'a [u8],
    parts: Vec<Part<'a>>,
    fields: Vec<Field>,
}

impl<'a> Structure<'a> {
    /// Finds the parts of `raw`. Never fails: see [`Limits`] for what happens beyond a bound.
    pub fn scan(raw: &'a [u8], limits: &Limits) -> Self {
        let mut scanner = Scanner {
            raw,
            limits,
            parts: Vec::new(),
            fields: Vec::with_capacity(32),
            boundaries: Vec::new(),
            finder: memchr::memmem::Finder::new(b"\n--"),
        };
        scanner.entity(0, Place { parent: None, depth: 0, digest: false });
        Self { raw, parts: scanner.parts, fields: scanner.fields }
    }

    /// The message's bytes.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// All parts, each before those inside it.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The message itself as an entity.
    pub fn root(&self) -> &Part<'a> {
        self.parts.first().expect("the scanner makes the root part before anything else")
    }

    /// The part at an index.
    pub fn part(&self, index: usize) -> Option<&Part<'a>> {
        self.parts.get(index)
    }

    /// The indexes of the parts directly inside `index`.
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.parts.get(index).map_or(0, |part| part.end);
        let mut next = index + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let child = next;
            next = self.parts.get(child)?.end.max(child + 1);
            Some(child)
        })
    }

    /// All fields of all parts, in the order of the message.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The fields of one part.
    pub fn fields_of(&self, part: &Part<'a>) -> &[Field] {
        self.fields.get(part.fields.clone()).unwrap_or_default()
    }

    /// The bytes of a range of the message.
    pub fn bytes(&self, range: &Range<usize>) -> &'a [u8] {
        self.raw.get(range.clone()).unwrap_or_default()
    }

    /// The value of the first field with this name, folds included.
    pub fn value(&self, part: &Part<'a>, name: Name) -> Option<&'a [u8]> {
        let field = self.fields_of(part).iter().find(|field| field.known == name)?;
        Some(self.bytes(&field.value))
    }

    /// The decoded text of a leaf: transfer encoding and charset undone. At most `limit` decoded bytes are looked at.
    pub fn text(&self, part: &Part<'a>, limit: usize) -> std::borrow::Cow<'a, str> {
        use std::borrow::Cow;
        let body = self.bytes(&part.body);
        // Encoded text is at most about three times as long as its content, plus line ends.
        let body = body.get(..limit.saturating_mul(4)).unwrap_or(body);
        let label = part.content_type.parameters.get("charset");
        match part.encoding.decode(body) {
            Cow::Borrowed(bytes) => charset::decode(label, bytes.get(..limit).unwrap_or(bytes)),
            Cow::Owned(mut bytes) => {
                bytes.truncate(limit);
                Cow::Owned(charset::decode(label, &bytes).into_owned())
            }
        }
    }
}

/// Where an entity stands.
#[derive(Clone, Copy)]
struct Place {
    parent: Option<usize>,
    depth: usize,
    /// Directly inside a `multipart/digest`, where the default type is `message/rfc822` (RFC 2046 §5.1.5).
    digest: bool,
}

/// Why an entity ended.
#[derive(Clone, Copy)]
enum Stop {
    /// The message ended.
    End,
    /// A delimiter line of an open multipart.
    Delimiter {
        /// Which of the open boundaries.
        level: usize,
        /// Whether it is the closing one.
        closing: bool,
        /// Where the line begins.
        line: usize,
        /// Where the next line begins.
        next: usize,
    },
}

struct Scanner<'a, 'l> {
    raw: &'a [u8],
    limits: &'l Limits,
    parts: Vec<Part<'a>>,
    fields: Vec<Field>,
    boundaries: Vec<Vec<u8>>,
    finder: memchr::memmem::Finder<'static>,
}

impl<'a> Scanner<'a, '_> {
    fn entity(&mut self, start: usize, place: Place) -> Stop {
        let first_field = self.fields.len();
        let (body_start, stop) = self.header(start);
        let index = self.parts.len();
        let (content_type, typed) = match self.field(first_field, Name::ContentType) {
            Some(value) => match ContentType::parse(value, self.limits.parameters) {
                Some(content_type) => (content_type, true),
                None => (ContentType::plain("text", "plain"), false),
            },
            None if place.digest => (ContentType::plain("message", "rfc822"), false),
            None => (ContentType::plain("text", "plain"), false),
        };
        let encoding = self
            .field(first_field, Name::ContentTransferEncoding)
            .map_or(TransferEncoding::SevenBit, TransferEncoding::parse);
        let disposition = self
            .field(first_field, Name::ContentDisposition)
            .and_then(|value| Disposition::parse(value, self.limits.parameters));
        let multipart = content_type.is_main("multipart");
        let digest = multipart && content_type.is("multipart", "digest");
        let message = (content_type.is("message", "rfc822") || content_type.is("message", "global"))
            && encoding.is_identity();
        let boundary = content_type.parameters.get("boundary").map(<[u8]>::trim_ascii_end);
        let boundary = boundary.filter(|boundary| !boundary.is_empty()).map(<[u8]>::to_vec);
        self.parts.push(Part {
            kind: PartKind::Leaf,
            parent: place.parent,
            end: index + 1,
            header: start..body_start,
            body: body_start..body_start,
            lines: 0,
            fields: first_field..self.fields.len(),
            content_type,
            typed,
            disposition,
            encoding,
        });
        let deeper = place.depth + 1 < self.limits.depth.max(1);
        let inside = Place { parent: Some(index), depth: place.depth + 1, digest };
        let (kind, stop) = match (stop, boundary) {
            (Some(stop), _) if multipart => (PartKind::Multipart, stop),
            (Some(stop), _) if message && deeper => {
                let content_type = ContentType::plain("text", "plain");
                self.opaque(body_start..body_start, Some(index), content_type);
                (PartKind::Message, stop)
            }
            (Some(stop), _) => (PartKind::Leaf, stop),
            (None, Some(boundary)) if multipart && deeper => {
                (PartKind::Multipart, self.multipart(body_start, boundary, inside))
            }
            (None, _) if multipart => (PartKind::Multipart, self.find_delimiter(body_start)),
            (None, _) if message && deeper && self.parts.len() < self.limits.parts => {
                (PartKind::Message, self.entity(body_start, inside))
            }
            (None, _) => (PartKind::Leaf, self.find_delimiter(body_start)),
        };
        let body = body_start..self.end_of_body(body_start, stop);
        if kind == PartKind::Multipart && self.parts.len() == index + 1 {
            // What cannot be taken apart is shown whole: as text where no delimiter was found, which is what a reader
            // can use, and as opaque bytes where it lies too deep.
            let content_type = if deeper {
                ContentType::plain("text", "plain")
            } else {
                ContentType::plain("application", "octet-stream")
            };
            self.opaque(body.clone(), Some(index), content_type);
        }
        let lines = memchr::memchr_iter(b'\n', self.raw.get(body.clone()).unwrap_or_default()).count();
        let end = self.parts.len();
        if kind == PartKind::Message
            && self.parts.get(index + 1).is_some_and(|part| part.header.end > body.end)
        {
            // The blank line of the embedded header was the line end that belongs to the delimiter.
            for part in self.parts.iter_mut().skip(index + 1) {
                part.header.end = part.header.end.min(body.end);
                part.header.start = part.header.start.min(body.end);
                part.body = part.body.start.min(body.end)..part.body.end.min(body.end);
            }
        }
        if let Some(part) = self.parts.get_mut(index) {
            part.kind = kind;
            part.end = end;
            part.body = body;
            part.lines = lines;
        }
        stop
    }

    fn multipart(&mut self, body_start: usize, boundary: Vec<u8>, inside: Place) -> Stop {
        let own = self.boundaries.len();
        self.boundaries.push(boundary);
        let mut stop = self.find_delimiter(body_start);
        while let Stop::Delimiter { level, closing, next, .. } = stop
            && level == own
        {
            if closing {
                self.boundaries.truncate(own);
                return self.find_delimiter(next);
            }
            if self.parts.len() >= self.limits.parts {
                self.boundaries.clear();
                let content_type = ContentType::plain("application", "octet-stream");
                self.opaque(next..self.raw.len(), inside.parent, content_type);
                return Stop::End;
            }
            stop = self.entity(next, inside);
        }
        self.boundaries.truncate(own);
        stop
    }

    /// Reads the header at `start`: where the body begins, and the delimiter if one came before the blank line.
    fn header(&mut self, start: usize) -> (usize, Option<Stop>) {
        let mut at = start;
        loop {
            let rest = self.raw.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return (at, None);
            }
            if let Some(length) = header::blank_line(rest) {
                return (at + length, None);
            }
            if rest.starts_with(b"--")
                && let Some(stop) = self.delimiter_at(at)
            {
                return (at, Some(stop));
            }
            let length = header::field_length(rest);
            let read = self.fields.len() < self.limits.headers && at - start < self.limits.header_bytes;
            // An mbox separator is no field, and neither is its quoted form (RFC 4155).
            let separator = at == start && (rest.starts_with(b"From ") || rest.starts_with(b">From "));
            if read && !separator {
                let line = rest.get(..length.min(self.limits.header_bytes)).unwrap_or_default();
                self.fields.push(header::split(header::without_line_end(line), at));
            }
            at += length;
        }
    }

    fn field(&self, first: usize, name: Name) -> Option<&'a [u8]> {
        let field = self.fields.get(first..)?.iter().find(|field| field.known == name)?;
        self.raw.get(field.value.clone())
    }

    /// The first delimiter line at or after `from`, which is the start of a line.
    fn find_delimiter(&self, from: usize) -> Stop {
        if self.boundaries.is_empty() {
            return Stop::End;
        }
        let rest = self.raw.get(from..).unwrap_or_default();
        if rest.starts_with(b"--")
            && let Some(stop) = self.delimiter_at(from)
        {
            return stop;
        }
        self.finder.find_iter(rest).find_map(|found| self.delimiter_at(from + found + 1)).unwrap_or(Stop::End)
    }

    /// The delimiter that the line at `line`, which begins with `--`, is. The innermost boundary wins. The whole line
    /// is compared, although RFC 2046 §5.1.1 only asks for its beginning: one boundary may be the beginning of another.
    fn delimiter_at(&self, line: usize) -> Option<Stop> {
        let rest = self.raw.get(line + 2..)?;
        for (level, boundary) in self.boundaries.iter().enumerate().rev() {
            let Some(tail) = rest.strip_prefix(boundary.as_slice()) else { continue };
            let (closing, tail) = match tail.strip_prefix(b"--") {
                Some(tail) => (true, tail),
                None => (false, tail),
            };
            let blank = tail.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let next = match tail.get(blank..)? {
                [] => self.raw.len(),
                [b'\n', ..] => self.raw.len() - tail.len() + blank + 1,
                [b'\r', b'\n', ..] => self.raw.len() - tail.len() + blank + 2,
                _ => continue,
            };
            return Some(Stop::Delimiter { level, closing, line, next });
        }
        None
    }

    /// The line end before a delimiter belongs to it (RFC 2046 §5.1.1).
    fn end_of_body(&self, body_start: usize, stop: Stop) -> usize {
        match stop {
            Stop::End => self.raw.len(),
            Stop::Delimiter { line, .. } => {
                let body = self.raw.get(body_start..line).unwrap_or_default();
                body_start + header::without_line_end(body).len()
            }
        }
    }

    fn opaque(&mut self, body: Range<usize>, parent: Option<usize>, content_type: ContentType<'a>) {
        let lines = memchr::memchr_iter(b'\n', self.raw.get(body.clone()).unwrap_or_default()).count();
        let fields = self.fields.len();
        self.parts.push(Part {
            kind: PartKind::Leaf,
            parent,
            end: self.parts.len() + 1,
            header: body.start..body.start,
            body,
            lines,
            fields: fields..fields,
            content_type,
            typed: false,
            disposition: None,
            encoding: TransferEncoding::SevenBit,
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;

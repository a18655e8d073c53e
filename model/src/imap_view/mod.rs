//! What IMAP serves of a message without parsing it again: ENVELOPE and BODYSTRUCTURE ready for the wire, and where the
//! parts lie (RFC 9051 §6.4.5, §7.5.2).
//!
//! The binary form is made for reading slices out of it: [`ImapView::envelope_of`] and [`ImapView::bodystructure_of`]
//! allocate nothing. Version 1, numbers as LEB128 of at most ten bytes:
//!
//! ```text
//! u8      version = 1
//! number  size of the message
//! number  length, bytes     ENVELOPE, with its parentheses
//! number  length, bytes     BODYSTRUCTURE, with its parentheses
//! number  count of parts, then for each, every part before those inside it:
//!   u8      kind (bits 0-1: leaf, multipart, message), transfer encoding (bits 2-7)
//!   number  how many parts follow that are inside this one
//!   number  start of the header, counted from the start of the header of the part before
//!   number  length of the header, blank line included
//!   number  length of the body
//!   number  lines of the body
//!   number  start of its extension data in BODYSTRUCTURE; BODY is BODYSTRUCTURE without all of them
//!   number  length of that
//! ```

mod envelope;
mod header_fields;
mod render;

use std::ops::Range;

pub use envelope::Envelope;
pub use header_fields::header_fields;
pub(crate) use render::render;

use crate::mime::{Limits, PartKind, Structure, TransferEncoding};
use crate::varint::{Malformed, put, take, take_bytes, take_usize};

/// The IMAP view of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImapView {
    /// ENVELOPE as it goes on the wire.
    pub envelope: Vec<u8>,
    /// BODYSTRUCTURE as it goes on the wire, extension data included.
    pub bodystructure: Vec<u8>,
    /// Where the parts lie.
    pub parts: PartTable,
}

/// The parts of a message, each before those inside it; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTable {
    size: u64,
    parts: Vec<ViewPart>,
}

/// A part: offsets are into the message's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewPart {
    /// What it holds.
    pub kind: PartKind,
    /// Its transfer encoding, for BINARY.
    pub encoding: TransferEncoding,
    /// One past the index of the last part inside this one.
    pub end: usize,
    /// The header with its blank line: `BODY[n.MIME]`.
    pub header: Range<u64>,
    /// The body: `BODY[n]`.
    pub body: Range<u64>,
    /// Line feeds in the body.
    pub lines: u64,
    /// Its extension data in BODYSTRUCTURE.
    extension: Range<usize>,
}

/// What of a section is asked for (RFC 9051 §6.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// `BODY[]` or `BODY[n]`: everything.
    Content,
    /// `HEADER`, and what `HEADER.FIELDS` chooses from: the header of the message, or of an embedded one.
    Header,
    /// `TEXT`: the body of the message, or of an embedded one.
    Text,
    /// `MIME`: the header of a part.
    Mime,
}

/// A stored view that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Written by a newer program.
    #[error("IMAP view of version {0}")]
    Version(u8),
    /// Cut off or damaged.
    #[error("damaged IMAP view")]
    Corrupt,
}

impl From<Malformed> for ViewError {
    fn from(_: Malformed) -> Self {
        Self::Corrupt
    }
}

impl ImapView {
    /// The view of a message.
    pub fn from_rfc5322(raw: &[u8], limits: &Limits) -> Self {
        let structure = Structure::scan(raw, limits);
        let mut budget = limits.addresses;
        let envelope = Envelope::of(&structure, structure.root(), &mut budget);
        render(&structure, &envelope, budget)
    }

    /// The size of the message.
    pub fn size(&self) -> u64 {
        self.parts.size
    }

    /// The size of its header, blank line included.
    pub fn header_size(&self) -> u64 {
        self.parts.root().header.end
    }

    /// BODY as it goes on the wire: BODYSTRUCTURE without extension data.
    pub fn body(&self) -> Vec<u8> {
        self.parts.body(&self.bodystructure)
    }

    /// The bytes of a section; see [`PartTable::section`].
    pub fn section(&self, path: &[u32], kind: SectionKind) -> Option<Range<u64>> {
        self.parts.section(path, kind)
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let capacity = self.envelope.len() + self.bodystructure.len() + 24 + self.parts.parts.len() * 20;
        let mut out = Vec::with_capacity(capacity);
        out.push(VERSION);
        put(&mut out, self.parts.size);
        put(&mut out, self.envelope.len() as u64);
        out.extend_from_slice(&self.envelope);
        put(&mut out, self.bodystructure.len() as u64);
        out.extend_from_slice(&self.bodystructure);
        put(&mut out, self.parts.parts.len() as u64);
        let mut previous = 0;
        for (index, part) in self.parts.parts.iter().enumerate() {
            out.push(kind_code(part.kind) | part.encoding.code() << 2);
            put(&mut out, (part.end - index - 1) as u64);
            put(&mut out, part.header.start - previous);
            previous = part.header.start;
            put(&mut out, part.header.end - part.header.start);
            put(&mut out, part.body.end - part.body.start);
            put(&mut out, part.lines);
            put(&mut out, part.extension.start as u64);
            put(&mut out, (part.extension.end - part.extension.start) as u64);
        }
        out
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        let head = Head::read(bytes)?;
        let parts = head.parts()?;
        Ok(Self { envelope: head.envelope.to_vec(), bodystructure: head.bodystructure.to_vec(), parts })
    }

    /// The ENVELOPE inside a stored view.
    pub fn envelope_of(bytes: &[u8]) -> Option<&[u8]> {
        Head::read(bytes).ok().map(|head| head.envelope)
    }

    /// The BODYSTRUCTURE inside a stored view.
    pub fn bodystructure_of(bytes: &[u8]) -> Option<&[u8]> {
        Head::read(bytes).ok().map(|head| head.bodystructure)
    }

    /// BODY, from a stored view.
    pub fn body_of(bytes: &[u8]) -> Option<Vec<u8>> {
        let head = Head::read(bytes).ok()?;
        Some(head.parts().ok()?.body(head.bodystructure))
    }

    /// Where the parts lie, from a stored view.
    pub fn parts_of(bytes: &[u8]) -> Option<PartTable> {
        Head::read(bytes).ok()?.parts().ok()
    }
}

impl PartTable {
    /// The size of the message.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All parts, each before those inside it.
    pub fn parts(&self) -> &[ViewPart] {
        &self.parts
    }

    /// The message as an entity.
    pub fn root(&self) -> &ViewPart {
        self.parts.first().expect("a table is made with at least one part")
    }

    /// The part that a section number names; `None` for the empty path, which is the message, and where there is none.
    pub fn part(&self, path: &[u32]) -> Option<&ViewPart> {
        let mut within = Some(0);
        let mut selected = None;
        for &number in path {
            let index = self.select(within?, number)?;
            selected = Some(index);
            within = match self.parts.get(index)?.kind {
                PartKind::Leaf => None,
                PartKind::Multipart => Some(index),
                PartKind::Message => Some(index + 1),
            };
        }
        self.parts.get(selected?)
    }

    /// The bytes of a section of the message: `BODY[2.1.MIME]` is `section(&[2, 1], SectionKind::Mime)`. `None` where
    /// there is no such section; IMAP then answers NIL.
    pub fn section(&self, path: &[u32], kind: SectionKind) -> Option<Range<u64>> {
        if path.is_empty() {
            return match kind {
                SectionKind::Content => Some(0..self.size),
                SectionKind::Header => Some(self.root().header.clone()),
                SectionKind::Text => Some(self.root().body.clone()),
                SectionKind::Mime => None,
            };
        }
        let part = self.part(path)?;
        match kind {
            SectionKind::Content => Some(part.body.clone()),
            SectionKind::Mime => Some(part.header.clone()),
            SectionKind::Header => self.embedded(part).map(|message| message.header.clone()),
            SectionKind::Text => self.embedded(part).map(|message| message.body.clone()),
        }
    }

    /// The message inside a `message/rfc822` part.
    fn embedded(&self, part: &ViewPart) -> Option<&ViewPart> {
        let index = self.parts.iter().position(|own| std::ptr::eq(own, part))?;
        if part.kind == PartKind::Message { self.parts.get(index + 1) } else { None }
    }

    /// The part with a number in the entity at `within`: a child of a multipart, or the entity itself as number 1.
    fn select(&self, within: usize, number: u32) -> Option<usize> {
        let entity = self.parts.get(within)?;
        if entity.kind != PartKind::Multipart {
            return (number == 1).then_some(within);
        }
        let mut child = within + 1;
        for _ in 1..number {
            child = self.parts.get(child)?.end;
            if child >= entity.end {
                return None;
            }
        }
        (number > 0 && child < entity.end).then_some(child)
    }

    fn body(&self, bodystructure: &[u8]) -> Vec<u8> {
        let mut cuts: Vec<_> = self.parts.iter().map(|part| part.extension.clone()).collect();
        cuts.sort_by_key(|cut| cut.start);
        let mut out = Vec::with_capacity(bodystructure.len());
        let mut at = 0;
        for cut in cuts {
            out.extend_from_slice(bodystructure.get(at..cut.start).unwrap_or_default());
            at = cut.end;
        }
        out.extend_from_slice(bodystructure.get(at..).unwrap_or_default());
        out
    }
}

/// The fixed beginning of a stored view.
struct Head<'a> {
    size: u64,
    envelope: &'a [u8],
    bodystructure: &'a [u8],
    table: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ViewError> {
        let (&version, mut rest) = bytes.split_first().ok_or(ViewError::Corrupt)?;
        if version != VERSION {
            return Err(ViewError::Version(version));
        }
        let size = take(&mut rest)?;
        let envelope = take_bytes(&mut rest)?;
        let bodystructure = take_bytes(&mut rest)?;
        Ok(Self { size, envelope, bodystructure, table: rest })
    }

    fn parts(&self) -> Result<PartTable, ViewError> {
        let mut rest = self.table;
        let count = take_usize(&mut rest)?;
        // A part takes at least eight bytes, so a wrong count cannot ask for much memory.
        if count == 0 || count > rest.len() / 8 {
            return Err(ViewError::Corrupt);
        }
        let mut parts: Vec<ViewPart> = Vec::with_capacity(count);
        let mut open: Vec<usize> = vec![count];
        let mut previous = 0u64;
        for index in 0..count {
            while open.last() == Some(&index) {
                open.pop();
            }
            let (&code, after) = rest.split_first().ok_or(ViewError::Corrupt)?;
            rest = after;
            let kind = kind_of(code & 3).ok_or(ViewError::Corrupt)?;
            let encoding = TransferEncoding::from_code(code >> 2).ok_or(ViewError::Corrupt)?;
            let inside = take_usize(&mut rest)?;
            let end = inside.checked_add(index + 1).ok_or(ViewError::Corrupt)?;
            if end > *open.last().ok_or(ViewError::Corrupt)? || (inside == 0) != (kind == PartKind::Leaf) {
                return Err(ViewError::Corrupt);
            }
            open.push(end);
            let start = previous.checked_add(take(&mut rest)?).ok_or(ViewError::Corrupt)?;
            previous = start;
            let header_end = start.checked_add(take(&mut rest)?).ok_or(ViewError::Corrupt)?;
            let body_end = header_end.checked_add(take(&mut rest)?).ok_or(ViewError::Corrupt)?;
            let lines = take(&mut rest)?;
            let extension = take_usize(&mut rest)?;
            let extension_end = extension.checked_add(take_usize(&mut rest)?).ok_or(ViewError::Corrupt)?;
            if body_end > self.size || extension_end > self.bodystructure.len() {
                return Err(ViewError::Corrupt);
            }
            parts.push(ViewPart {
                kind,
                encoding,
                end,
                header: start..header_end,
                body: header_end..body_end,
                lines,
                extension: extension..extension_end,
            });
        }
        Ok(PartTable { size: self.size, parts })
    }
}

fn kind_code(kind: PartKind) -> u8 {
    match kind {
        PartKind::Leaf => 0,
        PartKind::Multipart => 1,
        PartKind::Message => 2,
    }
}

fn kind_of(code: u8) -> Option<PartKind> {
    match code {
        0 => Some(PartKind::Leaf),
        1 => Some(PartKind::Multipart),
        2 => Some(PartKind::Message),
        _ => None,
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;

//! Where the bytes of `BODY[section]` are (RFC 9051 §6.4.5).

use std::ops::Range;

use bytes::Bytes;
use kontor_imap_proto::{Partial, Section, SectionText};
use kontor_model::{
    ImapView,
    imap_view::{SectionKind, header_fields},
};

use super::message::Source;
use crate::reply::Failure;

/// A section's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// There is no such section.
    Nil,
    /// The bytes.
    Here(Bytes),
    /// A range of the message, to be read.
    There(Range<u64>),
}

impl Content {
    /// How many bytes; none for NIL.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Nil => None,
            Self::Here(bytes) => Some(bytes.len() as u64),
            Self::There(range) => Some(range.end.saturating_sub(range.start)),
        }
    }

    /// The part that `<offset.length>` names; nothing beyond the end.
    pub fn cut(self, partial: Partial) -> Self {
        let Some(length) = self.length() else { return self };
        let from = partial.offset.min(length);
        let until = from.saturating_add(partial.length).min(length);
        match self {
            Self::Nil => Self::Nil,
            Self::Here(bytes) => {
                let index = |n: u64| usize::try_from(n).unwrap_or(bytes.len());
                Self::Here(bytes.slice(index(from)..index(until)))
            }
            Self::There(range) => Self::There(range.start + from..range.start + until),
        }
    }
}

/// Finds a section.
pub(super) async fn find(source: &Source<'_>, section: &Section) -> Result<Content, Failure> {
    let item = source.item;
    let kind = match &section.text {
        None => SectionKind::Content,
        Some(SectionText::Text) => SectionKind::Text,
        Some(SectionText::Mime) => SectionKind::Mime,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => {
            SectionKind::Header
        }
    };
    let content = match (section.part.is_empty(), kind) {
        (true, SectionKind::Content) => in_message(source, 0..item.size),
        (true, SectionKind::Header) => Content::Here(item.header.clone()),
        _ => match ImapView::parts_of(&item.view).and_then(|parts| parts.section(&section.part, kind)) {
            Some(range) => in_message(source, range),
            None => Content::Nil,
        },
    };
    let (names, not) = match &section.text {
        Some(SectionText::HeaderFields(names)) => (names, false),
        Some(SectionText::HeaderFieldsNot(names)) => (names, true),
        _ => return Ok(content),
    };
    let header = match content {
        Content::Nil => return Ok(Content::Nil),
        Content::Here(bytes) => bytes,
        Content::There(range) => gather(source, range).await?,
    };
    Ok(Content::Here(header_fields(&header, names, not).into()))
}

/// A range of the message: of the bytes that came with it, else to be read.
pub(super) fn in_message(source: &Source<'_>, range: Range<u64>) -> Content {
    match &source.item.body {
        Some(body) => {
            let index = |n: u64| usize::try_from(n).unwrap_or(body.len()).min(body.len());
            let (from, until) = (index(range.start), index(range.end));
            Content::Here(body.slice(from..until.max(from)))
        }
        None => Content::There(range),
    }
}

/// Reads an embedded message's header; what is longer than a header has reason to be is left out.
async fn gather(source: &Source<'_>, range: Range<u64>) -> Result<Bytes, Failure> {
    let range = range.start..range.end.min(range.start + LONGEST_HEADER);
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let mut out = Vec::new();
    let mut stream = source.read(&range).await?;
    while let Some(piece) = stream.next().await? {
        out.extend_from_slice(&piece);
    }
    Ok(out.into())
}

const LONGEST_HEADER: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials() {
        let cut = |content: Content, offset, length| content.cut(Partial { offset, length });
        let here = || Content::Here(Bytes::from_static(b"abcdef"));
        assert_eq!(cut(here(), 2, 3), Content::Here(Bytes::from_static(b"cde")));
        assert_eq!(cut(here(), 4, u64::MAX), Content::Here(Bytes::from_static(b"ef")));
        assert_eq!(cut(here(), 9, 1), Content::Here(Bytes::new()));
        assert_eq!(cut(Content::There(10..20), 3, 4), Content::There(13..17));
        assert_eq!(cut(Content::There(10..20), u64::MAX, 4), Content::There(20..20));
        assert_eq!(cut(Content::Nil, 0, 1), Content::Nil);
    }
}

//! `BODY[section]<partial>` (RFC 9051 §6.4.5 and §9 `section`).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
    encoder::write_astring,
    sequence_set::write_number,
};

/// Which bytes of a message `BODY[...]` names; the default is the whole message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// The part's number, each component above zero; empty for the message itself.
    pub part: Vec<u32>,
    /// What of the part; none for its whole content.
    pub text: Option<SectionText>,
}

/// The named pieces of a message or part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`: these fields only.
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (...)`: all but these fields.
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`
    Text,
    /// `MIME`: the part's own MIME header; only after a part's number.
    Mime,
}

/// `<offset.length>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// First byte.
    pub offset: u64,
    /// At most so many bytes; above zero.
    pub length: u64,
}

impl Section {
    /// From after `[` to and with `]`.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let part = Self::parse_part(cursor)?;
        if cursor.eat(b']') {
            return Ok(Self { part, text: None });
        }
        let word = cursor.keyword();
        let text = if word.eq_ignore_ascii_case(b"HEADER") {
            SectionText::Header
        } else if word.eq_ignore_ascii_case(b"TEXT") {
            SectionText::Text
        } else if word.eq_ignore_ascii_case(b"MIME") && !part.is_empty() {
            SectionText::Mime
        } else if word.eq_ignore_ascii_case(b"HEADER.FIELDS") {
            cursor.sp()?;
            SectionText::HeaderFields(cursor.list(false, header_name)?)
        } else if word.eq_ignore_ascii_case(b"HEADER.FIELDS.NOT") {
            cursor.sp()?;
            SectionText::HeaderFieldsNot(cursor.list(false, header_name)?)
        } else {
            return Err(ParseError::Syntax("unknown section"));
        };
        cursor.expect(b']', "expected ]")?;
        Ok(Self { part, text: Some(text) })
    }

    /// A part's number, and the dot after it if a name follows.
    pub(crate) fn parse_part(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
        let mut part = Vec::new();
        while cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
            if part.len() >= cursor.context.limits.part_depth {
                return Err(ParseError::Limit("part number"));
            }
            part.push(cursor.nz_number()?);
            if !cursor.eat(b'.') {
                if cursor.peek() != Some(b']') {
                    return Err(ParseError::Syntax("expected . or ] after a part's number"));
                }
                break;
            }
            if cursor.peek() == Some(b']') {
                return Err(ParseError::Syntax("section ends with a dot"));
            }
        }
        Ok(part)
    }

    /// Appends what stands between `[` and `]`.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_part(out, &self.part);
        let Some(text) = &self.text else { return };
        if !self.part.is_empty() {
            out.push(b'.');
        }
        let (name, fields): (&[u8], &[String]) = match text {
            SectionText::Header => (b"HEADER", &[]),
            SectionText::Text => (b"TEXT", &[]),
            SectionText::Mime => (b"MIME", &[]),
            SectionText::HeaderFields(fields) => (b"HEADER.FIELDS", fields),
            SectionText::HeaderFieldsNot(fields) => (b"HEADER.FIELDS.NOT", fields),
        };
        out.extend_from_slice(name);
        for (i, field) in fields.iter().enumerate() {
            out.extend_from_slice(if i == 0 { b" (" } else { b" " });
            write_astring(out, field.as_bytes());
        }
        if !fields.is_empty() {
            out.push(b')');
        }
    }
}

/// Appends a part's number, dots between its components.
pub(crate) fn write_part(out: &mut Vec<u8>, part: &[u32]) {
    for (i, number) in part.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        write_number(out, (*number).into());
    }
}

fn header_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = cursor.astring()?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(ParseError::Syntax("expected a header field's name"));
    }
    Ok(name)
}

impl Partial {
    /// `<offset.length>` if it comes next.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Self>> {
        if !cursor.eat(b'<') {
            return Ok(None);
        }
        let offset = cursor.number64()?;
        cursor.expect(b'.', "expected . in a partial")?;
        let length = cursor.number64()?;
        if length == 0 {
            return Err(ParseError::Syntax("a partial's length is above zero"));
        }
        cursor.expect(b'>', "expected >")?;
        Ok(Some(Self { offset, length }))
    }
}

//! Writes one FETCH response (RFC 9051 §7.5.2).

use crate::{DateTime, Flag, Section, encoder::write_flags, section::write_part, sequence_set::write_number};

/// An open `* n FETCH (`, closed when it is dropped.
#[derive(Debug)]
pub struct FetchWriter<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    open: bool,
}

impl Drop for FetchWriter<'_> {
    fn drop(&mut self) {
        if self.open {
            self.out.extend_from_slice(b")\r\n");
        }
    }
}

impl<'a> FetchWriter<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>, number: u32) -> Self {
        out.extend_from_slice(b"* ");
        write_number(out, number.into());
        out.extend_from_slice(b" FETCH (");
        Self { out, first: true, open: true }
    }

    fn item(&mut self, name: &[u8]) {
        if !self.first {
            self.out.push(b' ');
        }
        self.first = false;
        self.out.extend_from_slice(name);
    }

    /// `UID n`
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        self.item(b"UID ");
        write_number(self.out, uid.into());
        self
    }

    /// `FLAGS (...)`
    pub fn flags(&mut self, flags: &[Flag]) -> &mut Self {
        self.item(b"FLAGS ");
        write_flags(self.out, flags);
        self
    }

    /// `FLAGS` with a list that was rendered before by [`render_flags`](Self::render_flags).
    pub fn rendered_flags(&mut self, list: &[u8]) -> &mut Self {
        self.item(b"FLAGS ");
        self.out.extend_from_slice(list);
        self
    }

    /// Renders a flag list, parentheses and all, so that many messages can use it.
    pub fn render_flags(flags: &[Flag]) -> Vec<u8> {
        let mut out = Vec::new();
        write_flags(&mut out, flags);
        out
    }

    /// `MODSEQ (n)`
    pub fn mod_seq(&mut self, mod_seq: u64) -> &mut Self {
        self.item(b"MODSEQ (");
        write_number(self.out, mod_seq);
        self.out.push(b')');
        self
    }

    /// `INTERNALDATE "..."`
    pub fn internal_date(&mut self, date: DateTime) -> &mut Self {
        self.item(b"INTERNALDATE ");
        date.write(self.out);
        self
    }

    /// `SAVEDATE "..."`, or NIL.
    pub fn save_date(&mut self, date: Option<DateTime>) -> &mut Self {
        self.item(b"SAVEDATE ");
        match date {
            Some(date) => date.write(self.out),
            None => self.out.extend_from_slice(b"NIL"),
        }
        self
    }

    /// `RFC822.SIZE n`
    pub fn rfc822_size(&mut self, size: u64) -> &mut Self {
        self.item(b"RFC822.SIZE ");
        write_number(self.out, size);
        self
    }

    /// `EMAILID (id)`; `id` is of ASCII letters, digits, `_` and `-`, others are left out.
    pub fn email_id(&mut self, id: &str) -> &mut Self {
        self.item(b"EMAILID (");
        self.objectid(id);
        self.out.push(b')');
        self
    }

    /// `THREADID (id)`, or NIL.
    pub fn thread_id(&mut self, id: Option<&str>) -> &mut Self {
        self.item(b"THREADID ");
        match id {
            Some(id) => {
                self.out.push(b'(');
                self.objectid(id);
                self.out.push(b')');
            }
            None => self.out.extend_from_slice(b"NIL"),
        }
        self
    }

    fn objectid(&mut self, id: &str) {
        self.out.extend(id.bytes().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')));
    }

    /// `ENVELOPE` with its rendered list. `rendered` must be a valid envelope: it is the store's
    /// view, made by `kontor_model`, and goes out as it is.
    pub fn envelope(&mut self, rendered: &[u8]) -> &mut Self {
        self.item(b"ENVELOPE ");
        self.out.extend_from_slice(rendered);
        self
    }

    /// `BODYSTRUCTURE` with its rendered list (see [`FetchWriter::envelope`]).
    pub fn body_structure(&mut self, rendered: &[u8]) -> &mut Self {
        self.item(b"BODYSTRUCTURE ");
        self.out.extend_from_slice(rendered);
        self
    }

    /// `BODY` with its rendered list (see [`FetchWriter::envelope`]).
    pub fn body(&mut self, rendered: &[u8]) -> &mut Self {
        self.item(b"BODY ");
        self.out.extend_from_slice(rendered);
        self
    }

    /// `BODY[section]<origin> {length}`: exactly `length` bytes must follow, by
    /// [`FetchWriter::raw`] or straight to the connection after [`FetchWriter::suspend`].
    pub fn body_section(&mut self, section: &Section, origin: Option<u64>, length: u64) -> &mut Self {
        self.section_name(section, origin);
        self.literal(b"{", length)
    }

    /// `BODY[section] NIL`, for a part that is not there.
    pub fn body_section_nil(&mut self, section: &Section, origin: Option<u64>) -> &mut Self {
        self.section_name(section, origin);
        self.out.extend_from_slice(b"NIL");
        self
    }

    fn section_name(&mut self, section: &Section, origin: Option<u64>) {
        self.item(b"BODY[");
        section.write(self.out);
        self.out.push(b']');
        self.origin(origin);
        self.out.push(b' ');
    }

    fn origin(&mut self, origin: Option<u64>) {
        if let Some(origin) = origin {
            self.out.push(b'<');
            write_number(self.out, origin);
            self.out.push(b'>');
        }
    }

    /// `RFC822 {length}`; `length` bytes must follow.
    pub fn rfc822(&mut self, length: u64) -> &mut Self {
        self.item(b"RFC822 ");
        self.literal(b"{", length)
    }

    /// `RFC822.HEADER {length}`; `length` bytes must follow.
    pub fn rfc822_header(&mut self, length: u64) -> &mut Self {
        self.item(b"RFC822.HEADER ");
        self.literal(b"{", length)
    }

    /// `RFC822.TEXT {length}`; `length` bytes must follow.
    pub fn rfc822_text(&mut self, length: u64) -> &mut Self {
        self.item(b"RFC822.TEXT ");
        self.literal(b"{", length)
    }

    /// `BINARY[part]<origin> {length}`, a literal8 if the bytes hold NUL; they must follow.
    pub fn binary(&mut self, part: &[u32], origin: Option<u64>, length: u64, has_nul: bool) -> &mut Self {
        self.binary_name(part, origin);
        self.literal(if has_nul { b"~{" } else { b"{" }, length)
    }

    /// `BINARY[part] NIL`, for a part that is not there.
    pub fn binary_nil(&mut self, part: &[u32], origin: Option<u64>) -> &mut Self {
        self.binary_name(part, origin);
        self.out.extend_from_slice(b"NIL");
        self
    }

    fn binary_name(&mut self, part: &[u32], origin: Option<u64>) {
        self.item(b"BINARY[");
        write_part(self.out, part);
        self.out.push(b']');
        self.origin(origin);
        self.out.push(b' ');
    }

    /// `BINARY.SIZE[part] n`
    pub fn binary_size(&mut self, part: &[u32], size: u64) -> &mut Self {
        self.item(b"BINARY.SIZE[");
        write_part(self.out, part);
        self.out.extend_from_slice(b"] ");
        write_number(self.out, size);
        self
    }

    fn literal(&mut self, open: &[u8], length: u64) -> &mut Self {
        self.out.extend_from_slice(open);
        write_number(self.out, length);
        self.out.extend_from_slice(b"}\r\n");
        self
    }

    /// The bytes of a literal that was just announced.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Leaves the response open, so that the caller can send the literal's bytes past the buffer.
    /// [`FetchWriter::resume`] goes on.
    pub fn suspend(mut self) -> SuspendedFetch {
        self.open = false;
        SuspendedFetch { first: self.first }
    }

    /// Goes on with a response that was suspended.
    pub fn resume(out: &'a mut Vec<u8>, suspended: SuspendedFetch) -> Self {
        Self { out, first: suspended.first, open: true }
    }
}

/// A FETCH response that was left open.
#[derive(Debug)]
#[must_use = "the response is to be closed"]
pub struct SuspendedFetch {
    first: bool,
}

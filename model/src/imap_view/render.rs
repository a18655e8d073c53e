//! BODYSTRUCTURE (RFC 9051 §7.5.2), written part by part together with the part table.

use super::{Envelope, ImapView, PartTable, ViewPart};
use crate::mime::{Name, Parameters, Part, PartKind, Structure, header::unfold, parameter};

/// Makes the view of a scanned message. `budget` is how many addresses embedded messages may still show.
pub(crate) fn render(structure: &Structure<'_>, envelope: &Envelope<'_>, budget: usize) -> ImapView {
    let mut renderer = Renderer { structure, budget, out: Vec::with_capacity(512), parts: Vec::new() };
    renderer.parts = structure.parts().iter().map(view_part).collect();
    renderer.part(0);
    let mut wire = Vec::with_capacity(512);
    envelope.render(&mut wire);
    let parts = PartTable { size: structure.raw().len() as u64, parts: renderer.parts };
    ImapView { envelope: wire, bodystructure: renderer.out, parts }
}

fn view_part(part: &Part<'_>) -> ViewPart {
    ViewPart {
        kind: part.kind,
        encoding: part.encoding,
        end: part.end,
        header: part.header.start as u64..part.header.end as u64,
        body: part.body.start as u64..part.body.end as u64,
        lines: part.lines as u64,
        extension: 0..0,
    }
}

struct Renderer<'s, 'a> {
    structure: &'s Structure<'a>,
    budget: usize,
    out: Vec<u8>,
    parts: Vec<ViewPart>,
}

impl Renderer<'_, '_> {
    /// Writes the part at `index`. The depth of this recursion is that of the parts, which the scanner bounded.
    fn part(&mut self, index: usize) {
        let structure = self.structure;
        let Some(part) = structure.part(index) else { return };
        self.out.push(b'(');
        if part.kind == PartKind::Multipart {
            for child in structure.children(index) {
                self.part(child);
            }
            self.out.push(b' ');
            string(part.content_type.sub, &mut self.out);
        } else {
            self.single(index, part);
        }
        let start = self.out.len();
        if part.kind == PartKind::Multipart {
            self.out.push(b' ');
            self.parameters(&part.content_type.parameters, false);
        } else {
            self.out.push(b' ');
            self.field(part, Name::ContentMd5);
        }
        self.out.push(b' ');
        match &part.disposition {
            Some(disposition) => {
                self.out.push(b'(');
                string(disposition.kind, &mut self.out);
                self.out.push(b' ');
                self.parameters(&disposition.parameters, false);
                self.out.push(b')');
            }
            None => self.out.extend_from_slice(b"NIL"),
        }
        self.out.push(b' ');
        self.languages(part);
        self.out.push(b' ');
        self.field(part, Name::ContentLocation);
        if let Some(view) = self.parts.get_mut(index) {
            view.extension = start..self.out.len();
        }
        self.out.push(b')');
    }

    fn single(&mut self, index: usize, part: &Part<'_>) {
        let structure = self.structure;
        let is_text = part.content_type.is_main("text");
        let is_message = ["rfc822", "global"].iter().any(|sub| part.content_type.is("message", sub));
        if part.kind == PartKind::Leaf && is_message {
            // The grammar wants an envelope for this type, and what is encoded or too deep has none.
            self.out.extend_from_slice(b"\"application\" \"octet-stream\"");
        } else {
            string(part.content_type.main, &mut self.out);
            self.out.push(b' ');
            string(part.content_type.sub, &mut self.out);
        }
        self.out.push(b' ');
        self.parameters(&part.content_type.parameters, is_text);
        self.out.push(b' ');
        self.field(part, Name::ContentId);
        self.out.push(b' ');
        self.field(part, Name::ContentDescription);
        self.out.push(b' ');
        let encoding = structure.value(part, Name::ContentTransferEncoding).map(parameter::skip_cfws);
        match encoding.map(|value| parameter::token(value).0).filter(|token| !token.is_empty()) {
            Some(token) => string(token, &mut self.out),
            None => self.out.extend_from_slice(b"\"7bit\""),
        }
        self.out.push(b' ');
        number(part.body.len(), &mut self.out);
        if part.kind == PartKind::Message
            && let Some(embedded) = structure.part(index + 1)
        {
            self.out.push(b' ');
            Envelope::of(structure, embedded, &mut self.budget).render(&mut self.out);
            self.out.push(b' ');
            self.part(index + 1);
        }
        if part.kind == PartKind::Message || is_text {
            self.out.push(b' ');
            number(part.lines, &mut self.out);
        }
    }

    /// `charset` is told for every text, as RFC 2046 §4.1.2 gives it a default.
    fn parameters(&mut self, parameters: &Parameters<'_>, text: bool) {
        let default = text && parameters.get("charset").is_none();
        if parameters.is_empty() && !default {
            self.out.extend_from_slice(b"NIL");
            return;
        }
        self.out.push(b'(');
        for (i, (name, value)) in parameters.iter().enumerate() {
            if i > 0 {
                self.out.push(b' ');
            }
            string(name, &mut self.out);
            self.out.push(b' ');
            string(value, &mut self.out);
        }
        if default {
            if !parameters.is_empty() {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(b"\"charset\" \"us-ascii\"");
        }
        self.out.push(b')');
    }

    fn field(&mut self, part: &Part<'_>, name: Name) {
        let value = self.structure.value(part, name).map(unfold).filter(|value| !value.is_empty());
        nstring(value.as_deref(), &mut self.out);
    }

    /// NIL, a string, or a list of them (RFC 3282 lists tags with commas).
    fn languages(&mut self, part: &Part<'_>) {
        let value = self.structure.value(part, Name::ContentLanguage).unwrap_or_default();
        let mut tags = value.split(|&b| b == b',').map(|tag| parameter::token(parameter::skip_cfws(tag)).0);
        let mut any = false;
        for tag in tags.by_ref().filter(|tag| !tag.is_empty()) {
            self.out.push(if any { b' ' } else { b'(' });
            any = true;
            string(tag, &mut self.out);
        }
        self.out.extend_from_slice(if any { b")" } else { b"NIL" });
    }
}

/// A string or NIL.
pub(crate) fn nstring(value: Option<&[u8]>, out: &mut Vec<u8>) {
    match value {
        Some(value) => string(value, out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// A quoted string where IMAP allows one, else a literal. NUL, which neither can hold, is left out.
pub(crate) fn string(value: &[u8], out: &mut Vec<u8>) {
    let quotable =
        value.len() <= MAX_QUOTED && value.iter().all(|b| !matches!(b, 0 | b'\r' | b'\n' | 0x80..));
    if quotable {
        out.push(b'"');
        if memchr::memchr2(b'"', b'\\', value).is_none() {
            out.extend_from_slice(value);
        } else {
            for &byte in value {
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
        }
        out.push(b'"');
        return;
    }
    let nuls = memchr::memchr_iter(0, value).count();
    out.push(b'{');
    number(value.len() - nuls, out);
    out.extend_from_slice(b"}\r\n");
    out.extend(value.iter().copied().filter(|&b| b != 0));
}

fn number(value: usize, out: &mut Vec<u8>) {
    use std::io::Write as _;
    write!(out, "{value}").expect("writing to a Vec does not fail");
}

/// Clients have bounded buffers for lines.
const MAX_QUOTED: usize = 1_000;

//! Bodies: texts and attachments with their transfer encoding (RFC 2045 §6).

use base64::Engine as _;

use crate::message::Attachment;
use crate::message::from_mime::crlf;

/// A header's MIME fields and the encoded body.
pub(super) struct Entity {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Entity {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// A `text/*` part in UTF-8.
pub(super) fn text_entity(sub: &str, text: &str) -> Entity {
    let text = crlf(text);
    let simple = text.split("\r\n").all(is_simple) && (text.is_empty() || text.ends_with("\r\n"));
    let (encoding, body) = if simple {
        ("7bit", text.into_bytes())
    } else {
        let odd = text.bytes().filter(|b| !(b' '..=b'~').contains(b) && !matches!(b, b'\r' | b'\n')).count();
        if odd * 4 > text.len() {
            ("base64", base64_lines(text.as_bytes()).into_bytes())
        } else {
            ("quoted-printable", quoted_printable(text.as_bytes()))
        }
    };
    let charset = if body.is_ascii() && encoding == "7bit" { "us-ascii" } else { "utf-8" };
    let head =
        format!("Content-Type: text/{sub}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n");
    Entity { head: head.into_bytes(), body }
}

/// Whether a line can go as it is: short, printable, no space at its end, and no beginning that a mail program changes
/// or that could be a delimiter.
fn is_simple(line: &str) -> bool {
    line.len() <= 76
        && line.bytes().all(|b| (b' '..=b'~').contains(&b) || b == b'\t')
        && !line.ends_with([' ', '\t'])
        && !line.starts_with("From ")
        && !line.starts_with("--=_")
        && line != "."
}

/// Lines of 76 digits with CRLF after each.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() / 57 * 78 + 80);
    for chunk in bytes.chunks(57) {
        base64::engine::general_purpose::STANDARD.encode_string(chunk, &mut out);
        out.push_str("\r\n");
    }
    out
}

/// RFC 2045 §6.7. CRLF in `text` is a line break; lines have at most 76 characters.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut column = 0;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(next) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            column = 0;
            rest = next;
            continue;
        }
        let at_end = after.is_empty() || after.starts_with(b"\r\n");
        let literal = match byte {
            b' ' | b'\t' => !at_end,
            b'=' => false,
            // A dot or `From ` at the start of a line is changed on some ways.
            b'.' | b'F' if column == 0 => false,
            _ => (b'!'..=b'~').contains(&byte),
        };
        let width = if literal { 1 } else { 3 };
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if literal {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("={byte:02X}").as_bytes());
        }
        column += width;
        rest = after;
    }
    // A soft break, so that the line end after the body is no part of the text.
    if column > 0 {
        out.extend_from_slice(b"=\r\n");
    }
    out
}

/// The type of an attachment, where bytes in base64 may have it: a composite type may not (RFC 2045 §6.4).
pub(super) fn attachment_type(attachment: &Attachment) -> String {
    let kind = attachment.mime_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let token = |text: &str| {
        let fits = !text.is_empty() && text.len() <= 100;
        fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match kind.split_once('/') {
        Some((main, sub)) if token(main) && token(sub) && !matches!(main, "multipart" | "message") => kind,
        _ => "application/octet-stream".to_owned(),
    }
}

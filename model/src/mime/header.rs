//! Header fields: where they are, which they are, and their value without folding (RFC 5322 §2.2).

use std::borrow::Cow;
use std::ops::Range;

/// A header field that Kontor looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the fields")]
pub enum Name {
    Bcc,
    Cc,
    ContentDescription,
    ContentDisposition,
    ContentId,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    ContentTransferEncoding,
    ContentType,
    Date,
    From,
    Importance,
    InReplyTo,
    MessageId,
    MimeVersion,
    Priority,
    References,
    ReplyTo,
    Sender,
    Sensitivity,
    Subject,
    ThreadIndex,
    ThreadTopic,
    To,
    XPriority,
    /// Any other field, or a line in a header that is no field.
    Other,
}

impl Name {
    /// Which field a name spells.
    pub fn of(name: &[u8]) -> Self {
        let candidates: &[(&str, Self)] = match name.len() {
            2 => &[("to", Self::To), ("cc", Self::Cc)],
            3 => &[("bcc", Self::Bcc)],
            4 => &[("from", Self::From), ("date", Self::Date)],
            6 => &[("sender", Self::Sender)],
            7 => &[("subject", Self::Subject)],
            8 => &[("reply-to", Self::ReplyTo), ("priority", Self::Priority)],
            10 => &[
                ("message-id", Self::MessageId),
                ("references", Self::References),
                ("content-id", Self::ContentId),
                ("x-priority", Self::XPriority),
                ("importance", Self::Importance),
            ],
            11 => &[
                ("in-reply-to", Self::InReplyTo),
                ("content-md5", Self::ContentMd5),
                ("sensitivity", Self::Sensitivity),
            ],
            12 => &[
                ("content-type", Self::ContentType),
                ("mime-version", Self::MimeVersion),
                ("thread-index", Self::ThreadIndex),
                ("thread-topic", Self::ThreadTopic),
            ],
            16 => &[("content-language", Self::ContentLanguage), ("content-location", Self::ContentLocation)],
            19 => &[
                ("content-disposition", Self::ContentDisposition),
                ("content-description", Self::ContentDescription),
            ],
            25 => &[("content-transfer-encoding", Self::ContentTransferEncoding)],
            _ => &[],
        };
        candidates
            .iter()
            .find(|(text, _)| text.as_bytes().eq_ignore_ascii_case(name))
            .map_or(Self::Other, |(_, known)| *known)
    }
}

/// A header field as offsets into the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which field it is.
    pub known: Name,
    /// The name, without the colon and the space before it; empty for a line that has no colon.
    pub name: Range<usize>,
    /// The value after the colon, folds included, without the last line ending.
    pub value: Range<usize>,
}

/// Splits one field (without its last line ending) into name and value. `at` is where `line` begins in the message.
pub(crate) fn split(line: &[u8], at: usize) -> Field {
    let whole = at..at + line.len();
    let Some(colon) = memchr::memchr(b':', line) else {
        return Field { known: Name::Other, name: at..at, value: whole };
    };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    if name.is_empty() || name.iter().any(|&b| b <= b' ' || b == 0x7f) {
        return Field { known: Name::Other, name: at..at, value: whole };
    }
    Field { known: Name::of(name), name: at..at + name.len(), value: at + colon + 1..whole.end }
}

/// The value without its folds (RFC 5322 §2.2.3: the line breaks go, the space stays), trimmed.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect())
}

/// Walks the header at the start of `bytes` field by field, up to and without the blank line; for callers that have a
/// header and no [`super::Structure`].
pub fn fields(bytes: &[u8]) -> impl Iterator<Item = (Field, Range<usize>)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if blank_line(rest).is_some() {
            return None;
        }
        let length = field_length(rest);
        let line = rest.get(..length).unwrap_or_default();
        let field = split(without_line_end(line), at);
        let range = at..at + length;
        at = range.end;
        Some((field, range))
    })
}

/// The length of the blank line that `bytes` begins with.
pub(crate) fn blank_line(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// The length of the field that `bytes` begins with: its line, the lines that continue it, and their line ends.
pub(crate) fn field_length(bytes: &[u8]) -> usize {
    for end in memchr::memchr_iter(b'\n', bytes) {
        if !matches!(bytes.get(end + 1), Some(b' ' | b'\t')) {
            return end + 1;
        }
    }
    bytes.len()
}

/// `line` without one CRLF or LF at its end.
pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
        fields(bytes).map(|(f, _)| (&bytes[f.name], &bytes[f.value])).collect()
    }

    #[test]
    fn folded_and_bare_lf_fields() {
        let raw = b"Subject: a\r\n b\r\nTo : x\nno colon here\nX-Empty:\r\n\r\nBody: no\r\n";
        assert_eq!(
            pairs(raw),
            [(&b"Subject"[..], &b" a\r\n b"[..]), (b"To", b" x"), (b"", b"no colon here"), (b"X-Empty", b"")]
        );
        assert_eq!(unfold(b" a\r\n b "), &b"a b"[..]);
    }

    #[test]
    fn names_do_not_heed_case() {
        assert_eq!(Name::of(b"CONTENT-transfer-ENCODING"), Name::ContentTransferEncoding);
        assert_eq!(Name::of(b"X-Foo"), Name::Other);
    }
}

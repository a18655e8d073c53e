//! Encoded words in header fields (RFC 2047), read leniently; raw 8-bit text is taken as UTF-8 (RFC 6532) or, failing
//! that, as Windows-1252.

use std::borrow::Cow;

use super::{charset, parameter::hex_pair, transfer};

/// The decoded text of an unstructured field: folds undone, encoded words decoded, NUL removed, other C0 controls
/// made spaces, trimmed.
pub fn decode(value: &[u8]) -> String {
    let mut out = String::new();
    decode_into(value, &mut out);
    out
}

/// As [`decode`], appending to `out`.
pub fn decode_into(value: &[u8], out: &mut String) {
    let value = super::header::unfold(value);
    let mut rest = value.as_ref();
    // Words next to each other with one charset are decoded together: senders cut characters in half.
    let mut pending: Option<(&[u8], Vec<u8>)> = None;
    while let Some(start) = memchr::memmem::find(rest, b"=?") {
        let (before, candidate) = rest.split_at(start);
        let Some(word) = Word::parse(candidate) else {
            flush(&mut pending, out);
            let (literal, after) = rest.split_at(start + 2);
            push_raw(literal, out);
            rest = after;
            continue;
        };
        let joins = pending.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !joins {
            flush(&mut pending, out);
            push_raw(before, out);
        }
        let mut bytes = Vec::with_capacity(word.text.len());
        word.decode(&mut bytes);
        match &mut pending {
            Some((label, collected)) if label.eq_ignore_ascii_case(word.charset) => {
                collected.append(&mut bytes);
            }
            _ => {
                flush(&mut pending, out);
                pending = Some((word.charset, bytes));
            }
        }
        rest = candidate.get(word.length..).unwrap_or_default();
    }
    flush(&mut pending, out);
    push_raw(rest, out);
}

fn flush(pending: &mut Option<(&[u8], Vec<u8>)>, out: &mut String) {
    if let Some((label, bytes)) = pending.take() {
        push_clean(&charset::decode(Some(label), &bytes), out);
    }
}

fn push_raw(bytes: &[u8], out: &mut String) {
    let text: Cow<'_, str> = charset::decode(None, bytes);
    push_clean(&text, out);
}

fn push_clean(text: &str, out: &mut String) {
    if !text.bytes().any(|b| b < b' ') {
        out.push_str(text);
        return;
    }
    out.extend(text.chars().filter(|&c| c != '\0').map(|c| if c < ' ' { ' ' } else { c }));
}

struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
    length: usize,
}

impl<'a> Word<'a> {
    /// `=?charset[*language]?B|Q?text?=` at the start of `bytes`. Spaces in the text are tolerated.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let inner = bytes.strip_prefix(b"=?")?;
        let window = inner.get(..MAX_LABEL).unwrap_or(inner);
        let label_end = memchr::memchr(b'?', window)?;
        let label = inner.get(..label_end)?;
        if label.is_empty() || label.iter().any(|b| b.is_ascii_whitespace()) {
            return None;
        }
        let base64 = match inner.get(label_end + 1..label_end + 3)? {
            [b'B' | b'b', b'?'] => true,
            [b'Q' | b'q', b'?'] => false,
            _ => return None,
        };
        let text_start = label_end + 3;
        let after = inner.get(text_start..)?;
        // The first `?` ends the text; a Q text may hold a bare one before something other than `=`.
        let mut end = None;
        for question in memchr::memchr_iter(b'?', after).take(MAX_QUESTIONS) {
            if after.get(question + 1) == Some(&b'=') {
                end = Some(question);
                break;
            }
        }
        let end = end?;
        let charset = label.split(|&b| b == b'*').next().unwrap_or(label);
        Some(Self { charset, base64, text: after.get(..end)?, length: 2 + text_start + end + 2 })
    }

    fn decode(&self, out: &mut Vec<u8>) {
        if self.base64 {
            transfer::decode_base64(self.text, out);
            return;
        }
        let mut rest = self.text;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'_' => out.push(b' '),
                b'=' => match rest.split_first_chunk::<2>() {
                    Some((pair, after)) if hex_pair(*pair).is_some() => {
                        out.extend(hex_pair(*pair));
                        rest = after;
                    }
                    _ => out.push(b'='),
                },
                _ => out.push(byte),
            }
        }
    }
}

/// Longer charset names are no charset names; it also keeps the search for the end of one short.
const MAX_LABEL: usize = 80;
/// Keeps the search for the end of a word linear.
const MAX_QUESTIONS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_2047_examples() {
        for (raw, text) in [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?US-ASCII*EN?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?iso-8859-1?q?this=20is=20some=20text?=", "this is some text"),
        ] {
            assert_eq!(decode(raw.as_bytes()), text, "{raw}");
        }
    }

    #[test]
    fn a_character_cut_in_half_is_joined() {
        assert_eq!(decode(b"=?utf-8?B?4oI=?= =?UTF-8?B?rA==?="), "\u{20ac}");
    }

    #[test]
    fn what_is_no_word_stays() {
        for raw in ["a =? b", "=?utf-8?X?abc?=", "=?utf-8?Q?abc", "=??Q?a?=", "=?"] {
            assert_eq!(decode(raw.as_bytes()), raw);
        }
    }

    #[test]
    fn raw_eight_bit_text_is_read() {
        assert_eq!(decode("Grüße".as_bytes()), "Grüße");
        assert_eq!(decode(b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(decode(b"a\0b"), "ab");
    }
}

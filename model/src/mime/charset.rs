//! Charsets to Unicode: the WHATWG encodings, UTF-7 (RFC 2152), and a guess for what is unlabelled.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Decodes text. Without a label, or with US-ASCII or an unknown one, valid UTF-8 is taken as such and anything else
/// as Windows-1252. What does not decode becomes U+FFFD; nothing fails.
pub fn decode<'a>(label: Option<&[u8]>, bytes: &'a [u8]) -> Cow<'a, str> {
    let label = label.map(|label| label.trim_ascii()).unwrap_or_default();
    if label.eq_ignore_ascii_case(b"utf-7") || label.eq_ignore_ascii_case(b"unicode-1-1-utf-7") {
        return Cow::Owned(decode_utf7(bytes));
    }
    let (text, _) = match named(label) {
        Some(encoding) => encoding.decode_without_bom_handling(bytes),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => return Cow::Borrowed(text),
            // Text that was cut at a limit may end inside a character.
            Err(error)
                if error.error_len().is_none()
                    && !bytes.get(..error.valid_up_to()).unwrap_or_default().is_ascii() =>
            {
                UTF_8.decode_without_bom_handling(bytes)
            }
            Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes),
        },
    };
    text
}

/// The encoding that a label surely means; `None` where the text itself must tell.
fn named(label: &[u8]) -> Option<&'static Encoding> {
    const ALIASES: [(&str, &str); 12] = [
        ("cp932", "shift_jis"),
        ("cp936", "gbk"),
        ("cp949", "euc-kr"),
        ("cp950", "big5"),
        ("cp1250", "windows-1250"),
        ("cp1251", "windows-1251"),
        ("cp1252", "windows-1252"),
        ("cp1253", "windows-1253"),
        ("cp1254", "windows-1254"),
        ("iso-8859-8-i", "windows-1255"),
        ("x-gbk", "gbk"),
        ("utf8mb4", "utf-8"),
    ];
    if label.is_empty() || label.eq_ignore_ascii_case(b"us-ascii") || label.eq_ignore_ascii_case(b"ascii") {
        return None;
    }
    let alias = ALIASES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(label));
    Encoding::for_label_no_replacement(alias.map_or(label, |(_, label)| label.as_bytes()))
}

/// RFC 2152: `+` begins base64 of UTF-16, `-` or any other character ends it.
fn decode_utf7(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'+' {
            out.push(char::from(byte));
            continue;
        }
        if let Some(after) = rest.strip_prefix(b"-") {
            out.push('+');
            rest = after;
            continue;
        }
        units.clear();
        let (mut accumulator, mut bits) = (0u32, 0u32);
        while let Some((&byte, after)) = rest.split_first() {
            let Some(value) = base64_value(byte) else { break };
            rest = after;
            accumulator = accumulator << 6 & 0x3f_ffff | u32::from(value);
            bits += 6;
            if bits >= 16 {
                bits -= 16;
                units.push(u16::try_from(accumulator >> bits & 0xffff).unwrap_or(0xfffd));
            }
        }
        out.push_str(&String::from_utf16_lossy(&units));
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    out
}

fn base64_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_guesses() {
        assert_eq!(decode(Some(b"ISO-8859-15"), b"\xa4"), "€");
        assert_eq!(decode(Some(b" koi8-r "), b"\xf0\xf2"), "ПР");
        assert_eq!(decode(Some(b"iso-2022-jp"), b"\x1b$B$\"\x1b(B"), "あ");
        assert_eq!(decode(Some(b"us-ascii"), "é".as_bytes()), "é");
        assert_eq!(decode(None, b"\xe9t\xe9 "), "été ");
        assert_eq!(decode(None, b"caf\xe9"), "café");
        assert_eq!(decode(None, b"\xc3\xa9 \xe2\x82"), "é \u{fffd}");
        assert_eq!(decode(Some(b"no-such"), b"abc"), "abc");
        assert_eq!(decode(Some(b"utf-8"), b"a\xffb"), "a\u{fffd}b");
        assert_eq!(decode(Some(b"cp936"), b"\xc4\xe3"), "你");
    }

    #[test]
    fn utf_7() {
        assert_eq!(decode(Some(b"UTF-7"), b"Hi Mom -+Jjo--!"), "Hi Mom -\u{263a}-!");
        assert_eq!(decode(Some(b"utf-7"), b"A+ImIDkQ."), "A\u{2262}\u{391}.");
        assert_eq!(decode(Some(b"utf-7"), b"1 +- 1 = 2+"), "1 + 1 = 2");
    }
}

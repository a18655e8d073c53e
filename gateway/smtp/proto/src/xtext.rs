//! xtext (RFC 3461 §4): how DSN and AUTH parameters carry any octet in printable ASCII.

/// Octets of an xtext, or `None` where it is not one.
pub fn decode_xtext(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'+' => {
                let high = hex(octets.next()?)?;
                let low = hex(octets.next()?)?;
                out.push(high << 4 | low);
            }
            b'=' => return None,
            b'!'..=b'~' => out.push(octet),
            _ => return None,
        }
    }
    Some(out)
}

/// The xtext of any octets.
pub fn encode_xtext(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b'+' | b'=' => escape(octet, &mut out),
            b'!'..=b'~' => out.push(char::from(octet)),
            _ => escape(octet, &mut out),
        }
    }
    out
}

fn escape(octet: u8, out: &mut String) {
    out.push('+');
    for nibble in [octet >> 4, octet & 15] {
        out.extend(char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase()));
    }
}

/// RFC 3461 has upper case only; lower case is understood.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_xtext_is_refused() {
        for text in ["+", "+4", "+4G", "a=b", "a b", "\u{e9}"] {
            assert_eq!(decode_xtext(text), None, "{text}");
        }
        assert_eq!(decode_xtext("a+3Db").as_deref(), Some(&b"a=b"[..]));
    }

    proptest! {
        #[test]
        fn any_octets_come_back(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decode_xtext(&encode_xtext(&octets)), Some(octets));
        }
    }
}

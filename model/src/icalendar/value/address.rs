//! CAL-ADDRESS (RFC 5545 §3.3.3).

use std::fmt;

/// The address of a calendar user: a URI, mostly `mailto:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CalAddress(String);

impl CalAddress {
    /// Reads it; an address without a scheme becomes a `mailto:`.
    pub fn parse(value: &str) -> Self {
        let value = value.trim();
        let bare = value.contains('@') && !value.contains(':') && !value.starts_with('/');
        Self(if bare { format!("mailto:{value}") } else { value.to_owned() })
    }

    /// The `mailto:` of a mail address.
    pub fn from_email(address: &str) -> Self {
        let mut uri = String::from("mailto:");
        for c in address.chars() {
            match c {
                '%' => uri.push_str("%25"),
                '?' => uri.push_str("%3F"),
                '#' => uri.push_str("%23"),
                // Not in a URI, and not in the quotes around a parameter (RFC 3986 §2, RFC 5545 §3.2).
                '"' => uri.push_str("%22"),
                ' ' => uri.push_str("%20"),
                '<' => uri.push_str("%3C"),
                '>' => uri.push_str("%3E"),
                '\\' => uri.push_str("%5C"),
                c => uri.push(c),
            }
        }
        Self(uri)
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mail address, where it is one (RFC 6068 §2).
    pub fn email(&self) -> Option<String> {
        let (scheme, rest) = self.0.split_once(':')?;
        if !scheme.trim().eq_ignore_ascii_case("mailto") {
            return None;
        }
        let address = percent_decoded(rest.split('?').next()?.trim());
        address.contains('@').then_some(address)
    }
}

impl fmt::Display for CalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is no octet in hexadecimal, or would be no UTF-8, stays.
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let octet = after.get(..2).filter(|_| *first == b'%').and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok().filter(|hex| !hex.starts_with('+'))?;
            u8::from_str_radix(hex, 16).ok()
        });
        match octet {
            Some(octet) => {
                out.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

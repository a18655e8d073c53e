//! Mailbox names: UTF-8 inside, modified UTF-7 (RFC 3501 §5.1.3) or UTF-8 (RFC 9051 §5.1) outside.

use base64::{
    Engine as _,
    alphabet::IMAP_MUTF7,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{Context, ParseError, cursor::Result};

/// A mailbox's name in UTF-8, `/` between levels. Any spelling of INBOX, alone or as the first
/// level, is `INBOX`. Holds no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailboxName(String);

const MUTF7: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

impl MailboxName {
    /// Takes a UTF-8 name as it stands, INBOX in any case made `INBOX`.
    pub fn new(name: &str) -> Self {
        match (name.get(..5), name.as_bytes().get(5)) {
            (Some(inbox), None | Some(b'/')) if inbox.eq_ignore_ascii_case("INBOX") => {
                Self(format!("INBOX{}", name.get(5..).unwrap_or_default()))
            }
            _ => Self(name.to_owned()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the INBOX itself.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    pub(crate) fn from_wire(bytes: &[u8], context: &Context) -> Result<Self> {
        Self::decode_wire(bytes, context).map(|name| Self::new(&name))
    }

    /// Decodes a name or a LIST pattern.
    pub(crate) fn decode_wire(bytes: &[u8], context: &Context) -> Result<String> {
        if bytes.len() > context.limits.mailbox_name {
            return Err(ParseError::Limit("mailbox name"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ParseError::Syntax("mailbox name is not UTF-8"))?;
        let name = if context.utf8 || !text.is_ascii() {
            text.to_owned()
        } else {
            decode_utf7(text).ok_or(ParseError::Syntax("mailbox name is not modified UTF-7"))?
        };
        if name.chars().any(char::is_control) {
            return Err(ParseError::Syntax("control character in a mailbox name"));
        }
        Ok(name)
    }
}

/// Modified UTF-7 to UTF-8; none if it is malformed.
pub fn decode_utf7(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (plain, encoded) = rest.split_at(at);
        out.push_str(plain);
        let (base64, after) = encoded.get(1..)?.split_once('-')?;
        rest = after;
        if base64.is_empty() {
            out.push('&');
            continue;
        }
        let bytes = MUTF7.decode(base64).ok()?;
        if bytes.len() % 2 != 0 {
            return None;
        }
        let units = bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair));
        for c in char::decode_utf16(units) {
            out.push(c.ok()?);
        }
    }
    out.push_str(rest);
    Some(out)
}

/// UTF-8 to modified UTF-7. The result is ASCII.
pub fn encode_utf7(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u8> = Vec::new();
    let flush = |out: &mut String, units: &mut Vec<u8>| {
        if !units.is_empty() {
            out.push('&');
            MUTF7.encode_string(&*units, out);
            out.push('-');
            units.clear();
        }
    };
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut out, &mut units);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut pair = [0; 2];
            units.extend(c.encode_utf16(&mut pair).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut out, &mut units);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modified_utf7_both_ways() {
        for (utf8, utf7) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("A&B", "A&-B"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode_utf7(utf8), utf7);
            assert_eq!(decode_utf7(utf7).as_deref(), Some(utf8));
        }
        assert_eq!(decode_utf7("a&b"), None);
        assert_eq!(decode_utf7("&2D0-"), None);
    }

    #[test]
    fn inbox_in_any_case() {
        assert_eq!(MailboxName::new("inBox").as_str(), "INBOX");
        assert_eq!(MailboxName::new("inbox/Sub").as_str(), "INBOX/Sub");
        assert_eq!(MailboxName::new("inboxes").as_str(), "inboxes");
        assert_eq!(MailboxName::new("inbo\u{e9}").as_str(), "inbo\u{e9}");
    }
}

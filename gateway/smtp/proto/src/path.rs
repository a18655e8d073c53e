//! Paths and mailboxes (RFC 5321 §4.1.2, RFC 6531 §3.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Limits, ParseError};

/// The argument of MAIL FROM.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a notification, which is never answered with another one.
    Null,
    /// Where notifications go.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The mailbox, unless the path is `<>`.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// The argument of RCPT TO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// `<Postmaster>` without a domain, which every server takes (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("Postmaster"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// `local-part@domain`. Displayed in its wire form, the local part quoted where it must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local: String,
    domain: Domain,
}

impl Mailbox {
    /// Reads `local@domain`, nothing around it.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, ParseError> {
        let (mailbox, rest) = Self::take(text, limits)?;
        if rest.is_empty() { Ok(mailbox) } else { Err(ParseError::Address("garbage after the address")) }
    }

    /// The local part without quotes and escapes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Holds no UTF-8, so a next hop without SMTPUTF8 can take it.
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && !matches!(&self.domain, Domain::Name(name) if !name.is_ascii())
    }

    fn take<'a>(text: &'a str, limits: &Limits) -> Result<(Self, &'a str), ParseError> {
        let (local, rest) = take_local(text)?;
        if local.len() > limits.local_part {
            return Err(ParseError::Address("the local part is too long"));
        }
        let rest = rest.strip_prefix('@').ok_or(ParseError::Address("the address has no domain"))?;
        let (domain, rest) = Domain::take(rest, limits)?;
        Ok((Self { local, domain }, rest))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        write!(f, "@{}", self.domain)
    }
}

/// A domain name or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A name as it was written, without a trailing dot. May be U-labels (RFC 6531).
    Name(String),
    /// `[192.0.2.1]`
    Ipv4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`
    Ipv6(Ipv6Addr),
}

impl Domain {
    /// Reads a domain or an address literal, nothing around it.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, ParseError> {
        let (domain, rest) = Self::take(text, limits)?;
        if rest.is_empty() { Ok(domain) } else { Err(ParseError::Address("garbage after the domain")) }
    }

    fn take<'a>(text: &'a str, limits: &Limits) -> Result<(Self, &'a str), ParseError> {
        if let Some(literal) = text.strip_prefix('[') {
            let (inside, rest) =
                literal.split_once(']').ok_or(ParseError::Address("the address literal is not closed"))?;
            const BAD: ParseError = ParseError::Address("bad address literal");
            let domain = match inside.get(..5) {
                Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
                    Self::Ipv6(inside.get(5..).and_then(|ip| ip.parse().ok()).ok_or(BAD)?)
                }
                _ => Self::Ipv4(inside.parse().map_err(|_| BAD)?),
            };
            return Ok((domain, rest));
        }
        let end = text.find(|c: char| !is_domain_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        if name.is_empty() || name.len() > limits.domain {
            return Err(ParseError::Address("bad domain"));
        }
        let labels_hold = name.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
        });
        if !labels_hold {
            return Err(ParseError::Address("bad domain"));
        }
        Ok((Self::Name(name.to_owned()), rest))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ipv4(ip) => write!(f, "[{ip}]"),
            Self::Ipv6(ip) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

/// `<>` or `<mailbox>`, then what follows it.
pub(crate) fn take_reverse_path<'a>(
    text: &'a str,
    limits: &Limits,
) -> Result<(ReversePath, &'a str), ParseError> {
    if let Some(rest) = text.strip_prefix("<>") {
        return Ok((ReversePath::Null, rest));
    }
    let (mailbox, rest) = take_path(text, limits)?;
    Ok((ReversePath::Mailbox(mailbox), rest))
}

/// `<mailbox>` or `<Postmaster>`, then what follows it.
pub(crate) fn take_forward_path<'a>(
    text: &'a str,
    limits: &Limits,
) -> Result<(Recipient, &'a str), ParseError> {
    const POSTMASTER: &str = "<postmaster>";
    if let Some((head, rest)) = text.split_at_checked(POSTMASTER.len())
        && head.eq_ignore_ascii_case(POSTMASTER)
    {
        return Ok((Recipient::Postmaster, rest));
    }
    let (mailbox, rest) = take_path(text, limits)?;
    Ok((Recipient::Mailbox(mailbox), rest))
}

fn take_path<'a>(text: &'a str, limits: &Limits) -> Result<(Mailbox, &'a str), ParseError> {
    let mut inside = text.strip_prefix('<').ok_or(ParseError::Address("the path is not in <>"))?;
    // A source route is accepted and not used (RFC 5321 §3.3, appendix C).
    if inside.starts_with('@') {
        let (_, after) = inside.split_once(':').ok_or(ParseError::Address("bad source route"))?;
        inside = after;
    }
    let (mailbox, rest) = Mailbox::take(inside, limits)?;
    let rest = rest.strip_prefix('>').ok_or(ParseError::Address("the path is not closed"))?;
    Ok((mailbox, rest))
}

fn take_local(text: &str) -> Result<(String, &str), ParseError> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut local = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Ok((local, quoted.get(at + 1..).unwrap_or_default())),
                '\\' => match chars.next() {
                    Some((_, escaped)) if !escaped.is_control() => local.push(escaped),
                    _ => break,
                },
                c if c.is_control() => break,
                c => local.push(c),
            }
        }
        return Err(ParseError::Address("bad quoted local part"));
    }
    let end = text.find(|c: char| !is_atext(c) && c != '.').unwrap_or(text.len());
    let (local, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if !is_dot_string(local) {
        return Err(ParseError::Address("bad local part"));
    }
    Ok((local.to_owned(), rest))
}

fn is_dot_string(local: &str) -> bool {
    !local.is_empty() && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_text(c)
}

/// RFC 5321 knows letters, digits and hyphens; an underscore is met in host names and does no harm.
fn is_domain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') || is_utf8_text(c)
}

fn is_utf8_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mailbox(text: &str) -> Result<Mailbox, ParseError> {
        Mailbox::parse(text, &Limits::default())
    }

    #[test]
    fn mailboxes_are_read_and_written() {
        for (text, local, shown) in [
            ("a@example.org", "a", "a@example.org"),
            ("a.b+c@x", "a.b+c", "a.b+c@x"),
            ("\"a b\"@x", "a b", "\"a b\"@x"),
            ("\"a\\\"b\\\\\"@x", "a\"b\\", "\"a\\\"b\\\\\"@x"),
            ("\"plain\"@x", "plain", "plain@x"),
            ("\"\"@x", "", "\"\"@x"),
            ("a@[192.0.2.1]", "a", "a@[192.0.2.1]"),
            ("a@[ipv6:2001:db8::1]", "a", "a@[IPv6:2001:db8::1]"),
            ("\u{fc}@b\u{fc}cher.example", "\u{fc}", "\u{fc}@b\u{fc}cher.example"),
        ] {
            let mailbox = mailbox(text).unwrap();
            assert_eq!(mailbox.local(), local);
            assert_eq!(mailbox.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        for text in [
            "",
            "a",
            "@x",
            "a@",
            "a@-x",
            "a@x-",
            "a@x..y",
            "a@.x",
            "a@x.",
            ".a@x",
            "a.@x",
            "a..b@x",
            "a b@x",
            "a@[x]",
            "a@[IPv6:x]",
            "a@[",
            "\"a@x",
            "\"a\"b@x",
            "a@x>",
            "a\0@x",
            "\"\r\n\"@x",
            "a@x y",
        ] {
            assert!(mailbox(text).is_err(), "{text:?}");
        }
        assert!(mailbox(&format!("{}@x", "a".repeat(257))).is_err());
        assert!(mailbox(&format!("a@{}", ["a"; 200].join("."))).is_err());
    }

    #[test]
    fn paths_drop_source_routes() {
        let limits = Limits::default();
        let (path, rest) = take_reverse_path("<@a,@b:c@d> SIZE=1", &limits).unwrap();
        assert_eq!((path.to_string().as_str(), rest), ("c@d", " SIZE=1"));
        assert_eq!(take_reverse_path("<>", &limits).unwrap().0, ReversePath::Null);
        assert_eq!(take_forward_path("<pOstmaster>", &limits).unwrap().0, Recipient::Postmaster);
        assert!(take_forward_path("<>", &limits).is_err());
        assert!(take_forward_path("a@b", &limits).is_err());
    }

    proptest! {
        #[test]
        fn any_local_part_survives(local in "[ -~\u{e0}-\u{ff}]{0,20}", domain in "[a-z]{1,9}(\\.[a-z0-9]{1,9}){0,3}") {
            let written = Mailbox { local, domain: Domain::Name(domain) };
            prop_assert_eq!(mailbox(&written.to_string()), Ok(written));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = mailbox(&text);
            let _ = take_forward_path(&text, &Limits::default());
        }
    }
}

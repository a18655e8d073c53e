//! The headers of WebDAV (RFC 4918 §10), of conditional requests and ranges (RFC 9110 §13.1, §14), of preferences (RFC 8144), of
//! scheduling (RFC 6638 §8) and of time zones (RFC 7809 §7). Each is read from its value; several fields of one name are joined with commas first.

mod entity_tag;
mod if_header;
mod prefer;
mod range;
mod timeout;

pub use entity_tag::{ETag, ETagList};
pub use if_header::{Condition, If, IfList, StateOrTag};
pub use prefer::{Prefer, Return};
pub use range::{Part, if_range, range};
pub use timeout::Timeout;

use crate::{Error, Limits, Reference};

/// `Depth` (RFC 4918 §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// The resource alone.
    Zero,
    /// The resource and its immediate members.
    One,
    /// The resource and all that is below it.
    Infinity,
}

impl Depth {
    /// Reads the value.
    pub fn parse(value: &str) -> Result<Self, Error> {
        match value.trim() {
            "0" => Ok(Self::Zero),
            "1" => Ok(Self::One),
            value if value.eq_ignore_ascii_case("infinity") => Ok(Self::Infinity),
            // What Microsoft's clients add to leave out the resource itself.
            value if value.eq_ignore_ascii_case("1,noroot") => Ok(Self::One),
            value if value.eq_ignore_ascii_case("infinity,noroot") => Ok(Self::Infinity),
            _ => Err(Error::Syntax("Depth is 0, 1 or infinity")),
        }
    }
}

/// `Destination` (RFC 4918 §10.3).
pub fn destination(value: &str, limits: &Limits) -> Result<Reference, Error> {
    Reference::parse(value, limits).map_err(|_| Error::Syntax("Destination is no path and no URI of http"))
}

/// `Overwrite` (RFC 4918 §10.6); without the header it is `true`.
pub fn overwrite(value: &str) -> Result<bool, Error> {
    truth(value).ok_or(Error::Syntax("Overwrite is T or F"))
}

/// `Lock-Token` (RFC 4918 §10.5): the URI without its brackets.
pub fn lock_token(value: &str, limits: &Limits) -> Result<String, Error> {
    let token = value.trim().strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let token = token.filter(|token| is_uri(token) && token.len() <= limits.header);
    token.map(str::to_owned).ok_or(Error::Syntax("Lock-Token is a URI in angle brackets"))
}

/// `Schedule-Reply` (RFC 6638 §8.1); without the header it is `true`.
pub fn schedule_reply(value: &str) -> Result<bool, Error> {
    truth(value).ok_or(Error::Syntax("Schedule-Reply is T or F"))
}

/// `If-Schedule-Tag-Match` (RFC 6638 §8.3): the tag between its quotation marks, as an entity tag that is strong.
pub fn if_schedule_tag_match(value: &str, limits: &Limits) -> Result<ETag, Error> {
    let tag = ETag::parse(value, limits)?;
    if tag.weak { Err(Error::Syntax("a schedule tag is never weak")) } else { Ok(tag) }
}

/// `CalDAV-Timezones` (RFC 7809 §7.1): whether answers describe the zones that everybody knows; without the header they
/// do.
pub fn caldav_timezones(value: &str) -> Result<bool, Error> {
    truth(value).ok_or(Error::Syntax("CalDAV-Timezones is T or F"))
}

/// `Brief`, which Microsoft's and Apple's clients send for what RFC 8144 says with `return=minimal`.
pub fn brief(value: &str) -> bool {
    truth(value) == Some(true)
}

/// Whether the body of a request with this `Content-Type` is read as XML. Without one it is.
pub fn is_xml(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.is_empty() || essence == "text/xml" || essence == "application/xml" || essence.ends_with("+xml")
}

fn truth(value: &str) -> Option<bool> {
    match value.trim() {
        "T" | "t" => Some(true),
        "F" | "f" => Some(false),
        _ => None,
    }
}

/// Characters of a URI (RFC 3986 §2) and a scheme; what it means is not looked at.
fn is_uri(text: &str) -> bool {
    let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        let mut scheme = scheme.chars();
        scheme.next().is_some_and(|c| c.is_ascii_alphabetic())
            && scheme.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
    });
    has_scheme && text.chars().all(|c| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_headers() {
        assert_eq!(Depth::parse(" Infinity "), Ok(Depth::Infinity));
        assert_eq!(Depth::parse("1,noroot"), Ok(Depth::One));
        assert!(Depth::parse("2").is_err() && Depth::parse("").is_err() && Depth::parse("0, 1").is_err());
        assert_eq!((overwrite("T"), overwrite("f")), (Ok(true), Ok(false)));
        assert!(overwrite("true").is_err());
        assert!(brief("t") && !brief("f") && !brief(""));
        assert_eq!(schedule_reply("F"), Ok(false));
    }

    #[test]
    fn destinations_are_references() {
        let limits = Limits::default();
        let found = destination("http://x/b/c%20d", &limits).unwrap();
        assert_eq!(found.href.segments(), ["b", "c d"]);
        assert!(destination("b", &limits).is_err());
        assert!(destination("/a/../b", &limits).is_err());
    }

    #[test]
    fn lock_tokens_are_uris_in_brackets() {
        let limits = Limits::default();
        assert_eq!(lock_token(" <urn:uuid:1-2> ", &limits).as_deref(), Ok("urn:uuid:1-2"));
        for value in ["", "urn:uuid:1", "<>", "<a>", "<urn:a b>", "<urn:a", "<urn:<a>>"] {
            assert!(lock_token(value, &limits).is_err(), "{value}");
        }
    }

    #[test]
    fn schedule_tags() {
        let limits = Limits::default();
        assert_eq!(if_schedule_tag_match("\"12\"", &limits).unwrap().tag, "12");
        assert!(if_schedule_tag_match("W/\"12\"", &limits).is_err());
    }

    #[test]
    fn types_of_xml() {
        for value in [
            None,
            Some("text/xml; charset=utf-8"),
            Some("Application/XML"),
            Some("application/x+xml"),
            Some(""),
        ] {
            assert!(is_xml(value), "{value:?}");
        }
        assert!(!is_xml(Some("text/calendar")) && !is_xml(Some("application/json")));
    }
}

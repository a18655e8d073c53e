//! Entity tags (RFC 9110 §8.8.3) and the conditions on them (§13.1.1, §13.1.2).

use std::fmt;

use crate::{Error, Limits};

/// An entity tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    /// `W/` stands before it.
    pub weak: bool,
    /// What is between the quotation marks.
    pub tag: String,
}

impl ETag {
    /// A strong tag; characters that a tag cannot have are left out.
    pub fn strong(tag: &str) -> Self {
        Self { weak: false, tag: tag.chars().filter(|c| is_etagc(*c)).collect() }
    }

    /// Reads one tag. Without quotation marks, as some clients send it, it is a strong one.
    pub fn parse(value: &str, limits: &Limits) -> Result<Self, Error> {
        let (tag, rest) = Self::take(bounded(value, limits)?.trim()).ok_or(BAD)?;
        if rest.is_empty() { Ok(tag) } else { Err(BAD) }
    }

    /// A tag at the beginning of a text, and what follows it.
    pub(super) fn take(text: &str) -> Option<(Self, &str)> {
        let (weak, rest) = match text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (tag, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None if weak => return None,
            None => {
                let end = rest.find([',', ' ', '\t', ']']).unwrap_or(rest.len());
                rest.split_at_checked(end).filter(|(tag, _)| !tag.is_empty())?
            }
        };
        tag.chars().all(is_etagc).then(|| (Self { weak, tag: tag.to_owned() }, rest))
    }

    /// Both are strong, and the same (RFC 9110 §8.8.3.2).
    pub fn is_strongly(&self, other: &Self) -> bool {
        !self.weak && !other.weak && self.tag == other.tag
    }

    /// The same, whether strong or not.
    pub fn is_weakly(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.tag)
    }
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ETagList {
    /// `*`: whatever is there.
    Any,
    /// Tags.
    Tags(Vec<ETag>),
}

impl ETagList {
    /// Reads the value.
    pub fn parse(value: &str, limits: &Limits) -> Result<Self, Error> {
        let mut rest = bounded(value, limits)?.trim();
        if rest == "*" {
            return Ok(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            rest = rest.trim_start_matches([',', ' ', '\t']);
            if rest.is_empty() {
                break;
            }
            if tags.len() >= limits.header_items {
                return Err(Error::Limit { what: "entity tags", limit: limits.header_items });
            }
            let (tag, after) = ETag::take(rest).ok_or(BAD)?;
            tags.push(tag);
            rest = after.trim_start();
            if !(rest.is_empty() || rest.starts_with(',')) {
                return Err(BAD);
            }
        }
        if tags.is_empty() { Err(BAD) } else { Ok(Self::Tags(tags)) }
    }

    /// `If-Match` holds for a resource with this tag, or for none (RFC 9110 §13.1.1): compared strongly.
    pub fn if_match(&self, current: Option<&ETag>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Tags(tags), Some(current)) => tags.iter().any(|tag| tag.is_strongly(current)),
        }
    }

    /// `If-None-Match` holds for a resource with this tag, or for none (RFC 9110 §13.1.2): compared weakly.
    pub fn if_none_match(&self, current: Option<&ETag>) -> bool {
        match (self, current) {
            (_, None) => true,
            (Self::Any, Some(_)) => false,
            (Self::Tags(tags), Some(current)) => !tags.iter().any(|tag| tag.is_weakly(current)),
        }
    }
}

fn bounded<'a>(value: &'a str, limits: &Limits) -> Result<&'a str, Error> {
    if value.len() > limits.header {
        return Err(Error::Limit { what: "octets of a header", limit: limits.header });
    }
    Ok(value)
}

/// RFC 9110 §8.8.3
const fn is_etagc(c: char) -> bool {
    matches!(c, '!' | '#'..='~' | '\u{80}'..)
}

const BAD: Error = Error::Syntax("an entity tag, in quotation marks");

#[cfg(test)]
mod tests {
    use super::*;

    fn list(value: &str) -> Result<ETagList, Error> {
        ETagList::parse(value, &Limits::default())
    }

    fn tag(weak: bool, tag: &str) -> ETag {
        ETag { weak, tag: tag.to_owned() }
    }

    #[test]
    fn lists_are_read() {
        assert_eq!(list(" * "), Ok(ETagList::Any));
        let tags = vec![tag(false, "a,b"), tag(true, ""), tag(false, "c")];
        assert_eq!(list("\"a,b\" , W/\"\",, c"), Ok(ETagList::Tags(tags)));
        for value in ["", ",", "\"a", "W/a", "\"a\"\"b\"", "\"a\" \"b\"", "\"a b\"", "*, \"a\"x"] {
            assert!(list(value).is_err(), "{value:?}");
        }
        assert!(list(&"\"a\",".repeat(201)).is_err());
        assert!(list(&"a".repeat(20_000)).is_err());
    }

    #[test]
    fn conditions_hold_or_not() {
        let (strong, weak) = (tag(false, "1"), tag(true, "1"));
        let both = list("\"1\", W/\"1\"").unwrap();
        assert!(both.if_match(Some(&strong)) && !both.if_match(Some(&weak)) && !both.if_match(None));
        assert!(!both.if_none_match(Some(&weak)) && both.if_none_match(None));
        assert!(both.if_none_match(Some(&tag(false, "2"))));
        assert!(!list("W/\"1\"").unwrap().if_match(Some(&strong)));
        assert!(ETagList::Any.if_match(Some(&weak)) && !ETagList::Any.if_match(None));
        assert!(!ETagList::Any.if_none_match(Some(&weak)) && ETagList::Any.if_none_match(None));
    }

    #[test]
    fn tags_are_written() {
        assert_eq!(ETag::strong("a\"b c").to_string(), "\"abc\"");
        assert_eq!(tag(true, "x").to_string(), "W/\"x\"");
    }
}

//! Flags and keywords (RFC 9051 §2.3.2) and special-use attributes (RFC 6154 §2).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

/// A message flag as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
    /// `\Recent`, which no client can set; servers ignore it in STORE and APPEND.
    Recent,
    /// A keyword: an atom.
    Keyword(String),
    /// Any other flag beginning with `\`, written here without it.
    Extension(String),
}

impl Flag {
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        if !cursor.eat(b'\\') {
            return Ok(Self::Keyword(cursor.atom()?.to_owned()));
        }
        let name = cursor.atom()?;
        let known = [
            ("Answered", Self::Answered),
            ("Flagged", Self::Flagged),
            ("Deleted", Self::Deleted),
            ("Seen", Self::Seen),
            ("Draft", Self::Draft),
            ("Recent", Self::Recent),
        ];
        Ok(known
            .into_iter()
            .find(|(spelling, _)| name.eq_ignore_ascii_case(spelling))
            .map_or_else(|| Self::Extension(name.to_owned()), |(_, flag)| flag))
    }

    /// `(\Seen foo)`, or without parentheses as STORE allows.
    pub(crate) fn parse_list(cursor: &mut Cursor<'_>) -> Result<Vec<Self>> {
        if cursor.peek() == Some(b'(') {
            return cursor.list(true, Self::parse);
        }
        let mut flags = vec![Self::parse(cursor)?];
        while cursor.peek() == Some(b' ') && !cursor.at_end() {
            if flags.len() >= cursor.context.limits.list {
                return Err(ParseError::Limit("flags"));
            }
            cursor.sp()?;
            flags.push(Self::parse(cursor)?);
        }
        Ok(flags)
    }

    /// Appends the flag's wire form.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
            Self::Recent => "\\Recent",
            Self::Keyword(word) => word,
            Self::Extension(word) => {
                out.push(b'\\');
                word
            }
        };
        out.extend_from_slice(name.as_bytes());
    }
}

/// What a mailbox is for (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the attribute of its name")]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    const EVERY: [Self; 7] =
        [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Junk, Self::Sent, Self::Trash];

    /// The attribute, with its backslash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The attribute called `name`, without its backslash, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|u| u.as_str().get(1..).is_some_and(|s| s.eq_ignore_ascii_case(name)))
    }
}

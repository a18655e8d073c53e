//! Names of elements and properties, and the namespaces that they are from.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// WebDAV (RFC 4918 §20).
pub const DAV: &str = "DAV:";
/// CalDAV (RFC 4791 §4).
pub const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
/// CardDAV (RFC 6352 §4).
pub const CARDDAV: &str = "urn:ietf:params:xml:ns:carddav";
/// What Apple's calendar server added (`getctag`, sharing, push).
pub const CALENDARSERVER: &str = "http://calendarserver.org/ns/";
/// What Apple's clients added (`calendar-color`, `calendar-order`).
pub const APPLE: &str = "http://apple.com/ns/ical/";
/// The `xml` prefix (`xml:lang`).
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The `xmlns` prefix, which stands for declarations and is the namespace of no element.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Namespaces that every response declares, with their prefixes.
pub(crate) const PREFIXES: [(&str, &str); 5] =
    [("D", DAV), ("C", CALDAV), ("CR", CARDDAV), ("CS", CALENDARSERVER), ("ICAL", APPLE)];

/// An expanded name: a namespace, which may be empty, and a local name. Both can stand in XML.
///
/// Shown and read as `{namespace}local`.
///
/// ```
/// use kontor_dav_proto::{DAV, Name};
///
/// let name: Name = "{DAV:}getetag".parse().unwrap();
/// assert_eq!(name, Name::known(DAV, "getetag"));
/// assert!(Name::new("DAV:", "no name").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    namespace: Cow<'static, str>,
    local: Cow<'static, str>,
}

impl Name {
    /// A name that the program knows.
    ///
    /// # Panics
    /// When `local` is not made of ASCII letters, digits, `-`, `_` and `.`, which in a constant is an error of the
    /// compiler.
    pub const fn known(namespace: &'static str, local: &'static str) -> Self {
        let mut rest = local.as_bytes();
        assert!(matches!(rest.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_')), "no name of XML");
        while let Some((first, after)) = rest.split_first() {
            assert!(first.is_ascii_alphanumeric() || matches!(first, b'-' | b'_' | b'.'), "no name of XML");
            rest = after;
        }
        Self { namespace: Cow::Borrowed(namespace), local: Cow::Borrowed(local) }
    }

    /// A name of WebDAV.
    pub const fn dav(local: &'static str) -> Self {
        Self::known(DAV, local)
    }

    /// A name of CalDAV.
    pub const fn caldav(local: &'static str) -> Self {
        Self::known(CALDAV, local)
    }

    /// A name of CardDAV.
    pub const fn carddav(local: &'static str) -> Self {
        Self::known(CARDDAV, local)
    }

    /// A name of Apple's calendar server.
    pub const fn calendarserver(local: &'static str) -> Self {
        Self::known(CALENDARSERVER, local)
    }

    /// A name, if it can stand in XML.
    pub fn new(namespace: &str, local: &str) -> Option<Self> {
        let writable = is_ncname(local) && namespace.chars().all(is_xml_char) && namespace != XMLNS;
        writable.then(|| Self { namespace: known_namespace(namespace), local: Cow::Owned(local.to_owned()) })
    }

    /// The namespace; empty for a name that is in none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The local name.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Whether it is this name.
    pub fn is(&self, namespace: &str, local: &str) -> bool {
        self.local == local && self.namespace == namespace
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", self.namespace, self.local)
    }
}

/// A text is not of the form `{namespace}local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an expanded name")]
pub struct NameError;

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // A local name holds no brace, a namespace may.
        let (namespace, local) =
            text.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')).ok_or(NameError)?;
        Self::new(namespace, local).ok_or(NameError)
    }
}

fn known_namespace(namespace: &str) -> Cow<'static, str> {
    let known = PREFIXES.iter().map(|(_, known)| *known).chain(["", XML]);
    known
        .into_iter()
        .find(|known| *known == namespace)
        .map_or_else(|| Cow::Owned(namespace.to_owned()), Cow::Borrowed)
}

/// A name without a colon (XML 1.0 §2.3, Namespaces in XML §3).
pub(crate) fn is_ncname(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(|c| {
        is_name_start(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    })
}

fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
        | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

/// A character that XML 1.0 §2.2 allows.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_stand_in_xml_is_no_name() {
        for local in ["", "1", "-a", "a b", "a:b", "a>", "a/", "\u{0}", "a\u{d7}"] {
            assert_eq!(Name::new(DAV, local), None, "{local:?}");
        }
        assert_eq!(Name::new("\u{1}", "a"), None);
        assert_eq!(Name::new(XMLNS, "a"), None);
        for text in ["getetag", "{DAV:getetag", "{DAV:}", "DAV:}a", ""] {
            assert_eq!(text.parse::<Name>(), Err(NameError), "{text:?}");
        }
        assert_eq!(Name::new("", "\u{e9}t\u{e9}").unwrap().to_string(), "{}\u{e9}t\u{e9}");
    }

    proptest! {
        #[test]
        fn names_come_back(namespace in "\\PC{0,12}", local in "[a-z_][a-z0-9._-]{0,9}") {
            let name = Name::new(&namespace, &local).unwrap();
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
    }
}

//! Hrefs: paths of resources and their segments (RFC 4918 §8.3, RFC 3986 §3.3).

use std::fmt;

use crate::Limits;

/// Why a text is no href that is served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HrefError {
    /// Longer than [`Limits::href`], or of more segments than [`Limits::segments`].
    #[error("the href is too long")]
    TooLong,
    /// Neither an absolute path nor a URI of http or https with one.
    #[error("the href is not an absolute path")]
    NotAbsolute,
    /// It has a query or a fragment.
    #[error("the href has a query or a fragment")]
    NotAPath,
    /// A percent sign without two hexadecimal digits after it, a control character, or octets that are not UTF-8.
    #[error("the href is not well encoded")]
    Encoding,
    /// A segment `.` or `..`, however it is encoded.
    #[error("the href has a dot segment")]
    DotSegment,
}

/// The path of a resource: decoded segments. An encoded slash stays in its segment.
///
/// It displays encoded, as it stands in a `DAV:href`.
///
/// ```
/// use kontor_dav_proto::{Href, Limits};
///
/// let href = Href::parse("/dav/joe%40x/a%2Fb/", &Limits::default()).unwrap();
/// assert_eq!(href.segments(), ["dav", "joe@x", "a/b"]);
/// assert_eq!(href.to_string(), "/dav/joe@x/a%2Fb/");
/// assert!(Href::parse("/dav/%2e%2E/x", &Limits::default()).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Href {
    segments: Vec<String>,
    collection: bool,
}

impl Href {
    /// The path of these segments; `None` where one of them is empty, a dot segment, or holds a control character.
    pub fn new<S: Into<String>>(segments: impl IntoIterator<Item = S>, collection: bool) -> Option<Self> {
        let segments: Vec<String> = segments.into_iter().map(Into::into).collect();
        let collection = collection || segments.is_empty();
        segments.iter().all(|segment| check(segment).is_ok()).then_some(Self { segments, collection })
    }

    /// Reads an encoded path, as it stands in a request line or in a `DAV:href`. Empty segments are left out.
    pub fn parse(path: &str, limits: &Limits) -> Result<Self, HrefError> {
        if path.len() > limits.href {
            return Err(HrefError::TooLong);
        }
        let path = path.strip_prefix('/').ok_or(HrefError::NotAbsolute)?;
        let mut segments = Vec::new();
        for encoded in path.split('/').filter(|segment| !segment.is_empty()) {
            if segments.len() >= limits.segments {
                return Err(HrefError::TooLong);
            }
            segments.push(decode_segment(encoded)?);
        }
        let collection = segments.is_empty() || path.ends_with('/');
        Ok(Self { segments, collection })
    }

    /// The decoded segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether it ends in a slash.
    pub const fn is_collection(&self) -> bool {
        self.collection
    }

    /// The same path with a further segment; `None` where it cannot be one.
    #[must_use]
    pub fn child(&self, segment: &str, collection: bool) -> Option<Self> {
        Self::new(self.segments.iter().map(String::as_str).chain([segment]), collection)
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{}", encode_segment(segment))?;
        }
        f.write_str(if self.collection { "/" } else { "" })
    }
}

/// What a `DAV:href`, a `Destination` or a tagged list refers to: a path, and the authority where it was a URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// `host:port` as written; `None` for a path alone.
    pub authority: Option<String>,
    /// The path.
    pub href: Href,
}

impl Reference {
    /// Reads a path, or a URI of http or https (RFC 4918 §8.3 `Simple-ref`).
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, HrefError> {
        let text = text.trim();
        if text.len() > limits.href {
            return Err(HrefError::TooLong);
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return Ok(Self { authority: None, href: Href::parse(text, limits)? });
        }
        let (scheme, rest) = text.split_once("://").ok_or(HrefError::NotAbsolute)?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(HrefError::NotAbsolute);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let is_authority = |c: char| c.is_ascii_alphanumeric() || "-._~:[]%".contains(c);
        if authority.is_empty() || !authority.chars().all(is_authority) {
            return Err(HrefError::NotAbsolute);
        }
        let href = Href::parse(if path.is_empty() { "/" } else { path }, limits)?;
        Ok(Self { authority: Some(authority.to_owned()), href })
    }
}

/// A segment without its encoding. What must not be a segment is an error.
pub fn decode_segment(encoded: &str) -> Result<String, HrefError> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'%' => {
                let mut digit = || rest.next().and_then(hex).ok_or(HrefError::Encoding);
                octets.push(digit()? << 4 | digit()?);
            }
            b'?' | b'#' => return Err(HrefError::NotAPath),
            octet => octets.push(octet),
        }
    }
    let segment = String::from_utf8(octets).map_err(|_| HrefError::Encoding)?;
    check(&segment)?;
    Ok(segment)
}

/// A segment with everything encoded that is not plain in a path everywhere.
pub fn encode_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for octet in segment.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~@:!$()*+,=".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push('%');
            for nibble in [octet >> 4, octet & 15] {
                out.extend(char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}

fn check(segment: &str) -> Result<(), HrefError> {
    match segment {
        "" | "." | ".." => Err(HrefError::DotSegment),
        _ if segment.chars().any(|c| c.is_control()) => Err(HrefError::Encoding),
        _ => Ok(()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(path: &str) -> Result<Href, HrefError> {
        Href::parse(path, &Limits::default())
    }

    #[test]
    fn paths_are_read_and_written() {
        for (path, segments, written) in [
            ("/", &[][..], "/"),
            ("//", &[], "/"),
            ("/a", &["a"], "/a"),
            ("/a//b/", &["a", "b"], "/a/b/"),
            ("/%C3%a9/b%20c", &["\u{e9}", "b c"], "/%C3%A9/b%20c"),
            ("/\u{e9} &", &["\u{e9} &"], "/%C3%A9%20%26"),
            ("/a%2fb%5Cc", &["a/b\\c"], "/a%2Fb%5Cc"),
            ("/...", &["..."], "/..."),
            ("/100%25", &["100%"], "/100%25"),
        ] {
            let href = parse(path).unwrap();
            assert_eq!(href.segments(), segments);
            assert_eq!(href.to_string(), written);
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        for (path, error) in [
            ("", HrefError::NotAbsolute),
            ("a", HrefError::NotAbsolute),
            ("/..", HrefError::DotSegment),
            ("/a/../b", HrefError::DotSegment),
            ("/a/./b", HrefError::DotSegment),
            ("/%2e%2e/b", HrefError::DotSegment),
            ("/.%2E", HrefError::DotSegment),
            ("/a%00", HrefError::Encoding),
            ("/a\u{0}", HrefError::Encoding),
            ("/a%0a", HrefError::Encoding),
            ("/%", HrefError::Encoding),
            ("/%4", HrefError::Encoding),
            ("/%+4", HrefError::Encoding),
            ("/%zz", HrefError::Encoding),
            ("/%ff", HrefError::Encoding),
            ("/%c0%ae%c0%ae", HrefError::Encoding),
            ("/%ed%a0%80", HrefError::Encoding),
            ("/a?b", HrefError::NotAPath),
            ("/a#b", HrefError::NotAPath),
        ] {
            assert_eq!(parse(path), Err(error), "{path:?}");
        }
        assert_eq!(parse(&"/a".repeat(33)), Err(HrefError::TooLong));
        assert_eq!(parse(&format!("/{}", "a".repeat(9_000))), Err(HrefError::TooLong));
        assert_eq!(Href::new(["a", ".."], false), None);
        assert_eq!(parse("/a").unwrap().child("", false), None);
        assert_eq!(parse("/a/").unwrap().child("b c", false).unwrap().to_string(), "/a/b%20c");
    }

    #[test]
    fn references_are_paths_or_uris() {
        let reference = |text| Reference::parse(text, &Limits::default());
        let found = reference(" https://dav.example.org:8443/a/b%20c\n").unwrap();
        assert_eq!(found.authority.as_deref(), Some("dav.example.org:8443"));
        assert_eq!(found.href.segments(), ["a", "b c"]);
        assert_eq!(reference("http://x").unwrap().href.to_string(), "/");
        assert_eq!(reference("/a").unwrap().authority, None);
        for text in ["", "a/b", "//x/a", "ftp://x/a", "http:///a", "http://joe@x/a", "mailto:a@b"] {
            assert_eq!(reference(text), Err(HrefError::NotAbsolute), "{text:?}");
        }
        assert_eq!(reference("http://x?a"), Err(HrefError::NotAbsolute));
    }

    proptest! {
        #[test]
        fn segments_come_back(segments in prop::collection::vec("\\PC{1,20}", 0..6), collection: bool) {
            prop_assume!(segments.iter().all(|segment| segment != "." && segment != ".."));
            let href = Href::new(segments, collection).unwrap();
            prop_assert_eq!(parse(&href.to_string()), Ok(href));
        }

        #[test]
        fn what_is_read_is_safe(path in "/([.a%/?#]|%2[eEfF]|%00|\\PC){0,20}") {
            if let Ok(href) = parse(&path) {
                let bad = |segment: &String| ["", ".", ".."].contains(&segment.as_str()) || segment.contains('\0');
                prop_assert!(!href.segments().iter().any(bad));
                prop_assert_eq!(parse(&href.to_string()), Ok(href));
            }
            let _ = Reference::parse(&path, &Limits::default());
        }
    }
}

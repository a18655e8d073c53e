//! Collations (RFC 4790): how texts are compared in CalDAV (RFC 4791 §7.5) and CardDAV (RFC 6352 §8.3).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::request::{MatchType, TextMatch};

/// A collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collation {
    /// `i;ascii-casemap` (RFC 4790 §9.2): ASCII letters without case.
    AsciiCasemap,
    /// `i;octet` (RFC 4790 §9.3): as it is.
    Octet,
    /// `i;unicode-casemap` (RFC 5051): all letters without case, and characters by what they decompose to.
    UnicodeCasemap,
}

impl Collation {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::AsciiCasemap, Self::Octet, Self::UnicodeCasemap];

    /// Its identifier.
    pub const fn id(self) -> &'static str {
        match self {
            Self::AsciiCasemap => "i;ascii-casemap",
            Self::Octet => "i;octet",
            Self::UnicodeCasemap => "i;unicode-casemap",
        }
    }

    /// The one of an identifier; `default` is the server's own choice.
    pub fn named(id: &str) -> Option<Self> {
        if id == "default" {
            return Some(Self::UnicodeCasemap);
        }
        Self::ALL.into_iter().find(|collation| collation.id().eq_ignore_ascii_case(id))
    }

    /// What of a text is compared.
    pub fn key(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Octet => Cow::Borrowed(text),
            _ if text.is_ascii() => Cow::Owned(text.to_ascii_uppercase()),
            Self::AsciiCasemap => Cow::Owned(text.to_ascii_uppercase()),
            Self::UnicodeCasemap => Cow::Owned(text.chars().map(upper).nfkd().collect()),
        }
    }
}

/// The capital of a letter that has a single one. RFC 5051 takes the title case, which differs for four digraphs alone,
/// and these decompose to the same letters but for their case.
fn upper(c: char) -> char {
    let mut capital = c.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(capital), None) => capital,
        _ => c,
    }
}

impl TextMatch {
    /// Whether the condition holds for a value.
    pub fn holds(&self, value: &str) -> bool {
        let (wanted, value) = (self.collation.key(&self.text), self.collation.key(value));
        let wanted = wanted.as_ref();
        let found = match self.match_type {
            MatchType::Equals => value == wanted,
            MatchType::Contains => value.contains(wanted),
            MatchType::StartsWith => value.starts_with(wanted),
            MatchType::EndsWith => value.ends_with(wanted),
        };
        found != self.negate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(text: &str, collation: Collation, match_type: MatchType, value: &str) -> bool {
        TextMatch { text: text.to_owned(), collation, match_type, negate: false }.holds(value)
    }

    #[test]
    fn collations_differ() {
        use Collation::{AsciiCasemap, Octet, UnicodeCasemap};
        let contains = |text, collation, value| holds(text, collation, MatchType::Contains, value);
        assert!(contains("bERN", AsciiCasemap, "In Bern!"));
        assert!(!contains("bERN", Octet, "In Bern!") && contains("Bern", Octet, "In Bern!"));
        assert!(!contains("Z\u{dc}RICH", AsciiCasemap, "Z\u{fc}rich"));
        assert!(contains("Z\u{dc}RICH", UnicodeCasemap, "Z\u{fc}rich"));
        // Composed and decomposed, wide and narrow are the same.
        assert!(contains("zu\u{308}rich", UnicodeCasemap, "Z\u{fc}rich"));
        assert!(contains("\u{ff21}b", UnicodeCasemap, "aB"));
        assert!(contains("stra\u{df}e", UnicodeCasemap, "STRA\u{df}E"));
        assert!(!contains("zurich", UnicodeCasemap, "xyz"));
    }

    #[test]
    fn places_differ() {
        let holds = |text, match_type| holds(text, Collation::UnicodeCasemap, match_type, "One Two");
        assert!(holds("one two", MatchType::Equals) && !holds("one", MatchType::Equals));
        assert!(holds("one", MatchType::StartsWith) && !holds("two", MatchType::StartsWith));
        assert!(holds("two", MatchType::EndsWith) && !holds("one", MatchType::EndsWith));
        assert!(holds("", MatchType::Contains));
    }

    #[test]
    fn ids_come_back() {
        for collation in Collation::ALL {
            assert_eq!(Collation::named(collation.id()), Some(collation));
        }
        assert_eq!(Collation::named("default"), Some(Collation::UnicodeCasemap));
        assert_eq!(Collation::named("i;basic"), None);
    }

    proptest! {
        #[test]
        fn a_text_is_found_in_itself(text in "\\PC{0,20}") {
            for collation in Collation::ALL {
                prop_assert!(holds(&text, collation, MatchType::Equals, &text));
            }
        }
    }
}

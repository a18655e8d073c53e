//! `Range` and `If-Range` (RFC 9110 §13.1.5, §14).

use std::ops::Range;

use super::ETag;
use crate::{Error, Limits};

/// What of a representation is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: the header asks in a unit, or for so many parts, that are not understood here.
    Whole,
    /// These octets.
    Octets(Range<u64>),
    /// Nothing that is there: 416.
    None,
}

/// The part of `length` octets that a `Range` asks for. One that asks for several parts is answered with the whole, as
/// a server may (RFC 9110 §14.2).
pub fn range(value: &str, length: u64) -> Part {
    let Some((unit, set)) = value.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        // More than fits is as much as fits.
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let wanted = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.trim().is_empty() => first..length,
        (None, Some(count)) if first.trim().is_empty() => length.saturating_sub(count)..length,
        _ => return Part::Whole,
    };
    if wanted.start < wanted.end { Part::Octets(wanted) } else { Part::None }
}

/// Whether the representation that a client has a part of is the one that there is. A date says nothing here: it has
/// not the precision for it.
pub fn if_range(value: &str, current: &ETag, limits: &Limits) -> Result<bool, Error> {
    let is_tag = value.trim_start().starts_with(['"', 'W', 'w']) && value.contains('"');
    if is_tag { Ok(ETag::parse(value, limits)?.is_strongly(current)) } else { Ok(false) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts() {
        for (value, part) in [
            ("bytes=0-4", Part::Octets(0..5)),
            ("Bytes = 0-4", Part::Octets(0..5)),
            ("bytes=9-", Part::Octets(9..10)),
            ("bytes=5-99999999999999999999", Part::Octets(5..10)),
            ("bytes=-3", Part::Octets(7..10)),
            ("bytes=-30", Part::Octets(0..10)),
            ("bytes=10-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=4-1", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(range(value, 10), part, "{value}");
        }
        assert_eq!(range("bytes=0-", 0), Part::None);
    }

    #[test]
    fn a_date_is_no_match() {
        let limits = Limits::default();
        let current = ETag::strong("a");
        assert_eq!(if_range("\"a\"", &current, &limits), Ok(true));
        assert_eq!(if_range("W/\"a\"", &current, &limits), Ok(false));
        assert_eq!(if_range("Wed, 21 Oct 2015 07:28:00 GMT", &current, &limits), Ok(false));
        assert!(if_range("\"a\" x", &current, &limits).is_err());
    }

    proptest! {
        #[test]
        fn a_part_is_inside(text in "(bytes)?=?[0-9, -]{0,12}", length in 0u64..20) {
            if let Part::Octets(part) = range(&text, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}

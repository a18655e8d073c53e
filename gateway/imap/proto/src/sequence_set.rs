//! Sequence sets and UID sets (RFC 9051 §9 `sequence-set`, RFC 5182 `$`).

use crate::{
    ParseError,
    cursor::{Cursor, Result},
};

/// One range of a set as the client wrote it; 0 stands for `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceRange {
    /// First number, or 0 for `*`. May be the larger of the two.
    pub start: u32,
    /// Last number, or 0 for `*`; equal to `start` for a single number.
    pub end: u32,
}

/// A set of message numbers or UIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceSet {
    /// `$`: what the last SEARCH RETURN (SAVE) found.
    Saved,
    /// Ranges in the client's order, at least one.
    Ranges(Vec<SequenceRange>),
}

impl SequenceSet {
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        if cursor.eat(b'$') {
            return Ok(Self::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            cursor.ranges_left =
                cursor.ranges_left.checked_sub(1).ok_or(ParseError::Limit("ranges in sequence sets"))?;
            let start = Self::number(cursor)?;
            let end = if cursor.eat(b':') { Self::number(cursor)? } else { start };
            ranges.push(SequenceRange { start, end });
            if !cursor.eat(b',') {
                return Ok(Self::Ranges(ranges));
            }
        }
    }

    fn number(cursor: &mut Cursor<'_>) -> Result<u32> {
        if cursor.eat(b'*') { Ok(0) } else { cursor.nz_number() }
    }

    /// The set as ascending ranges that neither touch nor overlap, `*` being `max` (the number or
    /// UID of the last message, 0 in an empty mailbox). `$` gives nothing: the caller knows it.
    pub fn resolve(&self, max: u32) -> Vec<(u32, u32)> {
        let Self::Ranges(ranges) = self else { return Vec::new() };
        let star = |n| if n == 0 { max } else { n };
        let mut out: Vec<(u32, u32)> = ranges
            .iter()
            .map(|r| (star(r.start), star(r.end)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .filter(|&(_, high)| high > 0)
            .map(|(low, high)| (low.max(1), high))
            .collect();
        out.sort_unstable();
        out.dedup_by(|next, kept| {
            let joined = next.0 <= kept.1.saturating_add(1);
            if joined {
                kept.1 = kept.1.max(next.1);
            }
            joined
        });
        out
    }

    /// Whether the set holds `*`.
    pub fn has_star(&self) -> bool {
        matches!(self, Self::Ranges(ranges) if ranges.iter().any(|r| r.start == 0 || r.end == 0))
    }
}

/// Appends `number` in decimal.
pub fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        at -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends `numbers` as a set, joining neighbours that ascend by one (`1:3,7`). Keeps the order, so
/// that the two sets of COPYUID correspond. Writes nothing for no numbers.
pub fn write_set(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>) {
    write_ranges(out, &join(numbers));
}

/// Joins numbers that ascend by one to ranges (first, last), in their order.
pub fn join(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for n in numbers {
        match ranges.last_mut() {
            Some(range) if range.1.checked_add(1) == Some(n) => range.1 = n,
            _ => ranges.push((n, n)),
        }
    }
    ranges
}

/// Appends ranges (first, last) as a set.
pub(crate) fn write_ranges(out: &mut Vec<u8>, ranges: &[(u32, u32)]) {
    for (i, &(first, last)) in ranges.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_number(out, first.into());
        if last != first {
            out.push(b':');
            write_number(out, last.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        SequenceSet::Ranges(ranges.iter().map(|&(start, end)| SequenceRange { start, end }).collect())
    }

    #[test]
    fn resolves_to_ascending_ranges() {
        assert_eq!(set(&[(5, 7), (1, 2), (3, 3), (9, 0)]).resolve(8), [(1, 3), (5, 9)]);
        assert_eq!(set(&[(20, 0)]).resolve(8), [(8, 20)]);
        assert_eq!(set(&[(0, 0)]).resolve(0), []);
        assert_eq!(set(&[(1, u32::MAX), (7, 7)]).resolve(8), [(1, u32::MAX)]);
    }

    #[test]
    fn writes_joined_ranges_and_numbers() {
        let written = |numbers: &[u32]| {
            let mut out = Vec::new();
            write_set(&mut out, numbers.iter().copied());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(written(&[3, 2, 1, u32::MAX]), "3,2,1,4294967295");
        assert_eq!(written(&[]), "");
        let mut out = Vec::new();
        write_number(&mut out, 0);
        write_number(&mut out, u64::MAX);
        assert_eq!(out, b"018446744073709551615");
    }
}

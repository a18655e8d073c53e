//! Sets of UIDs as ascending ranges.

use crate::error::Error;

/// Ascending, disjoint, inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// From pairs on the wire; they may come in any order and overlap.
    pub fn from_wire(pairs: &[u32]) -> Result<Self, Error> {
        if !pairs.len().is_multiple_of(2) {
            return Err(Error::Invalid("UID ranges come in pairs".into()));
        }
        let mut list: Vec<(u32, u32)> = pairs
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [a, b] => Some((*a.min(b), *a.max(b))),
                _ => None,
            })
            .collect();
        list.sort_unstable();
        let mut ranges = Ranges::default();
        for (first, last) in list {
            ranges.push_range(first, last);
        }
        Ok(ranges)
    }

    /// From ascending UIDs.
    pub fn from_uids(uids: impl IntoIterator<Item = u32>) -> Self {
        let mut ranges = Ranges::default();
        for uid in uids {
            ranges.push_range(uid, uid);
        }
        ranges
    }

    /// Appends a range that begins at or after the last one's beginning.
    fn push_range(&mut self, first: u32, last: u32) {
        match self.0.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().copied()
    }

    pub fn to_wire(&self) -> Vec<u32> {
        self.0.iter().flat_map(|(a, b)| [*a, *b]).collect()
    }

    pub fn contains(&self, uid: u32) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= uid);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|(_, last)| uid <= *last)
    }

    /// Union of many sets.
    pub fn union(sets: impl IntoIterator<Item = Ranges>) -> Ranges {
        let mut list: Vec<(u32, u32)> = sets.into_iter().flat_map(|r| r.0).collect();
        list.sort_unstable();
        let mut union = Ranges::default();
        for (first, last) in list {
            union.push_range(first, last);
        }
        union
    }

    /// Deltas as LEB128: distance to the range's first, then its length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut at = 0;
        for (first, last) in &self.0 {
            leb128(u64::from(first - at), out);
            leb128(u64::from(last - first), out);
            at = *last;
        }
    }

    /// What [`Self::encode`] wrote, to the end of the bytes.
    pub fn decode(mut bytes: &[u8]) -> Option<Ranges> {
        let mut ranges = Vec::new();
        let mut at: u32 = 0;
        while !bytes.is_empty() {
            let first = at.checked_add(u32::try_from(read_leb128(&mut bytes)?).ok()?)?;
            let last = first.checked_add(u32::try_from(read_leb128(&mut bytes)?).ok()?)?;
            ranges.push((first, last));
            at = last;
        }
        Some(Ranges(ranges))
    }
}

pub(super) fn leb128(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn read_leb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_answer() {
        let ranges = Ranges::from_wire(&[5, 7, 1, 2, 3, 3, 9, u32::MAX]).expect("pairs");
        assert_eq!(ranges.to_wire(), [1, 3, 5, 7, 9, u32::MAX]);
        assert!(ranges.contains(1) && ranges.contains(7) && ranges.contains(u32::MAX));
        assert!(!ranges.contains(0) && !ranges.contains(4) && !ranges.contains(8));
        assert!(Ranges::from_wire(&[1]).is_err());
    }

    #[test]
    fn what_was_encoded_decodes() {
        for pairs in [&[][..], &[1, 1], &[0, 0, 2, 9, 1000, u32::MAX]] {
            let ranges = Ranges::from_wire(pairs).expect("pairs");
            let mut bytes = Vec::new();
            ranges.encode(&mut bytes);
            assert_eq!(Ranges::decode(&bytes), Some(ranges));
        }
        assert_eq!(Ranges::decode(&[0x80]), None);
    }
}

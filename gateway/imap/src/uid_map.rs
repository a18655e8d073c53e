//! Message numbers and UIDs of a selected mailbox.
//!
//! A mailbox's UIDs ascend and mostly follow each other, so that runs of them are kept: a mailbox of a
//! million messages that never lost one costs eight bytes, and at worst a message costs eight.

/// The messages of a mailbox as one session knows them. Message numbers begin with 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidMap {
    /// Ascending; each reaches to the next one's number.
    runs: Vec<Run>,
    len: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    uid: u32,
    /// Messages before the run.
    before: u32,
}

impl UidMap {
    /// From ascending UIDs.
    pub fn new(uids: impl IntoIterator<Item = u32>) -> Self {
        let mut map = Self::default();
        for uid in uids {
            map.push(uid);
        }
        map.runs.shrink_to_fit();
        map
    }

    /// How many messages there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// The last message's UID, 0 without messages.
    pub fn last_uid(&self) -> u32 {
        self.uid_at(self.len).unwrap_or(0)
    }

    /// Adds a message. UIDs ascend: one that does not is left out.
    pub fn push(&mut self, uid: u32) {
        let last = self.last_uid();
        if uid <= last {
            return;
        }
        if self.len == 0 || uid != last + 1 {
            self.runs.push(Run { uid, before: self.len });
        }
        self.len += 1;
    }

    /// The UID of a message number.
    pub fn uid_at(&self, number: u32) -> Option<u32> {
        let index = number.checked_sub(1).filter(|&i| i < self.len)?;
        let run = self.runs.get(self.runs.partition_point(|r| r.before <= index).checked_sub(1)?)?;
        Some(run.uid + (index - run.before))
    }

    /// The message number of a UID.
    pub fn number_of(&self, uid: u32) -> Option<u32> {
        let at_or_below = self.count_to(uid);
        (self.uid_at(at_or_below) == Some(uid)).then_some(at_or_below)
    }

    /// How many messages have a UID up to and with `uid`.
    pub fn count_to(&self, uid: u32) -> u32 {
        let next = self.runs.partition_point(|r| r.uid <= uid);
        let Some(run) = next.checked_sub(1).and_then(|i| self.runs.get(i)) else { return 0 };
        let end = self.runs.get(next).map_or(self.len, |r| r.before);
        end.min((run.before).saturating_add(uid - run.uid).saturating_add(1))
    }

    /// Every UID, ascending.
    pub fn uids(&self) -> impl Iterator<Item = u32> + '_ {
        self.run_ranges().flat_map(|(first, last)| first..=last)
    }

    fn run_ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.runs.iter().enumerate().map(|(i, run)| {
            let end = self.runs.get(i + 1).map_or(self.len, |r| r.before);
            (run.uid, run.uid + (end - run.before - 1))
        })
    }

    /// The UIDs between two, both included, ascending.
    pub fn uids_between(&self, first: u32, last: u32) -> impl Iterator<Item = u32> + '_ {
        let skip = self.runs.partition_point(|r| r.uid <= first).saturating_sub(1);
        self.run_ranges()
            .skip(skip)
            .take_while(move |&(start, _)| start <= last)
            .map(move |(start, end)| (start.max(first), end.min(last)))
            .filter(|(start, end)| start <= end)
            .flat_map(|(start, end)| start..=end)
    }

    /// Takes UIDs out; `gone` ascends. Tells the number that each one had before, ascending too; UIDs
    /// that are not here are passed over.
    pub fn remove(&mut self, gone: &[u32]) -> Vec<u32> {
        let numbers: Vec<u32> = gone.iter().filter_map(|&uid| self.number_of(uid)).collect();
        if numbers.is_empty() {
            return numbers;
        }
        let mut left = gone.iter().copied().peekable();
        *self = Self::new(self.uids().filter(|&uid| {
            while left.next_if(|&g| g < uid).is_some() {}
            left.next_if_eq(&uid).is_none()
        }));
        numbers
    }

    /// UID ranges of message number ranges (both ascending), and how many messages they hold. A number
    /// beyond the last message is cut off.
    pub fn uid_ranges_of_numbers(&self, numbers: &[(u32, u32)]) -> (Vec<(u32, u32)>, u32) {
        let mut count = 0;
        let ranges = numbers
            .iter()
            .filter_map(|&(first, last)| {
                let last = last.min(self.len);
                let range = (self.uid_at(first)?, self.uid_at(last)?);
                if last < first {
                    return None;
                }
                count += last - first + 1;
                Some(range)
            })
            .collect();
        (ranges, count)
    }

    /// The parts of UID ranges where there are messages, narrowed to them, and how many there are.
    pub fn known_uid_ranges(&self, uids: &[(u32, u32)]) -> (Vec<(u32, u32)>, u32) {
        let numbers: Vec<(u32, u32)> = uids
            .iter()
            .map(|&(first, last)| (self.count_to(first.saturating_sub(1)) + 1, self.count_to(last)))
            .filter(|(first, last)| first <= last)
            .collect();
        self.uid_ranges_of_numbers(&numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn uids() -> impl Strategy<Value = BTreeSet<u32>> {
        prop_oneof![
            prop::collection::btree_set(1..60_u32, 0..40),
            prop::collection::btree_set(u32::MAX - 50..=u32::MAX, 0..40),
        ]
    }

    proptest! {
        #[test]
        fn is_as_a_plain_list(set in uids(), gone in uids(), first: u32, last: u32, probe in 0..60_u32) {
            let list: Vec<u32> = set.iter().copied().collect();
            let mut map = UidMap::new(list.iter().copied());
            prop_assert_eq!(map.len() as usize, list.len());
            prop_assert_eq!(map.last_uid(), list.last().copied().unwrap_or(0));
            prop_assert_eq!(map.uids().collect::<Vec<_>>(), list.clone());
            for (i, uid) in list.iter().enumerate() {
                prop_assert_eq!(map.uid_at(i as u32 + 1), Some(*uid));
                prop_assert_eq!(map.number_of(*uid), Some(i as u32 + 1));
            }
            prop_assert_eq!(map.uid_at(list.len() as u32 + 1), None);
            prop_assert_eq!(map.uid_at(0), None);
            for probe in [probe, first, u32::MAX - probe] {
                prop_assert_eq!(map.count_to(probe) as usize, list.iter().filter(|u| **u <= probe).count());
                prop_assert_eq!(map.number_of(probe).is_some(), set.contains(&probe));
            }
            let (low, high) = (first.min(last), first.max(last));
            for (low, high) in [(low, high), (probe, probe + 20), (0, u32::MAX)] {
                let inside: Vec<u32> = list.iter().copied().filter(|u| (low..=high).contains(u)).collect();
                prop_assert_eq!(map.uids_between(low, high).collect::<Vec<_>>(), inside.clone());
                let (ranges, count) = map.known_uid_ranges(&[(low, high)]);
                prop_assert_eq!(count as usize, inside.len());
                prop_assert_eq!(ranges.first().map(|r| r.0), inside.first().copied());
                prop_assert_eq!(ranges.last().map(|r| r.1), inside.last().copied());
            }
            let gone: Vec<u32> = gone.into_iter().collect();
            let numbers = map.remove(&gone);
            let expected: Vec<u32> = list.iter().zip(1..).filter(|(u, _)| gone.contains(u)).map(|(_, n)| n).collect();
            prop_assert_eq!(numbers, expected);
            let left: Vec<u32> = list.into_iter().filter(|u| !gone.contains(u)).collect();
            prop_assert_eq!(map, UidMap::new(left));
        }
    }

    #[test]
    fn a_mailbox_without_holes_costs_one_run() {
        let mut map = UidMap::new(1..=1_000_000);
        assert_eq!(map.runs.len(), 1);
        map.remove(&[500]);
        assert_eq!(map.runs.len(), 2);
        assert_eq!(map.number_of(501), Some(500));
    }
}

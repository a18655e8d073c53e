//! Ascending ranges (first, last) of UIDs that do not overlap.

/// Ranges as the store takes them: pairs, flat.
pub fn flat(ranges: &[(u32, u32)]) -> Vec<u32> {
    ranges.iter().flat_map(|&(first, last)| [first, last]).collect()
}

/// Flat pairs as ranges.
pub fn paired(flat: &[u32]) -> Vec<(u32, u32)> {
    flat.as_chunks::<2>().0.iter().map(|&[first, last]| (first, last)).collect()
}

/// What is in both.
pub fn intersect(a: &[(u32, u32)], b: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    let mut out = Vec::new();
    while let (Some(&x), Some(&y)) = (a.peek(), b.peek()) {
        let both = (x.0.max(y.0), x.1.min(y.1));
        if both.0 <= both.1 {
            push(&mut out, both);
        }
        if x.1 <= y.1 {
            a.next();
        } else {
            b.next();
        }
    }
    out
}

/// What is in `ranges` and not among `uids`, which ascend.
pub fn without(ranges: &[(u32, u32)], uids: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut uids = uids.into_iter().peekable();
    let mut out = Vec::new();
    for &(first, last) in ranges {
        let mut from = Some(first);
        while uids.next_if(|&uid| uid < first).is_some() {}
        while let Some(uid) = uids.next_if(|&uid| uid <= last) {
            if let Some(start) = from
                && start < uid
            {
                push(&mut out, (start, uid - 1));
            }
            from = uid.checked_add(1);
        }
        if let Some(start) = from
            && start <= last
        {
            push(&mut out, (start, last));
        }
    }
    out
}

/// Adds a range behind the others, joined to the last if they touch.
fn push(out: &mut Vec<(u32, u32)>, range: (u32, u32)) {
    match out.last_mut() {
        Some(last) if last.1.checked_add(1) == Some(range.0) => last.1 = range.1,
        _ => out.push(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_arithmetic() {
        assert_eq!(
            intersect(&[(1, 5), (9, 20)], &[(3, 10), (15, 15), (20, 30)]),
            [(3, 5), (9, 10), (15, 15), (20, 20)]
        );
        assert_eq!(intersect(&[(1, 5)], &[]), []);
        assert_eq!(without(&[(1, 5), (9, 12)], [1, 3, 7, 12]), [(2, 2), (4, 5), (9, 11)]);
        assert_eq!(without(&[(u32::MAX - 1, u32::MAX)], [u32::MAX]), [(u32::MAX - 1, u32::MAX - 1)]);
        assert_eq!(without(&[(4, 4)], []), [(4, 4)]);
        assert_eq!(without(&[(4, 4), (5, 6)], []), [(4, 6)]);
        assert_eq!(paired(&flat(&[(1, 2), (4, 4)])), [(1, 2), (4, 4)]);
    }
}

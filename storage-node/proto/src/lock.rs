//! What a lock covers, for those who keep locks and those who look at them (RFC 4918 §6.1, §7).

use crate::Lock;

impl Lock {
    /// Whether it is a lock of this item; with an empty name, of this folder itself.
    pub fn covers(&self, folder_id: u64, name: &str) -> bool {
        self.folder_id == folder_id
            && (self.name == name || (self.name.is_empty() && (self.deep || name.is_empty())))
    }

    /// Whether both cannot be had at once.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let meet = self.covers(other.folder_id, &other.name) || other.covers(self.folder_id, &self.name);
        meet && !(self.shared && other.shared)
    }
}

/// The locks of something that keep an account from changing it: none where it submits one of them that is its own.
/// `is_of` says which locks they are.
pub fn in_the_way<'a>(
    locks: &'a [Lock],
    account_id: u64,
    submitted: &[impl AsRef<[u8]>],
    is_of: impl Fn(&Lock) -> bool,
) -> Vec<&'a Lock> {
    let of: Vec<&Lock> = locks.iter().filter(|lock| is_of(lock)).collect();
    let is_submitted = |lock: &&Lock| {
        lock.account_id == account_id && submitted.iter().any(|token| token.as_ref() == &lock.token[..])
    };
    if of.iter().any(is_submitted) { Vec::new() } else { of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(folder_id: u64, name: &str, deep: bool, shared: bool) -> Lock {
        Lock {
            token: vec![1].into(),
            folder_id,
            name: name.into(),
            deep,
            shared,
            account_id: 7,
            ..Lock::default()
        }
    }

    #[test]
    fn what_a_lock_covers() {
        let item = lock(4, "a", false, false);
        assert!(item.covers(4, "a") && !item.covers(4, "b") && !item.covers(5, "a") && !item.covers(4, ""));
        let flat = lock(4, "", false, false);
        assert!(flat.covers(4, "") && !flat.covers(4, "a"));
        let deep = lock(4, "", true, false);
        assert!(deep.covers(4, "") && deep.covers(4, "a") && !deep.covers(5, ""));
        assert!(deep.conflicts_with(&item) && item.conflicts_with(&deep) && !flat.conflicts_with(&item));
        let shared = lock(4, "a", false, true);
        assert!(shared.conflicts_with(&item) && !shared.conflicts_with(&shared));
    }

    #[test]
    fn one_lock_of_ones_own_is_enough() {
        let locks = [lock(4, "a", false, true), Lock { token: vec![2].into(), ..lock(4, "a", false, true) }];
        let of =
            |account, tokens: &[&[u8]]| in_the_way(&locks, account, tokens, |lock| lock.covers(4, "a")).len();
        assert_eq!(of(7, &[&[2]]), 0);
        assert_eq!((of(7, &[]), of(7, &[&[3]]), of(8, &[&[1], &[2]])), (2, 2, 2));
        assert!(in_the_way(&locks, 8, &[[0u8; 1]; 0], |lock| lock.covers(4, "b")).is_empty());
    }
}

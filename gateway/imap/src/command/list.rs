//! LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use std::collections::BTreeSet;

use kontor_imap_proto::{
    ListEntry,
    command::list::{List, Lsub},
};

use super::status;
use crate::{
    reply::{Failure, Reply},
    session::Session,
    tree::Tree,
};

impl Session {
    pub async fn list(&mut self, list: List) -> Result<Reply, Failure> {
        let account = self.account()?;
        if let ([pattern], false) = (list.patterns.as_slice(), list.extended)
            && pattern.is_empty()
        {
            // Asks for the separator only.
            self.wire.encoder().list(&ListEntry { no_select: true, ..ListEntry::default() });
            return Ok(Reply::ok("Listed"));
        }
        let tree = Tree::load(&account).await?;
        let patterns: Vec<Pattern> = list.patterns.iter().map(|p| Pattern::new(&list.reference, p)).collect();
        let (select, give) = (list.selection, &list.returns);
        for mailbox in tree.iter() {
            let selected = (!select.subscribed || mailbox.folder.subscribed)
                && (!select.special_use || mailbox.special_use().is_some());
            let child_subscribed = select.recursive_match
                && select.subscribed
                && tree.below(&mailbox.path).any(|m| m.folder.subscribed);
            if !(selected || child_subscribed) || !patterns.iter().any(|p| p.matches(&mailbox.path)) {
                continue;
            }
            // Special uses are told to everybody: many clients look for them and few ask.
            self.wire.encoder().list(&ListEntry {
                name: &mailbox.path,
                children: Some(tree.has_children(&mailbox.path)),
                subscribed: (select.subscribed || give.subscribed) && mailbox.folder.subscribed,
                special_use: mailbox.special_use(),
                childinfo_subscribed: child_subscribed,
                ..ListEntry::default()
            });
            if let Some(items) = &give.status {
                status::write(&mut self.wire.encoder(), mailbox, items, account.append_limit);
            }
            self.wire.flush_if_full().await?;
        }
        Ok(Reply::ok("Listed"))
    }

    /// A level above a subscribed mailbox that `%` stops at is told as `\Noselect` (RFC 3501 §6.3.9).
    pub async fn lsub(&mut self, lsub: Lsub) -> Result<Reply, Failure> {
        let account = self.account()?;
        let tree = Tree::load(&account).await?;
        let pattern = Pattern::new(&lsub.reference, &lsub.pattern);
        let mut told = BTreeSet::new();
        for mailbox in tree.iter().filter(|m| m.folder.subscribed) {
            if pattern.matches(&mailbox.path) {
                told.insert((mailbox.path.as_str(), false));
            } else if lsub.pattern.ends_with('%') {
                let above = mailbox.path.match_indices('/').filter_map(|(at, _)| mailbox.path.get(..at));
                for level in above.filter(|level| pattern.matches(level)) {
                    if !tree.find(level).is_some_and(|m| m.folder.subscribed) {
                        told.insert((level, true));
                    }
                }
            }
        }
        for (name, no_select) in told {
            self.wire.encoder().lsub(&ListEntry { name, no_select, ..ListEntry::default() });
        }
        Ok(Reply::ok("Listed"))
    }
}

/// A pattern: `*` is anything, `%` anything without a separator. INBOX in any case.
#[derive(Debug)]
struct Pattern(Vec<char>);

impl Pattern {
    fn new(reference: &str, pattern: &str) -> Self {
        let whole = format!("{reference}{pattern}");
        // The part before the first wildcard says whether INBOX is meant.
        let inbox = whole.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("INBOX"))
            && matches!(whole.as_bytes().get(5), None | Some(b'/' | b'*' | b'%'));
        let text = if inbox { format!("INBOX{}", whole.get(5..).unwrap_or_default()) } else { whole };
        let mut chars: Vec<char> = text.chars().collect();
        chars.dedup_by(|next, kept| *next == *kept && matches!(kept, '*' | '%'));
        Self(chars)
    }

    fn matches(&self, name: &str) -> bool {
        if self.0.iter().all(|c| !matches!(c, '*' | '%')) && name == "INBOX" {
            return self.0.iter().collect::<String>().eq_ignore_ascii_case("INBOX");
        }
        // All positions of the pattern that the name so far can have led to.
        let mut at: BTreeSet<usize> = self.closure([0]);
        for c in name.chars() {
            let next = at.iter().filter_map(|&i| match self.0.get(i) {
                Some('*') => Some(i),
                Some('%') if c != '/' => Some(i),
                Some(p) if *p == c && *p != '%' => Some(i + 1),
                _ => None,
            });
            at = self.closure(next);
            if at.is_empty() {
                return false;
            }
        }
        at.contains(&self.0.len())
    }

    /// The positions and those after wildcards that stand for nothing.
    fn closure(&self, positions: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut out = BTreeSet::new();
        for mut i in positions {
            while out.insert(i) && matches!(self.0.get(i), Some('*' | '%')) {
                i += 1;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let matches =
            |reference: &str, pattern: &str, name: &str| Pattern::new(reference, pattern).matches(name);
        assert!(matches("", "*", "a/b/c"));
        assert!(matches("", "%", "INBOX") && !matches("", "%", "a/b"));
        assert!(matches("", "%/%", "a/b") && matches("", "a%c", "abc") && !matches("", "a%c", "a/c"));
        assert!(matches("a/", "%", "a/b") && !matches("a/", "%", "a"));
        assert!(
            matches("", "inbox", "INBOX")
                && matches("", "inbox/*", "INBOX/x")
                && matches("", "inbox*", "INBOX")
        );
        assert!(!matches("", "b", "B") && matches("", "*%*", "x/y"));
        assert!(!matches("", "", "x"));
    }

    #[test]
    fn many_wildcards_cost_little() {
        let pattern = "*a".repeat(400);
        assert!(!Pattern::new("", &pattern).matches(&"a".repeat(399)));
        assert!(Pattern::new("", &pattern).matches(&"a".repeat(400)));
    }
}

//! Flags as IMAP names them and as the store keeps them.

use kontor_imap_proto::{FetchWriter, Flag};
use kontor_model::{Flags, SystemFlag};

/// Flags of a command: bits, and keywords by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those with a fixed bit.
    pub bits: u64,
    /// The others.
    pub keywords: Vec<String>,
}

/// What a command's flags are to the store. `\Recent` is passed over; a flag beginning with `\` that
/// nobody knows is none: its name is the error.
pub fn wanted(flags: &[Flag]) -> Result<Wanted, String> {
    let mut out = Wanted::default();
    for flag in flags {
        let system = match flag {
            Flag::Answered => SystemFlag::Answered,
            Flag::Flagged => SystemFlag::Flagged,
            Flag::Deleted => SystemFlag::Deleted,
            Flag::Seen => SystemFlag::Seen,
            Flag::Draft => SystemFlag::Draft,
            Flag::Recent => continue,
            Flag::Extension(name) => return Err(name.clone()),
            Flag::Keyword(name) => match SystemFlag::from_imap_name(name) {
                Some(system) => system,
                None => {
                    if !out.keywords.iter().any(|k| k.eq_ignore_ascii_case(name)) {
                        out.keywords.push(name.clone());
                    }
                    continue;
                }
            },
        };
        out.bits |= system.flags().bits();
    }
    Ok(out)
}

/// Names of flags, with the mailbox's keyword dictionary.
pub fn names(bits: u64, keywords: &[String]) -> Vec<Flag> {
    let flags = Flags::from_bits(bits);
    let system = flags.system().map(system_name);
    let named = flags.keywords().filter_map(|slot| keywords.get(usize::from(slot)));
    system.chain(named.map(|name| Flag::Keyword(name.clone()))).collect()
}

/// Every flag of a mailbox: those of the protocol and its keywords.
pub fn all(keywords: &[String]) -> Vec<Flag> {
    SystemFlag::ALL.into_iter().map(system_name).chain(keywords.iter().cloned().map(Flag::Keyword)).collect()
}

fn system_name(flag: SystemFlag) -> Flag {
    match flag {
        SystemFlag::Seen => Flag::Seen,
        SystemFlag::Answered => Flag::Answered,
        SystemFlag::Flagged => Flag::Flagged,
        SystemFlag::Deleted => Flag::Deleted,
        SystemFlag::Draft => Flag::Draft,
        other => Flag::Keyword(other.imap_name().to_owned()),
    }
}

/// Rendered flag lists: thousands of messages share a handful of them.
#[derive(Debug)]
pub struct FlagLists<'a> {
    keywords: &'a [String],
    lists: Vec<(u64, Vec<u8>)>,
}

impl<'a> FlagLists<'a> {
    /// With the mailbox's keyword dictionary.
    pub fn new(keywords: &'a [String]) -> Self {
        Self { keywords, lists: Vec::new() }
    }

    /// The list of these flags, parentheses and all.
    pub fn get(&mut self, bits: u64) -> &[u8] {
        let at = match self.lists.iter().position(|(known, _)| *known == bits) {
            Some(at) => at,
            None => {
                if self.lists.len() >= MOST {
                    self.lists.clear();
                }
                self.lists.push((bits, FetchWriter::render_flags(&names(bits, self.keywords))));
                self.lists.len() - 1
            }
        };
        self.lists.get(at).map_or(b"()", |(_, list)| list)
    }
}

const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits() {
        let keywords = ["Work".to_owned(), "todo".to_owned()];
        let flags = [Flag::Seen, Flag::Keyword("$junk".into()), Flag::Keyword("Work".into()), Flag::Recent];
        let wanted = wanted(&flags).expect("all known");
        assert_eq!((wanted.bits, &wanted.keywords[..]), (0b1000_0001, &["Work".to_owned()][..]));
        assert_eq!(FlagLists::new(&keywords).get(1 | 1 << 7 | 1 << 17), b"(\\Seen $Junk todo)");
        assert_eq!(FlagLists::new(&[]).get(1 << 16), b"()");
        assert!(super::wanted(&[Flag::Extension("Foo".into())]).is_err());
    }
}

//! Message flags: one word per message and reader.
//!
//! Bits 0..=9 are fixed for every mailbox and have IMAP names; bits 10..=15 are kept for later; bits 16..=62 are
//! keyword slots that a dictionary in the mailbox names (47 keywords). Bit 63 stays clear so that the word is also a
//! non-negative SQL bigint.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u64);

/// A flag with the same bit in every mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SystemFlag {
    /// `\Seen`
    Seen = 0,
    /// `\Answered`
    Answered = 1,
    /// `\Flagged`
    Flagged = 2,
    /// `\Deleted`
    Deleted = 3,
    /// `\Draft`
    Draft = 4,
    /// `$Forwarded` (RFC 9051 §2.3.2)
    Forwarded = 5,
    /// `$MDNSent` (RFC 3503)
    MdnSent = 6,
    /// `$Junk`
    Junk = 7,
    /// `$NotJunk`
    NotJunk = 8,
    /// `$Phishing`
    Phishing = 9,
}

impl SystemFlag {
    /// Each of them, by bit.
    pub const ALL: [Self; 10] = [
        Self::Seen,
        Self::Answered,
        Self::Flagged,
        Self::Deleted,
        Self::Draft,
        Self::Forwarded,
        Self::MdnSent,
        Self::Junk,
        Self::NotJunk,
        Self::Phishing,
    ];

    /// The bit's number.
    pub const fn bit(self) -> u8 {
        self as u8
    }

    /// The set of only this flag.
    pub const fn flags(self) -> Flags {
        Flags(1 << self as u8)
    }

    /// Its spelling in IMAP.
    pub const fn imap_name(self) -> &'static str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Forwarded => "$Forwarded",
            Self::MdnSent => "$MDNSent",
            Self::Junk => "$Junk",
            Self::NotJunk => "$NotJunk",
            Self::Phishing => "$Phishing",
        }
    }

    /// The flag that an IMAP client spells so; flag names do not heed case (RFC 9051 §2.3.2).
    pub fn from_imap_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.imap_name().eq_ignore_ascii_case(name))
    }
}

impl Flags {
    /// No flag.
    pub const EMPTY: Self = Self(0);
    /// `\Seen`
    pub const SEEN: Self = SystemFlag::Seen.flags();
    /// `\Answered`
    pub const ANSWERED: Self = SystemFlag::Answered.flags();
    /// `\Flagged`
    pub const FLAGGED: Self = SystemFlag::Flagged.flags();
    /// `\Deleted`
    pub const DELETED: Self = SystemFlag::Deleted.flags();
    /// `\Draft`
    pub const DRAFT: Self = SystemFlag::Draft.flags();
    /// `$Forwarded`
    pub const FORWARDED: Self = SystemFlag::Forwarded.flags();
    /// `$MDNSent`
    pub const MDN_SENT: Self = SystemFlag::MdnSent.flags();
    /// `$Junk`
    pub const JUNK: Self = SystemFlag::Junk.flags();
    /// `$NotJunk`
    pub const NOT_JUNK: Self = SystemFlag::NotJunk.flags();
    /// `$Phishing`
    pub const PHISHING: Self = SystemFlag::Phishing.flags();

    /// Every bit with a fixed meaning.
    pub const SYSTEM: Self = Self(0x3ff);
    /// Every keyword slot: bits 16..=62.
    pub const KEYWORDS: Self = Self(0x7fff_ffff_ffff_0000);
    /// The bit of the first keyword slot.
    pub const FIRST_KEYWORD: u8 = 16;
    /// How many keyword slots a mailbox has.
    pub const KEYWORD_SLOTS: u8 = 47;

    /// The set with these bits, without those that have no meaning.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & (Self::SYSTEM.0 | Self::KEYWORDS.0))
    }

    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of only the keyword in `slot`; `None` at [`Self::KEYWORD_SLOTS`] and beyond.
    pub const fn keyword(slot: u8) -> Option<Self> {
        if slot < Self::KEYWORD_SLOTS { Some(Self(1 << (slot + Self::FIRST_KEYWORD))) } else { None }
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of `self` that are not in `other`.
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The fixed flags that are set, by bit.
    pub fn system(self) -> impl Iterator<Item = SystemFlag> {
        SystemFlag::ALL.into_iter().filter(move |flag| self.contains(flag.flags()))
    }

    /// The keyword slots (0-based) that are set, ascending.
    pub fn keywords(self) -> impl Iterator<Item = u8> {
        let mut rest = (self.0 & Self::KEYWORDS.0) >> Self::FIRST_KEYWORD;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let slot = rest.trailing_zeros();
            rest &= rest - 1;
            u8::try_from(slot).ok()
        })
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;

    fn not(self) -> Self {
        Self::from_bits(!self.0)
    }
}

impl From<SystemFlag> for Flags {
    fn from(flag: SystemFlag) -> Self {
        flag.flags()
    }
}

impl From<Flags> for i64 {
    fn from(flags: Flags) -> i64 {
        i64::try_from(flags.0).expect("bit 63 is never set")
    }
}

impl From<i64> for Flags {
    /// Bits without a meaning are dropped, the sign among them.
    fn from(bits: i64) -> Self {
        Self::from_bits(bits.cast_unsigned())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.system().map(|flag| flag.imap_name().to_owned());
        f.debug_set().entries(names.chain(self.keywords().map(|slot| format!("keyword {slot}")))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_agree() {
        for (bit, flag) in SystemFlag::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(flag.bit()), bit);
            assert_eq!(SystemFlag::from_imap_name(&flag.imap_name().to_uppercase()), Some(flag));
        }
        assert_eq!(SystemFlag::from_imap_name("\\Recent"), None);
    }

    #[test]
    fn keyword_slots_fill_bits_16_to_62() {
        let all = (0..Flags::KEYWORD_SLOTS).filter_map(Flags::keyword).fold(Flags::EMPTY, Flags::union);
        assert_eq!(all, Flags::KEYWORDS);
        assert_eq!(all.bits() >> 63, 0);
        assert_eq!(Flags::keyword(47), None);
        assert_eq!(all.keywords().collect::<Vec<_>>(), (0..47).collect::<Vec<_>>());
        assert!(!all.intersects(Flags::SYSTEM));
    }

    #[test]
    fn unknown_bits_are_dropped() {
        assert_eq!(Flags::from(-1i64), Flags::SYSTEM | Flags::KEYWORDS);
        assert_eq!(!Flags::EMPTY, Flags::SYSTEM | Flags::KEYWORDS);
    }
}

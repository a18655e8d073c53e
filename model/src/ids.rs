//! Identifiers: what names an object, its content and its place in a mailbox's history.
//!
//! Every type here is a checked newtype: a value that exists is a value that the store can hold. Conversions from the
//! wire go through `TryFrom` (or `FromStr`) and answer [`IdError`].

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// An identifier outside the range of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The number is zero, negative or larger than the type holds.
    #[error("{what} out of range")]
    Range {
        /// The type that refused it.
        what: &'static str,
    },
    /// The text does not spell such an identifier.
    #[error("not a {what}")]
    Syntax {
        /// The type that refused it.
        what: &'static str,
    },
}

macro_rules! display_number {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(IdError::Syntax { what: $what });
                }
                text.parse::<u64>().map_err(|_| IdError::Range { what: $what }).and_then(Self::try_from)
            }
        }
    };
}

/// The id of an object (folder, message, attachment) in its mailbox's replica: a 48-bit counter value, never zero and
/// never reused (MS-OXCDATA 2.2.1.1, GLOBCNT). A move gives a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(u64);

impl ObjectId {
    /// The largest id: 2^48 - 1.
    pub const MAX: u64 = (1 << 48) - 1;

    /// An id from its number; `None` for zero and for what does not fit in 48 bits.
    pub const fn new(value: u64) -> Option<Self> {
        if value == 0 || value > Self::MAX { None } else { Some(Self(value)) }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The six big-endian bytes of a GLOBCNT.
    pub fn globcnt(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The id spelled by a GLOBCNT; `None` for zero.
    pub fn from_globcnt([a, b, c, d, e, f]: [u8; 6]) -> Option<Self> {
        Self::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl TryFrom<u64> for ObjectId {
    type Error = IdError;

    fn try_from(value: u64) -> Result<Self, IdError> {
        Self::new(value).ok_or(IdError::Range { what: "object id" })
    }
}

impl TryFrom<i64> for ObjectId {
    type Error = IdError;

    fn try_from(value: i64) -> Result<Self, IdError> {
        u64::try_from(value).map_err(|_| IdError::Range { what: "object id" })?.try_into()
    }
}

impl From<ObjectId> for i64 {
    fn from(id: ObjectId) -> i64 {
        i64::try_from(id.0).expect("48 bits fit in an i64")
    }
}

display_number!(ObjectId, "object id");

/// The [`ObjectId`] of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderId(ObjectId);

impl FolderId {
    /// A folder's id from its number; `None` where [`ObjectId::new`] says so.
    pub const fn new(value: u64) -> Option<Self> {
        match ObjectId::new(value) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The same id as an object's.
    pub const fn object(self) -> ObjectId {
        self.0
    }
}

impl From<ObjectId> for FolderId {
    fn from(id: ObjectId) -> Self {
        Self(id)
    }
}

impl From<FolderId> for ObjectId {
    fn from(id: FolderId) -> Self {
        id.0
    }
}

impl TryFrom<u64> for FolderId {
    type Error = IdError;

    fn try_from(value: u64) -> Result<Self, IdError> {
        Self::new(value).ok_or(IdError::Range { what: "folder id" })
    }
}

impl TryFrom<i64> for FolderId {
    type Error = IdError;

    fn try_from(value: i64) -> Result<Self, IdError> {
        u64::try_from(value).map_err(|_| IdError::Range { what: "folder id" })?.try_into()
    }
}

impl From<FolderId> for i64 {
    fn from(id: FolderId) -> i64 {
        id.0.into()
    }
}

display_number!(FolderId, "folder id");

/// A value of the mailbox's one clock. Zero means "before every change"; a stored change has one above zero. It stays
/// below 2^63 so that it is also an IMAP MODSEQ (RFC 7162 §7) and a SQL bigint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeNumber(u64);

impl ChangeNumber {
    /// Before every change.
    pub const ZERO: Self = Self(0);
    /// The largest: 2^63 - 1.
    pub const MAX: u64 = i64::MAX as u64;

    /// A change number; `None` above [`Self::MAX`].
    pub const fn new(value: u64) -> Option<Self> {
        if value > Self::MAX { None } else { Some(Self(value)) }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next one; `None` at the end of the clock.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl TryFrom<u64> for ChangeNumber {
    type Error = IdError;

    fn try_from(value: u64) -> Result<Self, IdError> {
        Self::new(value).ok_or(IdError::Range { what: "change number" })
    }
}

impl TryFrom<i64> for ChangeNumber {
    type Error = IdError;

    fn try_from(value: i64) -> Result<Self, IdError> {
        u64::try_from(value).map_err(|_| IdError::Range { what: "change number" })?.try_into()
    }
}

impl From<ChangeNumber> for i64 {
    fn from(cn: ChangeNumber) -> i64 {
        i64::try_from(cn.0).expect("checked against i64::MAX when made")
    }
}

display_number!(ChangeNumber, "change number");

macro_rules! nonzero_u32 {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// From its number; `None` for zero.
            pub const fn new(value: u32) -> Option<Self> {
                match NonZeroU32::new(value) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The number.
            pub const fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl TryFrom<u32> for $name {
            type Error = IdError;

            fn try_from(value: u32) -> Result<Self, IdError> {
                Self::new(value).ok_or(IdError::Range { what: $what })
            }
        }

        impl TryFrom<u64> for $name {
            type Error = IdError;

            fn try_from(value: u64) -> Result<Self, IdError> {
                u32::try_from(value).map_err(|_| IdError::Range { what: $what })?.try_into()
            }
        }

        impl TryFrom<i64> for $name {
            type Error = IdError;

            fn try_from(value: i64) -> Result<Self, IdError> {
                u32::try_from(value).map_err(|_| IdError::Range { what: $what })?.try_into()
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> i64 {
                value.get().into()
            }
        }

        display_number!($name, $what);
    };
}

nonzero_u32! {
    /// An IMAP unique identifier (RFC 9051 §2.3.1.1): per folder, strictly ascending, never zero.
    Uid, "UID"
}

nonzero_u32! {
    /// The UIDVALIDITY of a folder (RFC 9051 §2.3.1.1). It never changes while the folder lives.
    UidValidity, "UIDVALIDITY"
}

macro_rules! uuid_bytes {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From the bytes of a UUID in network order; `None` for the nil UUID.
            pub const fn new(bytes: [u8; 16]) -> Option<Self> {
                if u128::from_be_bytes(bytes) == 0 { None } else { Some(Self(bytes)) }
            }

            /// The bytes, in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// 32 lowercase hexadecimal digits without dashes: also a valid RFC 8474 objectid.
            pub fn simple(&self) -> String {
                format!("{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl TryFrom<[u8; 16]> for $name {
            type Error = IdError;

            fn try_from(bytes: [u8; 16]) -> Result<Self, IdError> {
                Self::new(bytes).ok_or(IdError::Range { what: $what })
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = IdError;

            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                <[u8; 16]>::try_from(bytes).map_err(|_| IdError::Syntax { what: $what })?.try_into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex = self.simple();
                for (i, part) in [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().enumerate() {
                    if i > 0 {
                        f.write_str("-")?;
                    }
                    f.write_str(hex.get(part).expect("32 ASCII digits"))?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads the dashed and the simple form.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let syntax = IdError::Syntax { what: $what };
                let bytes = text.as_bytes();
                let dashed = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|&i| bytes.get(i) == Some(&b'-'));
                if !dashed && bytes.len() != 32 {
                    return Err(syntax);
                }
                let mut value: u128 = 0;
                let mut digits = 0;
                for (i, &byte) in bytes.iter().enumerate() {
                    if dashed && matches!(i, 8 | 13 | 18 | 23) {
                        continue;
                    }
                    let digit = char::from(byte).to_digit(16).ok_or(syntax)?;
                    value = value << 4 | u128::from(digit);
                    digits += 1;
                }
                if digits != 32 {
                    return Err(syntax);
                }
                Self::new(value.to_be_bytes()).ok_or(IdError::Range { what: $what })
            }
        }
    };
}

uuid_bytes! {
    /// Names content across copies and moves: IMAP EMAILID (RFC 8474 §4.1). The bytes of a UUID.
    ContentId, "content id"
}

uuid_bytes! {
    /// Names a mailbox (store GUID). The bytes of a UUID.
    MailboxId, "mailbox id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_are_48_bits_and_never_zero() {
        assert_eq!(ObjectId::new(0), None);
        assert_eq!(ObjectId::new(1 << 48), None);
        let id = ObjectId::new(ObjectId::MAX).expect("the largest");
        assert_eq!(id.globcnt(), [0xff; 6]);
        assert_eq!(ObjectId::from_globcnt(id.globcnt()), Some(id));
        assert_eq!(ObjectId::new(0x0102_0304_0506).expect("fits").globcnt(), [1, 2, 3, 4, 5, 6]);
        assert!(ObjectId::try_from(-1i64).is_err());
    }

    #[test]
    fn change_numbers_end_at_63_bits() {
        assert_eq!(ChangeNumber::new(1 << 63), None);
        let last = ChangeNumber::new(ChangeNumber::MAX).expect("fits");
        assert_eq!(last.next(), None);
        assert_eq!(ChangeNumber::ZERO.next().map(ChangeNumber::get), Some(1));
    }

    #[test]
    fn numbers_are_read_as_digits_only() {
        assert_eq!("17".parse::<Uid>().map(Uid::get), Ok(17));
        assert!("+17".parse::<Uid>().is_err());
        assert!("0".parse::<Uid>().is_err());
        assert!("4294967296".parse::<Uid>().is_err());
        assert!("".parse::<FolderId>().is_err());
    }

    #[test]
    fn uuids_print_and_read() {
        let id = ContentId::new(*b"\x01\x92\xab\xcd\xef\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01")
            .expect("not nil");
        assert_eq!(id.to_string(), "0192abcd-ef00-7000-8000-000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.simple().parse(), Ok(id));
        assert!("0192abcd-ef00-7000-8000-00000000000".parse::<ContentId>().is_err());
        assert!("00000000-0000-0000-0000-000000000000".parse::<ContentId>().is_err());
        assert!(MailboxId::try_from(&[1u8; 15][..]).is_err());
    }
}

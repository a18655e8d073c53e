//! Properties: tagged, typed values on folders, messages, recipients and attachments (MS-OXCDATA 2.9, 2.11; MS-OXPROPS).

mod bag;
mod name;
pub mod named;
pub mod tags;
mod value;

pub use bag::{Bag, BagError, PropertyKey};
pub use name::{Guid, NameKind, PropertyName, keywords};
pub use value::{FileTime, Value};

use std::fmt;

/// A property tag: the id in the upper, the type in the lower 16 bits (MS-OXCDATA 2.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyTag(u32);

impl PropertyTag {
    /// The first id that is mapped to a name.
    pub const FIRST_NAMED: u16 = 0x8000;

    /// A tag from its parts.
    pub const fn new(id: u16, property_type: PropertyType) -> Self {
        Self((id as u32) << 16 | property_type as u32)
    }

    /// A tag from its number; `None` where the type does not exist.
    pub fn from_number(number: u32) -> Option<Self> {
        PropertyType::from_code((number & 0xffff) as u16).map(|_| Self(number))
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id.
    pub const fn id(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The type.
    pub fn property_type(self) -> PropertyType {
        PropertyType::from_code((self.0 & 0xffff) as u16).expect("checked when made")
    }

    /// The same id with another type.
    pub const fn with_type(self, property_type: PropertyType) -> Self {
        Self::new(self.id(), property_type)
    }

    /// Whether the id means what the mailbox's map of names says.
    pub const fn is_named(self) -> bool {
        self.id() >= Self::FIRST_NAMED
    }

    /// The canonical name (MS-OXPROPS), for tags that [`tags`] knows.
    pub fn canonical_name(self) -> Option<&'static str> {
        tags::name_of(self.id())
    }
}

impl fmt::Debug for PropertyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.canonical_name() {
            Some(name) => write!(f, "{:#010x} {name}", self.0),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

macro_rules! property_types {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// The type of a property (MS-OXCDATA 2.11.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum PropertyType {
            $($(#[$doc])* $name = $code,)*
        }

        impl PropertyType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The type with this code.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

property_types! {
    /// In a request: whatever type it has.
    Unspecified = 0x0000,
    /// No value.
    Null = 0x0001,
    /// 16-bit signed.
    Integer16 = 0x0002,
    /// 32-bit signed.
    Integer32 = 0x0003,
    /// IEEE 754, four bytes.
    Floating32 = 0x0004,
    /// IEEE 754, eight bytes.
    Floating64 = 0x0005,
    /// 64-bit signed, ten-thousandths.
    Currency = 0x0006,
    /// Days since 1899-12-30 as a floating number.
    FloatingTime = 0x0007,
    /// An error in place of a value.
    ErrorCode = 0x000a,
    /// True or false.
    Boolean = 0x000b,
    /// An object, such as an embedded message.
    Object = 0x000d,
    /// 64-bit signed.
    Integer64 = 0x0014,
    /// Text in the code page of its object.
    String8 = 0x001e,
    /// Unicode text.
    String = 0x001f,
    /// A moment; see [`FileTime`].
    Time = 0x0040,
    /// A GUID.
    Guid = 0x0048,
    /// A server id (MS-OXCDATA 2.11.1.4).
    ServerId = 0x00fb,
    /// A restriction (MS-OXCDATA 2.12).
    Restriction = 0x00fd,
    /// A rule's actions (MS-OXORULE 2.2.5).
    RuleAction = 0x00fe,
    /// Bytes.
    Binary = 0x0102,
    /// Many of [`Self::Integer16`].
    MultipleInteger16 = 0x1002,
    /// Many of [`Self::Integer32`].
    MultipleInteger32 = 0x1003,
    /// Many of [`Self::Floating32`].
    MultipleFloating32 = 0x1004,
    /// Many of [`Self::Floating64`].
    MultipleFloating64 = 0x1005,
    /// Many of [`Self::Currency`].
    MultipleCurrency = 0x1006,
    /// Many of [`Self::FloatingTime`].
    MultipleFloatingTime = 0x1007,
    /// Many of [`Self::Integer64`].
    MultipleInteger64 = 0x1014,
    /// Many of [`Self::String8`].
    MultipleString8 = 0x101e,
    /// Many of [`Self::String`].
    MultipleString = 0x101f,
    /// Many of [`Self::Time`].
    MultipleTime = 0x1040,
    /// Many of [`Self::Guid`].
    MultipleGuid = 0x1048,
    /// Many of [`Self::Binary`].
    MultipleBinary = 0x1102,
}

impl PropertyType {
    /// The code.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether it holds many values.
    pub const fn is_multiple(self) -> bool {
        self.code() & 0x1000 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_take_apart() {
        let tag = tags::SUBJECT;
        assert_eq!(tag.get(), 0x0037_001f);
        assert_eq!((tag.id(), tag.property_type()), (0x0037, PropertyType::String));
        assert_eq!(PropertyTag::from_number(0x0037_001f), Some(tag));
        assert_eq!(PropertyTag::from_number(0x0037_7777), None);
        assert_eq!(tag.canonical_name(), Some("PidTagSubject"));
        assert!(PropertyTag::new(0x8005, PropertyType::Time).is_named());
    }

    #[test]
    fn types_have_their_codes() {
        for &property_type in PropertyType::ALL {
            assert_eq!(PropertyType::from_code(property_type.code()), Some(property_type));
        }
        assert!(PropertyType::MultipleBinary.is_multiple() && !PropertyType::Binary.is_multiple());
    }
}

//! Named properties (MS-OXCDATA 2.6.1; MS-OXPROPS 1.3.2): a property set and a number or a string.

use std::fmt;

/// A GUID in the byte order of MS-DTYP 2.3.4: the first three fields little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// From the fields as they are printed.
    pub const fn from_fields(a: u32, b: u16, c: u16, d: [u8; 8]) -> Self {
        let [a0, a1, a2, a3] = a.to_le_bytes();
        let [b0, b1] = b.to_le_bytes();
        let [c0, c1] = c.to_le_bytes();
        let [d0, d1, d2, d3, d4, d5, d6, d7] = d;
        Self([a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7])
    }

    /// A set of the family `xxxxxxxx-0000-0000-C000-000000000046`.
    const fn ole(a: u32) -> Self {
        Self::from_fields(a, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46])
    }

    /// PS_MAPI: properties with a number only.
    pub const PS_MAPI: Self = Self::ole(0x0002_0328);
    /// PS_PUBLIC_STRINGS
    pub const PS_PUBLIC_STRINGS: Self = Self::ole(0x0002_0329);
    /// PS_INTERNET_HEADERS: header fields by their name.
    pub const PS_INTERNET_HEADERS: Self = Self::ole(0x0002_0386);
    /// PSETID_Appointment
    pub const PSETID_APPOINTMENT: Self = Self::ole(0x0006_2002);
    /// PSETID_Task
    pub const PSETID_TASK: Self = Self::ole(0x0006_2003);
    /// PSETID_Address
    pub const PSETID_ADDRESS: Self = Self::ole(0x0006_2004);
    /// PSETID_Common
    pub const PSETID_COMMON: Self = Self::ole(0x0006_2008);
    /// PSETID_Log
    pub const PSETID_LOG: Self = Self::ole(0x0006_200a);
    /// PSETID_Note
    pub const PSETID_NOTE: Self = Self::ole(0x0006_200e);
    /// PSETID_Sharing
    pub const PSETID_SHARING: Self = Self::ole(0x0006_2040);
    /// PSETID_PostRss
    pub const PSETID_POST_RSS: Self = Self::ole(0x0006_2041);
    /// PSETID_Meeting
    pub const PSETID_MEETING: Self =
        Self::from_fields(0x6ed8_da90, 0x450b, 0x101b, [0x98, 0xda, 0x00, 0xaa, 0x00, 0x3f, 0x13, 0x05]);
    /// PSETID_Messaging
    pub const PSETID_MESSAGING: Self =
        Self::from_fields(0x41f2_8f13, 0x83f4, 0x4114, [0xa5, 0x84, 0xee, 0xdb, 0x5a, 0x6b, 0x0b, 0xff]);
    /// PSETID_CalendarAssistant
    pub const PSETID_CALENDAR_ASSISTANT: Self =
        Self::from_fields(0x1100_0e07, 0xb51b, 0x40d6, [0xaf, 0x21, 0xca, 0xa8, 0x5e, 0xda, 0xb1, 0xd0]);
    /// PSETID_AirSync
    pub const PSETID_AIR_SYNC: Self =
        Self::from_fields(0x7103_5549, 0x0739, 0x4dcb, [0x91, 0x63, 0x00, 0xf0, 0x58, 0x0d, 0xbb, 0xdf]);
    /// PSETID_UnifiedMessaging
    pub const PSETID_UNIFIED_MESSAGING: Self =
        Self::from_fields(0x4442_858e, 0xa9e3, 0x4e80, [0xb9, 0x00, 0x31, 0x7a, 0x21, 0x0c, 0xc1, 0x5b]);
    /// Kontor's own: what is kept of other forms of an item.
    pub const KONTOR: Self =
        Self::from_fields(0x2d1a_6f3c, 0x8e47, 0x4b5a, [0x9c, 0x31, 0x6b, 0x1f, 0x0e, 0x7a, 0x52, 0xd4]);
    /// PSETID_Attachment
    pub const PSETID_ATTACHMENT: Self =
        Self::from_fields(0x9635_7f7f, 0x59e1, 0x47d0, [0x99, 0xa7, 0x46, 0x51, 0x5c, 0x18, 0x3b, 0x54]);
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = self.0;
        let a = u32::from_le_bytes([a0, a1, a2, a3]);
        let (b, c) = (u16::from_le_bytes([b0, b1]), u16::from_le_bytes([c0, c1]));
        write!(f, "{{{a:08X}-{b:04X}-{c:04X}-")?;
        for (i, byte) in d.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 2 { "-" } else { "" })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What names a property in its set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// A long id (LID).
    Id(u32),
    /// A string.
    Name(String),
}

/// The name of a property, which each mailbox maps to an id from 0x8000.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyName {
    /// The property set.
    pub set: Guid,
    /// The name in it.
    pub kind: NameKind,
}

impl PropertyName {
    /// A property with a long id.
    pub const fn id(set: Guid, id: u32) -> Self {
        Self { set, kind: NameKind::Id(id) }
    }

    /// A property with a string.
    pub fn name(set: Guid, name: &str) -> Self {
        Self { set, kind: NameKind::Name(name.to_owned()) }
    }
}

/// PidNameKeywords: the categories of an item (MS-OXCMSG 2.2.1.17).
pub fn keywords() -> PropertyName {
    PropertyName::name(Guid::PS_PUBLIC_STRINGS, "Keywords")
}

impl fmt::Display for PropertyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NameKind::Id(_) if let Some(canonical) = super::named::name_of(self) => f.write_str(canonical),
            NameKind::Id(id) => write!(f, "{} {id:#010x}", self.set),
            NameKind::Name(name) => write!(f, "{} {name:?}", self.set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_print_as_the_documents_do() {
        assert_eq!(Guid::PSETID_COMMON.to_string(), "{00062008-0000-0000-C000-000000000046}");
        assert_eq!(Guid::PSETID_MEETING.to_string(), "{6ED8DA90-450B-101B-98DA-00AA003F1305}");
    }
}

//! Typed values (MS-OXCDATA 2.11.1).

use super::{Guid, PropertyType};

/// A moment as MAPI counts: 100 nanoseconds since 1601-01-01T00:00:00Z (MS-DTYP 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    /// From seconds since 1970; what lies before 1601 becomes 1601.
    pub fn from_unix(seconds: i64) -> Self {
        let since_1601 = seconds.saturating_add(SECONDS_1601_TO_1970).max(0);
        Self(since_1601.unsigned_abs().saturating_mul(PER_SECOND))
    }

    /// Whole seconds since 1970.
    pub fn to_unix(self) -> i64 {
        let seconds = i64::try_from(self.0 / PER_SECOND).expect("u64 / 10^7 fits in an i64");
        seconds - SECONDS_1601_TO_1970
    }
}

const PER_SECOND: u64 = 10_000_000;
const SECONDS_1601_TO_1970: i64 = 11_644_473_600;

/// The value of a property.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is the type of its name in PropertyType")]
pub enum Value {
    Null,
    Integer16(i16),
    Integer32(i32),
    Floating32(f32),
    Floating64(f64),
    Currency(i64),
    FloatingTime(f64),
    ErrorCode(u32),
    Boolean(bool),
    /// The serialized object.
    Object(Vec<u8>),
    Integer64(i64),
    String8(Vec<u8>),
    String(String),
    Time(FileTime),
    Guid(Guid),
    ServerId(Vec<u8>),
    Restriction(Vec<u8>),
    RuleAction(Vec<u8>),
    Binary(Vec<u8>),
    MultipleInteger16(Vec<i16>),
    MultipleInteger32(Vec<i32>),
    MultipleFloating32(Vec<f32>),
    MultipleFloating64(Vec<f64>),
    MultipleCurrency(Vec<i64>),
    MultipleFloatingTime(Vec<f64>),
    MultipleInteger64(Vec<i64>),
    MultipleString8(Vec<Vec<u8>>),
    MultipleString(Vec<String>),
    MultipleTime(Vec<FileTime>),
    MultipleGuid(Vec<Guid>),
    MultipleBinary(Vec<Vec<u8>>),
}

impl Value {
    /// Its type.
    pub fn property_type(&self) -> PropertyType {
        match self {
            Self::Null => PropertyType::Null,
            Self::Integer16(_) => PropertyType::Integer16,
            Self::Integer32(_) => PropertyType::Integer32,
            Self::Floating32(_) => PropertyType::Floating32,
            Self::Floating64(_) => PropertyType::Floating64,
            Self::Currency(_) => PropertyType::Currency,
            Self::FloatingTime(_) => PropertyType::FloatingTime,
            Self::ErrorCode(_) => PropertyType::ErrorCode,
            Self::Boolean(_) => PropertyType::Boolean,
            Self::Object(_) => PropertyType::Object,
            Self::Integer64(_) => PropertyType::Integer64,
            Self::String8(_) => PropertyType::String8,
            Self::String(_) => PropertyType::String,
            Self::Time(_) => PropertyType::Time,
            Self::Guid(_) => PropertyType::Guid,
            Self::ServerId(_) => PropertyType::ServerId,
            Self::Restriction(_) => PropertyType::Restriction,
            Self::RuleAction(_) => PropertyType::RuleAction,
            Self::Binary(_) => PropertyType::Binary,
            Self::MultipleInteger16(_) => PropertyType::MultipleInteger16,
            Self::MultipleInteger32(_) => PropertyType::MultipleInteger32,
            Self::MultipleFloating32(_) => PropertyType::MultipleFloating32,
            Self::MultipleFloating64(_) => PropertyType::MultipleFloating64,
            Self::MultipleCurrency(_) => PropertyType::MultipleCurrency,
            Self::MultipleFloatingTime(_) => PropertyType::MultipleFloatingTime,
            Self::MultipleInteger64(_) => PropertyType::MultipleInteger64,
            Self::MultipleString8(_) => PropertyType::MultipleString8,
            Self::MultipleString(_) => PropertyType::MultipleString,
            Self::MultipleTime(_) => PropertyType::MultipleTime,
            Self::MultipleGuid(_) => PropertyType::MultipleGuid,
            Self::MultipleBinary(_) => PropertyType::MultipleBinary,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident,)*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        })*
    };
}

value_from! {
    i16 => Integer16,
    i32 => Integer32,
    i64 => Integer64,
    bool => Boolean,
    String => String,
    FileTime => Time,
    Guid => Guid,
    Vec<u8> => Binary,
    Vec<i32> => MultipleInteger32,
    Vec<String> => MultipleString,
    Vec<Vec<u8>> => MultipleBinary,
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_times_count_from_1601() {
        assert_eq!(FileTime::from_unix(0).0, 116_444_736_000_000_000);
        assert_eq!(FileTime::from_unix(-11_644_473_600).0, 0);
        assert_eq!(FileTime::from_unix(i64::MIN).0, 0);
        assert_eq!(FileTime::from_unix(1_709_208_000).to_unix(), 1_709_208_000);
        FileTime(u64::MAX).to_unix();
    }
}

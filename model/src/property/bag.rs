//! A set of properties and its stored form.
//!
//! Version 1, numbers as LEB128, entries in ascending order of their keys:
//!
//! ```text
//! u8      version = 1
//! number  count of properties, then for each:
//!   number  0 for a named property, else the id + 1
//!   named:  16 bytes property set, u8 kind (0 number, 1 string), number LID or length + UTF-8
//!   u16     type, little-endian (MS-OXCDATA 2.11.1)
//!   value   fixed width: little-endian bytes; Boolean: u8 0 or 1;
//!           strings and bytes: number length, bytes; multiple: number count, then each value
//! ```

use std::fmt;

use super::{Guid, NameKind, PropertyName, PropertyTag, PropertyType, Value};
use crate::property::FileTime;
use crate::varint::{Malformed, put, put_bytes, take, take_array, take_byte, take_bytes, take_usize};

/// What a property is called in a bag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyKey {
    /// A property id.
    Id(u16),
    /// A name, so that the bag means the same in every mailbox.
    Named(PropertyName),
}

impl From<PropertyTag> for PropertyKey {
    fn from(tag: PropertyTag) -> Self {
        Self::Id(tag.id())
    }
}

impl From<PropertyName> for PropertyKey {
    fn from(name: PropertyName) -> Self {
        Self::Named(name)
    }
}

impl fmt::Display for PropertyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => match super::tags::name_of(*id) {
                Some(name) => f.write_str(name),
                None => write!(f, "{id:#06x}"),
            },
            Self::Named(name) => name.fmt(f),
        }
    }
}

impl fmt::Debug for PropertyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A stored bag that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BagError {
    /// Written by a newer program.
    #[error("property bag of version {0}")]
    Version(u8),
    /// Cut off or damaged.
    #[error("damaged property bag")]
    Corrupt,
}

impl From<Malformed> for BagError {
    fn from(_: Malformed) -> Self {
        Self::Corrupt
    }
}

/// Properties by key; each key occurs once. `Display` is the printer: a line for each property.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag(Vec<(PropertyKey, Value)>);

impl Bag {
    /// An empty bag.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each property, in ascending order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&PropertyKey, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Sets a property; returns what it was before.
    pub fn set(&mut self, key: impl Into<PropertyKey>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(at) => self.0.get_mut(at).map(|entry| std::mem::replace(&mut entry.1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Removes a property; returns what it was.
    pub fn remove(&mut self, key: impl Into<PropertyKey>) -> Option<Value> {
        let at = self.find(&key.into()).ok()?;
        Some(self.0.remove(at).1)
    }

    /// A property, whatever its type.
    pub fn get(&self, key: impl Into<PropertyKey>) -> Option<&Value> {
        let at = self.find(&key.into()).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// A text property.
    pub fn string(&self, key: impl Into<PropertyKey>) -> Option<&str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A property of bytes.
    pub fn binary(&self, key: impl Into<PropertyKey>) -> Option<&[u8]> {
        match self.get(key)? {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A 32-bit number.
    pub fn integer32(&self, key: impl Into<PropertyKey>) -> Option<i32> {
        match self.get(key)? {
            Value::Integer32(number) => Some(*number),
            _ => None,
        }
    }

    /// A boolean; absent is false, as MAPI has it.
    pub fn boolean(&self, key: impl Into<PropertyKey>) -> bool {
        matches!(self.get(key), Some(Value::Boolean(true)))
    }

    /// A moment.
    pub fn time(&self, key: impl Into<PropertyKey>) -> Option<FileTime> {
        match self.get(key)? {
            Value::Time(time) => Some(*time),
            _ => None,
        }
    }

    fn find(&self, key: &PropertyKey) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.cmp(key))
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, self.0.len() as u64);
        for (key, value) in &self.0 {
            match key {
                PropertyKey::Id(id) => put(&mut out, u64::from(*id) + 1),
                PropertyKey::Named(name) => {
                    out.push(0);
                    out.extend_from_slice(&name.set.0);
                    match &name.kind {
                        NameKind::Id(id) => {
                            out.push(0);
                            put(&mut out, u64::from(*id));
                        }
                        NameKind::Name(name) => {
                            out.push(1);
                            put_bytes(&mut out, name.as_bytes());
                        }
                    }
                }
            }
            out.extend_from_slice(&value.property_type().code().to_le_bytes());
            put_value(value, &mut out);
        }
        out
    }

    /// Reads the stored form. Memory is bounded by a small multiple of the input.
    pub fn decode(bytes: &[u8]) -> Result<Self, BagError> {
        let (&version, mut rest) = bytes.split_first().ok_or(BagError::Corrupt)?;
        if version != VERSION {
            return Err(BagError::Version(version));
        }
        let count = take_usize(&mut rest)?;
        if count > rest.len() / MIN_ENTRY {
            return Err(BagError::Corrupt);
        }
        let mut entries: Vec<(PropertyKey, Value)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = take_key(&mut rest)?;
            let code = u16::from_le_bytes(take_array(&mut rest)?);
            let property_type = PropertyType::from_code(code).ok_or(BagError::Corrupt)?;
            let value = take_value(property_type, &mut rest)?;
            if entries.last().is_some_and(|(last, _)| *last >= key) {
                return Err(BagError::Corrupt);
            }
            entries.push((key, value));
        }
        if rest.is_empty() { Ok(Self(entries)) } else { Err(BagError::Corrupt) }
    }
}

impl<K: Into<PropertyKey>, V: Into<Value>> FromIterator<(K, V)> for Bag {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut bag = Self::new();
        for (key, value) in entries {
            bag.set(key, value);
        }
        bag
    }
}

impl fmt::Display for Bag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.0 {
            write!(f, "{key} {:?} ", value.property_type())?;
            match value {
                Value::Binary(bytes)
                | Value::Object(bytes)
                | Value::ServerId(bytes)
                | Value::Restriction(bytes)
                | Value::RuleAction(bytes) => {
                    write!(f, "{} bytes", bytes.len())?;
                    for byte in bytes.iter().take(MAX_PRINTED) {
                        write!(f, " {byte:02x}")?;
                    }
                }
                Value::String(text) => write!(f, "{text:?}")?,
                other => write!(f, "{other:?}")?,
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn take_key(rest: &mut &[u8]) -> Result<PropertyKey, Malformed> {
    if let Some(id) = take(rest)?.checked_sub(1) {
        return u16::try_from(id).map(PropertyKey::Id).map_err(|_| Malformed);
    }
    let set = Guid(take_array(rest)?);
    let kind = match take_byte(rest)? {
        0 => NameKind::Id(u32::try_from(take(rest)?).map_err(|_| Malformed)?),
        1 => NameKind::Name(take_string(rest)?),
        _ => return Err(Malformed),
    };
    Ok(PropertyKey::Named(PropertyName { set, kind }))
}

fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Integer16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Integer32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Floating32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Floating64(v) | Value::FloatingTime(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Currency(v) | Value::Integer64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::ErrorCode(v) => out.extend_from_slice(&v.to_le_bytes()),
        Value::Boolean(v) => out.push(u8::from(*v)),
        Value::Time(v) => out.extend_from_slice(&v.0.to_le_bytes()),
        Value::Guid(v) => out.extend_from_slice(&v.0),
        Value::String(v) => put_bytes(out, v.as_bytes()),
        Value::Object(v)
        | Value::String8(v)
        | Value::ServerId(v)
        | Value::Restriction(v)
        | Value::RuleAction(v)
        | Value::Binary(v) => put_bytes(out, v),
        Value::MultipleInteger16(v) => put_all(v, out, |v, out| out.extend_from_slice(&v.to_le_bytes())),
        Value::MultipleInteger32(v) => put_all(v, out, |v, out| out.extend_from_slice(&v.to_le_bytes())),
        Value::MultipleFloating32(v) => put_all(v, out, |v, out| out.extend_from_slice(&v.to_le_bytes())),
        Value::MultipleFloating64(v) | Value::MultipleFloatingTime(v) => {
            put_all(v, out, |v, out| out.extend_from_slice(&v.to_le_bytes()));
        }
        Value::MultipleCurrency(v) | Value::MultipleInteger64(v) => {
            put_all(v, out, |v, out| out.extend_from_slice(&v.to_le_bytes()));
        }
        Value::MultipleString8(v) | Value::MultipleBinary(v) => put_all(v, out, |v, out| put_bytes(out, v)),
        Value::MultipleString(v) => put_all(v, out, |v, out| put_bytes(out, v.as_bytes())),
        Value::MultipleTime(v) => put_all(v, out, |v, out| out.extend_from_slice(&v.0.to_le_bytes())),
        Value::MultipleGuid(v) => put_all(v, out, |v, out| out.extend_from_slice(&v.0)),
    }
}

fn put_all<T>(values: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    put(out, values.len() as u64);
    for value in values {
        each(value, out);
    }
}

fn take_value(property_type: PropertyType, rest: &mut &[u8]) -> Result<Value, Malformed> {
    Ok(match property_type {
        // It asks for a value and never is one.
        PropertyType::Unspecified => return Err(Malformed),
        PropertyType::Null => Value::Null,
        PropertyType::Integer16 => Value::Integer16(i16::from_le_bytes(take_array(rest)?)),
        PropertyType::Integer32 => Value::Integer32(i32::from_le_bytes(take_array(rest)?)),
        PropertyType::Floating32 => Value::Floating32(f32::from_le_bytes(take_array(rest)?)),
        PropertyType::Floating64 => Value::Floating64(f64::from_le_bytes(take_array(rest)?)),
        PropertyType::Currency => Value::Currency(i64::from_le_bytes(take_array(rest)?)),
        PropertyType::FloatingTime => Value::FloatingTime(f64::from_le_bytes(take_array(rest)?)),
        PropertyType::ErrorCode => Value::ErrorCode(u32::from_le_bytes(take_array(rest)?)),
        PropertyType::Boolean => match take_byte(rest)? {
            0 => Value::Boolean(false),
            1 => Value::Boolean(true),
            _ => return Err(Malformed),
        },
        PropertyType::Integer64 => Value::Integer64(i64::from_le_bytes(take_array(rest)?)),
        PropertyType::Time => Value::Time(take_time(rest)?),
        PropertyType::Guid => Value::Guid(Guid(take_array(rest)?)),
        PropertyType::String => Value::String(take_string(rest)?),
        PropertyType::Object => Value::Object(take_bytes(rest)?.to_vec()),
        PropertyType::String8 => Value::String8(take_bytes(rest)?.to_vec()),
        PropertyType::ServerId => Value::ServerId(take_bytes(rest)?.to_vec()),
        PropertyType::Restriction => Value::Restriction(take_bytes(rest)?.to_vec()),
        PropertyType::RuleAction => Value::RuleAction(take_bytes(rest)?.to_vec()),
        PropertyType::Binary => Value::Binary(take_bytes(rest)?.to_vec()),
        PropertyType::MultipleInteger16 => {
            Value::MultipleInteger16(take_all(rest, 2, |rest| Ok(i16::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleInteger32 => {
            Value::MultipleInteger32(take_all(rest, 4, |rest| Ok(i32::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleFloating32 => {
            Value::MultipleFloating32(take_all(rest, 4, |rest| Ok(f32::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleFloating64 => {
            Value::MultipleFloating64(take_all(rest, 8, |rest| Ok(f64::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleCurrency => {
            Value::MultipleCurrency(take_all(rest, 8, |rest| Ok(i64::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleFloatingTime => {
            Value::MultipleFloatingTime(take_all(rest, 8, |rest| Ok(f64::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleInteger64 => {
            Value::MultipleInteger64(take_all(rest, 8, |rest| Ok(i64::from_le_bytes(take_array(rest)?)))?)
        }
        PropertyType::MultipleString8 => {
            Value::MultipleString8(take_all(rest, 1, |rest| Ok(take_bytes(rest)?.to_vec()))?)
        }
        PropertyType::MultipleString => Value::MultipleString(take_all(rest, 1, take_string)?),
        PropertyType::MultipleTime => Value::MultipleTime(take_all(rest, 8, take_time)?),
        PropertyType::MultipleGuid => {
            Value::MultipleGuid(take_all(rest, 16, |rest| Ok(Guid(take_array(rest)?)))?)
        }
        PropertyType::MultipleBinary => {
            Value::MultipleBinary(take_all(rest, 1, |rest| Ok(take_bytes(rest)?.to_vec()))?)
        }
    })
}

/// `least` is how many bytes a value takes at least, so that a wrong count cannot ask for much memory.
fn take_all<T>(
    rest: &mut &[u8],
    least: usize,
    each: impl Fn(&mut &[u8]) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = take_usize(rest)?;
    if count > rest.len() / least {
        return Err(Malformed);
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(each(rest)?);
    }
    Ok(values)
}

fn take_time(rest: &mut &[u8]) -> Result<FileTime, Malformed> {
    Ok(FileTime(u64::from_le_bytes(take_array(rest)?)))
}

fn take_string(rest: &mut &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(take_bytes(rest)?).map(str::to_owned).map_err(|_| Malformed)
}

const VERSION: u8 = 1;
/// An id, a type, and a Null.
const MIN_ENTRY: usize = 3;
/// Bytes of a binary value that the printer shows.
const MAX_PRINTED: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::property::tags;

    fn floats() -> impl Strategy<Value = f64> {
        proptest::num::f64::NORMAL | proptest::num::f64::ZERO
    }

    fn value() -> impl Strategy<Value = Value> {
        let bytes = || vec(any::<u8>(), 0..20);
        prop_oneof![
            Just(Value::Null),
            any::<i16>().prop_map(Value::Integer16),
            any::<i32>().prop_map(Value::Integer32),
            (-1.0e9f32..1.0e9).prop_map(Value::Floating32),
            floats().prop_map(Value::Floating64),
            any::<i64>().prop_map(Value::Currency),
            floats().prop_map(Value::FloatingTime),
            any::<u32>().prop_map(Value::ErrorCode),
            any::<bool>().prop_map(Value::Boolean),
            bytes().prop_map(Value::Object),
            any::<i64>().prop_map(Value::Integer64),
            bytes().prop_map(Value::String8),
            any::<String>().prop_map(Value::String),
            any::<u64>().prop_map(|t| Value::Time(FileTime(t))),
            any::<[u8; 16]>().prop_map(|g| Value::Guid(Guid(g))),
            bytes().prop_map(Value::ServerId),
            bytes().prop_map(Value::Restriction),
            bytes().prop_map(Value::RuleAction),
            bytes().prop_map(Value::Binary),
            multiple(),
        ]
    }

    fn multiple() -> impl Strategy<Value = Value> {
        prop_oneof![
            vec(any::<i16>(), 0..5).prop_map(Value::MultipleInteger16),
            vec(any::<i32>(), 0..5).prop_map(Value::MultipleInteger32),
            vec(-1.0e9f32..1.0e9, 0..5).prop_map(Value::MultipleFloating32),
            vec(floats(), 0..5).prop_map(Value::MultipleFloating64),
            vec(any::<i64>(), 0..5).prop_map(Value::MultipleCurrency),
            vec(floats(), 0..5).prop_map(Value::MultipleFloatingTime),
            vec(any::<i64>(), 0..5).prop_map(Value::MultipleInteger64),
            vec(vec(any::<u8>(), 0..5), 0..5).prop_map(Value::MultipleString8),
            vec(any::<String>(), 0..5).prop_map(Value::MultipleString),
            vec(any::<u64>().prop_map(FileTime), 0..5).prop_map(Value::MultipleTime),
            vec(any::<[u8; 16]>().prop_map(Guid), 0..5).prop_map(Value::MultipleGuid),
            vec(vec(any::<u8>(), 0..5), 0..5).prop_map(Value::MultipleBinary),
        ]
    }

    fn key() -> impl Strategy<Value = PropertyKey> {
        let set = any::<[u8; 16]>().prop_map(Guid);
        prop_oneof![
            any::<u16>().prop_map(PropertyKey::Id),
            (set.clone(), any::<u32>()).prop_map(|(set, id)| PropertyName::id(set, id).into()),
            (set, any::<String>()).prop_map(|(set, name)| PropertyName::name(set, &name).into()),
        ]
    }

    proptest! {
        #[test]
        fn bags_read_back(entries in vec((key(), value()), 0..20)) {
            let bag: Bag = entries.into_iter().collect();
            let bytes = bag.encode();
            prop_assert_eq!(Bag::decode(&bytes), Ok(bag.clone()));
            prop_assert_eq!(bag.to_string().lines().count() >= bag.len(), true);
            for end in 0..bytes.len() {
                prop_assert!(Bag::decode(bytes.get(..end).unwrap_or_default()).is_err());
            }
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(mut bytes in vec(any::<u8>(), 1..200)) {
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Ok(bag) = Bag::decode(&bytes) {
                prop_assert!(bag.iter().count() == bag.len());
            }
        }
    }

    #[test]
    fn setting_getting_and_printing() {
        let mut bag = Bag::new();
        bag.set(tags::SUBJECT, "a");
        bag.set(tags::IMPORTANCE, 2);
        bag.set(PropertyName::id(Guid::PSETID_COMMON, 0x8501), 15);
        assert_eq!(bag.set(tags::SUBJECT, "b"), Some(Value::from("a")));
        assert_eq!(bag.string(tags::SUBJECT), Some("b"));
        assert_eq!(bag.integer32(tags::SUBJECT), None);
        assert_eq!(
            bag.to_string(),
            "PidTagImportance Integer32 Integer32(2)\nPidTagSubject String \"b\"\n\
             PidLidReminderDelta Integer32 Integer32(15)\n"
        );
        assert_eq!(bag.remove(tags::SUBJECT), Some(Value::from("b")));
        assert_eq!(bag.get(tags::SUBJECT), None);
    }

    #[test]
    fn damaged_bags_are_refused() {
        assert_eq!(Bag::decode(&[9]), Err(BagError::Version(9)));
        // Two properties with descending ids.
        assert_eq!(Bag::decode(&[1, 2, 5, 1, 0, 4, 1, 0]), Err(BagError::Corrupt));
        // A count that the input cannot hold.
        assert_eq!(Bag::decode(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(BagError::Corrupt));
        assert_eq!(Bag::decode(&[1, 0, 0]), Err(BagError::Corrupt));
    }
}

//! The identity of a meeting: PidLidGlobalObjectId (MS-OXOCAL 2.2.1.27), and the UID that iCalendar has for it
//! (MS-OXCICAL 2.1.3.1.1.20.26).

use jiff::civil::Date;

use crate::little_endian::{CutOff, Reader};

/// Which meeting, and which instance of it.
///
/// ```
/// use kontor_model::GlobalObjectId;
///
/// let id = GlobalObjectId::of_uid("event-1@example.org").expect("not too long");
/// assert_eq!(id.uid(), "event-1@example.org");
/// assert_eq!(GlobalObjectId::read(&id.write()), Ok(id));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalObjectId {
    /// The day that the recurrence has the instance on; `None` for the series.
    pub instance: Option<Date>,
    /// Creation Time: ticks of 100 ns since 1601.
    pub created: u64,
    /// Data: the identity itself.
    pub data: Vec<u8>,
}

/// The octets are no global object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no global object id")]
pub struct GlobalObjectIdError;

impl From<CutOff> for GlobalObjectIdError {
    fn from(_: CutOff) -> Self {
        Self
    }
}

impl GlobalObjectId {
    /// The id of a UID: the octets that it writes in hexadecimal digits where it comes from Exchange or Outlook, one that
    /// holds the UID otherwise. `None` for a UID of more than 65,535 octets.
    pub fn of_uid(uid: &str) -> Option<Self> {
        // One with more behind its end would not come back.
        let own =
            hexadecimal(uid).and_then(|octets| Self::read(&octets).ok().filter(|id| id.write() == octets));
        if let Some(id) = own {
            return Some(Self { instance: None, ..id });
        }
        (uid.len() <= usize::from(u16::MAX)).then(|| Self {
            instance: None,
            created: 0,
            data: [FOREIGN, uid.as_bytes(), &[0]].concat(),
        })
    }

    /// The UID, the same for all instances of a series.
    pub fn uid(&self) -> String {
        let foreign = self.data.strip_prefix(FOREIGN).map(|uid| uid.strip_suffix(&[0]).unwrap_or(uid));
        if let Some(uid) = foreign.and_then(|uid| std::str::from_utf8(uid).ok()) {
            return uid.to_owned();
        }
        self.clean().write().iter().map(|octet| format!("{octet:02X}")).collect()
    }

    /// The id of the series: PidLidCleanGlobalObjectId (MS-OXOCAL 2.2.1.28).
    #[must_use]
    pub fn clean(&self) -> Self {
        Self { instance: None, ..self.clone() }
    }

    /// Reads the property.
    ///
    /// # Errors
    /// [`GlobalObjectIdError`]
    pub fn read(octets: &[u8]) -> Result<Self, GlobalObjectIdError> {
        let mut reader = Reader(octets.strip_prefix(&CLASS).ok_or(GlobalObjectIdError)?);
        // The year is the one number here with its high octet first.
        let year = i16::from_be_bytes(reader.array()?);
        let (month, day) = (reader.u8()?, reader.u8()?);
        let instance = match (year, month, day) {
            (0, 0, 0) => None,
            (year, month, day) => {
                let part = |number: u8| i8::try_from(number).map_err(|_| GlobalObjectIdError);
                Some(Date::new(year, part(month)?, part(day)?).map_err(|_| GlobalObjectIdError)?)
            }
        };
        let created = u64::from_le_bytes(reader.array()?);
        reader.bytes(8)?;
        let length = usize::try_from(reader.u32()?).map_err(|_| GlobalObjectIdError)?;
        Ok(Self { instance, created, data: reader.bytes(length)?.to_vec() })
    }

    /// Writes the property.
    pub fn write(&self) -> Vec<u8> {
        let mut out = CLASS.to_vec();
        let [year, month, day] =
            self.instance.map_or([0; 3], |day| [day.year(), day.month().into(), day.day().into()]);
        out.extend_from_slice(&year.to_be_bytes());
        out.extend([month, day].map(|part| u8::try_from(part).unwrap_or(0)));
        out.extend_from_slice(&self.created.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&u32::try_from(self.data.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.data);
        out
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let octets = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { octets.collect() } else { None }
}

/// What every id begins with.
const CLASS: [u8; 16] =
    [0x04, 0x00, 0x00, 0x00, 0x82, 0x00, 0xE0, 0x00, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08];
/// What an identity begins with that is the UID of somebody else.
const FOREIGN: &[u8] = b"vCal-Uid\x01\x00\x00\x00";

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn an_exchange_uid_is_its_octets() {
        let uid = "040000008200E00074C5B7101A82E00800000000C0B8C3A06D9BC601000000000000000010000000\
                   0F1E2D3C4B5A69788796A5B4C3D2E1F0";
        let id = GlobalObjectId::of_uid(uid).expect("one");
        assert_eq!((id.data.len(), id.uid().as_str()), (16, uid));
        assert_eq!(GlobalObjectId::of_uid(&uid.to_lowercase()), Some(id.clone()));
        // The id of an instance is of the same meeting.
        let instance = GlobalObjectId { instance: Some(date(2026, 3, 9)), ..id.clone() };
        assert_eq!(instance.write()[16..20], [0x07, 0xEA, 3, 9]);
        assert_eq!(
            (GlobalObjectId::read(&instance.write()), instance.uid(), instance.clean()),
            (Ok(instance.clone()), uid.into(), id)
        );
    }

    #[test]
    fn a_foreign_uid_is_within() {
        let id = GlobalObjectId::of_uid("a@b").expect("one");
        assert_eq!(id.write()[40..], *b"vCal-Uid\x01\0\0\0a@b\0");
        assert_eq!(id.write()[36..40], [16, 0, 0, 0]);
        // Digits alone are no id, nor is one that is cut off.
        for uid in ["0400", "040000008200E00074C5B7101A82E008", ""] {
            assert_eq!(GlobalObjectId::of_uid(uid).map(|id| id.uid()).as_deref(), Some(uid));
        }
        assert_eq!(GlobalObjectId::of_uid(&"x".repeat(70_000)), None);
    }

    proptest! {
        #[test]
        fn every_uid_comes_back(uid in "\\PC{0,60}", instance in proptest::option::of(0..40_000i64)) {
            let id = GlobalObjectId::of_uid(&uid).expect("not too long");
            let instance = instance.map(|day| crate::time_zone::clock(day * 86_400).date());
            let id = GlobalObjectId { instance, ..id };
            prop_assert_eq!(GlobalObjectId::read(&id.write()), Ok(id.clone()));
            prop_assert_eq!(id.uid(), uid);
        }

        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(id) = GlobalObjectId::read(&[&CLASS[..], &octets].concat()) {
                prop_assert_eq!(GlobalObjectId::of_uid(&id.uid()).map(|id| id.uid()), Some(id.uid()));
            }
        }
    }
}

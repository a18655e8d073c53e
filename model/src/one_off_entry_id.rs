//! Somebody who is in no address book: the One-Off EntryID (MS-OXCDATA 2.2.5.1).

use crate::little_endian::{CutOff, Reader, put_u16, put_u32, put_utf16};

/// A name and an address of some type.
///
/// ```
/// use kontor_model::OneOffEntryId;
///
/// let id = OneOffEntryId::smtp("Max", "max@example.org");
/// assert_eq!(OneOffEntryId::read(&id.write()), Ok(id));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OneOffEntryId {
    /// DisplayName
    pub display_name: String,
    /// AddressType, e.g. `SMTP`.
    pub address_type: String,
    /// EmailAddress
    pub email_address: String,
}

/// The octets are no one-off entry id in Unicode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no one-off entry id")]
pub struct OneOffEntryIdError;

impl From<CutOff> for OneOffEntryIdError {
    fn from(_: CutOff) -> Self {
        Self
    }
}

impl OneOffEntryId {
    /// Somebody with an address of mail.
    pub fn smtp(display_name: &str, address: &str) -> Self {
        Self {
            display_name: display_name.to_owned(),
            address_type: "SMTP".to_owned(),
            email_address: address.to_owned(),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`OneOffEntryIdError`], also for one in a code page.
    pub fn read(octets: &[u8]) -> Result<Self, OneOffEntryIdError> {
        let mut reader = Reader(octets);
        let (flags, provider, version) = (reader.u32()?, reader.array::<16>()?, reader.u16()?);
        let form = reader.u16()?;
        if flags != 0 || provider != PROVIDER || version != 0 || form & UNICODE == 0 {
            return Err(OneOffEntryIdError);
        }
        let mut text = || -> Result<String, CutOff> {
            let (pairs, _) = reader.0.as_chunks::<2>();
            let length = pairs.iter().position(|pair| *pair == [0, 0]).ok_or(CutOff)?;
            let text = reader.utf16(length)?;
            reader.u16()?;
            Ok(text)
        };
        Ok(Self { display_name: text()?, address_type: text()?, email_address: text()? })
    }

    /// Writes it. A NUL ends a text.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u32(&mut out, 0);
        out.extend_from_slice(&PROVIDER);
        put_u16(&mut out, 0);
        put_u16(&mut out, UNICODE | MIME);
        for text in [&self.display_name, &self.address_type, &self.email_address] {
            put_utf16(&mut out, text.split('\0').next().unwrap_or_default());
            put_u16(&mut out, 0);
        }
        out
    }
}

/// ProviderUID
const PROVIDER: [u8; 16] =
    [0x81, 0x2B, 0x1F, 0xA4, 0xBE, 0xA3, 0x10, 0x19, 0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02];
/// U: the texts are UTF-16.
const UNICODE: u16 = 0x8000;
/// M with the Format that leaves the choice of plain text or HTML to the sender: MIME is sent.
const MIME: u16 = 0x1001;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_octets_are_those_of_outlook() {
        let octets = OneOffEntryId::smtp("M", "m@x").write();
        assert_eq!(octets[..4], [0; 4]);
        assert_eq!(octets[20..24], [0, 0, 0x01, 0x90]);
        assert_eq!(octets[24..28], *b"M\0\0\0");
        assert_eq!(octets[28..38], *b"S\0M\0T\0P\0\0\0");
        assert_eq!(octets.len(), 38 + 8);
        // One in a code page, and one of another kind.
        let mut other = octets.clone();
        other[23] = 0x10;
        assert_eq!(OneOffEntryId::read(&other), Err(OneOffEntryIdError));
        assert_eq!(OneOffEntryId::read(&[0; 60]), Err(OneOffEntryIdError));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(name in "[^\u{0}]{0,20}", kind in "[A-Z]{0,8}", address in "[^\u{0}]{0,20}") {
            let id = OneOffEntryId { display_name: name, address_type: kind, email_address: address };
            let octets = id.write();
            prop_assert_eq!(OneOffEntryId::read(&octets), Ok(id));
            prop_assert!(OneOffEntryId::read(&octets[..octets.len() - 1]).is_err());
        }
    }
}

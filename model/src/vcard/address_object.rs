//! What CardDAV accepts as an address object resource (RFC 6352 §5.1, §6.3.2.1).

use super::{Error, Limits, VCard};

/// Why a text is no address object; the precondition of CardDAV that it fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressObjectError {
    /// `CARDDAV:valid-address-data`: it is no vCard.
    #[error("not a vCard: {0}")]
    Data(#[from] Error),
    /// `CARDDAV:valid-address-data`: it says that it is of a version other than 3.0 or 4.0.
    #[error("a vCard of a version other than 3.0 and 4.0")]
    Version,
    /// `CARDDAV:max-resource-size`
    #[error("more than {0} octets")]
    Size(usize),
    /// `CARDDAV:valid-address-data`: RFC 6352 §5.1 wants exactly one UID.
    #[error("a vCard with {0} UID properties; it must have one")]
    Uid(usize),
    /// `CARDDAV:valid-address-data`: RFC 2426 §3.1.1 and RFC 6350 §6.2.1 want a name.
    #[error("a vCard without FN")]
    Name,
}

/// Reads an address object: one vCard with a UID that is not empty and with a formatted name. The UID comes with it.
pub fn address_object(input: &[u8], limits: &Limits) -> Result<(VCard, String), AddressObjectError> {
    let (card, stated) = match super::read::one(input, limits) {
        Err(Error::TooLarge(limit)) => return Err(AddressObjectError::Size(limit)),
        other => other?,
    };
    if stated.is_some_and(|version| version != "3.0" && version != "4.0") {
        return Err(AddressObjectError::Version);
    }
    let uids = card.all("UID").count();
    let uid = card.text("UID").map(|uid| uid.trim().to_owned()).filter(|uid| !uid.is_empty());
    let (1, Some(uid)) = (uids, uid) else { return Err(AddressObjectError::Uid(uids)) };
    if card.first("FN").is_none() {
        return Err(AddressObjectError::Name);
    }
    Ok((card, uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str) -> Result<String, AddressObjectError> {
        let text = format!("BEGIN:VCARD\r\n{lines}\r\nEND:VCARD\r\n");
        address_object(text.as_bytes(), &Limits::default()).map(|(_, uid)| uid)
    }

    #[test]
    fn what_carddav_accepts() {
        assert_eq!(check("VERSION:4.0\r\nUID: urn:uuid:1\r\nFN:A").as_deref(), Ok("urn:uuid:1"));
        assert_eq!(check("VERSION:3.0\r\nFN:A"), Err(AddressObjectError::Uid(0)));
        assert_eq!(check("VERSION:3.0\r\nFN:A\r\nUID:"), Err(AddressObjectError::Uid(1)));
        assert_eq!(check("VERSION:3.0\r\nFN:A\r\nUID:1\r\nUID:2"), Err(AddressObjectError::Uid(2)));
        assert_eq!(check("VERSION:3.0\r\nUID:1"), Err(AddressObjectError::Name));
        assert_eq!(check("VERSION:2.1\r\nFN:A\r\nUID:1"), Err(AddressObjectError::Version));
        let two = "VERSION:3.0\r\nFN:A\r\nUID:1\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:B\r\nUID:2";
        assert_eq!(check(two), Err(AddressObjectError::Data(Error::NotOne(2))));
        let small = Limits { octets: 10, ..Limits::default() };
        assert_eq!(address_object(&[b' '; 11], &small), Err(AddressObjectError::Size(10)));
    }
}

//! `address-data` in a report: what of the address objects is wanted (RFC 6352 §10.4).

use kontor_model::vcard::Version;

use super::calendar_data::prop_selection;
use super::{PropSelection, Selected, too_many};
use crate::xml::Element;
use crate::{CARDDAV, DAV, Error, Limits, Precondition};

/// What of an address object is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressData {
    /// In which version; `None` where nothing is said, which RFC 6352 §10.4 reads as 3.0.
    pub version: Option<Version>,
    /// Which properties.
    pub properties: Selected<PropSelection>,
}

impl AddressData {
    /// Of the `address-data` among the properties that a report wants.
    pub(super) fn of_report(report: &Element, limits: &Limits) -> Result<Option<Self>, Error> {
        let data = report.all(DAV, "prop").find_map(|prop| prop.first(CARDDAV, "address-data"));
        data.map(|data| Self::of(data, limits)).transpose()
    }

    fn of(data: &Element, limits: &Limits) -> Result<Self, Error> {
        let kind = data.attribute("content-type").unwrap_or("text/vcard").trim();
        let version = match data.attribute("version").map(str::trim) {
            None => Some(None),
            Some("3.0") => Some(Some(Version::V3)),
            Some("4.0") => Some(Some(Version::V4)),
            Some(_) => None,
        };
        let (true, Some(version)) = (kind.eq_ignore_ascii_case("text/vcard"), version) else {
            let what = "address data is text/vcard, version 3.0 or 4.0";
            return Err(Error::Precondition(Precondition::SupportedAddressData, what));
        };
        let mut listed = Vec::new();
        for prop in data.all(CARDDAV, "prop") {
            if listed.len() >= limits.properties {
                return Err(too_many("properties", limits.properties));
            }
            listed.push(prop_selection(prop)?);
        }
        let all = listed.is_empty() || data.has(CARDDAV, "allprop");
        Ok(Self { version, properties: if all { Selected::All } else { Selected::Listed(listed) } })
    }
}

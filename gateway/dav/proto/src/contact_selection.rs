//! What of a card an answer holds (RFC 6352 §10.4).

use kontor_model::vcard::{Property, VCard};

use crate::contact_filter::is_named;
use crate::request::{AddressData, Selected};

impl AddressData {
    /// What is wanted of a card, in the version that is wanted.
    pub fn select(&self, card: &VCard) -> VCard {
        let mut selected = self.version.map_or_else(|| card.clone(), |version| card.converted(version));
        if let Selected::Listed(listed) = &self.properties {
            selected.properties.retain_mut(|property: &mut Property| {
                let Some(found) = listed.iter().find(|selection| is_named(property, &selection.name)) else {
                    return false;
                };
                if found.no_value {
                    property.value.clear();
                }
                true
            });
        }
        selected
    }
}

#[cfg(test)]
mod tests {
    use kontor_model::vcard::{Limits, Version};

    use crate::request::PropSelection;

    use super::*;

    #[test]
    fn properties_and_versions_are_selected() {
        let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nitem1.TEL;TYPE=pref:1\r\nTEL:2\r\nNOTE:long\r\nEND:VCARD\r\n";
        let card = VCard::parse(text.as_bytes(), &Limits::default()).unwrap();
        let prop = |name: &str, no_value| PropSelection { name: name.to_owned(), no_value };
        let listed =
            Selected::Listed(vec![prop("item1.tel", false), prop("note", true), prop("VERSION", false)]);
        let data = AddressData { version: Some(Version::V4), properties: listed };
        let expected = "BEGIN:VCARD\r\nVERSION:4.0\r\nitem1.TEL;PREF=1:1\r\nNOTE:\r\nEND:VCARD\r\n";
        assert_eq!(data.select(&card).to_text(), expected);
        assert_eq!(AddressData { version: None, properties: Selected::All }.select(&card), card);
    }
}

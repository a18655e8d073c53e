//! The MAPI properties of items, as they follow from their text.

use bytes::Bytes;
use kontor_model::calendar_item::{self, KEPT_ICALENDAR};
use kontor_model::contact::{self, KEPT_VCARD};
use kontor_model::icalendar::{self, Component};
use kontor_model::property::Bag;
use kontor_model::vcard::{self, VCard};

use super::Mailboxes;
use super::free_busy::zone;
use crate::error::{Error, bigint};

impl Mailboxes {
    /// Encoded properties of texts, each beside the number it was given. What is no calendar object and no card has none.
    pub(super) async fn derived(
        &self,
        mailbox: u64,
        folder: u64,
        texts: Vec<(usize, Bytes)>,
    ) -> Result<Vec<(usize, Bytes)>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT coalesce(f.time_zone, ''), coalesce(
                     (SELECT address FROM account WHERE mailbox_id = $1 ORDER BY account_id LIMIT 1), '')
                 FROM folder f WHERE f.mailbox_id = $1 AND f.folder_id = $2",
            )
            .await?;
        let row = client.query_opt(&statement, &[&bigint(mailbox), &bigint(folder)]).await?;
        drop(client);
        // The folder went meanwhile.
        let Some(row) = row else { return Ok(Vec::new()) };
        let (said, owner): (String, String) = (row.get(0), row.get(1));
        let found = tokio::task::spawn_blocking(move || {
            let context = calendar_item::Context { owner, zone: zone(&said) };
            let encoded = texts.into_iter().filter_map(|(at, text)| {
                let properties = properties(&text, &context)?.encode();
                (properties.len() <= MOST_DERIVED).then(|| (at, Bytes::from(properties)))
            });
            encoded.collect()
        });
        found.await.map_err(|error| Error::Internal(error.to_string()))
    }
}

/// The text is there already, as the body.
fn properties(text: &[u8], context: &calendar_item::Context) -> Option<Bag> {
    let mut properties = match Component::parse(text, &icalendar::Limits::default()) {
        Ok(calendar) if calendar.is("VCALENDAR") => {
            calendar_item::from_icalendar(&calendar, context).ok()?.properties
        }
        _ => contact::from_vcard(&VCard::parse(text, &vcard::Limits::default()).ok()?).properties,
    };
    properties.remove(KEPT_ICALENDAR);
    properties.remove(KEPT_VCARD);
    Some(properties)
}

/// Octets of an item that properties are derived from: attached files are in it.
pub(super) const MOST_DERIVED_FROM: u64 = 16 << 20;
/// Octets of the properties of one item.
pub(super) const MOST_DERIVED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_model::property::tags;
    use kontor_model::time_zone::TimeZone;

    #[test]
    fn what_is_no_item_has_none() {
        let context = calendar_item::Context { owner: String::new(), zone: TimeZone::utc() };
        assert_eq!(properties(b"Dear all,\r\n", &context), None);
        assert_eq!(properties(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", &context), None);
        let card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:;Ada;;;\r\nEND:VCARD\r\n";
        let bag = properties(card, &context).expect("a contact");
        assert_eq!(bag.string(tags::GIVEN_NAME), Some("Ada"));
        assert_eq!(bag.get(KEPT_VCARD), None);
    }
}

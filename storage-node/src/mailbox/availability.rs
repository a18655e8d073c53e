//! When the owner of a mailbox can be met at all (RFC 7953).

use std::ops::Range;

use kontor_model::availability::{check, unavailable};
use kontor_model::free_busy::Busy;
use kontor_model::icalendar::{Component, Limits};
use kontor_model::recurrence::Limits as RecurrenceLimits;
use kontor_model::time_zone::TimeZone;
use kontor_storage_proto as proto;

use super::Mailboxes;
use crate::access::Access;
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Mailboxes {
    /// Sets it, or that it is always.
    pub async fn set_availability(
        &self,
        who: &Principal,
        request: &proto::SetAvailabilityRequest,
    ) -> Result<proto::SetAvailabilityResponse, Error> {
        Access::require_owner(who, request.mailbox_id)?;
        let text = &request.availability;
        if text.len() > MOST_OCTETS {
            return Err(Error::Invalid(format!("availability has at most {MOST_OCTETS} octets")));
        }
        if !text.is_empty() {
            let calendar = Component::parse(text.as_bytes(), &Limits::default())
                .map_err(|error| Error::Invalid(error.to_string()))?;
            check(&calendar).map_err(|error| Error::Invalid(error.to_string()))?;
        }
        let client = self.db.get().await?;
        client
            .execute(
                "UPDATE mailbox SET availability = nullif($2, '') WHERE mailbox_id = $1",
                &[&bigint(request.mailbox_id), text],
            )
            .await?;
        Ok(proto::SetAvailabilityResponse {})
    }

    /// The times in a window at which the owner of a mailbox is not to be met, whatever is in their calendars. What would
    /// be too much to find is passed over: it is a wish, not an appointment.
    pub(super) async fn unavailable(
        &self,
        mailbox: u64,
        zone: TimeZone,
        window: &Range<i64>,
    ) -> Result<Vec<(Range<i64>, Busy)>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT availability FROM mailbox WHERE mailbox_id = $1 AND availability IS NOT NULL",
            )
            .await?;
        let row = client.query_opt(&statement, &[&bigint(mailbox)]).await?;
        drop(client);
        let Some(row) = row else { return Ok(Vec::new()) };
        let (text, window): (String, _) = (row.get(0), window.clone());
        let found = tokio::task::spawn_blocking(move || {
            let calendar = Component::parse(text.as_bytes(), &Limits::default()).ok()?;
            unavailable(&calendar, &zone, window, RecurrenceLimits::default()).ok()
        });
        let found = found.await.map_err(|error| Error::Internal(error.to_string()))?;
        if found.is_none() {
            tracing::warn!(mailbox, "an availability cannot be read");
        }
        Ok(found.unwrap_or_default())
    }
}

const MOST_OCTETS: usize = 64 << 10;

//! Messages about meetings, written beside the change that they tell of.

use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use uuid::Uuid;

use crate::error::{Error, bigint, unix_now};

/// Who changed what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub tenant: u64,
    /// Whose calendar it is.
    pub mailbox: u64,
    /// The account that made the change; 0 = none, it is automatic.
    pub actor: u64,
    /// UID of the meeting.
    pub item_uid: &'a str,
}

/// Whether there are more messages than one change may send.
pub(crate) fn check(send: &[proto::SchedulingMessage]) -> Result<(), Error> {
    if send.len() > MOST_MESSAGES {
        return Err(Error::Limit(format!("one change tells at most {MOST_MESSAGES} people")));
    }
    Ok(())
}

/// Adds messages; they are sent once this is committed.
pub(crate) async fn add(
    client: &impl GenericClient,
    origin: Origin<'_>,
    send: &[proto::SchedulingMessage],
) -> Result<(), Error> {
    if send.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = send.iter().map(|_| Uuid::now_v7()).collect();
    let recipients: Vec<&str> = send.iter().map(|message| message.recipient.as_str()).collect();
    let calendars: Vec<&[u8]> = send.iter().map(|message| &message.calendar[..]).collect();
    let statement = client
        .prepare_cached(
            "INSERT INTO itip_message (itip_key, tenant_id, mailbox_id, actor_id, recipient, item_uid, calendar, made_at,
                 next_attempt_at)
             SELECT k, $4, $5, $6, r, $7, c, $8, $8
             FROM unnest($1::uuid[], $2::text[], $3::bytea[]) WITH ORDINALITY AS u (k, r, c, o) ORDER BY o",
        )
        .await?;
    client
        .execute(
            &statement,
            &[
                &keys,
                &recipients,
                &calendars,
                &bigint(origin.tenant),
                &bigint(origin.mailbox),
                &bigint(origin.actor),
                &origin.item_uid,
                &unix_now(),
            ],
        )
        .await?;
    Ok(())
}

const MOST_MESSAGES: usize = 2_000;

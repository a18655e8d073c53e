//! Sends notifications to where they belong.

use bytes::Bytes;
use jiff::Timestamp;
use kontor_storage_client::proto::{self, resolution::Status, target::To};
use kontor_storage_client::{PreparedMessage, StoreError};

use crate::dsn::{Action, Notification, RecipientReport};
use crate::gateway::Gateway;
use crate::trace;

/// The message that a notification is about.
pub(crate) struct Returned<'a> {
    pub tenant_id: u64,
    /// Never empty: the null sender gets no notification (RFC 5321 §6.1).
    pub sender: &'a str,
    pub envid: &'a str,
    pub arrived: Timestamp,
    pub message: &'a [u8],
    /// The sender asked for the whole message.
    pub full: bool,
}

/// Stores a notification: in the sender's mailbox, or in the queue.
///
/// # Errors
/// The store's, when it is stored nowhere. A sender that does not exist is no error: nobody misses it.
pub(crate) async fn notify(
    gateway: &Gateway,
    returned: &Returned<'_>,
    recipients: &[RecipientReport],
) -> Result<(), StoreError> {
    let id = gateway.new_id();
    let failed = recipients.iter().any(|recipient| recipient.action == Action::Failed);
    let message = Notification {
        hostname: &gateway.hostname,
        id: &id,
        sender: returned.sender,
        envid: returned.envid,
        arrived: returned.arrived,
        now: Timestamp::now(),
        recipients,
        message: returned.message,
        // RFC 3461 §4.3: the message itself comes back with failures only.
        full: failed && returned.full && returned.message.len() <= FULL_LIMIT,
    }
    .to_message();
    let request = proto::ResolveRecipientsRequest {
        addresses: vec![returned.sender.into()],
        size: message.len() as u64,
        sender: String::new(),
        authenticated: false,
    };
    let resolution = gateway.store.resolve_recipients(request).await?.into_iter().next().unwrap_or_default();
    let (local, outside): (Vec<_>, Vec<_>) = match resolution.status() {
        Status::Local => {
            resolution.targets.into_iter().partition(|target| matches!(target.to, Some(To::MailboxId(_))))
        }
        Status::External => (Vec::new(), vec![crate::routing::external(returned.sender, returned.tenant_id)]),
        status => {
            tracing::info!(
                sender = returned.sender,
                ?status,
                "the sender of a message takes no notification"
            );
            return Ok(());
        }
    };
    let eight_bit = !message.is_ascii();
    if !local.is_empty() {
        let stored = [trace::return_path("").as_bytes(), &message].concat();
        let prepared = PreparedMessage::prepare(stored.into()).await;
        gateway.store.deliver(&prepared, &local, 0, None).await?;
    }
    if outside.is_empty() {
        return Ok(());
    }
    let recipients = outside.into_iter().map(|target| proto::QueueRecipient {
        address: target.address,
        notify: "NEVER".into(),
        state: proto::queue_recipient::State::Pending.into(),
        ..Default::default()
    });
    let request = proto::EnqueueRequest {
        tenant_id: returned.tenant_id,
        queue_key: uuid::Uuid::now_v7().as_bytes().to_vec().into(),
        sender: String::new(),
        recipients: recipients.collect(),
        body: Some(proto::enqueue_request::Body::Raw(Bytes::from(message))),
        eight_bit,
        smtp_utf8: !returned.sender.is_ascii(),
        ..Default::default()
    };
    gateway.store.enqueue(request).await?;
    Ok(())
}

/// A larger message comes back as its header only.
const FULL_LIMIT: usize = 1 << 20;

//! Messages about meetings go out: into the calendars and inboxes of the house directly, to others as mail.
//!
//! A message is a row until everybody has it. Doing one again is harmless: it has a key that names it in mailboxes and in
//! the mail queue, and what it says is applied once.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use kontor_model::icalendar::{Component, Limits};
use kontor_model::message::Person;
use kontor_model::scheduling::{Imip, Method};
use kontor_storage_client::PreparedMessage;
use kontor_storage_proto as proto;
use proto::deliver_result::Status as Delivered;
use proto::resolution::Status;
use proto::target::To;
use uuid::Uuid;

use super::Scheduling;
use crate::directory::Owner;
use crate::error::{Error, unix_now, unsigned};

/// A row of `itip_message`.
struct Outgoing {
    id: i64,
    key: Uuid,
    mailbox: u64,
    actor: u64,
    recipient: String,
    calendar: Vec<u8>,
    made_at: i64,
    attempts: i32,
}

/// A message as mail.
struct Mail {
    tenant: u64,
    from: String,
    message: PreparedMessage,
}

impl Scheduling {
    /// Ends all leases.
    pub async fn take_back(&self) -> Result<(), Error> {
        let client = self.db.get().await?;
        client.execute("UPDATE itip_message SET leased_until = 0 WHERE leased_until > 0", &[]).await?;
        Ok(())
    }

    /// Sends what is due; how many messages that were.
    async fn send_due(&self) -> Result<usize, Error> {
        let now = unix_now();
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "UPDATE itip_message SET leased_until = $2, attempts = attempts + 1
                 WHERE itip_id IN (SELECT itip_id FROM itip_message m
                     WHERE next_attempt_at <= $1 AND leased_until <= $1
                         AND NOT EXISTS (SELECT FROM itip_message e WHERE e.mailbox_id = m.mailbox_id
                             AND e.item_uid = m.item_uid AND e.recipient = m.recipient AND e.itip_id < m.itip_id)
                     ORDER BY next_attempt_at LIMIT $3 FOR UPDATE SKIP LOCKED)
                 RETURNING itip_id, itip_key, mailbox_id, actor_id, recipient, calendar, made_at, attempts",
            )
            .await?;
        let rows = client.query(&statement, &[&now, &(now + LEASE), &AT_ONCE]).await?;
        drop(client);
        let rows: Vec<Outgoing> = rows
            .iter()
            .map(|row| Outgoing {
                id: row.get(0),
                key: row.get(1),
                mailbox: unsigned(row.get(2)),
                actor: unsigned(row.get(3)),
                recipient: row.get(4),
                calendar: row.get(5),
                made_at: row.get(6),
                attempts: row.get(7),
            })
            .collect();
        let count = rows.len();
        for outcome in join_all(rows.into_iter().map(|row| self.send_and_note(row))).await {
            outcome?;
        }
        Ok(count)
    }

    async fn send_and_note(&self, row: Outgoing) -> Result<(), Error> {
        let outcome = tokio::time::timeout(DEADLINE, self.send(&row)).await.unwrap_or_else(|_| {
            Err(Error::Unavailable("a message about a meeting was not sent in time".into()))
        });
        let client = self.db.get().await?;
        let result = match outcome {
            Ok(()) => "sent",
            Err(error) if unix_now() - row.made_at > LIFE => {
                tracing::error!(mailbox = row.mailbox, %error, "a message about a meeting was given up");
                "given_up"
            }
            Err(error) => {
                tracing::warn!(mailbox = row.mailbox, %error, "a message about a meeting is sent later");
                let pause = 1i64 << row.attempts.clamp(1, 9);
                client
                    .execute(
                        "UPDATE itip_message SET next_attempt_at = $2, leased_until = 0 WHERE itip_id = $1",
                        &[&row.id, &(unix_now() + pause)],
                    )
                    .await?;
                return Ok(());
            }
        };
        metrics::counter!("kontor_itip_sent_total", "result" => result).increment(1);
        client.execute("DELETE FROM itip_message WHERE itip_id = $1", &[&row.id]).await?;
        Ok(())
    }

    /// Sends one message. What can never be sent is dropped, with a word in the log.
    async fn send(&self, row: &Outgoing) -> Result<(), Error> {
        let Some(owner) = self.directory.owner(row.mailbox).await? else { return Ok(()) };
        let sender = if row.actor == 0 { None } else { self.directory.actor(row.actor).await? };
        let Some(mail) = mail(row, &owner, sender).await? else {
            tracing::warn!(
                mailbox = row.mailbox,
                "a message about a meeting is not from its owner, or is none"
            );
            return Ok(());
        };
        let request = proto::ResolveRecipientsRequest {
            addresses: vec![row.recipient.clone()],
            size: mail.message.raw.len() as u64,
            sender: mail.from.clone(),
            authenticated: true,
        };
        let Some(resolution) = self.directory.resolve(&request).await?.into_iter().next() else {
            return Ok(());
        };
        match resolution.status() {
            Status::Local => {}
            // The mail queue tries again, and tells the sender.
            Status::External | Status::OverQuota => return self.enqueue(row, &mail, &row.recipient).await,
            other => {
                tracing::debug!(mailbox = row.mailbox, status = ?other, "nobody to tell of a meeting");
                return Ok(());
            }
        }
        let mut inside: BTreeMap<u64, Vec<proto::Target>> = BTreeMap::new();
        for target in resolution.targets {
            match &target.to {
                // Whoever makes a change knows of it.
                Some(To::MailboxId(mailbox)) if *mailbox == row.mailbox => {}
                Some(To::MailboxId(_)) => inside.entry(target.tenant_id).or_default().push(target),
                Some(To::External(address)) => self.enqueue(row, &mail, address).await?,
                None => {}
            }
        }
        for (_, targets) in inside {
            let addresses: Vec<String> = targets.iter().map(|target| target.address.clone()).collect();
            let content = proto::Content {
                content_id: mail.message.content_id.clone(),
                prepared: Some(mail.message.prepared.clone()),
                body: Some(proto::content::Body::Raw(mail.message.raw.clone())),
            };
            let request = proto::DeliverRequest {
                content: Some(content),
                targets,
                role: 0,
                retry: row.attempts > 1,
                internal_date: None,
            };
            let response = self.deliver(request).await?;
            for (address, result) in addresses.iter().zip(&response.results) {
                match result.status() {
                    Delivered::OverQuota => self.enqueue(row, &mail, address).await?,
                    Delivered::Failed => return Err(Error::Unavailable("a delivery failed".into())),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn enqueue(&self, row: &Outgoing, mail: &Mail, address: &str) -> Result<(), Error> {
        let mut hash = blake3::Hasher::new();
        hash.update(row.key.as_bytes()).update(address.as_bytes());
        let key = hash.finalize();
        let is_ascii = |text: &str| text.is_ascii();
        self.queue
            .enqueue(proto::EnqueueRequest {
                tenant_id: mail.tenant,
                queue_key: Bytes::copy_from_slice(key.as_bytes().get(..16).unwrap_or_default()),
                sender: mail.from.clone(),
                recipients: vec![proto::QueueRecipient { address: address.to_owned(), ..Default::default() }],
                body: Some(proto::enqueue_request::Body::Raw(mail.message.raw.clone())),
                smtp_utf8: !is_ascii(&mail.from) || !is_ascii(address),
                ..Default::default()
            })
            .await?;
        Ok(())
    }
}

/// The mail of a message; `None` where it is not its owner's to send.
async fn mail(row: &Outgoing, owner: &Owner, sender: Option<Person>) -> Result<Option<Mail>, Error> {
    let Ok(calendar) = Component::parse(&row.calendar, &Limits::default()) else { return Ok(None) };
    let Some(from) = author(&calendar).filter(|from| owner.is(from)) else { return Ok(None) };
    let domain = from.rsplit('@').next().unwrap_or_default();
    let message_id = format!("<{}.meeting@{domain}>", row.key.simple());
    let imip = Imip {
        from: Person { name: owner.display_name.clone(), address: from.clone() },
        sender: sender.filter(|sender| !owner.is(&sender.address)),
        to: &row.recipient,
        calendar: &calendar,
        message_id: &message_id,
        date: row.made_at,
        is_automatic: row.actor == 0,
    };
    let Some(raw) = imip.write() else { return Ok(None) };
    let mut message = PreparedMessage::prepare(raw.into()).await;
    message.content_id = Bytes::copy_from_slice(row.key.as_bytes());
    if let Some(itip) = &mut message.prepared.itip {
        itip.authenticated = true;
    }
    Ok(Some(Mail { tenant: owner.tenant_id, from, message }))
}

/// Whose word a message is: the organizer's or the attendee's.
fn author(calendar: &Component) -> Option<String> {
    let name = match Method::of(calendar)? {
        Method::Reply | Method::Refresh | Method::Counter => "ATTENDEE",
        _ => "ORGANIZER",
    };
    let line = calendar.components.iter().find_map(|part| part.property(name))?;
    line.address().email().map(|address| address.to_ascii_lowercase())
}

/// Sends what is due, for as long as the service lives.
pub(crate) async fn keep_sending(scheduling: Weak<Scheduling>) {
    loop {
        let Some(scheduling) = scheduling.upgrade() else { return };
        match scheduling.send_due().await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "messages about meetings are sent later"),
        }
        let due = scheduling.due.clone();
        drop(scheduling);
        // Other replicas stop in the middle, and time makes messages due.
        drop(tokio::time::timeout(POLL, due.notified()).await);
    }
}

/// Seconds that a message is nobody else's to send. Twice the deadline.
const LEASE: i64 = 30;
const DEADLINE: Duration = Duration::from_secs(15);
const AT_ONCE: i64 = 16;
const POLL: Duration = Duration::from_secs(5);
/// Seconds after which nothing is tried any more.
const LIFE: i64 = 5 * 86_400;

/// What wakes the sender.
pub(super) type Due = Arc<tokio::sync::Notify>;

impl Scheduling {
    /// Adds messages that no change of an item comes with.
    pub(super) async fn send_alone(
        &self,
        owner: &Owner,
        item_uid: &str,
        send: &[proto::SchedulingMessage],
    ) -> Result<(), Error> {
        let origin =
            crate::mailbox::Origin { tenant: owner.tenant_id, mailbox: owner.mailbox_id, actor: 0, item_uid };
        let client = self.db.get().await?;
        crate::mailbox::add_itip(&client, origin, send).await?;
        self.due.notify_one();
        Ok(())
    }
}

//! The mail queue: rows under a lease, so that a runner that dies gives its messages back.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use kontor_storage_proto as proto;
use proto::act_on_queue_request::Action;
use proto::enqueue_request::Body;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::blobs::Blobs;
use crate::config::Config;
use crate::db::Db;
use crate::error::{Error, bigint, unix_now, unsigned};

/// The queue service.
pub(crate) struct Queue {
    db: Db,
    blobs: Arc<Blobs>,
    inline_body_limit: usize,
    life: i64,
    /// Something became due on this replica.
    due: Notify,
}

const MESSAGE_COLUMNS: &str =
    "queue_id, lease, tenant_id, sender, ret, envid, size, queued_at, eight_bit, smtp_utf8,
    require_tls, held, expires_at, leased_until";

impl Queue {
    pub fn new(db: Db, blobs: Arc<Blobs>, config: &Config) -> Self {
        Queue {
            db,
            blobs,
            inline_body_limit: config.inline_body_limit,
            life: i64::from(config.queue_days) * 86_400,
            due: Notify::new(),
        }
    }

    /// Takes a message; stored when it answers. The same key twice is one message.
    pub async fn enqueue(&self, request: proto::EnqueueRequest) -> Result<u64, Error> {
        let key = Uuid::from_slice(&request.queue_key)
            .map_err(|_| Error::Invalid("a queue key has 16 octets".into()))?;
        if request.recipients.is_empty() {
            return Err(Error::Invalid("a message without recipients".into()));
        }
        let (size, codec, body, blob): (u64, i16, Option<Bytes>, Option<Vec<u8>>) = match request.body {
            Some(Body::Raw(raw)) => {
                let size = raw.len() as u64;
                match crate::mailbox_pack(&raw) {
                    packed if packed.as_ref().map_or(raw.len(), Bytes::len) > self.inline_body_limit => {
                        let hash = self.blobs.put(request.tenant_id, raw).await?;
                        (size, 2, None, Some(hash.to_vec()))
                    }
                    Some(packed) => (size, 1, Some(packed), None),
                    None => (size, 0, Some(raw), None),
                }
            }
            Some(Body::Blob(blob)) => (blob.size, 2, None, Some(blob.hash.to_vec())),
            None => return Err(Error::Invalid("a message without a body".into())),
        };
        let now = unix_now();
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let body: Option<&[u8]> = body.as_deref();
        let row = transaction
            .query_opt(
                "INSERT INTO queue_message (queue_key, tenant_id, sender, ret, envid, eight_bit, smtp_utf8, require_tls,
                     size, body_codec, body, blob_hash, queued_at, expires_at, next_attempt_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13)
                 ON CONFLICT (queue_key) DO NOTHING RETURNING queue_id",
                &[
                    &key,
                    &bigint(request.tenant_id),
                    &request.sender,
                    &request.ret,
                    &request.envid,
                    &request.eight_bit,
                    &request.smtp_utf8,
                    &request.require_tls,
                    &bigint(size),
                    &codec,
                    &body,
                    &blob,
                    &now,
                    &(now + self.life),
                ],
            )
            .await?;
        let Some(row) = row else {
            let row = transaction
                .query_one("SELECT queue_id FROM queue_message WHERE queue_key = $1", &[&key])
                .await?;
            return Ok(unsigned(row.get(0)));
        };
        let id: i64 = row.get(0);
        let addresses: Vec<&str> = request.recipients.iter().map(|r| r.address.as_str()).collect();
        let notify: Vec<&str> = request.recipients.iter().map(|r| r.notify.as_str()).collect();
        let orcpt: Vec<&str> = request.recipients.iter().map(|r| r.orcpt.as_str()).collect();
        transaction
            .execute(
                "INSERT INTO queue_recipient (queue_id, position, address, notify, orcpt, next_attempt_at)
                 SELECT $1, o::integer, a, n, r, $5
                 FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u (a, n, r, o)",
                &[&id, &addresses, &notify, &orcpt, &now],
            )
            .await?;
        transaction.commit().await?;
        self.due.notify_one();
        Ok(unsigned(id))
    }

    /// Ends all leases. Whoever has one is told so when they report.
    pub async fn take_back(&self) -> Result<(), Error> {
        let client = self.db.get().await?;
        client
            .execute(
                "UPDATE queue_message SET lease = lease + 1, leased_until = 0 WHERE leased_until > 0",
                &[],
            )
            .await?;
        Ok(())
    }

    /// Due messages, leased; waits for one up to `wait_ms`.
    pub async fn lease(&self, request: &proto::LeaseRequest) -> Result<Vec<proto::QueuedMessage>, Error> {
        let until =
            tokio::time::Instant::now() + Duration::from_millis(u64::from(request.wait_ms.min(60_000)));
        loop {
            let leased = self.lease_now(request).await?;
            let now = tokio::time::Instant::now();
            if !leased.is_empty() || now >= until {
                return Ok(leased);
            }
            // Other replicas enqueue too, and time makes messages due.
            let pause = POLL.min(until - now);
            tokio::select! {
                () = self.due.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn lease_now(&self, request: &proto::LeaseRequest) -> Result<Vec<proto::QueuedMessage>, Error> {
        let now = unix_now();
        let until = now + i64::from(request.lease_seconds.clamp(5, 3600));
        let most = i64::from(request.max.clamp(1, 1000));
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(&format!(
                "UPDATE queue_message SET lease = lease + 1, leased_until = $2, runner = $3
                 WHERE queue_id IN (SELECT queue_id FROM queue_message
                     WHERE NOT held AND next_attempt_at <= $1 AND leased_until <= $1
                     ORDER BY next_attempt_at LIMIT $4 FOR UPDATE SKIP LOCKED)
                 RETURNING {MESSAGE_COLUMNS}"
            ))
            .await?;
        let rows = client.query(&statement, &[&now, &until, &request.runner, &most]).await?;
        with_recipients(&client, rows).await
    }

    pub async fn renew(&self, request: &proto::RenewRequest) -> Result<(), Error> {
        let client = self.db.get().await?;
        let until = unix_now() + i64::from(request.lease_seconds.clamp(5, 3600));
        let kept = client
            .execute(
                "UPDATE queue_message SET leased_until = $3 WHERE queue_id = $1 AND lease = $2",
                &[&bigint(request.queue_id), &bigint(request.lease), &until],
            )
            .await?;
        if kept == 0 { Err(lost()) } else { Ok(()) }
    }

    /// What became of the recipients that were tried; true when the message left the queue.
    pub async fn report(&self, request: &proto::ReportRequest) -> Result<bool, Error> {
        let id = bigint(request.queue_id);
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let row = transaction
            .query_opt("SELECT lease FROM queue_message WHERE queue_id = $1 FOR UPDATE", &[&id])
            .await?;
        match row {
            // Its last report was made already; the answer got lost.
            None => return Ok(true),
            Some(row) if unsigned(row.get(0)) != request.lease => return Err(lost()),
            Some(_) => {}
        }
        for recipient in &request.recipients {
            let state = match recipient.state() {
                proto::queue_recipient::State::Delivered => 2i16,
                proto::queue_recipient::State::Failed => 3,
                _ => 1,
            };
            transaction
                .execute(
                    "UPDATE queue_recipient SET state = $3, attempts = $4, next_attempt_at = $5, reason = $6
                     WHERE queue_id = $1 AND address = $2 AND state = 1",
                    &[
                        &id,
                        &recipient.address,
                        &state,
                        &i32::try_from(recipient.attempts).unwrap_or(i32::MAX),
                        &recipient.next_attempt_at,
                        &recipient.reason,
                    ],
                )
                .await?;
        }
        let row = transaction
            .query_one(
                "SELECT min(next_attempt_at) FROM queue_recipient WHERE queue_id = $1 AND state = 1",
                &[&id],
            )
            .await?;
        let next: Option<i64> = row.get(0);
        match next {
            Some(next) => {
                transaction
                    .execute(
                        "UPDATE queue_message SET next_attempt_at = $2, leased_until = 0 WHERE queue_id = $1",
                        &[&id, &next],
                    )
                    .await?;
            }
            None => {
                transaction.execute("DELETE FROM queue_message WHERE queue_id = $1", &[&id]).await?;
            }
        }
        transaction.commit().await?;
        Ok(next.is_none())
    }

    pub async fn read_body(&self, id: u64) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let client = self.db.get().await?;
        let row = client
            .query_opt(
                "SELECT tenant_id, size, body_codec, body, blob_hash FROM queue_message WHERE queue_id = $1",
                &[&bigint(id)],
            )
            .await?
            .ok_or_else(|| Error::NotFound(format!("queued message {id}")))?;
        let (tenant, size) = (unsigned(row.get(0)), unsigned(row.get(1)));
        if let Some(hash) = row.get::<_, Option<&[u8]>>(4) {
            return self.blobs.read(tenant, hash, 0, size).await;
        }
        let stored = row.get::<_, Option<&[u8]>>(3).unwrap_or_default();
        let body = match row.get::<_, i16>(2) {
            1 => crate::mailbox_unpack(stored, size)?,
            _ => Bytes::copy_from_slice(stored),
        };
        Ok(futures::stream::once(async move { Ok(body) }).boxed())
    }

    pub async fn list(&self, request: &proto::ListQueueRequest) -> Result<Vec<proto::QueuedMessage>, Error> {
        let most = match request.page_size {
            0 => 100,
            n => i64::from(n.min(1000)),
        };
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT {MESSAGE_COLUMNS} FROM queue_message q WHERE queue_id > $1
                   AND ($2 = '' OR tenant_id = (SELECT t.tenant_id FROM tenant t WHERE t.name = $2))
                   AND ($3 = '' OR lower(sender) = lower($3))
                   AND ($4 = '' OR EXISTS (SELECT FROM queue_recipient r
                        WHERE r.queue_id = q.queue_id AND lower(r.address) = lower($4)))
                   AND ($5::bigint = 0 OR queue_id = $5)
                 ORDER BY queue_id LIMIT $6"
            ))
            .await?;
        let rows = client
            .query(
                &statement,
                &[
                    &bigint(request.after_queue_id),
                    &request.tenant,
                    &request.sender,
                    &request.recipient,
                    &bigint(request.queue_id),
                    &most,
                ],
            )
            .await?;
        with_recipients(&client, rows).await
    }

    pub async fn act(&self, request: &proto::ActOnQueueRequest) -> Result<u64, Error> {
        let ids: Vec<i64> = request.queue_ids.iter().map(|id| bigint(*id)).collect();
        let now = unix_now();
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let changed = match request.action() {
            Action::Hold => {
                transaction
                    .execute("UPDATE queue_message SET held = true WHERE queue_id = ANY ($1)", &[&ids])
                    .await?
            }
            Action::Release => {
                transaction
                    .execute("UPDATE queue_message SET held = false WHERE queue_id = ANY ($1)", &[&ids])
                    .await?
            }
            Action::Retry => {
                transaction
                    .execute(
                        "UPDATE queue_recipient SET next_attempt_at = $2 WHERE queue_id = ANY ($1) AND state = 1",
                        &[&ids, &now],
                    )
                    .await?;
                transaction
                    .execute(
                        "UPDATE queue_message SET next_attempt_at = $2, held = false WHERE queue_id = ANY ($1)",
                        &[&ids, &now],
                    )
                    .await?
            }
            Action::Delete => {
                transaction.execute("DELETE FROM queue_message WHERE queue_id = ANY ($1)", &[&ids]).await?
            }
            Action::Unspecified => return Err(Error::Invalid("hold, release, retry or delete?".into())),
        };
        transaction.commit().await?;
        self.due.notify_one();
        Ok(changed)
    }
}

async fn with_recipients(
    client: &deadpool_postgres::Object,
    rows: Vec<tokio_postgres::Row>,
) -> Result<Vec<proto::QueuedMessage>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = rows.iter().map(|r| r.get(0)).collect();
    let statement = client
        .prepare_cached(
            "SELECT queue_id, address, notify, orcpt, state, attempts, next_attempt_at, reason
             FROM queue_recipient WHERE queue_id = ANY ($1) ORDER BY queue_id, position",
        )
        .await?;
    let mut recipients: HashMap<i64, Vec<proto::QueueRecipient>> = HashMap::new();
    for row in client.query(&statement, &[&ids]).await? {
        recipients.entry(row.get(0)).or_default().push(proto::QueueRecipient {
            address: row.get(1),
            notify: row.get(2),
            orcpt: row.get(3),
            state: i32::from(row.get::<_, i16>(4)),
            attempts: u32::try_from(row.get::<_, i32>(5)).unwrap_or(0),
            next_attempt_at: row.get(6),
            reason: row.get(7),
        });
    }
    Ok(rows
        .iter()
        .map(|row| {
            let id: i64 = row.get(0);
            proto::QueuedMessage {
                queue_id: unsigned(id),
                lease: unsigned(row.get(1)),
                tenant_id: unsigned(row.get(2)),
                sender: row.get(3),
                recipients: recipients.remove(&id).unwrap_or_default(),
                ret: row.get(4),
                envid: row.get(5),
                size: unsigned(row.get(6)),
                queued_at: row.get(7),
                eight_bit: row.get(8),
                smtp_utf8: row.get(9),
                require_tls: row.get(10),
                held: row.get(11),
                expires_at: row.get(12),
                leased_until: row.get(13),
            }
        })
        .collect())
}

fn lost() -> Error {
    Error::Conflict("the lease was lost".into())
}

const POLL: Duration = Duration::from_secs(1);

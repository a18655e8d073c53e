//! New messages, many deliveries to a transaction.
//!
//! A few lanes, each with a connection of its own. A lane that is free takes all deliveries that are waiting, up to
//! a bound, and stores them in one round trip and one commit; so that under load one fsync serves many, and
//! alone a delivery waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::state::wire_u32;
use crate::db::Db;
use crate::error::{Error, bigint, unsigned};

/// A content row to be.
pub(super) struct NewContent {
    pub id: Uuid,
    pub thread_id: Uuid,
    pub size: u64,
    pub header_size: u64,
    pub sent_at: Option<i64>,
    pub importance: i16,
    pub has_attachment: bool,
    pub codec: i16,
    pub class: String,
    pub subject: String,
    pub sender: String,
    pub display_to: String,
    pub internet_id: String,
    pub topic: String,
    pub preview: String,
    pub view: Bytes,
    pub search_headers: String,
    pub search_body: String,
    pub blob: Option<[u8; 32]>,
    pub header: Option<Bytes>,
    pub body: Option<Bytes>,
}

/// A place for a content.
#[derive(Clone)]
pub(super) struct NewMessage {
    pub mailbox: u64,
    pub folder: u64,
    /// The folder tree must be as it was then; 0 = however it is.
    pub hierarchy_cn: u64,
    pub flags: u64,
    pub received_at: i64,
    pub content: Arc<NewContent>,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Message {
        folder: u64,
        uid: u32,
        uid_validity: u32,
        cn: u64,
        message_id: u64,
    },
    OverQuota,
    NoSuchMailbox,
    /// Folders were made, renamed, moved or deleted since.
    TreeChanged,
}

struct Job {
    messages: Vec<NewMessage>,
    /// All or none.
    atomic: bool,
    /// Some may be there already.
    retry: bool,
    reply: oneshot::Sender<Result<Vec<Stored>, Error>>,
}

impl Job {
    fn octets(&self) -> usize {
        self.messages.iter().map(|m| m.content.body.as_ref().map_or(0, Bytes::len) + 2048).sum()
    }

    fn alone(&self) -> bool {
        self.retry || self.atomic && self.messages.len() > 1
    }
}

/// Where new messages are handed in.
pub(crate) struct Lanes {
    jobs: mpsc::Sender<Job>,
}

impl Lanes {
    pub fn start(db: &Db, lanes: usize) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..lanes.max(1) {
            tokio::spawn(lane(db.clone(), queue.clone()));
        }
        Lanes { jobs }
    }

    /// Stores messages; an answer for each, in order, after the commit. A lost answer leaves it open
    /// whether they were stored: try again with `retry`.
    pub(super) async fn store(
        &self,
        messages: Vec<NewMessage>,
        atomic: bool,
        retry: bool,
    ) -> Result<Vec<Stored>, Error> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::Unavailable("the store is stopping".into());
        self.jobs.send(Job { messages, atomic, retry, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn lane(db: Db, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut batch = Vec::new();
        {
            let mut queue = queue.lock().await;
            let Some(first) = queue.recv().await else { return };
            let (mut count, mut octets) = (first.messages.len(), first.octets());
            let alone = first.alone();
            batch.push(first);
            while !alone && count < MOST_MESSAGES && octets < MOST_OCTETS {
                let Ok(next) = queue.try_recv() else { break };
                count += next.messages.len();
                octets += next.octets();
                let alone = next.alone();
                batch.push(next);
                if alone {
                    break;
                }
            }
        }
        let (alone, together): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(Job::alone);
        if !together.is_empty() {
            store_together(&db, together).await;
        }
        for job in alone {
            store_alone(&db, job).await;
        }
    }
}

async fn store_together(db: &Db, jobs: Vec<Job>) {
    metrics::histogram!("kontor_store_batch_deliveries").record(jobs.len() as f64);
    let messages: Vec<NewMessage> = jobs.iter().flat_map(|j| j.messages.iter().cloned()).collect();
    match store(db, &messages, false, false).await {
        Ok(stored) => {
            let mut stored = stored.into_iter();
            for job in jobs {
                let mine: Vec<Stored> = stored.by_ref().take(job.messages.len()).collect();
                // A caller that went away has its message stored all the same.
                drop(job.reply.send(Ok(mine)));
            }
        }
        Err(Error::Unavailable(why)) if jobs.len() > 1 => {
            for job in jobs {
                drop(job.reply.send(Err(Error::Unavailable(why.clone()))));
            }
        }
        // One of them is to blame; the others must not suffer for it.
        Err(_) if jobs.len() > 1 => {
            for job in jobs {
                store_alone(db, job).await;
            }
        }
        Err(Error::Exists(_)) => {
            for mut job in jobs {
                job.retry = true;
                store_alone(db, job).await;
            }
        }
        Err(error) => {
            if let Some(job) = jobs.into_iter().next() {
                drop(job.reply.send(Err(error)));
            }
        }
    }
}

async fn store_alone(db: &Db, job: Job) {
    let mut outcome = store(db, &job.messages, job.atomic, job.retry).await;
    if matches!(outcome, Err(Error::Exists(_))) && !job.retry {
        outcome = store(db, &job.messages, job.atomic, true).await;
    }
    drop(job.reply.send(outcome));
}

/// One round trip, one commit.
async fn store(db: &Db, messages: &[NewMessage], atomic: bool, retry: bool) -> Result<Vec<Stored>, Error> {
    let mut client = db.get().await?;
    tokio::time::timeout(DEADLINE, async {
        if !atomic {
            return store_in(&client, messages, retry).await;
        }
        let transaction = client.transaction().await?;
        let stored = store_in(&transaction, messages, retry).await?;
        if stored.iter().all(|stored| matches!(stored, Stored::Message { .. })) {
            transaction.commit().await?;
        }
        Ok(stored)
    })
    .await
    .map_err(|_| Error::Unavailable("the database did not answer in time".into()))?
}

/// One round trip; the commit is the caller's.
pub(super) async fn store_in(
    client: &impl GenericClient,
    messages: &[NewMessage],
    retry: bool,
) -> Result<Vec<Stored>, Error> {
    // Every batch locks its mailboxes in the same order.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|&i| messages.get(i).map(|m| m.mailbox));
    let ordered: Vec<&NewMessage> = order.iter().filter_map(|&i| messages.get(i)).collect();

    let mut contents: Vec<&Arc<NewContent>> = Vec::new();
    let mut content_index = Vec::with_capacity(ordered.len());
    for message in &ordered {
        let at = contents.iter().position(|c| Arc::ptr_eq(c, &message.content)).unwrap_or_else(|| {
            contents.push(&message.content);
            contents.len() - 1
        });
        content_index.push(i32::try_from(at + 1).unwrap_or(i32::MAX));
    }
    let mailboxes = column(&ordered, |m| bigint(m.mailbox));
    let folders = column(&ordered, |m| bigint(m.folder));
    let hierarchy = column(&ordered, |m| bigint(m.hierarchy_cn));
    let flags = column(&ordered, |m| m.flags.cast_signed());
    let received = column(&ordered, |m| m.received_at);
    let c = contents.as_slice();
    let ids = column(c, |c| c.id);
    let threads = column(c, |c| c.thread_id);
    let sizes = column(c, |c| bigint(c.size));
    let header_sizes = column(c, |c| bigint(c.header_size));
    let sent = column(c, |c| c.sent_at);
    let importance = column(c, |c| c.importance);
    let attachment = column(c, |c| c.has_attachment);
    let codecs = column(c, |c| c.codec);
    let classes: Vec<&str> = c.iter().map(|c| c.class.as_str()).collect();
    let subjects: Vec<&str> = c.iter().map(|c| c.subject.as_str()).collect();
    let senders: Vec<&str> = c.iter().map(|c| c.sender.as_str()).collect();
    let display_to: Vec<&str> = c.iter().map(|c| c.display_to.as_str()).collect();
    let internet_ids: Vec<&str> = c.iter().map(|c| c.internet_id.as_str()).collect();
    let topics: Vec<&str> = c.iter().map(|c| c.topic.as_str()).collect();
    let previews: Vec<&str> = c.iter().map(|c| c.preview.as_str()).collect();
    let views: Vec<&[u8]> = c.iter().map(|c| &c.view[..]).collect();
    let search_headers: Vec<&str> = c.iter().map(|c| c.search_headers.as_str()).collect();
    let blobs: Vec<Option<&[u8]>> = c.iter().map(|c| c.blob.as_ref().map(|h| &h[..])).collect();
    let headers: Vec<Option<&[u8]>> = c.iter().map(|c| c.header.as_ref().map(|h| &h[..])).collect();
    let bodies: Vec<Option<&[u8]>> = c.iter().map(|c| c.body.as_ref().map(|b| &b[..])).collect();
    let search_bodies: Vec<&str> = c.iter().map(|c| c.search_body.as_str()).collect();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 28] = [
        &mailboxes,
        &folders,
        &hierarchy,
        &flags,
        &received,
        &content_index,
        &retry,
        &ids,
        &threads,
        &sizes,
        &header_sizes,
        &sent,
        &importance,
        &attachment,
        &codecs,
        &classes,
        &subjects,
        &senders,
        &display_to,
        &internet_ids,
        &topics,
        &previews,
        &views,
        &search_headers,
        &blobs,
        &headers,
        &bodies,
        &search_bodies,
    ];
    let statement = client.prepare_cached(STORE_MESSAGES).await?;
    let rows = client.query(&statement, &parameters).await?;
    let mut stored = vec![Stored::NoSuchMailbox; messages.len()];
    for (row, &i) in rows.iter().zip(&order) {
        let outcome = match row.get::<_, i16>(0) {
            1 => Stored::Message {
                folder: unsigned(row.get(1)),
                uid: wire_u32(row.get(2)),
                cn: unsigned(row.get(3)),
                message_id: unsigned(row.get(4)),
                uid_validity: wire_u32(row.get(5)),
            },
            2 => Stored::OverQuota,
            4 => Stored::TreeChanged,
            _ => Stored::NoSuchMailbox,
        };
        if let Some(slot) = stored.get_mut(i) {
            *slot = outcome;
        }
    }
    Ok(stored)
}

fn column<S, T>(items: &[S], of: impl Fn(&S) -> T) -> Vec<T> {
    items.iter().map(of).collect()
}

const STORE_MESSAGES: &str = "SELECT r_status, r_folder, r_uid, r_cn, r_message, r_validity FROM store_messages(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
    $26, $27, $28)";
const QUEUE: usize = 1024;
const MOST_MESSAGES: usize = 64;
const MOST_OCTETS: usize = 8 << 20;
const DEADLINE: Duration = Duration::from_secs(30);

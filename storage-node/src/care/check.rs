//! Walks mailboxes and holds what is counted against what is there.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use kontor_storage_proto as proto;
use proto::check_event::Event;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Care;
use crate::address::Address;
use crate::blobs::hex;
use crate::error::{Error, bigint, unsigned};

type Events = mpsc::Sender<Result<proto::CheckEvent, Error>>;

/// The reader went away, or the store did.
enum Stop {
    Unread,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

impl Care {
    /// Checks one mailbox by address, or all; findings and progress as they come.
    pub fn check(
        self: &Arc<Self>,
        request: proto::CheckRequest,
    ) -> mpsc::Receiver<Result<proto::CheckEvent, Error>> {
        let (events, receiver) = mpsc::channel(64);
        let care = self.clone();
        tokio::spawn(async move {
            if let Err(Stop::Failed(error)) = care.run(&request, &events).await {
                // Nobody listens any more when this fails.
                drop(events.send(Err(error)).await);
            }
        });
        receiver
    }

    async fn run(&self, request: &proto::CheckRequest, events: &Events) -> Result<(), Stop> {
        let client = self.db.get().await?;
        let rows = if request.mailbox.is_empty() {
            client.query("SELECT mailbox_id, address FROM account ORDER BY address", &[]).await?
        } else {
            let address = Address::parse(&request.mailbox)?.to_string();
            let rows = client
                .query(
                    "SELECT a.mailbox_id, a.address FROM address n JOIN account a USING (account_id)
                     WHERE n.address = $1",
                    &[&address],
                )
                .await?;
            if rows.is_empty() {
                return Err(Error::NotFound(format!("mailbox {address}")).into());
            }
            rows
        };
        drop(client);
        let mut progress = proto::CheckProgress { mailboxes_total: rows.len() as u64, ..Default::default() };
        tell(events, Event::Progress(progress)).await?;
        for row in &rows {
            let walk = Walk {
                care: self,
                events,
                mailbox: unsigned(row.get(0)),
                address: row.get(1),
                bodies: request.bodies,
            };
            progress.messages += walk.mailbox().await?;
            progress.mailboxes_done += 1;
            tell(events, Event::Progress(progress)).await?;
        }
        Ok(())
    }
}

struct Walk<'a> {
    care: &'a Care,
    events: &'a Events,
    mailbox: u64,
    address: String,
    bodies: bool,
}

impl Walk<'_> {
    async fn mailbox(&self) -> Result<u64, Stop> {
        let m = bigint(self.mailbox);
        let client = self.care.db.get().await?;
        let folders = client
            .query(
                "SELECT folder_id FROM folder WHERE mailbox_id = $1 AND deleted_at IS NULL ORDER BY folder_id",
                &[&m],
            )
            .await?;
        drop(client);
        let mut messages = 0;
        for folder in folders {
            messages += self.folder(unsigned(folder.get(0))).await?;
        }
        self.totals().await?;
        self.contents().await?;
        Ok(messages)
    }

    /// Counters, UIDs and change numbers of a folder, in one snapshot while its mailbox is locked.
    async fn folder(&self, folder: u64) -> Result<u64, Stop> {
        let (m, f) = (bigint(self.mailbox), bigint(folder));
        let mut client = self.care.db.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT FROM mailbox WHERE mailbox_id = $1 FOR UPDATE", &[&m]).await?;
        // A fresh copy, not the one in memory: it is the rows and the log that are checked.
        let mut state = crate::mailbox::FolderState::default();
        match state.catch_up(&transaction, self.mailbox, folder).await {
            Err(Error::NotFound(_)) => return Ok(0),
            other => other?,
        }
        let row = transaction
            .query_one(
                "SELECT total, unseen, deleted, size, uid_next, f.highest_cn, m.cn, f.name, m.next_id
                 FROM folder f JOIN mailbox m USING (mailbox_id) WHERE f.mailbox_id = $1 AND folder_id = $2",
                &[&m, &f],
            )
            .await?;
        drop(transaction);
        drop(client);
        let name: String = row.get(7);
        let count = |test: &dyn Fn(u64) -> bool| state.rows.iter().filter(|r| test(r.flags)).count() as u64;
        let sums = [
            ("messages", unsigned(row.get(0)), state.rows.len() as u64),
            ("unseen", unsigned(row.get(1)), count(&|flags| flags & 1 == 0)),
            ("deleted", unsigned(row.get(2)), count(&|flags| flags & 8 != 0)),
            ("octets", unsigned(row.get(3)), state.rows.iter().map(|r| r.size).sum()),
        ];
        for (what, said, counted) in sums {
            if said != counted {
                self.finding("counter", format!("folder {name:?} says {said} {what}, there are {counted}"))
                    .await?;
            }
        }
        let (uid_next, highest_cn) = (unsigned(row.get(4)), unsigned(row.get(5)));
        let (mailbox_cn, next_id) = (unsigned(row.get(6)), unsigned(row.get(8)));
        let mut last = None;
        for message in &state.rows {
            if last.is_some_and(|l| l >= message.uid) {
                self.finding("uid", format!("UID {} of folder {name:?} is there twice", message.uid)).await?;
            }
            last = Some(message.uid);
            if u64::from(message.uid) >= uid_next {
                self.finding("uid", format!("UID {} of folder {name:?} is not below UIDNEXT", message.uid))
                    .await?;
            }
            if message.modseq() > highest_cn || message.message_id >= next_id {
                self.finding(
                    "cursor",
                    format!("UID {} of folder {name:?} is ahead of its clock", message.uid),
                )
                .await?;
            }
        }
        if highest_cn > mailbox_cn {
            self.finding("cursor", format!("folder {name:?} is ahead of its mailbox")).await?;
        }
        Ok(state.rows.len() as u64)
    }

    async fn totals(&self) -> Result<(), Stop> {
        let client = self.care.db.get().await?;
        let row = client
            .query_one(
                "SELECT m.messages, m.used, coalesce(sum(f.total), 0)::bigint,
                     (coalesce(sum(f.size), 0) + (SELECT coalesce(sum(a.size), 0) FROM attachment a
                         WHERE a.mailbox_id = $1))::bigint
                 FROM mailbox m LEFT JOIN folder f ON f.mailbox_id = m.mailbox_id AND f.deleted_at IS NULL
                 WHERE m.mailbox_id = $1 GROUP BY m.messages, m.used",
                &[&bigint(self.mailbox)],
            )
            .await?;
        let (messages, used, total, size): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if messages != total {
            self.finding("counter", format!("the mailbox says {messages} messages, its folders {total}"))
                .await?;
        }
        if used != size {
            self.finding("counter", format!("the mailbox says {used} octets, what is in it has {size}"))
                .await?;
        }
        Ok(())
    }

    /// Each message has its content, and each content its body.
    async fn contents(&self) -> Result<(), Stop> {
        let m = bigint(self.mailbox);
        let client = self.care.db.get().await?;
        let rows = client
            .query(
                "SELECT g.folder_id, g.uid FROM message g LEFT JOIN content c USING (mailbox_id, content_id)
                 WHERE g.mailbox_id = $1 AND (c.content_id IS NULL OR c.size <> g.size) ORDER BY 1, 2 LIMIT 1000",
                &[&m],
            )
            .await?;
        for row in rows {
            let (folder, uid): (i64, i64) = (row.get(0), row.get(1));
            self.finding("reference", format!("UID {uid} of folder {folder} has no content")).await?;
        }
        let rows = client
            .query(
                "SELECT t.tenant_id, c.blob_hash, c.size FROM content c JOIN mailbox t USING (mailbox_id)
                 WHERE c.mailbox_id = $1 AND c.blob_hash IS NOT NULL
                 UNION SELECT t.tenant_id, a.blob_hash, a.size FROM attachment a JOIN mailbox t USING (mailbox_id)
                 WHERE a.mailbox_id = $1",
                &[&m],
            )
            .await?;
        let blobs: HashMap<Vec<u8>, (u64, u64)> =
            rows.iter().map(|r| (r.get(1), (unsigned(r.get(0)), unsigned(r.get(2))))).collect();
        for (hash, (tenant, size)) in &blobs {
            match self.care.mailboxes.blobs.size(*tenant, hash).await? {
                None => self.finding("blob", format!("blob {} is missing", hex(hash))).await?,
                Some(there) if there != *size => {
                    self.finding("blob", format!("blob {} has {there} octets, not {size}", hex(hash)))
                        .await?;
                }
                Some(_) if self.bodies => {
                    let mut hasher = blake3::Hasher::new();
                    let mut pieces = self.care.mailboxes.blobs.read(*tenant, hash, 0, *size).await?;
                    while let Some(piece) = pieces.next().await {
                        hasher.update(&piece?);
                    }
                    if hasher.finalize().as_bytes()[..] != hash[..] {
                        self.finding("blob", format!("blob {} is damaged", hex(hash))).await?;
                    }
                }
                Some(_) => {}
            }
        }
        if self.bodies {
            let ids = client
                .query("SELECT content_id FROM content WHERE mailbox_id = $1 AND blob_hash IS NULL", &[&m])
                .await?;
            for row in ids {
                let id: Uuid = row.get(0);
                let row = client
                    .query_opt(
                        "SELECT body_codec, body, size FROM content WHERE mailbox_id = $1 AND content_id = $2",
                        &[&m, &id],
                    )
                    .await?;
                let Some(row) = row else { continue };
                let (body, size): (Option<&[u8]>, u64) = (row.get(1), unsigned(row.get(2)));
                let good = match (row.get::<_, i16>(0), body) {
                    (1, Some(body)) => {
                        crate::mailbox_unpack(body, size).is_ok_and(|b| b.len() as u64 == size)
                    }
                    (0, Some(body)) => body.len() as u64 == size,
                    _ => false,
                };
                if !good {
                    self.finding("blob", format!("the body of content {id} is damaged")).await?;
                }
            }
        }
        Ok(())
    }

    async fn finding(&self, kind: &str, message: String) -> Result<(), Stop> {
        let finding = proto::Finding { mailbox: self.address.clone(), kind: kind.into(), message };
        tell(self.events, Event::Finding(finding)).await
    }
}

async fn tell(events: &Events, event: Event) -> Result<(), Stop> {
    events.send(Ok(proto::CheckEvent { event: Some(event) })).await.map_err(|_| Stop::Unread)
}

//! Messages come in: appended by their owner, or delivered from outside.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::Rights;
use proto::deliver_result::Status;
use uuid::Uuid;

use super::Mailboxes;
use super::content::{Body, CODEC_BLOB, CODEC_PLAIN, CODEC_ZSTD, Content, pack};
use super::store_messages::{NewContent, NewMessage, Stored};
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

impl Mailboxes {
    /// Adds messages to a folder, all or none.
    pub async fn append(
        &self,
        who: &Principal,
        request: proto::AppendRequest,
    ) -> Result<proto::AppendResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Create]).await?;
        if request.items.is_empty() || request.items.len() > MOST_APPENDED {
            return Err(Error::Invalid(format!("1 to {MOST_APPENDED} messages in one call")));
        }
        let mut messages = Vec::with_capacity(request.items.len());
        for item in request.items {
            let content = item.content.ok_or_else(|| Error::Invalid("a message without content".into()))?;
            let mut flags = item.flags;
            if !item.keywords.is_empty() {
                flags |= self.keyword_bits(mailbox, &item.keywords, true).await?;
            }
            messages.push(NewMessage {
                mailbox,
                folder,
                hierarchy_cn: request.hierarchy_cn,
                flags,
                received_at: item.internal_date.unwrap_or_else(unix_now),
                content: Arc::new(self.receive(who.tenant_id, content).await?),
            });
        }
        let stored = self.lanes.store(messages.clone(), true, request.retry).await?;
        let mut response = proto::AppendResponse::default();
        for (stored, message) in stored.iter().zip(&messages) {
            match *stored {
                Stored::Message { uid, uid_validity, cn, .. } => {
                    response.uids.push(uid);
                    response.uid_validity = uid_validity;
                    response.highest_cn = response.highest_cn.max(cn);
                    self.remember(mailbox, message.content.id, cached(&message.content));
                }
                Stored::OverQuota => return Err(Error::OverQuota),
                Stored::NoSuchMailbox => return Err(Error::NotFound("folder".into())),
                Stored::TreeChanged => return Err(Error::Conflict("the folders changed".into())),
            }
        }
        self.events.publish(mailbox, folder, response.highest_cn);
        self.growth.note(response.uids.len());
        Ok(response)
    }

    /// One content into many mailboxes of one tenant.
    pub async fn deliver(&self, request: proto::DeliverRequest) -> Result<proto::DeliverResponse, Error> {
        let content = request.content.ok_or_else(|| Error::Invalid("a delivery without content".into()))?;
        let tenant = request.targets.first().map_or(0, |t| t.tenant_id);
        if request.targets.iter().any(|t| t.tenant_id != tenant) {
            return Err(Error::Invalid("the targets of one delivery are of one tenant".into()));
        }
        let folder = match u8::try_from(request.role).ok().and_then(FolderRole::from_code) {
            Some(FolderRole::None) | None => FolderRole::Inbox.code(),
            Some(role) => role.code(),
        };
        let content = Arc::new(self.receive(tenant, content).await?);
        let received_at = request.internal_date.unwrap_or_else(unix_now);
        let mut results =
            vec![
                proto::DeliverResult { status: Status::NoSuchMailbox as i32, ..Default::default() };
                request.targets.len()
            ];
        // One copy for a mailbox, however often it is named.
        let mut places: Vec<(u64, Vec<usize>)> = Vec::new();
        for (i, target) in request.targets.iter().enumerate() {
            let Some(proto::target::To::MailboxId(mailbox)) = target.to else { continue };
            match places.iter_mut().find(|(m, _)| *m == mailbox) {
                Some((_, targets)) => targets.push(i),
                None => places.push((mailbox, vec![i])),
            }
        }
        let messages: Vec<NewMessage> = places
            .iter()
            .map(|(mailbox, _)| NewMessage {
                mailbox: *mailbox,
                folder: u64::from(folder),
                hierarchy_cn: 0,
                flags: 0,
                received_at,
                content: content.clone(),
            })
            .collect();
        if messages.is_empty() {
            return Ok(proto::DeliverResponse { results });
        }
        let stored = self.lanes.store(messages, false, request.retry).await?;
        for (stored, (mailbox, targets)) in stored.iter().zip(&places) {
            let result = match *stored {
                Stored::Message { folder, uid, cn, .. } => {
                    self.remember(*mailbox, content.id, cached(&content));
                    self.events.publish(*mailbox, folder, cn);
                    self.growth.note(1);
                    proto::DeliverResult {
                        status: Status::Delivered as i32,
                        folder_id: folder,
                        uid,
                        cn,
                        message: String::new(),
                    }
                }
                Stored::OverQuota => {
                    proto::DeliverResult { status: Status::OverQuota as i32, ..Default::default() }
                }
                Stored::NoSuchMailbox | Stored::TreeChanged => {
                    proto::DeliverResult { status: Status::NoSuchMailbox as i32, ..Default::default() }
                }
            };
            for &i in targets {
                if let Some(slot) = results.get_mut(i) {
                    slot.clone_from(&result);
                }
            }
        }
        Ok(proto::DeliverResponse { results })
    }

    /// Turns what a gateway sent into a row; a body that is too large for one is durable in the blob store
    /// when this returns.
    pub(super) async fn receive(&self, tenant: u64, content: proto::Content) -> Result<NewContent, Error> {
        let prepared = content.prepared.ok_or_else(|| Error::Invalid("content without its view".into()))?;
        let id = Uuid::from_slice(&content.content_id)
            .map_err(|_| Error::Invalid("a content id has 16 octets".into()))?;
        if prepared.size > self.max_message_size {
            return Err(Error::TooLarge(format!(
                "a message has at most {} octets; this one has {}",
                self.max_message_size, prepared.size
            )));
        }
        let (mut blob, mut header, mut body) = (None, None, None);
        let codec;
        match content.body {
            Some(proto::content::Body::Raw(raw)) => {
                if raw.len() as u64 != prepared.size {
                    return Err(Error::Invalid("the body is not as long as its view says".into()));
                }
                let packed = pack(&raw);
                if packed.as_ref().map_or(raw.len(), Bytes::len) > self.inline_body_limit {
                    let header_size = usize::try_from(prepared.header_size).unwrap_or(usize::MAX);
                    header = raw
                        .get(..header_size)
                        .filter(|h| h.len() <= HEADER_IN_ROW)
                        .map(Bytes::copy_from_slice);
                    blob = Some(self.blobs.put(tenant, raw).await?);
                    codec = CODEC_BLOB;
                } else if let Some(packed) = packed {
                    body = Some(packed);
                    codec = CODEC_ZSTD;
                } else {
                    body = Some(raw);
                    codec = CODEC_PLAIN;
                }
            }
            Some(proto::content::Body::Blob(named)) => {
                let hash: [u8; 32] = named.hash[..]
                    .try_into()
                    .map_err(|_| Error::Invalid("a blob's hash has 32 octets".into()))?;
                if !self.has_blob(tenant, &hash, prepared.size).await? {
                    return Err(Error::Invalid("the blob is not there; put it first".into()));
                }
                if prepared.header_size <= HEADER_IN_ROW as u64 {
                    let mut whole = BytesMut::new();
                    let mut pieces = self.blobs.read(tenant, &hash, 0, prepared.header_size).await?;
                    while let Some(piece) = pieces.next().await {
                        whole.extend_from_slice(&piece?);
                    }
                    header = Some(whole.freeze());
                }
                blob = Some(hash);
                codec = CODEC_BLOB;
            }
            None => return Err(Error::Invalid("content without a body".into())),
        }
        Ok(NewContent {
            id,
            thread_id: thread_id(&prepared, id),
            size: prepared.size,
            header_size: prepared.header_size,
            sent_at: prepared.sent_at,
            importance: i16::try_from(prepared.importance).unwrap_or(1),
            has_attachment: prepared.has_attachment,
            codec,
            class: clean(prepared.class),
            subject: clean(prepared.subject),
            sender: clean(prepared.sender),
            display_to: clean(prepared.display_to),
            internet_id: clean(prepared.message_id),
            topic: clean(prepared.topic),
            preview: clean(prepared.preview),
            view: prepared.view,
            search_headers: clean(prepared.search_headers),
            search_body: clean(prepared.search_body),
            blob,
            header,
            body,
        })
    }

    pub(super) async fn has_blob(&self, tenant: u64, hash: &[u8; 32], size: u64) -> Result<bool, Error> {
        let client = self.db.get().await?;
        let row = client
            .query_opt(
                "SELECT size FROM blob WHERE tenant_id = $1 AND hash = $2",
                &[&bigint(tenant), &hash.as_slice()],
            )
            .await?;
        Ok(row.is_some_and(|r| unsigned(r.get(0)) == size))
    }
}

/// The conversation: by the first message of it that is known from the header fields.
fn thread_id(prepared: &proto::Prepared, id: Uuid) -> Uuid {
    let root = prepared
        .references
        .first()
        .or(Some(&prepared.in_reply_to).filter(|r| !r.is_empty()))
        .unwrap_or(&prepared.message_id);
    if root.is_empty() {
        return id;
    }
    let hash = blake3::hash(root.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// PostgreSQL has no NUL in text.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', " ") } else { text }
}

pub(super) fn cached(content: &NewContent) -> Content {
    let body = match (content.codec, &content.body, &content.blob) {
        (CODEC_PLAIN, Some(body), _) => Some(Body::Plain(body.clone())),
        (CODEC_ZSTD, Some(body), _) => Some(Body::Zstd(body.clone())),
        (_, _, Some(hash)) => {
            Some(Body::Blob { hash: Bytes::copy_from_slice(hash), header: content.header.clone() })
        }
        _ => None,
    };
    Content {
        thread_id: content.thread_id,
        view: content.view.clone(),
        header_size: content.header_size,
        size: content.size,
        body,
    }
}

const MOST_APPENDED: usize = 1000;
const HEADER_IN_ROW: usize = 256 << 10;

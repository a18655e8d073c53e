//! Files that items name and that are kept beside them (RFC 8607).
//!
//! A file is a blob of the tenant and counts to one mailbox. Which versions of items name it is written with them, so that
//! it stays as long as one of them can be had, be it in Recoverable Items, and goes with the last.

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use futures::StreamExt;
use futures::stream::BoxStream;
use kontor_storage_proto as proto;
use proto::Rights;
use uuid::Uuid;

use super::Mailboxes;
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

impl Mailboxes {
    /// Keeps a file.
    pub async fn put_attachment(
        &self,
        who: &Principal,
        request: &proto::PutAttachmentRequest,
    ) -> Result<proto::PutAttachmentResponse, Error> {
        let rights = self.access.require(who, request.mailbox_id, request.folder_id, &[]).await?;
        if rights & (Rights::Create as u32 | Rights::Edit as u32) == 0 {
            return Err(Error::Denied("the folder's permissions do not allow this".into()));
        }
        let none = || Error::Invalid("an attachment without a file".into());
        let attachment = request.attachment.as_ref().ok_or_else(none)?;
        let blob = request.blob.as_ref().ok_or_else(none)?;
        let id = id(&attachment.id)?;
        if attachment.name.len() > MOST_NAME || attachment.content_type.len() > MOST_NAME {
            return Err(Error::Invalid(format!("names have at most {MOST_NAME} octets")));
        }
        let hash: [u8; 32] =
            blob.hash[..].try_into().map_err(|_| Error::Invalid("a blob's hash has 32 octets".into()))?;
        if !self.has_blob(who.tenant_id, &hash, blob.size).await? {
            return Err(Error::Invalid("the blob is not there; put it first".into()));
        }
        let (m, size) = (bigint(request.mailbox_id), bigint(blob.size));
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let made = transaction
            .execute(
                "INSERT INTO attachment (attachment_id, mailbox_id, name, content_type, size, blob_hash, made_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                &[
                    &id,
                    &m,
                    &attachment.name,
                    &attachment.content_type,
                    &size,
                    &hash.as_slice(),
                    &unix_now(),
                ],
            )
            .await?;
        if made > 0 {
            let counted = transaction
                .execute(
                    "UPDATE mailbox SET used = used + $2 WHERE mailbox_id = $1 AND deleted_at IS NULL
                     AND (quota = 0 OR used + $2 <= quota)",
                    &[&m, &size],
                )
                .await?;
            if counted == 0 {
                return Err(Error::OverQuota);
            }
        }
        transaction.commit().await?;
        Ok(proto::PutAttachmentResponse {})
    }

    /// A file and its octets.
    pub async fn read_attachment(
        &self,
        who: &Principal,
        request: &proto::ReadAttachmentRequest,
    ) -> Result<BoxStream<'static, Result<proto::AttachmentPiece, Error>>, Error> {
        let client = self.db.get().await?;
        let row = client
            .query_opt(
                "SELECT a.name, a.content_type, a.size, a.blob_hash FROM attachment a JOIN mailbox m USING (mailbox_id)
                 WHERE a.attachment_id = $1 AND m.tenant_id = $2 AND m.deleted_at IS NULL",
                &[&id(&request.id)?, &bigint(who.tenant_id)],
            )
            .await?
            .ok_or_else(|| Error::NotFound("attachment".into()))?;
        drop(client);
        let (size, hash): (u64, Vec<u8>) = (unsigned(row.get(2)), row.get(3));
        let attachment =
            proto::Attachment { id: request.id.clone(), name: row.get(0), content_type: row.get(1), size };
        let first = proto::AttachmentPiece { attachment: Some(attachment), data: Bytes::new() };
        let pieces = self.blobs.read(who.tenant_id, &hash, 0, size).await?;
        let pieces = pieces.map(|data| Ok(proto::AttachmentPiece { attachment: None, data: data? }));
        Ok(futures::stream::iter([Ok(first)]).chain(pieces).boxed())
    }
}

/// Writes which attachments a version names.
pub(super) async fn note_attachments(
    client: &impl GenericClient,
    mailbox: u64,
    content: Uuid,
    attachments: &[Bytes],
) -> Result<(), Error> {
    if attachments.is_empty() {
        return Ok(());
    }
    if attachments.len() > MOST_OF_ITEM {
        return Err(Error::Invalid(format!("an item names at most {MOST_OF_ITEM} attachments")));
    }
    let ids = attachments.iter().map(|attachment| id(attachment)).collect::<Result<Vec<Uuid>, Error>>()?;
    client
        .execute(
            "INSERT INTO attachment_use (mailbox_id, content_id, attachment_id)
             SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING",
            &[&bigint(mailbox), &content, &ids],
        )
        .await?;
    Ok(())
}

/// Removes files that no version names any more, a step at a time.
pub(crate) const GONE_ATTACHMENTS: &str =
    "WITH gone AS (DELETE FROM attachment WHERE attachment_id = ANY (ARRAY (
        SELECT a.attachment_id FROM attachment a WHERE a.made_at < $1 AND NOT EXISTS (
            SELECT FROM attachment_use u JOIN content c USING (mailbox_id, content_id)
            WHERE u.attachment_id = a.attachment_id) LIMIT $2)) RETURNING attachment_id, mailbox_id, size),
    unnamed AS (DELETE FROM attachment_use u USING gone g WHERE u.attachment_id = g.attachment_id),
    freed AS (UPDATE mailbox m SET used = greatest(m.used - f.size, 0)
              FROM (SELECT mailbox_id, sum(size)::bigint AS size FROM gone GROUP BY mailbox_id) f
              WHERE m.mailbox_id = f.mailbox_id)
    SELECT count(*) FROM gone";

fn id(id: &[u8]) -> Result<Uuid, Error> {
    Uuid::from_slice(id).map_err(|_| Error::Invalid("an attachment's id has 16 octets".into()))
}

/// Octets.
const MOST_NAME: usize = 255;
const MOST_OF_ITEM: usize = 1000;

//! Write locks (RFC 4918 §6, §7): kept beside the mailbox, so that every gateway knows them.
//!
//! A lock is of a name in a folder. What is at the name may change, come and go by other ways than WebDAV; the lock stays
//! until it is removed or expires. The mailbox's row says until when there may be any, so that a change in a mailbox
//! without locks asks nothing further.

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use proto::{Rights, in_the_way};
use uuid::Uuid;

use super::Mailboxes;
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

impl Mailboxes {
    /// Locks, or makes a lock last longer.
    pub async fn put_lock(
        &self,
        who: &Principal,
        request: &proto::PutLockRequest,
    ) -> Result<proto::PutLockResponse, Error> {
        let mailbox = request.mailbox_id;
        let wanted = request.lock.clone().ok_or_else(|| Error::Invalid("no lock".into()))?;
        let token = token(&wanted.token)?;
        if wanted.owner.len() > MOST_OWNER || wanted.name.len() > MOST_NAME {
            return Err(Error::Invalid(format!(
                "an owner has at most {MOST_OWNER} octets, a name {MOST_NAME}"
            )));
        }
        let now = unix_now();
        let expires_at = now + i64::from(request.seconds.clamp(1, MOST_SECONDS));
        if !request.refresh {
            require_write(self, who, mailbox, wanted.folder_id).await?;
        }
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let m = bigint(mailbox);
        let row = transaction
            .query_opt(
                "UPDATE mailbox SET locked_until = greatest(locked_until, $2)
                 WHERE mailbox_id = $1 AND deleted_at IS NULL AND tenant_id = $3 RETURNING mailbox_id",
                &[&m, &expires_at, &bigint(who.tenant_id)],
            )
            .await?;
        row.ok_or_else(|| Error::NotFound("mailbox".into()))?;
        transaction
            .execute("DELETE FROM write_lock WHERE mailbox_id = $1 AND expires_at <= $2", &[&m, &now])
            .await?;
        let locks = locks_of(&transaction, mailbox).await?;
        let there = locks.iter().find(|lock| lock.token == wanted.token && lock.account_id == who.account_id);
        let lock = match there {
            Some(there) => proto::Lock { expires_at, ..there.clone() },
            None if request.refresh => return Err(Error::NotFound("lock".into())),
            None => proto::Lock { account_id: who.account_id, expires_at, ..wanted },
        };
        if there.is_none() {
            let conflicting: Vec<proto::Lock> =
                locks.iter().filter(|other| other.conflicts_with(&lock)).cloned().collect();
            if !conflicting.is_empty() {
                return Ok(proto::PutLockResponse { lock: None, conflicting });
            }
            if locks.len() >= MOST_LOCKS {
                return Err(Error::Limit(format!("a mailbox has at most {MOST_LOCKS} locks")));
            }
        }
        transaction
            .execute(
                "INSERT INTO write_lock
                     (mailbox_id, token, folder_id, name, is_deep, is_shared, account_id, owner, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (mailbox_id, token) DO UPDATE SET expires_at = $9
                 WHERE write_lock.account_id = $7",
                &[
                    &m,
                    &token,
                    &bigint(lock.folder_id),
                    &lock.name,
                    &lock.deep,
                    &lock.shared,
                    &bigint(lock.account_id),
                    &&lock.owner[..],
                    &lock.expires_at,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(proto::PutLockResponse { lock: Some(lock), conflicting: Vec::new() })
    }

    /// Removes a lock of one's own, or any of one's own mailbox.
    pub async fn remove_lock(
        &self,
        who: &Principal,
        request: &proto::RemoveLockRequest,
    ) -> Result<proto::RemoveLockResponse, Error> {
        let token = token(&request.token)?;
        let client = self.db.get().await?;
        let is_own_mailbox = request.mailbox_id == who.mailbox_id;
        let gone = client
            .execute(
                "DELETE FROM write_lock WHERE mailbox_id = $1 AND token = $2 AND (account_id = $3 OR $4)",
                &[&bigint(request.mailbox_id), &token, &bigint(who.account_id), &is_own_mailbox],
            )
            .await?;
        if gone == 0 { Err(Error::NotFound("lock".into())) } else { Ok(proto::RemoveLockResponse {}) }
    }
}

/// Who may write may lock.
async fn require_write(
    mailboxes: &Mailboxes,
    who: &Principal,
    mailbox: u64,
    folder: u64,
) -> Result<(), Error> {
    let rights = mailboxes.access.require(who, mailbox, folder, &[]).await?;
    if rights & (Rights::Create as u32 | Rights::Edit as u32) == 0 {
        return Err(Error::Denied("the folder's permissions do not allow this".into()));
    }
    Ok(())
}

/// The locks of a mailbox that have not expired. Whoever changes something by them holds the mailbox's row.
pub(super) async fn locks_of(client: &impl GenericClient, mailbox: u64) -> Result<Vec<proto::Lock>, Error> {
    let statement = client
        .prepare_cached(
            "SELECT token, folder_id, name, is_deep, is_shared, account_id, owner, expires_at FROM write_lock
             WHERE mailbox_id = $1 AND expires_at > $2 ORDER BY token",
        )
        .await?;
    let rows = client.query(&statement, &[&bigint(mailbox), &unix_now()]).await?;
    Ok(rows
        .iter()
        .map(|row| proto::Lock {
            token: Bytes::copy_from_slice(row.get::<_, Uuid>(0).as_bytes()),
            folder_id: unsigned(row.get(1)),
            name: row.get(2),
            deep: row.get(3),
            shared: row.get(4),
            account_id: unsigned(row.get(5)),
            owner: row.get::<_, Vec<u8>>(6).into(),
            expires_at: row.get(7),
        })
        .collect())
}

/// What keeps a change of an item from being made: locks of the item, and where it comes or goes, of its folder.
pub(super) fn in_the_way_of_item(
    locks: &[proto::Lock],
    account: u64,
    submitted: &proto::Submitted,
    (folder, name): (u64, &str),
    comes_or_goes: bool,
) -> Vec<proto::Lock> {
    let tokens = &submitted.tokens;
    let of_item = in_the_way(locks, account, tokens, |lock| lock.covers(folder, name));
    let found = if of_item.is_empty() && comes_or_goes {
        in_the_way(locks, account, tokens, |lock| lock.covers(folder, ""))
    } else {
        of_item
    };
    found.into_iter().cloned().collect()
}

/// Locks do not outlive what is deleted at their name (RFC 4918 §9.6).
pub(super) async fn forget_locks(
    client: &impl GenericClient,
    mailbox: u64,
    folder: u64,
    name: &str,
) -> Result<(), Error> {
    client
        .execute(
            "DELETE FROM write_lock WHERE mailbox_id = $1 AND folder_id = $2 AND ($3 = '' OR name = $3)",
            &[&bigint(mailbox), &bigint(folder), &name],
        )
        .await?;
    Ok(())
}

fn token(token: &[u8]) -> Result<Uuid, Error> {
    Uuid::from_slice(token).map_err(|_| Error::Invalid("a lock's token has 16 octets".into()))
}

const MOST_LOCKS: usize = 1000;
const MOST_SECONDS: u32 = 3600;
/// Octets.
const MOST_OWNER: usize = 4096;
const MOST_NAME: usize = 255;

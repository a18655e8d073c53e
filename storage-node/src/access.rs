//! Who calls, and what they may do: the one gate in front of every mailbox.

use std::sync::Arc;

use kontor_model::FolderRole;
use kontor_storage_proto::Rights;
use quick_cache::sync::Cache;
use tonic::Request;

use crate::db::Db;
use crate::error::{Error, bigint, unsigned};
use crate::token::{Principal, TokenKey};

/// What a connection is trusted with, whoever speaks over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A gateway: authentication, recipients, delivery, queue.
    Gateway,
    /// All of it, and administration.
    Admin,
}

/// How a listener knows what to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every connection is this: an in-memory pipe, or a Unix socket that only its owner can open.
    All(Trust),
    /// By the common name of the client's certificate: `kontor-admin…` and `kontor-operator…` are
    /// administrators, `kontor-gateway…` and `kontor-storage…` gateways; others get nothing.
    Certificate,
}

impl Policy {
    pub(crate) fn trust<T>(self, request: &Request<T>) -> Option<Trust> {
        match self {
            Policy::All(trust) => Some(trust),
            Policy::Certificate => {
                let certificates = request.peer_certs()?;
                let leaf = certificates.first()?;
                let (_, certificate) = x509_parser::parse_x509_certificate(leaf.as_ref()).ok()?;
                let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
                if name.starts_with("kontor-admin") || name.starts_with("kontor-operator") {
                    Some(Trust::Admin)
                } else if name.starts_with("kontor-gateway") || name.starts_with("kontor-storage") {
                    Some(Trust::Gateway)
                } else {
                    None
                }
            }
        }
    }
}

/// Decides who may see and do what.
pub(crate) struct Access {
    db: Db,
    keys: TokenKey,
    /// Account → is its session still good? Refreshed every few seconds.
    accounts: Cache<u64, Standing>,
    /// (account, mailbox, folder) → rights, for mailboxes of others.
    grants: Cache<(u64, u64, u64), Grant>,
}

#[derive(Clone, Copy)]
struct Standing {
    epoch: u64,
    good: bool,
    read_at: std::time::Instant,
}

#[derive(Clone, Copy)]
struct Grant {
    rights: u32,
    read_at: std::time::Instant,
}

/// A common table of those to whom something is granted when it is granted to the account $1 of the tenant $2: the
/// account, and the groups that it is in.
pub(crate) const MINE: &str = "mine AS (
    SELECT 2 AS kind, $1::bigint AS id
    UNION ALL SELECT 3, g.group_id FROM mail_group g JOIN account a ON a.address = ANY (g.members)
    WHERE a.account_id = $1 AND g.tenant_id = $2)";

/// Whether a folder of this class is among what somebody sees who acts for its owner.
fn is_calendar(class: &str) -> bool {
    let class = class.to_ascii_uppercase();
    ["IPF.APPOINTMENT", "IPF.TASK", "IPF.JOURNAL"]
        .iter()
        .any(|known| class.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// What somebody may do who acts for the owner of a calendar, to read.
const READ: u32 = Rights::FreeBusy as u32 | Rights::Visible as u32 | Rights::Read as u32;
/// And to write.
const READ_WRITE: u32 =
    READ | Rights::Flags as u32 | Rights::Create as u32 | Rights::Edit as u32 | Rights::Delete as u32;

/// All that an owner may do.
pub(crate) const OWNER: u32 = 0x1ff;

impl Access {
    pub fn new(db: Db, keys: TokenKey) -> Arc<Self> {
        Arc::new(Access { db, keys, accounts: Cache::new(10_000), grants: Cache::new(10_000) })
    }

    pub fn seal(&self, principal: &Principal) -> String {
        self.keys.seal(principal)
    }

    /// The person behind a request, whose account is still in good standing.
    pub async fn person<T>(&self, request: &Request<T>) -> Result<Principal, Error> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("Bearer "))
            .ok_or(Error::Unauthenticated)?;
        self.open(token).await
    }

    pub async fn open(&self, token: &str) -> Result<Principal, Error> {
        self.in_good_standing(self.keys.open(token)?).await
    }

    /// For renewal, also a token that ended.
    pub async fn open_for_renewal(&self, token: &str) -> Result<Principal, Error> {
        self.in_good_standing(self.keys.open_for_renewal(token)?).await
    }

    async fn in_good_standing(&self, principal: Principal) -> Result<Principal, Error> {
        let standing = self.standing(principal.account_id).await?;
        if !standing.good || standing.epoch != principal.epoch {
            return Err(Error::Unauthenticated);
        }
        Ok(principal)
    }

    async fn standing(&self, account: u64) -> Result<Standing, Error> {
        if let Some(standing) = self.accounts.get(&account)
            && standing.read_at.elapsed() < FRESH
        {
            return Ok(standing);
        }
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.auth_epoch, NOT a.locked AND NOT t.suspended
                 FROM account a JOIN tenant t USING (tenant_id) WHERE account_id = $1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&bigint(account)]).await?;
        let read_at = std::time::Instant::now();
        let standing = match row {
            Some(row) => Standing { epoch: unsigned(row.get(0)), good: row.get(1), read_at },
            None => Standing { epoch: 0, good: false, read_at },
        };
        self.accounts.insert(account, standing);
        Ok(standing)
    }

    /// Rights in a folder. Someone without a single one is told that there is no such folder.
    pub async fn rights(&self, who: &Principal, mailbox: u64, folder: u64) -> Result<u32, Error> {
        if who.mailbox_id == mailbox {
            return Ok(OWNER);
        }
        let key = (who.account_id, mailbox, folder);
        if let Some(grant) = self.grants.get(&key)
            && grant.read_at.elapsed() < FRESH
        {
            return Ok(grant.rights);
        }
        let client = self.db.get().await?;
        // A grant in another tenant is no grant, whatever a row says. Where nothing is said to everybody, they may know
        // when the owner is busy by the calendar, as it is usual (Exchange: Default = free/busy time).
        let statement = client
            .prepare_cached(&format!(
                "WITH {MINE}
                 SELECT coalesce(
                     (SELECT bit_or(p.rights) FROM folder_permission p
                      JOIN mine ON p.principal_kind = mine.kind AND p.principal_id = mine.id
                      WHERE p.mailbox_id = $3 AND p.folder_id = $4),
                     (SELECT p.rights FROM folder_permission p
                      WHERE p.mailbox_id = $3 AND p.folder_id = $4 AND p.principal_kind = 0),
                     CASE WHEN f.role = $5 THEN $6 ELSE 0 END),
                     (SELECT bool_or(x.writes) FROM calendar_proxy x
                      JOIN mine ON x.principal_kind = mine.kind AND x.principal_id = mine.id
                      WHERE x.mailbox_id = $3), f.container_class
                 FROM folder f JOIN mailbox m USING (mailbox_id)
                 WHERE f.mailbox_id = $3 AND f.folder_id = $4 AND f.deleted_at IS NULL
                     AND m.tenant_id = $2 AND m.deleted_at IS NULL"
            ))
            .await?;
        let row = client
            .query_opt(
                &statement,
                &[
                    &bigint(who.account_id),
                    &bigint(who.tenant_id),
                    &bigint(mailbox),
                    &bigint(folder),
                    &i16::from(FolderRole::Calendar.code()),
                    &(Rights::FreeBusy as i32),
                ],
            )
            .await?;
        let rights = row.map_or(0, |row| {
            let granted = row.get::<_, i32>(0).cast_unsigned() & OWNER;
            let proxy = row.get::<_, Option<bool>>(1).filter(|_| is_calendar(row.get(2)));
            granted
                | match proxy {
                    Some(true) => READ_WRITE,
                    Some(false) => READ,
                    None => 0,
                }
        });
        self.grants.insert(key, Grant { rights, read_at: std::time::Instant::now() });
        Ok(rights)
    }

    /// Passes when the person has all of `needed` in the folder.
    pub async fn require(
        &self,
        who: &Principal,
        mailbox: u64,
        folder: u64,
        needed: &[Rights],
    ) -> Result<u32, Error> {
        let rights = self.rights(who, mailbox, folder).await?;
        let visible = Rights::Visible as u32 | Rights::Read as u32;
        if rights & visible == 0 {
            return Err(Error::NotFound("folder".into()));
        }
        if needed.iter().any(|r| rights & (*r as u32) == 0) {
            return Err(Error::Denied("the folder's permissions do not allow this".into()));
        }
        Ok(rights)
    }

    /// Passes for the owner only; others learn nothing.
    pub fn require_owner(who: &Principal, mailbox: u64) -> Result<(), Error> {
        if who.mailbox_id == mailbox { Ok(()) } else { Err(Error::NotFound("mailbox".into())) }
    }

    /// Whether a person may see anything of a mailbox.
    pub async fn sees_mailbox(&self, who: &Principal, mailbox: u64) -> Result<bool, Error> {
        if who.mailbox_id == mailbox {
            return Ok(true);
        }
        let client = self.db.get().await?;
        let folders = client
            .query(
                "SELECT DISTINCT p.folder_id FROM folder_permission p JOIN mailbox m USING (mailbox_id)
                 WHERE p.mailbox_id = $1 AND m.tenant_id = $2",
                &[&bigint(mailbox), &bigint(who.tenant_id)],
            )
            .await?;
        drop(client);
        for row in folders {
            let visible = Rights::Visible as u32 | Rights::Read as u32;
            if self.rights(who, mailbox, unsigned(row.get(0))).await? & visible != 0 {
                return Ok(true);
            }
        }
        // Who acts for somebody sees all calendars, and this one is always there.
        let calendar = u64::from(FolderRole::Calendar.code());
        Ok(self.rights(who, mailbox, calendar).await? & (Rights::Visible as u32 | Rights::Read as u32) != 0)
    }

    /// An account changed: what is remembered of it is no longer true.
    pub fn forget_account(&self, account: u64) {
        self.accounts.remove(&account);
    }

    /// Permissions changed.
    pub fn forget_grants(&self) {
        self.grants.clear();
    }
}

/// How long another replica's change of an account or a permission may go unnoticed.
const FRESH: std::time::Duration = std::time::Duration::from_secs(3);

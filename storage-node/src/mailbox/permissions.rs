//! Who may do what in a folder.

use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::Rights;

use super::Mailboxes;
use crate::access::OWNER;
use crate::address::Address;
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

/// `folder_permission.principal_kind`.
const DEFAULT: i16 = 0;
const ANONYMOUS: i16 = 1;
const ACCOUNT: i16 = 2;
const GROUP: i16 = 3;

impl Mailboxes {
    pub async fn set_permissions(
        &self,
        who: &Principal,
        request: &proto::SetPermissionsRequest,
    ) -> Result<u64, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Owner]).await?;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let (m, f) = (bigint(mailbox), bigint(folder));
        let row = transaction
            .query_opt("UPDATE mailbox SET cn = cn + 1 WHERE mailbox_id = $1 RETURNING cn", &[&m])
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let cn: i64 = row.get(0);
        let touched = transaction
            .execute(
                "UPDATE folder SET cn = $3 WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at IS NULL",
                &[&m, &f, &cn],
            )
            .await?;
        if touched == 0 {
            return Err(Error::NotFound("folder".into()));
        }
        for permission in &request.permissions {
            let (kind, id) = match permission.principal.as_str() {
                "default" => (DEFAULT, 0),
                "anonymous" => (ANONYMOUS, 0),
                address => {
                    let address = Address::parse(address)?.to_string();
                    // Only people of the same tenant can be named; others do not exist from here.
                    let row = transaction
                        .query_opt(
                            "SELECT account_id, group_id FROM address WHERE address = $1 AND tenant_id = $2",
                            &[&address, &bigint(who.tenant_id)],
                        )
                        .await?
                        .ok_or_else(|| Error::Invalid(format!("{address} is nobody here")))?;
                    match row.get::<_, Option<i64>>(0) {
                        Some(account) => (ACCOUNT, account),
                        None => (GROUP, row.get::<_, Option<i64>>(1).unwrap_or(0)),
                    }
                }
            };
            let rights = (permission.rights & OWNER).cast_signed();
            // That everybody may do nothing is something to remember: it is not so by itself.
            if rights == 0 && kind != DEFAULT {
                transaction
                    .execute(
                        "DELETE FROM folder_permission WHERE mailbox_id = $1 AND folder_id = $2
                         AND principal_kind = $3 AND principal_id = $4",
                        &[&m, &f, &kind, &id],
                    )
                    .await?;
            } else {
                transaction
                    .execute(
                        "INSERT INTO folder_permission VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (mailbox_id, folder_id, principal_kind, principal_id)
                         DO UPDATE SET rights = excluded.rights",
                        &[&m, &f, &kind, &id, &rights],
                    )
                    .await?;
            }
        }
        transaction.commit().await?;
        self.access.forget_grants();
        self.events.publish(mailbox, 0, unsigned(cn));
        Ok(unsigned(cn))
    }

    pub async fn list_permissions(
        &self,
        who: &Principal,
        mailbox: u64,
        folder: u64,
    ) -> Result<Vec<proto::Permission>, Error> {
        self.access.require(who, mailbox, folder, &[Rights::Owner]).await?;
        let client = self.db.get().await?;
        let rows = client
            .query(
                "SELECT p.principal_kind, coalesce(a.address, g.address, ''), p.rights FROM folder_permission p
                 LEFT JOIN account a ON p.principal_kind = 2 AND a.account_id = p.principal_id
                 LEFT JOIN mail_group g ON p.principal_kind = 3 AND g.group_id = p.principal_id
                 WHERE p.mailbox_id = $1 AND p.folder_id = $2
                 UNION ALL SELECT 0::smallint, '', $4 FROM folder f
                 WHERE f.mailbox_id = $1 AND f.folder_id = $2 AND f.role = $3 AND NOT EXISTS (
                     SELECT FROM folder_permission p
                     WHERE p.mailbox_id = $1 AND p.folder_id = $2 AND p.principal_kind = 0)
                 ORDER BY 1, 2",
                &[
                    &bigint(mailbox),
                    &bigint(folder),
                    &i16::from(FolderRole::Calendar.code()),
                    &(Rights::FreeBusy as i32),
                ],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| proto::Permission {
                principal: match row.get(0) {
                    DEFAULT => "default".into(),
                    ANONYMOUS => "anonymous".into(),
                    _ => row.get(1),
                },
                rights: row.get::<_, i32>(2).cast_unsigned(),
            })
            .collect())
    }
}

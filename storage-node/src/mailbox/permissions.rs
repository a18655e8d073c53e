//! Who may do what in a folder.

use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::Rights;

use super::Mailboxes;
use super::proxies::principal_of;
use crate::access::OWNER;
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

/// `folder_permission.principal_kind`.
const DEFAULT: i16 = 0;
const ANONYMOUS: i16 = 1;
pub(super) const ACCOUNT: i16 = 2;
pub(super) const GROUP: i16 = 3;

impl Mailboxes {
    pub async fn set_permissions(
        &self,
        who: &Principal,
        request: &proto::SetPermissionsRequest,
    ) -> Result<u64, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Owner]).await?;
        if request.permissions.len() > MOST_PERMISSIONS {
            return Err(Error::Limit(format!("a folder has at most {MOST_PERMISSIONS} permissions")));
        }
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
        if request.replace {
            transaction
                .execute("DELETE FROM folder_permission WHERE mailbox_id = $1 AND folder_id = $2", &[&m, &f])
                .await?;
        }
        for permission in &request.permissions {
            let (kind, id) = match permission.principal.as_str() {
                "default" => (DEFAULT, 0),
                "anonymous" => (ANONYMOUS, 0),
                address => principal_of(&transaction, who, address).await?,
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
                shown_again(&transaction, mailbox, folder, kind, id).await?;
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
    ) -> Result<proto::ListPermissionsResponse, Error> {
        self.access.require(who, mailbox, folder, &[Rights::Owner]).await?;
        let client = self.db.get().await?;
        let rows = client
            .query(
                "SELECT p.principal_kind, coalesce(a.address, g.address, ''), p.rights,
                     coalesce(a.display_name, g.display_name, '') FROM folder_permission p
                 LEFT JOIN account a ON p.principal_kind = 2 AND a.account_id = p.principal_id
                 LEFT JOIN mail_group g ON p.principal_kind = 3 AND g.group_id = p.principal_id
                 WHERE p.mailbox_id = $1 AND p.folder_id = $2
                 UNION ALL SELECT 0::smallint, '', $4, '' FROM folder f
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
        let permissions = rows.iter().map(|row| proto::Permission {
            principal: match row.get(0) {
                DEFAULT => "default".into(),
                ANONYMOUS => "anonymous".into(),
                _ => row.get(1),
            },
            rights: row.get::<_, i32>(2).cast_unsigned(),
        });
        Ok(proto::ListPermissionsResponse {
            permissions: permissions.collect(),
            display_names: rows.iter().map(|row| row.get(3)).collect(),
        })
    }
}

/// What was hidden by a guest is shared with them anew.
async fn shown_again(
    transaction: &deadpool_postgres::Transaction<'_>,
    mailbox: u64,
    folder: u64,
    kind: i16,
    id: i64,
) -> Result<(), Error> {
    let statement = transaction
        .prepare_cached(
            "UPDATE guest_folder SET hidden = false WHERE mailbox_id = $1 AND folder_id = $2 AND hidden
             AND ($3::smallint = 2 AND account_id = $4 OR $3 = 3 AND account_id IN (
                 SELECT a.account_id FROM mail_group g JOIN account a ON a.address = ANY (g.members)
                 WHERE g.group_id = $4))",
        )
        .await?;
    transaction.execute(&statement, &[&bigint(mailbox), &bigint(folder), &kind, &id]).await?;
    Ok(())
}

const MOST_PERMISSIONS: usize = 1_000;

//! Folders of others that are shared with somebody, and what a guest says of them for their own eyes.
//!
//! Shared is what a grant to the account, or to a group that it is in, lets be read. What everybody of the tenant may
//! read is there to be opened, but it is nobody's in particular; and who may know free and busy times only is shown
//! nothing.

use bytes::Bytes;
use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::Rights;

use super::Mailboxes;
use super::folders::{COLUMNS, check_properties, from_row};
use super::permissions::ACCOUNT;
use crate::access::MINE;
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

impl Mailboxes {
    /// What is shared with somebody, and for whom they act.
    pub async fn shared_with_me(
        &self,
        who: &Principal,
        request: &proto::SharedWithMeRequest,
    ) -> Result<proto::SharedWithMeResponse, Error> {
        let client = self.db.get().await?;
        let columns =
            COLUMNS.split(',').map(|column| format!("f.{}", column.trim())).collect::<Vec<_>>().join(", ");
        let statement = client
            .prepare_cached(&format!(
                "WITH {MINE}, granted AS (
                     SELECT DISTINCT p.mailbox_id, p.folder_id FROM folder_permission p
                     JOIN mine ON p.principal_kind = mine.kind AND p.principal_id = mine.id
                     WHERE p.mailbox_id <> $5 AND ($6::bigint = 0 OR p.mailbox_id = $6 AND p.folder_id = $7))
                 SELECT {columns}, f.mailbox_id, m.tenant_id, a.address, a.display_name, v.properties
                 FROM granted JOIN folder f USING (mailbox_id, folder_id) JOIN mailbox m USING (mailbox_id)
                 JOIN account a USING (mailbox_id)
                 LEFT JOIN guest_folder v ON v.account_id = $1 AND v.mailbox_id = f.mailbox_id
                     AND v.folder_id = f.folder_id
                 CROSS JOIN LATERAL (
                     WITH RECURSIVE up AS (
                         SELECT f.parent_id AS folder_id
                         UNION SELECT x.parent_id FROM folder x JOIN up USING (folder_id)
                         WHERE x.mailbox_id = f.mailbox_id)
                     SELECT bool_or(up.folder_id = $3) AS is_visible,
                         coalesce(bool_or(t.role = $4), false) AS is_trashed
                     FROM up LEFT JOIN folder t ON t.mailbox_id = f.mailbox_id AND t.folder_id = up.folder_id) place
                 WHERE m.tenant_id = $2 AND m.deleted_at IS NULL AND f.deleted_at IS NULL AND f.role <> $4
                     AND NOT coalesce(v.hidden, false) AND place.is_visible AND NOT place.is_trashed
                 ORDER BY a.address, f.folder_id LIMIT {MOST_SHARED}"
            ))
            .await?;
        let (root, trash) = (FolderRole::IpmSubtree.code(), FolderRole::Trash.code());
        let rows = client
            .query(
                &statement,
                &[
                    &bigint(who.account_id),
                    &bigint(who.tenant_id),
                    &i64::from(root),
                    &i16::from(trash),
                    &bigint(who.mailbox_id),
                    &bigint(request.mailbox_id),
                    &bigint(request.folder_id),
                ],
            )
            .await?;
        drop(client);
        let mut folders = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut folder = from_row(row);
            let mailbox_id = unsigned(row.get("mailbox_id"));
            folder.rights = self.access.rights(who, mailbox_id, folder.folder_id).await?;
            // What the owner says of their own subscriptions is nobody else's.
            folder.subscribed = false;
            if folder.rights & Rights::Read as u32 != 0 {
                folders.push(proto::SharedFolder {
                    mailbox_id,
                    tenant_id: unsigned(row.get("tenant_id")),
                    address: row.get("address"),
                    display_name: row.get("display_name"),
                    properties: row
                        .get::<_, Option<&[u8]>>(COLUMNS.split(',').count() + 4)
                        .map(Bytes::copy_from_slice)
                        .unwrap_or_default(),
                    folder: Some(folder),
                });
            }
        }
        Ok(proto::SharedWithMeResponse { folders })
    }

    /// What a guest says of a folder of somebody else, for their own eyes.
    pub async fn update_shared(
        &self,
        who: &Principal,
        request: &proto::UpdateSharedRequest,
    ) -> Result<(), Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.require_guest(who, mailbox, folder).await?;
        check_properties(&request.properties)?;
        let client = self.db.get().await?;
        client
            .execute(
                "INSERT INTO guest_folder (account_id, mailbox_id, folder_id, properties)
                 VALUES ($1, $2, $3, nullif($4, ''::bytea))
                 ON CONFLICT (account_id, mailbox_id, folder_id) DO UPDATE SET properties = excluded.properties",
                &[&bigint(who.account_id), &bigint(mailbox), &bigint(folder), &&request.properties[..]],
            )
            .await?;
        Ok(())
    }

    /// Somebody no longer wants what was shared with them: their own grant goes. What a group of theirs may see is hidden
    /// from them until it is shared with them anew.
    pub async fn leave_shared(&self, who: &Principal, mailbox: u64, folder: u64) -> Result<(), Error> {
        self.require_guest(who, mailbox, folder).await?;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let (account, m, f) = (bigint(who.account_id), bigint(mailbox), bigint(folder));
        transaction
            .execute(
                "DELETE FROM folder_permission
                 WHERE mailbox_id = $1 AND folder_id = $2 AND principal_kind = $3 AND principal_id = $4",
                &[&m, &f, &ACCOUNT, &account],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO guest_folder (account_id, mailbox_id, folder_id, hidden) VALUES ($1, $2, $3, true)
                 ON CONFLICT (account_id, mailbox_id, folder_id) DO UPDATE SET hidden = true, properties = NULL",
                &[&account, &m, &f],
            )
            .await?;
        transaction.commit().await?;
        self.access.forget_grants();
        Ok(())
    }

    /// Passes for who may read a folder of somebody else.
    async fn require_guest(&self, who: &Principal, mailbox: u64, folder: u64) -> Result<(), Error> {
        if who.mailbox_id == mailbox {
            return Err(Error::Invalid("nobody is a guest of their own".into()));
        }
        self.access.require(who, mailbox, folder, &[Rights::Read]).await.map(drop)
    }
}

/// More than anybody looks through.
const MOST_SHARED: u32 = 1_000;

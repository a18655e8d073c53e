//! The folder tree of a mailbox.

use std::collections::HashMap;

use bytes::Bytes;
use kontor_model::FolderRole;
use kontor_storage_proto as proto;
use proto::Rights;
use tokio_postgres::Row;

use super::Mailboxes;
use super::change::KIND_FOLDER_GONE;
use super::locks::{forget_locks, locks_of};
use super::state::wire_u32;
use crate::access::{Access, OWNER};
use crate::address::Address;
use crate::error::{Error, bigint, unix_now, unsigned};
use crate::token::Principal;

pub(super) const COLUMNS: &str =
    "folder_id, parent_id, name, role, container_class, uid_validity, uid_next, cn, highest_cn,
    total, unseen, deleted, size, subscribed, slug, properties, transparent, time_zone";

/// Whether others were given something in a folder of the mailbox $1.
const IS_SHARED: &str = "folder_id IN (
    SELECT p.folder_id FROM folder_permission p WHERE p.mailbox_id = $1 AND p.principal_kind > 1 AND p.rights & 4 <> 0)";

impl Mailboxes {
    /// Opens a mailbox by address; empty = one's own.
    pub async fn open(&self, who: &Principal, address: &str) -> Result<proto::OpenResponse, Error> {
        let client = self.db.get().await?;
        let nothing = || Error::NotFound("mailbox".into());
        let select =
            "SELECT m.mailbox_id, m.tenant_id, a.address, a.display_name, m.cn, m.used, m.quota, m.messages,
                m.keywords, m.locked_until, m.availability FROM mailbox m JOIN account a USING (mailbox_id) WHERE m.deleted_at IS NULL";
        let row = if address.is_empty() {
            let statement = client.prepare_cached(&format!("{select} AND m.mailbox_id = $1")).await?;
            client.query_opt(&statement, &[&bigint(who.mailbox_id)]).await?
        } else {
            let address = Address::parse(address).map_err(|_| nothing())?.to_string();
            let statement = client
                .prepare_cached(&format!(
                    "{select} AND m.tenant_id = $2 AND
                     a.account_id = (SELECT n.account_id FROM address n WHERE n.address = $1)"
                ))
                .await?;
            client.query_opt(&statement, &[&address, &bigint(who.tenant_id)]).await?
        };
        drop(client);
        let row = row.ok_or_else(nothing)?;
        let mailbox_id = unsigned(row.get(0));
        let folders = self.visible_folders(who, mailbox_id, 0).await?;
        if mailbox_id != who.mailbox_id && folders.is_empty() {
            return Err(nothing());
        }
        let mut locks = Vec::new();
        if row.get::<_, i64>(9) > unix_now() {
            locks = locks_of(&self.db.get().await?, mailbox_id).await?;
            locks.retain(|lock| folders.iter().any(|folder| folder.folder_id == lock.folder_id));
        }
        Ok(proto::OpenResponse {
            mailbox_id,
            tenant_id: unsigned(row.get(1)),
            address: row.get(2),
            display_name: row.get(3),
            cn: unsigned(row.get(4)),
            folders,
            quota: Some(proto::Quota {
                used: unsigned(row.get(5)),
                limit: unsigned(row.get(6)),
                messages: unsigned(row.get(7)),
            }),
            keywords: row.get(8),
            locks,
            availability: row
                .get::<_, Option<String>>(10)
                .filter(|_| mailbox_id == who.mailbox_id)
                .unwrap_or_default(),
        })
    }

    pub async fn list_folders(
        &self,
        who: &Principal,
        mailbox: u64,
        since: u64,
    ) -> Result<proto::ListFoldersResponse, Error> {
        let client = self.db.get().await?;
        // The clock is read first: what changes meanwhile is seen again next time.
        let clock = client
            .prepare_cached(
                "SELECT cn, keywords, tenant_id, hierarchy_cn FROM mailbox
                 WHERE mailbox_id = $1 AND deleted_at IS NULL",
            )
            .await?;
        let row = client.query_opt(&clock, &[&bigint(mailbox)]).await?;
        let nothing = || Error::NotFound("mailbox".into());
        let row = row.filter(|r| unsigned(r.get(2)) == who.tenant_id).ok_or_else(nothing)?;
        let gone = if since == 0 {
            Vec::new()
        } else {
            client
                .query(
                    "SELECT payload FROM change_log
                     WHERE mailbox_id = $1 AND folder_id = 0 AND cn > $2 AND kind = $3",
                    &[&bigint(mailbox), &bigint(since), &KIND_FOLDER_GONE],
                )
                .await?
                .iter()
                .filter_map(|r| r.get::<_, &[u8]>(0).try_into().ok().map(u64::from_be_bytes))
                .collect()
        };
        drop(client);
        let folders = self.visible_folders(who, mailbox, since).await?;
        if mailbox != who.mailbox_id && folders.is_empty() && !self.access.sees_mailbox(who, mailbox).await? {
            return Err(nothing());
        }
        let gone = if mailbox == who.mailbox_id { gone } else { Vec::new() };
        Ok(proto::ListFoldersResponse {
            cn: unsigned(row.get(0)),
            folders,
            gone,
            keywords: row.get(1),
            hierarchy_cn: unsigned(row.get(3)),
        })
    }

    async fn visible_folders(
        &self,
        who: &Principal,
        mailbox: u64,
        since: u64,
    ) -> Result<Vec<proto::Folder>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, {IS_SHARED} FROM folder WHERE mailbox_id = $1 AND deleted_at IS NULL
                 ORDER BY folder_id"
            ))
            .await?;
        let rows = client.query(&statement, &[&bigint(mailbox)]).await?;
        drop(client);
        // Only what hangs below the visible root; the rest of the tree is the store's own.
        let root = i64::from(FolderRole::IpmSubtree.code());
        let parents: HashMap<i64, i64> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
        let is_visible = |row: &&Row| {
            let mut at: i64 = row.get(1);
            for _ in 0..=DEEPEST + 1 {
                if at == root {
                    return true;
                }
                match parents.get(&at) {
                    Some(above) => at = *above,
                    None => return false,
                }
            }
            false
        };
        let changed = |row: &&Row| since == 0 || unsigned(row.get(7)).max(unsigned(row.get(8))) > since;
        let mut folders = Vec::with_capacity(rows.len());
        for row in rows.iter().filter(changed).filter(is_visible) {
            let mut folder = from_row(row);
            folder.shared = row.get(18);
            folder.rights = self.access.rights(who, mailbox, folder.folder_id).await?;
            if folder.rights & (Rights::Visible as u32 | Rights::Read as u32) != 0 {
                folders.push(folder);
            }
        }
        Ok(folders)
    }

    pub async fn create_folder(
        &self,
        who: &Principal,
        request: &proto::CreateFolderRequest,
    ) -> Result<proto::Folder, Error> {
        let mailbox = request.mailbox_id;
        let parent = match request.parent_id {
            0 => {
                Access::require_owner(who, mailbox)?;
                u64::from(FolderRole::IpmSubtree.code())
            }
            parent => {
                self.access.require(who, mailbox, parent, &[Rights::CreateFolder]).await?;
                parent
            }
        };
        check_name(&request.name)?;
        if !request.slug.is_empty() {
            check_name(&request.slug)?;
        }
        check_properties(&request.properties)?;
        check_time_zone(&request.time_zone)?;
        let role = u8::try_from(request.role).ok().and_then(FolderRole::from_code).unwrap_or_default();
        let class = if request.container_class.is_empty() {
            role.container_class()
        } else {
            request.container_class.as_str()
        };
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let m = bigint(mailbox);
        let row = transaction
            .query_opt(
                "UPDATE mailbox SET cn = cn + 1, hierarchy_cn = cn + 1, next_id = next_id + 1
                 WHERE mailbox_id = $1 AND deleted_at IS NULL
                 RETURNING cn, next_id - 1,
                     (SELECT count(*) FROM folder WHERE mailbox_id = $1 AND deleted_at IS NULL)",
                &[&m],
            )
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let (cn, id, count): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        if count >= MOST_FOLDERS {
            return Err(Error::Limit(format!("a mailbox has at most {MOST_FOLDERS} folders")));
        }
        self.check_depth(&transaction, mailbox, parent).await?;
        if role != FolderRole::None {
            // RFC 6154: a use belongs to one folder; the new one takes it from one that people made.
            let taken = transaction
                .query_opt(
                    "SELECT folder_id FROM folder WHERE mailbox_id = $1 AND role = $2 AND deleted_at IS NULL",
                    &[&m, &i16::from(role.code())],
                )
                .await?;
            if taken.is_some() {
                return Err(Error::Exists("a folder with this use".into()));
            }
        }
        let row = transaction
            .query_one(
                &format!(
                    "INSERT INTO folder (mailbox_id, folder_id, parent_id, name, role, container_class,
                         uid_validity, cn, highest_cn, slug, properties, transparent, time_zone)
                     VALUES ($1, $2, $3, $4, $5, $6, greatest($7,
                         (SELECT max(uid_validity) + 1 FROM folder WHERE mailbox_id = $1)), $8, $8,
                         nullif($9, ''), nullif($10, ''::bytea), $11, nullif($12, ''))
                     RETURNING {COLUMNS}"
                ),
                &[
                    &m,
                    &id,
                    &bigint(parent),
                    &request.name,
                    &i16::from(role.code()),
                    &class,
                    &unix_now(),
                    &cn,
                    &request.slug,
                    &&request.properties[..],
                    &request.transparent,
                    &request.time_zone,
                ],
            )
            .await
            .map_err(|e| named(e, &request.name))?;
        // What the parent gives to others holds for its new folder too.
        transaction
            .execute(
                "INSERT INTO folder_permission SELECT mailbox_id, $3, principal_kind, principal_id, rights
                 FROM folder_permission WHERE mailbox_id = $1 AND folder_id = $2",
                &[&m, &bigint(parent), &id],
            )
            .await?;
        transaction.commit().await?;
        self.events.publish(mailbox, 0, unsigned(cn));
        let mut folder = from_row(&row);
        folder.rights = self.access.rights(who, mailbox, folder.folder_id).await?;
        Ok(folder)
    }

    pub async fn update_folder(
        &self,
        who: &Principal,
        request: &proto::UpdateFolderRequest,
    ) -> Result<proto::Folder, Error> {
        let (mailbox, id) = (request.mailbox_id, request.folder_id);
        let moves = request.parent_id.is_some() || request.name.is_some() || request.role.is_some();
        let owns = moves
            || request.properties.is_some()
            || request.transparent.is_some()
            || request.time_zone.is_some()
            || request.slug.is_some();
        let needed: &[Rights] = if owns { &[Rights::Owner] } else { &[Rights::Visible] };
        self.access.require(who, mailbox, id, needed).await?;
        if request.subscribed.is_some() {
            // Subscriptions are the owner's own.
            Access::require_owner(who, mailbox)?;
        }
        let parent = match request.parent_id {
            Some(0) => {
                Access::require_owner(who, mailbox)?;
                Some(u64::from(FolderRole::IpmSubtree.code()))
            }
            Some(parent) => {
                self.access.require(who, mailbox, parent, &[Rights::CreateFolder]).await?;
                Some(parent)
            }
            None => None,
        };
        if let Some(name) = &request.name {
            check_name(name)?;
        }
        check_properties(request.properties.as_deref().unwrap_or_default())?;
        if let Some(slug) = &request.slug {
            check_name(slug)?;
        }
        check_time_zone(request.time_zone.as_deref().unwrap_or_default())?;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let (m, f) = (bigint(mailbox), bigint(id));
        let row = transaction
            .query_opt(
                "UPDATE mailbox SET cn = cn + 1, hierarchy_cn = CASE WHEN $2 THEN cn + 1 ELSE hierarchy_cn END
                 WHERE mailbox_id = $1 RETURNING cn",
                &[&m, &moves],
            )
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let cn: i64 = row.get(0);
        let old = transaction
            .query_opt(
                "SELECT role, coalesce(properties, ''::bytea) FROM folder
                 WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at IS NULL",
                &[&m, &f],
            )
            .await?
            .ok_or_else(|| Error::NotFound("folder".into()))?;
        let role =
            u8::try_from(old.get::<_, i16>(0)).ok().and_then(FolderRole::from_code).unwrap_or_default();
        if request
            .expected_properties
            .as_ref()
            .is_some_and(|expected| expected[..] != *old.get::<_, &[u8]>(1))
        {
            return Err(Error::Conflict(
                "the folder's properties are not as they were expected to be".into(),
            ));
        }
        if (moves || request.slug.is_some()) && role.is_fixed() {
            return Err(Error::Denied("this folder cannot be renamed or moved".into()));
        }
        if let Some(parent) = parent {
            if self.is_below(&transaction, mailbox, parent, id).await? {
                return Err(Error::Invalid("a folder cannot move into itself".into()));
            }
            self.check_depth(&transaction, mailbox, parent).await?;
        }
        let new_role = match request.role {
            Some(code) => {
                let role = u8::try_from(code)
                    .ok()
                    .and_then(FolderRole::from_code)
                    .ok_or_else(|| Error::Invalid("there is no such role".into()))?;
                Some(i16::from(role.code()))
            }
            None => None,
        };
        let row = transaction
            .query_one(
                &format!(
                    "UPDATE folder SET parent_id = coalesce($3, parent_id), name = coalesce($4, name),
                         subscribed = coalesce($5, subscribed), role = coalesce($6, role), cn = $7,
                         properties = nullif(coalesce($8, properties), ''::bytea),
                         transparent = coalesce($9, transparent), time_zone = nullif(coalesce($10, time_zone), ''),
                         slug = coalesce($11, slug)
                     WHERE mailbox_id = $1 AND folder_id = $2 RETURNING {COLUMNS}"
                ),
                &[
                    &m,
                    &f,
                    &parent.map(bigint),
                    &request.name,
                    &request.subscribed,
                    &new_role,
                    &cn,
                    &request.properties.as_deref(),
                    &request.transparent,
                    &request.time_zone,
                    &request.slug,
                ],
            )
            .await
            .map_err(|e| named(e, request.name.as_deref().unwrap_or("a folder of this name")))?;
        if request.slug.is_some() {
            forget_locks(&transaction, mailbox, id, "").await?;
        }
        transaction.commit().await?;
        self.events.publish(mailbox, 0, unsigned(cn));
        let mut folder = from_row(&row);
        folder.rights = self.access.rights(who, mailbox, id).await?;
        Ok(folder)
    }

    pub async fn delete_folder(&self, who: &Principal, mailbox: u64, id: u64) -> Result<u64, Error> {
        self.access.require(who, mailbox, id, &[Rights::Owner]).await?;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let (m, f) = (bigint(mailbox), bigint(id));
        let row = transaction
            .query_opt(
                "UPDATE mailbox SET cn = cn + 1, hierarchy_cn = cn + 1 WHERE mailbox_id = $1 RETURNING cn",
                &[&m],
            )
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let cn: i64 = row.get(0);
        let row = transaction
            .query_opt(
                "SELECT role, total, size, EXISTS (SELECT FROM folder c WHERE c.mailbox_id = $1 AND c.parent_id = $2
                     AND c.deleted_at IS NULL)
                 FROM folder WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at IS NULL",
                &[&m, &f],
            )
            .await?
            .ok_or_else(|| Error::NotFound("folder".into()))?;
        let role =
            u8::try_from(row.get::<_, i16>(0)).ok().and_then(FolderRole::from_code).unwrap_or_default();
        if role.is_fixed() {
            return Err(Error::Denied("this folder cannot be deleted".into()));
        }
        if row.get(3) {
            return Err(Error::Conflict("the folder has folders below it".into()));
        }
        let (total, size): (i64, i64) = (row.get(1), row.get(2));
        transaction
            .execute(
                "UPDATE folder SET deleted_at = $3, cn = $4, highest_cn = $4 WHERE mailbox_id = $1 AND folder_id = $2",
                &[&m, &f, &unix_now(), &cn],
            )
            .await?;
        transaction
            .execute(
                "UPDATE mailbox SET used = used - $2, messages = messages - $3 WHERE mailbox_id = $1",
                &[&m, &size, &total],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO change_log (mailbox_id, folder_id, cn, kind, payload, at) VALUES ($1, 0, $2, $3, $4, $5)",
                &[&m, &cn, &KIND_FOLDER_GONE, &id.to_be_bytes().as_slice(), &unix_now()],
            )
            .await?;
        transaction
            .execute("DELETE FROM folder_permission WHERE mailbox_id = $1 AND folder_id = $2", &[&m, &f])
            .await?;
        forget_locks(&transaction, mailbox, id, "").await?;
        transaction.commit().await?;
        self.access.forget_grants();
        self.events.publish(mailbox, 0, unsigned(cn));
        self.events.publish(mailbox, id, unsigned(cn));
        Ok(unsigned(cn))
    }

    async fn check_depth(
        &self,
        transaction: &deadpool_postgres::Transaction<'_>,
        mailbox: u64,
        parent: u64,
    ) -> Result<(), Error> {
        let row = transaction
            .query_one(
                "WITH RECURSIVE up AS (
                     SELECT parent_id, 1 AS depth FROM folder
                     WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at IS NULL
                     UNION ALL SELECT f.parent_id, depth + 1 FROM folder f JOIN up ON f.folder_id = up.parent_id
                     WHERE f.mailbox_id = $1 AND depth < 1000)
                 SELECT coalesce(max(depth), 0) FROM up",
                &[&bigint(mailbox), &bigint(parent)],
            )
            .await?;
        match row.get::<_, i32>(0) {
            0 => Err(Error::NotFound("folder".into())),
            depth if depth > DEEPEST => {
                Err(Error::Limit(format!("folders can be nested {DEEPEST} levels deep")))
            }
            _ => Ok(()),
        }
    }

    async fn is_below(
        &self,
        transaction: &deadpool_postgres::Transaction<'_>,
        mailbox: u64,
        folder: u64,
        ancestor: u64,
    ) -> Result<bool, Error> {
        let row = transaction
            .query_one(
                "WITH RECURSIVE up AS (
                     SELECT folder_id, parent_id, 1 AS depth FROM folder WHERE mailbox_id = $1 AND folder_id = $2
                     UNION ALL SELECT f.folder_id, f.parent_id, depth + 1 FROM folder f JOIN up ON f.folder_id = up.parent_id
                     WHERE f.mailbox_id = $1 AND depth < 1000)
                 SELECT EXISTS (SELECT FROM up WHERE folder_id = $3)",
                &[&bigint(mailbox), &bigint(folder), &bigint(ancestor)],
            )
            .await?;
        Ok(row.get(0))
    }
}

pub(super) fn from_row(row: &Row) -> proto::Folder {
    let parent = unsigned(row.get(1));
    proto::Folder {
        folder_id: unsigned(row.get(0)),
        parent_id: if parent == u64::from(FolderRole::IpmSubtree.code()) { 0 } else { parent },
        name: row.get(2),
        role: u32::try_from(row.get::<_, i16>(3)).unwrap_or(0),
        container_class: row.get(4),
        uid_validity: wire_u32(row.get(5)),
        uid_next: wire_u32(row.get(6)),
        cn: unsigned(row.get(7)),
        highest_cn: unsigned(row.get(8)),
        total: wire_u32(row.get(9)),
        unseen: wire_u32(row.get(10)),
        deleted: wire_u32(row.get(11)),
        size: unsigned(row.get(12)),
        subscribed: row.get(13),
        rights: OWNER,
        slug: row.get::<_, Option<String>>(14).unwrap_or_default(),
        properties: row.get::<_, Option<&[u8]>>(15).map(Bytes::copy_from_slice).unwrap_or_default(),
        transparent: row.get(16),
        time_zone: row.get::<_, Option<String>>(17).unwrap_or_default(),
        shared: false,
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = !name.trim().is_empty() && name.len() <= LONGEST_NAME;
    if !fits || name.contains('/') || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "a folder's name has 1 to {LONGEST_NAME} octets, no \"/\" and no control characters"
        )));
    }
    Ok(())
}

pub(super) fn check_properties(properties: &[u8]) -> Result<(), Error> {
    if properties.len() > MOST_PROPERTIES {
        return Err(Error::Invalid(format!("a folder's properties have at most {MOST_PROPERTIES} octets")));
    }
    Ok(())
}

fn check_time_zone(time_zone: &str) -> Result<(), Error> {
    if time_zone.len() > MOST_PROPERTIES || time_zone.contains('\0') {
        return Err(Error::Invalid(format!("a time zone has at most {MOST_PROPERTIES} octets")));
    }
    Ok(())
}

fn named(error: tokio_postgres::Error, name: &str) -> Error {
    match Error::from(error) {
        Error::Exists(_) => Error::Exists(format!("a folder named {name:?}")),
        other => other,
    }
}

const MOST_FOLDERS: i64 = 10_000;
const DEEPEST: i32 = 100;
const LONGEST_NAME: usize = 255;
const MOST_PROPERTIES: usize = 64 << 10;

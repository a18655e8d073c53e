//! The copy of a meeting in somebody's calendar, found by its UID in whichever calendar it is.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use kontor_model::FolderRole;
use kontor_storage_proto as proto;

use super::change::Change;
use super::state::wire_u32;
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint, unsigned};

/// An item that has the UID.
#[derive(Clone, Debug)]
pub(crate) struct CalendarCopy {
    pub folder_id: u64,
    pub name: String,
    /// Names the version.
    pub content_id: Bytes,
    /// The object.
    pub text: Bytes,
}

impl Mailboxes {
    /// The copy in any calendar or task list of a mailbox that is not in the trash; in the default one if in several.
    pub(crate) async fn calendar_copy(
        &self,
        tenant: u64,
        mailbox: u64,
        item_uid: &str,
    ) -> Result<Option<CalendarCopy>, Error> {
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT i.folder_id, i.uid, i.name FROM folder f JOIN item i USING (mailbox_id, folder_id)
                 WHERE f.mailbox_id = $1 AND f.deleted_at IS NULL AND i.item_uid = $2 AND i.gone_cn IS NULL
                     AND (f.container_class ILIKE 'IPF.Appointment%' OR f.container_class ILIKE 'IPF.Task%'
                          OR f.container_class ILIKE 'IPF.Journal%')
                 ORDER BY f.role = 0, i.folder_id, i.uid DESC",
            )
            .await?;
        let found = client.query(&statement, &[&bigint(mailbox), &item_uid]).await?;
        if found.is_empty() {
            return Ok(None);
        }
        let trashed = trashed(&client, mailbox).await?;
        drop(client);
        for row in found {
            let (folder, uid) = (unsigned(row.get(0)), wire_u32(row.get(1)));
            if trashed.contains(&folder) {
                continue;
            }
            // Which versions are there, the folder's state says.
            let Some(content_id) =
                self.folder(mailbox, folder).await?.find(uid).map(|message| message.content_id)
            else {
                continue;
            };
            let contents = self.contents(mailbox, &[content_id], true).await?;
            let Some(content) = contents.get(&content_id) else { continue };
            let body = self.whole_body(tenant, content).await?;
            let header = usize::try_from(content.header_size).unwrap_or(usize::MAX).min(body.len());
            return Ok(Some(CalendarCopy {
                folder_id: folder,
                name: row.get(2),
                content_id: Bytes::copy_from_slice(content_id.as_bytes()),
                text: body.slice(header..),
            }));
        }
        Ok(None)
    }

    /// Messages in the scheduling inbox that came before a moment go for good; how many.
    pub(crate) async fn sweep_scheduling_inbox(&self, mailbox: u64, before: i64) -> Result<u64, Error> {
        let folder = u64::from(FolderRole::SchedulingInbox.code());
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT uid FROM message WHERE mailbox_id = $1 AND folder_id = $2 AND received_at < $3
                 AND deleted_at IS NULL LIMIT 1000",
            )
            .await?;
        let old = client.query(&statement, &[&bigint(mailbox), &bigint(folder), &before]).await?;
        drop(client);
        if old.is_empty() {
            return Ok(0);
        }
        let old: HashSet<u32> = old.iter().map(|row| wire_u32(row.get(0))).collect();
        let mut swept = 0;
        let changed = self.change(mailbox, folder, |state| {
            let uids: Vec<u32> =
                state.rows.iter().map(|row| row.uid).filter(|uid| old.contains(uid)).collect();
            swept = uids.len() as u64;
            let uids = Ranges::from_uids(uids);
            (swept > 0).then_some(Change::Gone { soft: false, uids })
        });
        match changed.await {
            Ok(_) => Ok(swept),
            // The mailbox went meanwhile, and all that is in it goes with it.
            Err(Error::NotFound(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Puts an item for its owner.
    pub(crate) async fn put_own(
        &self,
        tenant: u64,
        request: proto::PutItemRequest,
    ) -> Result<proto::PutItemResponse, Error> {
        self.put_with(tenant, 0, crate::access::OWNER, request).await
    }
}

/// The folders that are in the trash.
async fn trashed(client: &deadpool_postgres::Object, mailbox: u64) -> Result<Vec<u64>, Error> {
    let statement = client
        .prepare_cached(
            "SELECT folder_id, parent_id, role FROM folder WHERE mailbox_id = $1 AND deleted_at IS NULL",
        )
        .await?;
    let rows = client.query(&statement, &[&bigint(mailbox)]).await?;
    let folders: HashMap<i64, (i64, i16)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let trash = i16::from(FolderRole::Trash.code());
    let is_trashed = |folder: i64| {
        let mut at = folder;
        for _ in 0..=folders.len() {
            match folders.get(&at) {
                Some((_, role)) if *role == trash => return true,
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
        true
    };
    Ok(folders.keys().filter(|folder| is_trashed(**folder)).map(|folder| unsigned(*folder)).collect())
}

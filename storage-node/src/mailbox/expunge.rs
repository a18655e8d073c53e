//! Messages leave a folder; they stay in Recoverable Items until the retention ends.

use kontor_storage_proto as proto;
use proto::Rights;

use super::change::Change;
use super::copy::place_copies;
use super::state::DELETED;
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Mailboxes {
    pub async fn expunge(
        &self,
        who: &Principal,
        request: &proto::ExpungeRequest,
    ) -> Result<proto::ExpungeResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Delete]).await?;
        let ranges = match request.uid_ranges.as_slice() {
            [] => Ranges::from_wire(&[1, u32::MAX])?,
            pairs => Ranges::from_wire(pairs)?,
        };
        let mut uids = Vec::new();
        let state = self
            .change(mailbox, folder, |state| {
                uids = state
                    .select(&ranges)
                    .filter(|r| !request.only_flagged_deleted || r.flags & DELETED != 0)
                    .map(|r| r.uid)
                    .collect();
                let gone = Ranges::from_uids(uids.iter().copied());
                (!uids.is_empty()).then_some(Change::Gone { soft: !request.hard, uids: gone })
            })
            .await?;
        Ok(proto::ExpungeResponse { uids, highest_cn: state.cn })
    }

    /// Soft-deleted messages of a folder come back as new ones.
    pub async fn restore(
        &self,
        who: &Principal,
        request: &proto::RestoreRequest,
    ) -> Result<proto::RestoreResponse, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Delete, Rights::Create]).await?;
        self.fold(mailbox, folder).await?;
        let mut client = self.db.get().await?;
        let transaction = client.transaction().await?;
        let (m, f) = (bigint(mailbox), bigint(folder));
        transaction.execute("SELECT FROM mailbox WHERE mailbox_id = $1 FOR UPDATE", &[&m]).await?;
        let rows = transaction
            .query(
                "DELETE FROM message WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at >= $3
                 RETURNING uid, content_id, flags & ~8::bigint, size, received_at",
                &[&m, &f, &request.since],
            )
            .await?;
        if rows.is_empty() {
            drop(transaction);
            drop(client);
            let state = self.folder(mailbox, folder).await?;
            return Ok(proto::RestoreResponse { uids: Vec::new(), highest_cn: state.cn });
        }
        let mut rows: Vec<_> = rows
            .iter()
            .map(|r| {
                let (uid, content): (i64, uuid::Uuid) = (r.get(0), r.get(1));
                (uid, content, r.get::<_, i64>(2), r.get::<_, i64>(3), r.get::<_, i64>(4))
            })
            .collect();
        rows.sort_unstable_by_key(|r| r.0);
        let placed = place_copies(
            &transaction,
            mailbox,
            mailbox,
            folder,
            &rows.iter().map(|r| r.1).collect::<Vec<_>>(),
            &rows.iter().map(|r| r.2).collect::<Vec<_>>(),
            &rows.iter().map(|r| r.3).collect::<Vec<_>>(),
            &rows.iter().map(|r| r.4).collect::<Vec<_>>(),
            true,
        )
        .await?;
        transaction.commit().await?;
        self.events.publish(mailbox, folder, placed.cn);
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        Ok(proto::RestoreResponse {
            uids: (placed.first_uid..placed.first_uid.saturating_add(count)).collect(),
            highest_cn: placed.cn,
        })
    }
}

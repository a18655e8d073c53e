//! What changed in a folder since a change number?

use kontor_storage_proto as proto;
use proto::Rights;

use super::change::{Change, KIND_GONE};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint};
use crate::token::Principal;

impl Mailboxes {
    pub async fn changes(
        &self,
        who: &Principal,
        request: &proto::ChangesRequest,
    ) -> Result<proto::ChangesResponse, Error> {
        let (mailbox, folder, since) = (request.mailbox_id, request.folder_id, request.since_cn);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let state = self.folder(mailbox, folder).await?;
        let mut response = proto::ChangesResponse {
            highest_cn: state.cn,
            uid_validity: state.uid_validity,
            uid_next: state.uid_next,
            total: u32::try_from(state.rows.len()).unwrap_or(u32::MAX),
            ..Default::default()
        };
        if since < state.horizon && since < state.cn {
            response.too_old = true;
            return Ok(response);
        }
        response.keywords = state.keywords.to_vec();
        if since >= state.cn {
            return Ok(response);
        }
        for row in state.rows.iter().filter(|r| r.modseq() > since) {
            response.uids.push(row.uid);
            response.flags.push(row.flags);
            response.modseqs.push(row.modseq());
        }
        let old = state.rows.iter().rev().find(|r| r.cn <= since).map_or(0, |r| r.uid);
        let after_old = state.rows.partition_point(|r| r.uid <= old);
        response.first_new_uid = state.rows.get(after_old).map_or(0, |r| r.uid);
        let until = state.cn;
        drop(state);
        let client = self.db.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT payload FROM change_log WHERE mailbox_id = $1 AND folder_id = $2 AND cn > $3 AND cn <= $4
                 AND kind = $5",
            )
            .await?;
        let rows = client
            .query(
                &statement,
                &[&bigint(mailbox), &bigint(folder), &bigint(since), &bigint(until), &KIND_GONE],
            )
            .await?;
        response.gone =
            Ranges::union(rows.iter().filter_map(|row| match Change::decode(KIND_GONE, row.get(0)) {
                Some(Change::Gone { uids, .. }) => Some(uids),
                _ => None,
            }))
            .to_wire();
        Ok(response)
    }
}

//! Copies and moves of many messages, each in one transaction.

use deadpool_postgres::GenericClient;
use kontor_storage_proto as proto;
use proto::Rights;

use super::change::Change;
use super::state::{Row, log_change, wire_u32};
use super::{Mailboxes, Ranges};
use crate::error::{Error, bigint, unsigned};
use crate::token::Principal;

/// Where copies were put.
pub(super) struct Placed {
    pub uid_validity: u32,
    pub first_uid: u32,
    pub cn: u64,
}

impl Mailboxes {
    pub async fn copy(
        &self,
        who: &Principal,
        request: &proto::CopyRequest,
    ) -> Result<proto::CopyResponse, Error> {
        let (from, from_folder) = (request.mailbox_id, request.folder_id);
        let (to, to_folder) = (request.to_mailbox_id, request.to_folder_id);
        let needed: &[Rights] =
            if request.r#move { &[Rights::Read, Rights::Delete] } else { &[Rights::Read] };
        self.access.require(who, from, from_folder, needed).await?;
        self.access.require(who, to, to_folder, &[Rights::Create]).await?;
        let ranges = Ranges::from_wire(&request.uid_ranges)?;
        for _ in 0..TRIES {
            match self.try_copy(request, &ranges).await {
                Err(Error::Stale) => {}
                Ok(response) => {
                    if !response.uids.is_empty() {
                        self.committed(to, to_folder, response.to_highest_cn);
                        if request.r#move {
                            self.committed(from, from_folder, response.highest_cn);
                        }
                    }
                    return Ok(response);
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unavailable("the folder is too busy".into()))
    }

    async fn try_copy(
        &self,
        request: &proto::CopyRequest,
        ranges: &Ranges,
    ) -> Result<proto::CopyResponse, Error> {
        let (from, from_folder) = (request.mailbox_id, request.folder_id);
        let (to, to_folder) = (request.to_mailbox_id, request.to_folder_id);
        // Destination keywords have slots of their own in another mailbox.
        let translate = if from == to { None } else { Some(self.keyword_translation(from, to).await?) };
        let mut state = self.folder(from, from_folder).await?;
        let rows: Vec<Row> = state.select(ranges).copied().collect();
        let mut response = proto::CopyResponse {
            to_uid_validity: 0,
            uids: rows.iter().map(|r| r.uid).collect(),
            highest_cn: state.cn,
            ..Default::default()
        };
        let mut client = self.db.get().await?;
        if rows.is_empty() {
            let row = client
                .query_opt(
                    "SELECT uid_validity, highest_cn FROM folder
                     WHERE mailbox_id = $1 AND folder_id = $2 AND deleted_at IS NULL",
                    &[&bigint(to), &bigint(to_folder)],
                )
                .await?
                .ok_or_else(|| Error::NotFound("folder".into()))?;
            response.to_uid_validity = wire_u32(row.get(0));
            response.to_highest_cn = unsigned(row.get(1));
            return Ok(response);
        }
        let transaction = client.transaction().await?;
        if from != to {
            // Always in the same order, so that two moves that cross do not wait for each other.
            transaction
                .execute(
                    "SELECT FROM mailbox WHERE mailbox_id = ANY ($1) ORDER BY mailbox_id FOR UPDATE",
                    &[&vec![bigint(from), bigint(to)]],
                )
                .await?;
        }
        let gone = Change::Gone { soft: false, uids: Ranges::from_uids(rows.iter().map(|r| r.uid)) };
        let gone_cn = if request.r#move {
            Some(log_change(&transaction, &state, from, from_folder, &gone).await?)
        } else {
            None
        };
        let flags = |r: &Row| match &translate {
            Some(translate) => translate(r.flags),
            None => r.flags,
        };
        let placed = place_copies(
            &transaction,
            from,
            to,
            to_folder,
            &rows.iter().map(|r| r.content_id).collect::<Vec<_>>(),
            &rows.iter().map(|r| flags(r).cast_signed()).collect::<Vec<_>>(),
            &rows.iter().map(|r| bigint(r.size)).collect::<Vec<_>>(),
            &rows.iter().map(|r| r.received_at).collect::<Vec<_>>(),
            !(request.r#move && from == to),
        )
        .await?;
        if from != to {
            require_one_tenant(&transaction, from, to).await?;
        }
        transaction.commit().await?;
        if let Some(cn) = gone_cn {
            // When source and destination are one folder, the copies came in after this; the next look
            // reads them.
            state.replay(&gone, cn);
            response.highest_cn = cn;
        }
        response.to_uid_validity = placed.uid_validity;
        response.to_highest_cn = placed.cn;
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        response.to_uids = (placed.first_uid..placed.first_uid.saturating_add(count)).collect();
        Ok(response)
    }

    async fn keyword_translation(&self, from: u64, to: u64) -> Result<impl Fn(u64) -> u64 + use<>, Error> {
        let client = self.db.get().await?;
        let row = client
            .query_opt("SELECT keywords FROM mailbox WHERE mailbox_id = $1", &[&bigint(from)])
            .await?
            .ok_or_else(|| Error::NotFound("mailbox".into()))?;
        let names: Vec<String> = row.get(0);
        drop(client);
        let mut map = Vec::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            let bit = 1u64
                .checked_shl(proto::FIRST_KEYWORD_BIT + u32::try_from(i).unwrap_or(u32::MAX))
                .unwrap_or(0);
            // A destination that has no room left loses the keyword, not the message.
            let there = self.keyword_bits(to, std::slice::from_ref(name), true).await.unwrap_or(0);
            map.push((bit, there));
        }
        let fixed = (1u64 << proto::FIRST_KEYWORD_BIT) - 1;
        Ok(move |flags: u64| {
            map.iter().filter(|(bit, _)| flags & bit != 0).fold(flags & fixed, |all, (_, there)| all | there)
        })
    }
}

/// Blobs are kept by tenant: within one there is nothing to copy, and between two there is no copying.
async fn require_one_tenant(client: &impl GenericClient, from: u64, to: u64) -> Result<(), Error> {
    let row = client
        .query_one(
            "SELECT count(DISTINCT tenant_id) FROM mailbox WHERE mailbox_id IN ($1, $2)",
            &[&bigint(from), &bigint(to)],
        )
        .await?;
    if row.get::<_, i64>(0) == 1 { Ok(()) } else { Err(Error::NotFound("folder".into())) }
}

/// Places contents into a folder as new messages, in the order given.
#[expect(clippy::too_many_arguments, reason = "the parallel columns of one statement")]
pub(super) async fn place_copies(
    client: &impl GenericClient,
    from: u64,
    mailbox: u64,
    folder: u64,
    contents: &[uuid::Uuid],
    flags: &[i64],
    sizes: &[i64],
    dates: &[i64],
    check_quota: bool,
) -> Result<Placed, Error> {
    let statement = client
        .prepare_cached(
            "SELECT r_validity, r_first_uid, r_cn FROM place_copies($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .await?;
    let row = client
        .query_one(
            &statement,
            &[
                &bigint(from),
                &bigint(mailbox),
                &bigint(folder),
                &contents,
                &flags,
                &sizes,
                &dates,
                &check_quota,
            ],
        )
        .await?;
    Ok(Placed {
        uid_validity: wire_u32(row.get(0)),
        first_uid: wire_u32(row.get(1)),
        cn: unsigned(row.get(2)),
    })
}

const TRIES: usize = 20;

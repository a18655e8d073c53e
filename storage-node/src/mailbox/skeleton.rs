//! The skeleton of a folder.

use kontor_storage_proto as proto;
use proto::Rights;

use super::Mailboxes;
use crate::error::Error;
use crate::token::Principal;

impl Mailboxes {
    /// The folder's columns in chunks, all true at one change number.
    pub async fn skeleton(
        &self,
        who: &Principal,
        request: &proto::SkeletonRequest,
    ) -> Result<Vec<proto::SkeletonChunk>, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let state = self.folder(mailbox, folder).await?;
        let columns = request.columns;
        let wants = |bit: u32| columns & bit != 0;
        let head = proto::SkeletonChunk {
            highest_cn: state.cn,
            uid_validity: state.uid_validity,
            uid_next: state.uid_next,
            total: u32::try_from(state.rows.len()).unwrap_or(u32::MAX),
            ..Default::default()
        };
        let mut chunks = Vec::with_capacity(state.rows.len() / CHUNK + 1);
        let mut pages = state.rows.chunks(CHUNK);
        let first = pages.next().unwrap_or(&[]);
        for (i, page) in std::iter::once(first).chain(pages).enumerate() {
            chunks.push(proto::SkeletonChunk {
                uids: page.iter().map(|r| r.uid).collect(),
                message_ids: column(wants(1), page, |r| r.message_id),
                flags: column(wants(2), page, |r| r.flags),
                modseqs: column(wants(4), page, |r| r.modseq()),
                sizes: column(wants(8), page, |r| r.size),
                dates: column(wants(16), page, |r| r.received_at),
                keywords: if i == 0 { state.keywords.to_vec() } else { Vec::new() },
                ..head.clone()
            });
        }
        Ok(chunks)
    }
}

fn column<T>(wanted: bool, rows: &[super::state::Row], of: impl Fn(&super::state::Row) -> T) -> Vec<T> {
    if wanted { rows.iter().map(of).collect() } else { Vec::new() }
}

const CHUNK: usize = 16_384;

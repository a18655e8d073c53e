//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9). The EXPUNGE responses are told by the sync that
//! follows.

use kontor_imap_proto::{Code, SequenceSet};
use kontor_storage_client::proto;

use crate::{
    ranges,
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    pub async fn expunge(&mut self, set: Option<SequenceSet>) -> Result<Reply, Failure> {
        let desk = self.desk()?;
        if desk.selected.read_only {
            return Err(Reply::no(Code::ReadOnly, "The mailbox is read-only").into());
        }
        let uid_ranges = match set {
            None => Vec::new(),
            Some(set) => {
                let (uids, count) = desk.selected.resolve(&set, true)?;
                if count == 0 {
                    return Ok(Reply::ok("Nothing to expunge"));
                }
                ranges::flat(&uids)
            }
        };
        let request = proto::ExpungeRequest {
            mailbox_id: desk.selected.mailbox_id,
            folder_id: desk.selected.folder_id,
            uid_ranges,
            only_flagged_deleted: true,
            hard: false,
        };
        desk.account.store.expunge(request).await?;
        Ok(Reply::ok("Expunged"))
    }
}

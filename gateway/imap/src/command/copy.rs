//! COPY and MOVE, plain and by UID (RFC 9051 §6.4.7, §6.4.8).

use kontor_imap_proto::{Code, Status, command::copy::Copy};
use kontor_storage_client::proto;

use crate::{
    ranges,
    reply::{Failure, Reply, ReplyCode},
    session::Session,
    tree::Tree,
};

impl Session {
    pub async fn copy(&mut self, copy: Copy) -> Result<Reply, Failure> {
        let Some(done) = self.transfer(copy, false).await? else { return Ok(Reply::ok("Nothing to copy")) };
        if done.uids.is_empty() {
            return Ok(Reply::ok("Nothing to copy"));
        }
        Ok(Reply::ok_with(ReplyCode::CopyUid(done.to_uid_validity, done.uids, done.to_uids), "Copied"))
    }

    /// MOVE tells COPYUID before the EXPUNGE responses (RFC 6851 §4.3), which the sync that follows tells.
    pub async fn relocate(&mut self, copy: Copy) -> Result<Reply, Failure> {
        let Some(done) = self.transfer(copy, true).await? else { return Ok(Reply::ok("Nothing to move")) };
        if !done.uids.is_empty() {
            let code = Code::CopyUid(done.to_uid_validity, &done.uids, &done.to_uids);
            self.wire.encoder().untagged(Status::Ok, Some(code), "Moved");
        }
        Ok(Reply::ok("Moved"))
    }

    async fn transfer(&mut self, copy: Copy, relocate: bool) -> Result<Option<proto::CopyResponse>, Failure> {
        let desk = self.desk()?;
        if relocate && desk.selected.read_only {
            return Err(Reply::no(Code::ReadOnly, "The mailbox is read-only").into());
        }
        let (uids, count) = desk.selected.resolve(&copy.set, copy.uid)?;
        let tree = Tree::load(&desk.account).await?;
        let Some(target) = tree.get(&copy.mailbox) else {
            return Err(Reply::no(Code::TryCreate, "No such mailbox").into());
        };
        if count == 0 {
            return Ok(None);
        }
        let request = proto::CopyRequest {
            mailbox_id: desk.selected.mailbox_id,
            folder_id: desk.selected.folder_id,
            uid_ranges: ranges::flat(&uids),
            to_mailbox_id: desk.account.mailbox_id,
            to_folder_id: target.folder.folder_id,
            r#move: relocate,
        };
        let into_itself = target.folder.folder_id == desk.selected.folder_id;
        let done = desk.account.store.copy(request).await?;
        // The event may come later than the client's next command.
        desk.selected.stale |= into_itself;
        Ok(Some(done))
    }
}

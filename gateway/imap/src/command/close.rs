//! CLOSE and UNSELECT (RFC 9051 §6.4.1, §6.4.2).

use kontor_storage_client::proto;

use crate::{
    reply::{Failure, Reply},
    session::Session,
};

impl Session {
    /// Removes what is flagged `\Deleted` without telling, and leaves.
    pub async fn close(&mut self) -> Result<Reply, Failure> {
        let desk = self.desk()?;
        let read_only = desk.selected.read_only;
        let request = proto::ExpungeRequest {
            mailbox_id: desk.selected.mailbox_id,
            folder_id: desk.selected.folder_id,
            uid_ranges: Vec::new(),
            only_flagged_deleted: true,
            hard: false,
        };
        let account = desk.account;
        self.leave();
        if !read_only {
            account.store.expunge(request).await?;
        }
        Ok(Reply::ok("Closed"))
    }

    /// Leaves.
    pub fn unselect(&mut self) -> Result<Reply, Failure> {
        self.desk()?;
        self.leave();
        Ok(Reply::ok("Unselected"))
    }
}

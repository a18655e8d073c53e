//! DELETE (RFC 9051 §6.3.5).

use kontor_imap_proto::{Code, MailboxName};

use crate::{
    reply::{Failure, Reply},
    session::{Session, State},
    tree::Tree,
};

impl Session {
    pub async fn delete(&mut self, mailbox: MailboxName) -> Result<Reply, Failure> {
        let account = self.account()?;
        if mailbox.is_inbox() {
            return Err(Reply::no(Code::Cannot, "INBOX cannot be deleted").into());
        }
        let tree = Tree::load(&account).await?;
        let Some(found) = tree.get(&mailbox) else {
            return Err(Reply::no(Code::Nonexistent, "No such mailbox").into());
        };
        if tree.has_children(mailbox.as_str()) {
            return Err(Reply::no(Code::HasChildren, "There are mailboxes below it").into());
        }
        let folder_id = found.folder.folder_id;
        account.store.delete_folder(account.mailbox_id, folder_id).await?;
        if matches!(&self.state, State::Selected(_, selected) if selected.folder_id == folder_id) {
            self.leave();
        }
        Ok(Reply::ok("Deleted"))
    }
}

//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8). A subscription is a property of the folder, so
//! that only mailboxes that exist can have one.

use kontor_imap_proto::{Code, MailboxName};
use kontor_storage_client::proto;

use crate::{
    reply::{Failure, Reply},
    session::Session,
    tree::Tree,
};

impl Session {
    pub async fn subscribe(&mut self, mailbox: MailboxName, subscribed: bool) -> Result<Reply, Failure> {
        let account = self.account()?;
        let tree = Tree::load(&account).await?;
        match tree.get(&mailbox) {
            Some(found) if found.folder.subscribed != subscribed => {
                let request = proto::UpdateFolderRequest {
                    mailbox_id: account.mailbox_id,
                    folder_id: found.folder.folder_id,
                    subscribed: Some(subscribed),
                    ..Default::default()
                };
                account.store.update_folder(request).await?;
            }
            None if subscribed => return Err(Reply::no(Code::Nonexistent, "No such mailbox").into()),
            _ => {}
        }
        Ok(Reply::ok(if subscribed { "Subscribed" } else { "Unsubscribed" }))
    }
}

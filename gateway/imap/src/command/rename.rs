//! RENAME (RFC 9051 §6.3.6).

use kontor_imap_proto::{Code, MailboxName, command::rename::Rename};
use kontor_model::FolderRole;
use kontor_storage_client::proto;

use super::create::{check_name, make, make_parents};
use crate::{
    reply::{Failure, Reply},
    session::Session,
    tree::Tree,
};

impl Session {
    pub async fn rename(&mut self, rename: Rename) -> Result<Reply, Failure> {
        let account = self.account()?;
        let (from, to) = (rename.from.as_str(), rename.to.as_str());
        let to = to.strip_suffix('/').unwrap_or(to);
        check_name(to)?;
        let tree = Tree::load(&account).await?;
        let Some(found) = tree.find(from) else {
            return Err(Reply::no(Code::Nonexistent, "No such mailbox").into());
        };
        if tree.get(&MailboxName::new(to)).is_some() {
            return Err(Reply::no(Code::AlreadyExists, "A mailbox has this name already").into());
        }
        if to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) && !rename.from.is_inbox() {
            return Err(Reply::no(Code::Cannot, "A mailbox cannot go below itself").into());
        }
        let (parent_id, name) = make_parents(&account, &tree, to).await?;
        if rename.from.is_inbox() {
            // INBOX stays; its messages go (RFC 9051 §6.3.6).
            let target = make(&account, parent_id, name, FolderRole::None).await?;
            let request = proto::CopyRequest {
                mailbox_id: account.mailbox_id,
                folder_id: found.folder.folder_id,
                uid_ranges: vec![1, u32::MAX],
                to_mailbox_id: account.mailbox_id,
                to_folder_id: target.folder_id,
                r#move: true,
            };
            account.store.copy(request).await?;
        } else {
            let request = proto::UpdateFolderRequest {
                mailbox_id: account.mailbox_id,
                folder_id: found.folder.folder_id,
                parent_id: Some(parent_id),
                name: Some(name.to_owned()),
                ..Default::default()
            };
            account.store.update_folder(request).await?;
        }
        Ok(Reply::ok("Renamed"))
    }
}

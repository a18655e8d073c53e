//! CREATE (RFC 9051 §6.3.4, RFC 6154 §3).

use kontor_imap_proto::{Code, SpecialUse, command::create::Create};
use kontor_model::FolderRole;
use kontor_storage_client::{StoreError, proto};

use crate::{
    reply::{Failure, Reply, ReplyCode},
    session::{Account, Session},
    tree::Tree,
};

impl Session {
    pub async fn create(&mut self, create: Create) -> Result<Reply, Failure> {
        let account = self.account()?;
        let role = match create.special_use.as_slice() {
            [] => FolderRole::None,
            [one] => role_of(*one).ok_or_else(|| Reply::no(Code::UseAttr, "This use cannot be given"))?,
            _ => return Err(Reply::no(Code::UseAttr, "A mailbox has one use").into()),
        };
        let path = create.mailbox.as_str();
        // A client that means to make mailboxes below says so with a separator at the end.
        let path = path.strip_suffix('/').unwrap_or(path);
        check_name(path)?;
        let tree = Tree::load(&account).await?;
        if tree.find(path).is_some() {
            return Err(Reply::no(Code::AlreadyExists, "The mailbox exists already").into());
        }
        let (parent_id, name) = make_parents(&account, &tree, path).await?;
        let made = make(&account, parent_id, name, role).await;
        let folder = match made {
            Err(StoreError::Exists(_) | StoreError::Conflict(_) | StoreError::Invalid(_))
                if role != FolderRole::None =>
            {
                return Err(Reply::no(Code::UseAttr, "Another mailbox has this use").into());
            }
            other => other?,
        };
        Ok(Reply::ok_with(ReplyCode::Plain(Code::MailboxId(folder.folder_id)), "Created"))
    }
}

/// Makes a folder for mail.
pub(super) async fn make(
    account: &Account,
    parent_id: u64,
    name: &str,
    role: FolderRole,
) -> Result<proto::Folder, StoreError> {
    let request = proto::CreateFolderRequest {
        mailbox_id: account.mailbox_id,
        parent_id,
        name: name.to_owned(),
        role: role.code().into(),
        container_class: "IPF.Note".to_owned(),
        ..Default::default()
    };
    account.store.create_folder(request).await
}

/// Makes every folder that is missing above `path`; gives the parent and the last level's name.
pub(super) async fn make_parents<'p>(
    account: &Account,
    tree: &Tree,
    path: &'p str,
) -> Result<(u64, &'p str), Failure> {
    let Some((above, name)) = path.rsplit_once('/') else { return Ok((0, path)) };
    let mut parent_id = 0;
    let mut missing = false;
    let ends = above.match_indices('/').map(|(at, _)| at).chain([above.len()]);
    let mut start = 0;
    for end in ends {
        let level = above.get(start..end).unwrap_or_default();
        start = end + 1;
        if !missing {
            match tree.find(above.get(..end).unwrap_or_default()) {
                Some(mailbox) => {
                    parent_id = mailbox.folder.folder_id;
                    continue;
                }
                None => missing = true,
            }
        }
        parent_id = make(account, parent_id, level, FolderRole::None).await?.folder_id;
    }
    Ok((parent_id, name))
}

/// Names that no folder can have.
pub(super) fn check_name(path: &str) -> Result<(), Failure> {
    if path.is_empty() || path.split('/').any(str::is_empty) {
        return Err(Reply::no(Code::Cannot, "A level of the name is empty").into());
    }
    Ok(())
}

fn role_of(special_use: SpecialUse) -> Option<FolderRole> {
    FolderRole::from_special_use(special_use.as_str())
}

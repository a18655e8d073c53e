//! The store's folders as IMAP mailboxes: paths for names, INBOX at its place.

use std::collections::HashMap;

use kontor_imap_proto::{MailboxName, SpecialUse};
use kontor_model::FolderRole;
use kontor_storage_client::proto;

use crate::reply::Failure;
use crate::session::Account;

/// Every mailbox of an account that IMAP shows.
#[derive(Debug, Default)]
pub struct Tree {
    /// By name.
    mailboxes: Vec<Mailbox>,
    /// The last change of any name, when it was read.
    hierarchy_cn: u64,
}

/// Which folder is behind a name, remembered from a [`Tree`]. True for as long as the store's `hierarchy_cn` is the
/// same, which the store checks where it counts.
#[derive(Debug, Default)]
pub struct Places {
    ids: Vec<(Box<str>, u64)>,
    hierarchy_cn: u64,
}

impl Places {
    /// The folder, and the number to send with it.
    pub fn get(&self, name: &MailboxName) -> Option<(u64, u64)> {
        let found = self.ids.iter().find(|(path, _)| **path == *name.as_str());
        found.map(|(_, id)| (*id, self.hierarchy_cn))
    }
}

/// One mailbox.
#[derive(Debug)]
pub struct Mailbox {
    /// Its whole name, `/` between levels.
    pub path: String,
    /// The folder behind it.
    pub folder: proto::Folder,
}

impl Mailbox {
    /// What it is for.
    pub fn role(&self) -> FolderRole {
        role(&self.folder)
    }

    /// Its special use (RFC 6154).
    pub fn special_use(&self) -> Option<SpecialUse> {
        match self.role() {
            FolderRole::Sent => Some(SpecialUse::Sent),
            FolderRole::Drafts => Some(SpecialUse::Drafts),
            FolderRole::Junk => Some(SpecialUse::Junk),
            FolderRole::Trash => Some(SpecialUse::Trash),
            FolderRole::Archive => Some(SpecialUse::Archive),
            _ => None,
        }
    }

    /// HIGHESTMODSEQ, which is above zero.
    pub fn highest_mod_seq(&self) -> u64 {
        self.folder.highest_cn.max(1)
    }
}

impl Tree {
    /// Asks the store.
    pub async fn load(account: &Account) -> Result<Self, Failure> {
        let answer = account.store.list_folders(account.mailbox_id, 0).await?;
        Ok(Self { hierarchy_cn: answer.hierarchy_cn, ..Self::new(answer.folders) })
    }

    /// Names folders.
    pub fn new(folders: Vec<proto::Folder>) -> Self {
        let by_id: HashMap<u64, &proto::Folder> = folders.iter().map(|f| (f.folder_id, f)).collect();
        let paths: Vec<Option<String>> = folders.iter().map(|f| path(f, &by_id)).collect();
        let mut mailboxes: Vec<Mailbox> = folders
            .into_iter()
            .zip(paths)
            .filter_map(|(folder, path)| path.map(|path| Mailbox { path, folder }))
            .collect();
        mailboxes.sort_by(|a, b| (a.path != "INBOX", &a.path).cmp(&(b.path != "INBOX", &b.path)));
        Self { mailboxes, hierarchy_cn: 0 }
    }

    /// Only names and ids, to be kept.
    pub fn places(&self) -> Places {
        let ids = self.mailboxes.iter().map(|m| (m.path.as_str().into(), m.folder.folder_id)).collect();
        Places { ids, hierarchy_cn: self.hierarchy_cn }
    }

    /// Every mailbox, INBOX first.
    pub fn iter(&self) -> std::slice::Iter<'_, Mailbox> {
        self.mailboxes.iter()
    }

    /// The mailbox of a name.
    pub fn get(&self, name: &MailboxName) -> Option<&Mailbox> {
        self.find(name.as_str())
    }

    /// The mailbox of a path.
    pub fn find(&self, path: &str) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|m| m.path == path)
    }

    /// Whether there are mailboxes below a path.
    pub fn has_children(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    /// The mailboxes below a path, on any level.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Mailbox> {
        self.mailboxes
            .iter()
            .filter(move |m| m.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn role(folder: &proto::Folder) -> FolderRole {
    u8::try_from(folder.role).ok().and_then(FolderRole::from_code).unwrap_or_default()
}

/// Roots of the tree do not show in paths.
fn is_root(folder: &proto::Folder) -> bool {
    matches!(role(folder), FolderRole::Root | FolderRole::IpmSubtree)
}

/// Folders that are no mailboxes: what is not mail, and what a mailbox keeps for itself.
fn is_hidden(folder: &proto::Folder) -> bool {
    let own = matches!(
        role(folder),
        FolderRole::Outbox
            | FolderRole::RecoverableItems
            | FolderRole::SearchRoot
            | FolderRole::PersonalViews
            | FolderRole::CommonViews
            | FolderRole::DeferredActions
            | FolderRole::SpoolerQueue
            | FolderRole::Configuration
            | FolderRole::FreeBusy
            | FolderRole::SyncIssues
    );
    let class = folder.container_class.as_str();
    let mail = class.is_empty()
        || class.get(..8).is_some_and(|c| c.eq_ignore_ascii_case("IPF.Note"))
            && !matches!(class.as_bytes().get(8), Some(b) if *b != b'.');
    own || !mail
}

/// A folder's path, none if it or a folder above it does not show.
fn path(folder: &proto::Folder, by_id: &HashMap<u64, &proto::Folder>) -> Option<String> {
    let mut names = Vec::new();
    let mut at = folder;
    loop {
        if is_root(at) {
            break;
        }
        if is_hidden(at) || names.len() > DEEPEST {
            return None;
        }
        if role(at) == FolderRole::Inbox {
            names.push("INBOX");
            break;
        }
        names.push(at.name.as_str());
        match by_id.get(&at.parent_id) {
            Some(parent) => at = parent,
            None => break,
        }
    }
    names.reverse();
    let path = names.join("/");
    (!path.is_empty()).then_some(path)
}

const DEEPEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(id: u64, parent: u64, name: &str, role: FolderRole) -> proto::Folder {
        proto::Folder {
            folder_id: id,
            parent_id: parent,
            name: name.into(),
            role: role.code().into(),
            container_class: role.container_class().into(),
            ..Default::default()
        }
    }

    #[test]
    fn paths_of_folders() {
        let tree = Tree::new(vec![
            folder(1, 0, "Top", FolderRole::IpmSubtree),
            folder(2, 1, "Posteingang", FolderRole::Inbox),
            folder(3, 2, "Sub", FolderRole::None),
            folder(4, 1, "Calendar", FolderRole::Calendar),
            folder(5, 4, "Below", FolderRole::None),
            folder(6, 1, "Archive", FolderRole::Archive),
            folder(7, 99, "Orphan", FolderRole::None),
        ]);
        let paths: Vec<&str> = tree.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(paths, ["INBOX", "Archive", "INBOX/Sub", "Orphan"]);
        assert!(tree.has_children("INBOX") && !tree.has_children("Archive"));
        assert_eq!(tree.find("Archive").and_then(Mailbox::special_use), Some(SpecialUse::Archive));
    }
}

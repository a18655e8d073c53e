//! The collections of a person: which folders are calendars and address books, and what they are called.

use std::sync::Arc;

use kontor_dav_proto::{Element, Name};
use kontor_model::FolderRole;
use kontor_model::time_zone::TimeZone;
use kontor_storage_client::Place as StorePlace;
use kontor_storage_client::proto::{Folder, Lock, OpenResponse, Quota, Rights};

use crate::derived::Source;
use crate::guest::Guest;
use crate::kept::Kept;
use crate::place::{Place, Tree};
use crate::subscription::Subscription;

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    Events,
    Tasks,
    Journals,
    Cards,
    /// Messages about meetings (RFC 6638 §2.2).
    Inbox,
}

impl Holds {
    /// What a folder of this class holds (MS-OXOSFLD 2.2.6); `None` for one that is no collection.
    pub fn of_class(class: &str) -> Option<Self> {
        let is = |known: &str| {
            class.eq_ignore_ascii_case(known)
                || class
                    .get(..=known.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(&format!("{known}.")))
        };
        [Self::Events, Self::Tasks, Self::Journals, Self::Cards, Self::Inbox]
            .into_iter()
            .find(|holds| is(holds.class()))
    }

    /// PidTagContainerClass
    pub const fn class(self) -> &'static str {
        match self {
            Self::Events => FolderRole::Calendar.container_class(),
            Self::Tasks => FolderRole::Tasks.container_class(),
            Self::Journals => FolderRole::Journal.container_class(),
            Self::Cards => FolderRole::Contacts.container_class(),
            Self::Inbox => FolderRole::SchedulingInbox.container_class(),
        }
    }

    pub const fn tree(self) -> Tree {
        match self {
            Self::Cards => Tree::AddressBooks,
            _ => Tree::Calendars,
        }
    }

    /// The components that it holds where nobody has said otherwise; empty for cards.
    const fn components(self) -> &'static [&'static str] {
        match self {
            Self::Events => &["VEVENT"],
            Self::Tasks => &["VTODO"],
            Self::Journals => &["VJOURNAL"],
            Self::Cards => &[],
            Self::Inbox => &["VEVENT", "VTODO"],
        }
    }
}

/// A calendar or an address book.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub folder: Folder,
    pub holds: Holds,
    /// The address of whose home it is in.
    pub home: String,
    /// The address of its owner, and how they are called.
    pub owner: String,
    pub owner_name: String,
    /// What it is for a guest, in their own home.
    pub guest: Option<Guest>,
    pub slug: String,
    pub kept: Kept,
    pub mailbox_id: u64,
    pub tenant_id: u64,
    pub quota: Option<Quota>,
    /// Of its mailbox.
    pub locks: Arc<[Lock]>,
    /// When its owner can be met at all, where it is they who ask (RFC 7953).
    pub availability: Arc<str>,
    pub source: Source,
}

impl Collection {
    pub fn place(&self) -> Place {
        Place::Collection(self.holds.tree(), self.home.clone(), self.slug.clone())
    }

    pub fn item_place(&self, name: &str) -> Place {
        Place::Item(self.holds.tree(), self.home.clone(), self.slug.clone(), name.to_owned())
    }

    /// Where it is in the home of its owner; `None` where this is there.
    pub fn owner_place(&self) -> Option<Place> {
        let guest = self.guest.as_ref()?;
        Some(Place::Collection(self.holds.tree(), self.owner.clone(), guest.owner_slug.clone()))
    }

    /// How it is called. Guests have many calendars of one name, so that the owner is named too.
    pub fn display_name(&self) -> String {
        let Some(guest) = &self.guest else { return self.folder.name.clone() };
        let own = guest.kept.get(&Name::dav("displayname")).map(|name| name.text().trim().to_owned());
        let own = own.filter(|name| !name.is_empty());
        own.unwrap_or_else(|| format!("{} ({})", self.folder.name, self.owner_name))
    }

    /// Whether it is among those in which somebody may act for its owner.
    pub fn is_for_proxies(&self) -> bool {
        !matches!(self.holds, Holds::Cards | Holds::Inbox)
    }

    pub fn store_place(&self) -> StorePlace {
        StorePlace {
            mailbox_id: self.mailbox_id,
            tenant_id: self.tenant_id,
            folder_id: self.folder.folder_id,
            hierarchy_cn: 0,
        }
    }

    /// The calendar components that it takes (RFC 4791 §5.2.3).
    pub fn components(&self) -> Vec<String> {
        let said = self.kept.get(&Name::caldav("supported-calendar-component-set")).map(components_in);
        match said {
            Some(said) if !said.is_empty() => said,
            _ => self.holds.components().iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    pub fn may(&self, right: Rights) -> bool {
        self.folder.rights & right as u32 != 0
    }

    /// Names the state of its items (RFC 6578 §3.2); `None` where nobody knows it.
    pub fn sync_token(&self) -> Option<String> {
        match &self.source {
            Source::Folder => Some(sync_token(self.folder.folder_id, self.folder.highest_cn)),
            Source::Birthdays(birthdays) => Some(birthdays.token()),
            Source::Directory => None,
        }
    }

    /// The zone of floating times.
    pub fn time_zone(&self) -> TimeZone {
        self.kept.time_zone().unwrap_or_else(TimeZone::utc)
    }
}

/// The components that a `supported-calendar-component-set` names.
pub(crate) fn components_in(set: &Element) -> Vec<String> {
    let names = set.elements().filter(|comp| comp.name.local() == "comp");
    names.filter_map(|comp| comp.attribute("name")).map(str::to_ascii_uppercase).collect()
}

/// A name for a new folder of the topmost level. People may call several things the same, folders of one level may not.
pub(crate) fn free_name(folders: &[Folder], name: &str) -> String {
    let is_free = |name: &str| {
        !folders.iter().any(|folder| folder.parent_id == 0 && folder.name.eq_ignore_ascii_case(name))
    };
    let names = (2..100).map(|n| format!("{name} ({n})"));
    [name.to_owned()].into_iter().chain(names).find(|name| is_free(name)).unwrap_or_else(|| name.to_owned())
}

/// The token of a folder's state.
pub(crate) fn sync_token(folder_id: u64, cn: u64) -> String {
    format!("{TOKEN}{folder_id}:{cn}")
}

/// The change number in a token of this folder.
pub(crate) fn change_number_in(token: &str, folder_id: u64) -> Option<u64> {
    let (folder, cn) = token.strip_prefix(TOKEN)?.split_once(':')?;
    (folder.parse() == Ok(folder_id)).then(|| cn.parse().ok()).flatten()
}

/// The collections of an open mailbox, in both trees; none that is in the trash.
pub(crate) fn collections(opened: OpenResponse) -> Vec<Collection> {
    let OpenResponse {
        mailbox_id,
        tenant_id,
        address,
        display_name,
        folders,
        quota,
        locks,
        availability,
        ..
    } = opened;
    let owner_name = if display_name.is_empty() { address.clone() } else { display_name };
    let availability: Arc<str> = availability.into();
    let locks: Arc<[Lock]> = locks.into();
    let parents: std::collections::HashMap<u64, (u64, u32)> =
        folders.iter().map(|folder| (folder.folder_id, (folder.parent_id, folder.role))).collect();
    let is_trashed = |folder: &Folder| {
        let mut at = folder.parent_id;
        for _ in 0..=parents.len() {
            match parents.get(&at) {
                Some((_, role)) if *role == u32::from(FolderRole::Trash.code()) => return true,
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
        true
    };
    let live: Vec<Folder> = folders.iter().filter(|folder| !is_trashed(folder)).cloned().collect();
    live.into_iter()
        .filter_map(|mut folder| {
            let holds = Holds::of_class(&folder.container_class)?;
            let kept = Kept::read(&folder.properties);
            if Subscription::of(&kept).is_some() {
                let changes = [Rights::Create, Rights::Edit, Rights::Delete];
                folder.rights &= !changes.into_iter().fold(0, |all, right| all | right as u32);
            }
            Some(Collection {
                slug: slug_of(&folder),
                kept,
                holds,
                home: address.clone(),
                owner: address.clone(),
                owner_name: owner_name.clone(),
                guest: None,
                mailbox_id,
                tenant_id,
                quota,
                locks: locks.clone(),
                availability: availability.clone(),
                source: Source::Folder,
                folder,
            })
        })
        .collect()
}

/// What a folder is called in paths: as its client chose, or by its role, or by its number.
pub(crate) fn slug_of(folder: &Folder) -> String {
    if !folder.slug.is_empty() {
        return folder.slug.clone();
    }
    let role = u8::try_from(folder.role).ok().and_then(FolderRole::from_code).unwrap_or_default();
    match role {
        FolderRole::Calendar => "calendar".to_owned(),
        FolderRole::Tasks => "tasks".to_owned(),
        FolderRole::Journal => "journal".to_owned(),
        FolderRole::Contacts => "contacts".to_owned(),
        FolderRole::SuggestedContacts => "suggested".to_owned(),
        FolderRole::SchedulingInbox => INBOX.to_owned(),
        _ => format!("folder-{}", folder.folder_id),
    }
}

/// The last part of the paths of scheduling collections. No calendar can be called so.
pub(crate) const INBOX: &str = "inbox";
pub(crate) const OUTBOX: &str = "outbox";
const TOKEN: &str = "urn:kontor:sync:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_what_they_hold() {
        assert_eq!(Holds::of_class("IPF.Appointment"), Some(Holds::Events));
        assert_eq!(Holds::of_class("ipf.contact.moc.quickcontacts"), Some(Holds::Cards));
        for other in ["IPF.Note", "", "IPF.Taskrequest", "IPF.StickyNote", "\u{e4}PF.Task"] {
            assert_eq!(Holds::of_class(other), None, "{other}");
        }
    }

    #[test]
    fn tokens_are_of_their_folder() {
        let token = sync_token(7, 41);
        assert_eq!(change_number_in(&token, 7), Some(41));
        assert_eq!(change_number_in(&token, 8), None);
        for bad in ["", "urn:kontor:sync:", "urn:kontor:sync:7", "urn:kontor:sync:7:x", "http://x/7:41"] {
            assert_eq!(change_number_in(bad, 7), None, "{bad}");
        }
    }

    #[test]
    fn what_is_in_the_trash_is_no_collection() {
        let folder = |folder_id, parent_id, role: FolderRole, class: &str, slug: &str| Folder {
            folder_id,
            parent_id,
            role: role.code().into(),
            container_class: class.to_owned(),
            slug: slug.to_owned(),
            ..Folder::default()
        };
        let opened = OpenResponse {
            address: "a@x".to_owned(),
            folders: vec![
                folder(1, 0, FolderRole::Trash, "IPF.Note", ""),
                folder(2, 1, FolderRole::None, "IPF.Note", ""),
                folder(3, 2, FolderRole::None, "IPF.Appointment", "gone"),
                folder(4, 0, FolderRole::Calendar, "IPF.Appointment", ""),
                folder(5, 4, FolderRole::None, "IPF.Appointment", "work"),
                folder(6, 0, FolderRole::None, "IPF.Contact", ""),
            ],
            ..OpenResponse::default()
        };
        let slugs: Vec<String> = collections(opened).into_iter().map(|found| found.slug).collect();
        assert_eq!(slugs, ["calendar", "work", "folder-6"]);
    }
}

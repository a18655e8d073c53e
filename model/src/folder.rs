//! Folder roles: the well-known folders of a mailbox, the same for every protocol.

use std::fmt;

/// What a folder is for. A role other than [`FolderRole::None`] occurs at most once in a mailbox.
///
/// The code ([`FolderRole::code`]) is stored; it never changes its meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FolderRole {
    /// An ordinary folder.
    #[default]
    None = 0,
    /// The root of the mailbox's whole tree; never shown by a mail protocol.
    Root = 1,
    /// What people see as the top of their mailbox ("Top of Information Store").
    IpmSubtree = 2,
    /// `INBOX`.
    Inbox = 3,
    /// Messages on their way out.
    Outbox = 4,
    /// Copies of what was sent.
    Sent = 5,
    /// Drafts.
    Drafts = 6,
    /// Deleted items.
    Trash = 7,
    /// Junk.
    Junk = 8,
    /// Archive.
    Archive = 9,
    /// The default calendar.
    Calendar = 10,
    /// The default contacts folder.
    Contacts = 11,
    /// The default task list.
    Tasks = 12,
    /// Notes.
    Notes = 13,
    /// Journal.
    Journal = 14,
    /// Soft-deleted items until the retention ends (MS-OXCFOLD: the dumpster).
    RecoverableItems = 15,
    /// The parent of search folders (MS-OXOSFLD, Finder).
    SearchRoot = 16,
    /// View definitions of the person.
    PersonalViews = 17,
    /// View definitions of the mailbox.
    CommonViews = 18,
    /// Messages whose delivery is put off, and rule errors.
    DeferredActions = 19,
    /// Messages handed over for sending.
    SpoolerQueue = 20,
    /// Configuration of this person's clients and devices.
    Configuration = 21,
    /// Free/busy data kept by MAPI clients.
    FreeBusy = 22,
    /// People suggested from sent mail.
    SuggestedContacts = 23,
    /// Conflicts and other synchronization trouble.
    SyncIssues = 24,
    /// History of instant messages.
    ConversationHistory = 25,
    /// Messages about meetings, for calendar clients (RFC 6638 §2.2).
    SchedulingInbox = 26,
}

/// A folder that a new mailbox is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WellKnownFolder {
    /// Its role.
    pub role: FolderRole,
    /// The role of the folder that it is in; `None` for the root.
    pub parent: Option<FolderRole>,
}

impl FolderRole {
    /// Every role, by code.
    pub const ALL: [Self; 27] = [
        Self::None,
        Self::Root,
        Self::IpmSubtree,
        Self::Inbox,
        Self::Outbox,
        Self::Sent,
        Self::Drafts,
        Self::Trash,
        Self::Junk,
        Self::Archive,
        Self::Calendar,
        Self::Contacts,
        Self::Tasks,
        Self::Notes,
        Self::Journal,
        Self::RecoverableItems,
        Self::SearchRoot,
        Self::PersonalViews,
        Self::CommonViews,
        Self::DeferredActions,
        Self::SpoolerQueue,
        Self::Configuration,
        Self::FreeBusy,
        Self::SuggestedContacts,
        Self::SyncIssues,
        Self::ConversationHistory,
        Self::SchedulingInbox,
    ];

    /// The folders that a mailbox is made with, parents before children.
    pub const WELL_KNOWN: [WellKnownFolder; 22] = [
        WellKnownFolder { role: Self::Root, parent: None },
        in_root(Self::IpmSubtree),
        visible(Self::Inbox),
        visible(Self::Outbox),
        visible(Self::Sent),
        visible(Self::Drafts),
        visible(Self::Trash),
        visible(Self::Junk),
        visible(Self::Archive),
        visible(Self::Calendar),
        visible(Self::Contacts),
        visible(Self::Tasks),
        visible(Self::Notes),
        visible(Self::Journal),
        in_root(Self::RecoverableItems),
        in_root(Self::SearchRoot),
        in_root(Self::PersonalViews),
        in_root(Self::CommonViews),
        in_root(Self::DeferredActions),
        in_root(Self::SpoolerQueue),
        in_root(Self::Configuration),
        visible(Self::SchedulingInbox),
    ];

    /// The stored code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The role with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Its special-use attribute in IMAP LIST (RFC 6154 §2), where it has one.
    pub const fn special_use(self) -> Option<&'static str> {
        match self {
            Self::Sent => Some("\\Sent"),
            Self::Drafts => Some("\\Drafts"),
            Self::Junk => Some("\\Junk"),
            Self::Trash => Some("\\Trash"),
            Self::Archive => Some("\\Archive"),
            _ => None,
        }
    }

    /// The role that a special-use attribute asks for; attributes do not heed case.
    pub fn from_special_use(attribute: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.special_use().is_some_and(|name| name.eq_ignore_ascii_case(attribute)))
    }

    /// PidTagContainerClass (MS-OXOSFLD 2.2.6) of a folder with this role.
    pub const fn container_class(self) -> &'static str {
        match self {
            Self::Calendar => "IPF.Appointment",
            Self::Contacts | Self::SuggestedContacts => "IPF.Contact",
            Self::Tasks => "IPF.Task",
            Self::Notes => "IPF.StickyNote",
            Self::Journal => "IPF.Journal",
            Self::Configuration => "IPF.Configuration",
            Self::SchedulingInbox => "IPF.SchedulingInbox",
            _ => "IPF.Note",
        }
    }

    /// The name that the folder gets when the mailbox is made. Clients may rename all but the inbox.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Root => "Root",
            Self::IpmSubtree => "Top of Information Store",
            Self::Inbox => "Inbox",
            Self::Outbox => "Outbox",
            Self::Sent => "Sent",
            Self::Drafts => "Drafts",
            Self::Trash => "Trash",
            Self::Junk => "Junk",
            Self::Archive => "Archive",
            Self::Calendar => "Calendar",
            Self::Contacts => "Contacts",
            Self::Tasks => "Tasks",
            Self::Notes => "Notes",
            Self::Journal => "Journal",
            Self::RecoverableItems => "Recoverable Items",
            Self::SearchRoot => "Finder",
            Self::PersonalViews => "Views",
            Self::CommonViews => "Common Views",
            Self::DeferredActions => "Deferred Action",
            Self::SpoolerQueue => "Spooler Queue",
            Self::Configuration => "Configuration",
            Self::FreeBusy => "Freebusy Data",
            Self::SuggestedContacts => "Suggested Contacts",
            Self::SyncIssues => "Sync Issues",
            Self::ConversationHistory => "Conversation History",
            Self::SchedulingInbox => "Scheduling Inbox",
        }
    }

    /// Whether an IMAP client lists a folder with this role: it is in the visible tree and it holds mail.
    pub fn is_mail(self) -> bool {
        self.container_class() == "IPF.Note"
            && !matches!(
                self,
                Self::Root
                    | Self::IpmSubtree
                    | Self::RecoverableItems
                    | Self::SearchRoot
                    | Self::PersonalViews
                    | Self::CommonViews
                    | Self::DeferredActions
                    | Self::SpoolerQueue
                    | Self::FreeBusy
            )
    }

    /// Whether the folder must stay: it cannot be deleted or moved.
    pub fn is_fixed(self) -> bool {
        self != Self::None
    }
}

impl fmt::Display for FolderRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

const fn in_root(role: FolderRole) -> WellKnownFolder {
    WellKnownFolder { role, parent: Some(FolderRole::Root) }
}

const fn visible(role: FolderRole) -> WellKnownFolder {
    WellKnownFolder { role, parent: Some(FolderRole::IpmSubtree) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_positions() {
        for (code, role) in FolderRole::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(role.code()), code);
            assert_eq!(FolderRole::from_code(role.code()), Some(role));
        }
        assert_eq!(FolderRole::from_code(200), None);
    }

    #[test]
    fn parents_come_first_and_roles_occur_once() {
        let mut seen = Vec::new();
        for folder in FolderRole::WELL_KNOWN {
            assert!(!seen.contains(&folder.role));
            assert_eq!(folder.parent.is_none(), folder.role == FolderRole::Root);
            assert!(folder.parent.is_none_or(|parent| seen.contains(&parent)));
            seen.push(folder.role);
        }
        for role in FolderRole::ALL.into_iter().filter(|role| role.special_use().is_some()) {
            assert!(seen.contains(&role) && role.is_mail());
        }
    }

    #[test]
    fn special_use_reads_back() {
        assert_eq!(FolderRole::from_special_use("\\SENT"), Some(FolderRole::Sent));
        assert_eq!(FolderRole::from_special_use("\\All"), None);
    }
}

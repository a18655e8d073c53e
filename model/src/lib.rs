//! The groupware object model of Kontor: what every protocol means by a mailbox's folders and messages.
//!
//! It holds identifiers, flags, roles and message classes ([`ObjectId`], [`Flags`], [`FolderRole`],
//! [`MessageClass`]); MAPI properties ([`property`], MS-OXCDATA 2.11) and the message object with its conversions
//! from and to RFC 5322 ([`message`], MS-OXCMAIL); the MIME structure of a message ([`mime`], RFC 2045-2049) and the
//! form of it that IMAP serves without parsing again ([`imap_view`], RFC 9051 §7.5.2); iCalendar ([`icalendar`], RFC
//! 5545), what recurs ([`recurrence`], RFC 5545 §3.8.5) and time zones ([`time_zone`], RFC 5545 §3.6.5, MS-OXOCAL
//! 2.2.1.39); messages about meetings ([`scheduling`], RFC 5546, and [`calendar_item::from_itip`]) and notes ([`note`]);
//! vCards ([`vcard`], RFC 2426, RFC 6350) and the birthdays in them ([`birthday`]); and all of what a store wants to know
//! of an arriving message in one parse ([`Prepared`]). It is pure and synchronous: no I/O, no clock, no randomness.
//! It does not store anything and knows no protocol session.
//!
//! ```
//! use kontor_model::{Flags, FolderRole, SystemFlag};
//!
//! let flags = Flags::SEEN | Flags::FLAGGED;
//! assert_eq!(flags.system().map(SystemFlag::imap_name).collect::<Vec<_>>(), ["\\Seen", "\\Flagged"]);
//! assert_eq!(FolderRole::Sent.special_use(), Some("\\Sent"));
//! ```

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]
#![warn(missing_docs)]

pub mod availability;
pub mod birthday;
pub mod booking;
pub mod calendar_item;
pub mod contact;
pub mod free_busy;
pub mod icalendar;
pub mod imap_view;
pub mod message;
pub mod mime;
pub mod note;
pub mod property;
pub mod recurrence;
pub mod scheduling;
pub mod time_zone;
pub mod vcard;

mod class;
mod content_line;
mod flags;
mod fold;
mod folder;
mod global_object_id;
mod ids;
mod little_endian;
mod one_off_entry_id;
mod prepare;
mod subject;
mod varint;

pub use class::MessageClass;
pub use flags::{Flags, SystemFlag};
pub use fold::fold;
pub use folder::{FolderRole, WellKnownFolder};
pub use global_object_id::{GlobalObjectId, GlobalObjectIdError};
pub use ids::{ChangeNumber, ContentId, FolderId, IdError, MailboxId, ObjectId, Uid, UidValidity};
pub use imap_view::ImapView;
pub use message::Message;
pub use one_off_entry_id::{OneOffEntryId, OneOffEntryIdError};
pub use prepare::{Importance, Prepared};
pub use subject::base_subject;

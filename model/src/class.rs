//! Message classes: what kind of item a message is (MS-OXCMSG 2.2.1.3).

use std::borrow::Cow;
use std::fmt;

/// PidTagMessageClass: dotted ASCII, compared without case, at most 255 bytes. `IPM.Note.SMIME` is a kind of
/// `IPM.Note`.
#[derive(Clone)]
pub struct MessageClass(Cow<'static, str>);

impl MessageClass {
    /// Mail.
    pub const NOTE: Self = Self(Cow::Borrowed("IPM.Note"));
    /// Mail that is encrypted or opaquely signed (MS-OXOSMIME).
    pub const NOTE_SMIME: Self = Self(Cow::Borrowed("IPM.Note.SMIME"));
    /// Mail with a clear signature (MS-OXOSMIME).
    pub const NOTE_SMIME_SIGNED: Self = Self(Cow::Borrowed("IPM.Note.SMIME.MultipartSigned"));
    /// An appointment.
    pub const APPOINTMENT: Self = Self(Cow::Borrowed("IPM.Appointment"));
    /// A meeting request or update.
    pub const MEETING_REQUEST: Self = Self(Cow::Borrowed("IPM.Schedule.Meeting.Request"));
    /// A meeting cancellation.
    pub const MEETING_CANCELED: Self = Self(Cow::Borrowed("IPM.Schedule.Meeting.Canceled"));
    /// A meeting was accepted.
    pub const MEETING_ACCEPTED: Self = Self(Cow::Borrowed("IPM.Schedule.Meeting.Resp.Pos"));
    /// A meeting was declined.
    pub const MEETING_DECLINED: Self = Self(Cow::Borrowed("IPM.Schedule.Meeting.Resp.Neg"));
    /// A meeting was accepted tentatively.
    pub const MEETING_TENTATIVE: Self = Self(Cow::Borrowed("IPM.Schedule.Meeting.Resp.Tent"));
    /// A contact.
    pub const CONTACT: Self = Self(Cow::Borrowed("IPM.Contact"));
    /// A personal distribution list.
    pub const DISTRIBUTION_LIST: Self = Self(Cow::Borrowed("IPM.DistList"));
    /// A task.
    pub const TASK: Self = Self(Cow::Borrowed("IPM.Task"));
    /// A task request.
    pub const TASK_REQUEST: Self = Self(Cow::Borrowed("IPM.TaskRequest"));
    /// A note.
    pub const STICKY_NOTE: Self = Self(Cow::Borrowed("IPM.StickyNote"));
    /// A journal entry.
    pub const ACTIVITY: Self = Self(Cow::Borrowed("IPM.Activity"));
    /// A post in a public folder.
    pub const POST: Self = Self(Cow::Borrowed("IPM.Post"));
    /// A document.
    pub const DOCUMENT: Self = Self(Cow::Borrowed("IPM.Document"));
    /// A delivery report (RFC 3464, action `delivered`).
    pub const REPORT_DELIVERED: Self = Self(Cow::Borrowed("REPORT.IPM.Note.DR"));
    /// A non-delivery report (RFC 3464, action `failed` or `delayed`).
    pub const REPORT_NOT_DELIVERED: Self = Self(Cow::Borrowed("REPORT.IPM.Note.NDR"));
    /// A read receipt (RFC 8098, disposition `displayed`).
    pub const REPORT_READ: Self = Self(Cow::Borrowed("REPORT.IPM.Note.IPNRN"));
    /// A non-read receipt (RFC 8098, disposition `deleted`).
    pub const REPORT_NOT_READ: Self = Self(Cow::Borrowed("REPORT.IPM.Note.IPNNRN"));

    /// A class from its text; `None` when it is empty, longer than 255 bytes, not printable ASCII, or begins or ends
    /// with a dot (MS-OXCMSG 2.2.1.3).
    pub fn new(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
        if text.is_empty() || text.len() > 255 || !printable || text.starts_with('.') || text.ends_with('.') {
            return None;
        }
        Some(Self(Cow::Owned(text.to_owned())))
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this class is `other` or a kind of it: `IPM.Note.SMIME` is an `IPM.Note`, `IPM.Notes` is not.
    pub fn is_a(&self, other: &Self) -> bool {
        let (own, prefix) = (self.0.as_bytes(), other.0.as_bytes());
        match own.split_at_checked(prefix.len()) {
            Some((head, rest)) => {
                head.eq_ignore_ascii_case(prefix) && matches!(rest.first(), None | Some(b'.'))
            }
            None => false,
        }
    }

    /// The class of what a client makes by default in a folder of this container class (`IPF.*`): the longest known
    /// prefix decides, anything unknown holds mail.
    pub fn default_for_container(container_class: &str) -> Self {
        let known = [
            ("IPF.Appointment", Self::APPOINTMENT),
            ("IPF.Contact", Self::CONTACT),
            ("IPF.Task", Self::TASK),
            ("IPF.StickyNote", Self::STICKY_NOTE),
            ("IPF.Journal", Self::ACTIVITY),
        ];
        let container = Self(Cow::Owned(container_class.to_owned()));
        known
            .into_iter()
            .find(|(prefix, _)| container.is_a(&Self(Cow::Borrowed(prefix))))
            .map_or(Self::NOTE, |(_, class)| class)
    }

    /// Whether the item is one that mail protocols show: mail, reports, posts, meeting and task traffic.
    pub fn is_mail(&self) -> bool {
        const MAIL: [&str; 5] = ["IPM.Note", "IPM.Post", "IPM.Schedule.Meeting", "IPM.TaskRequest", "REPORT"];
        MAIL.iter().any(|prefix| self.is_a(&Self(Cow::Borrowed(prefix))))
    }
}

impl Default for MessageClass {
    fn default() -> Self {
        Self::NOTE
    }
}

impl PartialEq for MessageClass {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for MessageClass {}

impl fmt::Display for MessageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MessageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_dotted_prefix() {
        let smime = MessageClass::new("ipm.note.SMIME.MultipartSigned").expect("valid");
        assert!(smime.is_a(&MessageClass::NOTE));
        assert_eq!(smime, MessageClass::NOTE_SMIME_SIGNED);
        assert!(!MessageClass::new("IPM.Notes").expect("valid").is_a(&MessageClass::NOTE));
        assert!(MessageClass::REPORT_NOT_DELIVERED.is_mail());
        assert!(!MessageClass::APPOINTMENT.is_mail());
    }

    #[test]
    fn malformed_classes_are_refused() {
        for text in ["", ".IPM", "IPM.", "IPM\u{e9}", "IPM\n"] {
            assert!(MessageClass::new(text).is_none(), "{text:?}");
        }
        assert!(MessageClass::new(&"a".repeat(256)).is_none());
    }

    #[test]
    fn containers_have_a_default_class() {
        assert_eq!(MessageClass::default_for_container("IPF.Contact.MOC"), MessageClass::CONTACT);
        assert_eq!(MessageClass::default_for_container("IPF.Note"), MessageClass::NOTE);
        assert_eq!(MessageClass::default_for_container(""), MessageClass::NOTE);
    }
}

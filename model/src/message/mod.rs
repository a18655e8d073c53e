//! The message object: class, properties, recipients and attachments (MS-OXCMSG 1.3), and its conversions from and to
//! RFC 5322 (MS-OXCMAIL).
//!
//! `from_mime(to_mime(m)) == m` holds for what mail uses, apart from the kept header text.

mod from_mime;
mod to_mime;

pub(crate) use to_mime::MeetingMail;
pub use to_mime::{MimeOptions, unstructured_field};

use crate::class::MessageClass;
use crate::mime::Limits;
use crate::property::{Bag, PropertyTag, tags};
use crate::subject::base_subject;

/// A message with everything in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// What kind of item it is.
    pub class: MessageClass,
    /// Its properties. Texts have CRLF line ends; the HTML body is UTF-8 with PidTagInternetCodepage 65001.
    pub properties: Bag,
    /// Whom it is to.
    pub recipients: Vec<Recipient>,
    /// Whom to answer, where that is not the author. MAPI shows them as PidTagReplyRecipientEntries.
    pub reply_to: Vec<Person>,
    /// Its attachments, in their order.
    pub attachments: Vec<Attachment>,
}

/// A name and an SMTP address. Either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Person {
    /// The display name.
    pub name: String,
    /// The SMTP address.
    pub address: String,
}

/// PidTagRecipientType (MS-OXOMSG 2.2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecipientKind {
    /// To
    To = 1,
    /// Cc
    Cc = 2,
    /// Bcc
    Bcc = 3,
}

impl RecipientKind {
    /// The stored code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this code, whatever resend flags come with it.
    pub fn from_code(code: u8) -> Option<Self> {
        match code & 0x0f {
            1 => Some(Self::To),
            2 => Some(Self::Cc),
            3 => Some(Self::Bcc),
            _ => None,
        }
    }
}

/// A recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient {
    /// In which field.
    pub kind: RecipientKind,
    /// Who it is.
    pub person: Person,
    /// What else is known of it.
    pub properties: Bag,
}

impl Recipient {
    /// A recipient without further properties.
    pub fn new(kind: RecipientKind, person: Person) -> Self {
        Self { kind, person, properties: Bag::new() }
    }
}

/// What an attachment holds (PidTagAttachMethod, MS-OXCMSG 2.2.2.9).
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `afByValue`: bytes.
    Bytes(Vec<u8>),
    /// `afEmbeddedMessage`
    Message(Box<Message>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

/// An attachment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attachment {
    /// What it holds.
    pub content: Content,
    /// PidTagAttachLongFilename
    pub file_name: Option<String>,
    /// PidTagAttachMimeTag, e.g. `image/png`; lowercase.
    pub mime_type: Option<String>,
    /// PidTagTextAttachmentCharset
    pub charset: Option<String>,
    /// PidTagAttachContentId, without angle brackets.
    pub content_id: Option<String>,
    /// PidTagAttachContentLocation
    pub content_location: Option<String>,
    /// Shown inside the HTML body rather than beside it (PidTagAttachmentHidden).
    pub inline: bool,
    /// What else is known of it.
    pub properties: Bag,
}

impl Message {
    /// Reads an RFC 5322 message. Never fails; see [`Limits`].
    pub fn from_mime(raw: &[u8], limits: &Limits) -> Self {
        from_mime::convert(raw, limits)
    }

    /// Writes an RFC 5322 message: 7-bit apart from internationalized addresses, lines of at most 998 bytes, CRLF.
    pub fn to_mime(&self, options: &MimeOptions) -> Vec<u8> {
        to_mime::convert(self, options)
    }

    /// The author (PidTagSentRepresenting*).
    pub fn from(&self) -> Option<Person> {
        self.person(tags::SENT_REPRESENTING_NAME, tags::SENT_REPRESENTING_SMTP_ADDRESS)
    }

    /// Who sent it (PidTagSender*).
    pub fn sender(&self) -> Option<Person> {
        self.person(tags::SENDER_NAME, tags::SENDER_SMTP_ADDRESS)
    }

    /// Sets the author; the sender too, where there is none.
    pub fn set_from(&mut self, from: &Person) {
        let bag = &mut self.properties;
        bag.set(tags::SENT_REPRESENTING_NAME, from.name.as_str());
        bag.set(tags::SENT_REPRESENTING_SMTP_ADDRESS, from.address.as_str());
        bag.set(tags::SENT_REPRESENTING_EMAIL_ADDRESS, from.address.as_str());
        bag.set(tags::SENT_REPRESENTING_ADDRESS_TYPE, "SMTP");
        if self.sender().is_none() {
            self.set_sender(from);
        }
    }

    /// Sets who sent it.
    pub fn set_sender(&mut self, sender: &Person) {
        let bag = &mut self.properties;
        bag.set(tags::SENDER_NAME, sender.name.as_str());
        bag.set(tags::SENDER_SMTP_ADDRESS, sender.address.as_str());
        bag.set(tags::SENDER_EMAIL_ADDRESS, sender.address.as_str());
        bag.set(tags::SENDER_ADDRESS_TYPE, "SMTP");
    }

    /// The subject.
    pub fn subject(&self) -> &str {
        self.properties.string(tags::SUBJECT).unwrap_or_default()
    }

    /// The plain text, with CRLF.
    pub fn body(&self) -> Option<&str> {
        self.properties.string(tags::BODY)
    }

    /// The HTML text.
    pub fn html(&self) -> Option<&str> {
        std::str::from_utf8(self.properties.binary(tags::HTML)?).ok()
    }

    /// Sets the HTML text.
    pub fn set_html(&mut self, html: &str) {
        self.properties.set(tags::HTML, html.as_bytes().to_vec());
        self.properties.set(tags::INTERNET_CODEPAGE, CODEPAGE_UTF8);
    }

    /// Sets the properties that follow from others: the parts of the subject, the names shown for the recipients,
    /// whether there are attachments.
    pub fn derive(&mut self) {
        let subject = self.subject().to_owned();
        let (prefix, normalized) = split_subject(&subject);
        self.properties.set(tags::SUBJECT_PREFIX, prefix);
        self.properties.set(tags::NORMALIZED_SUBJECT, normalized);
        if self.properties.get(tags::CONVERSATION_TOPIC).is_none() {
            self.properties.set(tags::CONVERSATION_TOPIC, base_subject(&subject));
        }
        for (kind, tag) in [
            (RecipientKind::To, tags::DISPLAY_TO),
            (RecipientKind::Cc, tags::DISPLAY_CC),
            (RecipientKind::Bcc, tags::DISPLAY_BCC),
        ] {
            let names = self.recipients.iter().filter(|r| r.kind == kind).map(|r| r.person.shown());
            let shown = names.collect::<Vec<_>>().join("; ");
            self.properties.set(tag, shown);
        }
        let attached = self.attachments.iter().any(|attachment| !attachment.inline);
        self.properties.set(tags::HAS_ATTACHMENTS, attached);
        self.properties.set(tags::MESSAGE_CLASS, self.class.as_str());
    }

    fn person(&self, name: PropertyTag, address: PropertyTag) -> Option<Person> {
        let text = |tag| self.properties.string(tag).unwrap_or_default().to_owned();
        let person = Person { name: text(name), address: text(address) };
        (person != Person::default()).then_some(person)
    }
}

impl Person {
    /// The name, else the address.
    pub fn shown(&self) -> &str {
        if self.name.is_empty() { &self.address } else { &self.name }
    }
}

/// PidTagSubjectPrefix and PidTagNormalizedSubject (MS-OXCMSG 2.2.1.9, 2.2.1.10): a prefix is up to three characters
/// that are no digits, a colon and a space.
fn split_subject(subject: &str) -> (&str, &str) {
    let Some((prefix, rest)) = subject.split_once(": ") else { return ("", subject) };
    let length = prefix.chars().count();
    let letters = prefix.chars().all(char::is_alphabetic);
    if (1..=3).contains(&length) && letters {
        (subject.get(..prefix.len() + 2).unwrap_or_default(), rest)
    } else {
        ("", subject)
    }
}

const CODEPAGE_UTF8: i32 = 65001;

#[cfg(test)]
mod tests;

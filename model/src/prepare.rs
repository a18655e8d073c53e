//! Everything that the store wants to know of a message when it arrives, in one parse.

mod itip;

use crate::class::MessageClass;
use crate::fold::fold_appended;
use crate::imap_view::{self, Envelope};
use crate::mime::{
    Address, DateTime, Limits, Name, Part, PartKind, Structure, address, encoded_word, header, html,
};
use crate::subject::base_subject;

/// PidTagImportance (MS-OXCMSG 2.2.1.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Importance {
    /// Low
    Low = 0,
    /// Normal
    #[default]
    Normal = 1,
    /// High
    High = 2,
}

impl Importance {
    /// The stored code.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A message ready to be stored. Texts hold no NUL and no line break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// The stored form of its [`imap_view::ImapView`].
    pub view: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
    /// The decoded subject, at most 2,000 characters.
    pub subject: String,
    /// The base subject (RFC 5256 §2.1): PidTagConversationTopic.
    pub topic: String,
    /// The name of the first author, or the address where there is none.
    pub from_display: String,
    /// The address of the first author.
    pub from_address: String,
    /// The name of who sent it, from `Sender`, else the author.
    pub sender_display: String,
    /// The address of who sent it.
    pub sender_address: String,
    /// PidTagDisplayTo: names separated by `; `, at most 1,000 characters.
    pub display_to: String,
    /// PidTagDisplayCc, likewise.
    pub display_cc: String,
    /// `Date`, in seconds since 1970.
    pub sent_at: Option<i64>,
    /// `Message-ID` with its angle brackets, at most 998 bytes.
    pub message_id: Option<String>,
    /// The first id of `In-Reply-To`, with its angle brackets.
    pub in_reply_to: Option<String>,
    /// The ids of `References`, oldest first; of more than 100 the oldest and the 99 newest.
    pub references: Vec<String>,
    /// The id of the message that the thread began with, as far as this one tells: the first reference, else what it
    /// answers, else itself; empty where there is no id at all.
    pub thread_key: String,
    /// What kind of item it is.
    pub class: MessageClass,
    /// Its importance.
    pub importance: Importance,
    /// What it says about a meeting: the text of its iTIP object (RFC 6047 §2.4), which has a `METHOD`.
    pub itip: Option<String>,
    /// Whether it carries something that a reader would call an attachment.
    pub has_attachment: bool,
    /// The beginning of its text, at most 256 characters (RFC 8970).
    pub preview: String,
    /// Its header fields, decoded and folded ([`crate::fold`]), one `name: value` a line.
    pub search_headers: String,
    /// Its text, decoded and folded: a line for each text part, and for the header fields of embedded messages.
    pub search_body: String,
    /// Whether the text was longer than [`Limits::search_bytes`].
    pub search_truncated: bool,
}

impl Prepared {
    /// Prepares a message. Never fails; see [`Limits`].
    pub fn from_rfc5322(raw: &[u8], limits: &Limits) -> Self {
        let structure = Structure::scan(raw, limits);
        let root = structure.root();
        let mut budget = limits.addresses;
        let envelope = Envelope::of(&structure, root, &mut budget);
        let view = imap_view::render(&structure, &envelope, budget).encode();
        let mut prepared = Self { view, size: raw.len() as u64, ..Self::default() };
        prepared.people(&envelope);
        prepared.names(&structure, &envelope);
        prepared.importance = importance(&structure, root);
        prepared.class = class(&structure);
        prepared.itip = itip::text(&structure);
        prepared.has_attachment = structure.parts().iter().any(|part| is_attachment(&structure, part));
        prepared.search(&structure, limits);
        prepared
    }

    fn people(&mut self, envelope: &Envelope<'_>) {
        if let Some(from) = address::mailboxes(&envelope.from).next() {
            self.from_display = bounded(from.display(), MAX_DISPLAY);
            self.from_address = bounded(from.address(), MAX_DISPLAY);
        }
        match address::mailboxes(&envelope.sender).next() {
            Some(sender) => {
                self.sender_display = bounded(sender.display(), MAX_DISPLAY);
                self.sender_address = bounded(sender.address(), MAX_DISPLAY);
            }
            None => {
                self.sender_display.clone_from(&self.from_display);
                self.sender_address.clone_from(&self.from_address);
            }
        }
        self.display_to = display_list(address::mailboxes(&envelope.to));
        self.display_cc = display_list(address::mailboxes(&envelope.cc));
    }

    fn names(&mut self, structure: &Structure<'_>, envelope: &Envelope<'_>) {
        let subject = envelope.subject.as_deref().map(encoded_word::decode).unwrap_or_default();
        self.subject = bounded(subject, MAX_SUBJECT);
        self.topic = base_subject(&self.subject);
        self.sent_at = envelope.date.as_deref().and_then(DateTime::parse).map(|date| date.unix);
        self.message_id = envelope.message_id.as_deref().and_then(|value| message_ids(value).next());
        self.in_reply_to = envelope.in_reply_to.as_deref().and_then(|value| message_ids(value).next());
        if let Some(value) = structure.value(structure.root(), Name::References) {
            self.references = message_ids(&header::unfold(value)).collect();
            if self.references.len() > MAX_REFERENCES {
                self.references.drain(1..=self.references.len() - MAX_REFERENCES);
            }
        }
        let root = self.references.first().or(self.in_reply_to.as_ref()).or(self.message_id.as_ref());
        self.thread_key = root.cloned().unwrap_or_default();
    }

    fn search(&mut self, structure: &Structure<'_>, limits: &Limits) {
        let mut headers = Vec::with_capacity(structure.root().header.len());
        let mut scratch = String::new();
        fold_fields(structure, structure.root(), &mut headers, usize::MAX, &mut scratch);
        let mut body = Vec::new();
        let mut whole = true;
        let mut html_preview = String::new();
        for part in structure.parts() {
            let parent = part.parent.and_then(|parent| structure.part(parent));
            if parent.is_some_and(|parent| parent.kind == PartKind::Message) {
                whole &= fold_fields(structure, part, &mut body, limits.search_bytes, &mut scratch);
            }
            let readable = part.content_type.is_main("text") || part.content_type.is_main("message");
            if part.kind != PartKind::Leaf || !readable {
                continue;
            }
            let left = limits.search_bytes.saturating_sub(body.len());
            let text = structure.text(part, left);
            let is_html = part.content_type.is("text", "html");
            let words = if is_html {
                scratch.clear();
                html::text_into(&text, &mut scratch);
                scratch.as_str()
            } else {
                &text
            };
            if body.is_empty() {
                body.reserve(words.len().min(left) + 1);
            }
            whole &= fold_appended(words, &mut body, limits.search_bytes) && text.len() < left;
            if body.len() < limits.search_bytes && !body.is_empty() {
                body.push(b'\n');
            }
            let attached = part.disposition.as_ref().is_some_and(|d| d.is_attachment());
            if !attached && part.content_type.is_main("text") {
                if is_html && html_preview.is_empty() {
                    html_preview = preview(words);
                } else if !is_html && self.preview.is_empty() {
                    self.preview = preview(words);
                }
            }
        }
        if self.preview.is_empty() {
            self.preview = html_preview;
        }
        self.search_truncated = !whole;
        self.search_headers = String::from_utf8(headers).expect("folding appends whole characters");
        self.search_body = String::from_utf8(body).expect("folding appends whole characters");
    }
}

/// Appends the header of an entity; whether it fitted.
fn fold_fields(
    structure: &Structure<'_>,
    part: &Part<'_>,
    out: &mut Vec<u8>,
    limit: usize,
    scratch: &mut String,
) -> bool {
    for field in structure.fields_of(part) {
        let value = structure.bytes(&field.value);
        scratch.clear();
        for &byte in structure.bytes(&field.name) {
            // A name is printable by the scanner; 8-bit bytes in it cannot be searched for.
            scratch.push(if byte.is_ascii() { char::from(byte) } else { '?' });
        }
        if !scratch.is_empty() {
            scratch.push_str(": ");
        }
        if value.is_ascii() && !value.contains(&b'=') {
            scratch.push_str(std::str::from_utf8(value.trim_ascii()).unwrap_or_default());
        } else {
            encoded_word::decode_into(value, scratch);
        }
        if !fold_appended(scratch, out, limit) {
            return false;
        }
        out.push(b'\n');
    }
    true
}

/// Ids in angle brackets; where there are none, the first word is taken for one.
fn message_ids(value: &[u8]) -> impl Iterator<Item = String> + '_ {
    let bare = memchr::memchr(b'<', value).is_none();
    let mut rest = value;
    let mut first = true;
    std::iter::from_fn(move || {
        loop {
            let id = if bare {
                if !std::mem::take(&mut first) {
                    return None;
                }
                let word = rest.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
                format!("<{}>", encoded_word::decode(word))
            } else {
                let start = memchr::memchr(b'<', rest)?;
                let tail = rest.get(start..)?;
                let end = memchr::memchr(b'>', tail)?;
                rest = tail.get(end + 1..).unwrap_or_default();
                let id = tail.get(..=end)?;
                let id: Vec<u8> = id.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
                encoded_word::decode(&id)
            };
            if id.len() > 2 && id.len() <= MAX_MESSAGE_ID {
                return Some(id);
            }
            if bare {
                return None;
            }
        }
    })
}

fn display_list<'a>(addresses: impl Iterator<Item = &'a Address>) -> String {
    let mut out = String::new();
    for address in addresses {
        if !out.is_empty() {
            out.push_str("; ");
        }
        out.push_str(&address.display());
        if out.len() > MAX_DISPLAY * 4 {
            break;
        }
    }
    bounded(out, MAX_DISPLAY)
}

fn bounded(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text
}

fn preview(text: &str) -> String {
    let mut out = String::new();
    let mut left = MAX_PREVIEW;
    for word in text.split_whitespace() {
        if !out.is_empty() {
            if left <= 1 {
                break;
            }
            out.push(' ');
            left -= 1;
        }
        for c in word.chars().filter(|&c| c != '\0') {
            if left == 0 {
                return out;
            }
            out.push(c);
            left -= 1;
        }
    }
    out
}

/// MS-OXCMAIL 2.2.3.2.5: `Importance`, else `X-Priority`, else `Priority`.
pub(crate) fn importance(structure: &Structure<'_>, part: &Part<'_>) -> Importance {
    let value = |name| structure.value(part, name).map(|value| value.trim_ascii().to_ascii_lowercase());
    if let Some(value) = value(Name::Importance) {
        match value.as_slice() {
            b"high" => return Importance::High,
            b"low" => return Importance::Low,
            b"normal" => return Importance::Normal,
            _ => {}
        }
    }
    match value(Name::XPriority).as_deref().and_then(|value| value.first()) {
        Some(b'1' | b'2') => return Importance::High,
        Some(b'3') => return Importance::Normal,
        Some(b'4' | b'5') => return Importance::Low,
        _ => {}
    }
    match value(Name::Priority).as_deref() {
        Some(b"urgent") => Importance::High,
        Some(b"non-urgent") => Importance::Low,
        _ => Importance::Normal,
    }
}

/// What kind of item the message is, from its types (MS-OXCMAIL 2.2.3.2.1, MS-OXOSMIME 2.1.3, MS-OXCICAL 2.1.3.1).
pub(crate) fn class(structure: &Structure<'_>) -> MessageClass {
    let root = structure.root();
    let parameter = |part: &Part<'_>, name: &str| {
        part.content_type.parameters.get(name).map(<[u8]>::to_ascii_lowercase).unwrap_or_default()
    };
    if root.content_type.is("multipart", "report") {
        return match parameter(root, "report-type").as_slice() {
            b"delivery-status" => delivery_report(structure),
            b"disposition-notification" => disposition_report(structure),
            _ => MessageClass::NOTE,
        };
    }
    if root.content_type.is("multipart", "signed") {
        return MessageClass::NOTE_SMIME_SIGNED;
    }
    if root.content_type.is("application", "pkcs7-mime")
        || root.content_type.is("application", "x-pkcs7-mime")
    {
        return MessageClass::NOTE_SMIME;
    }
    itip::class(structure)
}

/// RFC 3464 §2.3.3: delivered only where no recipient failed.
fn delivery_report(structure: &Structure<'_>) -> MessageClass {
    let Some(status) =
        structure.parts().iter().find(|part| part.content_type.is("message", "delivery-status"))
    else {
        return MessageClass::REPORT_NOT_DELIVERED;
    };
    let text = structure.text(status, MAX_STATUS).to_ascii_lowercase();
    let mut actions = text.lines().filter_map(|line| line.strip_prefix("action:")).map(str::trim).peekable();
    let good = |action: &str| matches!(action, "delivered" | "relayed" | "expanded");
    if actions.peek().is_some() && actions.all(good) {
        MessageClass::REPORT_DELIVERED
    } else {
        MessageClass::REPORT_NOT_DELIVERED
    }
}

/// RFC 8098 §3.2.6.
fn disposition_report(structure: &Structure<'_>) -> MessageClass {
    let report = structure
        .parts()
        .iter()
        .find(|part| part.content_type.is("message", "disposition-notification"))
        .map(|part| structure.text(part, MAX_STATUS).to_ascii_lowercase())
        .unwrap_or_default();
    let deleted = report.lines().any(|line| line.starts_with("disposition:") && line.contains("deleted"));
    if deleted { MessageClass::REPORT_NOT_READ } else { MessageClass::REPORT_READ }
}

/// Whether a reader would call the part an attachment: it says so, it has a name, or it is neither text nor something
/// that only serves the message (an inline image of an HTML text, a signature, the machine part of a report).
pub(crate) fn is_attachment(structure: &Structure<'_>, part: &Part<'_>) -> bool {
    if part.kind == PartKind::Multipart {
        return false;
    }
    if part.disposition.as_ref().is_some_and(|d| d.is_attachment()) {
        return true;
    }
    let kind = &part.content_type;
    let serves = [
        ("application", "pgp-signature"),
        ("application", "pgp-encrypted"),
        ("application", "pkcs7-signature"),
        ("application", "x-pkcs7-signature"),
        ("message", "delivery-status"),
        ("message", "disposition-notification"),
        ("message", "global-delivery-status"),
        ("text", "rfc822-headers"),
    ];
    if serves.iter().any(|(main, sub)| kind.is(main, sub)) {
        return false;
    }
    let parent = part.parent.and_then(|parent| structure.part(parent));
    let in_multipart = |sub: &str| parent.is_some_and(|parent| parent.content_type.is("multipart", sub));
    if in_multipart("report") || (in_multipart("related") && structure.value(part, Name::ContentId).is_some())
    {
        return false;
    }
    // The bodies of the message are text without a name; an alternative of one is no attachment.
    let calendar_body = kind.is("text", "calendar") && in_multipart("alternative");
    !calendar_body && (!kind.is_main("text") || part.file_name().is_some())
}

const MAX_SUBJECT: usize = 2_000;
const MAX_DISPLAY: usize = 1_000;
const MAX_MESSAGE_ID: usize = 998;
const MAX_REFERENCES: usize = 100;
const MAX_PREVIEW: usize = 256;
const MAX_STATUS: usize = 64 << 10;

#[cfg(test)]
mod tests;

//! Message object to RFC 5322 (MS-OXCMAIL 2.1).
//!
//! Whatever the object holds, what comes out is a valid message: control characters go, long words are encoded, a type
//! that is none becomes `application/octet-stream`. Every body is 7-bit, quoted-printable or base64, in none of which a
//! boundary of ours can occur.

mod body;
mod field;
mod meeting;

use super::from_mime::is_told;
use super::{Attachment, Content, Message, RecipientKind};
use crate::mime::{DateTime, header};
use crate::property::tags;
use body::{Entity, attachment_type, base64_lines, text_entity};
use field::{Fields, message_ids};
pub(crate) use meeting::MeetingMail;

/// What a message object does not say itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MimeOptions {
    /// `Date` where the object has no PidTagClientSubmitTime, in seconds since 1970.
    pub now: i64,
    /// Whether `Bcc` is written: yes for drafts and sent items, no for what leaves.
    pub bcc: bool,
}

pub(super) fn convert(message: &Message, options: &MimeOptions) -> Vec<u8> {
    let mut writer = Writer { options, boundaries: 0 };
    let mut out = Vec::new();
    writer.message(message, &mut out, 0);
    out
}

/// A field of unstructured text, such as `Subject`: folded, encoded where it must be, with its line end (RFC 5322
/// §2.2.1, RFC 2047).
pub fn unstructured_field(name: &str, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Fields::new(&mut out).text(name, text);
    out
}

struct Writer<'o> {
    options: &'o MimeOptions,
    boundaries: u32,
}

impl Writer<'_> {
    /// `depth` is of embedded messages; beyond [`MAX_DEPTH`] they are left out, as no reader would look there.
    fn message(&mut self, message: &Message, out: &mut Vec<u8>, depth: usize) {
        let mut fields = Fields::new(out);
        self.fields(message, &mut fields);
        let entity = self.content(message, depth);
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        entity.write(out);
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn fields(&self, message: &Message, fields: &mut Fields<'_>) {
        let bag = &message.properties;
        let unix = bag.time(tags::CLIENT_SUBMIT_TIME).map_or(self.options.now, |time| time.to_unix());
        // Years of four digits: RFC 5322 has no others.
        let unix = unix.clamp(-62_135_596_800, 253_402_300_799);
        fields.raw("Date", &DateTime { unix, offset: 0 }.to_rfc5322());
        let from = message.from();
        let sender = message.sender();
        match (&from, &sender) {
            (Some(from), _) | (None, Some(from)) => fields.people("From", std::slice::from_ref(from)),
            (None, None) => fields.raw("From", "undisclosed-sender:;"),
        }
        if let (Some(from), Some(sender)) = (&from, &sender)
            && from != sender
        {
            fields.people("Sender", std::slice::from_ref(sender));
        }
        if !message.reply_to.is_empty() {
            fields.people("Reply-To", &message.reply_to);
        }
        for (name, kind) in
            [("To", RecipientKind::To), ("Cc", RecipientKind::Cc), ("Bcc", RecipientKind::Bcc)]
        {
            if kind == RecipientKind::Bcc && !self.options.bcc {
                continue;
            }
            let people = message.recipients.iter().filter(|recipient| recipient.kind == kind);
            let people: Vec<_> = people.map(|recipient| recipient.person.clone()).collect();
            if !people.is_empty() {
                fields.people(name, &people);
            }
        }
        fields.text("Subject", message.subject());
        for (name, tag) in [
            ("Message-ID", tags::INTERNET_MESSAGE_ID),
            ("In-Reply-To", tags::IN_REPLY_TO_ID),
            ("References", tags::INTERNET_REFERENCES),
        ] {
            let ids = message_ids(bag.string(tag).unwrap_or_default());
            if !ids.is_empty() {
                fields.words(name, ids.iter().map(String::as_str));
            }
        }
        if let Some(topic) = bag.string(tags::CONVERSATION_TOPIC)
            && topic != crate::base_subject(message.subject())
        {
            fields.text("Thread-Topic", topic);
        }
        if let Some(index) = bag.binary(tags::CONVERSATION_INDEX)
            && index.len() >= 22
        {
            fields.words("Thread-Index", base64_lines(index).split("\r\n").filter(|line| !line.is_empty()));
        }
        match bag.integer32(tags::IMPORTANCE) {
            Some(2) => fields.raw("Importance", "high"),
            Some(0) => fields.raw("Importance", "low"),
            _ => {}
        }
        match bag.integer32(tags::SENSITIVITY) {
            Some(1) => fields.raw("Sensitivity", "Personal"),
            Some(2) => fields.raw("Sensitivity", "Private"),
            Some(3) => fields.raw("Sensitivity", "Company-Confidential"),
            _ => {}
        }
        if bag.boolean(tags::READ_RECEIPT_REQUESTED)
            && let Some(person) = from.as_ref().or(sender.as_ref())
        {
            fields.people("Disposition-Notification-To", std::slice::from_ref(person));
        }
        kept(message, fields);
    }

    /// The body with everything around it.
    fn content(&mut self, message: &Message, depth: usize) -> Entity {
        let html = message.html();
        let inline = |attachment: &&Attachment| {
            let bytes = matches!(attachment.content, Content::Bytes(_));
            html.is_some() && attachment.inline && bytes && attachment.content_id.is_some()
        };
        let mut entity = match (message.body(), html) {
            (Some(text), None) => text_entity("plain", text),
            (None, None) => text_entity("plain", ""),
            (text, Some(html)) => {
                let related: Vec<_> = message.attachments.iter().filter(inline).collect();
                let mut shown = text_entity("html", html);
                if !related.is_empty() {
                    let parts = related.iter().map(|attachment| self.attachment(attachment, depth));
                    let parts = std::iter::once(shown).chain(parts).collect();
                    shown = self.multipart("related; type=\"text/html\"", parts);
                }
                match text {
                    Some(text) => self.multipart("alternative", vec![text_entity("plain", text), shown]),
                    None => shown,
                }
            }
        };
        let others: Vec<_> = message.attachments.iter().filter(|attachment| !inline(attachment)).collect();
        if !others.is_empty() {
            let parts = others.iter().map(|attachment| self.attachment(attachment, depth));
            let parts = std::iter::once(entity).chain(parts).collect();
            entity = self.multipart("mixed", parts);
        }
        entity
    }

    fn attachment(&mut self, attachment: &Attachment, depth: usize) -> Entity {
        let mut head = Vec::new();
        let mut fields = Fields::new(&mut head);
        let embedded = match &attachment.content {
            Content::Message(message) if depth < MAX_DEPTH => Some(message),
            _ => None,
        };
        let kind = if embedded.is_some() { "message/rfc822".to_owned() } else { attachment_type(attachment) };
        let charset = attachment.charset.as_deref().filter(|_| embedded.is_none());
        let mut parameters = Vec::new();
        parameters.extend(charset.map(|charset| ("charset", charset)));
        fields.parameterized("Content-Type", &kind, &parameters);
        let disposition = if attachment.inline { "inline" } else { "attachment" };
        let name = attachment.file_name.as_deref().filter(|name| !name.is_empty());
        let parameters: Vec<_> = name.map(|name| ("filename", name)).into_iter().collect();
        fields.parameterized("Content-Disposition", disposition, &parameters);
        if let Some(id) = attachment.content_id.as_deref() {
            let ids = message_ids(&format!("<{}>", id.replace(['<', '>'], "")));
            if !ids.is_empty() {
                fields.words("Content-ID", ids.iter().map(String::as_str));
            }
        }
        if let Some(location) = attachment.content_location.as_deref() {
            fields.text("Content-Location", location);
        }
        let body = match (embedded, &attachment.content) {
            (Some(message), _) => {
                let mut body = Vec::new();
                self.message(message, &mut body, depth + 1);
                body
            }
            (None, Content::Bytes(bytes)) => {
                fields.raw("Content-Transfer-Encoding", "base64");
                base64_lines(bytes).into_bytes()
            }
            (None, Content::Message(_)) => Vec::new(),
        };
        Entity { head, body }
    }

    fn multipart(&mut self, kind: &str, parts: Vec<Entity>) -> Entity {
        // `=_` occurs in no quoted-printable and no base64 text, and 7-bit texts with it are not left 7-bit.
        let boundary = format!("=_kontor_{}", self.boundaries);
        self.boundaries += 1;
        let (sub, parameters) = kind.split_once(';').map_or((kind, ""), |(sub, rest)| (sub, rest));
        let mut head = format!("Content-Type: multipart/{sub};").into_bytes();
        if !parameters.is_empty() {
            head.extend_from_slice(parameters.as_bytes());
            head.push(b';');
        }
        head.extend_from_slice(format!("\r\n boundary=\"{boundary}\"\r\n").as_bytes());
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            part.write(&mut body);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Entity { head, body }
    }
}

/// Header fields that no property tells, from the header that the message came with. What is about its way here or
/// signs its old form is left out.
fn kept(message: &Message, fields: &mut Fields<'_>) {
    const LEFT_OUT: [&str; 8] = [
        "received",
        "return-path",
        "delivered-to",
        "dkim-signature",
        "authentication-results",
        "received-spf",
        "domainkey-signature",
        "x-original-to",
    ];
    let header = message.properties.string(tags::TRANSPORT_MESSAGE_HEADERS).unwrap_or_default().as_bytes();
    for (field, _) in header::fields(header) {
        let name = header.get(field.name).unwrap_or_default();
        let arc = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"arc-"));
        let resent = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"resent-"));
        let left_out = LEFT_OUT.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name));
        if name.is_empty() || arc || resent || left_out || is_told(name) {
            continue;
        }
        let value = header::unfold(header.get(field.value).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(&value))
            && name.len() <= MAX_NAME
            && name.is_ascii()
        {
            fields.text(name, value);
        }
    }
}

const MAX_DEPTH: usize = 20;
const MAX_NAME: usize = 70;

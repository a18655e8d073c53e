//! RFC 5322 to message object (MS-OXCMAIL 2.2).

use super::{Attachment, Content, Message, Person, Recipient, RecipientKind};
use crate::imap_view::Envelope;
use crate::mime::{Address, ContentType, DateTime, Limits, Name, Part, PartKind, Structure};
use crate::mime::{address, charset, encoded_word, header, transfer};
use crate::prepare;
use crate::property::{FileTime, Value, tags};

pub(super) fn convert(raw: &[u8], limits: &Limits) -> Message {
    let structure = Structure::scan(raw, limits);
    let mut reader = Reader { structure: &structure, budget: limits.addresses };
    let mut message = reader.entity(0);
    message.class = prepare::class(&structure);
    message.derive();
    message
}

struct Reader<'s, 'a> {
    structure: &'s Structure<'a>,
    budget: usize,
}

impl<'a> Reader<'_, 'a> {
    /// The message whose header and body are those of the part at `index`.
    fn entity(&mut self, index: usize) -> Message {
        let mut message = Message::default();
        let structure = self.structure;
        if let Some(part) = structure.part(index) {
            let envelope = Envelope::of(structure, part, &mut self.budget);
            people(&mut message, &envelope);
            self.fields(&mut message, part, &envelope);
        }
        self.walk(&mut message, index, Place::default());
        message.derive();
        message
    }

    fn fields(&self, message: &mut Message, part: &Part<'a>, envelope: &Envelope<'_>) {
        let structure = self.structure;
        let header = charset::decode(None, structure.bytes(&part.header));
        let bag = &mut message.properties;
        if !header.trim_ascii().is_empty() {
            bag.set(tags::TRANSPORT_MESSAGE_HEADERS, header.into_owned());
        }
        bag.set(tags::SUBJECT, envelope.subject.as_deref().map(encoded_word::decode).unwrap_or_default());
        for (tag, value) in
            [(tags::INTERNET_MESSAGE_ID, &envelope.message_id), (tags::IN_REPLY_TO_ID, &envelope.in_reply_to)]
        {
            if let Some(value) = value.as_deref().map(encoded_word::decode).filter(|value| !value.is_empty())
            {
                bag.set(tag, value);
            }
        }
        if let Some(date) = envelope.date.as_deref().and_then(DateTime::parse) {
            bag.set(tags::CLIENT_SUBMIT_TIME, FileTime::from_unix(date.unix));
        }
        let text =
            |name| structure.value(part, name).map(encoded_word::decode).filter(|text| !text.is_empty());
        if let Some(references) = text(Name::References) {
            bag.set(tags::INTERNET_REFERENCES, references.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if let Some(topic) = text(Name::ThreadTopic) {
            bag.set(tags::CONVERSATION_TOPIC, topic);
        }
        if let Some(index) = text(Name::ThreadIndex) {
            let mut bytes = Vec::new();
            transfer::decode_base64(index.as_bytes(), &mut bytes);
            // MS-OXOMSG 2.2.1.3: a header of 22 bytes, then five for each answer.
            if bytes.len() >= 22 {
                bag.set(tags::CONVERSATION_INDEX, bytes);
            }
        }
        bag.set(tags::IMPORTANCE, i32::from(prepare::importance(structure, part).code()));
        let sensitivity = text(Name::Sensitivity).map(|text| text.to_ascii_lowercase());
        bag.set(
            tags::SENSITIVITY,
            match sensitivity.as_deref() {
                Some("personal") => 1,
                Some("private") => 2,
                Some("company-confidential") => 3,
                _ => 0,
            },
        );
        let receipt = structure
            .fields_of(part)
            .iter()
            .any(|field| structure.bytes(&field.name).eq_ignore_ascii_case(b"disposition-notification-to"));
        if receipt {
            bag.set(tags::READ_RECEIPT_REQUESTED, true);
        }
    }

    /// Puts the part at `index` into bodies and attachments. The depth is that of the parts, which the scanner bounded.
    fn walk(&mut self, message: &mut Message, index: usize, place: Place) {
        let structure = self.structure;
        let Some(part) = structure.part(index) else { return };
        let attached = part.disposition.as_ref().is_some_and(|disposition| disposition.is_attachment());
        match part.kind {
            PartKind::Multipart => {
                let related = part.content_type.is("multipart", "related");
                let alternative = part.content_type.is("multipart", "alternative");
                for (position, child) in structure.children(index).enumerate() {
                    let place = Place {
                        related: related && position > 0 || place.related,
                        alternative: alternative || place.alternative,
                    };
                    self.walk(message, child, place);
                }
            }
            PartKind::Message => {
                let embedded = self.entity(index + 1);
                let mut attachment = describe(structure, part);
                attachment.content = Content::Message(Box::new(embedded));
                attachment.mime_type = None;
                message.attachments.push(attachment);
            }
            PartKind::Leaf => {
                let plain = part.content_type.is("text", "plain");
                let html = part.content_type.is("text", "html");
                let named = part.file_name().is_some();
                let readable = !attached && !named && !place.related && (plain || html);
                if !(readable && self.body(message, part, html, place)) {
                    let mut attachment = describe(structure, part);
                    let bytes = part.encoding.decode(structure.bytes(&part.body)).into_owned();
                    attachment.content = Content::Bytes(bytes);
                    attachment.inline = place.related && !attached && attachment.content_id.is_some();
                    message.attachments.push(attachment);
                }
            }
        }
    }

    /// Takes a text as body; whether it did. Further plain texts beside the first are joined to it, as long as there is
    /// no HTML that would not show them.
    fn body(&self, message: &mut Message, part: &Part<'a>, html: bool, place: Place) -> bool {
        let text = crlf(&self.structure.text(part, usize::MAX));
        if html {
            let first = message.html().is_none() && (place.alternative || message.body().is_none());
            if first {
                message.set_html(&text);
            }
            return first;
        }
        match message.body() {
            None if message.html().is_none() || place.alternative => {
                message.properties.set(tags::BODY, text);
                true
            }
            Some(_) if message.html().is_none() && !place.alternative => {
                // Taken out and put back, so that many parts are not copied again for each.
                if let Some(Value::String(mut body)) = message.properties.remove(tags::BODY) {
                    if !body.is_empty() && !body.ends_with("\r\n") {
                        body.push_str("\r\n");
                    }
                    body.push_str(&text);
                    message.properties.set(tags::BODY, body);
                }
                true
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// Inside a multipart/related and not its root.
    related: bool,
    /// Inside a multipart/alternative.
    alternative: bool,
}

fn people(message: &mut Message, envelope: &Envelope<'_>) {
    if let Some(sender) = address::mailboxes(&envelope.sender).next() {
        message.set_sender(&person(sender));
    }
    if let Some(from) = address::mailboxes(&envelope.from).next() {
        message.set_from(&person(from));
    }
    for (kind, list) in [
        (RecipientKind::To, &envelope.to),
        (RecipientKind::Cc, &envelope.cc),
        (RecipientKind::Bcc, &envelope.bcc),
    ] {
        let recipients = address::mailboxes(list).map(|address| Recipient::new(kind, person(address)));
        message.recipients.extend(recipients);
    }
    message.reply_to = address::mailboxes(&envelope.reply_to).map(person).collect();
}

fn person(address: &Address) -> Person {
    Person { name: address.display_name().unwrap_or_default(), address: address.address() }
}

/// An attachment without its content.
fn describe(structure: &Structure<'_>, part: &Part<'_>) -> Attachment {
    let text = |name| structure.value(part, name).map(encoded_word::decode).filter(|text| !text.is_empty());
    let content_id = text(Name::ContentId)
        .map(|id| id.trim_start_matches('<').trim_end_matches('>').trim().to_owned())
        .filter(|id| !id.is_empty());
    Attachment {
        file_name: part.file_name(),
        mime_type: Some(mime_type(&part.content_type)),
        charset: part.content_type.parameters.decoded("charset").filter(|charset| !charset.is_empty()),
        content_id,
        content_location: text(Name::ContentLocation),
        ..Attachment::default()
    }
}

fn mime_type(content_type: &ContentType<'_>) -> String {
    let main = charset::decode(None, content_type.main).to_ascii_lowercase();
    format!("{main}/{}", charset::decode(None, content_type.sub).to_ascii_lowercase())
}

/// `text` with CRLF wherever a line ends.
pub(super) fn crlf(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut from = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
        let after_cr = bytes.get(at) == Some(&b'\n') && at > 0 && bytes.get(at - 1) == Some(&b'\r');
        if !after_cr {
            out.push_str(text.get(from..at).unwrap_or_default());
            out.push_str("\r\n");
        }
        from = at + 1;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// Whether a header field is told by a property, so that [`super::to_mime`] writes it anew.
pub(super) fn is_told(name: &[u8]) -> bool {
    const TOLD: [&str; 9] = [
        "disposition-notification-to",
        "mime-version",
        "importance",
        "sensitivity",
        "x-priority",
        "x-msmail-priority",
        "priority",
        "thread-topic",
        "thread-index",
    ];
    let content = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
    let known = !matches!(header::Name::of(name), Name::Other);
    content || known || TOLD.iter().any(|told| told.as_bytes().eq_ignore_ascii_case(name))
}

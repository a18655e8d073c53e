//! A message made ready for the store.

use bytes::Bytes;
use kontor_model::{ImapView, Prepared};
use kontor_storage_proto as proto;

/// The bytes of a message with what the model made of them, parsed once.
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    /// The bytes as they will be served, for ever.
    pub raw: Bytes,
    /// Names this content; a retry with the same id is stored once.
    pub content_id: Bytes,
    /// What the store keeps beside the bytes.
    pub prepared: proto::Prepared,
}

impl PreparedMessage {
    /// Parses a message. It never fails: what cannot be understood is kept as opaque bytes. Costs CPU in
    /// proportion to the size; see [`Self::prepare`] for large ones.
    pub fn from_rfc5322(raw: Bytes) -> Self {
        let prepared = Prepared::from_rfc5322(&raw, &kontor_model::mime::Limits::default());
        PreparedMessage {
            raw,
            content_id: Bytes::copy_from_slice(uuid::Uuid::now_v7().as_bytes()),
            prepared: to_wire(prepared),
        }
    }

    /// The same, away from the async threads when the message is large.
    pub async fn prepare(raw: Bytes) -> Self {
        if raw.len() <= PREPARE_IN_PLACE {
            return Self::from_rfc5322(raw);
        }
        let spare = raw.clone();
        match tokio::task::spawn_blocking(move || Self::from_rfc5322(raw)).await {
            Ok(message) => message,
            // The blocking pool is gone: the process is about to end.
            Err(_) => Self::from_rfc5322(spare),
        }
    }
}

fn to_wire(p: Prepared) -> proto::Prepared {
    let itip = p.itip.map(|calendar| proto::Itip {
        calendar: calendar.into(),
        from: p.from_address.clone(),
        authenticated: false,
    });
    proto::Prepared {
        itip,
        header_size: ImapView::decode(&p.view).map_or(0, |view| view.header_size()),
        view: p.view.into(),
        size: p.size,
        class: p.class.to_string(),
        subject: p.subject,
        sender: if p.from_display.is_empty() { p.from_address } else { p.from_display },
        display_to: p.display_to,
        sent_at: p.sent_at,
        message_id: p.message_id.unwrap_or_default(),
        in_reply_to: p.in_reply_to.unwrap_or_default(),
        references: p.references,
        topic: p.topic,
        importance: u32::from(p.importance.code()),
        has_attachment: p.has_attachment,
        preview: p.preview,
        search_headers: p.search_headers,
        search_body: p.search_body,
    }
}

/// Bodies up to this size travel inside the request; larger ones are stored as a blob first. Octets.
pub const INLINE_LIMIT: usize = 1 << 20;
/// A piece of a streamed body, octets.
pub(crate) const PIECE: usize = 256 << 10;
const PREPARE_IN_PLACE: usize = 256 << 10;

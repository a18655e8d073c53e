//! One message's FETCH response.

use std::borrow::Cow;

use kontor_imap_proto::{
    DateTime, FetchWriter, Section, SectionText, SuspendedFetch, command::fetch::FetchItem,
};
use kontor_model::ImapView;
use kontor_storage_client::proto;

use super::{
    Plan, binary,
    section::{self, Content},
};
use crate::{flag_names::FlagLists, reply::Failure, selected::Selected, session::Account, wire::Wire};

/// Appends an item that needs no I/O and says whether it was one.
pub(super) fn write_plain(
    writer: &mut FetchWriter<'_>,
    wanted: &FetchItem,
    item: &proto::FetchItem,
    lists: &mut FlagLists<'_>,
) -> bool {
    match wanted {
        FetchItem::Uid => writer.uid(item.uid),
        FetchItem::Flags => writer.rendered_flags(lists.get(item.flags)),
        FetchItem::ModSeq => writer.mod_seq(item.modseq.max(1)),
        FetchItem::InternalDate => writer.internal_date(at(item.internal_date)),
        FetchItem::Rfc822Size => writer.rfc822_size(item.size),
        FetchItem::SaveDate => writer.save_date(None),
        FetchItem::EmailId => writer.email_id(&object_id('M', &item.content_id)),
        FetchItem::ThreadId => {
            writer.thread_id((!item.thread_id.is_empty()).then(|| object_id('T', &item.thread_id)).as_deref())
        }
        // A view that cannot be read is a defect that `kontor check` finds; the message is still served.
        FetchItem::Envelope => writer.envelope(ImapView::envelope_of(&item.view).unwrap_or(NO_ENVELOPE)),
        FetchItem::BodyStructure => {
            writer.body_structure(ImapView::bodystructure_of(&item.view).unwrap_or(NO_STRUCTURE))
        }
        FetchItem::Body => {
            writer.body(&ImapView::body_of(&item.view).unwrap_or_else(|| NO_STRUCTURE.to_vec()))
        }
        FetchItem::Rfc822
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text
        | FetchItem::BodySection { .. }
        | FetchItem::Binary { .. }
        | FetchItem::BinarySize { .. } => return false,
    };
    true
}

/// Writes a message's response.
pub(super) async fn write(
    wire: &mut Wire,
    account: &Account,
    selected: &Selected,
    plan: &Plan,
    lists: &mut FlagLists<'_>,
    number: u32,
    item: &proto::FetchItem,
) -> Result<(), Failure> {
    let source = Source { account, selected, item };
    let mut open: Option<SuspendedFetch> = None;
    for wanted in &plan.items {
        let mut encoder = wire.encoder();
        let mut writer = match open.take() {
            None => encoder.fetch(number),
            Some(suspended) => encoder.resume_fetch(suspended),
        };
        let plain = write_plain(&mut writer, wanted, item, lists);
        let suspended = writer.suspend();
        open = Some(if plain { suspended } else { write_bytes(wire, &source, wanted, suspended).await? });
    }
    if let Some(suspended) = open {
        drop(wire.encoder().resume_fetch(suspended));
    }
    Ok(())
}

/// Where a message's bytes come from.
pub(super) struct Source<'a> {
    account: &'a Account,
    selected: &'a Selected,
    pub item: &'a proto::FetchItem,
}

impl Source<'_> {
    /// Streams a range of the message's bytes, which is not empty.
    pub async fn read(
        &self,
        range: &std::ops::Range<u64>,
    ) -> Result<kontor_storage_client::BodyStream, Failure> {
        let request = proto::ReadBodyRequest {
            mailbox_id: self.selected.mailbox_id,
            folder_id: self.selected.folder_id,
            uid: self.item.uid,
            offset: range.start,
            length: range.end - range.start,
        };
        Ok(self.account.store.read_body(request).await?)
    }
}

/// Writes an item that is a range of the message's bytes, or made of one.
async fn write_bytes(
    wire: &mut Wire,
    source: &Source<'_>,
    wanted: &FetchItem,
    suspended: SuspendedFetch,
) -> Result<SuspendedFetch, Failure> {
    let whole = Section::default();
    let named = |text| Section { part: Vec::new(), text: Some(text) };
    let (section, partial) = match wanted {
        FetchItem::BodySection { section, partial, .. } => (Cow::Borrowed(section), *partial),
        FetchItem::Rfc822 => (Cow::Borrowed(&whole), None),
        FetchItem::Rfc822Header => (Cow::Owned(named(SectionText::Header)), None),
        FetchItem::Rfc822Text => (Cow::Owned(named(SectionText::Text)), None),
        FetchItem::Binary { part, partial, .. } => {
            return binary::write(wire, source, part, *partial, suspended).await;
        }
        FetchItem::BinarySize { part } => return binary::write_size(wire, source, part, suspended).await,
        _ => return Ok(suspended),
    };
    let content = section::find(source, &section).await?;
    let content = match partial {
        Some(partial) => content.cut(partial),
        None => content,
    };
    let origin = partial.map(|partial| partial.offset);
    let mut encoder = wire.encoder();
    let mut writer = encoder.resume_fetch(suspended);
    let Some(length) = content.length() else {
        writer.body_section_nil(&section, origin);
        return Ok(writer.suspend());
    };
    match wanted {
        FetchItem::Rfc822 => writer.rfc822(length),
        FetchItem::Rfc822Header => writer.rfc822_header(length),
        FetchItem::Rfc822Text => writer.rfc822_text(length),
        _ => writer.body_section(&section, origin, length),
    };
    let suspended = writer.suspend();
    match content {
        Content::Nil => {}
        Content::Here(bytes) => wire.pass(&bytes).await?,
        Content::There(range) => pass_range(wire, source, &range).await?,
    }
    Ok(suspended)
}

/// Sends a range of the message from the store to the client, piece by piece. The literal's length is
/// said already, so that whatever goes wrong here ends the connection.
async fn pass_range(
    wire: &mut Wire,
    source: &Source<'_>,
    range: &std::ops::Range<u64>,
) -> Result<(), Failure> {
    let mut left = range.end - range.start;
    if left == 0 {
        return Ok(());
    }
    let broken = |detail: &dyn std::fmt::Debug| {
        tracing::error!(?detail, uid = source.item.uid, "a body broke off");
        Failure::Closed(std::io::ErrorKind::UnexpectedEof.into())
    };
    let mut stream = source.read(range).await.map_err(|failure| broken(&failure))?;
    while left > 0 {
        let piece = match stream.next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Err(broken(&"too short")),
            Err(error) => return Err(broken(&error)),
        };
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let piece = piece.slice(..wanted);
        left -= piece.len() as u64;
        wire.pass(&piece).await?;
    }
    Ok(())
}

fn at(seconds: i64) -> DateTime {
    DateTime { seconds, offset_minutes: 0 }
}

/// An object id: a letter, so that it never looks like a number, and hexadecimal digits.
fn object_id(letter: char, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2 + 1);
    out.push(letter);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

const NO_ENVELOPE: &[u8] = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
const NO_STRUCTURE: &[u8] = b"(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)";

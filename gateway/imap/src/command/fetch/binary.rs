//! BINARY and BINARY.SIZE (RFC 9051 §6.4.5, RFC 3516): a part's content, decoded.
//!
//! The length stands before the bytes, so that a part which is not at hand is read twice: once to count
//! and once to send. Nothing of it is held.

use std::ops::Range;

use bytes::Bytes;
use kontor_imap_proto::{Code, Partial, SuspendedFetch};
use kontor_model::{
    ImapView,
    imap_view::SectionKind,
    mime::{TransferEncoding, transfer::Decoder},
};

use kontor_storage_client::BodyStream;

use super::{
    message::Source,
    section::{self, Content},
};
use crate::{
    reply::{Failure, Reply},
    wire::Wire,
};

/// Writes `BINARY[part]<partial>`.
pub(super) async fn write(
    wire: &mut Wire,
    source: &Source<'_>,
    part: &[u32],
    partial: Option<Partial>,
    suspended: SuspendedFetch,
) -> Result<SuspendedFetch, Failure> {
    let origin = partial.map(|partial| partial.offset);
    let Some((content, encoding)) = find(source, part) else {
        let mut encoder = wire.encoder();
        let mut writer = encoder.resume_fetch(suspended);
        writer.binary_nil(part, origin);
        return Ok(writer.suspend());
    };
    let encoding = known(encoding)?;
    let mut count = Counted::default();
    let mut pieces = Decoded::new(source, &content, encoding).await?;
    while let Some(bytes) = pieces.next().await? {
        count.add(bytes);
    }
    let from = origin.unwrap_or(0).min(count.octets);
    let until = partial.map_or(count.octets, |p| from.saturating_add(p.length).min(count.octets));
    let mut encoder = wire.encoder();
    let mut writer = encoder.resume_fetch(suspended);
    writer.binary(part, origin, until - from, count.nul);
    let suspended = writer.suspend();
    match send(wire, source, &content, encoding, from..until).await {
        Ok(()) => Ok(suspended),
        Err(Failure::Closed(error)) => Err(Failure::Closed(error)),
        // The length is said already.
        Err(_) => Err(Failure::Closed(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Sends a range of the decoded content.
async fn send(
    wire: &mut Wire,
    source: &Source<'_>,
    content: &Content,
    encoding: TransferEncoding,
    range: Range<u64>,
) -> Result<(), Failure> {
    let mut at = 0;
    let mut pieces = Decoded::new(source, content, encoding).await?;
    while let Some(bytes) = pieces.next().await? {
        let here = at..at + bytes.len() as u64;
        if let Some(inside) = overlap(here.clone(), range.clone()) {
            let index = |n: u64| usize::try_from(n - here.start).unwrap_or(usize::MAX);
            wire.pass(bytes.get(index(inside.start)..index(inside.end)).unwrap_or_default()).await?;
        }
        at = here.end;
    }
    Ok(())
}

/// Writes `BINARY.SIZE[part]`.
pub(super) async fn write_size(
    wire: &mut Wire,
    source: &Source<'_>,
    part: &[u32],
    suspended: SuspendedFetch,
) -> Result<SuspendedFetch, Failure> {
    let mut count = Counted::default();
    if let Some((content, encoding)) = find(source, part) {
        let encoding = known(encoding)?;
        let mut pieces = Decoded::new(source, &content, encoding).await?;
        while let Some(bytes) = pieces.next().await? {
            count.add(bytes);
        }
    }
    let mut encoder = wire.encoder();
    let mut writer = encoder.resume_fetch(suspended);
    writer.binary_size(part, count.octets);
    Ok(writer.suspend())
}

#[derive(Debug, Default)]
struct Counted {
    octets: u64,
    nul: bool,
}

impl Counted {
    fn add(&mut self, bytes: &[u8]) {
        self.octets += bytes.len() as u64;
        self.nul |= memchr::memchr(0, bytes).is_some();
    }
}

fn find(source: &Source<'_>, part: &[u32]) -> Option<(Content, TransferEncoding)> {
    if part.is_empty() {
        return Some((section::in_message(source, 0..source.item.size), TransferEncoding::Binary));
    }
    let parts = ImapView::parts_of(&source.item.view)?;
    let range = parts.section(part, SectionKind::Content)?;
    Some((section::in_message(source, range), parts.part(part)?.encoding))
}

fn known(encoding: TransferEncoding) -> Result<TransferEncoding, Failure> {
    if encoding == TransferEncoding::Unknown {
        return Err(Reply::no(Code::UnknownCte, "The part's encoding is not known").into());
    }
    Ok(encoding)
}

/// Decoded content, piece by piece.
struct Decoded {
    input: Input,
    decoder: Decoder,
    decoded: Vec<u8>,
}

enum Input {
    Here(Bytes),
    There(BodyStream),
    End,
}

impl Decoded {
    async fn new(
        source: &Source<'_>,
        content: &Content,
        encoding: TransferEncoding,
    ) -> Result<Self, Failure> {
        let input = match content {
            Content::Nil => Input::End,
            Content::Here(bytes) => Input::Here(bytes.clone()),
            Content::There(range) if range.is_empty() => Input::End,
            Content::There(range) => Input::There(source.read(range).await?),
        };
        Ok(Self { input, decoder: Decoder::new(encoding), decoded: Vec::new() })
    }

    async fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.decoded.clear();
        let piece = match &mut self.input {
            Input::End => return Ok(None),
            Input::Here(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Input::There(stream) => stream.next().await?,
        };
        match piece {
            Some(piece) => self.decoder.decode(&piece, &mut self.decoded),
            None => {
                self.decoder.finish(&mut self.decoded);
                self.input = Input::End;
            }
        }
        Ok(Some(&self.decoded))
    }
}

fn overlap(a: Range<u64>, b: Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (!both.is_empty()).then_some(both)
}

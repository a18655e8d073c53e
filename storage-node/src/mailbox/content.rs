//! What messages say: immutable, so that a copy in memory is never wrong.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::Mailboxes;
use crate::error::{Error, bigint, unsigned};

/// The hot part of a content row.
#[derive(Clone)]
pub(super) struct Content {
    pub thread_id: Uuid,
    pub view: Bytes,
    pub header_size: u64,
    pub size: u64,
    /// Absent when it was not asked for.
    pub body: Option<Body>,
}

#[derive(Clone)]
pub(super) enum Body {
    Plain(Bytes),
    Zstd(Bytes),
    Blob {
        hash: Bytes,
        /// The header block, beside it in the row.
        header: Option<Bytes>,
    },
}

/// How `content.body_codec` says it.
pub(super) const CODEC_PLAIN: i16 = 0;
pub(super) const CODEC_ZSTD: i16 = 1;
pub(super) const CODEC_BLOB: i16 = 2;

/// Recently used contents, bounded by octets.
pub(super) type ContentCache = Cache<(u64, Uuid), Content, ByOctets>;

#[derive(Clone)]
pub(super) struct ByOctets;

impl Weighter<(u64, Uuid), Content> for ByOctets {
    fn weight(&self, _: &(u64, Uuid), content: &Content) -> u64 {
        let body = match &content.body {
            None => 0,
            Some(Body::Plain(b) | Body::Zstd(b)) => b.len(),
            Some(Body::Blob { header, .. }) => header.as_ref().map_or(0, Bytes::len),
        };
        (content.view.len() + body + 200) as u64
    }
}

pub(super) fn new_cache(octets: u64) -> ContentCache {
    let items = usize::try_from(octets / 2048).unwrap_or(1000).max(1000);
    Cache::with_weighter(items, octets.max(1 << 20), ByOctets)
}

impl Content {
    /// The whole message, when it is in the row.
    pub fn inline_body(&self) -> Result<Option<Bytes>, Error> {
        match &self.body {
            Some(Body::Plain(bytes)) => Ok(Some(bytes.clone())),
            Some(Body::Zstd(bytes)) => Ok(Some(unzstd(bytes, self.size)?)),
            Some(Body::Blob { .. }) | None => Ok(None),
        }
    }
}

thread_local! {
    static PACKERS: RefCell<Packers> = const { RefCell::new(Packers { packer: None, unpacker: None }) };
}

/// Contexts of zstd: to make one costs more than to pack a mail.
struct Packers {
    packer: Option<zstd::bulk::Compressor<'static>>,
    unpacker: Option<zstd::bulk::Decompressor<'static>>,
}

impl Packers {
    fn pack(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match &mut self.packer {
            Some(packer) => packer.compress(bytes),
            none => none.insert(zstd::bulk::Compressor::new(LEVEL)?).compress(bytes),
        }
    }

    fn unpack(&mut self, bytes: &[u8], capacity: usize) -> std::io::Result<Vec<u8>> {
        match &mut self.unpacker {
            Some(unpacker) => unpacker.decompress(bytes, capacity),
            none => none.insert(zstd::bulk::Decompressor::new()?).decompress(bytes, capacity),
        }
    }
}

/// Fast: a mail is packed while somebody waits for its 250.
const LEVEL: i32 = 1;

/// Compressed, where that pays.
pub(crate) fn pack(raw: &Bytes) -> Option<Bytes> {
    if raw.len() < 256 {
        return None;
    }
    let packed = PACKERS.with_borrow_mut(|packers| packers.pack(raw)).ok()?;
    (packed.len() < raw.len() / 10 * 9).then(|| Bytes::from(packed))
}

pub(crate) fn unzstd(bytes: &[u8], size: u64) -> Result<Bytes, Error> {
    let capacity = usize::try_from(size).unwrap_or(0).min(64 << 20);
    PACKERS
        .with_borrow_mut(|packers| packers.unpack(bytes, capacity))
        .map(Bytes::from)
        .map_err(|e| Error::Internal(format!("a stored body does not decompress: {e}")))
}

impl Mailboxes {
    /// Contents by id. One statement for all that are not in memory.
    pub(super) async fn contents(
        &self,
        mailbox: u64,
        ids: &[Uuid],
        with_body: bool,
    ) -> Result<HashMap<Uuid, Content>, Error> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        for id in ids {
            match self.contents.get(&(mailbox, *id)) {
                Some(content) if content.body.is_some() || !with_body => {
                    found.insert(*id, content);
                }
                _ => missing.push(*id),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let client = self.db.get().await?;
        let sql = if with_body {
            "SELECT content_id, thread_id, view, header_size, size, body_codec, body, blob_hash, header
             FROM content WHERE mailbox_id = $1 AND content_id = ANY ($2)"
        } else {
            "SELECT content_id, thread_id, view, header_size, size
             FROM content WHERE mailbox_id = $1 AND content_id = ANY ($2)"
        };
        let statement = client.prepare_cached(sql).await?;
        for row in client.query(&statement, &[&bigint(mailbox), &missing]).await? {
            let id: Uuid = row.get(0);
            let bytes = |i: usize| row.get::<_, Option<&[u8]>>(i).map(Bytes::copy_from_slice);
            let body = with_body.then(|| match row.get::<_, i16>(5) {
                CODEC_PLAIN => Body::Plain(bytes(6).unwrap_or_default()),
                CODEC_ZSTD => Body::Zstd(bytes(6).unwrap_or_default()),
                _ => Body::Blob { hash: bytes(7).unwrap_or_default(), header: bytes(8) },
            });
            let content = Content {
                thread_id: row.get(1),
                view: bytes(2).unwrap_or_default(),
                header_size: unsigned(row.get(3)),
                size: unsigned(row.get(4)),
                body,
            };
            // A listing of a huge folder must not push out everything else: the cache decides by use.
            self.contents.insert((mailbox, id), content.clone());
            found.insert(id, content);
        }
        Ok(found)
    }

    /// Remembers a content that was just stored; new mail is read first of all.
    pub(super) fn remember(&self, mailbox: u64, id: Uuid, content: Content) {
        self.contents.insert((mailbox, id), content);
    }

    /// Octets `offset..offset + length` of a content; `length` 0 = to the end.
    pub(super) async fn read_content(
        &self,
        tenant: u64,
        mailbox: u64,
        id: Uuid,
        offset: u64,
        length: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let content = self
            .contents(mailbox, &[id], true)
            .await?
            .remove(&id)
            .ok_or_else(|| Error::Internal(format!("content {id} is missing")))?;
        let offset = offset.min(content.size);
        let rest = content.size - offset;
        let length = if length == 0 { rest } else { length.min(rest) };
        if length == 0 {
            return Ok(futures::stream::empty().boxed());
        }
        if let Some(Body::Blob { hash, .. }) = &content.body {
            return self.blobs.read(tenant, hash, offset, length).await;
        }
        let body =
            content.inline_body()?.ok_or_else(|| Error::Internal(format!("content {id} has no body")))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
        let to = usize::try_from(offset + length).unwrap_or(usize::MAX).min(body.len());
        let piece = body.slice(from..to);
        Ok(futures::stream::once(async move { Ok(piece) }).boxed())
    }
}

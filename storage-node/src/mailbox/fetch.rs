//! Items of many messages, in UID order, a page of rows at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use kontor_storage_proto as proto;
use proto::Rights;
use tokio::sync::mpsc;

use super::content::{Body, Content};
use super::state::Row;
use super::{Mailboxes, Ranges};
use crate::error::Error;
use crate::token::Principal;

impl Mailboxes {
    /// Pages of items. The next page is read while the last one is on its way.
    pub async fn fetch(
        self: &Arc<Self>,
        who: &Principal,
        request: proto::FetchRequest,
    ) -> Result<mpsc::Receiver<Result<proto::FetchChunk, Error>>, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let ranges = Ranges::from_wire(&request.uid_ranges)?;
        let state = self.folder(mailbox, folder).await?;
        let since = request.changed_since;
        let rows: Vec<Row> = state.select(&ranges).filter(|r| r.modseq() > since).copied().collect();
        let (highest_cn, tenant) = (state.cn, state.tenant_id);
        drop(state);
        let (sender, receiver) = mpsc::channel(2);
        let mailboxes = self.clone();
        tokio::spawn(async move {
            let mut rest = rows.as_slice();
            loop {
                let (page, after) = rest.split_at(page_length(rest, &request));
                rest = after;
                let chunk = mailboxes.page(tenant, &request, page, highest_cn).await;
                let failed = chunk.is_err();
                // The reader went away: nobody needs the rest.
                if sender.send(chunk).await.is_err() || failed || rest.is_empty() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn page(
        &self,
        tenant: u64,
        request: &proto::FetchRequest,
        rows: &[Row],
        highest_cn: u64,
    ) -> Result<proto::FetchChunk, Error> {
        let mut items: Vec<proto::FetchItem> = Vec::with_capacity(rows.len());
        let with_body = request.body || request.header;
        let contents = if request.view || with_body || request.object_ids {
            let ids: Vec<uuid::Uuid> = rows.iter().map(|r| r.content_id).collect();
            Some(self.contents(request.mailbox_id, &ids, with_body).await?)
        } else {
            None
        };
        for row in rows {
            let mut item = proto::FetchItem {
                uid: row.uid,
                message_id: row.message_id,
                flags: row.flags,
                modseq: row.modseq(),
                size: row.size,
                internal_date: row.received_at,
                ..Default::default()
            };
            if let Some(contents) = &contents {
                // Its row went between the skeleton and now: the message was expunged for good.
                let Some(content) = contents.get(&row.content_id) else { continue };
                self.fill(&mut item, tenant, request, row, content).await?;
            }
            items.push(item);
        }
        Ok(proto::FetchChunk { items, highest_cn })
    }

    async fn fill(
        &self,
        item: &mut proto::FetchItem,
        tenant: u64,
        request: &proto::FetchRequest,
        row: &Row,
        content: &Content,
    ) -> Result<(), Error> {
        if request.view {
            item.view = content.view.clone();
        }
        if request.object_ids {
            item.content_id = Bytes::copy_from_slice(row.content_id.as_bytes());
            item.thread_id = Bytes::copy_from_slice(content.thread_id.as_bytes());
        }
        if !request.header && !request.body {
            return Ok(());
        }
        let wants_body = request.body && content.size <= request.max_body;
        let header_size = usize::try_from(content.header_size).unwrap_or(usize::MAX);
        match &content.body {
            Some(Body::Blob { hash, header }) => {
                if request.header {
                    item.header = match header {
                        Some(header) => header.clone(),
                        None => gather(self.blobs.read(tenant, hash, 0, content.header_size).await?).await?,
                    };
                }
                if wants_body {
                    item.body = Some(gather(self.blobs.read(tenant, hash, 0, content.size).await?).await?);
                }
            }
            Some(Body::Zstd(packed)) if request.packed && !request.header => {
                if wants_body {
                    item.body_zstd = packed.clone();
                }
            }
            _ => {
                let body = content.inline_body()?.unwrap_or_default();
                if request.header {
                    item.header = body.slice(..header_size.min(body.len()));
                }
                if wants_body {
                    item.body = Some(body);
                }
            }
        }
        Ok(())
    }

    /// A message's bytes, or a range of them.
    pub async fn read_body(
        &self,
        who: &Principal,
        request: &proto::ReadBodyRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let (mailbox, folder) = (request.mailbox_id, request.folder_id);
        self.access.require(who, mailbox, folder, &[Rights::Read]).await?;
        let state = self.folder(mailbox, folder).await?;
        let row = *state.find(request.uid).ok_or_else(|| Error::NotFound("message".into()))?;
        let tenant = state.tenant_id;
        drop(state);
        self.read_content(tenant, mailbox, row.content_id, request.offset, request.length).await
    }
}

/// How many rows go into the next page, by what they weigh.
fn page_length(rows: &[Row], request: &proto::FetchRequest) -> usize {
    if !request.view && !request.body && !request.header && !request.object_ids {
        return rows.len().min(8192);
    }
    let mut weight = 0u64;
    for (i, row) in rows.iter().enumerate().take(512) {
        weight += 2048;
        if request.body && row.size <= request.max_body {
            weight += row.size;
        } else if request.header {
            weight += row.size.min(16 << 10);
        }
        if weight > PAGE_OCTETS && i > 0 {
            return i;
        }
    }
    rows.len().min(512)
}

pub(super) async fn gather(mut pieces: BoxStream<'static, Result<Bytes, Error>>) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole.freeze())
}

const PAGE_OCTETS: u64 = 2 << 20;

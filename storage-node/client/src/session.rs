//! A client that acts for one person.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kontor_storage_proto as proto;
use kontor_storage_proto::put_item_request::Expected;
use parking_lot::RwLock;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::content::PreparedMessage;
use crate::store::{self, AGAIN, DELIVER, LONG, ONCE, SHORT, StoreClient, bodies, directory, mailbox};
use crate::{StoreError, WatchHandle};

/// What a person may do in the store. Cheap to clone; the clones share the token, which renews itself.
#[derive(Clone)]
pub struct Session {
    store: StoreClient,
    state: Arc<State>,
}

/// Where messages are appended.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The mailbox.
    pub mailbox_id: u64,
    /// That of the mailbox (`OpenResponse::tenant_id`).
    pub tenant_id: u64,
    /// The folder.
    pub folder_id: u64,
    /// What the folder was found by (`ListFoldersResponse::hierarchy_cn`): [`StoreError::Conflict`] when the folder
    /// tree has changed since. 0 = whatever happened.
    pub hierarchy_cn: u64,
}

struct State {
    info: proto::Session,
    token: RwLock<(String, i64)>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("address", &self.state.info.address).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(store: StoreClient, mut info: proto::Session) -> Self {
        let token = (std::mem::take(&mut info.token), info.expires_at);
        Session { store, state: Arc::new(State { info, token: RwLock::new(token) }) }
    }

    /// Who this is. (`token` and `expires_at` are those of the login.)
    pub fn info(&self) -> &proto::Session {
        &self.state.info
    }

    /// The client underneath.
    pub fn store(&self) -> &StoreClient {
        &self.store
    }

    /// A token that is good for a while.
    pub async fn token(&self) -> Result<String, StoreError> {
        let (token, expires_at) = self.state.token.read().clone();
        let now = now();
        if expires_at - now > RENEW_BEFORE {
            return Ok(token);
        }
        let request = proto::RenewSessionRequest { token };
        let renewed = self
            .store
            .call(AGAIN, SHORT, |channel| {
                let request = store::timed(request.clone(), SHORT);
                async move { directory(channel).renew_session(request).await }
            })
            .await?;
        let token = renewed.token.clone();
        *self.state.token.write() = (renewed.token, renewed.expires_at);
        Ok(token)
    }

    /// Opens a mailbox by address; empty = one's own.
    pub async fn open(&self, address: &str) -> Result<proto::OpenResponse, StoreError> {
        let request = proto::OpenRequest { address: address.into() };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).open(r).await }).await
    }

    /// Folders of a mailbox, or those that changed since a change number.
    pub async fn list_folders(
        &self,
        mailbox_id: u64,
        since_cn: u64,
    ) -> Result<proto::ListFoldersResponse, StoreError> {
        let request = proto::ListFoldersRequest { mailbox_id, since_cn };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).list_folders(r).await }).await
    }

    /// Makes a folder.
    pub async fn create_folder(
        &self,
        request: proto::CreateFolderRequest,
    ) -> Result<proto::Folder, StoreError> {
        self.call(ONCE, SHORT, request, |c, r| async move { mailbox(c).create_folder(r).await }).await
    }

    /// Renames, moves, subscribes.
    pub async fn update_folder(
        &self,
        request: proto::UpdateFolderRequest,
    ) -> Result<proto::Folder, StoreError> {
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).update_folder(r).await }).await
    }

    /// Deletes a folder with its messages; it must have no folder below.
    pub async fn delete_folder(&self, mailbox_id: u64, folder_id: u64) -> Result<u64, StoreError> {
        let request = proto::DeleteFolderRequest { mailbox_id, folder_id };
        let response =
            self.call(ONCE, SHORT, request, |c, r| async move { mailbox(c).delete_folder(r).await }).await?;
        Ok(response.cn)
    }

    /// Sets entries of a folder's permissions.
    pub async fn set_permissions(
        &self,
        request: proto::SetPermissionsRequest,
    ) -> Result<proto::SetPermissionsResponse, StoreError> {
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).set_permissions(r).await }).await
    }

    /// A folder's permissions.
    pub async fn list_permissions(
        &self,
        mailbox_id: u64,
        folder_id: u64,
    ) -> Result<Vec<proto::Permission>, StoreError> {
        Ok(self.named_permissions(mailbox_id, folder_id).await?.permissions)
    }

    /// The same, with how everybody is called.
    pub async fn named_permissions(
        &self,
        mailbox_id: u64,
        folder_id: u64,
    ) -> Result<proto::ListPermissionsResponse, StoreError> {
        let request = proto::ListPermissionsRequest { mailbox_id, folder_id };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).list_permissions(r).await }).await
    }

    /// The folders of others that are shared with this session, or one of them; both 0 = all.
    pub async fn shared_with_me(
        &self,
        mailbox_id: u64,
        folder_id: u64,
    ) -> Result<Vec<proto::SharedFolder>, StoreError> {
        let request = proto::SharedWithMeRequest { mailbox_id, folder_id };
        let response = self
            .call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).shared_with_me(r).await })
            .await?;
        Ok(response.folders)
    }

    /// Says something of a folder of somebody else, for one's own eyes.
    pub async fn update_shared(&self, request: proto::UpdateSharedRequest) -> Result<(), StoreError> {
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).update_shared(r).await }).await?;
        Ok(())
    }

    /// Gives back what was shared.
    pub async fn leave_shared(&self, mailbox_id: u64, folder_id: u64) -> Result<(), StoreError> {
        let request = proto::LeaveSharedRequest { mailbox_id, folder_id };
        self.call(ONCE, SHORT, request, |c, r| async move { mailbox(c).leave_shared(r).await }).await?;
        Ok(())
    }

    /// Who acts for this account in its calendars, and for whom it does.
    pub async fn calendar_proxies(&self) -> Result<proto::CalendarProxiesResponse, StoreError> {
        let request = proto::CalendarProxiesRequest {};
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).calendar_proxies(r).await }).await
    }

    /// Says who acts for this account.
    pub async fn set_calendar_proxies(
        &self,
        request: proto::SetCalendarProxiesRequest,
    ) -> Result<(), StoreError> {
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).set_calendar_proxies(r).await })
            .await?;
        Ok(())
    }

    /// When people are busy, one answer for each address.
    pub async fn free_busy(
        &self,
        request: proto::FreeBusyRequest,
    ) -> Result<Vec<proto::PersonBusy>, StoreError> {
        let response =
            self.call(AGAIN, LONG, request, |c, r| async move { mailbox(c).free_busy(r).await }).await?;
        Ok(response.people)
    }

    /// The skeleton of a folder as one value. `columns` as in `SkeletonRequest`.
    pub async fn skeleton(
        &self,
        mailbox_id: u64,
        folder_id: u64,
        columns: u32,
    ) -> Result<proto::SkeletonChunk, StoreError> {
        let request = proto::SkeletonRequest { mailbox_id, folder_id, columns };
        let mut stream =
            self.call(AGAIN, LONG, request, |c, r| async move { mailbox(c).skeleton(r).await }).await?;
        let mut whole = proto::SkeletonChunk::default();
        let mut first = true;
        while let Some(chunk) = stream.message().await? {
            if first {
                whole = chunk;
                first = false;
                continue;
            }
            whole.uids.extend(chunk.uids);
            whole.message_ids.extend(chunk.message_ids);
            whole.flags.extend(chunk.flags);
            whole.modseqs.extend(chunk.modseqs);
            whole.sizes.extend(chunk.sizes);
            whole.dates.extend(chunk.dates);
        }
        Ok(whole)
    }

    /// What changed in a folder.
    pub async fn changes(
        &self,
        mailbox_id: u64,
        folder_id: u64,
        since_cn: u64,
    ) -> Result<proto::ChangesResponse, StoreError> {
        let request = proto::ChangesRequest { mailbox_id, folder_id, since_cn };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).changes(r).await }).await
    }

    /// Items of messages, in UID order, as they come.
    pub async fn fetch(&self, mut request: proto::FetchRequest) -> Result<FetchStream, StoreError> {
        request.packed = true;
        let stream = self.call(AGAIN, LONG, request, |c, r| async move { mailbox(c).fetch(r).await }).await?;
        Ok(FetchStream { stream, unpacker: None })
    }

    /// UIDs of the messages that match.
    pub async fn search(&self, request: proto::SearchRequest) -> Result<proto::SearchResponse, StoreError> {
        self.call(AGAIN, DELIVER, request, |c, r| async move { mailbox(c).search(r).await }).await
    }

    /// Changes flags of many messages in one transaction.
    pub async fn store_flags(
        &self,
        request: proto::StoreFlagsRequest,
    ) -> Result<proto::StoreFlagsResponse, StoreError> {
        // With a condition, a second try of a change that was made would find it not met.
        let attempts = if request.unchanged_since.is_some() { ONCE } else { AGAIN };
        self.call(attempts, DELIVER, request, |c, r| async move { mailbox(c).store_flags(r).await }).await
    }

    /// Copies or moves many messages in one transaction.
    pub async fn copy(&self, request: proto::CopyRequest) -> Result<proto::CopyResponse, StoreError> {
        self.call(ONCE, DELIVER, request, |c, r| async move { mailbox(c).copy(r).await }).await
    }

    /// Removes messages; they go to Recoverable Items unless `hard`.
    pub async fn expunge(
        &self,
        request: proto::ExpungeRequest,
    ) -> Result<proto::ExpungeResponse, StoreError> {
        self.call(ONCE, DELIVER, request, |c, r| async move { mailbox(c).expunge(r).await }).await
    }

    /// Brings soft-deleted messages back.
    pub async fn restore(
        &self,
        request: proto::RestoreRequest,
    ) -> Result<proto::RestoreResponse, StoreError> {
        self.call(ONCE, DELIVER, request, |c, r| async move { mailbox(c).restore(r).await }).await
    }

    /// Adds messages to a folder, all or none.
    pub async fn append(
        &self,
        place: Place,
        messages: &[(PreparedMessage, u64, Vec<String>, Option<i64>)],
    ) -> Result<proto::AppendResponse, StoreError> {
        let mut items = Vec::with_capacity(messages.len());
        for (message, flags, keywords, internal_date) in messages {
            items.push(proto::AppendItem {
                content: Some(self.store.content(message, place.tenant_id).await?),
                flags: *flags,
                keywords: keywords.clone(),
                internal_date: *internal_date,
            });
        }
        let Place { mailbox_id, folder_id, hierarchy_cn, .. } = place;
        let mut request = proto::AppendRequest { mailbox_id, folder_id, items, retry: false, hierarchy_cn };
        let first =
            self.call(ONCE, DELIVER, request.clone(), |c, r| async move { mailbox(c).append(r).await }).await;
        match first {
            Err(error) if error.is_retryable() => {
                request.retry = true;
                self.call(AGAIN, DELIVER, request, |c, r| async move { mailbox(c).append(r).await }).await
            }
            answer => answer,
        }
    }

    /// Puts an item that has a name of its own, or a new version of it, whatever is locked.
    pub async fn put_item(
        &self,
        place: Place,
        facts: proto::ItemFacts,
        content: &PreparedMessage,
        expected: Option<Expected>,
    ) -> Result<proto::PutItemResponse, StoreError> {
        let request = proto::PutItemRequest { facts: Some(facts), expected, ..Default::default() };
        self.put_item_with(place, content, request).await
    }

    /// Puts an item, and tells people of it: either both or none. A meeting's UID is the only one in all calendars of
    /// the mailbox.
    pub async fn put_item_telling(
        &self,
        place: Place,
        facts: proto::ItemFacts,
        content: &PreparedMessage,
        expected: Option<Expected>,
        send: Vec<proto::SchedulingMessage>,
        is_meeting: bool,
    ) -> Result<proto::PutItemResponse, StoreError> {
        let facts = Some(facts);
        let request = proto::PutItemRequest { facts, expected, send, is_meeting, ..Default::default() };
        self.put_item_with(place, content, request).await
    }

    /// The same, with all that a request can say; where it goes and the content are filled in. Where it submits locks,
    /// `PutItemResponse::locked` says which others are in the way.
    pub async fn put_item_with(
        &self,
        place: Place,
        content: &PreparedMessage,
        request: proto::PutItemRequest,
    ) -> Result<proto::PutItemResponse, StoreError> {
        let Place { mailbox_id, folder_id, .. } = place;
        let content = Some(self.store.content(content, place.tenant_id).await?);
        let request = proto::PutItemRequest { mailbox_id, folder_id, content, ..request };
        // The same content id is stored once, so a second try is safe.
        self.call(AGAIN, DELIVER, request, |c, r| async move { mailbox(c).put_item(r).await }).await
    }

    /// Removes an item; it goes to Recoverable Items.
    pub async fn delete_item(
        &self,
        request: proto::DeleteItemRequest,
    ) -> Result<proto::DeleteItemResponse, StoreError> {
        self.call(ONCE, DELIVER, request, |c, r| async move { mailbox(c).delete_item(r).await }).await
    }

    /// The items of a folder, or those that changed, in chunks.
    pub async fn items(
        &self,
        request: proto::ItemsRequest,
    ) -> Result<Streaming<proto::ItemsChunk>, StoreError> {
        self.call(AGAIN, LONG, request, |c, r| async move { mailbox(c).items(r).await }).await
    }

    /// Locks an item or a folder, or makes a lock last longer.
    pub async fn put_lock(
        &self,
        request: proto::PutLockRequest,
    ) -> Result<proto::PutLockResponse, StoreError> {
        // The caller chose the token, so a second try finds the first.
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).put_lock(r).await }).await
    }

    /// Removes a lock.
    pub async fn remove_lock(&self, mailbox_id: u64, token: Bytes) -> Result<(), StoreError> {
        let request = proto::RemoveLockRequest { mailbox_id, token };
        self.call(ONCE, SHORT, request, |c, r| async move { mailbox(c).remove_lock(r).await }).await?;
        Ok(())
    }

    /// Says when the owner of a mailbox can be met at all: a calendar with VAVAILABILITY, or nothing.
    pub async fn set_availability(&self, mailbox_id: u64, availability: String) -> Result<(), StoreError> {
        let request = proto::SetAvailabilityRequest { mailbox_id, availability };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).set_availability(r).await }).await?;
        Ok(())
    }

    /// Keeps a file for items of a folder to name. `attachment.id` is the caller's choice.
    pub async fn put_attachment(
        &self,
        place: Place,
        attachment: proto::Attachment,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let blob = Some(self.store.put_body(place.tenant_id, bytes).await?);
        let Place { mailbox_id, folder_id, .. } = place;
        let attachment = Some(attachment);
        let request = proto::PutAttachmentRequest { mailbox_id, folder_id, attachment, blob };
        self.call(AGAIN, SHORT, request, |c, r| async move { mailbox(c).put_attachment(r).await }).await?;
        Ok(())
    }

    /// A file: what it is in the first piece, then its octets.
    pub async fn read_attachment(&self, id: Bytes) -> Result<Streaming<proto::AttachmentPiece>, StoreError> {
        let request = proto::ReadAttachmentRequest { id };
        self.call(AGAIN, LONG, request, |c, r| async move { mailbox(c).read_attachment(r).await }).await
    }

    /// Streams a range of a message's bytes; `length` 0 = to the end.
    pub async fn read_body(&self, request: proto::ReadBodyRequest) -> Result<BodyStream, StoreError> {
        let stream = self.call(AGAIN, LONG, request, |c, r| async move { bodies(c).read(r).await }).await?;
        Ok(BodyStream::new(stream))
    }

    /// Hears hints about a folder; 0 = the whole mailbox.
    pub fn watch(&self, mailbox_id: u64, folder_id: u64) -> WatchHandle {
        self.store.watch(self, mailbox_id, folder_id)
    }

    /// Who stands behind the addresses in a meeting; one answer for each, in order.
    pub async fn calendar_users(
        &self,
        request: proto::CalendarUsersRequest,
    ) -> Result<Vec<proto::CalendarUser>, StoreError> {
        let response = self
            .call(AGAIN, SHORT, request, |c, r| async move { directory(c).calendar_users(r).await })
            .await?;
        Ok(response.users)
    }

    /// May this person send with this address as the sender?
    pub async fn may_send_as(&self, address: &str) -> Result<bool, StoreError> {
        let request = proto::MaySendAsRequest { address: address.into() };
        let response =
            self.call(AGAIN, SHORT, request, |c, r| async move { directory(c).may_send_as(r).await }).await?;
        Ok(response.allowed)
    }

    /// A directory call that has no wrapper: the stub and the request with this session's token.
    pub async fn authorize<T>(&self, message: T) -> Result<Request<T>, StoreError> {
        Ok(self.bear(store::timed(message, SHORT), &self.token().await?))
    }

    async fn call<M, F, Fut, T>(
        &self,
        attempts: u32,
        deadline: Duration,
        message: M,
        make: F,
    ) -> Result<T, StoreError>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> Fut,
        Fut: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let token = self.token().await?;
        self.store
            .call(attempts, deadline, |channel| {
                make(channel, self.bear(store::timed(message.clone(), deadline), &token))
            })
            .await
    }

    fn bear<T>(&self, mut request: Request<T>, token: &str) -> Request<T> {
        if let Ok(value) = MetadataValue::<Ascii>::try_from(format!("Bearer {token}")) {
            request.metadata_mut().insert("authorization", value);
        }
        request
    }
}

/// Fetched items, in UID order.
pub struct FetchStream {
    stream: Streaming<proto::FetchChunk>,
    /// Made once: to make it costs more than to unpack a mail.
    unpacker: Option<zstd::bulk::Decompressor<'static>>,
}

impl FetchStream {
    /// The next page of items. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<proto::FetchChunk>, StoreError> {
        let Some(mut chunk) = self.stream.message().await? else { return Ok(None) };
        // Unpacked here and not in the store: the connection carries a third of the octets.
        for item in chunk.items.iter_mut().filter(|i| !i.body_zstd.is_empty()) {
            let packed = std::mem::take(&mut item.body_zstd);
            let size = usize::try_from(item.size).unwrap_or(0).min(store::MAX_MESSAGE);
            let damaged =
                |e: std::io::Error| StoreError::Internal(format!("a body does not decompress: {e}"));
            let unpacker = match &mut self.unpacker {
                Some(unpacker) => unpacker,
                none => none.insert(zstd::bulk::Decompressor::new().map_err(damaged)?),
            };
            let body = unpacker.decompress(&packed, size).map_err(damaged)?;
            item.body = Some(body.into());
        }
        Ok(Some(chunk))
    }
}

/// Bytes of a body, in pieces.
pub struct BodyStream {
    stream: Streaming<proto::BodyPiece>,
}

impl BodyStream {
    pub(crate) fn new(stream: Streaming<proto::BodyPiece>) -> Self {
        BodyStream { stream }
    }

    /// The next piece, never empty. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while let Some(piece) = self.stream.message().await? {
            if !piece.data.is_empty() {
                return Ok(Some(piece.data));
            }
        }
        Ok(None)
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A token is renewed when it has less than this left, seconds.
const RENEW_BEFORE: i64 = 120;

//! The gRPC services: who may call what, and nothing else. The work is done by the services they name.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use kontor_storage_proto as proto;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::Node;
use crate::access::{Policy, Trust};
use crate::error::Error;
use crate::stub::{
    bodies_server::Bodies, care_server::Care, delivery_server::Delivery, directory_server::Directory,
    events_server::Events, mailbox_server::Mailbox, queue_server::Queue,
};
use crate::token::Principal;

/// All services on one listener.
#[derive(Clone)]
pub(crate) struct Rpc {
    node: Arc<Node>,
    policy: Policy,
}

type Answer<T> = Result<Response<T>, Status>;
type Pages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Rpc {
    pub fn new(node: Arc<Node>, policy: Policy) -> Self {
        Rpc { node, policy }
    }

    fn gateway<T>(&self, request: &Request<T>) -> Result<Trust, Status> {
        self.policy
            .trust(request)
            .ok_or_else(|| Error::Denied("this connection is not trusted with that".into()).into())
    }

    fn admin<T>(&self, request: &Request<T>) -> Result<(), Status> {
        match self.policy.trust(request) {
            Some(Trust::Admin) => Ok(()),
            _ => Err(Error::Denied("this is for administrators".into()).into()),
        }
    }

    /// A gateway speaks for people, each call with the person's token.
    async fn person<T>(&self, request: &Request<T>) -> Result<Principal, Status> {
        self.gateway(request)?;
        Ok(self.node.access.person(request).await?)
    }
}

/// Runs to its end whatever the caller does: what commits must not be cut in half.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Answer<T> {
    match tokio::spawn(work).await {
        Ok(outcome) => Ok(Response::new(outcome?)),
        Err(error) => Err(Error::Internal(format!("a call broke down: {error}")).into()),
    }
}

fn answer<T>(outcome: Result<T, Error>) -> Answer<T> {
    Ok(Response::new(outcome?))
}

fn pages<T: Send + 'static>(receiver: mpsc::Receiver<Result<T, Error>>) -> Response<Pages<T>> {
    Response::new(Box::pin(ReceiverStream::new(receiver).map(|item| item.map_err(Status::from))))
}

fn pieces(
    stream: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> Response<Pages<proto::BodyPiece>> {
    // A whole small message comes as one piece; frames stay of a size that streams well.
    let split = stream.flat_map(|piece| {
        let (error, mut rest) = match piece {
            Ok(bytes) => (None, bytes),
            Err(error) => (Some(Err(Status::from(error))), Bytes::new()),
        };
        let parts = std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Ok(proto::BodyPiece { data: rest.split_to(rest.len().min(PIECE)) }))
        });
        futures::stream::iter(error.into_iter().chain(parts).collect::<Vec<_>>())
    });
    Response::new(Box::pin(split))
}

#[tonic::async_trait]
impl Directory for Rpc {
    async fn authenticate(&self, request: Request<proto::AuthenticateRequest>) -> Answer<proto::Session> {
        self.gateway(&request)?;
        answer(self.node.directory.authenticate(request.get_ref()).await)
    }

    async fn renew_session(&self, request: Request<proto::RenewSessionRequest>) -> Answer<proto::Session> {
        self.gateway(&request)?;
        answer(self.node.directory.renew(&request.get_ref().token).await)
    }

    async fn impersonate(&self, request: Request<proto::ImpersonateRequest>) -> Answer<proto::Session> {
        self.admin(&request)?;
        answer(self.node.directory.impersonate(&request.get_ref().address).await)
    }

    async fn resolve_recipients(
        &self,
        request: Request<proto::ResolveRecipientsRequest>,
    ) -> Answer<proto::ResolveRecipientsResponse> {
        self.gateway(&request)?;
        let results = self.node.directory.resolve(request.get_ref()).await;
        answer(results.map(|results| proto::ResolveRecipientsResponse { results }))
    }

    async fn may_send_as(
        &self,
        request: Request<proto::MaySendAsRequest>,
    ) -> Answer<proto::MaySendAsResponse> {
        let who = self.person(&request).await?;
        let allowed = self.node.directory.may_send_as(&who, &request.get_ref().address).await;
        answer(allowed.map(|allowed| proto::MaySendAsResponse { allowed }))
    }

    async fn find_people(
        &self,
        request: Request<proto::FindPeopleRequest>,
    ) -> Answer<proto::FindPeopleResponse> {
        let who = self.person(&request).await?;
        answer(self.node.directory.find_people(&who, request.get_ref()).await)
    }

    async fn calendar_users(
        &self,
        request: Request<proto::CalendarUsersRequest>,
    ) -> Answer<proto::CalendarUsersResponse> {
        let who = self.person(&request).await?;
        answer(self.node.directory.calendar_users(&who, request.get_ref()).await)
    }

    async fn apply(&self, request: Request<proto::ApplyRequest>) -> Answer<proto::ApplyResponse> {
        self.admin(&request)?;
        let node = self.node.clone();
        whole(async move {
            let results = node.directory.apply(request.into_inner().changes).await?;
            Ok(proto::ApplyResponse { results })
        })
        .await
    }

    async fn list(&self, request: Request<proto::ListRequest>) -> Answer<proto::ListResponse> {
        self.admin(&request)?;
        answer(self.node.directory.list(request.get_ref()).await)
    }

    async fn create_app_password(
        &self,
        mut request: Request<proto::CreateAppPasswordRequest>,
    ) -> Answer<proto::CreateAppPasswordResponse> {
        request.get_mut().address = self.account(&request, &request.get_ref().address).await?;
        answer(self.node.directory.create_app_password(request.get_ref()).await)
    }

    async fn list_app_passwords(
        &self,
        request: Request<proto::ListAppPasswordsRequest>,
    ) -> Answer<proto::ListAppPasswordsResponse> {
        let address = self.account(&request, &request.get_ref().address).await?;
        let list = self.node.directory.list_app_passwords(&address).await;
        answer(list.map(|app_passwords| proto::ListAppPasswordsResponse { app_passwords }))
    }

    async fn delete_app_password(
        &self,
        request: Request<proto::DeleteAppPasswordRequest>,
    ) -> Answer<proto::DeleteAppPasswordResponse> {
        let address = self.account(&request, &request.get_ref().address).await?;
        let gone = self.node.directory.delete_app_password(&address, request.get_ref().id).await;
        answer(gone.map(|()| proto::DeleteAppPasswordResponse {}))
    }
}

impl Rpc {
    /// Whose app passwords: anybody's for an administrator, else one's own.
    async fn account<T>(&self, request: &Request<T>, address: &str) -> Result<String, Status> {
        if request.metadata().get("authorization").is_none() {
            self.admin(request)?;
            return Ok(address.to_string());
        }
        let who = self.person(request).await?;
        let own = self.node.directory.address_of(&who).await?;
        if address.is_empty() || address.eq_ignore_ascii_case(&own) {
            Ok(own)
        } else {
            Err(Error::NotFound("account".into()).into())
        }
    }
}

#[tonic::async_trait]
impl Mailbox for Rpc {
    async fn open(&self, request: Request<proto::OpenRequest>) -> Answer<proto::OpenResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.open(&who, &request.get_ref().address).await)
    }

    async fn list_folders(
        &self,
        request: Request<proto::ListFoldersRequest>,
    ) -> Answer<proto::ListFoldersResponse> {
        let who = self.person(&request).await?;
        let r = request.get_ref();
        answer(self.node.mailboxes.list_folders(&who, r.mailbox_id, r.since_cn).await)
    }

    async fn create_folder(&self, request: Request<proto::CreateFolderRequest>) -> Answer<proto::Folder> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.create_folder(&who, request.get_ref()).await }).await
    }

    async fn update_folder(&self, request: Request<proto::UpdateFolderRequest>) -> Answer<proto::Folder> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.update_folder(&who, request.get_ref()).await }).await
    }

    async fn delete_folder(
        &self,
        request: Request<proto::DeleteFolderRequest>,
    ) -> Answer<proto::DeleteFolderResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move {
            let r = request.get_ref();
            let cn = node.mailboxes.delete_folder(&who, r.mailbox_id, r.folder_id).await?;
            Ok(proto::DeleteFolderResponse { cn })
        })
        .await
    }

    async fn set_permissions(
        &self,
        request: Request<proto::SetPermissionsRequest>,
    ) -> Answer<proto::SetPermissionsResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move {
            let cn = node.mailboxes.set_permissions(&who, request.get_ref()).await?;
            Ok(proto::SetPermissionsResponse { cn })
        })
        .await
    }

    async fn list_permissions(
        &self,
        request: Request<proto::ListPermissionsRequest>,
    ) -> Answer<proto::ListPermissionsResponse> {
        let who = self.person(&request).await?;
        let r = request.get_ref();
        answer(self.node.mailboxes.list_permissions(&who, r.mailbox_id, r.folder_id).await)
    }

    async fn shared_with_me(
        &self,
        request: Request<proto::SharedWithMeRequest>,
    ) -> Answer<proto::SharedWithMeResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.shared_with_me(&who, request.get_ref()).await)
    }

    async fn update_shared(
        &self,
        request: Request<proto::UpdateSharedRequest>,
    ) -> Answer<proto::UpdateSharedResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move {
            node.mailboxes.update_shared(&who, request.get_ref()).await?;
            Ok(proto::UpdateSharedResponse {})
        })
        .await
    }

    async fn leave_shared(
        &self,
        request: Request<proto::LeaveSharedRequest>,
    ) -> Answer<proto::LeaveSharedResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move {
            let r = request.get_ref();
            node.mailboxes.leave_shared(&who, r.mailbox_id, r.folder_id).await?;
            Ok(proto::LeaveSharedResponse {})
        })
        .await
    }

    async fn calendar_proxies(
        &self,
        request: Request<proto::CalendarProxiesRequest>,
    ) -> Answer<proto::CalendarProxiesResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.calendar_proxies(&who).await)
    }

    async fn set_calendar_proxies(
        &self,
        request: Request<proto::SetCalendarProxiesRequest>,
    ) -> Answer<proto::SetCalendarProxiesResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move {
            node.mailboxes.set_calendar_proxies(&who, request.get_ref()).await?;
            Ok(proto::SetCalendarProxiesResponse {})
        })
        .await
    }

    async fn free_busy(&self, request: Request<proto::FreeBusyRequest>) -> Answer<proto::FreeBusyResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.free_busy(&who, request.get_ref()).await)
    }

    type SkeletonStream = Pages<proto::SkeletonChunk>;

    async fn skeleton(&self, request: Request<proto::SkeletonRequest>) -> Answer<Self::SkeletonStream> {
        let who = self.person(&request).await?;
        let chunks = self.node.mailboxes.skeleton(&who, request.get_ref()).await?;
        Ok(Response::new(Box::pin(futures::stream::iter(chunks.into_iter().map(Ok)))))
    }

    async fn changes(&self, request: Request<proto::ChangesRequest>) -> Answer<proto::ChangesResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.changes(&who, request.get_ref()).await)
    }

    type FetchStream = Pages<proto::FetchChunk>;

    async fn fetch(&self, request: Request<proto::FetchRequest>) -> Answer<Self::FetchStream> {
        let who = self.person(&request).await?;
        Ok(pages(self.node.mailboxes.fetch(&who, request.into_inner()).await?))
    }

    async fn search(&self, request: Request<proto::SearchRequest>) -> Answer<proto::SearchResponse> {
        let who = self.person(&request).await?;
        answer(self.node.mailboxes.search(&who, request.into_inner()).await)
    }

    async fn store_flags(
        &self,
        request: Request<proto::StoreFlagsRequest>,
    ) -> Answer<proto::StoreFlagsResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.store_flags(&who, request.get_ref()).await }).await
    }

    async fn copy(&self, request: Request<proto::CopyRequest>) -> Answer<proto::CopyResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.copy(&who, request.get_ref()).await }).await
    }

    async fn expunge(&self, request: Request<proto::ExpungeRequest>) -> Answer<proto::ExpungeResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.expunge(&who, request.get_ref()).await }).await
    }

    async fn restore(&self, request: Request<proto::RestoreRequest>) -> Answer<proto::RestoreResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.restore(&who, request.get_ref()).await }).await
    }

    async fn append(&self, request: Request<proto::AppendRequest>) -> Answer<proto::AppendResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.append(&who, request.into_inner()).await }).await
    }

    async fn put_item(&self, request: Request<proto::PutItemRequest>) -> Answer<proto::PutItemResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.scheduling.put_item(&who, request.into_inner()).await }).await
    }

    async fn delete_item(
        &self,
        request: Request<proto::DeleteItemRequest>,
    ) -> Answer<proto::DeleteItemResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.scheduling.delete_item(&who, request.get_ref()).await }).await
    }

    type ItemsStream = Pages<proto::ItemsChunk>;

    async fn items(&self, request: Request<proto::ItemsRequest>) -> Answer<Self::ItemsStream> {
        let who = self.person(&request).await?;
        Ok(pages(self.node.mailboxes.items(&who, request.into_inner()).await?))
    }

    async fn put_lock(&self, request: Request<proto::PutLockRequest>) -> Answer<proto::PutLockResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.put_lock(&who, request.get_ref()).await }).await
    }

    async fn set_availability(
        &self,
        request: Request<proto::SetAvailabilityRequest>,
    ) -> Answer<proto::SetAvailabilityResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.set_availability(&who, request.get_ref()).await }).await
    }

    async fn put_attachment(
        &self,
        request: Request<proto::PutAttachmentRequest>,
    ) -> Answer<proto::PutAttachmentResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.put_attachment(&who, request.get_ref()).await }).await
    }

    type ReadAttachmentStream = Pages<proto::AttachmentPiece>;

    async fn read_attachment(
        &self,
        request: Request<proto::ReadAttachmentRequest>,
    ) -> Answer<Self::ReadAttachmentStream> {
        let who = self.person(&request).await?;
        let pieces = self.node.mailboxes.read_attachment(&who, request.get_ref()).await?;
        Ok(Response::new(Box::pin(pieces.map(|piece| piece.map_err(Status::from)))))
    }

    async fn remove_lock(
        &self,
        request: Request<proto::RemoveLockRequest>,
    ) -> Answer<proto::RemoveLockResponse> {
        let who = self.person(&request).await?;
        let node = self.node.clone();
        whole(async move { node.mailboxes.remove_lock(&who, request.get_ref()).await }).await
    }
}

#[tonic::async_trait]
impl Delivery for Rpc {
    async fn deliver(&self, request: Request<proto::DeliverRequest>) -> Answer<proto::DeliverResponse> {
        self.gateway(&request)?;
        let node = self.node.clone();
        whole(async move { node.scheduling.deliver(request.into_inner()).await }).await
    }
}

#[tonic::async_trait]
impl Bodies for Rpc {
    async fn put(&self, request: Request<Streaming<proto::PutPiece>>) -> Answer<proto::BlobRef> {
        self.gateway(&request)?;
        let mut pieces = request.into_inner();
        let mut body = BytesMut::new();
        let mut tenant = 0;
        while let Some(piece) = pieces.message().await? {
            if tenant == 0 {
                tenant = piece.tenant_id;
            }
            if (body.len() + piece.data.len()) as u64 > self.node.max_message_size {
                return Err(Error::TooLarge(format!(
                    "a body has at most {} octets",
                    self.node.max_message_size
                ))
                .into());
            }
            body.extend_from_slice(&piece.data);
        }
        if tenant == 0 {
            return Err(Error::Invalid("a body without a tenant".into()).into());
        }
        let node = self.node.clone();
        whole(async move {
            let body = body.freeze();
            let size = body.len() as u64;
            let hash = node.blobs.put(tenant, body).await?;
            Ok(proto::BlobRef { hash: Bytes::copy_from_slice(&hash), size })
        })
        .await
    }

    type ReadStream = Pages<proto::BodyPiece>;

    async fn read(&self, request: Request<proto::ReadBodyRequest>) -> Answer<Self::ReadStream> {
        let who = self.person(&request).await?;
        Ok(pieces(self.node.mailboxes.read_body(&who, request.get_ref()).await?))
    }
}

#[tonic::async_trait]
impl Queue for Rpc {
    async fn enqueue(&self, request: Request<proto::EnqueueRequest>) -> Answer<proto::EnqueueResponse> {
        self.gateway(&request)?;
        let node = self.node.clone();
        whole(async move {
            let queue_id = node.queue.enqueue(request.into_inner()).await?;
            Ok(proto::EnqueueResponse { queue_id })
        })
        .await
    }

    async fn lease(&self, request: Request<proto::LeaseRequest>) -> Answer<proto::LeaseResponse> {
        self.gateway(&request)?;
        let messages = self.node.queue.lease(request.get_ref()).await;
        answer(messages.map(|messages| proto::LeaseResponse { messages }))
    }

    async fn renew(&self, request: Request<proto::RenewRequest>) -> Answer<proto::RenewResponse> {
        self.gateway(&request)?;
        answer(self.node.queue.renew(request.get_ref()).await.map(|()| proto::RenewResponse {}))
    }

    async fn report(&self, request: Request<proto::ReportRequest>) -> Answer<proto::ReportResponse> {
        self.gateway(&request)?;
        let node = self.node.clone();
        whole(async move {
            let finished = node.queue.report(request.get_ref()).await?;
            Ok(proto::ReportResponse { finished })
        })
        .await
    }

    type ReadBodyStream = Pages<proto::BodyPiece>;

    async fn read_body(&self, request: Request<proto::ReadQueueBodyRequest>) -> Answer<Self::ReadBodyStream> {
        self.gateway(&request)?;
        Ok(pieces(self.node.queue.read_body(request.get_ref().queue_id).await?))
    }

    async fn list(&self, request: Request<proto::ListQueueRequest>) -> Answer<proto::ListQueueResponse> {
        self.admin(&request)?;
        let messages = self.node.queue.list(request.get_ref()).await;
        answer(messages.map(|messages| proto::ListQueueResponse { messages }))
    }

    async fn act(&self, request: Request<proto::ActOnQueueRequest>) -> Answer<proto::ActOnQueueResponse> {
        self.admin(&request)?;
        let changed = self.node.queue.act(request.get_ref()).await;
        answer(changed.map(|n| proto::ActOnQueueResponse { changed: u32::try_from(n).unwrap_or(u32::MAX) }))
    }
}

#[tonic::async_trait]
impl Events for Rpc {
    type WatchStream = Pages<proto::WatchEvent>;

    async fn watch(&self, request: Request<Streaming<proto::WatchRequest>>) -> Answer<Self::WatchStream> {
        self.gateway(&request)?;
        let mut interests = request.into_inner();
        let (sender, receiver) = mpsc::channel(EVENTS_AHEAD);
        let node = self.node.clone();
        let end = CancellationToken::new();
        let stream = node.events.stream();
        let ended = end.clone();
        let stopping = node.stopping.clone();
        tokio::spawn(async move {
            loop {
                let interest = tokio::select! {
                    () = ended.cancelled() => break,
                    () = stopping.cancelled() => break,
                    interest = interests.message() => interest,
                };
                match interest {
                    Ok(Some(proto::WatchRequest {
                        interest: Some(proto::watch_request::Interest::Add(add)),
                    })) => {
                        let allowed = match node.access.open(&add.token).await {
                            Ok(who) => node.access.sees_mailbox(&who, add.mailbox_id).await.unwrap_or(false),
                            Err(_) => false,
                        };
                        if allowed {
                            node.events.add(add.mailbox_id, stream, &sender, &ended);
                            // What came before the interest was known may have been missed.
                            let hint =
                                proto::WatchEvent { mailbox_id: add.mailbox_id, folder_id: 0, highest_cn: 0 };
                            if sender.send(hint).await.is_err() {
                                break;
                            }
                        }
                    }
                    Ok(Some(proto::WatchRequest {
                        interest: Some(proto::watch_request::Interest::Remove(id)),
                    })) => {
                        node.events.remove(id, stream);
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
            node.events.remove_stream(stream);
        });
        let events = ReceiverStream::new(receiver).map(Ok);
        Ok(Response::new(Box::pin(events.take_until(async move { end.cancelled().await }))))
    }
}

#[tonic::async_trait]
impl Care for Rpc {
    type CheckStream = Pages<proto::CheckEvent>;

    async fn check(&self, request: Request<proto::CheckRequest>) -> Answer<Self::CheckStream> {
        self.admin(&request)?;
        Ok(pages(self.node.care.check(request.into_inner())))
    }

    async fn ready(&self, _: Request<proto::ReadyRequest>) -> Answer<proto::ReadyResponse> {
        Ok(Response::new(self.node.care.ready().await))
    }

    async fn sweep(&self, request: Request<proto::SweepRequest>) -> Answer<proto::SweepResponse> {
        self.admin(&request)?;
        answer(self.node.care.sweep(request.get_ref().now).await)
    }
}

const PIECE: usize = 64 << 10;
/// Hints that may wait for one gateway.
const EVENTS_AHEAD: usize = 4096;

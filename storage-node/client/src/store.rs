//! The client of the storage tier, for callers that act for a gateway or an administrator.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use kontor_storage_proto as proto;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::StoreError;
use crate::content::{INLINE_LIMIT, PIECE, PreparedMessage};
use crate::replicas::{Replica, Replicas, Tls};
use crate::session::Session;
use crate::stub::{
    bodies_client::BodiesClient, care_client::CareClient, delivery_client::DeliveryClient,
    directory_client::DirectoryClient, mailbox_client::MailboxClient, queue_client::QueueClient,
};
use crate::watch::{WatchHandle, Watcher};

/// A connection to the storage tier. Cheap to clone.
#[derive(Clone)]
pub struct StoreClient {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub replicas: Arc<Replicas>,
    pub watcher: Watcher,
}

impl StoreClient {
    /// Connects to replicas by `host:port`; a name is followed through DNS. Returns at once: connections
    /// are made when they are needed, and made again when they break.
    pub fn connect(addresses: &[String], tls: Option<Tls>) -> Result<Self, StoreError> {
        Ok(Self::over(Replicas::resolve(addresses, tls)?))
    }

    /// Over connections that `dial` makes: an in-memory pipe in the appliance.
    pub fn with_connector<F, Fut, IO>(dial: F) -> Self
    where
        F: Fn() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = std::io::Result<IO>> + Send + 'static,
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let channel = Endpoint::from_static("http://storage-node.local")
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let dial = dial.clone();
                async move { dial().await.map(TokioIo::new) }
            }));
        Self::over(Replicas::fixed(channel))
    }

    /// Over a Unix socket, such as the admin socket of a running appliance.
    pub fn connect_unix(path: impl Into<std::path::PathBuf>) -> Self {
        let path: Arc<std::path::Path> = path.into().into();
        Self::with_connector(move || {
            let path = path.clone();
            async move { tokio::net::UnixStream::connect(path).await }
        })
    }

    fn over(replicas: Arc<Replicas>) -> Self {
        let watcher = Watcher::start(replicas.clone());
        StoreClient { inner: Arc::new(Inner { replicas, watcher }) }
    }

    /// Checks a login name and a password for a service (`imap`, `smtp` …).
    pub async fn authenticate(
        &self,
        login: &str,
        authorize_as: &str,
        password: &str,
        service: &str,
        client_address: &str,
    ) -> Result<Session, StoreError> {
        let request = proto::AuthenticateRequest {
            login: login.into(),
            authorize_as: authorize_as.into(),
            password: password.into(),
            service: service.into(),
            client_address: client_address.into(),
        };
        let session = self
            .call(AGAIN, SHORT, |channel| {
                let request = timed(request.clone(), SHORT);
                async move { directory(channel).authenticate(request).await }
            })
            .await?;
        Ok(Session::new(self.clone(), session))
    }

    /// A session as somebody else, for administrators.
    pub async fn impersonate(&self, address: &str) -> Result<Session, StoreError> {
        let request = proto::ImpersonateRequest { address: address.into() };
        let session = self
            .call(AGAIN, SHORT, |channel| {
                let request = timed(request.clone(), SHORT);
                async move { directory(channel).impersonate(request).await }
            })
            .await?;
        Ok(Session::new(self.clone(), session))
    }

    /// Where mail for these addresses goes; one answer for each, in order.
    pub async fn resolve_recipients(
        &self,
        request: proto::ResolveRecipientsRequest,
    ) -> Result<Vec<proto::Resolution>, StoreError> {
        let response = self
            .call(AGAIN, SHORT, |channel| {
                let request = timed(request.clone(), SHORT);
                async move { directory(channel).resolve_recipients(request).await }
            })
            .await?;
        Ok(response.results)
    }

    /// Delivers one message to mailboxes of any tenants and answers for each target, in order, once the
    /// message is stored for good. Targets without a mailbox answer `FAILED`.
    pub async fn deliver(
        &self,
        message: &PreparedMessage,
        targets: &[proto::Target],
        role: u32,
        internal_date: Option<i64>,
    ) -> Result<Vec<proto::DeliverResult>, StoreError> {
        let mut results = vec![
            proto::DeliverResult {
                status: proto::deliver_result::Status::Failed as i32,
                ..Default::default()
            };
            targets.len()
        ];
        let mut tenants: Vec<u64> = targets.iter().map(|t| t.tenant_id).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for tenant in tenants {
            let mine: Vec<usize> = (0..targets.len())
                .filter(|&i| {
                    targets.get(i).is_some_and(|t| {
                        t.tenant_id == tenant && matches!(t.to, Some(proto::target::To::MailboxId(_)))
                    })
                })
                .collect();
            if mine.is_empty() {
                continue;
            }
            let request = proto::DeliverRequest {
                content: Some(self.content(message, tenant).await?),
                targets: mine.iter().filter_map(|&i| targets.get(i).cloned()).collect(),
                role,
                retry: false,
                internal_date,
            };
            let response = self
                .call_attempts(AGAIN, DELIVER, |attempt, channel| {
                    let mut request = request.clone();
                    request.retry = attempt > 0;
                    async move { delivery(channel).deliver(timed(request, DELIVER)).await }
                })
                .await?;
            for (&i, result) in mine.iter().zip(response.results) {
                if let Some(slot) = results.get_mut(i) {
                    *slot = result;
                }
            }
        }
        Ok(results)
    }

    /// The content as it goes into a request; a large body is stored first.
    pub(crate) async fn content(
        &self,
        message: &PreparedMessage,
        tenant_id: u64,
    ) -> Result<proto::Content, StoreError> {
        let body = if message.raw.len() <= INLINE_LIMIT {
            proto::content::Body::Raw(message.raw.clone())
        } else {
            proto::content::Body::Blob(self.put_body(tenant_id, message.raw.clone()).await?)
        };
        Ok(proto::Content {
            content_id: message.content_id.clone(),
            prepared: Some(message.prepared.clone()),
            body: Some(body),
        })
    }

    /// Stores bytes in a tenant's blob store; durable when it answers.
    pub async fn put_body(&self, tenant_id: u64, bytes: Bytes) -> Result<proto::BlobRef, StoreError> {
        self.call(AGAIN, PUT, |channel| {
            let bytes = bytes.clone();
            async move {
                let mut rest = bytes;
                let mut first = true;
                let pieces = std::iter::from_fn(move || {
                    if rest.is_empty() && !first {
                        return None;
                    }
                    first = false;
                    let data = rest.split_to(rest.len().min(PIECE));
                    Some(proto::PutPiece { tenant_id, data })
                });
                let request = timed(tokio_stream::iter(pieces), PUT);
                bodies(channel).put(request).await
            }
        })
        .await
    }

    /// Puts a message for outside into the queue; stored when it answers. The key makes a retry safe.
    pub async fn enqueue(&self, request: proto::EnqueueRequest) -> Result<u64, StoreError> {
        let mut request = request;
        if let Some(proto::enqueue_request::Body::Raw(raw)) = &request.body
            && raw.len() > INLINE_LIMIT
        {
            let blob = self.put_body(request.tenant_id, raw.clone()).await?;
            request.body = Some(proto::enqueue_request::Body::Blob(blob));
        }
        let response = self
            .call(AGAIN, DELIVER, |channel| {
                let request = timed(request.clone(), DELIVER);
                async move { queue(channel).enqueue(request).await }
            })
            .await?;
        Ok(response.queue_id)
    }

    /// Due messages of the queue under a lease; waits up to `request.wait_ms`.
    pub async fn lease(&self, request: proto::LeaseRequest) -> Result<Vec<proto::QueuedMessage>, StoreError> {
        let deadline = SHORT + Duration::from_millis(u64::from(request.wait_ms));
        let response = self
            .call(ONCE, deadline, |channel| {
                let request = timed(request.clone(), deadline);
                async move { queue(channel).lease(request).await }
            })
            .await?;
        Ok(response.messages)
    }

    /// Keeps a lease.
    pub async fn renew_lease(&self, request: proto::RenewRequest) -> Result<(), StoreError> {
        self.call(AGAIN, SHORT, |channel| {
            let request = timed(request, SHORT);
            async move { queue(channel).renew(request).await }
        })
        .await?;
        Ok(())
    }

    /// What became of a leased message; true when it left the queue.
    pub async fn report(&self, request: proto::ReportRequest) -> Result<bool, StoreError> {
        let response = self
            .call(AGAIN, SHORT, |channel| {
                let request = timed(request.clone(), SHORT);
                async move { queue(channel).report(request).await }
            })
            .await?;
        Ok(response.finished)
    }

    /// The bytes of a queued message, in pieces.
    pub async fn read_queued(&self, queue_id: u64) -> Result<crate::BodyStream, StoreError> {
        let stream = self
            .call(AGAIN, LONG, |channel| async move {
                queue(channel).read_body(timed(proto::ReadQueueBodyRequest { queue_id }, LONG)).await
            })
            .await?;
        Ok(crate::BodyStream::new(stream))
    }

    /// Applies directory changes, in order; one result for each.
    pub async fn apply(&self, changes: Vec<proto::Change>) -> Result<Vec<proto::ApplyResult>, StoreError> {
        let request = proto::ApplyRequest { changes };
        let response = self
            .call(AGAIN, LONG, |channel| {
                let request = timed(request.clone(), LONG);
                async move { directory(channel).apply(request).await }
            })
            .await?;
        Ok(response.results)
    }

    /// Whether the store's database and blobs answer.
    pub async fn ready(&self) -> Result<proto::ReadyResponse, StoreError> {
        self.call(AGAIN, READY, |channel| async move {
            care(channel).ready(timed(proto::ReadyRequest {}, READY)).await
        })
        .await
    }

    /// Hears hints about a folder of a mailbox (0 = any change in the mailbox) for as long as the handle
    /// lives. The session must be allowed to see the mailbox.
    pub fn watch(&self, session: &Session, mailbox_id: u64, folder_id: u64) -> WatchHandle {
        self.inner.watcher.watch(session, mailbox_id, folder_id)
    }

    /// Directory calls that have no wrapper.
    pub fn directory(&self) -> Result<DirectoryClient<Channel>, StoreError> {
        Ok(directory(self.any()?.channel.clone()))
    }

    /// Mailbox calls without a session's token: for tools that carry their own.
    pub fn mailbox(&self) -> Result<MailboxClient<Channel>, StoreError> {
        Ok(mailbox(self.any()?.channel.clone()))
    }

    /// Queue calls that have no wrapper.
    pub fn queue(&self) -> Result<QueueClient<Channel>, StoreError> {
        Ok(queue(self.any()?.channel.clone()))
    }

    /// Check, readiness and sweeps.
    pub fn care(&self) -> Result<CareClient<Channel>, StoreError> {
        Ok(care(self.any()?.channel.clone()))
    }

    fn any(&self) -> Result<Arc<Replica>, StoreError> {
        self.inner.replicas.pick(&[]).ok_or_else(no_replica)
    }

    /// Makes a call on one replica after another until one of them can be reached.
    pub(crate) async fn call<F, Fut, T>(
        &self,
        attempts: u32,
        deadline: Duration,
        mut make: F,
    ) -> Result<T, StoreError>
    where
        F: FnMut(Channel) -> Fut,
        Fut: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        self.call_attempts(attempts, deadline, |_, channel| make(channel)).await
    }

    async fn call_attempts<F, Fut, T>(
        &self,
        attempts: u32,
        deadline: Duration,
        mut make: F,
    ) -> Result<T, StoreError>
    where
        F: FnMut(u32, Channel) -> Fut,
        Fut: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut tried = Vec::new();
        let mut last = no_replica();
        let end = tokio::time::Instant::now() + deadline;
        for attempt in 0..attempts {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                break;
            }
            let Some(replica) = self.inner.replicas.pick(&tried).or_else(|| {
                tried.clear();
                self.inner.replicas.pick(&[])
            }) else {
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            };
            // The server ends at its deadline; this one is for the whole call, however often it is tried.
            let answer = tokio::time::timeout(left, make(attempt, replica.channel.clone())).await;
            match answer {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => last = status.into(),
                Err(_) => last = StoreError::Unavailable("storage-node did not answer in time".into()),
            }
            if !last.is_retryable() {
                return Err(last);
            }
            replica.failed();
            tried.push(replica.name.clone());
            if attempt + 1 < attempts {
                tokio::time::sleep(RETRY_PAUSE * (attempt + 1)).await;
            }
        }
        Err(last)
    }
}

fn no_replica() -> StoreError {
    StoreError::Unavailable("no storage-node is known yet".into())
}

pub(crate) fn timed<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

macro_rules! client {
    ($name:ident, $client:ident) => {
        pub(crate) fn $name(channel: Channel) -> $client<Channel> {
            $client::new(channel)
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE)
        }
    };
}
client!(directory, DirectoryClient);
client!(mailbox, MailboxClient);
client!(delivery, DeliveryClient);
client!(bodies, BodiesClient);
client!(queue, QueueClient);
client!(care, CareClient);

/// Attempts of a call that may be repeated.
pub(crate) const AGAIN: u32 = 3;
/// Attempts of a call that may not.
pub(crate) const ONCE: u32 = 1;
pub(crate) const READY: Duration = Duration::from_secs(3);
pub(crate) const SHORT: Duration = Duration::from_secs(15);
pub(crate) const DELIVER: Duration = Duration::from_secs(30);
/// A body, from a gateway to the blob store.
const PUT: Duration = Duration::from_secs(60);
pub(crate) const LONG: Duration = Duration::from_secs(600);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Largest gRPC message, octets.
pub(crate) const MAX_MESSAGE: usize = 64 << 20;

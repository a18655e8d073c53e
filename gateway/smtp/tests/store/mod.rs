//! A store in memory that answers the calls the SMTP gateway makes, and fails where a test wants it to.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto::{self, deliver_result, queue_recipient, resolution, target::To};
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

/// What is in the store. `local.test` is its domain; `user<n>` has mailbox n, `all` is a group.
#[derive(Clone, Default)]
pub struct Store {
    pub state: Arc<Mutex<State>>,
    /// No call is answered.
    pub down: Arc<AtomicBool>,
}

#[derive(Default)]
pub struct State {
    /// What Deliver answers for a mailbox, where it is not DELIVERED.
    pub outcomes: HashMap<u64, deliver_result::Status>,
    /// Mailboxes whose quota is final.
    pub is_final: Vec<u64>,
    /// Deliver as a whole fails.
    pub deliver_fails: bool,
    pub delivered: Vec<(u64, Bytes)>,
    pub queue: Vec<(proto::EnqueueRequest, bool)>,
    pub reports: Vec<proto::ReportRequest>,
    /// How many addresses each ResolveRecipients call had.
    pub resolved: Vec<usize>,
}

impl Store {
    pub fn client(&self) -> StoreClient {
        let store = self.clone();
        StoreClient::with_connector(move || {
            let store = store.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http2_only();
                tokio::spawn(async move {
                    let service = TowerToHyperService::new(Rpc(store));
                    let _ = builder.serve_connection(TokioIo::new(theirs), service).await;
                });
                Ok(ours)
            }
        })
    }

    pub fn delivered_to(&self, mailbox: u64) -> Vec<Bytes> {
        let state = self.state.lock();
        state.delivered.iter().filter(|(to, _)| *to == mailbox).map(|(_, raw)| raw.clone()).collect()
    }

    /// Puts a message for these addresses into the queue.
    pub fn enqueue(&self, sender: &str, addresses: &[&str], raw: &[u8]) {
        let recipients = addresses.iter().map(|address| proto::QueueRecipient {
            address: (*address).into(),
            state: queue_recipient::State::Pending.into(),
            ..Default::default()
        });
        let request = proto::EnqueueRequest {
            tenant_id: 1,
            sender: sender.into(),
            recipients: recipients.collect(),
            body: Some(proto::enqueue_request::Body::Raw(raw.to_vec().into())),
            ..Default::default()
        };
        self.state.lock().queue.push((request, false));
    }

    fn resolve(&self, request: proto::ResolveRecipientsRequest) -> proto::ResolveRecipientsResponse {
        self.state.lock().resolved.push(request.addresses.len());
        let mailbox = |id: u64| proto::Target {
            to: Some(To::MailboxId(id)),
            tenant_id: 1,
            address: format!("user{id}@local.test"),
            detail: String::new(),
        };
        let results = request.addresses.iter().map(|address| {
            let address = address.to_ascii_lowercase();
            let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
            let (status, targets) = match (local, domain) {
                (_, domain) if domain != "local.test" => (resolution::Status::External, Vec::new()),
                ("all", _) => (resolution::Status::Local, vec![mailbox(1), mailbox(2), mailbox(3)]),
                ("full", _) => (resolution::Status::OverQuota, Vec::new()),
                ("postmaster", _) => (resolution::Status::Local, vec![mailbox(1)]),
                (local, _) => match local.strip_prefix("user").and_then(|id| id.parse().ok()) {
                    Some(id) => (resolution::Status::Local, vec![mailbox(id)]),
                    None => (resolution::Status::NoSuchUser, Vec::new()),
                },
            };
            let is_final = targets.iter().any(|target| {
                matches!(target.to, Some(To::MailboxId(id)) if self.state.lock().is_final.contains(&id))
            });
            let status = if is_final && request.size > 0 { resolution::Status::OverQuota } else { status };
            proto::Resolution { status: status.into(), targets, over_quota_is_final: is_final }
        });
        proto::ResolveRecipientsResponse { results: results.collect() }
    }

    fn deliver(&self, request: proto::DeliverRequest) -> Result<proto::DeliverResponse, Status> {
        let mut state = self.state.lock();
        if state.deliver_fails {
            return Err(Status::unavailable("no database"));
        }
        let Some(proto::content::Body::Raw(raw)) = request.content.and_then(|content| content.body) else {
            return Err(Status::invalid_argument("no body"));
        };
        let mut results = Vec::new();
        for target in request.targets {
            let Some(To::MailboxId(id)) = target.to else { continue };
            let status = state.outcomes.get(&id).copied().unwrap_or(deliver_result::Status::Delivered);
            if status == deliver_result::Status::Delivered {
                state.delivered.push((id, raw.clone()));
            }
            results.push(proto::DeliverResult { status: status.into(), ..Default::default() });
        }
        Ok(proto::DeliverResponse { results })
    }

    fn authenticate(&self, request: proto::AuthenticateRequest) -> Result<proto::Session, Status> {
        if request.password != "secret" {
            return Err(Status::unauthenticated("no"));
        }
        Ok(proto::Session {
            token: "t".into(),
            expires_at: i64::MAX / 2,
            account_id: 1,
            tenant_id: 1,
            mailbox_id: 1,
            address: request.login,
            display_name: String::new(),
            max_message_size: 0,
        })
    }

    fn lease(&self, request: proto::LeaseRequest) -> proto::LeaseResponse {
        let mut state = self.state.lock();
        let mut messages = Vec::new();
        for (at, (queued, leased)) in state.queue.iter_mut().enumerate() {
            let due = queued
                .recipients
                .iter()
                .any(|to| to.state() == queue_recipient::State::Pending && to.next_attempt_at <= now());
            if *leased || !due || messages.len() >= request.max as usize {
                continue;
            }
            *leased = true;
            messages.push(proto::QueuedMessage {
                queue_id: at as u64 + 1,
                lease: 7,
                tenant_id: queued.tenant_id,
                sender: queued.sender.clone(),
                recipients: queued.recipients.clone(),
                ret: queued.ret.clone(),
                envid: queued.envid.clone(),
                queued_at: now(),
                expires_at: now() + 1000,
                eight_bit: queued.eight_bit,
                smtp_utf8: queued.smtp_utf8,
                ..Default::default()
            });
        }
        proto::LeaseResponse { messages }
    }

    fn report(&self, request: proto::ReportRequest) -> proto::ReportResponse {
        let mut state = self.state.lock();
        if let Some((queued, leased)) = state.queue.get_mut(request.queue_id as usize - 1) {
            *leased = false;
            for told in &request.recipients {
                for to in queued.recipients.iter_mut().filter(|to| to.address == told.address) {
                    *to = told.clone();
                }
            }
        }
        state.reports.push(request);
        proto::ReportResponse { finished: false }
    }

    fn body(&self, queue_id: u64) -> Result<Bytes, Status> {
        match self.state.lock().queue.get(queue_id as usize - 1) {
            Some((proto::EnqueueRequest { body: Some(proto::enqueue_request::Body::Raw(raw)), .. }, _)) => {
                Ok(raw.clone())
            }
            _ => Err(Status::not_found("no such message")),
        }
    }
}

#[derive(Clone)]
struct Rpc(Store);

impl Service<http::Request<hyper::body::Incoming>> for Rpc {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        let store = self.0.clone();
        Box::pin(async move {
            if store.down.load(Ordering::SeqCst) {
                return Ok(Status::unavailable("down").into_http());
            }
            let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match call.as_str() {
                "ResolveRecipients" => unary(request, move |message| Ok(store.resolve(message))).await,
                "Deliver" => unary(request, move |message| store.deliver(message)).await,
                "Authenticate" => unary(request, move |message| store.authenticate(message)).await,
                "MaySendAs" => {
                    let may = |message: proto::MaySendAsRequest| {
                        Ok(proto::MaySendAsResponse { allowed: message.address.starts_with("alias") })
                    };
                    unary(request, may).await
                }
                "Enqueue" => {
                    let enqueue = move |message: proto::EnqueueRequest| {
                        let mut state = store.state.lock();
                        state.queue.push((message, false));
                        Ok(proto::EnqueueResponse { queue_id: state.queue.len() as u64 })
                    };
                    unary(request, enqueue).await
                }
                "Lease" => unary(request, move |message| Ok(store.lease(message))).await,
                "Renew" => unary(request, |_: proto::RenewRequest| Ok(proto::RenewResponse {})).await,
                "Report" => unary(request, move |message| Ok(store.report(message))).await,
                "ReadBody" => {
                    let read = move |message: proto::ReadQueueBodyRequest| store.body(message.queue_id);
                    Grpc::new(ProstCodec::default()).server_streaming(Stream(read), request).await
                }
                _ => Status::unimplemented(call).into_http(),
            })
        })
    }
}

async fn unary<M, R>(
    request: http::Request<hyper::body::Incoming>,
    answer: impl Fn(M) -> Result<R, Status>,
) -> http::Response<Body>
where
    M: prost::Message + Default + 'static,
    R: prost::Message + 'static,
{
    Grpc::new(ProstCodec::<R, M>::default()).unary(Unary(answer, std::marker::PhantomData), request).await
}

struct Unary<F, M>(F, std::marker::PhantomData<fn(M)>);

impl<F: Fn(M) -> Result<R, Status>, M, R> Service<Request<M>> for Unary<F, M> {
    type Response = Response<R>;
    type Error = Status;
    type Future = Ready<Result<Response<R>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> Self::Future {
        ready((self.0)(request.into_inner()).map(Response::new))
    }
}

struct Stream<F>(F);

impl<F: Fn(proto::ReadQueueBodyRequest) -> Result<Bytes, Status>>
    Service<Request<proto::ReadQueueBodyRequest>> for Stream<F>
{
    type Response = Response<futures::stream::Iter<std::vec::IntoIter<Result<proto::BodyPiece, Status>>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<proto::ReadQueueBodyRequest>) -> Self::Future {
        let pieces = (self.0)(request.into_inner()).map(|raw| {
            let pieces: Vec<_> = raw
                .chunks(7)
                .map(|piece| Ok(proto::BodyPiece { data: Bytes::copy_from_slice(piece) }))
                .collect();
            Response::new(futures::stream::iter(pieces))
        });
        ready(pieces)
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

//! A store in memory that answers the calls the POP3 gateway makes, and fails where a test wants it to.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use kontor_storage_client::StoreClient;
use kontor_storage_client::proto;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

/// One mailbox with an inbox, password `secret`.
#[derive(Clone, Default)]
pub struct Store {
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    /// UID and bytes.
    pub messages: Vec<(u32, Bytes)>,
    /// Reading a body fails after this many octets.
    pub breaks_after: Option<usize>,
    /// Ranges that were read: UID, offset, length.
    pub read: Vec<(u32, u64, u64)>,
    pub expunged: Vec<proto::ExpungeRequest>,
    pub flagged: Vec<proto::StoreFlagsRequest>,
}

type Pieces<T> = futures::stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

impl Store {
    pub fn of(messages: &[(u32, &[u8])]) -> Self {
        let store = Self::default();
        store.state.lock().messages =
            messages.iter().map(|(uid, raw)| (*uid, Bytes::copy_from_slice(raw))).collect();
        store
    }

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

    fn authenticate(request: proto::AuthenticateRequest) -> Result<proto::Session, Status> {
        if request.password != "secret" {
            return Err(Status::unauthenticated("no"));
        }
        let expires_at = i64::MAX / 2;
        Ok(proto::Session { token: "t".into(), expires_at, address: request.login, ..Default::default() })
    }

    fn open() -> proto::OpenResponse {
        let role = u32::from(kontor_model::FolderRole::Inbox.code());
        let inbox = proto::Folder { folder_id: 5, role, ..Default::default() };
        let other = proto::Folder { folder_id: 4, ..Default::default() };
        proto::OpenResponse { mailbox_id: 1, folders: vec![other, inbox], ..Default::default() }
    }

    fn skeleton(&self, request: proto::SkeletonRequest) -> Result<Pieces<proto::SkeletonChunk>, Status> {
        assert_eq!((request.mailbox_id, request.folder_id, request.columns), (1, 5, 8));
        // A chunk for each message, as a long list would come in several.
        let state = self.state.lock();
        let chunks = state.messages.iter().map(|(uid, raw)| {
            Ok(proto::SkeletonChunk {
                uid_validity: 0xab,
                uids: vec![*uid],
                sizes: vec![raw.len() as u64],
                ..Default::default()
            })
        });
        Ok(futures::stream::iter(chunks.collect::<Vec<_>>()))
    }

    fn read(&self, request: proto::ReadBodyRequest) -> Result<Pieces<proto::BodyPiece>, Status> {
        let mut state = self.state.lock();
        state.read.push((request.uid, request.offset, request.length));
        let found = state.messages.iter().find(|(uid, _)| *uid == request.uid);
        let (_, raw) = found.ok_or_else(|| Status::not_found("no such message"))?;
        let mut raw = raw.slice((request.offset as usize).min(raw.len())..);
        if request.length > 0 {
            raw.truncate(request.length as usize);
        }
        let breaks = state.breaks_after.filter(|after| *after < raw.len());
        raw.truncate(breaks.unwrap_or(raw.len()));
        let mut pieces: Vec<_> = raw
            .chunks(1000)
            .map(|piece| Ok(proto::BodyPiece { data: Bytes::copy_from_slice(piece) }))
            .collect();
        if breaks.is_some() {
            pieces.push(Err(Status::unavailable("cut")));
        }
        Ok(futures::stream::iter(pieces))
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
            let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match call.as_str() {
                "Authenticate" => unary(request, Store::authenticate).await,
                "Open" => unary(request, |_: proto::OpenRequest| Ok(Store::open())).await,
                "Skeleton" => streaming(request, move |message| store.skeleton(message)).await,
                "Read" => streaming(request, move |message| store.read(message)).await,
                "Expunge" => {
                    let expunge = move |message| {
                        store.state.lock().expunged.push(message);
                        Ok(proto::ExpungeResponse::default())
                    };
                    unary(request, expunge).await
                }
                "StoreFlags" => {
                    let flag = move |message| {
                        store.state.lock().flagged.push(message);
                        Ok(proto::StoreFlagsResponse::default())
                    };
                    unary(request, flag).await
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
    Grpc::new(ProstCodec::<R, M>::default()).unary(Call(answer, PhantomData), request).await
}

async fn streaming<M, R>(
    request: http::Request<hyper::body::Incoming>,
    answer: impl Fn(M) -> Result<Pieces<R>, Status>,
) -> http::Response<Body>
where
    M: prost::Message + Default + 'static,
    R: prost::Message + 'static,
{
    Grpc::new(ProstCodec::<R, M>::default()).server_streaming(Call(answer, PhantomData), request).await
}

struct Call<F, M>(F, PhantomData<fn(M)>);

impl<F: Fn(M) -> Result<R, Status>, M, R> Service<Request<M>> for Call<F, M> {
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

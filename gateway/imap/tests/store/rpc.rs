//! The gRPC side of the store in memory.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt;
use kontor_storage_client::proto;
use tokio_stream::wrappers::BroadcastStream;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

use super::Store;

#[derive(Clone)]
pub struct Rpc(pub Store);

type Incoming = http::Request<hyper::body::Incoming>;

impl Service<Incoming> for Rpc {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Incoming) -> Self::Future {
        let store = self.0.clone();
        Box::pin(async move {
            let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            {
                let mut state = store.state.lock();
                *state.calls.entry(call.clone()).or_default() += 1;
                if state.down && call != "Watch" {
                    return Ok(Status::unavailable("down").into_http());
                }
            }
            Ok(answer(store, &call, request).await)
        })
    }
}

async fn answer(store: Store, call: &str, request: Incoming) -> http::Response<Body> {
    match call {
        "Authenticate" => unary(request, authenticate).await,
        "ListFolders" => {
            unary(request, move |_: proto::ListFoldersRequest| Ok(store.state.lock().list())).await
        }
        "CreateFolder" => {
            let make = move |m: proto::CreateFolderRequest| {
                Ok(store.state.lock().make(m.parent_id, &m.name, m.role, &m.container_class))
            };
            unary(request, make).await
        }
        "UpdateFolder" => unary(request, move |m| store.state.lock().update_folder(m)).await,
        "DeleteFolder" => {
            let delete = move |m: proto::DeleteFolderRequest| {
                store.state.lock().folders.retain(|f| f.about.folder_id != m.folder_id);
                store.changed(m.folder_id, Ok(proto::DeleteFolderResponse { cn: 0 }))
            };
            unary(request, delete).await
        }
        "Skeleton" => stream(request, move |m| store.state.lock().skeleton(m).map(|chunk| vec![chunk])).await,
        "Changes" => unary(request, move |m| store.state.lock().changes(m)).await,
        "Fetch" => stream(request, move |m| store.state.lock().fetch(m)).await,
        "Search" => unary(request, move |m| store.state.lock().search(m)).await,
        "StoreFlags" => {
            let change = move |m: proto::StoreFlagsRequest| {
                let (id, done) = (m.folder_id, store.state.lock().store_flags(m));
                store.changed(id, done)
            };
            unary(request, change).await
        }
        "Copy" => {
            let copy = move |m: proto::CopyRequest| {
                let (from, to, done) = (m.folder_id, m.to_folder_id, store.state.lock().copy(m));
                store.tell(from);
                store.changed(to, done)
            };
            unary(request, copy).await
        }
        "Expunge" => {
            let expunge = move |m: proto::ExpungeRequest| {
                let (id, done) = (m.folder_id, store.state.lock().expunge(m));
                store.changed(id, done)
            };
            unary(request, expunge).await
        }
        "Append" => {
            let append = move |m: proto::AppendRequest| {
                let (id, done) = (m.folder_id, store.state.lock().append(m));
                store.changed(id, done)
            };
            unary(request, append).await
        }
        "Read" => {
            let read = move |m: proto::ReadBodyRequest| {
                let bytes = store.state.lock().read(m)?;
                let pieces =
                    bytes.chunks(60_000).map(|p| proto::BodyPiece { data: Bytes::copy_from_slice(p) });
                Ok(pieces.collect::<Vec<_>>())
            };
            stream(request, read).await
        }
        "Watch" => Grpc::new(ProstCodec::default()).streaming(Watch(store), request).await,
        _ => Status::unimplemented(call).into_http(),
    }
}

fn authenticate(request: proto::AuthenticateRequest) -> Result<proto::Session, Status> {
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
        ..Default::default()
    })
}

async fn unary<M, R>(request: Incoming, answer: impl Fn(M) -> Result<R, Status>) -> http::Response<Body>
where
    M: prost::Message + Default + 'static,
    R: prost::Message + 'static,
{
    Grpc::new(ProstCodec::<R, M>::default()).unary(Unary(answer, PhantomData), request).await
}

async fn stream<M, R>(request: Incoming, answer: impl Fn(M) -> Result<Vec<R>, Status>) -> http::Response<Body>
where
    M: prost::Message + Default + 'static,
    R: prost::Message + 'static,
{
    Grpc::new(ProstCodec::<R, M>::default()).server_streaming(Stream(answer, PhantomData), request).await
}

struct Unary<F, M>(F, PhantomData<fn(M)>);

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

struct Stream<F, M>(F, PhantomData<fn(M)>);

impl<F: Fn(M) -> Result<Vec<R>, Status>, M, R: Send + 'static> Service<Request<M>> for Stream<F, M> {
    type Response = Response<futures::stream::BoxStream<'static, Result<R, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> Self::Future {
        let rows = (self.0)(request.into_inner());
        ready(rows.map(|rows| Response::new(futures::stream::iter(rows.into_iter().map(Ok)).boxed())))
    }
}

struct Watch(Store);

impl Service<Request<Streaming<proto::WatchRequest>>> for Watch {
    type Response = Response<futures::stream::BoxStream<'static, Result<proto::WatchEvent, Status>>>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<proto::WatchRequest>>) -> Self::Future {
        let mut interests = request.into_inner();
        tokio::spawn(async move { while let Ok(Some(_)) = interests.message().await {} });
        let events = BroadcastStream::new(self.0.events.subscribe());
        ready(Ok(Response::new(events.map(|event| Ok(event.unwrap_or_default())).boxed())))
    }
}

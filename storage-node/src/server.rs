//! Listeners: mTLS, a Unix socket, and in memory.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kontor_process::{Drain, TlsServer};
use kontor_storage_client::StoreClient;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use crate::access::{Policy, Trust};
use crate::measure::MeasureLayer;
use crate::rpc::Rpc;
use crate::stub::{
    bodies_server::BodiesServer, care_server::CareServer, delivery_server::DeliveryServer,
    directory_server::DirectoryServer, events_server::EventsServer, mailbox_server::MailboxServer,
    queue_server::QueueServer,
};
use crate::{ListenConfig, StorageNode};

impl StorageNode {
    /// Serves gateways and operators over mTLS until [`StorageNode::stop`].
    pub async fn serve(&self, config: &ListenConfig) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind(&config.address)
            .await
            .map_err(|e| anyhow::anyhow!("cannot listen on {}: {e}", config.address))?;
        let tls = TlsServer::load_with_alpn(&config.tls(), &["h2"])?;
        let drain = Drain::new();
        tls.watch(&drain);
        tracing::info!(address = %listener.local_addr()?, "serving the store");
        let (sender, receiver) = mpsc::channel(HANDSHAKES);
        let accepting = tokio::spawn(accept(listener, tls, sender));
        let outcome = server()
            .add_routes(self.routes(Policy::Certificate))
            .serve_with_incoming_shutdown(ReceiverStream::new(receiver), self.stopped())
            .await;
        accepting.abort();
        drain.begin();
        Ok(outcome?)
    }

    /// Serves administrators over a Unix socket that only its owner can open, until
    /// [`StorageNode::stop`]. A socket left there by a process that was killed is replaced.
    pub async fn serve_unix(&self, path: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let listener = tokio::net::UnixListener::bind(path)
            .map_err(|e| anyhow::anyhow!("cannot listen on {}: {e}", path.display()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        server()
            .add_routes(self.routes(Policy::All(Trust::Admin)))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), self.stopped())
            .await?;
        Ok(())
    }

    /// A client in the same process, over in-memory connections.
    pub fn client(&self, trust: Trust) -> StoreClient {
        let (sender, receiver) = mpsc::channel::<std::io::Result<Memory>>(16);
        let serving = server()
            .add_routes(self.routes(Policy::All(trust)))
            .serve_with_incoming_shutdown(ReceiverStream::new(receiver), self.stopped());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the in-memory server ended");
            }
        });
        StoreClient::with_connector(move || {
            let sender = sender.clone();
            async move {
                let (near, far) = tokio::io::duplex(PIPE);
                sender
                    .send(Ok(Memory(far)))
                    .await
                    .map_err(|_| std::io::Error::other("the storage node has stopped"))?;
                Ok(near)
            }
        })
    }

    fn routes(&self, policy: Policy) -> Routes {
        let rpc = Rpc::new(self.node.clone(), policy);
        macro_rules! sized {
            ($server:ident) => {
                $server::new(rpc.clone())
                    .max_decoding_message_size(MAX_MESSAGE)
                    .max_encoding_message_size(MAX_MESSAGE)
            };
        }
        Routes::new(sized!(DirectoryServer))
            .add_service(sized!(MailboxServer))
            .add_service(sized!(DeliveryServer))
            .add_service(sized!(BodiesServer))
            .add_service(sized!(QueueServer))
            .add_service(sized!(EventsServer))
            .add_service(sized!(CareServer))
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let stopping = self.node.stopping.clone();
        async move { stopping.cancelled().await }
    }
}

/// Takes connections and makes TLS of them, side by side: a client that dawdles keeps nobody else waiting.
async fn accept(
    listener: tokio::net::TcpListener,
    tls: Arc<TlsServer>,
    ready: mpsc::Sender<std::io::Result<TlsStream<TcpStream>>>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: others will close.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
            match tls.accept(stream).await {
                // The receiver is gone only when the server has stopped.
                Ok(stream) => drop(ready.send(Ok(stream)).await),
                Err(error) => tracing::debug!(%error, "a peer did not get in"),
            }
        });
    }
}

/// Handshakes at a time.
const HANDSHAKES: usize = 64;

type Measured = tower::layer::util::Stack<MeasureLayer, tower::layer::util::Identity>;

fn server() -> Server<Measured> {
    Server::builder()
        .layer(MeasureLayer)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_concurrent_streams(10_000)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .tcp_nodelay(true)
}

/// One end of an in-memory connection.
struct Memory(DuplexStream);

impl Connected for Memory {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl tokio::io::AsyncRead for Memory {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Memory {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Largest gRPC message, octets.
const MAX_MESSAGE: usize = 64 << 20;
/// Octets that fit into an in-memory connection.
const PIPE: usize = 256 << 10;

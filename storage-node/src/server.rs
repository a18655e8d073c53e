//! Listeners: mTLS, a Unix socket, and in memory.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use kontor_storage_client::StoreClient;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::service::Routes;
use tonic::transport::server::Connected;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

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
        let read = async |path: &Path| {
            tokio::fs::read(path).await.map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))
        };
        let identity = Identity::from_pem(read(&config.certificate).await?, read(&config.key).await?);
        let tls = ServerTlsConfig::new()
            .identity(identity)
            .client_ca_root(Certificate::from_pem(read(&config.client_ca).await?));
        tracing::info!(address = %listener.local_addr()?, "serving the store");
        server()
            .tls_config(tls)?
            .add_routes(self.routes(Policy::Certificate))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), self.stopped())
            .await?;
        Ok(())
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

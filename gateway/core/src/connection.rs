//! One client's connection, plain or TLS.

use crate::listener::Slot;
use crate::rate::Throttle;
use crate::reader::Reader;
use crate::tls::{HandshakeError, TlsServer};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client, as `AsyncRead + AsyncWrite`. A TLS client that vanishes without close_notify is an ordinary end of
/// stream: every protocol here knows from its own framing whether something was cut.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    peer: SocketAddr,
    local: SocketAddr,
    starttls: Option<Arc<TlsServer>>,
    throttle: Option<Box<Throttle>>,
    /// Given back to the listener when the connection ends.
    slot: Option<Slot>,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What TLS has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The suite in rustls' words, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name that the client asked for.
    pub sni: Option<String>,
    /// The application protocol that ALPN chose.
    pub alpn: Option<String>,
    /// Whether the client showed a certificate that was verified.
    pub client_certificate: bool,
}

impl Connection {
    /// A plain connection outside a listener (tests, sockets that were handed over).
    ///
    /// # Errors
    /// When the socket is no longer connected.
    pub fn plain(stream: TcpStream, starttls: Option<Arc<TlsServer>>) -> io::Result<Self> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        let transport = Transport::Plain(stream);
        Ok(Self { transport, peer, local, starttls, throttle: None, slot: None })
    }

    /// The client's address: what the PROXY protocol said, else the socket's.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The client's IP address; an IPv4 address never comes in its IPv6-mapped form.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.ip().to_canonical()
    }

    /// The address that the client connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// Whether STARTTLS is to be offered: there is a certificate and the connection is still plain.
    pub fn can_upgrade(&self) -> bool {
        self.starttls.is_some() && !self.is_tls()
    }

    /// What TLS has agreed on; `None` on a plain connection.
    pub fn tls(&self) -> Option<TlsInfo> {
        let Transport::Tls(stream) = &self.transport else { return None };
        let (_, session) = stream.get_ref();
        Some(TlsInfo {
            version: match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: session.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default(),
            sni: session.server_name().map(str::to_owned),
            alpn: session.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
            client_certificate: session.peer_certificates().is_some_and(|certs| !certs.is_empty()),
        })
    }

    /// STARTTLS: the positive answer was sent and flushed, now the handshake, within the configured deadline.
    ///
    /// `reader` must be empty. Bytes that a client (or somebody between) sent after the command in clear text would
    /// otherwise be taken for commands of the encrypted session.
    ///
    /// # Errors
    /// [`UpgradeError`]; the connection is gone.
    pub async fn upgrade_tls(mut self, reader: &Reader) -> Result<Self, UpgradeError> {
        if !reader.is_empty() {
            return Err(UpgradeError::Injected);
        }
        let tls = self.starttls.take().ok_or(UpgradeError::Unavailable)?;
        let Transport::Plain(stream) = self.transport else { return Err(UpgradeError::Unavailable) };
        let stream = tls.accept(stream).await?;
        Ok(Self { transport: Transport::Tls(Box::new(stream)), ..self })
    }

    pub(crate) async fn implicit_tls(self, tls: &TlsServer) -> Result<Self, UpgradeError> {
        let Transport::Plain(stream) = self.transport else { return Err(UpgradeError::Unavailable) };
        let stream = tls.accept(stream).await?;
        Ok(Self { transport: Transport::Tls(Box::new(stream)), ..self })
    }

    pub(crate) fn set_addresses(&mut self, peer: SocketAddr, local: SocketAddr) {
        (self.peer, self.local) = (peer, local);
    }

    pub(crate) fn set_slot(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    pub(crate) fn slot_mut(&mut self) -> Option<&mut Slot> {
        self.slot.as_mut()
    }

    pub(crate) fn tcp_mut(&mut self) -> &mut TcpStream {
        match &mut self.transport {
            Transport::Plain(stream) => stream,
            Transport::Tls(stream) => stream.get_mut().0,
        }
    }

    /// Limits what comes in to this many octets a second, with a burst of one second's worth. 0 is no limit.
    pub fn limit_reading(&mut self, octets_per_second: u64) {
        self.throttle = (octets_per_second > 0).then(|| Box::new(Throttle::new(octets_per_second)));
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(throttle) = &mut this.throttle {
            ready!(throttle.poll_ready(cx));
        }
        let before = buf.filled().len();
        let result = match &mut this.transport {
            Transport::Plain(stream) => ready!(Pin::new(stream).poll_read(cx, buf)),
            Transport::Tls(stream) => ready!(Pin::new(stream).poll_read(cx, buf)),
        };
        if let Some(throttle) = &mut this.throttle {
            throttle.spend(buf.filled().len() - before);
        }
        Poll::Ready(match result {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            other => other,
        })
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Why a connection did not become TLS.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// Clear text came after the STARTTLS command. Drop the connection.
    #[error("clear text after STARTTLS")]
    Injected,
    /// No certificate, or the connection is TLS already: a gateway that asked [`Connection::can_upgrade`] does not
    /// come here.
    #[error("STARTTLS is not available")]
    Unavailable,
    /// The client did not finish in time, or the handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

//! Asking an upstream whether it wants requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use kontor_gateway_core::proxy;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How an upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// `GET /readyz` on this port of it.
    Readyz(u16),
    /// It takes connections.
    Connect,
    /// The same where the PROXY protocol is wanted: we say that we come for ourselves, so that nobody wonders.
    ConnectProxied,
}

/// Asks, within a deadline.
///
/// # Errors
/// Why it is not healthy, in words.
pub(crate) async fn check(address: SocketAddr, probe: Probe) -> Result<(), String> {
    let asked = async {
        match probe {
            Probe::Readyz(port) => match readyz(SocketAddr::new(address.ip(), port)).await? {
                StatusCode::OK => Ok(()),
                status => Err(format!("/readyz says {status}")),
            },
            Probe::Connect => TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string()),
            Probe::ConnectProxied => {
                let greeted = async {
                    let mut stream = TcpStream::connect(address).await?;
                    stream.write_all(&proxy::LOCAL_V2).await
                };
                greeted.await.map_err(|error: std::io::Error| error.to_string())
            }
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn readyz(address: SocketAddr) -> Result<StatusCode, String> {
    let words = |error: hyper::Error| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let request = Request::get("/readyz")
        .header(HOST, address.to_string())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let (response, _) = futures::join!(sender.send_request(request), connection);
    response.map(|response| response.status()).map_err(words)
}

const DEADLINE: Duration = Duration::from_secs(2);

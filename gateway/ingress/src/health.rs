//! Asking an upstream whether it wants requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// `GET /readyz` on the monitor's port, or being able to connect when there is none.
///
/// # Errors
/// Why it is not healthy, in words.
pub(crate) async fn check(address: SocketAddr, health_port: Option<u16>) -> Result<(), String> {
    let asked = async {
        let Some(port) = health_port else {
            return TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string());
        };
        let address = SocketAddr::new(address.ip(), port);
        match readyz(address).await {
            Ok(StatusCode::OK) => Ok(()),
            Ok(status) => Err(format!("/readyz says {status}")),
            Err(error) => Err(error),
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
    let connection = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        response = sender.send_request(request) => response.map(|response| response.status()).map_err(words),
        () = connection => Err("the connection ended".to_owned()),
    }
}

const DEADLINE: Duration = Duration::from_secs(2);

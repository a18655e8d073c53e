//! A client that says what a test wants it to say.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Handler, Shared};
use kontor_smtp::{Gateway, Mode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub struct Client {
    pub stream: TcpStream,
    pub shared: Shared,
}

impl Client {
    /// Connects to a session of this gateway.
    pub async fn connect(gateway: &Arc<Gateway>, mode: Mode, shared: Shared) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let connection = Connection::plain(accepted, None).unwrap();
        tokio::spawn(Arc::new(gateway.server(mode)).serve(connection, shared.clone()));
        let mut client = Self { stream, shared };
        let greeting = client.replies(1).await;
        assert!(greeting.starts_with("220 mx.test "), "{greeting}");
        client
    }

    pub async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// The last lines of this many replies, joined.
    pub async fn replies(&mut self, count: usize) -> String {
        let (mut text, mut seen) = (String::new(), 0);
        let mut line = Vec::new();
        while seen < count {
            let octet =
                timeout(Duration::from_secs(20), self.stream.read_u8()).await.expect("an answer in time");
            line.push(octet.expect("the connection is open"));
            if line.ends_with(b"\r\n") {
                if line.get(3) == Some(&b' ') {
                    seen += 1;
                    text.push_str(std::str::from_utf8(&line).unwrap());
                }
                line.clear();
            }
        }
        text
    }

    /// The codes of this many replies.
    pub async fn codes(&mut self, count: usize) -> Vec<String> {
        self.replies(count).await.lines().map(|line| line[..3].to_owned()).collect()
    }

    pub async fn ask(&mut self, line: &str) -> String {
        self.say(format!("{line}\r\n")).await;
        self.replies(1).await
    }

    pub async fn is_closed(&mut self) -> bool {
        let read = timeout(Duration::from_secs(10), self.stream.read_u8()).await.expect("closed in time");
        read.is_err()
    }
}

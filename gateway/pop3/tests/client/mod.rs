//! A client that says what a test wants it to say.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Handler, Shared};
use kontor_pop3::{Pop3Config, Server};
use kontor_storage_client::StoreClient;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub struct Client {
    pub stream: BufReader<TcpStream>,
    pub shared: Shared,
}

impl Client {
    pub async fn connect(config: Pop3Config, store: StoreClient) -> Self {
        let shared = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let connection = Connection::plain(accepted, None).unwrap();
        tokio::spawn(Arc::new(Server::new(config, store)).serve(connection, shared.clone()));
        let mut client = Self { stream: BufReader::new(stream), shared };
        assert!(client.line().await.starts_with("+OK"));
        client
    }

    pub async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(octets.as_ref()).await.unwrap();
    }

    async fn raw_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let read = timeout(Duration::from_secs(20), self.stream.read_until(b'\n', &mut line)).await;
            assert!(read.expect("an answer in time").expect("readable") > 0, "closed after {line:?}");
        }
        line
    }

    pub async fn line(&mut self) -> String {
        String::from_utf8(self.raw_line().await).unwrap()
    }

    pub async fn ask(&mut self, line: &str) -> String {
        self.say(format!("{line}\r\n")).await;
        self.line().await
    }

    /// A multi-line response without its first line and its dot, by RFC 1939 §3.
    pub async fn lines(&mut self) -> Vec<u8> {
        assert!(self.line().await.starts_with("+OK"));
        let mut whole = Vec::new();
        loop {
            let line = self.raw_line().await;
            if line == b".\r\n" {
                return whole;
            }
            whole.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Whether the connection ends, and not with the end of a message.
    pub async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = timeout(Duration::from_secs(10), self.stream.read_to_end(&mut rest)).await;
        let _octets_or_reset = read.expect("closed in time");
        !rest.ends_with(b".\r\n")
    }
}

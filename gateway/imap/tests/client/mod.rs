//! A client that says what a test wants it to say, byte for byte.

use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Connection, Handler, Shared};
use kontor_imap::{ImapConfig, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::store::Store;

pub struct Client {
    stream: TcpStream,
    tags: u32,
    buffered: Vec<u8>,
}

impl Client {
    /// Connects to a session of its own.
    pub async fn connect(store: &Store) -> Self {
        Self::connect_with(
            store,
            ImapConfig { plaintext_auth: true, ..ImapConfig::default() },
            Shared::default(),
        )
        .await
    }

    pub async fn connect_with(store: &Store, config: ImapConfig, shared: Shared) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let connection = Connection::plain(accepted, None).unwrap();
        tokio::spawn(Arc::new(Server::new(config, store.client())).serve(connection, shared));
        let mut client = Self { stream, tags: 0, buffered: Vec::new() };
        let greeting = client.line().await;
        assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1 "), "{greeting}");
        client
    }

    /// Logged in.
    pub async fn user(store: &Store) -> Self {
        let mut client = Self::connect(store).await;
        client.ok("LOGIN anna secret").await;
        client
    }

    /// With a mailbox open.
    pub async fn inbox(store: &Store) -> Self {
        let mut client = Self::user(store).await;
        client.ok("SELECT INBOX").await;
        client
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next line with its literals, CRLF inside kept and the last one cut off.
    pub async fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            self.until_newline(&mut line).await;
            let text = String::from_utf8_lossy(&line).into_owned();
            let literal =
                text.strip_suffix("}\r\n").and_then(|t| t.rsplit_once('{')).and_then(|(_, n)| n.parse().ok());
            match literal {
                Some(n) => {
                    let n: usize = n;
                    while self.buffered.len() < n {
                        self.more().await;
                    }
                    line.extend(self.buffered.drain(..n));
                }
                None => return text.strip_suffix("\r\n").expect("lines end with CRLF").to_owned(),
            }
        }
    }

    async fn until_newline(&mut self, line: &mut Vec<u8>) {
        loop {
            if let Some(at) = self.buffered.iter().position(|b| *b == b'\n') {
                line.extend(self.buffered.drain(..=at));
                return;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let mut piece = vec![0; 65536];
        let read = timeout(Duration::from_secs(20), self.stream.read(&mut piece));
        let n = read.await.expect("an answer in time").expect("the connection is open");
        assert!(n > 0, "the connection ended after {:?}", String::from_utf8_lossy(&self.buffered));
        self.buffered.extend_from_slice(&piece[..n]);
    }

    /// A command's untagged lines and its tagged one, the tag cut off.
    pub async fn ask(&mut self, command: &str) -> (Vec<String>, String) {
        self.tags += 1;
        let tag = format!("a{}", self.tags);
        self.send(format!("{tag} {command}\r\n")).await;
        self.answer(&tag).await
    }

    pub async fn answer(&mut self, tag: &str) -> (Vec<String>, String) {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await;
            match line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                Some(rest) => return (untagged, rest.to_owned()),
                None => untagged.push(line),
            }
        }
    }

    /// The untagged lines of a command that must succeed.
    pub async fn ok(&mut self, command: &str) -> Vec<String> {
        let (untagged, tagged) = self.ask(command).await;
        assert!(tagged.starts_with("OK"), "{command}: {tagged}");
        untagged
    }

    /// The tagged line of a command that must fail.
    pub async fn fails(&mut self, command: &str) -> String {
        let (_, tagged) = self.ask(command).await;
        assert!(!tagged.starts_with("OK"), "{command}: {tagged}");
        tagged
    }

    pub async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(20), self.stream.read_to_end(&mut rest))
            .await
            .expect("closed in time")
            .is_ok()
    }
}

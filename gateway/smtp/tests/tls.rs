//! STARTTLS on both sides: our server for clients, and our runner as the client of a relay, which is our
//! own submission server here.

mod client;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use kontor_gateway_core::{Drain, Listener, ListenerConfig, Shared, TlsConfig, TlsMode, TlsServer};
use kontor_smtp::{Gateway, Mode, QueueConfig, RelayConfig, RelayTls, SmtpConfig, runner};
use kontor_storage_client::proto::queue_recipient::State;
use rustls_pki_types::ServerName;
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Server {
    folder: tempfile::TempDir,
    port: u16,
    _shared: Shared,
}

impl Server {
    fn start(store: &Store, mode: Mode, tls: TlsMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let config = TlsConfig::of(folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let certificate = TlsServer::load(&config).unwrap();
        let shared = Shared::default();
        let config = SmtpConfig { hostname: "mx.test".into(), ..SmtpConfig::default() };
        let gateway = Gateway::new(config, store.client(), shared.drain.clone());
        let listening = ListenerConfig::on("127.0.0.1:0".parse().unwrap()).with_tls(tls);
        let listener = Listener::bind("submission", &listening, Some(certificate)).unwrap();
        let port = listener.local_addr().port();
        shared.drain.spawn(listener.serve(Arc::new(gateway.server(mode)), shared.clone()));
        Self { folder, port, _shared: shared }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let mut client = Client { stream, shared: Shared::default() };
        assert!(client.replies(1).await.starts_with("220 "));
        client
    }
}

#[tokio::test]
async fn nothing_said_before_starttls_counts_after_it() {
    let server = Server::start(&Store::default(), Mode::Submission, TlsMode::StartTls);
    let mut client = server.connect().await;
    client.ask("EHLO before").await;
    assert!(client.ask("STARTTLS").await.starts_with("220 2.0.0"));
    let config = kontor_gateway_core::tls::client_config(&server.ca(), None).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, client.stream).await.unwrap();
    stream
        .write_all(b"AUTH PLAIN AHVzZXIxQGxvY2FsLnRlc3QAc2VjcmV0\r\nEHLO after\r\nSTARTTLS\r\nQUIT\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await.unwrap();
    assert!(text.starts_with("503 5.5.1"), "{text}");
    assert!(text.contains("250-AUTH PLAIN LOGIN\r\n") && !text.contains("250-STARTTLS"), "{text}");
    assert!(text.contains("\r\n502 5.5.1") && text.ends_with("221 2.0.0 Bye\r\n"), "{text}");
}

#[tokio::test]
async fn clear_text_behind_starttls_ends_the_connection() {
    let server = Server::start(&Store::default(), Mode::Submission, TlsMode::StartTls);
    let mut client = server.connect().await;
    client.ask("EHLO x").await;
    client.say("STARTTLS\r\nEHLO injected\r\n").await;
    assert!(client.replies(1).await.starts_with("501 5.5.1"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn the_runner_encrypts_and_logs_in() {
    for (tls, mode) in [(RelayTls::Starttls, TlsMode::StartTls), (RelayTls::Implicit, TlsMode::Implicit)] {
        let relay_store = Store::default();
        let server = Server::start(&relay_store, Mode::Submission, mode);
        let store = Store::default();
        store.enqueue(
            "user1@local.test",
            &["user2@local.test.", "user3@other.test"],
            b"Subject: s\r\n\r\n.x\r\n",
        );
        // The address with an empty label is for nobody; the other goes out.
        let relay = RelayConfig {
            host: "localhost".into(),
            port: Some(server.port),
            tls,
            ca: Some(server.ca()),
            user: Some("user1@local.test".into()),
            password: Some("secret".to_owned().into()),
            password_file: None,
            connections: 1,
            timeout: Duration::from_secs(10),
            recipients: 10,
        };
        let drain = Drain::new();
        let config = SmtpConfig {
            hostname: "mx.test".into(),
            queue: QueueConfig::default(),
            relay: Some(relay),
            ..SmtpConfig::default()
        };
        drain.spawn(runner::run(Gateway::new(config, store.client(), drain.clone())));
        for _ in 0..500 {
            if !store.state.lock().reports.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let reports = store.state.lock().reports.clone();
        let [report] = reports.as_slice() else { panic!("{reports:?}") };
        let states: Vec<(State, &str)> =
            report.recipients.iter().map(|to| (to.state(), to.reason.as_str())).collect();
        assert_eq!(states[0].0, State::Failed, "{states:?}");
        assert_eq!(states[1].0, State::Delivered, "{states:?}");
        let taken = relay_store.state.lock().queue.clone();
        let [(queued, _)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(queued.recipients[0].address, "user3@other.test");
    }
}

//! The queue runner against a relay host that answers as a test wants.

mod store;

use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::Drain;
use kontor_smtp::{Gateway, QueueConfig, RelayConfig, RelayTls, SmtpConfig, runner};
use kontor_storage_client::proto::queue_recipient::State;
use parking_lot::Mutex;
use store::Store;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// A relay: what it was given, and what it answers to RCPT by the address's first letter.
#[derive(Clone, Default)]
struct Relay {
    mails: Arc<Mutex<Vec<Mail>>>,
    connections: Arc<Mutex<usize>>,
    capabilities: &'static str,
    /// The answer to a message.
    answer: Arc<Mutex<Option<&'static str>>>,
}

#[derive(Clone, Debug, Default)]
struct Mail {
    from: String,
    recipients: Vec<String>,
    /// As on the wire, without the last dot.
    data: Vec<u8>,
}

impl Relay {
    async fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *self.connections.lock() += 1;
                tokio::spawn(self.clone().serve(stream));
            }
        });
        port
    }

    async fn serve(self, stream: tokio::net::TcpStream) {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 relay ESMTP\r\n").await.unwrap();
        let mut mail = Mail::default();
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).await.is_ok_and(|octets| octets > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            let verb = text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" => format!("250-relay\r\n{}250 HELP", self.capabilities),
                "AUTH" if text.ends_with("AHUAcA==") => "235 2.7.0 ok".into(),
                "AUTH" => "535 5.7.8 no".into(),
                "MAIL" => {
                    mail = Mail { from: text, ..Mail::default() };
                    "250 ok".into()
                }
                "RCPT" => {
                    let answer = match text.trim_start_matches("RCPT TO:<").chars().next() {
                        Some('r') => "550 5.1.1 refused",
                        Some('g') => "451 4.7.1 greylisted",
                        _ => "250 ok",
                    };
                    if answer.starts_with('2') {
                        mail.recipients.push(text);
                    }
                    answer.into()
                }
                "DATA" => {
                    stream.write_all(b"354 go\r\n").await.unwrap();
                    while !mail.data.ends_with(b"\r\n.\r\n") && mail.data != b".\r\n" {
                        if stream.read_until(b'\n', &mut mail.data).await.unwrap() == 0 {
                            return;
                        }
                    }
                    mail.data.truncate(mail.data.len() - 3);
                    let answer = self.answer.lock().unwrap_or("250 2.0.0 taken");
                    if answer.starts_with('2') {
                        self.mails.lock().push(std::mem::take(&mut mail));
                    }
                    answer.into()
                }
                _ => "250 ok".into(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
        }
    }
}

fn config(port: u16) -> RelayConfig {
    RelayConfig {
        host: "127.0.0.1".into(),
        port: Some(port),
        tls: RelayTls::None,
        ca: None,
        user: None,
        password: None,
        password_file: None,
        connections: 2,
        timeout: Duration::from_secs(5),
        recipients: 100,
    }
}

fn start(store: &Store, relay: Option<RelayConfig>) -> Drain {
    let drain = Drain::new();
    let config = SmtpConfig {
        hostname: "mx.test".into(),
        queue: QueueConfig { first_retry: Duration::from_secs(100), ..QueueConfig::default() },
        relay,
        ..SmtpConfig::default()
    };
    drain.spawn(runner::run(Gateway::new(config, store.client(), drain.clone())));
    drain
}

/// Waits for this many reports.
async fn reports(store: &Store, count: usize) {
    for _ in 0..500 {
        if store.state.lock().reports.len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not reported: {:?}", store.state.lock().reports);
}

/// State and reason of a recipient of the first message.
fn recipient(store: &Store, address: &str) -> (State, u32, String) {
    let state = store.state.lock();
    let to = state.queue[0].0.recipients.iter().find(|to| to.address == address).unwrap();
    (to.state(), to.attempts, to.reason.clone())
}

#[tokio::test]
async fn each_recipient_has_its_own_result() {
    let relay =
        Relay { capabilities: "250-PIPELINING\r\n250-SIZE 1000000\r\n250-DSN\r\n", ..Relay::default() };
    let port = relay.clone().start().await;
    let store = Store::default();
    let addresses =
        ["ok@out.test", "refused@out.test", "grey@out.test", "user2@local.test", "nobody@local.test"];
    store.enqueue("user1@local.test", &addresses, b"Subject: s\r\n\r\n.dot\nbare");
    let drain = start(&store, Some(config(port)));
    reports(&store, 1).await;
    let (state, attempts, reason) = recipient(&store, "ok@out.test");
    assert_eq!((state, attempts, reason.as_str()), (State::Delivered, 1, "250 2.0.0 taken"));
    assert_eq!(recipient(&store, "refused@out.test").0, State::Failed);
    let (state, attempts, reason) = recipient(&store, "grey@out.test");
    assert_eq!((state, attempts), (State::Pending, 1));
    assert!(reason.contains("451 4.7.1 greylisted"), "{reason}");
    assert_eq!(recipient(&store, "user2@local.test").0, State::Delivered);
    assert_eq!(recipient(&store, "nobody@local.test").0, State::Failed);
    let mails = relay.mails.lock().clone();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(mail.from.starts_with("MAIL FROM:<user1@local.test> SIZE="), "{}", mail.from);
    assert_eq!(mail.recipients, ["RCPT TO:<ok@out.test>"]);
    assert_eq!(mail.data, b"Subject: s\r\n\r\n..dot\r\nbare\r\n");
    let [local] = store.delivered_to(2).try_into().expect("one copy");
    assert_eq!(local, b"Return-Path: <user1@local.test>\r\nSubject: s\r\n\r\n.dot\nbare".as_slice());
    let [bounce] = store.delivered_to(1).try_into().expect("one notification for both failures");
    let bounce = String::from_utf8(bounce.to_vec()).unwrap();
    for part in [
        "Final-Recipient: rfc822; refused@out.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; 127.0.0.1\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 refused\r\n",
        "Final-Recipient: rfc822; nobody@local.test\r\n",
    ] {
        assert!(bounce.contains(part), "{part}\n---\n{bounce}");
    }
    assert!(!bounce.contains("grey@"));
    assert!(drain.finish(Duration::from_secs(5)).await, "the runner ends when it is told to");
}

#[tokio::test]
async fn without_a_relay_mail_waits_and_says_why() {
    let store = Store::default();
    store.enqueue("user1@local.test", &["ok@out.test"], b"x\r\n");
    start(&store, None);
    reports(&store, 1).await;
    let (state, attempts, reason) = recipient(&store, "ok@out.test");
    assert_eq!((state, attempts), (State::Pending, 0));
    assert!(reason.contains("no relay host is configured"), "{reason}");
}

#[tokio::test]
async fn a_relay_that_is_away_or_unsure_puts_mail_off() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let store = Store::default();
    store.enqueue("user1@local.test", &["ok@out.test"], b"x\r\n");
    start(&store, Some(config(port)));
    reports(&store, 1).await;
    assert_eq!(recipient(&store, "ok@out.test").0, State::Pending);

    let relay = Relay { answer: Arc::new(Mutex::new(Some("452 4.3.1 full"))), ..Relay::default() };
    let port = relay.clone().start().await;
    let store = Store::default();
    store.enqueue("user1@local.test", &["ok@out.test"], b"x\r\n");
    start(&store, Some(config(port)));
    reports(&store, 1).await;
    assert_eq!(recipient(&store, "ok@out.test").0, State::Pending);
    assert!(store.state.lock().delivered.is_empty(), "nobody is told of what may still work");
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing() {
    let relay = Relay::default();
    let port = relay.clone().start().await;
    let store = Store::default();
    store.enqueue("user1@local.test", &["ok@out.test"], b"x\r\n");
    start(&store, Some(RelayConfig { tls: RelayTls::Starttls, ..config(port) }));
    reports(&store, 1).await;
    let (state, _, reason) = recipient(&store, "ok@out.test");
    assert!(state == State::Pending && reason.contains("does not offer STARTTLS"), "{reason}");
    assert!(relay.mails.lock().is_empty());
}

#[tokio::test]
async fn a_login_is_made_once_for_many_messages() {
    let relay = Relay { capabilities: "250-AUTH PLAIN LOGIN\r\n", ..Relay::default() };
    let port = relay.clone().start().await;
    let store = Store::default();
    for n in 0..20 {
        store.enqueue("user1@local.test", &[&format!("ok{n}@out.test")], b"x\r\n");
    }
    let relay_config =
        RelayConfig { user: Some("u".into()), password: Some("p".to_owned().into()), ..config(port) };
    start(&store, Some(relay_config));
    reports(&store, 20).await;
    assert_eq!(relay.mails.lock().len(), 20);
    assert!(*relay.connections.lock() <= 2, "{} connections", relay.connections.lock());
}

#[tokio::test]
async fn a_bounce_is_never_bounced() {
    let port = Relay::default().start().await;
    let store = Store::default();
    store.enqueue("", &["refused@out.test"], b"x\r\n");
    start(&store, Some(config(port)));
    reports(&store, 1).await;
    assert_eq!(recipient(&store, "refused@out.test").0, State::Failed);
    assert!(store.state.lock().delivered.is_empty());
    assert_eq!(store.state.lock().queue.len(), 1);
}

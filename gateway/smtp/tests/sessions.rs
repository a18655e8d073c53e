//! Sessions over real sockets with a store that cannot be reached: what the protocol itself decides, and
//! that nothing is acknowledged.

mod client;

use std::io;
use std::time::Duration;

use client::Client;
use kontor_gateway_core::Shared;
use kontor_smtp::{Gateway, Mode, SmtpConfig};
use kontor_storage_client::StoreClient;

async fn connect(mode: Mode, config: SmtpConfig) -> Client {
    let store = StoreClient::with_connector(|| async {
        Err::<tokio::io::DuplexStream, _>(io::Error::other("no store in this test"))
    });
    let shared = Shared::default();
    let config = SmtpConfig { hostname: "mx.test".into(), ..config };
    let gateway = Gateway::new(config, store, shared.drain.clone());
    Client::connect(&gateway, mode, shared).await
}

#[tokio::test]
async fn commands_have_their_order() {
    let mut client = connect(Mode::Mx, SmtpConfig::default()).await;
    assert!(client.ask("MAIL FROM:<a@b>").await.starts_with("503 5.5.1"));
    assert!(client.ask("LHLO x").await.starts_with("500 5.5.1"));
    assert!(client.ask("EHLO x").await.starts_with("250 "));
    assert!(client.ask("RCPT TO:<a@b>").await.starts_with("503 5.5.1"));
    assert!(client.ask("DATA").await.starts_with("503 5.5.1"));
    assert!(client.ask("MAIL FROM:<a@b> BODY=8BITMIME").await.starts_with("250 2.1.0"));
    assert!(client.ask("MAIL FROM:<a@b>").await.starts_with("503 5.5.1"));
    assert!(client.ask("DATA").await.starts_with("554 5.5.1"));
    assert!(client.ask("RSET").await.starts_with("250 "));
    assert!(client.ask("MAIL FROM:<a@b> FOO=1").await.starts_with("555 5.5.4"));
    assert!(client.ask("MAIL FROM:<a@b> BODY=BINARYMIME").await.starts_with("501 5.5.4"));
    assert!(client.ask("MAIL FROM:<a@b> SIZE=99999999999").await.starts_with("552 5.3.4"));
    assert!(client.ask("MAIL FROM:<\u{fc}@b>").await.starts_with("553 5.6.7"));
    assert!(client.ask("AUTH PLAIN").await.starts_with("502 5.5.1"));
    assert!(client.ask("STARTTLS").await.starts_with("502 5.5.1"));
    assert!(client.ask("FOO").await.starts_with("500 5.5.1"));
    assert!(client.ask("QUIT").await.starts_with("221 "));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn without_a_store_recipients_are_put_off_in_order() {
    let mut client = connect(Mode::Lmtp, SmtpConfig::default()).await;
    assert!(client.ask("LHLO x").await.starts_with("250 "));
    client
        .say("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<\u{fc}@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nNOOP\r\n")
        .await;
    let replies = client.replies(6).await;
    let codes: Vec<&str> = replies.lines().map(|line| &line[..9]).collect();
    assert_eq!(codes, ["250 2.1.0", "451 4.3.0", "553 5.6.7", "451 4.3.0", "503 5.5.1", "250 2.0.0"]);
}

#[tokio::test]
async fn chunks_without_a_transaction_are_not_taken_for_commands() {
    let mut client = connect(Mode::Mx, SmtpConfig::default()).await;
    client.say("EHLO x\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").await;
    let replies = client.replies(4).await;
    let codes: Vec<&str> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "503", "503", "250"]);
    assert!(client.ask("BDAT 999999999999999").await.starts_with("552 5.3.4"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn bare_newlines_and_long_lines_are_refused_and_the_session_goes_on() {
    let mut client = connect(Mode::Mx, SmtpConfig::default()).await;
    client.say("EHLO x\nNOOP\r\n").await;
    let replies = client.replies(2).await;
    assert!(replies.starts_with("500 5.5.2") && replies.contains("\r\n250 "), "{replies}");
    client.say([vec![b'x'; 100_000], b"\r\nNOOP\r\n".to_vec()].concat()).await;
    let replies = client.replies(2).await;
    assert!(replies.starts_with("500 5.5.6") && replies.contains("\r\n250 "), "{replies}");
}

#[tokio::test]
async fn submission_wants_encryption_and_a_login() {
    let mut client = connect(Mode::Submission, SmtpConfig::default()).await;
    client.ask("EHLO x").await;
    assert!(client.ask("MAIL FROM:<a@b>").await.starts_with("530 5.7.0"));
    assert!(client.ask("AUTH PLAIN AGEAYg==").await.starts_with("538 5.7.11"));
    let config = SmtpConfig { plaintext_auth: true, ..SmtpConfig::default() };
    let mut client = connect(Mode::Submission, config).await;
    client.ask("EHLO x").await;
    assert!(client.ask("AUTH CRAM-MD5").await.starts_with("504 5.5.4"));
    assert!(client.ask("AUTH PLAIN").await.starts_with("334 "));
    assert!(client.ask("*").await.starts_with("501 5.7.0"));
    assert!(client.ask("AUTH PLAIN ???").await.starts_with("501 5.5.2"));
    // The directory cannot be asked: that is no wrong password.
    assert!(client.ask("AUTH PLAIN AGEAYg==").await.starts_with("454 4.7.0"));
}

#[tokio::test]
async fn a_slow_client_is_told_and_left() {
    let config = SmtpConfig { command_timeout: Duration::from_millis(100), ..SmtpConfig::default() };
    let mut client = connect(Mode::Mx, config).await;
    assert!(client.replies(1).await.starts_with("421 4.4.2"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn too_many_errors_end_the_session() {
    let mut client = connect(Mode::Mx, SmtpConfig { max_errors: 3, ..SmtpConfig::default() }).await;
    client.say("A\r\nB\r\nC\r\nD\r\nE\r\n").await;
    assert!(client.replies(5).await.ends_with("421 4.7.0 Too many errors\r\n"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_drain_says_goodbye() {
    let mut client = connect(Mode::Mx, SmtpConfig::default()).await;
    client.shared.drain.begin();
    assert!(client.replies(1).await.starts_with("421 4.3.2"));
    assert!(client.is_closed().await);
}

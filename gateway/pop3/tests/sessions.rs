//! Sessions over real sockets with a store that cannot be reached: what the protocol itself decides.

mod client;

use std::io;

use client::Client;
use kontor_pop3::Pop3Config;
use kontor_storage_client::StoreClient;

async fn connect(config: Pop3Config) -> Client {
    let store = StoreClient::with_connector(|| async {
        Err::<tokio::io::DuplexStream, _>(io::Error::other("no store in this test"))
    });
    Client::connect(config, store).await
}

#[tokio::test]
async fn nothing_but_the_door_before_login() {
    let mut client = connect(Pop3Config::default()).await;
    for command in ["STAT", "LIST", "UIDL 1", "RETR 1", "TOP 1 1", "DELE 1", "RSET", "NOOP"] {
        assert_eq!(client.ask(command).await, "-ERR log in first\r\n", "{command}");
    }
    assert!(client.ask("XTND").await.starts_with("-ERR"));
    assert!(client.ask("STLS").await.starts_with("-ERR"));
    assert!(client.ask("USER a").await.starts_with("-ERR encryption"));
    assert!(client.ask("AUTH PLAIN AGEAYg==").await.starts_with("-ERR encryption"));
    assert!(client.ask("QUIT").await.starts_with("+OK"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_store_that_is_down_is_no_wrong_password() {
    let mut client = connect(Pop3Config { plaintext_auth: true, ..Pop3Config::default() }).await;
    assert!(client.ask("PASS b").await.starts_with("-ERR send USER"));
    assert!(client.ask("USER a").await.starts_with("+OK"));
    assert!(client.ask("PASS b").await.starts_with("-ERR [SYS/TEMP]"));
    assert!(client.ask("AUTH LOGIN").await.starts_with("+ VXNlcm5hbWU6"));
    assert!(client.ask("*").await.starts_with("-ERR"));
    assert!(client.ask("AUTH PLAIN AGEAYg==").await.starts_with("-ERR [SYS/TEMP]"));
}

#[tokio::test]
async fn capabilities_follow_the_state() {
    let mut client = connect(Pop3Config::default()).await;
    assert!(client.ask("CAPA").await.starts_with("+OK"));
    let mut list = String::new();
    while !list.ends_with("\r\n.\r\n") {
        list.push_str(&client.line().await);
    }
    assert!(list.contains("UIDL\r\n") && list.contains("PIPELINING\r\n"), "{list}");
    assert!(!list.contains("SASL") && !list.contains("STLS"), "{list}");
}

#[tokio::test]
async fn long_lines_many_errors_and_drain() {
    let mut client = connect(Pop3Config { max_errors: 2, ..Pop3Config::default() }).await;
    client.say([vec![b'x'; 100_000], b"\r\nX\r\nY\r\nZ\r\n".to_vec()].concat()).await;
    assert_eq!(client.line().await, "-ERR line is too long\r\n");
    client.line().await;
    client.line().await;
    assert_eq!(client.line().await, "-ERR too many errors\r\n");
    assert!(client.is_closed().await);
    let mut client = connect(Pop3Config::default()).await;
    client.shared.drain.begin();
    assert!(client.line().await.starts_with("-ERR [SYS/TEMP]"));
    assert!(client.is_closed().await);
}

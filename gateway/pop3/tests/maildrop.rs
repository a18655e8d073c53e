//! What a client sees of its inbox, and what QUIT does.

mod client;
mod store;

use client::Client;
use kontor_pop3::Pop3Config;
use store::Store;

async fn logged_in(store: &Store) -> Client {
    let config = Pop3Config { plaintext_auth: true, ..Pop3Config::default() };
    let mut client = Client::connect(config, store.client()).await;
    assert!(client.ask("USER ann@example.org").await.starts_with("+OK"));
    assert!(client.ask("PASS secret").await.starts_with("+OK "));
    client
}

#[tokio::test]
async fn messages_are_listed_and_numbered() {
    let store = Store::of(&[(3, b"one\r\n"), (9, b"three"), (10, b"")]);
    let mut client = logged_in(&store).await;
    assert_eq!(client.ask("STAT").await, "+OK 3 10\r\n");
    client.say("LIST\r\nUIDL\r\n").await;
    assert_eq!(client.lines().await, b"1 5\r\n2 5\r\n3 0\r\n");
    assert_eq!(client.lines().await, b"1 000000ab00000003\r\n2 000000ab00000009\r\n3 000000ab0000000a\r\n");
    assert_eq!(client.ask("UIDL 2").await, "+OK 2 000000ab00000009\r\n");
    assert_eq!(client.ask("DELE 2").await, "+OK marked\r\n");
    assert_eq!(client.ask("DELE 2").await, "-ERR no such message\r\n");
    assert_eq!(client.ask("STAT").await, "+OK 2 5\r\n");
    client.say("LIST\r\n").await;
    assert_eq!(client.lines().await, b"1 5\r\n3 0\r\n");
    assert_eq!(client.ask("LIST 2").await, "-ERR no such message\r\n");
    assert_eq!(client.ask("RETR 4").await, "-ERR no such message\r\n");
    client.ask("RSET").await;
    assert_eq!(client.ask("STAT").await, "+OK 3 10\r\n");
}

#[tokio::test]
async fn messages_come_as_they_are_stored() {
    let long = [b"A: b\r\n\r\n".as_slice(), &b"..line\r\n.\r\n\xff\0\nbare\r".repeat(5000), b"\r\n"].concat();
    let store = Store::of(&[(1, b""), (2, b".\r\n..\r\n"), (3, b"no end"), (4, &long)]);
    let mut client = logged_in(&store).await;
    client.say("RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n").await;
    assert_eq!(client.lines().await, b"");
    assert_eq!(client.lines().await, b".\r\n..\r\n");
    assert_eq!(client.lines().await, b"no end\r\n");
    assert_eq!(client.lines().await, long);
}

#[tokio::test]
async fn top_reads_no_more_than_it_shows() {
    let long = [b"A: b\r\n\r\n".as_slice(), &b"a line of text\r\n".repeat(1_000_000)].concat();
    let store = Store::of(&[(1, &long), (2, b"A: b\r\n")]);
    let mut client = logged_in(&store).await;
    client.say("TOP 1 0\r\nTOP 1 2\r\nTOP 2 5\r\nTOP 1 2000\r\n").await;
    assert_eq!(client.lines().await, b"A: b\r\n\r\n");
    assert_eq!(client.lines().await, b"A: b\r\n\r\na line of text\r\na line of text\r\n");
    assert_eq!(client.lines().await, b"A: b\r\n");
    assert_eq!(client.lines().await.len(), 8 + 2000 * 16);
    let read: u64 = store.state.lock().read.iter().map(|(_, _, length)| length).sum();
    assert!(read < 200_000, "{read} octets were asked for");
}

#[tokio::test]
async fn quit_removes_what_is_marked_in_one_call() {
    let store = Store::of(&[(3, b"a"), (5, b"b"), (6, b"c"), (8, b"d")]);
    let mut client = logged_in(&store).await;
    client.say("RETR 1\r\nRETR 4\r\n").await;
    client.lines().await;
    client.lines().await;
    for command in ["DELE 1", "DELE 2", "DELE 4"] {
        assert!(client.ask(command).await.starts_with("+OK"));
    }
    client.say("RETR 3\r\n").await;
    client.lines().await;
    assert!(store.state.lock().expunged.is_empty(), "nothing goes before QUIT");
    assert_eq!(client.ask("QUIT").await, "+OK bye\r\n");
    assert!(client.is_closed().await);
    let state = store.state.lock();
    let [expunged] = state.expunged.as_slice() else { panic!("{:?}", state.expunged) };
    assert_eq!(expunged.uid_ranges, [3, 5, 8, 8]);
    assert!(!expunged.hard && !expunged.only_flagged_deleted);
    assert_eq!(state.flagged[0].uid_ranges, [6, 6]);
}

#[tokio::test]
async fn a_session_that_breaks_removes_nothing() {
    let store = Store::of(&[(3, b"a")]);
    let mut client = logged_in(&store).await;
    client.ask("DELE 1").await;
    drop(client);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(store.state.lock().expunged.is_empty());
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_never_called_whole() {
    let store = Store::of(&[(1, &[b'x'; 500_000])]);
    let mut client = logged_in(&store).await;
    store.state.lock().breaks_after = Some(250_000);
    assert_eq!(client.ask("RETR 1").await, "+OK 500000 octets\r\n");
    assert!(client.is_closed().await);
    // Where nothing has been said yet, it can be said.
    for after in [0, 2500] {
        store.state.lock().breaks_after = Some(after);
        let mut client = logged_in(&store).await;
        assert!(client.ask("RETR 1").await.starts_with("-ERR [SYS/TEMP]"));
        assert_eq!(client.ask("STAT").await, "+OK 1 500000\r\n");
    }
    let mut client = logged_in(&store).await;
    store.state.lock().messages.clear();
    assert_eq!(client.ask("RETR 1").await, "-ERR no such message\r\n");
}

#[tokio::test]
async fn a_wrong_password_is_told_apart() {
    let config = Pop3Config { plaintext_auth: true, max_errors: 5, ..Pop3Config::default() };
    let mut client = Client::connect(config, Store::default().client()).await;
    client.ask("USER ann@example.org").await;
    assert_eq!(client.ask("PASS wrong").await, "-ERR [AUTH] authentication failed\r\n");
    assert_eq!(client.ask("AUTH PLAIN AGFubgB3cm9uZw==").await, "-ERR [AUTH] authentication failed\r\n");
    assert_eq!(client.line().await, "-ERR too many errors\r\n");
    assert!(client.is_closed().await);
}

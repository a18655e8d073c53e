//! What is stored, what is queued and what the client hears, for each way in.

mod client;
mod store;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::Client;
use kontor_gateway_core::Shared;
use kontor_smtp::{Gateway, Mode, SmtpConfig};
use kontor_storage_client::proto::deliver_result::Status;
use store::Store;

fn gateway(store: &Store, config: SmtpConfig) -> (Arc<Gateway>, Shared) {
    let shared = Shared::default();
    let config = SmtpConfig {
        hostname: "mx.test".into(),
        postmaster: "postmaster@local.test".into(),
        plaintext_auth: true,
        ..config
    };
    (Gateway::new(config, store.client(), shared.drain.clone()), shared)
}

async fn connect(store: &Store, mode: Mode) -> Client {
    let (gateway, shared) = gateway(store, SmtpConfig::default());
    let mut client = Client::connect(&gateway, mode, shared).await;
    let hello = if mode == Mode::Lmtp { "LHLO client.test" } else { "EHLO client.test" };
    assert!(client.ask(hello).await.starts_with("250"));
    client
}

async fn submitter(store: &Store) -> Client {
    let mut client = connect(store, Mode::Submission).await;
    // user1@local.test, secret
    assert!(client.ask("AUTH PLAIN AHVzZXIxQGxvY2FsLnRlc3QAc2VjcmV0").await.starts_with("235 2.7.0"));
    client
}

#[tokio::test]
async fn lmtp_stores_what_came_and_answers_for_each_recipient() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nRCPT TO:<nobody@local.test>\r\n").await;
    client
        .say(
            "RCPT TO:<full@local.test>\r\nRCPT TO:<x@outside.test>\r\nRCPT TO:<user2@local.test>\r\nDATA\r\n",
        )
        .await;
    assert_eq!(client.codes(7).await, ["250", "250", "550", "452", "554", "250", "354"]);
    client.say(b"A: b\n.\r\r\n\r\n..\r\n\xff\0 no end\r\n.\r\nRSET\r\n").await;
    assert_eq!(client.codes(3).await, ["250", "250", "250"]);
    let expected = b"A: b\n.\r\r\n\r\n.\r\n\xff\0 no end\r\n".as_slice();
    assert_eq!(store.delivered_to(1), [expected]);
    assert_eq!(store.delivered_to(2), [expected]);
    // The pipelined recipients came to the directory in at most as many calls as there were writes.
    assert!(store.state.lock().resolved.len() <= 2);
}

#[tokio::test]
async fn an_empty_message_is_a_message() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n").await;
    assert_eq!(client.codes(3).await, ["250", "250", "354"]);
    client.say(".\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    assert_eq!(store.delivered_to(1), [b"".as_slice()]);
}

#[tokio::test]
async fn lmtp_answers_tell_recipients_apart() {
    let store = Store::default();
    store.state.lock().outcomes =
        [(2, Status::OverQuota), (3, Status::NoSuchMailbox), (4, Status::Failed), (5, Status::OverQuota)]
            .into();
    store.state.lock().is_final = vec![5];
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<a@b>\r\n").await;
    for n in 1..=5 {
        client.say(format!("RCPT TO:<user{n}@local.test>\r\n")).await;
    }
    client.say("DATA\r\n").await;
    client.replies(7).await;
    client.say("x\r\n.\r\n").await;
    assert_eq!(client.codes(5).await, ["250", "452", "550", "451", "552"]);
    assert!(store.state.lock().queue.is_empty());
}

#[tokio::test]
async fn a_group_that_is_partly_stored_is_accepted_and_the_rest_is_ours() {
    let store = Store::default();
    store.state.lock().outcomes = [(2, Status::Failed), (3, Status::NoSuchMailbox)].into();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<user7@local.test>\r\nRCPT TO:<all@local.test>\r\nDATA\r\n").await;
    client.replies(3).await;
    client.say("Subject: s\r\n\r\nx\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    assert_eq!(store.delivered_to(1).len(), 1);
    let state = store.state.lock();
    let [(queued, _)] = state.queue.as_slice() else { panic!("{:?}", state.queue) };
    assert_eq!(queued.sender, "user7@local.test");
    let addresses: Vec<&str> = queued.recipients.iter().map(|to| to.address.as_str()).collect();
    assert_eq!(addresses, ["user2@local.test"]);
    drop(state);
    let [bounce] = store.delivered_to(7).try_into().expect("one notification");
    let bounce = String::from_utf8(bounce.to_vec()).unwrap();
    assert!(bounce.starts_with("Return-Path: <>\r\n"), "{bounce}");
    assert!(bounce.contains("Final-Recipient: rfc822; user3@local.test\r\nAction: failed\r\n"), "{bounce}");
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_stored() {
    let store = Store::default();
    store.state.lock().deliver_fails = true;
    let mut client = connect(&store, Mode::Mx).await;
    for _ in 0..2 {
        client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n").await;
        assert_eq!(client.codes(3).await, ["250", "250", "354"]);
        client.say("x\r\n.\r\n").await;
        let expected = if store.state.lock().deliver_fails { "451" } else { "250" };
        assert_eq!(client.codes(1).await, [expected]);
        // Service returns by itself.
        store.state.lock().deliver_fails = false;
    }
    assert_eq!(store.delivered_to(1).len(), 1);
    store.down.store(true, Ordering::SeqCst);
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\n").await;
    assert_eq!(client.codes(2).await, ["250", "451"]);
}

#[tokio::test]
async fn mx_adds_trace_fields_and_refuses_smuggling_and_loops() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Mx).await;
    let envelope = "MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n";
    client.say(envelope).await;
    client.replies(3).await;
    client.say("Subject: s\r\n\r\nx\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    let text = String::from_utf8(store.delivered_to(1)[0].to_vec()).unwrap();
    let start =
        "Return-Path: <a@b>\r\nReceived: from client.test ([127.0.0.1])\r\n\tby mx.test with ESMTP id ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("\r\n\tfor <user1@local.test>;\r\n\t"), "{text}");
    assert!(text.ends_with("+0000\r\nSubject: s\r\n\r\nx\r\n"), "{text}");
    // What a server that ends messages at LF.LF would take for a second message.
    client.say(envelope).await;
    client.replies(3).await;
    client.say("x\r\n\n.\r\nMAIL FROM:<evil@b>\r\nRCPT TO:<user2@local.test>\r\nDATA\r\ny\r\n.\r\n").await;
    let reply = client.replies(1).await;
    assert!(reply.starts_with("550 5.5.2"), "{reply}");
    client.say(envelope).await;
    client.replies(3).await;
    client.say(format!("{}\r\nx\r\n.\r\n", "Received: x\r\n".repeat(51))).await;
    let reply = client.replies(1).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
    assert_eq!(store.state.lock().delivered.len(), 1);
}

#[tokio::test]
async fn postmaster_needs_no_domain() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Mx).await;
    client.say("MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n").await;
    assert_eq!(client.codes(3).await, ["250", "250", "354"]);
    client.say("x\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    assert_eq!(store.delivered_to(1).len(), 1);
}

#[tokio::test]
async fn chunks_make_one_message() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nRCPT TO:<user2@local.test>\r\n").await;
    client.say("BDAT 6\r\nA: b\r\nBDAT 5\r\n\r\n.\r\nBDAT 0 LAST\r\nNOOP\r\n").await;
    assert_eq!(client.codes(8).await, ["250", "250", "250", "250", "250", "250", "250", "250"]);
    assert_eq!(store.delivered_to(1), [b"A: b\r\n\r\n.\r\n".as_slice()]);
    assert_eq!(store.delivered_to(2).len(), 1);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_session_goes_on() {
    let store = Store::default();
    let (gateway, shared) = gateway(&store, SmtpConfig { max_message_size: 1000, ..SmtpConfig::default() });
    let mut client = Client::connect(&gateway, Mode::Mx, shared).await;
    client.ask("EHLO x").await;
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n").await;
    client.replies(3).await;
    client.say([vec![b'x'; 200_000], b"\r\n.\r\n".to_vec()].concat()).await;
    let reply = client.replies(1).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nBDAT 2000\r\n").await;
    client.say([vec![b'x'; 2000], b"BDAT 1 LAST\r\nxNOOP\r\n".to_vec()].concat()).await;
    assert_eq!(client.codes(5).await, ["250", "250", "552", "552", "250"]);
    assert!(store.state.lock().delivered.is_empty());
}

#[tokio::test]
async fn too_many_recipients_come_in_a_second_message() {
    let store = Store::default();
    let (gateway, shared) = gateway(&store, SmtpConfig { max_recipients: 2, ..SmtpConfig::default() });
    let mut client = Client::connect(&gateway, Mode::Mx, shared).await;
    client.ask("EHLO x").await;
    client.say("MAIL FROM:<a@b>\r\n").await;
    for n in 1..=3 {
        client.say(format!("RCPT TO:<user{n}@local.test>\r\n")).await;
    }
    let replies = client.replies(4).await;
    assert!(replies.ends_with("452 4.5.3 A message may have 2 recipients\r\n"), "{replies}");
}

#[tokio::test]
async fn a_submission_is_completed_delivered_and_queued() {
    let store = Store::default();
    let mut client = submitter(&store).await;
    client.say("MAIL FROM:<user1@local.test> RET=HDRS ENVID=e1\r\n").await;
    client
        .say("RCPT TO:<user2@local.test>\r\nRCPT TO:<x@outside.test> NOTIFY=SUCCESS,FAILURE\r\nDATA\r\n")
        .await;
    assert_eq!(client.codes(4).await, ["250", "250", "250", "354"]);
    client.say("From: user1@local.test\r\nBcc: secret@local.test\r\nSubject: s\r\n\r\nx\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    let text = String::from_utf8(store.delivered_to(2)[0].to_vec()).unwrap();
    assert!(text.starts_with("Return-Path: <user1@local.test>\r\nReceived: from client.test "), "{text}");
    assert!(text.contains(" with ESMTPA id ") && !text.contains("Bcc") && !text.contains("secret"), "{text}");
    assert!(text.contains("\r\nDate: ") && text.contains("\r\nMessage-ID: <"), "{text}");
    let state = store.state.lock();
    let [(queued, _)] = state.queue.as_slice() else { panic!("{:?}", state.queue) };
    assert_eq!((queued.sender.as_str(), queued.tenant_id), ("user1@local.test", 1));
    assert_eq!((queued.ret.as_str(), queued.envid.as_str()), ("HDRS", "e1"));
    assert_eq!(queued.recipients[0].address, "x@outside.test");
    assert_eq!(queued.recipients[0].notify, "SUCCESS,FAILURE");
    let Some(kontor_storage_client::proto::enqueue_request::Body::Raw(raw)) = &queued.body else { panic!() };
    assert!(
        raw.starts_with(b"Received: from client.test "),
        "the trace of a return path is made at delivery"
    );
}

#[tokio::test]
async fn a_submitter_is_who_they_say() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Submission).await;
    assert!(client.ask("MAIL FROM:<user1@local.test>").await.starts_with("530 5.7.0"));
    // user1@local.test, wrong
    assert!(client.ask("AUTH PLAIN AHVzZXIxQGxvY2FsLnRlc3QAd3Jvbmc=").await.starts_with("535 5.7.8"));
    let mut client = submitter(&store).await;
    assert!(client.ask("MAIL FROM:<user2@local.test>").await.starts_with("553 5.7.1"));
    assert!(client.ask("MAIL FROM:<alias1@local.test>").await.starts_with("250 2.1.0"));
    client.ask("RSET").await;
    assert!(client.ask("MAIL FROM:<>").await.starts_with("250 2.1.0"));
}

#[tokio::test]
async fn a_delivery_is_confirmed_to_submitters_who_ask_and_to_nobody_else() {
    let store = Store::default();
    let mut client = submitter(&store).await;
    client.say("MAIL FROM:<user1@local.test>\r\nRCPT TO:<user2@local.test> NOTIFY=SUCCESS\r\nDATA\r\n").await;
    client.replies(3).await;
    client.say("x\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    let [report] = store.delivered_to(1).try_into().expect("one report");
    assert!(String::from_utf8(report.to_vec()).unwrap().contains("Action: delivered\r\nStatus: 2.0.0"));
    let mut client = connect(&store, Mode::Mx).await;
    client
        .say("MAIL FROM:<victim@outside.test>\r\nRCPT TO:<user2@local.test> NOTIFY=SUCCESS\r\nDATA\r\n")
        .await;
    client.replies(3).await;
    client.say("x\r\n.\r\n").await;
    assert_eq!(client.codes(1).await, ["250"]);
    assert!(store.state.lock().queue.is_empty());
}

#[tokio::test]
async fn a_client_that_vanishes_does_not_cut_a_commit() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n").await;
    client.replies(3).await;
    client.say("x\r\n.\r\n").await;
    drop(client);
    for _ in 0..100 {
        if !store.delivered_to(1).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the message was not stored");
}

#[tokio::test]
async fn a_message_cut_in_the_middle_is_not_stored() {
    let store = Store::default();
    let mut client = connect(&store, Mode::Lmtp).await;
    client.say("MAIL FROM:<a@b>\r\nRCPT TO:<user1@local.test>\r\nDATA\r\n").await;
    client.replies(3).await;
    client.say("x\r\n.").await;
    let shared = client.shared.clone();
    drop(client);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(store.delivered_to(1).is_empty());
    assert_eq!(shared.budget.held(), 0);
}

//! Sessions against a store in memory.

mod client;
mod store;

use std::time::Duration;

use client::Client;
use kontor_gateway_core::Shared;
use kontor_imap::ImapConfig;
use store::Store;

const MAIL: &str = "From: Anna <anna@x.test>\r\nSubject: Hello World\r\n\r\nfirst line\r\n";

fn with_mail(count: u32) -> Store {
    let store = Store::new();
    for n in 1..=count {
        store.deliver(format!("From: s{n}@x.test\r\nSubject: mail {n}\r\n\r\nbody {n}\r\n"));
    }
    store
}

#[tokio::test]
async fn what_needs_a_login_is_refused_before() {
    let store = Store::new();
    let mut client = Client::connect(&store).await;
    for command in ["SELECT INBOX", "LIST \"\" *", "IDLE", "FETCH 1 FLAGS", "ENABLE CONDSTORE", "NAMESPACE"] {
        assert!(client.fails(command).await.starts_with("BAD"), "{command}");
    }
    assert!(client.fails("LOGIN anna wrong").await.starts_with("NO [AUTHENTICATIONFAILED]"));
    let told = client.ok("AUTHENTICATE PLAIN AGFubmEAc2VjcmV0").await;
    assert!(told[0].contains(" MOVE ") && told[0].contains(" APPENDLIMIT="), "{told:?}");
    assert!(client.fails("LOGIN anna secret").await.starts_with("BAD"));
    assert!(client.fails("FETCH 1 FLAGS").await.starts_with("BAD"));
    client.ok("LOGOUT").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn passwords_are_not_taken_in_the_clear() {
    let store = Store::new();
    let mut client = Client::connect_with(&store, ImapConfig::default(), Shared::default()).await;
    assert!(client.fails("LOGIN anna secret").await.starts_with("NO [PRIVACYREQUIRED]"));
    assert!(client.fails("AUTHENTICATE PLAIN AGFubmEAc2VjcmV0").await.starts_with("NO [PRIVACYREQUIRED]"));
    let told = client.ok("CAPABILITY").await;
    assert!(told[0].contains("LOGINDISABLED") && !told[0].contains("AUTH="), "{told:?}");
}

#[tokio::test]
async fn too_many_wrong_passwords_end_the_connection() {
    let store = Store::new();
    let config = ImapConfig { plaintext_auth: true, max_login_failures: 2, ..ImapConfig::default() };
    let mut client = Client::connect_with(&store, config, Shared::default()).await;
    client.fails("LOGIN anna wrong").await;
    client.send("x LOGIN anna wrong\r\n").await;
    assert!(client.line().await.starts_with("* NO [AUTHENTICATIONFAILED]"));
    assert!(client.line().await.starts_with("* BYE"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn select_tells_what_it_must() {
    let store = with_mail(3);
    let mut client = Client::user(&store).await;
    let (told, done) = client.ask("SELECT inbox").await;
    assert!(done.starts_with("OK [READ-WRITE]"), "{done}");
    for wanted in ["* 3 EXISTS", "* 0 RECENT", "* OK [UNSEEN 1]", "* OK [UIDVALIDITY 77]", "* OK [UIDNEXT 4]"]
    {
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{wanted}: {told:?}");
    }
    let (told, done) = client.ask("EXAMINE INBOX").await;
    assert!(done.starts_with("OK [READ-ONLY]") && told[0].starts_with("* OK [CLOSED]"), "{done} {told:?}");
    assert!(client.fails("STORE 1 +FLAGS (\\Seen)").await.starts_with("NO [READ-ONLY]"));
    assert!(client.fails("SELECT Nowhere").await.starts_with("NO [NONEXISTENT]"));
    assert!(
        client.fails("FETCH 1 FLAGS").await.starts_with("BAD"),
        "no mailbox is open after a SELECT that failed"
    );
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_listed() {
    let store = Store::new();
    let mut client = Client::user(&store).await;
    assert_eq!(
        client.ok("LIST \"\" *").await,
        ["* LIST (\\HasNoChildren) \"/\" INBOX", "* LIST (\\HasNoChildren \\Trash) \"/\" Trash"]
    );
    client.ok("CREATE a/b/c").await;
    client.ok("CREATE Entw&APw-rfe/").await;
    assert!(client.fails("CREATE a/b").await.starts_with("NO [ALREADYEXISTS]"));
    assert!(client.fails("CREATE a//b").await.starts_with("NO [CANNOT]"));
    assert!(
        client.ok("LIST \"\" %").await.contains(&"* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe".to_owned())
    );
    client.ok("RENAME a/b x/y").await;
    let told = client.ok("LIST \"\" (x/* a*)").await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(client.fails("DELETE x/y").await.starts_with("NO [HASCHILDREN]"));
    client.ok("DELETE x/y/c").await;
    client.ok("SUBSCRIBE x/y").await;
    assert_eq!(client.ok("LSUB \"\" %").await, ["* LSUB (\\Noselect) \"/\" x"]);
    assert_eq!(client.ok("LSUB \"\" *").await, ["* LSUB () \"/\" x/y"]);
    let told = client.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" x RETURN (STATUS (MESSAGES SIZE))").await;
    assert_eq!(
        told,
        ["* LIST (\\HasChildren) \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))", "* STATUS x (MESSAGES 0 SIZE 0)"]
    );
    assert_eq!(client.ok("LIST \"\" \"\"").await, ["* LIST (\\Noselect) \"/\" \"\""]);
    client.ok("ENABLE IMAP4rev2").await;
    assert!(client.ok("LIST \"\" E*").await[0].ends_with("\"Entwürfe\""));
}

#[tokio::test]
async fn fetch_gives_every_part_of_a_message() {
    let store = Store::new();
    store.deliver(MAIL);
    let mime = "Subject: m\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\n\
                Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";
    store.deliver(mime);
    let mut client = Client::inbox(&store).await;
    let told = client.ok("FETCH 1 (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE EMAILID)").await;
    assert!(
        told[0].starts_with(&format!(
            "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE {} INTERNALDATE \"14-Nov-2023 22:13:20 +0000\" ENVELOPE (NIL \"Hello World\" ",
            MAIL.len()
        )),
        "{told:?}"
    );
    assert_eq!(
        client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (subject x)]").await,
        ["* 1 FETCH (BODY[HEADER.FIELDS (subject x)] {24}\r\nSubject: Hello World\r\n\r\n)"]
    );
    assert_eq!(client.ok("FETCH 1 BODY.PEEK[TEXT]<6.4>").await, ["* 1 FETCH (BODY[TEXT]<6> {4}\r\nline)"]);
    assert_eq!(client.ok("FETCH 2 BODY.PEEK[1]").await, ["* 2 FETCH (BODY[1] {5}\r\nplain)"]);
    assert_eq!(client.ok("FETCH 2 BODY.PEEK[7]").await, ["* 2 FETCH (BODY[7] NIL)"]);
    assert_eq!(
        client.ok("UID FETCH 2 (BINARY.PEEK[2] BINARY.SIZE[2])").await,
        ["* 2 FETCH (UID 2 BINARY[2] ~{3}\r\n\0\x01\x02 BINARY.SIZE[2] 3)"]
    );
    let told = client.ok("FETCH 1 (RFC822)").await;
    assert_eq!(told[0], format!("* 1 FETCH (RFC822 {{{}}}\r\n{MAIL})", MAIL.len()));
    assert_eq!(told[1], "* 1 FETCH (UID 1 FLAGS (\\Seen))");
    assert_eq!(client.ok("NOOP").await, [] as [&str; 0], "one's own change is not told again");
    assert!(client.fails("FETCH 3 FLAGS").await.starts_with("BAD"));
    assert_eq!(client.ok("UID FETCH 3:9 FLAGS").await, [] as [&str; 0]);
    assert_eq!(client.ok("FETCH 1:* (FLAGS)").await.len(), 2);
}

#[tokio::test]
async fn a_large_body_passes_through() {
    let store = Store::new();
    let mut raw = b"Subject: large\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    raw.extend("QUJD".repeat(1_000_000).bytes());
    store.deliver(raw.clone());
    let mut client = Client::inbox(&store).await;
    let told = client.ok("FETCH 1 BODY.PEEK[]").await;
    let text = String::from_utf8(raw).unwrap();
    assert!(told[0] == format!("* 1 FETCH (BODY[] {{{}}}\r\n{text})", text.len()));
    let told = client.ok("FETCH 1 (BINARY.PEEK[1]<2999990.100> UID)").await;
    assert_eq!(told[0], "* 1 FETCH (BINARY[1]<2999990> {10}\r\nCABCABCABC UID 1)");
    let told = client.ok("FETCH 1 (BODY.PEEK[TEXT]<3999998.9>)").await;
    assert_eq!(told[0], "* 1 FETCH (BODY[TEXT]<3999998> {2}\r\nJD)");
}

#[tokio::test]
async fn two_sessions_see_each_other() {
    let store = with_mail(4);
    let mut one = Client::inbox(&store).await;
    let mut two = Client::inbox(&store).await;
    assert_eq!(
        one.ok("STORE 2 +FLAGS (\\Deleted $Work)").await.last().unwrap(),
        "* 2 FETCH (UID 2 FLAGS (\\Deleted $Work))"
    );
    one.ok("STORE 3 +FLAGS.SILENT \\Seen").await;
    let told = two.ok("NOOP").await;
    assert!(told.contains(&"* 2 FETCH (UID 2 FLAGS (\\Deleted $Work))".to_owned()), "{told:?}");
    assert!(told.contains(&"* 3 FETCH (UID 3 FLAGS (\\Seen))".to_owned()), "{told:?}");
    assert_eq!(one.ok("EXPUNGE").await, ["* 2 EXPUNGE"]);
    store.deliver(MAIL);
    // Message numbers stay while the other has not been told.
    let (told, done) = two.ask("FETCH 2:4 UID").await;
    assert!(done.starts_with("NO [EXPUNGEISSUED]"), "{done}");
    assert!(
        told.contains(&"* 3 FETCH (UID 3)".to_owned()) && told.contains(&"* 4 FETCH (UID 4)".to_owned()),
        "{told:?}"
    );
    assert!(!told.iter().any(|line| line.contains("EXPUNGE")), "{told:?}");
    let told = two.ok("NOOP").await;
    assert!(told.contains(&"* 2 EXPUNGE".to_owned()), "{told:?}");
    assert_eq!(two.ok("UID SEARCH ALL").await.last().unwrap(), "* SEARCH 1 3 4 5");
    assert_eq!(two.ok("SEARCH ALL").await, ["* SEARCH 1 2 3 4"]);
}

#[tokio::test]
async fn a_silent_store_hides_nothing_of_another_session() {
    let store = with_mail(3);
    let mut one = Client::inbox(&store).await;
    let mut two = Client::inbox(&store).await;
    one.ok("STORE 1:3 +FLAGS.SILENT (\\Flagged)").await;
    // Nothing of this changes anything, and message 1 is not in it.
    let told = two.ok("STORE 2:3 +FLAGS.SILENT (\\Flagged)").await;
    let rest = two.ok("NOOP").await;
    for uid in 1..=3 {
        let line = format!("* {uid} FETCH (UID {uid} FLAGS (\\Flagged))");
        assert!(told.contains(&line) || rest.contains(&line), "{line}: {told:?} {rest:?}");
    }
    assert_eq!(one.ok("NOOP").await, [] as [&str; 0]);
}

#[tokio::test]
async fn idle_hears_of_what_happens() {
    let store = with_mail(1);
    let mut client = Client::inbox(&store).await;
    client.send("i IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    tokio::time::sleep(Duration::from_millis(200)).await;
    store.deliver(MAIL);
    assert_eq!(client.line().await, "* 2 EXISTS");
    assert_eq!(client.line().await, "* 0 RECENT");
    let mut other = Client::inbox(&store).await;
    other.ok("STORE 1 +FLAGS (\\Deleted)").await;
    assert_eq!(client.line().await, "* 1 FETCH (UID 1 FLAGS (\\Deleted))");
    other.ok("EXPUNGE").await;
    assert_eq!(client.line().await, "* 1 EXPUNGE");
    client.send("DONE\r\n").await;
    assert_eq!(client.answer("i").await.1, "OK Idled");
    client.ok("NOOP").await;
}

#[tokio::test]
async fn store_is_conditional_when_asked() {
    let store = with_mail(2);
    let mut client = Client::inbox(&store).await;
    let cn = store.state.lock().cn;
    let told = client.ok(&format!("STORE 1 (UNCHANGEDSINCE {cn}) +FLAGS.SILENT (\\Seen)")).await;
    assert_eq!(told, [format!("* 1 FETCH (UID 1 MODSEQ ({}))", cn + 1)]);
    let (told, done) = client.ask(&format!("UID STORE 1,2 (UNCHANGEDSINCE {cn}) +FLAGS (\\Flagged)")).await;
    assert!(done.starts_with("OK [MODIFIED 1]"), "{done}");
    assert_eq!(told, [format!("* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ({}))", cn + 2)]);
    assert!(client.fails("STORE 1 FLAGS (\\Foo)").await.starts_with("NO [CANNOT]"));
}

#[tokio::test]
async fn qresync_tells_what_was_missed() {
    let store = with_mail(5);
    let before = store.state.lock().cn;
    let mut other = Client::inbox(&store).await;
    other.ok("STORE 2,4 +FLAGS (\\Deleted)").await;
    other.ok("STORE 5 +FLAGS (\\Seen)").await;
    other.ok("EXPUNGE").await;
    let mut client = Client::user(&store).await;
    assert!(client.fails("SELECT INBOX (QRESYNC (77 1))").await.starts_with("BAD"));
    client.ok("ENABLE QRESYNC").await;
    let told = client.ok(&format!("SELECT INBOX (QRESYNC (77 {before} 1:5))")).await;
    assert!(told.contains(&"* VANISHED (EARLIER) 2,4".to_owned()), "{told:?}");
    assert!(told.iter().any(|l| l.starts_with("* 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (")), "{told:?}");
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    other.ok("EXPUNGE").await;
    assert!(client.ok("NOOP").await.contains(&"* VANISHED 1".to_owned()));
    let told = client.ok(&format!("UID FETCH 1:* FLAGS (CHANGEDSINCE {before} VANISHED)")).await;
    assert_eq!(told[0], "* VANISHED (EARLIER) 1:2,4");
    assert_eq!(told.len(), 2, "{told:?}");
    // A log that does not go back far enough.
    store.state.lock().forgotten = u64::MAX;
    let told = client.ok("SELECT INBOX (QRESYNC (77 1 1:5))").await;
    assert!(told.contains(&"* VANISHED (EARLIER) 1:2,4".to_owned()), "{told:?}");
    store.state.lock().remove(2, &[3]);
    store.deliver(MAIL);
    let told = client.ok("NOOP").await;
    assert!(told.contains(&"* VANISHED 3".to_owned()) && told.contains(&"* 2 EXISTS".to_owned()), "{told:?}");
}

#[tokio::test]
async fn copy_and_move_tell_uids() {
    let store = with_mail(4);
    let mut client = Client::inbox(&store).await;
    assert!(client.fails("COPY 1 Nowhere").await.starts_with("NO [TRYCREATE]"));
    assert_eq!(client.ask("COPY 2:3 Trash").await.1, "OK [COPYUID 77 2:3 1:2] Copied");
    let (told, done) = client.ask("UID MOVE 1,4 Trash").await;
    assert_eq!(told, ["* OK [COPYUID 77 1,4 3:4] Moved", "* 1 EXPUNGE", "* 3 EXPUNGE"]);
    assert!(done.starts_with("OK"), "{done}");
    assert_eq!(
        client.ok("STATUS Trash (MESSAGES UIDNEXT UNSEEN)").await,
        ["* STATUS Trash (MESSAGES 4 UIDNEXT 5 UNSEEN 4)"]
    );
    assert_eq!(client.ok("RENAME INBOX Old").await, ["* 1 EXPUNGE", "* 1 EXPUNGE"]);
    assert_eq!(client.ok("STATUS Old (MESSAGES)").await, ["* STATUS Old (MESSAGES 2)"]);
}

#[tokio::test]
async fn append_takes_literals_of_every_kind() {
    let store = Store::new();
    let mut client = Client::inbox(&store).await;
    client.send("a APPEND INBOX (\\Seen) \"14-Nov-2023 22:13:20 +0000\" {4}\r\n").await;
    assert_eq!(client.line().await, "+ Go on");
    client.send("abcd\r\n").await;
    let (told, done) = client.answer("a").await;
    assert!(done.starts_with("OK [APPENDUID 77 1]"), "{done}");
    assert!(told.contains(&"* 1 EXISTS".to_owned()), "{told:?}");
    client.send("b APPEND INBOX {3+}\r\nxyz (\\Flagged k) {2+}\r\nzz\r\n").await;
    assert!(client.answer("b").await.1.starts_with("OK [APPENDUID 77 2:3]"));
    assert_eq!(
        client.ok("FETCH 3 (FLAGS BODY.PEEK[])").await,
        ["* 3 FETCH (FLAGS (\\Flagged k) BODY[] {2}\r\nzz)"]
    );
    client.send("c APPEND Nowhere {100}\r\n").await;
    assert!(client.answer("c").await.1.starts_with("NO [TRYCREATE]"));
    client.send("d APPEND INBOX {99999999999}\r\n").await;
    assert!(client.answer("d").await.1.starts_with("NO [TOOBIG]"));
    client.send("e APPEND Nowhere {3+}\r\nabc\r\nf NOOP\r\n").await;
    assert!(client.answer("e").await.1.starts_with("NO [TRYCREATE]"));
    assert!(client.answer("f").await.1.starts_with("OK"));
    client.send("g APPEND INBOX {1+}\r\nx junk\r\n").await;
    assert!(client.answer("g").await.1.starts_with("BAD"));
    assert_eq!(store.state.lock().folder(2).unwrap().messages.len(), 3);
}

#[tokio::test]
async fn search_answers_in_each_form() {
    let store = with_mail(5);
    let mut client = Client::inbox(&store).await;
    client.ok("STORE 2 +FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(client.ok("SEARCH SUBJECT \"MAIL 3\"").await, ["* SEARCH 3"]);
    assert_eq!(client.ok("SEARCH OR FLAGGED UID 4:* NOT 5").await, ["* SEARCH 2 4"]);
    assert_eq!(client.ok("SEARCH RECENT").await, ["* SEARCH"]);
    assert_eq!(client.ok("SEARCH ON 14-Nov-2023 BODY body").await, ["* SEARCH 1 2 3 4 5"]);
    assert_eq!(client.ok("SEARCH BEFORE 14-Nov-2023").await, ["* SEARCH"]);
    let told = client.ok("SEARCH RETURN (MIN MAX COUNT) UNFLAGGED").await;
    assert_eq!(told, ["* ESEARCH (TAG \"a9\") MIN 1 MAX 5 COUNT 4"]);
    assert_eq!(client.ok("UID SEARCH RETURN (SAVE) 2:3").await, [] as [&str; 0]);
    assert_eq!(client.ok("FETCH $ UID").await, ["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"]);
    assert!(client.fails("SEARCH CHARSET KOI8-R TEXT x").await.starts_with("NO [BADCHARSET"));
    client.ok("ENABLE IMAP4rev2").await;
    assert_eq!(client.ok("UID SEARCH ALL").await, ["* ESEARCH (TAG \"a14\") UID ALL 1:5"]);
    store.deliver(MAIL);
    let told = client.ok("UID SEARCH SUBJECT hello").await;
    assert_eq!(
        told.last().unwrap(),
        "* ESEARCH (TAG \"a15\") UID ALL 6",
        "new mail is found at once: {told:?}"
    );
}

#[tokio::test]
async fn a_store_that_is_away_is_said_and_comes_back() {
    let store = with_mail(2);
    let mut client = Client::inbox(&store).await;
    store.state.lock().down = true;
    assert!(client.fails("FETCH 1 (FLAGS)").await.starts_with("NO [UNAVAILABLE]"));
    client.ok("NOOP").await;
    assert!(client.fails("STATUS INBOX (MESSAGES)").await.starts_with("NO [UNAVAILABLE]"));
    store.state.lock().down = false;
    store.deliver(MAIL);
    assert!(client.ok("NOOP").await.contains(&"* 3 EXISTS".to_owned()));
}

#[tokio::test]
async fn a_mailbox_that_goes_ends_the_session_that_looks_at_it() {
    let store = Store::new();
    let mut client = Client::user(&store).await;
    client.ok("CREATE x").await;
    client.ok("SELECT x").await;
    Client::user(&store).await.ok("DELETE x").await;
    client.send("n NOOP\r\n").await;
    let mut last = client.line().await;
    while !last.starts_with("* BYE") {
        last = client.line().await;
    }
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn nonsense_is_answered_and_ends_at_last() {
    let store = Store::new();
    let mut client = Client::user(&store).await;
    assert!(client.fails("FROBNICATE").await.starts_with("BAD"));
    client.send(format!("b NOOP {}\r\nc NOOP\r\n", "x".repeat(400_000))).await;
    assert!(client.answer("b").await.1.starts_with("BAD"));
    assert!(client.answer("c").await.1.starts_with("OK"));
    client.send("d SELECT {99999999}\r\n").await;
    assert!(client.answer("d").await.1.starts_with("BAD [TOOBIG]"));
    client.send("e NOOP x\r\n".repeat(20)).await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_drain_says_goodbye() {
    let store = Store::new();
    let shared = Shared::default();
    let config = ImapConfig { plaintext_auth: true, ..ImapConfig::default() };
    let mut client = Client::connect_with(&store, config, shared.clone()).await;
    client.ok("LOGIN anna secret").await;
    shared.drain.begin();
    assert!(client.line().await.starts_with("* BYE"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_listing_makes_one_call() {
    let store = with_mail(100);
    let mut client = Client::inbox(&store).await;
    store.state.lock().calls.clear();
    assert_eq!(client.ok("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)").await.len(), 100);
    assert_eq!(client.ok("FETCH 1:* (UID FLAGS)").await.len(), 100);
    client.ok("STORE 1:* +FLAGS.SILENT (\\Seen)").await;
    let calls = store.state.lock().calls.clone();
    let changing = calls.get("Changes").copied().unwrap_or(0);
    assert!(changing <= 2, "{calls:?}");
    assert_eq!((calls["Fetch"], calls["Skeleton"], calls["StoreFlags"]), (1, 1, 1), "{calls:?}");
}

#[tokio::test]
async fn append_goes_where_the_name_points_now() {
    let store = Store::new();
    let (mut one, mut other) = (Client::inbox(&store).await, Client::inbox(&store).await);
    one.ok("CREATE A").await;
    one.ok("CREATE A/B").await;
    one.send("a APPEND A/B {1+}\r\nx\r\n").await;
    assert!(one.answer("a").await.1.starts_with("OK"));
    other.ok("RENAME A C").await;
    one.send("b APPEND A/B {1+}\r\ny\r\n").await;
    assert!(one.answer("b").await.1.starts_with("NO [TRYCREATE]"));
    other.ok("RENAME C A").await;
    one.send("c APPEND A/B {1+}\r\ny\r\n").await;
    assert!(one.answer("c").await.1.starts_with("OK"));
    other.ok("RENAME A C").await;
    other.ok("CREATE A").await;
    other.ok("CREATE A/B").await;
    one.send("d APPEND A/B {1+}\r\nz\r\n").await;
    assert!(one.answer("d").await.1.starts_with("OK"));
    assert_eq!(one.ok("STATUS A/B (MESSAGES)").await, ["* STATUS A/B (MESSAGES 1)"]);
    assert_eq!(one.ok("STATUS C/B (MESSAGES)").await, ["* STATUS C/B (MESSAGES 2)"]);
}

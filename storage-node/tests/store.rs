//! The store's sentences, said to a real node over a real PostgreSQL.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use std::time::Duration;

use kontor_model::FolderRole;
use kontor_storage_client::proto::{self, Rights, deliver_result::Status, store_flags_request::Op};
use kontor_storage_client::{Place, PreparedMessage, Session, StoreError};
use proto::search_key::Key;
use support::{House, PASSWORD, account, mail};

const INBOX: u64 = FolderRole::Inbox as u64;
const TRASH: u64 = FolderRole::Trash as u64;
const ALL: [u32; 2] = [1, u32::MAX];

async fn uids(session: &Session, folder: u64) -> Vec<u32> {
    session.skeleton(session.info().mailbox_id, folder, 0).await.expect("skeleton").uids
}

async fn search(session: &Session, key: Key) -> Vec<u32> {
    let request = proto::SearchRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: INBOX,
        key: Some(proto::SearchKey { key: Some(key) }),
    };
    session.search(request).await.expect("search").uids
}

fn place(mailbox_id: u64, tenant_id: u64) -> Place {
    Place { mailbox_id, tenant_id, folder_id: INBOX, hierarchy_cn: 0 }
}

fn flags(session: &Session, uids: &[u32], op: Op, flags: u64) -> proto::StoreFlagsRequest {
    proto::StoreFlagsRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: INBOX,
        uid_ranges: uids.iter().flat_map(|u| [*u, *u]).collect(),
        op: op as i32,
        flags,
        ..Default::default()
    }
}

async fn body(session: &Session, uid: u32) -> Vec<u8> {
    let request = proto::ReadBodyRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: INBOX,
        uid,
        offset: 0,
        length: 0,
    };
    let mut stream = session.read_body(request).await.expect("read");
    let mut whole = Vec::new();
    while let Some(piece) = stream.next().await.expect("piece") {
        whole.extend_from_slice(&piece);
    }
    whole
}

async fn check(house: &House) -> Vec<String> {
    let mut care = house.admin.care().expect("care");
    let request = proto::CheckRequest { mailbox: String::new(), bodies: true };
    let mut events = care.check(request).await.expect("check").into_inner();
    let mut findings = Vec::new();
    while let Some(event) = events.message().await.expect("event") {
        if let Some(proto::check_event::Event::Finding(finding)) = event.event {
            findings.push(format!("{}: {}", finding.mailbox, finding.message));
        }
    }
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_says_what_it_must() {
    let house = House::new().await;
    people_log_in_with_their_own_password_only(&house).await;
    mail_goes_where_the_directory_says(&house).await;
    what_was_delivered_is_there_byte_for_byte(&house).await;
    flags_move_the_clock_and_the_counters(&house).await;
    copies_moves_and_deletes_leave_tombstones(&house).await;
    texts_are_found_as_substrings(&house).await;
    folders_have_names_and_places(&house).await;
    a_stranger_reaches_nothing(&house).await;
    what_is_for_administrators_is_for_nobody_else(&house).await;
    a_stranger_hears_nothing(&house).await;
    sharing_opens_what_was_shared_and_no_more(&house).await;
    a_full_mailbox_refuses(&house).await;
    a_retry_is_stored_once(&house).await;
    many_writers_lose_nothing(&house).await;
    hints_come_after_the_commit(&house).await;
    the_queue_gives_each_message_to_one_runner(&house).await;
    assert_eq!(check(&house).await, Vec::<String>::new());
    a_sweep_takes_only_what_is_gone(&house).await;
    assert_eq!(check(&house).await, Vec::<String>::new());
    a_second_node_sees_the_same(&house).await;
    check_finds_what_was_broken(&house).await;
}

async fn people_log_in_with_their_own_password_only(house: &House) {
    let session = house.login("Anna@One.Example").await;
    assert_eq!(session.info().address, "anna@one.example");
    for (login, password) in
        [("anna@one.example", "wrong"), ("nobody@one.example", PASSWORD), ("", ""), ("anna@one.example", "")]
    {
        let outcome = house.gateway.authenticate(login, "", password, "imap", "").await;
        assert!(matches!(outcome, Err(StoreError::Unauthenticated)), "{login} {password}: {outcome:?}");
    }
    let outcome = house.gateway.impersonate("anna@one.example").await;
    assert!(matches!(outcome, Err(StoreError::Denied(_))), "{outcome:?}");
    assert!(matches!(house.gateway.apply(vec![]).await, Err(StoreError::Denied(_))));
    // An app password opens what it is for.
    let mut directory = house.admin.directory().expect("directory");
    let made = directory
        .create_app_password(proto::CreateAppPasswordRequest {
            address: "anna@one.example".into(),
            label: "phone".into(),
            services: vec!["imap".into()],
            expires_at: 0,
        })
        .await
        .expect("app password")
        .into_inner();
    house.gateway.authenticate("anna@one.example", "", &made.secret, "imap", "").await.expect("app password");
    let other = house.gateway.authenticate("anna@one.example", "", &made.secret, "smtp", "").await;
    assert!(matches!(other, Err(StoreError::Unauthenticated)));
    // A changed password ends sessions.
    let bert = house.login("bert@one.example").await;
    bert.open("").await.expect("open");
    house
        .put(vec![proto::put::Object::Account(proto::Account {
            address: "bert@one.example".into(),
            tenant: "one".into(),
            password: "another".into(),
            ..Default::default()
        })])
        .await;
    assert!(matches!(bert.open("").await, Err(StoreError::Unauthenticated)));
    house.put(vec![account("bert@one.example", "one")]).await;
}

async fn mail_goes_where_the_directory_says(house: &House) {
    let results = house
        .put(vec![
            proto::put::Object::Group(proto::Group {
                address: "team@one.example".into(),
                tenant: "one".into(),
                members: vec![
                    "anna@one.example".into(),
                    "bert@one.example".into(),
                    "team@one.example".into(),
                    "guest@far.example".into(),
                ],
                ..Default::default()
            }),
            proto::put::Object::Group(proto::Group {
                address: "board@one.example".into(),
                tenant: "one".into(),
                members: vec!["anna@one.example".into()],
                senders: "members".into(),
                ..Default::default()
            }),
            proto::put::Object::Account(proto::Account {
                address: "anna@one.example".into(),
                tenant: "one".into(),
                aliases: vec!["a.nna@one.example".into()],
                ..Default::default()
            }),
            proto::put::Object::Domain(proto::Domain {
                name: "uno.example".into(),
                tenant: "one".into(),
                alias_of: "one.example".into(),
                ..Default::default()
            }),
            proto::put::Object::Account(proto::Account {
                address: "carl@two.example".into(),
                tenant: "two".into(),
                aliases: vec!["carl@one.example".into()],
                ..Default::default()
            }),
        ])
        .await;
    assert_eq!(results[4].outcome(), proto::apply_result::Outcome::Conflict, "{results:?}");
    use proto::resolution::Status;
    let ask = async |addresses: &[&str]| {
        house
            .gateway
            .resolve_recipients(proto::ResolveRecipientsRequest {
                addresses: addresses.iter().map(ToString::to_string).collect(),
                ..Default::default()
            })
            .await
            .expect("resolve")
    };
    let answers = ask(&[
        "ANNA@one.example",
        "anna+news@one.example",
        "a.nna@uno.example",
        "nobody@one.example",
        "x@far.example",
        "team@one.example",
        "board@one.example",
        "not an address",
    ])
    .await;
    let statuses: Vec<Status> = answers.iter().map(proto::Resolution::status).collect();
    assert_eq!(
        statuses,
        [
            Status::Local,
            Status::Local,
            Status::Local,
            Status::NoSuchUser,
            Status::External,
            Status::Local,
            Status::NotPermitted,
            Status::Invalid
        ]
    );
    assert_eq!(answers[1].targets[0].detail, "news");
    assert_eq!(answers[2].targets[0].address, "anna@one.example");
    let team: Vec<&str> = answers[5].targets.iter().map(|t| t.address.as_str()).collect();
    assert_eq!(team, ["anna@one.example", "bert@one.example", "guest@far.example"]);
    let anna = house.login("anna@one.example").await;
    for (address, allowed) in [
        ("anna@one.example", true),
        ("a.nna@one.example", true),
        ("A.nna@uno.example", true),
        ("bert@one.example", false),
        ("x@far.example", false),
    ] {
        assert_eq!(anna.may_send_as(address).await.expect("may"), allowed, "{address}");
    }
}

async fn what_was_delivered_is_there_byte_for_byte(house: &House) {
    let session = house.login("anna@one.example").await;
    let mut sent = Vec::new();
    for (i, size) in [0usize, 100, 10_000, 40_000, 3 << 20].into_iter().enumerate() {
        // Noise does not compress: the large ones go to the blob store.
        let text: String = (0..size).map(|i| char::from(b'a' + (noise(i as u64) % 26))).collect();
        let raw = mail(&format!("size{i}"), &text);
        let result = house.deliver("anna@one.example", &raw).await;
        assert_eq!(result.status(), Status::Delivered);
        assert_eq!(result.uid, u32::try_from(i + 1).expect("small"));
        sent.push((result.uid, raw));
    }
    for (uid, raw) in &sent {
        assert!(body(&session, *uid).await == raw.as_bytes(), "UID {uid}");
    }
    let mut stream = session
        .fetch(proto::FetchRequest {
            mailbox_id: session.info().mailbox_id,
            folder_id: INBOX,
            uid_ranges: ALL.to_vec(),
            view: true,
            header: true,
            body: true,
            max_body: 1 << 20,
            object_ids: true,
            ..Default::default()
        })
        .await
        .expect("fetch");
    let mut items = Vec::new();
    while let Some(chunk) = stream.next().await.expect("chunk") {
        items.extend(chunk.items);
    }
    assert_eq!(items.len(), sent.len());
    for (item, (uid, raw)) in items.iter().zip(&sent) {
        assert_eq!((item.uid, item.size), (*uid, raw.len() as u64));
        let header = raw.find("\r\n\r\n").expect("blank line") + 4;
        assert_eq!(item.header, raw.as_bytes()[..header]);
        assert!(kontor_model::ImapView::envelope_of(&item.view).is_some());
        assert_eq!(item.body.is_some(), raw.len() <= 1 << 20);
        assert_eq!(item.content_id.len(), 16);
    }
}

/// A cheap hash: noise that is the same each time.
fn noise(i: u64) -> u8 {
    let mut x = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 56) as u8
}

async fn flags_move_the_clock_and_the_counters(house: &House) {
    let session = house.login("anna@one.example").await;
    let before = session.skeleton(session.info().mailbox_id, INBOX, 31).await.expect("skeleton");
    let stored = session.store_flags(flags(&session, &[1, 2], Op::Add, 0b11)).await.expect("store");
    assert_eq!((stored.uids.as_slice(), stored.flags.as_slice()), (&[1, 2][..], &[3, 3][..]));
    assert!(stored.highest_cn > before.highest_cn && stored.modseqs.iter().all(|m| *m == stored.highest_cn));
    let again = session.store_flags(flags(&session, &[1, 2], Op::Add, 0b01)).await.expect("store");
    assert_eq!(again.highest_cn, stored.highest_cn, "nothing changed, so no clock moves");
    let mut named = flags(&session, &[2, 3], Op::Replace, 0b100);
    named.keywords = vec!["Project-X".into()];
    let replaced = session.store_flags(named).await.expect("store");
    assert_eq!(replaced.keywords, ["Project-X"]);
    assert_eq!(replaced.flags, [0b100 | 1 << 16, 0b100 | 1 << 16]);
    let changes =
        session.changes(session.info().mailbox_id, INBOX, stored.highest_cn).await.expect("changes");
    assert_eq!(changes.uids, [2, 3]);
    assert_eq!(changes.first_new_uid, 0);
    let mut held = flags(&session, &[1, 2], Op::Add, 0b1000);
    held.unchanged_since = Some(stored.highest_cn);
    let held = session.store_flags(held).await.expect("store");
    assert_eq!((held.uids.as_slice(), held.modified.as_slice()), (&[1][..], &[2][..]));
    let folder = inbox(&session).await;
    assert_eq!((folder.total, folder.unseen, folder.deleted), (5, 4, 1));
    assert_eq!(search(&session, Key::Keyword("project-x".into())).await, [2, 3]);
    assert_eq!(search(&session, Key::Flags(0b1000)).await, [1]);
}

async fn inbox(session: &Session) -> proto::Folder {
    let folders = session.list_folders(session.info().mailbox_id, 0).await.expect("folders").folders;
    folders.into_iter().find(|f| f.folder_id == INBOX).expect("inbox")
}

async fn copies_moves_and_deletes_leave_tombstones(house: &House) {
    let session = house.login("anna@one.example").await;
    let mailbox = session.info().mailbox_id;
    let start = session.skeleton(mailbox, INBOX, 0).await.expect("skeleton").highest_cn;
    let request = |uids: &[u32], r#move| proto::CopyRequest {
        mailbox_id: mailbox,
        folder_id: INBOX,
        uid_ranges: uids.to_vec(),
        to_mailbox_id: mailbox,
        to_folder_id: TRASH,
        r#move,
    };
    let copied = session.copy(request(&[1, 2], false)).await.expect("copy");
    assert_eq!((copied.uids.as_slice(), copied.to_uids.as_slice()), (&[1, 2][..], &[1, 2][..]));
    assert_eq!(uids(&session, INBOX).await, [1, 2, 3, 4, 5]);
    let moved = session.copy(request(&[4, 5], true)).await.expect("move");
    assert_eq!((moved.uids.as_slice(), moved.to_uids.as_slice()), (&[4, 5][..], &[3, 4][..]));
    assert_eq!(uids(&session, INBOX).await, [1, 2, 3]);
    assert_eq!(uids(&session, TRASH).await, [1, 2, 3, 4]);
    let expunged = session
        .expunge(proto::ExpungeRequest {
            mailbox_id: mailbox,
            folder_id: INBOX,
            uid_ranges: vec![],
            only_flagged_deleted: true,
            hard: false,
        })
        .await
        .expect("expunge");
    assert_eq!(expunged.uids, [1]);
    let changes = session.changes(mailbox, INBOX, start).await.expect("changes");
    assert_eq!((changes.gone.as_slice(), changes.total), (&[1, 1, 4, 5][..], 2));
    let restored = session
        .restore(proto::RestoreRequest { mailbox_id: mailbox, folder_id: INBOX, since: 0 })
        .await
        .expect("restore");
    assert_eq!(restored.uids, [6]);
    assert_eq!(uids(&session, INBOX).await, [2, 3, 6]);
    // A move within one folder gives a new UID and loses nothing.
    let mut within = request(&[6, 6], true);
    within.to_folder_id = INBOX;
    assert_eq!(session.copy(within).await.expect("move").to_uids, [7]);
    assert_eq!(uids(&session, INBOX).await, [2, 3, 7]);
}

async fn texts_are_found_as_substrings(house: &House) {
    let session = house.login("anna@one.example").await;
    let result = house
        .deliver("anna@one.example", &mail("Umlaute =?UTF-8?Q?gr=C3=BC=C3=9Fen?=", "the zebrafish swims"))
        .await;
    let uid = result.uid;
    assert_eq!(search(&session, Key::Body("EBRAFI".into())).await, [uid]);
    assert_eq!(search(&session, Key::Text("zebrafish SWIMS".into())).await, [uid]);
    assert_eq!(search(&session, Key::Text("grüß".into())).await, [uid]);
    let header =
        |name: &str, value: &str| Key::Header(proto::HeaderMatch { name: name.into(), value: value.into() });
    assert_eq!(search(&session, header("Subject", "GRÜ")).await, [uid]);
    assert_eq!(search(&session, header("Subject", "umlaute")).await, [uid]);
    assert_eq!(search(&session, header("From", "umlaute")).await, Vec::<u32>::new());
    assert_eq!(search(&session, header("X-Nothing", "")).await, Vec::<u32>::new());
    let both = Key::And(proto::SearchKeys {
        keys: vec![
            proto::SearchKey { key: Some(Key::Uids(proto::UidRanges { ranges: vec![1, uid - 1] })) },
            proto::SearchKey { key: Some(Key::Text("zebrafish".into())) },
        ],
    });
    assert_eq!(search(&session, both).await, Vec::<u32>::new());
    let not = Key::Not(Box::new(proto::SearchKey { key: Some(Key::Text("zebrafish".into())) }));
    let others: Vec<u32> = uids(&session, INBOX).await.into_iter().filter(|u| *u != uid).collect();
    assert_eq!(search(&session, not).await, others);
}

async fn folders_have_names_and_places(house: &House) {
    let session = house.login("anna@one.example").await;
    let mailbox = session.info().mailbox_id;
    let make = |parent: u64, name: &str| proto::CreateFolderRequest {
        mailbox_id: mailbox,
        parent_id: parent,
        name: name.into(),
        ..Default::default()
    };
    let work = session.create_folder(make(0, "Arbeit")).await.expect("create");
    let sub =
        session.create_folder(make(work.folder_id, "ä/ö".replace('/', "-").as_str())).await.expect("create");
    assert_eq!(sub.parent_id, work.folder_id);
    assert!(matches!(session.create_folder(make(0, "Arbeit")).await, Err(StoreError::Exists(_))));
    assert!(matches!(session.create_folder(make(0, "a/b")).await, Err(StoreError::Invalid(_))));
    assert!(matches!(session.create_folder(make(99_999, "x")).await, Err(StoreError::NotFound(_))));
    assert!(matches!(session.delete_folder(mailbox, work.folder_id).await, Err(StoreError::Conflict(_))));
    assert!(matches!(session.delete_folder(mailbox, INBOX).await, Err(StoreError::Denied(_))));
    let into_itself = proto::UpdateFolderRequest {
        mailbox_id: mailbox,
        folder_id: work.folder_id,
        parent_id: Some(sub.folder_id),
        name: Some("x".into()),
        ..Default::default()
    };
    assert!(matches!(session.update_folder(into_itself).await, Err(StoreError::Invalid(_))));
    let before = session.list_folders(mailbox, 0).await.expect("folders").cn;
    session.delete_folder(mailbox, sub.folder_id).await.expect("delete");
    let after = session.list_folders(mailbox, before).await.expect("folders");
    assert_eq!(after.gone, [sub.folder_id]);
    let again = session.create_folder(make(work.folder_id, "ä-ö")).await.expect("create");
    assert!(again.uid_validity > sub.uid_validity && again.folder_id != sub.folder_id);

    // What was found by name is appended to only while the names are the same.
    let tree = session.list_folders(mailbox, 0).await.expect("folders");
    let message = PreparedMessage::prepare(mail("named", "").into()).await;
    let place = Place {
        mailbox_id: mailbox,
        tenant_id: session.info().tenant_id,
        folder_id: again.folder_id,
        hierarchy_cn: tree.hierarchy_cn,
    };
    let messages = [(message, 0, vec![], None)];
    session.append(place, &messages).await.expect("append");
    let renamed = proto::UpdateFolderRequest {
        mailbox_id: mailbox,
        folder_id: work.folder_id,
        name: Some("Werk".into()),
        ..Default::default()
    };
    session.update_folder(renamed).await.expect("rename");
    assert!(matches!(session.append(place, &messages).await, Err(StoreError::Conflict(_))));
    let tree = session.list_folders(mailbox, 0).await.expect("folders");
    assert_eq!(tree.folders.iter().find(|f| f.folder_id == again.folder_id).map(|f| f.total), Some(1));
}

/// Every call of the mailbox service, as somebody of another tenant and as an unshared colleague.
async fn a_stranger_reaches_nothing(house: &House) {
    let anna = house.login("anna@one.example").await;
    let mailbox = anna.info().mailbox_id;
    let message = PreparedMessage::from_rfc5322(mail("x", "x").into_bytes().into());
    for name in ["bert@one.example", "carl@two.example"] {
        let stranger = house.login(name).await;
        let own = stranger.info().mailbox_id;
        let nothing = |outcome: Result<(), StoreError>, call: &str| {
            assert!(matches!(outcome, Err(StoreError::NotFound(_))), "{name} {call}: {outcome:?}");
        };
        nothing(stranger.open("anna@one.example").await.map(drop), "open");
        nothing(stranger.open("nobody@one.example").await.map(drop), "open nobody");
        nothing(stranger.list_folders(mailbox, 0).await.map(drop), "list_folders");
        nothing(stranger.list_folders(987_654, 0).await.map(drop), "list_folders of none");
        nothing(
            stranger
                .create_folder(proto::CreateFolderRequest {
                    mailbox_id: mailbox,
                    name: "x".into(),
                    ..Default::default()
                })
                .await
                .map(drop),
            "create_folder",
        );
        nothing(
            stranger
                .create_folder(proto::CreateFolderRequest {
                    mailbox_id: mailbox,
                    parent_id: INBOX,
                    name: "x".into(),
                    ..Default::default()
                })
                .await
                .map(drop),
            "create_folder below",
        );
        for subscribed in [None, Some(true)] {
            nothing(
                stranger
                    .update_folder(proto::UpdateFolderRequest {
                        mailbox_id: mailbox,
                        folder_id: INBOX,
                        subscribed,
                        ..Default::default()
                    })
                    .await
                    .map(drop),
                "update_folder",
            );
        }
        nothing(stranger.delete_folder(mailbox, INBOX).await.map(drop), "delete_folder");
        let grant = proto::SetPermissionsRequest {
            mailbox_id: mailbox,
            folder_id: INBOX,
            permissions: vec![proto::Permission { principal: "default".into(), rights: 0x1ff }],
            ..Default::default()
        };
        nothing(stranger.set_permissions(grant).await.map(drop), "set_permissions");
        nothing(stranger.list_permissions(mailbox, INBOX).await.map(drop), "list_permissions");
        nothing(stranger.skeleton(mailbox, INBOX, 31).await.map(drop), "skeleton");
        nothing(stranger.changes(mailbox, INBOX, 0).await.map(drop), "changes");
        let fetch = proto::FetchRequest {
            mailbox_id: mailbox,
            folder_id: INBOX,
            uid_ranges: ALL.to_vec(),
            body: true,
            max_body: 1 << 20,
            ..Default::default()
        };
        nothing(stranger.fetch(fetch).await.map(drop), "fetch");
        let query = proto::SearchRequest { mailbox_id: mailbox, folder_id: INBOX, key: None };
        nothing(stranger.search(query).await.map(drop), "search");
        let mut store = flags(&anna, &[2], Op::Add, 1);
        store.keywords = vec!["stranger".into()];
        nothing(stranger.store_flags(store).await.map(drop), "store_flags");
        for (from, to) in [((mailbox, INBOX), (own, INBOX)), ((own, INBOX), (mailbox, INBOX))] {
            let copy = proto::CopyRequest {
                mailbox_id: from.0,
                folder_id: from.1,
                uid_ranges: ALL.to_vec(),
                to_mailbox_id: to.0,
                to_folder_id: to.1,
                r#move: false,
            };
            nothing(stranger.copy(copy).await.map(drop), "copy");
        }
        let expunge =
            proto::ExpungeRequest { mailbox_id: mailbox, folder_id: INBOX, hard: true, ..Default::default() };
        nothing(stranger.expunge(expunge).await.map(drop), "expunge");
        let restore = proto::RestoreRequest { mailbox_id: mailbox, folder_id: INBOX, since: 0 };
        nothing(stranger.restore(restore).await.map(drop), "restore");
        nothing(
            stranger
                .append(place(mailbox, stranger.info().tenant_id), &[(message.clone(), 0, vec![], None)])
                .await
                .map(drop),
            "append",
        );
        let read =
            proto::ReadBodyRequest { mailbox_id: mailbox, folder_id: INBOX, uid: 2, offset: 0, length: 0 };
        nothing(stranger.read_body(read).await.map(drop), "read_body");
        let mut directory = house.gateway.directory().expect("directory");
        let list = proto::ListAppPasswordsRequest { address: "anna@one.example".into() };
        let outcome = directory.list_app_passwords(stranger.authorize(list).await.expect("token")).await;
        nothing(outcome.map(drop).map_err(StoreError::from), "list_app_passwords");
        let people = directory
            .find_people(stranger.authorize(proto::FindPeopleRequest::default()).await.expect("token"))
            .await
            .expect("people")
            .into_inner()
            .people;
        let theirs = name.split_once('@').expect("address").1;
        assert!(people.iter().all(|p| p.address.ends_with(theirs)), "{people:?}");
    }
    // Without a token, or with one that was made up, there is nobody.
    let mut mailboxes = house.gateway.mailbox().expect("mailbox");
    let outcome = mailboxes.open(proto::OpenRequest::default()).await;
    assert!(matches!(outcome.map_err(StoreError::from), Err(StoreError::Unauthenticated)));
}

/// A gateway is trusted with people's sessions, recipients, delivery and the queue; with no more than that.
async fn what_is_for_administrators_is_for_nobody_else(house: &House) {
    let anna = house.login("anna@one.example").await;
    let denied = |outcome: Result<(), tonic::Status>, call: &str| {
        let outcome = outcome.map_err(StoreError::from);
        assert!(matches!(outcome, Err(StoreError::Denied(_))), "{call}: {outcome:?}");
    };
    let mut directory = house.gateway.directory().expect("directory");
    let mut queue = house.gateway.queue().expect("queue");
    let mut care = house.gateway.care().expect("care");
    let address = || "anna@one.example".to_string();
    denied(directory.apply(proto::ApplyRequest::default()).await.map(drop), "apply");
    denied(directory.list(proto::ListRequest::default()).await.map(drop), "list");
    denied(
        directory.impersonate(proto::ImpersonateRequest { address: address() }).await.map(drop),
        "impersonate",
    );
    denied(queue.list(proto::ListQueueRequest::default()).await.map(drop), "queue list");
    denied(queue.act(proto::ActOnQueueRequest::default()).await.map(drop), "queue act");
    denied(care.check(proto::CheckRequest::default()).await.map(drop), "check");
    denied(care.sweep(proto::SweepRequest { now: true }).await.map(drop), "sweep");
    // Without a session, app passwords are for administrators; with one, each has their own.
    let create =
        proto::CreateAppPasswordRequest { address: address(), label: "x".into(), ..Default::default() };
    denied(directory.create_app_password(create.clone()).await.map(drop), "create_app_password");
    let list = proto::ListAppPasswordsRequest { address: address() };
    denied(directory.list_app_passwords(list.clone()).await.map(drop), "list_app_passwords");
    let own = directory.list_app_passwords(anna.authorize(list).await.expect("token")).await.expect("own");
    let id = own.into_inner().app_passwords[0].id;
    let delete = proto::DeleteAppPasswordRequest { address: address(), id };
    denied(directory.delete_app_password(delete.clone()).await.map(drop), "delete_app_password");
    for name in ["bert@one.example", "carl@two.example"] {
        let stranger = house.login(name).await;
        let nothing = |outcome: Result<(), tonic::Status>, call: &str| {
            let outcome = outcome.map_err(StoreError::from);
            assert!(matches!(outcome, Err(StoreError::NotFound(_))), "{name} {call}: {outcome:?}");
        };
        let request = stranger.authorize(create.clone()).await.expect("token");
        nothing(directory.create_app_password(request).await.map(drop), "create_app_password");
        let request = stranger.authorize(delete.clone()).await.expect("token");
        nothing(directory.delete_app_password(request).await.map(drop), "delete_app_password");
        // By its number in one's own name: it is not there either.
        let request = proto::DeleteAppPasswordRequest { address: String::new(), id };
        let request = stranger.authorize(request).await.expect("token");
        nothing(directory.delete_app_password(request).await.map(drop), "delete_app_password by number");
        assert!(!stranger.may_send_as("anna@one.example").await.expect("may"));
    }
    let mut request = tonic::Request::new(proto::OpenRequest::default());
    request.metadata_mut().insert("authorization", "Bearer AAAA".parse().expect("ascii"));
    let outcome = house.gateway.mailbox().expect("mailbox").open(request).await;
    assert!(matches!(outcome.map_err(StoreError::from), Err(StoreError::Unauthenticated)));
}

async fn a_stranger_hears_nothing(house: &House) {
    let (anna, carl) = (house.login("anna@one.example").await, house.login("carl@two.example").await);
    let mailbox = anna.info().mailbox_id;
    // A gateway of its own, so that no other session's interest answers.
    let gateway = house.gateway_of_its_own();
    let mut hints = gateway.watch(&carl, mailbox, 0);
    let mut own = gateway.watch(&carl, carl.info().mailbox_id, 0);
    tokio::time::timeout(Duration::from_secs(20), own.changed()).await.expect("registered");
    tokio::time::sleep(Duration::from_millis(300)).await;
    hints.take();
    house.deliver("anna@one.example", &mail("secret", "secret")).await;
    let heard = tokio::time::timeout(Duration::from_secs(1), hints.changed()).await;
    assert!(heard.is_err(), "another tenant's news");
}

async fn sharing_opens_what_was_shared_and_no_more(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let mailbox = anna.info().mailbox_id;
    let share = async |principal: &str, rights: u32| {
        anna.set_permissions(proto::SetPermissionsRequest {
            mailbox_id: mailbox,
            folder_id: INBOX,
            permissions: vec![proto::Permission { principal: principal.into(), rights }],
            ..Default::default()
        })
        .await
    };
    share("bert@one.example", Rights::Visible as u32 | Rights::Read as u32).await.expect("share");
    let opened = bert.open("anna@one.example").await.expect("open");
    assert_eq!(opened.folders.iter().map(|f| f.folder_id).collect::<Vec<_>>(), [INBOX]);
    assert!(!bert.skeleton(mailbox, INBOX, 0).await.expect("skeleton").uids.is_empty());
    assert!(matches!(bert.skeleton(mailbox, TRASH, 0).await, Err(StoreError::NotFound(_))));
    let outcome = bert.store_flags(flags(&anna, &[2], Op::Add, 1)).await;
    assert!(matches!(outcome, Err(StoreError::Denied(_))), "{outcome:?}");
    assert!(matches!(share("carl@two.example", 7).await, Err(StoreError::Invalid(_))));
    share("default", Rights::Read as u32).await.expect("share");
    let carl = house.login("carl@two.example").await;
    let outcome = carl.skeleton(mailbox, INBOX, 0).await;
    assert!(matches!(outcome, Err(StoreError::NotFound(_))), "another tenant: {outcome:?}");
    share("bert@one.example", 0).await.expect("share");
    share("default", 0).await.expect("share");
    assert!(matches!(bert.skeleton(mailbox, INBOX, 0).await, Err(StoreError::NotFound(_))));
}

async fn a_full_mailbox_refuses(house: &House) {
    let results = house
        .put(vec![proto::put::Object::Account(proto::Account {
            address: "full@one.example".into(),
            tenant: "one".into(),
            password: PASSWORD.into(),
            quota: 2_000,
            ..Default::default()
        })])
        .await;
    assert_eq!(results[0].outcome(), proto::apply_result::Outcome::Created, "{results:?}");
    let raw = mail("fill", &"x".repeat(1_000));
    assert_eq!(house.deliver("full@one.example", &raw).await.status(), Status::Delivered);
    assert_eq!(house.deliver("full@one.example", &raw).await.status(), Status::OverQuota);
    let session = house.login("full@one.example").await;
    let message = PreparedMessage::from_rfc5322(raw.into_bytes().into());
    let outcome = session
        .append(place(session.info().mailbox_id, session.info().tenant_id), &[(message, 0, vec![], None)])
        .await;
    assert!(matches!(outcome, Err(StoreError::OverQuota)), "{outcome:?}");
    assert_eq!(inbox(&session).await.total, 1);
}

async fn a_retry_is_stored_once(house: &House) {
    let session = house.login("bert@one.example").await;
    let before = inbox(&session).await.total;
    let message = PreparedMessage::from_rfc5322(mail("once", "once").into_bytes().into());
    let target = house.target("bert@one.example").await;
    let twice = [target.clone(), target.clone()];
    let first = house.gateway.deliver(&message, &twice, 0, None).await.expect("deliver");
    assert_eq!(first[0], first[1]);
    let second = house.gateway.deliver(&message, &[target], 0, None).await.expect("deliver");
    assert_eq!(first[0], second[0]);
    assert_eq!(inbox(&session).await.total, before + 1);
}

async fn many_writers_lose_nothing(house: &House) {
    let session = house.login("bert@one.example").await;
    let before = inbox(&session).await.total;
    let target = house.target("bert@one.example").await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8u32 {
        let (gateway, target) = (house.gateway.clone(), target.clone());
        let session = session.clone();
        tasks.spawn(async move {
            for i in 0..25u32 {
                let raw = mail(&format!("w{writer}-{i}"), "text");
                let message = PreparedMessage::from_rfc5322(raw.into_bytes().into());
                let result =
                    gateway.deliver(&message, std::slice::from_ref(&target), 0, None).await.expect("deliver");
                assert_eq!(result[0].status(), Status::Delivered);
                let op = if i % 2 == 0 { Op::Add } else { Op::Remove };
                let mut request = flags(&session, &[], op, 1 << writer.min(4));
                request.uid_ranges = ALL.to_vec();
                session.store_flags(request).await.expect("flags");
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.expect("writer");
    }
    let skeleton = session.skeleton(session.info().mailbox_id, INBOX, 7).await.expect("skeleton");
    assert_eq!(skeleton.uids.len(), before as usize + 200);
    assert!(skeleton.uids.windows(2).all(|w| w[0] < w[1]));
    let folder = inbox(&session).await;
    let unseen = skeleton.flags.iter().filter(|f| **f & 1 == 0).count();
    assert_eq!((folder.total as usize, folder.unseen as usize), (skeleton.uids.len(), unseen));
}

async fn hints_come_after_the_commit(house: &House) {
    let session = house.login("anna@one.example").await;
    let mut inbox_hints = session.watch(session.info().mailbox_id, INBOX);
    let mut trash_hints = session.watch(session.info().mailbox_id, TRASH);
    let wait = Duration::from_secs(20);
    // The first hint says that the watch is known to the store.
    tokio::time::timeout(wait, inbox_hints.changed()).await.expect("registered");
    tokio::time::sleep(Duration::from_millis(300)).await;
    inbox_hints.take();
    trash_hints.take();
    let result = house.deliver("anna@one.example", &mail("ping", "ping")).await;
    tokio::time::timeout(wait, inbox_hints.changed()).await.expect("a hint");
    assert!(uids(&session, INBOX).await.contains(&result.uid));
    assert!(!trash_hints.take(), "another folder's news is no news here");
}

async fn the_queue_gives_each_message_to_one_runner(house: &House) {
    use proto::queue_recipient::State;
    let tenant_id = house.login("anna@one.example").await.info().tenant_id;
    let request = |key: u8| proto::EnqueueRequest {
        tenant_id,
        queue_key: vec![key; 16].into(),
        sender: "anna@one.example".into(),
        recipients: vec![
            proto::QueueRecipient { address: "x@far.example".into(), ..Default::default() },
            proto::QueueRecipient { address: "y@far.example".into(), ..Default::default() },
        ],
        body: Some(proto::enqueue_request::Body::Raw(mail("out", "out").into_bytes().into())),
        ..Default::default()
    };
    let first = house.gateway.enqueue(request(1)).await.expect("enqueue");
    assert_eq!(house.gateway.enqueue(request(1)).await.expect("again"), first);
    let second = house.gateway.enqueue(request(2)).await.expect("enqueue");
    let lease =
        |runner: &str| proto::LeaseRequest { runner: runner.into(), max: 10, lease_seconds: 60, wait_ms: 0 };
    let mine = house.gateway.lease(lease("a")).await.expect("lease");
    assert_eq!(mine.iter().map(|m| m.queue_id).collect::<Vec<_>>(), [first, second]);
    assert!(house.gateway.lease(lease("b")).await.expect("lease").is_empty());
    let mut done = mine[0].recipients.clone();
    done[0].state = State::Delivered as i32;
    done[1].state = State::Pending as i32;
    done[1].next_attempt_at = 0;
    let report = |lease, recipients| proto::ReportRequest { queue_id: first, lease, recipients };
    assert!(!house.gateway.report(report(mine[0].lease, done)).await.expect("report"));
    let again = house.gateway.lease(lease("b")).await.expect("lease");
    assert_eq!(again.len(), 1);
    let stale = house.gateway.report(report(mine[0].lease, vec![])).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    let mut rest = again[0].recipients.clone();
    assert_eq!(rest[0].state(), State::Delivered);
    rest[1].state = State::Failed as i32;
    assert!(house.gateway.report(report(again[0].lease, rest)).await.expect("report"));
    let mut body = house.gateway.read_queued(second).await.expect("body");
    assert_eq!(body.next().await.expect("piece").expect("bytes"), mail("out", "out"));
}

async fn a_sweep_takes_only_what_is_gone(house: &House) {
    let session = house.login("anna@one.example").await;
    let mailbox = session.info().mailbox_id;
    let kept = uids(&session, INBOX).await;
    let trash =
        proto::ExpungeRequest { mailbox_id: mailbox, folder_id: TRASH, hard: false, ..Default::default() };
    session.expunge(trash).await.expect("expunge");
    let mut care = house.admin.care().expect("care");
    // Folding comes first; it is due within seconds.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let swept = care.sweep(proto::SweepRequest { now: true }).await.expect("sweep").into_inner();
        if swept.messages > 0 || tokio::time::Instant::now() > deadline {
            assert!(swept.messages > 0);
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(uids(&session, INBOX).await, kept);
    for uid in kept {
        assert!(!body(&session, uid).await.is_empty());
    }
    let old = session.changes(mailbox, TRASH, 2).await.expect("changes");
    assert!(old.too_old, "tombstones are gone, so an old cursor starts over");
}

async fn a_second_node_sees_the_same(house: &House) {
    let blobs = kontor_storage_node::BlobConfig::Folder { path: house.postgres.folder().join("none") };
    let config = kontor_storage_node::Config::new(house.postgres.url(), blobs);
    let other = kontor_storage_node::StorageNode::start(config).await.expect("second node");
    let there = other.client(kontor_storage_node::Trust::Gateway);
    let here = house.login("bert@one.example").await;
    let there = there.authenticate("bert@one.example", "", PASSWORD, "imap", "").await.expect("login");
    let mailbox = here.info().mailbox_id;
    for round in 0..10u64 {
        let (writer, reader) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
        let mut request = flags(writer, &[], Op::Replace, round);
        request.uid_ranges = ALL.to_vec();
        let written = writer.store_flags(request).await.expect("flags");
        let read = reader.skeleton(mailbox, INBOX, 7).await.expect("skeleton");
        assert_eq!(read.highest_cn, written.highest_cn);
        assert_eq!((read.uids, read.flags, read.modseqs), (written.uids, written.flags, written.modseqs));
    }
}

async fn check_finds_what_was_broken(house: &House) {
    let url = house.postgres.url();
    let run = |sql: &'static str| {
        let url = url.clone();
        async move {
            let (client, connection) =
                tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connect");
            let connection = tokio::spawn(connection);
            client.batch_execute(sql).await.expect("sql");
            drop(client);
            drop(connection.await);
        }
    };
    run("UPDATE folder SET unseen = unseen + 1 WHERE folder_id = 3").await;
    assert!(check(house).await.iter().any(|f| f.contains("unseen")));
    run("UPDATE folder SET unseen = unseen - 1 WHERE folder_id = 3").await;
    run("DELETE FROM content WHERE (mailbox_id, content_id) IN
         (SELECT mailbox_id, content_id FROM message WHERE deleted_at IS NULL LIMIT 1)")
    .await;
    assert!(check(house).await.iter().any(|f| f.contains("no content")));
}

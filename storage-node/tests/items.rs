//! Items with names of their own, put into a real node over a real PostgreSQL.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use kontor_model::property::{Bag, FileTime, named, tags};
use kontor_model::recurrence::{Pattern, StoredRecurrence};
use kontor_model::time_zone::TimeZoneDefinition;
use kontor_model::{FolderRole, GlobalObjectId};
use kontor_storage_client::proto::{self, Rights, put_item_request::Expected};
use kontor_storage_client::{Place, PreparedMessage, Session, StoreError};
use support::{House, mail};

const CALENDAR: u64 = FolderRole::Calendar as u64;
const ALL: [u32; 2] = [1, u32::MAX];

#[tokio::test(flavor = "multi_thread")]
async fn items_have_names_and_versions() {
    let house = House::new().await;
    an_item_is_made_changed_and_deleted(&house).await;
    expectations_are_kept(&house).await;
    a_window_and_names_choose(&house).await;
    changes_are_told_by_name(&house).await;
    copies_and_restored_items_keep_their_names(&house).await;
    collections_have_paths_and_properties(&house).await;
    strangers_and_guests(&house).await;
    locks_bind_who_respects_them(&house).await;
    attachments_live_as_long_as_they_are_named(&house).await;
    two_at_once_do_not_both_win(&house).await;
    properties_follow_from_the_text(&house).await;
    a_sweep_forgets_what_nobody_can_ask_for(&house).await;
}

fn content(text: &str) -> PreparedMessage {
    PreparedMessage::from_rfc5322(mail("item", text).into_bytes().into())
}

fn facts(name: &str, uid: &str) -> proto::ItemFacts {
    proto::ItemFacts { name: name.into(), item_uid: uid.into(), starts_at: None, ends_at: None }
}

fn calendar(session: &Session) -> Place {
    let info = session.info();
    Place { mailbox_id: info.mailbox_id, tenant_id: info.tenant_id, folder_id: CALENDAR, hierarchy_cn: 0 }
}

async fn put(session: &Session, name: &str, uid: &str, text: &str) -> proto::PutItemResponse {
    session.put_item(calendar(session), facts(name, uid), &content(text), None).await.expect("put")
}

async fn delete(session: &Session, name: &str, version: &[u8]) -> Result<u64, StoreError> {
    let request = proto::DeleteItemRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: CALENDAR,
        name: name.into(),
        content_id: version.to_vec().into(),
        ..Default::default()
    };
    session.delete_item(request).await.map(|response| response.cn)
}

/// The whole answer as one chunk.
async fn ask(session: &Session, request: proto::ItemsRequest) -> Result<proto::ItemsChunk, StoreError> {
    let mut stream = session.items(request).await?;
    let mut whole = proto::ItemsChunk::default();
    while let Some(chunk) = stream.message().await? {
        whole.items.extend(chunk.items);
        whole.gone.extend(chunk.gone);
        (whole.highest_cn, whole.too_old) = (chunk.highest_cn, chunk.too_old);
    }
    whole.gone.sort();
    Ok(whole)
}

fn of(session: &Session) -> proto::ItemsRequest {
    proto::ItemsRequest { mailbox_id: session.info().mailbox_id, folder_id: CALENDAR, ..Default::default() }
}

async fn items(session: &Session) -> proto::ItemsChunk {
    ask(session, proto::ItemsRequest { body: true, max_body: 1 << 20, ..of(session) }).await.expect("items")
}

fn names(chunk: &proto::ItemsChunk) -> Vec<&str> {
    let mut names: Vec<_> =
        chunk.items.iter().filter_map(|item| item.facts.as_ref()).map(|facts| facts.name.as_str()).collect();
    names.sort_unstable();
    names
}

async fn clear(session: &Session) {
    session
        .expunge(proto::ExpungeRequest {
            mailbox_id: session.info().mailbox_id,
            folder_id: CALENDAR,
            uid_ranges: ALL.to_vec(),
            hard: true,
            ..Default::default()
        })
        .await
        .expect("expunge");
}

async fn an_item_is_made_changed_and_deleted(house: &House) {
    let anna = house.login("anna@one.example").await;
    let made = put(&anna, "a.ics", "uid-a", "first").await;
    assert!(made.created);
    let changed = put(&anna, "a.ics", "uid-a", "second").await;
    assert!(!changed.created && changed.uid > made.uid && changed.cn > made.cn);
    assert_eq!(changed.item_id, made.item_id);
    let all = items(&anna).await;
    let [item] = all.items.as_slice() else { panic!("{all:?}") };
    let body = item.body.as_ref().expect("a body");
    assert_eq!(&body[..], mail("item", "second").as_bytes());
    assert_eq!((item.size, item.uid), (body.len() as u64, changed.uid));
    assert!(body[usize::try_from(item.header_size).expect("small")..].starts_with(b"second"));
    // One message in the folder, read, and its octets counted once.
    let folders = anna.open("").await.expect("open").folders;
    let folder = folders.iter().find(|folder| folder.folder_id == CALENDAR).expect("the calendar");
    assert_eq!((folder.total, folder.unseen, folder.size), (1, 0, body.len() as u64));
    delete(&anna, "a.ics", &[]).await.expect("delete");
    assert!(matches!(delete(&anna, "a.ics", &[]).await, Err(StoreError::NotFound(_))));
    assert!(items(&anna).await.items.is_empty());
    // Its name and its UID are free again, and it is another item.
    let again = put(&anna, "a.ics", "uid-a", "third").await;
    assert!(again.created && again.item_id != made.item_id);
    clear(&anna).await;
}

async fn expectations_are_kept(house: &House) {
    let anna = house.login("anna@one.example").await;
    let place = calendar(&anna);
    let try_put = async |uid: &str, content: &PreparedMessage, expected| {
        anna.put_item(place, facts("e.ics", uid), content, Some(expected)).await
    };
    let refused = |outcome: Result<proto::PutItemResponse, StoreError>| {
        assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    };
    let (first, second, third) = (content("1"), content("2"), content("3"));
    refused(try_put("e", &first, Expected::Present(true)).await);
    refused(try_put("e", &first, Expected::ContentId(first.content_id.clone())).await);
    assert!(try_put("e", &first, Expected::Absent(true)).await.expect("put").created);
    refused(try_put("e", &second, Expected::Absent(true)).await);
    // The same once more is the answer to a retry.
    assert!(!try_put("e", &first, Expected::Absent(true)).await.expect("a retry").created);
    try_put("e", &second, Expected::ContentId(first.content_id.clone())).await.expect("put");
    refused(try_put("e", &third, Expected::ContentId(first.content_id.clone())).await);
    assert!(matches!(delete(&anna, "e.ics", &first.content_id).await, Err(StoreError::Conflict(_))));
    // The UID belongs to e.ics.
    let taken = anna.put_item(place, facts("f.ics", "e"), &third, None).await.expect("an answer");
    assert_eq!(taken.uid_taken_by, "e.ics");
    assert_eq!(names(&items(&anna).await), ["e.ics"]);
    for (name, uid) in [("", "x"), ("a/b", "x"), ("..", "x"), ("a\u{7}", "x"), ("x.ics", "")] {
        let outcome = anna.put_item(place, facts(name, uid), &third, None).await;
        assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{name:?} {uid:?}: {outcome:?}");
    }
    delete(&anna, "e.ics", &second.content_id).await.expect("delete");
    clear(&anna).await;
}

async fn a_window_and_names_choose(house: &House) {
    let anna = house.login("anna@one.example").await;
    for (name, from, until) in
        [("past", Some(100), Some(200)), ("now", Some(1_000), Some(1_100)), ("endless", Some(50), None)]
    {
        let facts = proto::ItemFacts { starts_at: from, ends_at: until, ..facts(name, name) };
        anna.put_item(calendar(&anna), facts, &content(name), None).await.expect("put");
    }
    let window = |from, until| proto::ItemsRequest {
        window: Some(proto::TimeRange { from: Some(from), until: Some(until) }),
        ..of(&anna)
    };
    assert_eq!(names(&ask(&anna, window(900, 1_200)).await.expect("items")), ["endless", "now"]);
    assert_eq!(names(&ask(&anna, window(0, 60)).await.expect("items")), ["endless"]);
    assert_eq!(names(&ask(&anna, window(200, 1_000)).await.expect("items")), ["endless"]);
    let some = proto::ItemsRequest { names: vec!["now".into(), "none".into()], ..of(&anna) };
    let found = ask(&anna, some).await.expect("items");
    assert_eq!(names(&found), ["now"]);
    assert!(found.items.iter().all(|item| item.body.is_none()));
    clear(&anna).await;
}

async fn changes_are_told_by_name(house: &House) {
    let anna = house.login("anna@one.example").await;
    for name in ["stays", "changes", "goes"] {
        put(&anna, name, name, "x").await;
    }
    let since = items(&anna).await.highest_cn;
    let changes = async |since| {
        let chunk = ask(&anna, proto::ItemsRequest { since_cn: since, ..of(&anna) }).await.expect("items");
        let names = names(&chunk).into_iter().map(str::to_owned).collect::<Vec<_>>();
        (names, chunk.gone, chunk.highest_cn)
    };
    assert_eq!(changes(since).await, (vec![], vec![], since));
    put(&anna, "changes", "changes", "y").await;
    put(&anna, "comes", "comes", "y").await;
    put(&anna, "brief", "brief", "y").await;
    delete(&anna, "brief", &[]).await.expect("delete");
    delete(&anna, "goes", &[]).await.expect("delete");
    let (there, gone, now) = changes(since).await;
    assert_eq!(
        (there.as_slice(), gone.as_slice()),
        (
            ["changes".to_owned(), "comes".to_owned()].as_slice(),
            ["brief".to_owned(), "goes".to_owned()].as_slice(),
        )
    );
    // Flags are no change of an item.
    anna.store_flags(proto::StoreFlagsRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id: CALENDAR,
        uid_ranges: ALL.to_vec(),
        op: proto::store_flags_request::Op::Add as i32,
        flags: 4,
        ..Default::default()
    })
    .await
    .expect("flags");
    let (there, gone, later) = changes(now).await;
    assert!(there.is_empty() && gone.is_empty() && later > now);
    // What a mail program expunges is gone here too.
    clear(&anna).await;
    let (there, gone, _) = changes(later).await;
    assert!(there.is_empty());
    assert_eq!(gone, ["changes", "comes", "stays"]);
}

async fn copies_and_restored_items_keep_their_names(house: &House) {
    let anna = house.login("anna@one.example").await;
    let mailbox_id = anna.info().mailbox_id;
    let made = put(&anna, "c.ics", "c", "copied").await;
    let other = anna
        .create_folder(proto::CreateFolderRequest {
            mailbox_id,
            name: "Other calendar".into(),
            container_class: "IPF.Appointment".into(),
            ..Default::default()
        })
        .await
        .expect("create")
        .folder_id;
    anna.copy(proto::CopyRequest {
        mailbox_id,
        folder_id: CALENDAR,
        uid_ranges: vec![made.uid, made.uid],
        to_mailbox_id: mailbox_id,
        to_folder_id: other,
        r#move: true,
    })
    .await
    .expect("move");
    assert!(items(&anna).await.items.is_empty());
    let there = ask(&anna, proto::ItemsRequest { folder_id: other, ..of(&anna) }).await.expect("items");
    assert_eq!(names(&there), ["c.ics"]);
    put(&anna, "d.ics", "d", "deleted").await;
    delete(&anna, "d.ics", &[]).await.expect("delete");
    anna.restore(proto::RestoreRequest { mailbox_id, folder_id: CALENDAR, since: 0 }).await.expect("restore");
    // Whatever was soft-deleted in this folder before comes back with it.
    assert!(names(&items(&anna).await).contains(&"d.ics"));
    clear(&anna).await;
}

async fn collections_have_paths_and_properties(house: &House) {
    let anna = house.login("anna@one.example").await;
    let mailbox_id = anna.info().mailbox_id;
    let create = |name: &str, slug: &str| proto::CreateFolderRequest {
        mailbox_id,
        name: name.into(),
        container_class: "IPF.Appointment".into(),
        slug: slug.into(),
        properties: b"colour".to_vec().into(),
        ..Default::default()
    };
    let made = anna.create_folder(create("Work", "5E0C-work")).await.expect("create");
    assert_eq!((made.slug.as_str(), &made.properties[..]), ("5E0C-work", &b"colour"[..]));
    let again = anna.create_folder(create("Work too", "5E0C-work")).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let update = |name: Option<&str>, properties: Option<&[u8]>| proto::UpdateFolderRequest {
        mailbox_id,
        folder_id: made.folder_id,
        name: name.map(str::to_owned),
        properties: properties.map(|properties| properties.to_vec().into()),
        ..Default::default()
    };
    let renamed = anna.update_folder(update(Some("Office"), None)).await.expect("rename");
    assert_eq!((renamed.slug.as_str(), &renamed.properties[..]), ("5E0C-work", &b"colour"[..]));
    let changed = anna.update_folder(update(None, Some(b"other"))).await.expect("change");
    assert_eq!((changed.name.as_str(), &changed.properties[..]), ("Office", &b"other"[..]));
    assert!(changed.cn > renamed.cn);
    let big = anna.update_folder(update(None, Some(&[0; 70_000]))).await;
    assert!(matches!(big, Err(StoreError::Invalid(_))), "{big:?}");
    // The calendar that is always there takes properties as well, and loses them again.
    let own = proto::UpdateFolderRequest { folder_id: CALENDAR, ..update(None, Some(b"mine")) };
    assert_eq!(&anna.update_folder(own.clone()).await.expect("change").properties[..], b"mine");
    let none = proto::UpdateFolderRequest { properties: Some(Vec::new().into()), ..own };
    assert!(anna.update_folder(none).await.expect("change").properties.is_empty());
    anna.delete_folder(mailbox_id, made.folder_id).await.expect("delete");
    anna.create_folder(create("Work", "5E0C-work")).await.expect("its path is free again");
}

async fn strangers_and_guests(house: &House) {
    let anna = house.login("anna@one.example").await;
    put(&anna, "p.ics", "p", "private").await;
    for name in ["bert@one.example", "carl@two.example"] {
        let stranger = house.login(name).await;
        let nothing = |outcome: Result<(), StoreError>, call: &str| {
            assert!(matches!(outcome, Err(StoreError::NotFound(_))), "{name} {call}: {outcome:?}");
        };
        let place = Place { tenant_id: stranger.info().tenant_id, ..calendar(&anna) };
        nothing(
            stranger.put_item(place, facts("p.ics", "p"), &content("x"), None).await.map(drop),
            "put_item",
        );
        let request = proto::DeleteItemRequest {
            mailbox_id: place.mailbox_id,
            folder_id: CALENDAR,
            name: "p.ics".into(),
            ..Default::default()
        };
        nothing(stranger.delete_item(request).await.map(drop), "delete_item");
        nothing(ask(&stranger, of(&anna)).await.map(drop), "items");
    }
    // A guest who may read, but not write.
    let bert = house.login("bert@one.example").await;
    let share = async |rights: u32| {
        anna.set_permissions(proto::SetPermissionsRequest {
            mailbox_id: anna.info().mailbox_id,
            folder_id: CALENDAR,
            permissions: vec![proto::Permission { principal: "bert@one.example".into(), rights }],
            ..Default::default()
        })
        .await
        .expect("share");
    };
    share(Rights::Visible as u32 | Rights::Read as u32).await;
    assert_eq!(names(&ask(&bert, of(&anna)).await.expect("items")), ["p.ics"]);
    let denied = |outcome: Result<proto::PutItemResponse, StoreError>| {
        assert!(matches!(outcome, Err(StoreError::Denied(_))), "{outcome:?}");
    };
    denied(bert.put_item(calendar(&anna), facts("p.ics", "p"), &content("x"), None).await);
    // One who may add, but not change what is there.
    share(Rights::Visible as u32 | Rights::Read as u32 | Rights::Create as u32).await;
    let new = facts("q.ics", "q");
    // Another replica's or an older answer may be remembered for some seconds; here it is one node.
    assert!(bert.put_item(calendar(&anna), new, &content("x"), None).await.expect("put").created);
    denied(bert.put_item(calendar(&anna), facts("p.ics", "p"), &content("x"), None).await);
    share(0).await;
    clear(&anna).await;
}

async fn two_at_once_do_not_both_win(house: &House) {
    let anna = house.login("anna@one.example").await;
    let first = content("first");
    anna.put_item(calendar(&anna), facts("race", "race"), &first, None).await.expect("put");
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..16 {
        let (anna, version) = (anna.clone(), first.content_id.clone());
        tasks.spawn(async move {
            let new = content(&format!("writer {i}"));
            anna.put_item(calendar(&anna), facts("race", "race"), &new, Some(Expected::ContentId(version)))
                .await
        });
    }
    let outcomes = tasks.join_all().await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Conflict(_)))).count();
    assert_eq!((won, lost), (1, 15), "{outcomes:?}");
    // Without an expectation each of them is stored, and one is left.
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..16 {
        let anna = anna.clone();
        tasks.spawn(async move { put(&anna, "race", "race", &format!("again {i}")).await.cn });
    }
    let last = tasks.join_all().await.into_iter().max();
    let all = items(&anna).await;
    assert_eq!(names(&all), ["race"]);
    assert!(last.is_some_and(|last| last <= all.highest_cn));
    let folders = anna.open("").await.expect("open").folders;
    let total = folders.iter().find(|folder| folder.folder_id == CALENDAR).map(|folder| folder.total);
    assert_eq!(total, Some(1));
    clear(&anna).await;
}

async fn properties_follow_from_the_text(house: &House) {
    let anna = house.login("anna@one.example").await;
    put(&anna, "series.ics", "series", SERIES).await;
    put(&anna, "no.ics", "no", "no calendar object").await;
    put(&anna, "card.vcf", "card", CARD).await;
    let chunk = ask(&anna, proto::ItemsRequest { properties: true, ..of(&anna) }).await.expect("items");
    let bag = |name: &str| {
        let item =
            chunk.items.iter().find(|item| item.facts.as_ref().is_some_and(|facts| facts.name == name));
        let item = item.expect("an item");
        assert_eq!(item.body, None, "nobody asked");
        item.properties.as_ref().map(|octets| Bag::decode(octets).expect("a bag"))
    };
    assert_eq!(bag("no.ics"), None);
    assert_eq!(bag("card.vcf").expect("a contact").string(tags::SURNAME), Some("Lovelace"));
    let series = bag("series.ics").expect("an appointment");
    // 2026-03-23 at nine in Vienna, before the clocks change; nothing of it is in UTC.
    let begins = 1_774_252_800;
    assert_eq!(series.time(named::APPOINTMENT_START_WHOLE), Some(FileTime::from_unix(begins)));
    assert_eq!(series.time(named::APPOINTMENT_END_WHOLE), Some(FileTime::from_unix(begins + 1800)));
    let octets = series.binary(named::APPOINTMENT_RECUR).expect("a recurrence");
    let stored = StoredRecurrence::read(octets).expect("a recurrence");
    assert_eq!((stored.pattern.pattern, stored.pattern.count), (Pattern::Week(0b10), 4));
    assert_eq!((stored.start_offset, stored.end_offset), (540, 570));
    let [changed] = stored.exceptions.as_slice() else { panic!("{:?}", stored.exceptions) };
    assert_eq!(changed.start - changed.original_start, 26 * 60, "moved to Tuesday at eleven");
    assert_eq!(changed.subject.as_deref(), Some("On Tuesday"));
    let zone = series.binary(named::APPOINTMENT_TIME_ZONE_DEFINITION_RECUR).expect("a zone");
    let zone = TimeZoneDefinition::decode(zone).expect("a zone");
    assert_eq!(zone.key_name, "W. Europe Standard Time");
    let id = GlobalObjectId::read(series.binary(named::GLOBAL_OBJECT_ID).expect("an id")).expect("an id");
    assert_eq!(id.uid(), "series@one.example");
    // The text is the body, if it is wanted.
    let both = proto::ItemsRequest { properties: true, body: true, max_body: 1 << 20, ..of(&anna) };
    let chunk = ask(&anna, both).await.expect("items");
    assert!(chunk.items.iter().all(|item| item.body.is_some()));
    assert_eq!(chunk.items.iter().filter(|item| item.properties.is_some()).count(), 2);
    assert!(items(&anna).await.items.iter().all(|item| item.properties.is_none()));
    clear(&anna).await;
}

const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\n\
    UID:series@one.example\r\nDTSTAMP:20260301T000000Z\r\nSUMMARY:Weekly\r\n\
    DTSTART;TZID=Europe/Vienna:20260323T090000\r\nDURATION:PT30M\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n\
    END:VEVENT\r\nBEGIN:VEVENT\r\nUID:series@one.example\r\nDTSTAMP:20260301T000000Z\r\n\
    RECURRENCE-ID;TZID=Europe/Vienna:20260330T090000\r\nSUMMARY:On Tuesday\r\n\
    DTSTART;TZID=Europe/Vienna:20260331T110000\r\nDURATION:PT30M\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const CARD: &str =
    "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nUID:card\r\nEND:VCARD\r\n";

async fn a_sweep_forgets_what_nobody_can_ask_for(house: &House) {
    let anna = house.login("anna@one.example").await;
    put(&anna, "s.ics", "s", "x").await;
    let since = items(&anna).await.highest_cn;
    for i in 0..5 {
        put(&anna, "s.ics", "s", &format!("version {i}")).await;
    }
    let mut care = house.admin.care().expect("care");
    // Folding comes with time, or with the restoring of something.
    anna.restore(proto::RestoreRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id: CALENDAR,
        since: i64::MAX,
    })
    .await
    .expect("restore");
    care.sweep(proto::SweepRequest { now: true }).await.expect("sweep");
    let late = ask(&anna, proto::ItemsRequest { since_cn: since, ..of(&anna) }).await.expect("items");
    assert!(late.too_old, "{late:?}");
    let (client, connection) =
        tokio_postgres::connect(&house.postgres.url(), tokio_postgres::NoTls).await.expect("connect");
    let connection = tokio::spawn(connection);
    let count = async |name: &str| {
        let rows = client.query("SELECT name FROM item WHERE name = $1", &[&name]).await.expect("query");
        rows.len()
    };
    assert_eq!(count("s.ics").await, 1);
    // Those of a folder that is gone go with it.
    let mailbox_id = anna.info().mailbox_id;
    let folder = proto::CreateFolderRequest { mailbox_id, name: "Gone".into(), ..Default::default() };
    let folder_id = anna.create_folder(folder).await.expect("create").folder_id;
    let place = Place { folder_id, ..calendar(&anna) };
    anna.put_item(place, facts("g.ics", "g"), &content("x"), None).await.expect("put");
    assert_eq!(count("g.ics").await, 1);
    anna.delete_folder(mailbox_id, folder_id).await.expect("delete");
    care.sweep(proto::SweepRequest { now: true }).await.expect("sweep");
    assert_eq!(count("g.ics").await, 0);
    drop(client);
    connection.await.expect("the connection").expect("it ends");
    assert_eq!(names(&items(&anna).await), ["s.ics"]);
}

async fn locks_bind_who_respects_them(house: &House) {
    let anna = house.login("anna@one.example").await;
    let mailbox_id = anna.info().mailbox_id;
    let lock = async |token: u8, name: &str, deep: bool, shared: bool, refresh: bool| {
        let (name, token) = (name.to_owned(), vec![token; 16].into());
        let lock = proto::Lock { token, folder_id: CALENDAR, name, deep, shared, ..proto::Lock::default() };
        let request = proto::PutLockRequest { mailbox_id, lock: Some(lock), seconds: 600, refresh };
        anna.put_lock(request).await
    };
    let submit = async |name: &str, tokens: &[u8]| {
        let tokens = tokens.iter().map(|token| vec![*token; 16].into()).collect();
        let submitted = Some(proto::Submitted { tokens });
        let uid = format!("uid-{name}");
        let content = content(&format!("{name} {tokens:?}", tokens = submitted));
        let facts = Some(facts(name, &uid));
        let request = proto::PutItemRequest { facts, submitted, ..Default::default() };
        anna.put_item_with(calendar(&anna), &content, request).await.expect("put").locked.len()
    };
    assert!(anna.open("").await.expect("open").locks.is_empty());
    let made = lock(1, "l.ics", false, false, false).await.expect("a lock of a name").lock.expect("made");
    assert_eq!(made.account_id, anna.info().account_id);
    assert_eq!(anna.open("").await.expect("open").locks, std::slice::from_ref(&made));
    assert_eq!((submit("l.ics", &[]).await, submit("l.ics", &[2]).await), (1, 1));
    assert_eq!((submit("l.ics", &[1]).await, submit("m.ics", &[]).await), (0, 0));
    // Who does not speak of locks is not bound by them.
    assert!(put(&anna, "l.ics", "uid-l.ics", "by mail").await.locked.is_empty());
    // Beside an exclusive one there is no other, at the item or around it.
    for (name, deep, shared) in [("l.ics", false, true), ("l.ics", false, false), ("", true, true)] {
        let refused = lock(3, name, deep, shared, false).await.expect("an answer");
        assert_eq!((refused.lock, refused.conflicting.len()), (None, 1), "{name}");
    }
    assert!(matches!(lock(9, "", false, false, true).await, Err(StoreError::NotFound(_))));
    assert!(
        lock(1, "", false, false, true)
            .await
            .expect("refreshed")
            .lock
            .is_some_and(|lock| lock.name == "l.ics")
    );
    // A folder's lock that is not deep lets its items change and neither come nor go.
    assert!(lock(4, "", false, true, false).await.expect("a lock of the folder").lock.is_some());
    assert_eq!(
        (submit("m.ics", &[1]).await, submit("n.ics", &[]).await, submit("n.ics", &[4]).await),
        (0, 1, 0)
    );
    let request = proto::DeleteItemRequest {
        mailbox_id,
        folder_id: CALENDAR,
        name: "l.ics".into(),
        submitted: Some(proto::Submitted { tokens: vec![vec![1; 16].into()] }),
        ..Default::default()
    };
    assert_eq!(anna.delete_item(request.clone()).await.expect("refused").locked.len(), 1);
    anna.remove_lock(mailbox_id, vec![4; 16].into()).await.expect("unlock");
    assert!(anna.delete_item(request).await.expect("deleted").locked.is_empty());
    // The lock went with what it was of.
    assert!(anna.open("").await.expect("open").locks.is_empty());
    assert!(matches!(anna.remove_lock(mailbox_id, vec![1; 16].into()).await, Err(StoreError::NotFound(_))));
    // Strangers lock nothing and unlock nothing.
    let other = house.login("bert@one.example").await;
    assert!(lock(5, "o.ics", false, false, false).await.expect("a lock").lock.is_some());
    let own = proto::Lock { token: vec![6; 16].into(), folder_id: CALENDAR, ..proto::Lock::default() };
    let request = proto::PutLockRequest { mailbox_id, lock: Some(own), seconds: 1, refresh: false };
    assert!(matches!(other.put_lock(request).await, Err(StoreError::NotFound(_))));
    assert!(matches!(other.remove_lock(mailbox_id, vec![5; 16].into()).await, Err(StoreError::NotFound(_))));
    anna.remove_lock(mailbox_id, vec![5; 16].into()).await.expect("unlock");
    clear(&anna).await;
}

async fn attachments_live_as_long_as_they_are_named(house: &House) {
    let anna = house.login("anna@one.example").await;
    let used = async || anna.open("").await.expect("open").quota.expect("a quota").used;
    let read = async |session: &Session, id: u8| {
        let mut stream = session.read_attachment(vec![id; 16].into()).await?;
        let (mut name, mut octets) = (String::new(), Vec::new());
        while let Some(piece) = stream.message().await? {
            name.extend(piece.attachment.map(|attachment| attachment.name));
            octets.extend_from_slice(&piece.data);
        }
        Ok::<_, StoreError>((name, octets))
    };
    let before = used().await;
    for id in [1u8, 2] {
        let attachment = proto::Attachment {
            id: vec![id; 16].into(),
            name: format!("{id}.txt"),
            content_type: "text/plain".into(),
            size: 0,
        };
        anna.put_attachment(calendar(&anna), attachment, vec![id; 1000].into()).await.expect("kept");
    }
    assert_eq!(used().await, before + 2000);
    let request = proto::PutItemRequest {
        facts: Some(facts("f.ics", "uid-f")),
        attachments: vec![vec![1; 16].into()],
        ..Default::default()
    };
    anna.put_item_with(calendar(&anna), &content("with a file"), request).await.expect("put");
    assert_eq!(read(&anna, 1).await.expect("read"), ("1.txt".to_owned(), vec![1; 1000]));
    // Somebody of the same house who was told the id may read it, nobody else.
    assert!(read(&house.login("bert@one.example").await, 1).await.is_ok());
    let stranger = house.login("carl@two.example").await;
    assert!(matches!(read(&stranger, 1).await, Err(StoreError::NotFound(_))));
    // What nothing names goes, and its octets are free again.
    let sweep = async || {
        // Folding comes with time, or with the restoring of something.
        let mailbox_id = anna.info().mailbox_id;
        let request = proto::RestoreRequest { mailbox_id, folder_id: CALENDAR, since: i64::MAX };
        anna.restore(request).await.expect("restore");
        let mut care = house.admin.care().expect("care");
        care.sweep(proto::SweepRequest { now: true }).await.expect("sweep");
    };
    sweep().await;
    assert!(matches!(read(&anna, 2).await, Err(StoreError::NotFound(_))));
    assert!(read(&anna, 1).await.is_ok());
    delete(&anna, "f.ics", &[]).await.expect("delete");
    sweep().await;
    assert!(matches!(read(&anna, 1).await, Err(StoreError::NotFound(_))));
    assert!(used().await <= before);
}

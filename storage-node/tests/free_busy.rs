//! When people are busy, asked of a real node over a real PostgreSQL.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use bytes::Bytes;
use kontor_model::FolderRole;
use kontor_model::free_busy::Busy;
use kontor_storage_client::proto::{self, Rights, person_busy::Status, put::Object};
use kontor_storage_client::{Place, PreparedMessage, Session, StoreError};
use support::{House, PASSWORD, share};

const CALENDAR: u64 = FolderRole::Calendar as u64;
/// 2026-01-01T00:00:00Z
const NEW_YEAR: i64 = 1_767_225_600;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn people_are_busy_for_those_who_may_know() {
    let house = House::new().await;
    house
        .put(vec![Object::Account(proto::Account {
            address: "anna@one.example".into(),
            tenant: "one".into(),
            password: PASSWORD.into(),
            aliases: vec!["nick@one.example".into()],
            ..Default::default()
        })])
        .await;
    colleagues_know_the_default_calendar(&house).await;
    what_counts_and_what_does_not(&house).await;
    floating_times_are_in_the_zone_of_their_calendar(&house).await;
    only_who_may_knows(&house).await;
    questions_are_bounded(&house).await;
    hours_that_are_not_to_be_used(&house).await;
}

async fn put(session: &Session, folder_id: u64, uid: &str, lines: &str) {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let raw = format!("Subject: {uid}\r\nContent-Type: text/calendar; charset=utf-8\r\n\r\n{text}");
    let info = session.info();
    let place = Place { mailbox_id: info.mailbox_id, tenant_id: info.tenant_id, folder_id, hierarchy_cn: 0 };
    let facts = proto::ItemFacts {
        name: format!("{uid}.ics"),
        item_uid: uid.into(),
        starts_at: Some(NEW_YEAR - DAY),
        ends_at: None,
    };
    let content = PreparedMessage::from_rfc5322(Bytes::from(raw));
    session.put_item(place, facts, &content, None).await.expect("put");
}

async fn delete(session: &Session, folder_id: u64, uid: &str) {
    let request = proto::DeleteItemRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id,
        name: format!("{uid}.ics"),
        ..Default::default()
    };
    session.delete_item(request).await.expect("delete");
}

fn of(addresses: &[&str]) -> proto::FreeBusyRequest {
    proto::FreeBusyRequest {
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        start: NEW_YEAR,
        end: NEW_YEAR + 2 * DAY,
        ..Default::default()
    }
}

/// Hours since New Year from when to when, and how; `None` where it is unknown.
async fn ask(session: &Session, request: proto::FreeBusyRequest) -> Vec<Option<Vec<(i64, i64, Busy)>>> {
    let people = session.free_busy(request).await.expect("free and busy times");
    let of_one = |person: &proto::PersonBusy| {
        let times = person.times.iter().map(|time| {
            let busy = Busy::from_code(u8::try_from(time.kind).expect("a code")).expect("a code");
            ((time.start - NEW_YEAR) / HOUR, (time.end - NEW_YEAR) / HOUR, busy)
        });
        (person.status() == Status::Known).then(|| times.collect())
    };
    people.iter().map(of_one).collect()
}

async fn anna(session: &Session) -> Option<Vec<(i64, i64, Busy)>> {
    ask(session, of(&["anna@one.example"])).await.remove(0)
}

async fn make(session: &Session, name: &str, transparent: bool) -> u64 {
    let request = proto::CreateFolderRequest {
        mailbox_id: session.info().mailbox_id,
        name: name.into(),
        container_class: "IPF.Appointment".into(),
        transparent,
        ..Default::default()
    };
    let folder = session.create_folder(request).await.expect("create");
    assert_eq!(folder.transparent, transparent);
    folder.folder_id
}

async fn colleagues_know_the_default_calendar(house: &House) {
    let (owner, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    put(&owner, CALENDAR, "a", "DTSTART:20260101T090000Z\r\nDTEND:20260101T100000Z\r\nRRULE:FREQ=DAILY\r\n")
        .await;
    put(&owner, CALENDAR, "b", "DTSTART:20260101T093000Z\r\nDTEND:20260101T110000Z\r\n").await;
    let both = Some(vec![(9, 11, Busy::Busy), (33, 34, Busy::Busy)]);
    assert_eq!(anna(&owner).await, both);
    assert_eq!(anna(&bert).await, both);
    // By any of her addresses, in any case, and in the order of the question.
    let request = of(&[
        "nobody@one.example",
        "Nick@One.Example",
        "carl@two.example",
        "not an address",
        "bert@one.example",
    ]);
    assert_eq!(ask(&bert, request).await, [None, both, None, None, Some(vec![])]);
    // Not more than that: there is still nothing that bert could open.
    assert!(matches!(bert.open("anna@one.example").await, Err(StoreError::NotFound(_))));
    let ignoring = proto::FreeBusyRequest { ignore_uid: "a".into(), ..of(&["anna@one.example"]) };
    // 09:30 to 11:00, in whole hours.
    assert_eq!(ask(&bert, ignoring).await, [Some(vec![(9, 11, Busy::Busy)])]);
}

async fn what_counts_and_what_does_not(house: &House) {
    let owner = house.login("anna@one.example").await;
    delete(&owner, CALENDAR, "a").await;
    delete(&owner, CALENDAR, "b").await;
    let at = |lines: &str| format!("DTSTART:20260101T120000Z\r\nDURATION:PT1H\r\n{lines}");
    for (lines, expected) in [
        ("", Some(Busy::Busy)),
        ("TRANSP:TRANSPARENT\r\n", None),
        ("STATUS:TENTATIVE\r\n", Some(Busy::Tentative)),
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF\r\n", Some(Busy::OutOfOffice)),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:nick@one.example\r\n", None),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:bert@one.example\r\n", Some(Busy::Busy)),
    ] {
        put(&owner, CALENDAR, "c", &at(lines)).await;
        let expected: Vec<_> = expected.map(|busy| (12, 13, busy)).into_iter().collect();
        assert_eq!(anna(&owner).await, Some(expected), "{lines}");
    }
    put(&owner, CALENDAR, "c", &at("")).await;
    // Other calendars count too, but for transparent ones and what is in the trash.
    let more = make(&owner, "More", false).await;
    let private = make(&owner, "Birthdays", true).await;
    put(&owner, more, "d", "DTSTART:20260101T140000Z\r\nDURATION:PT1H\r\n").await;
    put(&owner, private, "e", "DTSTART:20260101T160000Z\r\nDURATION:PT1H\r\n").await;
    let (noon, two, four) = ((12, 13, Busy::Busy), (14, 15, Busy::Busy), (16, 17, Busy::Busy));
    assert_eq!(anna(&owner).await, Some(vec![noon, two]));
    let only = proto::FreeBusyRequest { folder_id: private, ..of(&["anna@one.example"]) };
    assert_eq!(ask(&owner, only).await, [Some(vec![four])]);
    let update = |folder_id, transparent, parent_id: Option<u64>| proto::UpdateFolderRequest {
        mailbox_id: owner.info().mailbox_id,
        folder_id,
        transparent,
        parent_id,
        ..Default::default()
    };
    owner.update_folder(update(private, Some(false), None)).await.expect("opaque");
    assert_eq!(anna(&owner).await, Some(vec![noon, two, four]));
    owner.update_folder(update(private, None, Some(FolderRole::Trash as u64))).await.expect("to the trash");
    assert_eq!(anna(&owner).await, Some(vec![noon, two]));
}

async fn floating_times_are_in_the_zone_of_their_calendar(house: &House) {
    let owner = house.login("anna@one.example").await;
    put(&owner, CALENDAR, "c", "DTSTART;VALUE=DATE:20260102\r\n").await;
    let days = async || {
        anna(&owner).await.expect("known").into_iter().filter(|time| time.0 != 14).collect::<Vec<_>>()
    };
    assert_eq!(days().await, [(24, 48, Busy::Busy)]);
    let zone = |text: &str| proto::UpdateFolderRequest {
        mailbox_id: owner.info().mailbox_id,
        folder_id: CALENDAR,
        time_zone: Some(text.into()),
        ..Default::default()
    };
    let folder = owner.update_folder(zone("Europe/Berlin")).await.expect("a zone");
    assert_eq!(folder.time_zone, "Europe/Berlin");
    assert_eq!(days().await, [(23, 47, Busy::Busy)]);
    let described = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\n\
        DTSTART:19700101T000000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
        END:VCALENDAR\r\n";
    owner.update_folder(zone(described)).await.expect("a zone");
    assert_eq!(days().await, [(22, 46, Busy::Busy)]);
    let folder = owner.update_folder(zone("")).await.expect("no zone");
    assert_eq!(folder.time_zone, "");
    assert_eq!(days().await, [(24, 48, Busy::Busy)]);
    put(&owner, CALENDAR, "c", "DTSTART:20260101T120000Z\r\nDURATION:PT1H\r\n").await;
}

async fn only_who_may_knows(house: &House) {
    let (owner, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let noon = (12, 13, Busy::Busy);
    let mailbox_id = owner.info().mailbox_id;
    let listed = async || owner.list_permissions(mailbox_id, CALENDAR).await.expect("permissions");
    let default = |rights| proto::Permission { principal: "default".into(), rights };
    assert_eq!(listed().await, [default(Rights::FreeBusy as u32)]);
    // Nobody may know; that is kept.
    share(&owner, CALENDAR, "default", 0).await;
    assert_eq!(listed().await, [default(0)]);
    assert_eq!(anna(&bert).await, None);
    assert!(anna(&owner).await.is_some());
    // Bert may, by himself or as a member of a group.
    share(&owner, CALENDAR, "bert@one.example", Rights::FreeBusy as u32).await;
    assert_eq!(anna(&bert).await, Some(vec![noon]));
    assert!(matches!(bert.open("anna@one.example").await, Err(StoreError::NotFound(_))));
    share(&owner, CALENDAR, "bert@one.example", 0).await;
    house
        .put(vec![Object::Group(proto::Group {
            address: "team@one.example".into(),
            tenant: "one".into(),
            members: vec!["bert@one.example".into()],
            ..Default::default()
        })])
        .await;
    share(&owner, CALENDAR, "team@one.example", Rights::Read as u32 | Rights::Visible as u32).await;
    assert_eq!(anna(&bert).await, Some(vec![noon]));
    // A calendar of hers that is no default one is known to those only who were told.
    let shared = owner.open("").await.expect("open").folders;
    let more = shared.iter().find(|folder| folder.name == "More").expect("More").folder_id;
    share(&owner, more, "default", Rights::FreeBusy as u32).await;
    assert_eq!(anna(&bert).await, Some(vec![noon, (14, 15, Busy::Busy)]));
    let only = proto::FreeBusyRequest { folder_id: more, ..of(&["anna@one.example", "bert@one.example"]) };
    assert_eq!(ask(&bert, only).await, [Some(vec![(14, 15, Busy::Busy)]), None]);
    // Somebody of another tenant knows nothing, whatever is said to everybody.
    let carl = house.login("carl@two.example").await;
    assert_eq!(anna(&carl).await, None);
}

async fn questions_are_bounded(house: &House) {
    let bert = house.login("bert@one.example").await;
    for request in [
        proto::FreeBusyRequest { end: NEW_YEAR, ..of(&["anna@one.example"]) },
        proto::FreeBusyRequest { end: NEW_YEAR + 401 * DAY, ..of(&["anna@one.example"]) },
        proto::FreeBusyRequest { start: i64::MIN, end: i64::MAX, ..of(&[]) },
        of(&["x@one.example"; 101]),
    ] {
        let outcome = bert.free_busy(request).await;
        assert!(matches!(outcome, Err(StoreError::Invalid(_))), "{outcome:?}");
    }
    // A hostile recurrence ends, and counts as busy.
    put(&bert, CALENDAR, "h", "DTSTART:20260101T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY\r\n").await;
    let times = ask(&bert, of(&["bert@one.example"])).await;
    assert_eq!(times, [Some(vec![(0, 48, Busy::Busy)])]);
}

async fn hours_that_are_not_to_be_used(house: &House) {
    let (owner, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let mailbox_id = owner.info().mailbox_id;
    let set = async |text: &str| owner.set_availability(mailbox_id, text.to_owned()).await;
    let before = anna(&bert).await.expect("known");
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VAVAILABILITY\r\nUID:v\r\nBEGIN:AVAILABLE\r\nUID:w\r\n\
        DTSTART:20251201T080000Z\r\nDTEND:20251201T220000Z\r\nRRULE:FREQ=DAILY\r\nEND:AVAILABLE\r\nEND:VAVAILABILITY\r\n\
        END:VCALENDAR\r\n";
    set(text).await.expect("set");
    assert_eq!(owner.open("").await.expect("open").availability, text);
    let after = anna(&bert).await.expect("known");
    let out = |from, until| (from, until, Busy::OutOfOffice);
    for time in [out(0, 8), out(22, 32), out(46, 48)] {
        assert!(after.contains(&time) && !before.contains(&time), "{after:?}");
    }
    // Of one calendar it says nothing.
    let one = proto::FreeBusyRequest { folder_id: CALENDAR, ..of(&["anna@one.example"]) };
    assert!(ask(&bert, one).await.remove(0).is_none_or(|times| !times.contains(&out(0, 8))));
    assert!(matches!(set("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").await, Err(StoreError::Invalid(_))));
    assert!(matches!(bert.set_availability(mailbox_id, String::new()).await, Err(StoreError::NotFound(_))));
    set("").await.expect("removed");
    assert_eq!(anna(&bert).await.expect("known"), before);
}

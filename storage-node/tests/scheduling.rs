//! Meetings between mailboxes of a real node, and with people elsewhere.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use std::time::{Duration, Instant};

use kontor_model::FolderRole;
use kontor_model::icalendar::{CalendarObject, Component, Limits, ObjectMessage};
use kontor_model::scheduling::{Imip, Itip, to_attendees, to_organizer};
use kontor_storage_client::proto::{self, put::Object, put_item_request::Expected};
use kontor_storage_client::{Place, PreparedMessage, Session, StoreClient};
use support::{House, account};

const CALENDAR: u64 = FolderRole::Calendar as u64;
const INBOX: u64 = FolderRole::Inbox as u64;
const ANNA: &str = "anna@one.example";
const BERT: &str = "bert@one.example";
const CARL: &str = "carl@two.example";
const GUEST: &str = "zoe@far.example";

#[tokio::test(flavor = "multi_thread")]
async fn meetings() {
    let house = House::new().await;
    mail_from_elsewhere_is_applied_if_it_is_from_the_right_one(&house).await;
    people_of_the_house_are_told_directly_and_others_by_mail(&house).await;
    what_is_deleted_is_called_off(&house).await;
    groups_and_aliases(&house).await;
    nothing_is_sent_of_what_is_not_stored(&house).await;
    a_message_for_a_full_mailbox_waits_in_the_queue(&house).await;
    a_room_answers_for_itself(&house).await;
}

fn calendar(text: &str) -> Component {
    Component::parse(text.as_bytes(), &Limits::default()).expect("a calendar")
}

fn meeting(uid: &str, organizer: &str, lines: &str) -> Component {
    calendar(&format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//t//EN\nBEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\n\
         SUMMARY:Plan\nDTSTART:20260302T090000Z\nDTEND:20260302T100000Z\nORGANIZER:mailto:{organizer}\n{lines}\n\
         END:VEVENT\nEND:VCALENDAR\n"
    ))
}

fn with(calendar: &Component, from: &str, to: &str) -> Component {
    let text = calendar.to_string().replace("\r\n ", "");
    assert!(text.contains(from), "{from}: {text}");
    self::calendar(&text.replace(from, to))
}

fn content(calendar: &Component) -> (proto::ItemFacts, PreparedMessage) {
    let object = CalendarObject::check(calendar).expect("an object");
    let message = ObjectMessage::new(calendar, &object, calendar.to_string().as_bytes());
    let facts = proto::ItemFacts {
        name: format!("{}.ics", message.uid),
        item_uid: message.uid,
        starts_at: message.starts_at,
        ends_at: message.ends_at,
    };
    (facts, PreparedMessage::from_rfc5322(message.raw.into()))
}

fn calendar_of(session: &Session) -> Place {
    let info = session.info();
    Place { mailbox_id: info.mailbox_id, tenant_id: info.tenant_id, folder_id: CALENDAR, hierarchy_cn: 0 }
}

/// Puts a meeting as a gateway does, and tells of it.
async fn put(session: &Session, calendar: &Component, send: Vec<Itip>) -> proto::PutItemResponse {
    let (mut facts, content) = content(calendar);
    if let Some((name, _)) = item(session, &facts.item_uid).await {
        facts.name = name;
    }
    session
        .put_item_telling(calendar_of(session), facts, &content, None, wire(send), true)
        .await
        .expect("put")
}

fn wire(send: Vec<Itip>) -> Vec<proto::SchedulingMessage> {
    let wire = |message: Itip| proto::SchedulingMessage {
        recipient: message.recipient,
        calendar: message.calendar.to_string().into(),
    };
    send.into_iter().map(wire).collect()
}

/// The copy in somebody's calendar.
async fn copy(session: &Session, uid: &str) -> Option<Component> {
    item(session, uid).await.map(|(_, calendar)| calendar)
}

/// The same with its name.
async fn item(session: &Session, uid: &str) -> Option<(String, Component)> {
    let request = proto::ItemsRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: CALENDAR,
        body: true,
        max_body: 1 << 20,
        ..Default::default()
    };
    let mut stream = session.items(request).await.expect("items");
    while let Some(chunk) = stream.message().await.expect("chunk") {
        for item in chunk.items {
            let facts = item.facts.expect("facts");
            if facts.item_uid == uid {
                let body = item.body.expect("a body");
                let text = std::str::from_utf8(&body[item.header_size as usize..]).expect("text");
                return Some((facts.name, calendar(text)));
            }
        }
    }
    None
}

/// Waits until the copy has a text in it.
async fn copy_with(session: &Session, uid: &str, text: &str) -> Component {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = copy(session, uid).await;
        if let Some(found) = &found
            && found.to_string().replace("\r\n ", "").contains(text)
        {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "no {text:?} in {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn subjects(session: &Session) -> Vec<String> {
    let request = proto::FetchRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id: INBOX,
        uid_ranges: vec![1, u32::MAX],
        header: true,
        ..Default::default()
    };
    let mut stream = session.fetch(request).await.expect("fetch");
    let mut subjects = Vec::new();
    while let Some(chunk) = stream.next().await.expect("chunk") {
        for item in chunk.items {
            let header = String::from_utf8_lossy(&item.header).into_owned();
            subjects
                .extend(header.lines().filter_map(|line| line.strip_prefix("Subject: ")).map(str::to_owned));
        }
    }
    subjects
}

/// Waits until the inbox has a mail: it follows what it does to the calendar.
async fn mail_with(session: &Session, subject: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !subjects(session).await.iter().any(|found| found == subject) {
        assert!(Instant::now() < deadline, "no {subject:?} in {:?}", subjects(session).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Mail as a program elsewhere writes it.
fn imip(from: &str, to: &str, calendar: &Component) -> String {
    let imip = Imip {
        from: kontor_model::message::Person { name: String::new(), address: from.into() },
        sender: None,
        to,
        calendar,
        message_id: "<1@far.example>",
        date: 1_770_000_000,
        is_automatic: false,
    };
    String::from_utf8(imip.write().expect("a message")).expect("ASCII")
}

async fn queued(store: &StoreClient, recipient: &str) -> Vec<proto::QueuedMessage> {
    let request = proto::ListQueueRequest { recipient: recipient.into(), ..Default::default() };
    store.queue().expect("queue").list(request).await.expect("list").into_inner().messages
}

async fn mail_from_elsewhere_is_applied_if_it_is_from_the_right_one(house: &House) {
    let anna = house.login(ANNA).await;
    let guests = meeting("in1", GUEST, "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@one.example");
    let request = with(&guests, "PRODID", "METHOD:REQUEST\r\nPRODID");
    house.deliver(ANNA, &imip("eve@far.example", ANNA, &request)).await;
    assert_eq!(copy(&anna, "in1").await, None, "Eve is not the organizer");
    house.deliver(ANNA, &imip(GUEST, ANNA, &request)).await;
    // It is there before the delivery is acknowledged; once more changes nothing.
    assert_eq!(copy(&anna, "in1").await.expect("a copy"), guests);
    house.deliver(ANNA, &imip(GUEST, ANNA, &request)).await;
    assert_eq!(subjects(&anna).await, ["Invitation: Plan"; 3]);

    let cancel =
        with(&with(&request, "REQUEST", "CANCEL"), "SUMMARY", "SEQUENCE:1\r\nSTATUS:CANCELLED\r\nSUMMARY");
    house.deliver(ANNA, &imip("eve@far.example", ANNA, &cancel)).await;
    assert_eq!(copy(&anna, "in1").await.expect("a copy"), guests);
    let delegated = with(&cancel, "ORGANIZER:", "ORGANIZER;SENT-BY=\"mailto:eve@far.example\":");
    house.deliver(ANNA, &imip("eve@far.example", ANNA, &delegated)).await;
    assert_eq!(copy(&anna, "in1").await.expect("a copy"), guests, "nobody makes themselves a delegate");
    house.deliver(ANNA, &imip(GUEST, ANNA, &cancel)).await;
    copy_with(&anna, "in1", "STATUS:CANCELLED").await;

    // Mail from outside does not speak for people of the house.
    let berts = meeting("in2", BERT, "ATTENDEE:mailto:anna@one.example");
    let request = with(&berts, "PRODID", "METHOD:REQUEST\r\nPRODID");
    house.deliver(ANNA, &imip(BERT, ANNA, &request)).await;
    assert_eq!(copy(&anna, "in2").await, None);
    let mut message = PreparedMessage::from_rfc5322(imip(BERT, ANNA, &request).into_bytes().into());
    message.prepared.itip.as_mut().expect("a meeting").authenticated = true;
    let target = house.target(ANNA).await;
    house
        .gateway
        .deliver(&message, std::slice::from_ref(&target), FolderRole::Junk.code().into(), None)
        .await
        .expect("deliver");
    assert_eq!(copy(&anna, "in2").await, None, "junk is not applied");
    message.content_id = PreparedMessage::from_rfc5322("x".into()).content_id;
    house.gateway.deliver(&message, &[target], 0, None).await.expect("deliver");
    assert_eq!(copy(&anna, "in2").await, Some(berts));
}

async fn people_of_the_house_are_told_directly_and_others_by_mail(house: &House) {
    let (anna, bert, carl) = (house.login(ANNA).await, house.login(BERT).await, house.login(CARL).await);
    let plan = meeting(
        "out1",
        ANNA,
        "ATTENDEE:mailto:bert@one.example\nATTENDEE:mailto:carl@two.example\nATTENDEE:mailto:zoe@far.example",
    );
    let send = to_attendees(None, Some(&plan), ANNA);
    assert_eq!(send.len(), 3);
    put(&anna, &plan, send).await;
    let berts = copy_with(&bert, "out1", "SUMMARY:Plan").await;
    copy_with(&carl, "out1", "SUMMARY:Plan").await;
    mail_with(&bert, "Invitation: Plan").await;
    // Zoe's goes by mail, from Anna.
    let deadline = Instant::now() + Duration::from_secs(20);
    let zoes = loop {
        let found = queued(&house.admin, GUEST).await;
        if !found.is_empty() || Instant::now() > deadline {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(zoes.len(), 1);
    assert_eq!(zoes[0].sender, ANNA);

    // Bert accepts, Zoe's answer comes as mail.
    let accepted = with(&berts, "ATTENDEE:mailto:bert", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bert");
    let reply = to_organizer(&berts, Some(&accepted), BERT).expect("a reply");
    put(&bert, &accepted, vec![reply]).await;
    copy_with(&anna, "out1", "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bert@one.example").await;
    let reply = with(&plan, "PRODID", "METHOD:REPLY\r\nPRODID");
    let mut reply = with(&reply, "ATTENDEE:mailto:zoe", "ATTENDEE;PARTSTAT=DECLINED:mailto:zoe");
    for part in &mut reply.components {
        part.properties.retain(|line| !line.is("ATTENDEE") || line.value.contains("zoe"));
    }
    house.deliver(ANNA, &imip("eve@far.example", ANNA, &reply)).await;
    assert!(!copy(&anna, "out1").await.expect("a copy").to_string().contains("DECLINED"));
    house.deliver(ANNA, &imip(GUEST, ANNA, &reply)).await;
    copy_with(&anna, "out1", "PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:zoe@far.example").await;
    assert_eq!(queued(&house.admin, GUEST).await.len(), 1, "answers are no news to the others");
    // She wants it again.
    let refresh = with(&reply, "METHOD:REPLY", "METHOD:REFRESH");
    house.deliver(ANNA, &imip(GUEST, ANNA, &refresh)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while queued(&house.admin, GUEST).await.len() < 2 {
        assert!(Instant::now() < deadline, "the meeting was not sent again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn what_is_deleted_is_called_off(house: &House) {
    let (anna, bert) = (house.login(ANNA).await, house.login(BERT).await);
    let plan = copy(&anna, "out1").await.expect("a copy");
    let request = |name: &str| proto::DeleteItemRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id: CALENDAR,
        name: name.into(),
        send: wire(to_attendees(Some(&plan), None, ANNA)),
        ..Default::default()
    };
    anna.delete_item(request("nothing.ics")).await.expect_err("there is none");
    let stale = proto::DeleteItemRequest { content_id: vec![1; 16].into(), ..request("out1.ics") };
    anna.delete_item(stale).await.expect_err("another version");
    assert!(!copy(&bert, "out1").await.expect("a copy").to_string().contains("CANCELLED"));
    anna.delete_item(request("out1.ics")).await.expect("deleted");
    assert_eq!(copy(&anna, "out1").await, None);
    copy_with(&bert, "out1", "STATUS:CANCELLED").await;
    // He is invited again, to what has the same UID.
    let again = with(&plan, "DTSTAMP:20260101T000000Z", "DTSTAMP:20260201T000000Z");
    put(&anna, &again, to_attendees(None, Some(&again), ANNA)).await;
    copy_with(&bert, "out1", "DTSTAMP:20260201T000000Z").await;
}

async fn groups_and_aliases(house: &House) {
    house
        .put(vec![
            Object::Group(proto::Group {
                address: "team@one.example".into(),
                tenant: "one".into(),
                members: vec![ANNA.into(), BERT.into(), "dora@far.example".into()],
                ..Default::default()
            }),
            Object::Account(proto::Account {
                aliases: vec!["b.smith@one.example".into()],
                ..match account(BERT, "one") {
                    Object::Account(account) => account,
                    _ => unreachable!(),
                }
            }),
        ])
        .await;
    let (anna, bert) = (house.login(ANNA).await, house.login(BERT).await);
    let users = anna
        .calendar_users(proto::CalendarUsersRequest {
            addresses: ["team@one.example", "B.Smith@one.example", GUEST, "nobody@one.example", "x", CARL]
                .map(str::to_owned)
                .into(),
        })
        .await
        .expect("users");
    use proto::calendar_user::Status;
    let statuses: Vec<Status> = users.iter().map(proto::CalendarUser::status).collect();
    let (local, unknown) = (Status::Local, Status::Unknown);
    assert_eq!(statuses, [local, local, Status::External, unknown, unknown, local]);
    assert_eq!(users[0].members, [ANNA, BERT, "dora@far.example"]);
    assert_eq!(users[1].addresses, [BERT, "b.smith@one.example"]);
    assert!(users[5].addresses.is_empty(), "what is another tenant's is not told");
    // Invited under his other address he answers under it.
    let plan = meeting("alias1", ANNA, "ATTENDEE:mailto:b.smith@one.example");
    put(&anna, &plan, to_attendees(None, Some(&plan), ANNA)).await;
    let berts = copy_with(&bert, "alias1", "SUMMARY:Plan").await;
    let accepted = with(&berts, "ATTENDEE:mailto:b.smith", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b.smith");
    put(&bert, &accepted, to_organizer(&berts, Some(&accepted), "b.smith@one.example").into_iter().collect())
        .await;
    copy_with(&anna, "alias1", "PARTSTAT=ACCEPTED").await;
}

async fn nothing_is_sent_of_what_is_not_stored(house: &House) {
    let (anna, bert) = (house.login(ANNA).await, house.login(BERT).await);
    let plan = meeting("never", ANNA, "ATTENDEE:mailto:bert@one.example");
    let (facts, message) = content(&plan);
    let send = wire(to_attendees(None, Some(&plan), ANNA));
    let present = Some(Expected::Present(true));
    anna.put_item_telling(calendar_of(&anna), facts, &message, present, send.clone(), true)
        .await
        .expect_err("absent");
    // Nor what says that it is from somebody else.
    let forged = meeting("forged", CARL, "ATTENDEE:mailto:bert@one.example");
    put(&anna, &forged, to_attendees(None, Some(&forged), CARL)).await;
    let after = meeting("after", ANNA, "ATTENDEE:mailto:bert@one.example");
    put(&anna, &after, to_attendees(None, Some(&after), ANNA)).await;
    copy_with(&bert, "after", "SUMMARY:Plan").await;
    assert_eq!((copy(&bert, "never").await, copy(&bert, "forged").await), (None, None));
}

async fn a_message_for_a_full_mailbox_waits_in_the_queue(house: &House) {
    house
        .put(vec![Object::Account(proto::Account {
            quota: 1,
            ..match account("full@one.example", "one") {
                Object::Account(account) => account,
                _ => unreachable!(),
            }
        })])
        .await;
    let anna = house.login(ANNA).await;
    let plan = meeting("full1", ANNA, "ATTENDEE:mailto:full@one.example");
    put(&anna, &plan, to_attendees(None, Some(&plan), ANNA)).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while queued(&house.admin, "full@one.example").await.is_empty() {
        assert!(Instant::now() < deadline, "nothing waits for the full mailbox");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_room_answers_for_itself(house: &House) {
    let room = |address: &str| {
        Object::Account(proto::Account {
            kind: "room".into(),
            ..match account(address, "one") {
                Object::Account(account) => account,
                _ => unreachable!(),
            }
        })
    };
    house.put(vec![room("blue@one.example")]).await;
    let (anna, bert) = (house.login(ANNA).await, house.login(BERT).await);
    let blue = house.login("blue@one.example").await;
    let tomorrow =
        (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs()
            / 86_400
            + 1)
            * 86_400;
    let at = |uid: &str, organizer: &str, hour: u64| {
        let time = |hour: u64| {
            let unix = i64::try_from(tomorrow + hour * 3600).expect("a time");
            format!("{}Z", kontor_model::time_zone::clock(unix).strftime("%Y%m%dT%H%M%S"))
        };
        let plan = meeting(uid, organizer, "ATTENDEE;CUTYPE=ROOM;RSVP=TRUE:mailto:blue@one.example");
        with(&with(&plan, "20260302T090000Z", &time(hour)), "20260302T100000Z", &time(hour + 1))
    };
    // Two ask for the same time: one gets it.
    let (one, two) = (at("room1", ANNA, 9), at("room2", BERT, 9));
    let (ask_one, ask_two) = (to_attendees(None, Some(&one), ANNA), to_attendees(None, Some(&two), BERT));
    tokio::join!(put(&anna, &one, ask_one), put(&bert, &two, ask_two));
    let (annas, berts) = tokio::join!(
        copy_with(&anna, "room1", "SCHEDULE-STATUS=2.0"),
        copy_with(&bert, "room2", "SCHEDULE-STATUS=2.0")
    );
    let answers: Vec<bool> =
        [&annas, &berts].map(|copy| copy.to_string().contains("PARTSTAT=ACCEPTED")).into();
    assert_eq!(answers.iter().filter(|is_accepted| **is_accepted).count(), 1, "{annas}{berts}");
    assert!([&annas, &berts].iter().any(|copy| copy.to_string().contains("PARTSTAT=DECLINED")));
    let (booked, other) = if answers[0] { ("room1", "room2") } else { ("room2", "room1") };
    let kept = copy(&blue, booked).await.expect("it is in the room's calendar");
    assert!(!kept.to_string().contains("SUMMARY:Plan"), "what it is about is nobody's business: {kept}");
    assert_eq!(copy(&blue, other).await, None, "what is declined is not kept");
    // Another hour is free; moved onto the one that is taken, it is given up.
    let later = at("room3", ANNA, 11);
    put(&anna, &later, to_attendees(None, Some(&later), ANNA)).await;
    let accepted = copy_with(&anna, "room3", "PARTSTAT=ACCEPTED").await;
    let clash = with(&at("room3", ANNA, 9), "SUMMARY", "SEQUENCE:1\r\nSUMMARY");
    put(&anna, &clash, to_attendees(Some(&accepted), Some(&clash), ANNA)).await;
    copy_with(&anna, "room3", "PARTSTAT=DECLINED").await;
    assert_eq!(copy(&blue, "room3").await, None, "what is given up is not kept");
    mail_with(&anna, "Declined: Plan").await;
    // What is called off is not in its way.
    let last = at("room4", ANNA, 13);
    put(&anna, &last, to_attendees(None, Some(&last), ANNA)).await;
    let accepted = copy_with(&anna, "room4", "PARTSTAT=ACCEPTED").await;
    assert!(copy(&blue, "room4").await.is_some());
    let request = proto::DeleteItemRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id: CALENDAR,
        name: "room4.ics".into(),
        send: wire(to_attendees(Some(&accepted), None, ANNA)),
        ..Default::default()
    };
    anna.delete_item(request).await.expect("deleted");
    let deadline = Instant::now() + Duration::from_secs(30);
    while copy(&blue, "room4").await.is_some() {
        assert!(Instant::now() < deadline, "it is still in the room's calendar");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

//! Declared directory objects: whose they are, what a put changes and what it leaves alone.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use kontor_storage_client::proto::{self, apply_result::Outcome, change, delete::Mode, put::Object};
use proto::Put;
use support::{House, PASSWORD, mail};

fn owner(name: &str, uid: u32) -> String {
    format!("gwd-1/acme/Mailbox/{name}/{uid}")
}

fn declared(name: &str, uid: u32, generation: i64, account: proto::Account) -> Put {
    Put {
        object: Some(Object::Account(proto::Account { tenant: "one".into(), ..account })),
        owner: owner(name, uid),
        generation,
        succeeds: format!("gwd-1/acme/Mailbox/{name}/"),
        ..Default::default()
    }
}

fn at(address: &str) -> proto::Account {
    proto::Account { address: address.into(), ..Default::default() }
}

async fn put(house: &House, put: Put) -> proto::ApplyResult {
    let change = proto::Change { change: Some(change::Change::Put(put)) };
    house.admin.apply(vec![change]).await.expect("apply").remove(0)
}

async fn delete(house: &House, delete: proto::Delete) -> proto::ApplyResult {
    let change = proto::Change { change: Some(change::Change::Delete(delete)) };
    house.admin.apply(vec![change]).await.expect("apply").remove(0)
}

async fn stored(house: &House, address: &str) -> Option<(proto::Account, String)> {
    let mut directory = house.admin.directory().expect("directory");
    let request = proto::ListRequest { kind: "account".into(), name: address.into(), ..Default::default() };
    let objects = directory.list(request).await.expect("list").into_inner().objects;
    objects.into_iter().next().map(|put| match put.object {
        Some(Object::Account(account)) => (account, put.owner),
        other => panic!("{other:?}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_objects_are_what_their_owners_say() {
    let house = House::new().await;
    a_second_put_writes_nothing(&house).await;
    a_renamed_mailbox_keeps_its_content(&house).await;
    an_address_has_one_owner(&house).await;
    what_nobody_declares_is_adopted_on_request(&house).await;
    what_is_not_managed_stays(&house).await;
    what_others_changed_is_put_back_and_told(&house).await;
    a_password_is_set_once_for_each_edition(&house).await;
    services_can_be_taken_away(&house).await;
    delegates_send_as_the_mailbox(&house).await;
    the_hidden_are_in_no_address_book(&house).await;
    a_released_mailbox_works_on(&house).await;
    a_purged_mailbox_goes_with_the_next_sweep(&house).await;
    a_limited_tenant_takes_no_more(&house).await;
    groups_follow_renames(&house).await;
    a_batch_has_a_result_for_each_change(&house).await;
    rooms_have_rules(&house).await;
}

async fn rooms_have_rules(house: &House) {
    let room = || proto::Account { kind: "room".into(), ..at("blue@one.example") };
    let result = put(house, declared("blue", 1, 1, room())).await;
    assert_eq!(result.outcome(), Outcome::Created, "{}", result.message);
    let rules = stored(house, "blue@one.example").await.expect("the room").0.booking.expect("rules");
    assert_eq!(
        (rules.automate_processing.as_deref(), rules.booking_window_days, rules.maximum_duration_minutes),
        (Some("AutoAccept"), Some(180), Some(1440))
    );
    assert_eq!((rules.all_book_in_policy, rules.allow_conflicts), (Some(true), Some(false)));
    // As it is already.
    assert_eq!(put(house, declared("blue", 1, 1, room())).await.outcome(), Outcome::Unchanged);
    let wanted = proto::Booking {
        booking_window_days: Some(30),
        book_in_policy: vec!["Gerd@One.Example".into()],
        request_in_policy: vec!["staff@one.example".into()],
        delegates: vec!["gerd@one.example".into()],
        ..Default::default()
    };
    let whole = proto::Account { booking: Some(wanted), capacity: 8, location: "2nd floor".into(), ..room() };
    let result = put(house, declared("blue", 1, 2, whole.clone())).await;
    assert_eq!(result.outcome(), Outcome::Updated, "{}", result.message);
    assert_eq!(result.changed, ["capacity", "location", "booking"]);
    let (now, _) = stored(house, "blue@one.example").await.expect("the room");
    let rules = now.booking.clone().expect("rules");
    assert_eq!(rules.book_in_policy, ["gerd@one.example"]);
    assert_eq!((rules.all_book_in_policy, rules.booking_window_days), (Some(false), Some(30)));
    assert_eq!((now.capacity, now.location.as_str()), (8, "2nd floor"));
    // What was listed is what was put.
    let same = proto::Account { booking: now.booking, ..whole.clone() };
    assert_eq!(put(house, declared("blue", 1, 2, same)).await.outcome(), Outcome::Unchanged);
    // One who does not speak of rules leaves them.
    let named = Put {
        managed: vec!["display_name".into()],
        ..declared("blue", 1, 3, proto::Account { display_name: "Blue".into(), ..room() })
    };
    assert_eq!(put(house, named).await.changed, ["display_name"]);
    let (now, _) = stored(house, "blue@one.example").await.expect("the room");
    assert_eq!(now.booking.expect("rules").booking_window_days, Some(30));
    // What will not do is refused with its name, and only rooms have rules.
    for (booking, kind, says) in [
        (
            proto::Booking { booking_window_days: Some(5000), ..Default::default() },
            "room",
            "booking_window_days",
        ),
        (
            proto::Booking { automate_processing: Some("None".into()), ..Default::default() },
            "room",
            "delegates",
        ),
        (proto::Booking { automate_processing: Some("Later".into()), ..Default::default() }, "room", "Later"),
        (proto::Booking { delegates: vec!["nobody".into()], ..Default::default() }, "room", "nobody"),
        (proto::Booking::default(), "user", "only rooms"),
    ] {
        let account = proto::Account { booking: Some(booking), kind: kind.into(), ..room() };
        let result = put(house, declared("blue", 1, 4, account)).await;
        assert_eq!((result.outcome(), result.field.as_str()), (Outcome::Invalid, "booking"), "{says}");
        assert!(result.message.contains(says), "{}: {says}", result.message);
    }
}

async fn a_second_put_writes_nothing(house: &House) {
    let dora = declared(
        "dora",
        1,
        1,
        proto::Account { aliases: vec!["d@one.example".into()], ..at("dora@one.example") },
    );
    let first = put(house, dora.clone()).await;
    assert_eq!(first.outcome(), Outcome::Created);
    assert!(first.mailbox_id > 0);
    let second = put(house, dora.clone()).await;
    assert_eq!((second.outcome(), second.mailbox_id), (Outcome::Unchanged, first.mailbox_id));
    // An older generation comes late and does nothing.
    let newer = Put { generation: 5, ..dora.clone() };
    assert_eq!(put(house, newer).await.outcome(), Outcome::Updated);
    let late =
        declared("dora", 1, 4, proto::Account { display_name: "late".into(), ..at("dora@one.example") });
    assert_eq!(put(house, late).await.outcome(), Outcome::Unchanged);
    assert_eq!(stored(house, "dora@one.example").await.expect("dora").0.display_name, "");
    // The same resource made anew begins to count again.
    let again =
        declared("dora", 2, 1, proto::Account { display_name: "Dora".into(), ..at("dora@one.example") });
    assert_eq!(put(house, again).await.outcome(), Outcome::Updated);
    let (account, owned) = stored(house, "dora@one.example").await.expect("dora");
    assert_eq!((account.display_name.as_str(), owned), ("Dora", owner("dora", 2)));
}

async fn a_renamed_mailbox_keeps_its_content(house: &House) {
    let before = put(house, declared("emil", 1, 1, at("emil@one.example"))).await;
    house.deliver("emil@one.example", &mail("before", "text")).await;
    let renamed = proto::Account { aliases: vec!["emil@one.example".into()], ..at("emil.k@one.example") };
    let after = put(house, declared("emil", 1, 2, renamed.clone())).await;
    assert_eq!((after.outcome(), after.mailbox_id), (Outcome::Updated, before.mailbox_id), "{after:?}");
    assert!(after.changed.contains(&"address".to_owned()), "{after:?}");
    for address in ["emil@one.example", "emil.k@one.example"] {
        assert_eq!(house.target(address).await.address, "emil.k@one.example");
    }
    house.deliver("emil@one.example", &mail("after", "text")).await;
    let now = put(house, declared("emil", 1, 2, renamed)).await;
    assert_eq!((now.outcome(), now.messages), (Outcome::Unchanged, 2), "{now:?}");
    // Back to the old name, which is its own alias.
    let back = proto::Account { aliases: vec!["emil.k@one.example".into()], ..at("emil@one.example") };
    let back = put(house, declared("emil", 1, 3, back)).await;
    assert_eq!((back.outcome(), back.mailbox_id), (Outcome::Updated, before.mailbox_id), "{back:?}");
}

async fn an_address_has_one_owner(house: &House) {
    put(house, declared("first", 1, 1, at("wanted@one.example"))).await;
    let same = put(house, declared("second", 1, 1, at("wanted@one.example"))).await;
    assert_eq!((same.outcome(), same.holder.clone()), (Outcome::Denied, owner("first", 1)), "{same:?}");
    let alias = proto::Account { aliases: vec!["wanted@one.example".into()], ..at("second@one.example") };
    let alias = put(house, declared("second", 1, 1, alias)).await;
    assert_eq!((alias.outcome(), alias.field.as_str()), (Outcome::Conflict, "aliases"), "{alias:?}");
    assert_eq!(alias.holder, owner("first", 1));
    assert!(stored(house, "second@one.example").await.is_none(), "a refused put leaves nothing behind");
    // Renaming onto somebody is refused, too.
    put(house, declared("third", 1, 1, at("third@one.example"))).await;
    let onto = proto::Account { aliases: vec!["third@one.example".into()], ..at("wanted@one.example") };
    let onto = put(house, declared("third", 1, 2, onto)).await;
    assert_eq!((onto.outcome(), onto.holder), (Outcome::Conflict, owner("first", 1)));
    assert_eq!(house.target("third@one.example").await.address, "third@one.example");
    // As is an address of another tenant's domain.
    let foreign = put(house, declared("fourth", 1, 1, at("fourth@two.example"))).await;
    assert_eq!(foreign.outcome(), Outcome::Conflict, "{foreign:?}");
}

async fn what_nobody_declares_is_adopted_on_request(house: &House) {
    let bert = declared("bert", 1, 1, at("bert@one.example"));
    let refused = put(house, bert.clone()).await;
    assert_eq!((refused.outcome(), refused.holder.as_str()), (Outcome::Denied, ""), "{refused:?}");
    let adopted = put(house, Put { adopt: true, ..bert.clone() }).await;
    assert_eq!(adopted.outcome(), Outcome::Updated, "{adopted:?}");
    house.login("bert@one.example").await;
    assert_eq!(put(house, bert.clone()).await.outcome(), Outcome::Unchanged);
    // By hand it is not to be changed any more.
    let by_hand = Put { owner: String::new(), succeeds: String::new(), ..bert };
    assert_eq!(put(house, by_hand).await.outcome(), Outcome::Denied);
    let delete = delete(
        house,
        proto::Delete { kind: "account".into(), name: "bert@one.example".into(), ..Default::default() },
    );
    assert_eq!(delete.await.outcome(), Outcome::Denied);
}

async fn what_is_not_managed_stays(house: &House) {
    let all = proto::Account {
        display_name: "Fritz".into(),
        quota: 1000,
        aliases: vec!["f@one.example".into()],
        forward_to: vec!["f@far.example".into()],
        ..at("fritz@one.example")
    };
    put(house, declared("fritz", 1, 1, all)).await;
    let some = Put {
        managed: vec!["address".into(), "quota".into()],
        ..declared("fritz", 1, 2, proto::Account { quota: 2000, ..at("fritz@one.example") })
    };
    let result = put(house, some).await;
    assert_eq!(result.changed, ["quota"], "{result:?}");
    let (fritz, _) = stored(house, "fritz@one.example").await.expect("fritz");
    assert_eq!((fritz.display_name.as_str(), fritz.quota), ("Fritz", 2000));
    assert_eq!(
        (fritz.aliases, fritz.forward_to),
        (vec!["f@one.example".into()], vec!["f@far.example".into()])
    );
}

async fn what_others_changed_is_put_back_and_told(house: &House) {
    let gerd =
        declared("gerd", 1, 1, proto::Account { display_name: "Gerd".into(), ..at("gerd@one.example") });
    put(house, gerd.clone()).await;
    assert!(!put(house, gerd.clone()).await.drifted);
    let sql = "UPDATE account SET display_name = 'Mallory' WHERE address = 'gerd@one.example'";
    let psql = std::process::Command::new("psql")
        .args(["-qX", "-U", "kontor", "-d", "postgres", "-c", sql, "-h"])
        .arg(house.postgres.folder())
        .status();
    assert!(psql.expect("psql runs").success());
    let result = put(house, gerd).await;
    assert!(result.drifted && result.changed == ["display_name"], "{result:?}");
    assert_eq!(stored(house, "gerd@one.example").await.expect("gerd").0.display_name, "Gerd");
}

async fn a_password_is_set_once_for_each_edition(house: &House) {
    let edition = |version: &str, password: &str, generation| {
        let account = proto::Account {
            password: password.into(),
            password_version: version.into(),
            ..at("hans@one.example")
        };
        declared("hans", 1, generation, account)
    };
    put(house, edition("1", PASSWORD, 1)).await;
    let session = house.login("hans@one.example").await;
    // The same edition: the password is not even looked at, and nobody is thrown out.
    assert_eq!(put(house, edition("1", "something else", 1)).await.outcome(), Outcome::Unchanged);
    house.login("hans@one.example").await;
    session.list_folders(session.info().mailbox_id, 0).await.expect("the session goes on");
    let changed = put(house, edition("2", "a new one", 1)).await;
    assert_eq!((changed.outcome(), changed.drifted), (Outcome::Updated, false), "{changed:?}");
    assert!(house.gateway.authenticate("hans@one.example", "", PASSWORD, "imap", "").await.is_err());
    house.gateway.authenticate("hans@one.example", "", "a new one", "imap", "").await.expect("new password");
    // No password in the put: it stays.
    assert_eq!(put(house, declared("hans", 1, 2, at("hans@one.example"))).await.outcome(), Outcome::Updated);
    house.gateway.authenticate("hans@one.example", "", "a new one", "imap", "").await.expect("still");
    let bad = proto::Account { password_hash: "$argon2id$nonsense".into(), ..at("hans@one.example") };
    assert_eq!(put(house, declared("hans", 1, 3, bad)).await.outcome(), Outcome::Invalid);
}

async fn services_can_be_taken_away(house: &House) {
    let with = |services: &[&str], generation| {
        let account = proto::Account {
            password: PASSWORD.into(),
            password_version: "1".into(),
            disabled_services: services.iter().map(|s| (*s).to_owned()).collect(),
            ..at("ida@one.example")
        };
        declared("ida", 1, generation, account)
    };
    put(house, with(&[], 1)).await;
    house.gateway.authenticate("ida@one.example", "", PASSWORD, "pop3", "").await.expect("pop3");
    put(house, with(&["pop3"], 2)).await;
    assert!(house.gateway.authenticate("ida@one.example", "", PASSWORD, "pop3", "").await.is_err());
    house.gateway.authenticate("ida@one.example", "", PASSWORD, "imap", "").await.expect("imap");
}

async fn delegates_send_as_the_mailbox(house: &House) {
    let session = house.login("bert@one.example").await;
    assert!(!session.may_send_as("info@one.example").await.expect("may"));
    let info = proto::Account {
        kind: "shared".into(),
        send_as: vec!["bert@one.example".into()],
        ..at("info@one.example")
    };
    put(house, declared("info", 1, 1, info)).await;
    assert!(session.may_send_as("info@one.example").await.expect("may"));
    assert!(!house.login("anna@one.example").await.may_send_as("info@one.example").await.expect("may"));
}

async fn the_hidden_are_in_no_address_book(house: &House) {
    let hidden = proto::Account { hidden: true, ..at("hidden@one.example") };
    put(house, declared("hidden", 1, 1, hidden)).await;
    let session = house.login("anna@one.example").await;
    let request = proto::FindPeopleRequest { page_size: 1000, ..Default::default() };
    let request = session.authorize(request).await.expect("token");
    let mut directory = house.gateway.directory().expect("directory");
    let found = directory.find_people(request).await.expect("people").into_inner();
    assert!(found.people.iter().any(|p| p.address == "bert@one.example"));
    assert!(!found.people.iter().any(|p| p.address == "hidden@one.example"));
    house.target("hidden@one.example").await;
    // Neither by a part of the name, nor by the address, nor as a member.
    let group = proto::Group {
        address: "crew@one.example".into(),
        tenant: "one".into(),
        members: ["bert@one.example", "hidden@one.example", "guest@example.org"].map(Into::into).into(),
        ..Default::default()
    };
    let group = Put { object: Some(Object::Group(group)), owner: owner("crew", 1), ..Default::default() };
    put(house, group).await;
    let find = |request: proto::FindPeopleRequest| async {
        let request = session.authorize(request).await.expect("token");
        let mut directory = house.gateway.directory().expect("directory");
        directory.find_people(request).await.expect("people").into_inner().people
    };
    let part = |text: &str, anywhere| proto::FindPeopleRequest {
        prefix: text.into(),
        anywhere,
        ..Default::default()
    };
    let addresses = |people: Vec<proto::Person>| people.into_iter().map(|p| p.address).collect::<Vec<_>>();
    assert!(addresses(find(part("idden", true)).await).is_empty());
    assert!(addresses(find(part("ERT@one", false)).await).is_empty());
    assert_eq!(addresses(find(part("ERT@one", true)).await), ["bert@one.example"]);
    let named = ["crew@one.example", "hidden@one.example", "nobody@one.example", "bert@one.example"];
    let named = named.map(Into::into).to_vec();
    let found =
        find(proto::FindPeopleRequest { addresses: named, members: true, ..Default::default() }).await;
    assert_eq!(found[1].members, ["bert@one.example", "guest@example.org"]);
    assert_eq!(addresses(found), ["bert@one.example", "crew@one.example"]);
}

async fn a_released_mailbox_works_on(house: &House) {
    let jana = declared("jana", 1, 1, at("jana@one.example"));
    put(house, jana.clone()).await;
    let release = proto::Delete {
        kind: "account".into(),
        owner: owner("jana", 1),
        mode: Mode::Release as i32,
        ..Default::default()
    };
    assert_eq!(delete(house, release.clone()).await.outcome(), Outcome::Updated);
    assert_eq!(delete(house, release).await.outcome(), Outcome::NotFound, "a second time is no error");
    house.target("jana@one.example").await;
    assert_eq!(put(house, jana.clone()).await.outcome(), Outcome::Denied);
    assert_eq!(put(house, Put { adopt: true, ..jana }).await.outcome(), Outcome::Updated);
}

async fn a_purged_mailbox_goes_with_the_next_sweep(house: &House) {
    let mut kept = Vec::new();
    for (name, mode, days) in
        [("kurt", Mode::Purge, 0), ("lena", Mode::Remove, 0), ("mia", Mode::Remove, 300)]
    {
        let address = format!("{name}@one.example");
        let id = put(house, declared(name, 1, 1, at(&address))).await.mailbox_id;
        house.deliver(&address, &mail(name, "text")).await;
        let gone = proto::Delete {
            kind: "account".into(),
            owner: owner(name, 1),
            mode: mode as i32,
            retention_days: days,
            ..Default::default()
        };
        assert_eq!(delete(house, gone).await.outcome(), Outcome::Deleted);
        assert!(stored(house, &address).await.is_none());
        kept.push(id);
    }
    let mut care = house.admin.care().expect("care");
    care.sweep(proto::SweepRequest { now: false }).await.expect("sweep");
    let sql = format!(
        "SELECT mailbox_id FROM mailbox WHERE mailbox_id = ANY ('{{{},{},{}}}')",
        kept[0], kept[1], kept[2]
    );
    let psql = std::process::Command::new("psql")
        .args(["-qXtA", "-U", "kontor", "-d", "postgres", "-c", &sql, "-h"])
        .arg(house.postgres.folder())
        .output()
        .expect("psql runs");
    let left: Vec<u64> =
        String::from_utf8_lossy(&psql.stdout).lines().filter_map(|l| l.parse().ok()).collect();
    assert_eq!(left, kept[1..], "only the purged one is gone");
}

async fn a_limited_tenant_takes_no_more(house: &House) {
    let tenant = |most| Put {
        object: Some(Object::Tenant(proto::Tenant {
            name: "small".into(),
            max_mailboxes: most,
            max_domains: 1,
            max_groups: 1,
            ..Default::default()
        })),
        owner: "gwd-1/acme/Tenant/small/1".into(),
        generation: i64::from(most),
        ..Default::default()
    };
    put(house, tenant(2)).await;
    let domain = |name: &str| {
        Object::Domain(proto::Domain { name: name.into(), tenant: "small".into(), ..Default::default() })
    };
    let group = |name: &str| {
        Object::Group(proto::Group {
            address: format!("{name}@small.example"),
            tenant: "small".into(),
            ..Default::default()
        })
    };
    let account =
        |i| Object::Account(proto::Account { tenant: "small".into(), ..at(&format!("u{i}@small.example")) });
    let results =
        house.put(vec![domain("small.example"), domain("more.example"), group("a"), group("b")]).await;
    let outcomes: Vec<_> = results.iter().map(proto::ApplyResult::outcome).collect();
    assert_eq!(outcomes, [Outcome::Created, Outcome::Limit, Outcome::Created, Outcome::Limit]);
    // However many come at once.
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..12 {
        let (admin, object) = (house.admin.clone(), account(i));
        tasks.spawn(async move {
            let put = Put { object: Some(object), ..Default::default() };
            let change = proto::Change { change: Some(change::Change::Put(put)) };
            admin.apply(vec![change]).await.expect("apply").remove(0).outcome()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Created).count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|o| **o == Outcome::Limit).count(), 10, "{outcomes:?}");
    put(house, tenant(3)).await;
    let results = house.put(vec![account(20), account(21)]).await;
    let outcomes: Vec<_> = results.iter().map(proto::ApplyResult::outcome).collect();
    assert_eq!(outcomes, [Outcome::Created, Outcome::Limit]);
}

async fn groups_follow_renames(house: &House) {
    let nora = put(house, declared("nora", 1, 1, at("nora@one.example"))).await;
    let group = Put {
        object: Some(Object::Group(proto::Group {
            address: "choir@one.example".into(),
            tenant: "one".into(),
            members: vec!["nora@one.example".into(), "x@far.example".into()],
            ..Default::default()
        })),
        owner: "gwd-1/acme/DistributionGroup/choir/1".into(),
        generation: 1,
        ..Default::default()
    };
    assert_eq!(put(house, group.clone()).await.outcome(), Outcome::Created);
    let renamed = proto::Account { aliases: vec!["nora@one.example".into()], ..at("nora.b@one.example") };
    put(house, declared("nora", 1, 2, renamed)).await;
    // The group names the old address still; that is no difference.
    assert_eq!(put(house, group.clone()).await.outcome(), Outcome::Unchanged);
    let request =
        proto::ResolveRecipientsRequest { addresses: vec!["choir@one.example".into()], ..Default::default() };
    let targets = house.gateway.resolve_recipients(request).await.expect("resolve").remove(0).targets;
    assert!(
        targets.iter().any(|t| t.to == Some(proto::target::To::MailboxId(nora.mailbox_id))),
        "{targets:?}"
    );
    // The group's own rename.
    let Some(Object::Group(mut whole)) = group.object.clone() else { panic!("a group") };
    whole.aliases = vec![whole.address.clone()];
    whole.address = "singers@one.example".into();
    let renamed = Put { object: Some(Object::Group(whole)), generation: 2, ..group };
    let result = put(house, renamed).await;
    assert_eq!(result.outcome(), Outcome::Updated, "{result:?}");
}

async fn a_batch_has_a_result_for_each_change(house: &House) {
    let changes = (0..200)
        .map(|i| {
            let name = format!("batch{i}");
            let address = if i == 77 { "not an address".to_owned() } else { format!("{name}@one.example") };
            proto::Change { change: Some(change::Change::Put(declared(&name, 1, 1, at(&address)))) }
        })
        .collect();
    let results = house.admin.apply(changes).await.expect("apply");
    for (i, result) in results.iter().enumerate() {
        let wanted = if i == 77 { Outcome::Invalid } else { Outcome::Created };
        assert_eq!(result.outcome(), wanted, "{i}: {result:?}");
    }
}

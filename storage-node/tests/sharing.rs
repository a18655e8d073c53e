//! Folders that are shared, and who acts for somebody in all calendars, in a real node over a real PostgreSQL.

#[allow(dead_code, reason = "shared with the other tests")]
mod support;

use kontor_model::FolderRole;
use kontor_storage_client::proto::{self, Rights, put::Object};
use kontor_storage_client::{Session, StoreError};
use support::{House, share};

const CALENDAR: u64 = FolderRole::Calendar as u64;
const TASKS: u64 = FolderRole::Tasks as u64;
const INBOX: u64 = FolderRole::Inbox as u64;
const READ: u32 = Rights::FreeBusy as u32 | Rights::Visible as u32 | Rights::Read as u32;

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_shared() {
    let house = House::new().await;
    house
        .put(vec![Object::Group(proto::Group {
            address: "team@one.example".into(),
            tenant: "one".into(),
            members: vec!["bert@one.example".into()],
            ..Default::default()
        })])
        .await;
    what_is_granted_is_listed(&house).await;
    a_guest_has_a_view_of_their_own(&house).await;
    a_guest_gives_it_back(&house).await;
    permissions_are_set_anew(&house).await;
    somebody_acts_in_all_calendars(&house).await;
}

async fn make(session: &Session, name: &str, class: &str) -> u64 {
    let request = proto::CreateFolderRequest {
        mailbox_id: session.info().mailbox_id,
        name: name.into(),
        container_class: class.into(),
        ..Default::default()
    };
    session.create_folder(request).await.expect("create").folder_id
}

async fn listed(session: &Session) -> Vec<u64> {
    let shared = session.shared_with_me(0, 0).await.expect("shared");
    shared.iter().filter_map(|shared| Some(shared.folder.as_ref()?.folder_id)).collect()
}

async fn folder_of(session: &Session, id: u64) -> proto::Folder {
    let folders = session.open("").await.expect("open").folders;
    folders.into_iter().find(|folder| folder.folder_id == id).expect("a folder")
}

fn nothing<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::NotFound(_))), "{outcome:?}");
}

async fn what_is_granted_is_listed(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let carl = house.login("carl@two.example").await;
    assert_eq!(listed(&bert).await, [0u64; 0]);
    assert!(!folder_of(&anna, CALENDAR).await.shared);
    share(&anna, CALENDAR, "bert@one.example", READ).await;
    assert!(folder_of(&anna, CALENDAR).await.shared);
    let shared = bert.shared_with_me(0, 0).await.expect("shared");
    let [one] = shared.as_slice() else { panic!("{shared:?}") };
    let folder = one.folder.as_ref().expect("a folder");
    assert_eq!((one.mailbox_id, one.address.as_str()), (anna.info().mailbox_id, "anna@one.example"));
    assert_eq!(
        (folder.folder_id, folder.rights, folder.container_class.as_str()),
        (CALENDAR, READ, "IPF.Appointment")
    );
    // That of a group too; by a grant to everybody, or of free and busy times alone, nothing is.
    let (team, all, busy) = (
        make(&anna, "Team", "IPF.Appointment").await,
        make(&anna, "All", "IPF.Appointment").await,
        make(&anna, "Busy", "IPF.Appointment").await,
    );
    share(&anna, team, "team@one.example", READ).await;
    share(&anna, all, "default", READ).await;
    share(&anna, busy, "bert@one.example", Rights::FreeBusy as u32).await;
    assert_eq!(listed(&bert).await, [CALENDAR, team]);
    assert_eq!(listed(&anna).await, [0u64; 0]);
    assert_eq!(listed(&carl).await, [0u64; 0]);
    // One of them by its number; nobody finds others by guessing.
    let one = bert.shared_with_me(anna.info().mailbox_id, team).await.expect("shared");
    assert_eq!(one.len(), 1);
    for (session, folder) in [(&bert, all), (&bert, busy), (&bert, INBOX), (&carl, team), (&anna, team)] {
        let found = session.shared_with_me(anna.info().mailbox_id, folder).await.expect("shared");
        assert!(found.is_empty(), "{found:?}");
    }
    // What is in the trash is shared with nobody.
    let to_trash = proto::UpdateFolderRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id: team,
        parent_id: Some(FolderRole::Trash as u64),
        ..Default::default()
    };
    anna.update_folder(to_trash.clone()).await.expect("to the trash");
    assert_eq!(listed(&bert).await, [CALENDAR]);
    anna.update_folder(proto::UpdateFolderRequest { parent_id: Some(0), ..to_trash }).await.expect("back");
    assert_eq!(listed(&bert).await, [CALENDAR, team]);
}

async fn a_guest_has_a_view_of_their_own(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let carl = house.login("carl@two.example").await;
    let view = |folder_id, properties: &'static [u8]| proto::UpdateSharedRequest {
        mailbox_id: anna.info().mailbox_id,
        folder_id,
        properties: properties.into(),
    };
    bert.update_shared(view(CALENDAR, b"mine")).await.expect("a view");
    let one = bert.shared_with_me(anna.info().mailbox_id, CALENDAR).await.expect("shared");
    assert_eq!(one[0].properties, "mine");
    assert_eq!(folder_of(&anna, CALENDAR).await.properties, "");
    nothing(carl.update_shared(view(CALENDAR, b"x")).await);
    nothing(bert.update_shared(view(INBOX, b"x")).await);
    assert!(matches!(anna.update_shared(view(CALENDAR, b"x")).await, Err(StoreError::Invalid(_))));
}

async fn a_guest_gives_it_back(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let carl = house.login("carl@two.example").await;
    let mailbox = anna.info().mailbox_id;
    let team = listed(&bert).await[1];
    nothing(carl.leave_shared(mailbox, CALENDAR).await);
    bert.leave_shared(mailbox, CALENDAR).await.expect("leave");
    assert_eq!(listed(&bert).await, [team]);
    nothing(bert.changes(mailbox, CALENDAR, 0).await);
    // What a group may read is out of sight only, and the group keeps it.
    bert.leave_shared(mailbox, team).await.expect("leave");
    assert_eq!(listed(&bert).await, [0u64; 0]);
    assert!(bert.changes(mailbox, team, 0).await.is_ok());
    share(&anna, CALENDAR, "bert@one.example", READ).await;
    share(&anna, team, "team@one.example", READ).await;
    assert_eq!(listed(&bert).await, [CALENDAR, team]);
    let one = bert.shared_with_me(mailbox, CALENDAR).await.expect("shared");
    assert_eq!(one[0].properties, "", "the view went with the share");
}

async fn permissions_are_set_anew(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let (mailbox_id, folder_id) = (anna.info().mailbox_id, CALENDAR);
    let permissions = vec![proto::Permission { principal: "team@one.example".into(), rights: READ }];
    let request = proto::SetPermissionsRequest { mailbox_id, folder_id, permissions, replace: true };
    anna.set_permissions(request.clone()).await.expect("set");
    let now = anna.named_permissions(mailbox_id, folder_id).await.expect("permissions");
    let principals: Vec<&str> = now.permissions.iter().map(|entry| entry.principal.as_str()).collect();
    assert_eq!(principals, ["default", "team@one.example"]);
    assert_eq!(now.display_names.len(), 2);
    // A name that nobody has changes nothing.
    let permissions = vec![proto::Permission { principal: "x@two.example".into(), rights: READ }];
    let wrong = proto::SetPermissionsRequest { permissions, ..request };
    assert!(matches!(anna.set_permissions(wrong).await, Err(StoreError::Invalid(_))));
    assert_eq!(anna.named_permissions(mailbox_id, folder_id).await.expect("permissions"), now);
    assert!(matches!(bert.list_permissions(mailbox_id, folder_id).await, Err(StoreError::Denied(_))));
    share(&anna, CALENDAR, "team@one.example", 0).await;
}

async fn somebody_acts_in_all_calendars(house: &House) {
    let (anna, bert) = (house.login("anna@one.example").await, house.login("bert@one.example").await);
    let carl = house.login("carl@two.example").await;
    let mailbox = anna.info().mailbox_id;
    let set = |writes, addresses: &[&str]| proto::SetCalendarProxiesRequest {
        writes,
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
    };
    nothing(bert.changes(mailbox, CALENDAR, 0).await);
    anna.set_calendar_proxies(set(false, &["bert@one.example"])).await.expect("set");
    let rights = async |session: &Session| {
        let opened = session.open("anna@one.example").await?;
        Ok::<_, StoreError>(opened.folders.into_iter().map(|f| (f.folder_id, f.rights)).collect::<Vec<_>>())
    };
    let seen = rights(&bert).await.expect("open");
    let of =
        |seen: &[(u64, u32)], id| seen.iter().find(|(folder, _)| *folder == id).map(|(_, rights)| *rights);
    assert_eq!((of(&seen, CALENDAR), of(&seen, TASKS), of(&seen, INBOX)), (Some(READ), Some(READ), None));
    // Those of later too, and nothing of it is in his own home.
    let later = make(&anna, "Later", "IPF.Appointment").await;
    let mail = make(&anna, "Mail", "IPF.Note").await;
    let seen = rights(&bert).await.expect("open");
    assert_eq!((of(&seen, later), of(&seen, mail)), (Some(READ), None));
    assert!(!listed(&bert).await.contains(&later));
    let proxies = anna.calendar_proxies().await.expect("proxies");
    assert_eq!(
        proxies.by.iter().map(|p| (p.address.as_str(), p.writes)).collect::<Vec<_>>(),
        [("bert@one.example", false)]
    );
    let proxies = bert.calendar_proxies().await.expect("proxies");
    assert_eq!(
        proxies.acts_for.iter().map(|p| (p.address.as_str(), p.writes)).collect::<Vec<_>>(),
        [("anna@one.example", false)]
    );
    // As a member of a group that writes.
    anna.set_calendar_proxies(set(true, &["team@one.example"])).await.expect("set");
    let seen = rights(&bert).await.expect("open");
    let writes = of(&seen, later).expect("later");
    assert!(writes & Rights::Create as u32 != 0 && writes & Rights::Owner as u32 == 0, "{writes:x}");
    nothing(rights(&carl).await);
    assert!(matches!(
        anna.set_calendar_proxies(set(true, &["carl@two.example"])).await,
        Err(StoreError::Invalid(_))
    ));
    assert_eq!(anna.calendar_proxies().await.expect("proxies").by.len(), 2);
    for writes in [false, true] {
        anna.set_calendar_proxies(set(writes, &[])).await.expect("set");
    }
    nothing(bert.changes(mailbox, CALENDAR, 0).await);
}

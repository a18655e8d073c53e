//! Calendars and address books of one person in the programs of another: curl for what Apple's clients send, Python's
//! caldav, and vdirsyncer.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::dav::{Computer, Curl, LIMIT, python, stdout};
use kontor_e2e::process::output_of;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_is_shared_as_apples_clients_do() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let stranger = appliance.add_mailbox("stranger").await?;
    let owner = Curl { appliance: &appliance, account: &anna };
    let guest = Curl { appliance: &appliance, account: &ben };
    let other = Curl { appliance: &appliance, account: &stranger };
    let (theirs, mine) =
        (format!("/dav/calendars/{}", anna.address), format!("/dav/calendars/{}", ben.address));
    let work = format!("{theirs}/work/");
    owner.expect(201, &["-X", "MKCALENDAR", "--data", MKCALENDAR], &work)?;
    owner.expect(201, &["-X", "PUT", "--data-binary", EVENT], &format!("{work}1.ics"))?;
    let all = [work.clone(), format!("{work}1.ics"), format!("{theirs}/calendar/"), format!("{theirs}/")];
    let nobody_sees = |curl: &Curl<'_>| -> Result<()> {
        for path in &all {
            curl.expect(404, &["-X", "PROPFIND", "-H", "Depth: 0"], path)?;
            curl.expect(404, &["-X", "REPORT", "--data", SYNC], path)
                .or_else(|_| curl.expect(403, &["-X", "REPORT", "--data", SYNC], path))?;
        }
        curl.expect(404, &["-X", "PROPPATCH", "--data", RENAME], &work)?;
        curl.expect(404, &["-X", "ACL", "--data", ACL_NOBODY], &work)?;
        curl.expect(
            404,
            &["-X", "POST", "--data", "<CS:share xmlns:CS='http://calendarserver.org/ns/'/>"],
            &work,
        )?;
        curl.expect(404, &["-X", "DELETE"], &work)?;
        curl.expect(404, &["-X", "MKCALENDAR"], &format!("{theirs}/mine/"))?;
        curl.expect(409, &["-X", "PUT", "--data-binary", EVENT], &format!("{work}2.ics"))?;
        let to = format!("Destination: {work}2.ics");
        let own = format!("/dav/calendars/{}/calendar/1.ics", curl.account.address);
        curl.expect(201, &["-X", "PUT", "--data-binary", EVENT], &own)?;
        curl.expect(409, &["-X", "COPY", "-H", &to], &own)?;
        curl.expect(404, &["-X", "COPY", "-H", &format!("Destination: {own}2")], &format!("{work}1.ics"))?;
        curl.expect(204, &["-X", "DELETE"], &own)?;
        let listed =
            curl.propfind(&format!("/dav/calendars/{}/", curl.account.address), "1", "<d:displayname/>")?;
        ensure!(!listed.contains("Work"), "{listed}");
        Ok(())
    };
    nobody_sees(&guest)?;

    // To read.
    owner.expect(200, &["-X", "POST", "--data", &share(&ben.address, "read")], &work)?;
    let said =
        owner.propfind(&work, "0", "<cs:invite/><d:resourcetype/><cs:allowed-sharing-modes/><d:acl/>")?;
    for part in [
        "<CS:shared-owner/>",
        "<CS:can-be-shared/>",
        "<CS:read/>",
        "<CS:invite-accepted/>",
        &format!("mailto:{}", ben.address),
    ] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    let listed = guest.propfind(
        &format!("{mine}/"),
        "1",
        "<d:displayname/><d:resourcetype/><cs:shared-url/><d:owner/><d:current-user-privilege-set/>",
    )?;
    ensure!(
        listed.contains("<CS:shared/>") && listed.contains(&format!("<D:href>{work}</D:href>")),
        "{listed}"
    );
    ensure!(listed.contains(&format!("Work ({})", anna.address)), "{listed}");
    let path =
        between(&listed, &format!("<D:href>{mine}/shared-"), "</D:href>").context("a shared calendar")?;
    let shared = format!("{mine}/shared-{path}");
    let event = format!("{shared}1.ics");
    ensure!(guest.ask(&[], &event)? == EVENT, "the event, to the octet");
    guest.expect(403, &["-X", "PUT", "--data-binary", &EVENT.replace("One", "Two")], &event)?;
    guest.expect(
        403,
        &["-X", "PUT", "--data-binary", &EVENT.replace("UID:1", "UID:2")],
        &format!("{shared}2.ics"),
    )?;
    guest.expect(403, &["-X", "DELETE"], &event)?;
    guest.expect(403, &["-X", "POST", "--data", &share(&stranger.address, "read")], &shared)?;
    let said = guest.expect(403, &["-X", "ACL", "--data", ACL_NOBODY], &shared)?;
    ensure!(said.contains("need-privileges") && said.contains("write-acl"), "{said}");
    let privileges = guest.propfind(&shared, "0", "<d:current-user-privilege-set/>")?;
    ensure!(privileges.contains("<D:read/>") && !privileges.contains("write"), "{privileges}");

    // To write; all reports work by that path.
    owner.expect(200, &["-X", "POST", "--data", &share(&ben.address, "read-write")], &work)?;
    let said = guest.ask(&["-X", "REPORT", "--data", SYNC], &shared)?;
    ensure!(said.contains(&format!("<D:href>{event}</D:href>")), "{said}");
    let token = between(&said, "<D:sync-token>", "</D:sync-token>").context("a token")?;
    guest.expect(
        201,
        &["-X", "PUT", "--data-binary", &EVENT.replace("UID:1", "UID:2")],
        &format!("{shared}2.ics"),
    )?;
    guest.expect(204, &["-X", "PUT", "--data-binary", &EVENT.replace("One", "Uno")], &event)?;
    ensure!(owner.ask(&[], &format!("{work}1.ics"))?.contains("Uno"), "the owner has what the guest wrote");
    let since = SYNC.replace("<d:sync-token/>", &format!("<d:sync-token>{token}</d:sync-token>"));
    let said = guest.ask(&["-X", "REPORT", "--data", &since], &shared)?;
    ensure!(said.matches("<D:response>").count() == 2, "{said}");
    let multiget = format!(
        "<c:calendar-multiget xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop><c:calendar-data/></d:prop>\
         <d:href>{event}</d:href></c:calendar-multiget>"
    );
    let said = guest.ask(&["-X", "REPORT", "--data", &multiget], &shared)?;
    ensure!(said.contains("SUMMARY:Uno"), "{said}");
    let to = format!("Destination: {mine}/calendar/moved.ics");
    guest.expect(201, &["-X", "MOVE", "-H", &to], &format!("{shared}2.ics"))?;
    owner.expect(404, &[], &format!("{work}2.ics"))?;

    // A name of one's own for it; the owner's stays.
    guest.expect(207, &["-X", "PROPPATCH", "--data", RENAME], &shared)?;
    ensure!(guest.propfind(&shared, "0", "<d:displayname/>")?.contains("Renamed"), "the guest's name");
    ensure!(owner.propfind(&work, "0", "<d:displayname/>")?.contains("Work"), "the owner's name");

    // Nobody else has seen anything, by whatever name.
    nobody_sees(&other)?;
    let stolen = shared.replace(&ben.address, &stranger.address);
    other.expect(404, &["-X", "PROPFIND", "-H", "Depth: 0"], &stolen)?;
    other.expect(404, &["-X", "PROPFIND", "-H", "Depth: 0"], &shared)?;

    // Given back by the guest, and then taken back by the owner.
    guest.expect(204, &["-X", "DELETE"], &shared)?;
    guest.expect(404, &[], &event)?;
    ensure!(!owner.propfind(&work, "0", "<cs:invite/>")?.contains(&ben.address), "the grant is gone");
    owner.expect(200, &[], &format!("{work}1.ics"))?;
    owner.expect(200, &["-X", "POST", "--data", &share(&ben.address, "read")], &work)?;
    guest.expect(200, &[], &event)?;
    let remove = format!(
        "<CS:share xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><CS:remove><D:href>mailto:{}</D:href></CS:remove></CS:share>",
        ben.address
    );
    owner.expect(200, &["-X", "POST", "--data", &remove], &work)?;
    guest.expect(404, &[], &event)?;
    nobody_sees(&guest)?;
    let said =
        owner.expect(207, &["-X", "POST", "--data", &share("nobody@elsewhere.example", "read")], &work)?;
    ensure!(said.contains("403 Forbidden"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_by_the_acl_method() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let owner = Curl { appliance: &appliance, account: &anna };
    let guest = Curl { appliance: &appliance, account: &ben };
    let calendar = format!("/dav/calendars/{}/calendar/", anna.address);
    owner.expect(201, &["-X", "PUT", "--data-binary", EVENT], &format!("{calendar}1.ics"))?;
    let said = owner.ask(&["-i", "-X", "OPTIONS"], &calendar)?;
    ensure!(
        said.contains("access-control") && said.contains("calendar-proxy") && said.contains("ACL"),
        "{said}"
    );
    let said = owner.propfind(
        &calendar,
        "0",
        "<d:acl/><d:supported-privilege-set/><d:acl-restrictions/><d:inherited-acl-set/><d:owner/><d:principal-collection-set/>",
    )?;
    ensure!(!said.contains("404 Not Found"), "{said}");
    for part in [
        "<D:protected/>",
        "<D:authenticated/>",
        "<C:read-free-busy/>",
        "<D:abstract/>",
        "<D:grant-only/>",
        "<D:no-invert/>",
    ] {
        ensure!(said.contains(part), "{part}: {said}");
    }

    // Everybody knows when she is busy, as it is without a word; nobody reads why.
    let busy = "<c:free-busy-query xmlns:c='urn:ietf:params:xml:ns:caldav'>\
        <c:time-range start='20261201T000000Z' end='20261231T000000Z'/></c:free-busy-query>";
    let report = ["-X", "REPORT", "-H", "Depth: 1", "--data", busy];
    let said = guest.ask(&report, &calendar)?;
    ensure!(
        said.contains("FREEBUSY;FBTYPE=BUSY:20261202T080000Z/20261202T083000Z") && !said.contains("One"),
        "{said}"
    );
    guest.expect(404, &[], &format!("{calendar}1.ics"))?;
    guest.expect(404, &["-X", "PROPFIND", "-H", "Depth: 0"], &calendar)?;
    guest.expect(404, &report, &calendar.replace("calendar/", "tasks/"))?;

    // Then nobody does, but ben reads.
    let principal = format!("<D:href>/dav/principals/{}/</D:href>", ben.address);
    let read = acl(&ace(&principal, "<D:read/>"));
    owner.expect(200, &["-X", "ACL", "--data", &read], &calendar)?;
    guest.expect(200, &[], &format!("{calendar}1.ics"))?;
    let said = owner.propfind(&calendar, "0", "<d:acl/>")?;
    ensure!(said.contains(&principal) && !said.contains("<D:authenticated/>"), "{said}");
    guest.expect(
        403,
        &["-X", "PUT", "--data-binary", &EVENT.replace("One", "Two")],
        &format!("{calendar}1.ics"),
    )?;
    owner.expect(
        200,
        &[
            "-X",
            "ACL",
            "--data",
            &acl(&[ace(&principal, "<D:read/>"), ace(&principal, "<D:bind/>")].concat()),
        ],
        &calendar,
    )?;
    guest.expect(
        201,
        &["-X", "PUT", "--data-binary", &EVENT.replace("UID:1", "UID:2")],
        &format!("{calendar}2.ics"),
    )?;
    guest.expect(
        403,
        &["-X", "PUT", "--data-binary", &EVENT.replace("One", "Two")],
        &format!("{calendar}1.ics"),
    )?;
    let report = "<d:acl-principal-prop-set xmlns:d='DAV:'><d:prop><d:displayname/></d:prop></d:acl-principal-prop-set>";
    let said = owner.ask(&["-X", "REPORT", "-H", "Depth: 0", "--data", report], &calendar)?;
    ensure!(said.matches("<D:response>").count() == 2 && said.contains(&principal), "{said}");

    // What cannot be said is refused, in the words of RFC 3744, and changes nothing.
    let deny = acl(
        "<D:ace><D:principal><D:all/></D:principal><D:deny><D:privilege><D:read/></D:privilege></D:deny></D:ace>",
    );
    let invert = acl(&format!(
        "<D:ace><D:invert><D:principal>{principal}</D:principal></D:invert><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>"
    ));
    let protected = acl(&ace(&principal, "<D:read/>").replace("</D:ace>", "<D:protected/></D:ace>"));
    let nobody = "<D:href>/dav/principals/nobody@elsewhere.example/</D:href>";
    for (body, condition) in [
        (deny, "grant-only"),
        (invert, "no-invert"),
        (protected, "no-protected-ace-conflict"),
        (acl(&ace("<D:all/>", "<D:read/>")), "allowed-principal"),
        (acl(&ace(nobody, "<D:read/>")), "recognized-principal"),
        (acl(&ace(&principal, "<D:write-properties/>")), "no-abstract"),
        (acl(&ace(&principal, "<D:fly/>")), "not-supported-privilege"),
    ] {
        let said = owner.expect(403, &["-X", "ACL", "--data", &body], &calendar)?;
        ensure!(said.contains(&format!("<D:{condition}/>")), "{condition}: {said}");
    }
    guest.expect(200, &[], &format!("{calendar}1.ics"))?;
    owner.expect(200, &["-X", "ACL", "--data", ACL_NOBODY], &calendar)?;
    guest.expect(404, &[], &format!("{calendar}1.ics"))?;
    guest.expect(404, &["-X", "REPORT", "-H", "Depth: 1", "--data", busy], &calendar)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assistant_acts_in_all_calendars() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let owner = Curl { appliance: &appliance, account: &anna };
    let guest = Curl { appliance: &appliance, account: &ben };
    let (her, his) =
        (format!("/dav/principals/{}/", anna.address), format!("/dav/principals/{}/", ben.address));
    let group = format!("{her}calendar-proxy-write/");
    let members = |hrefs: &str| {
        format!(
            "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:group-member-set>{hrefs}</D:group-member-set></D:prop>\
             </D:set></D:propertyupdate>"
        )
    };
    let href = format!("<D:href>{his}</D:href>");
    let said = guest.expect(207, &["-X", "PROPPATCH", "--data", &members(&href)], &group)?;
    ensure!(said.contains("403 Forbidden"), "only the owner says who: {said}");
    let said = owner.expect(207, &["-X", "PROPPATCH", "--data", &members(&href)], &group)?;
    ensure!(said.contains("200 OK"), "{said}");
    ensure!(owner.propfind(&group, "0", "<d:group-member-set/>")?.contains(&href), "the member is there");
    ensure!(
        !guest.propfind(&group, "0", "<d:group-member-set/>")?.contains(&href),
        "and told to the owner alone"
    );
    let later = format!("/dav/calendars/{}/later/", anna.address);
    owner.expect(201, &["-X", "MKCALENDAR", "--data", MKCALENDAR], &later)?;
    let expand = "<D:expand-property xmlns:D='DAV:'>\
        <D:property name='calendar-proxy-write-for' namespace='http://calendarserver.org/ns/'>\
        <D:property name='displayname'/><D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'/>\
        </D:property></D:expand-property>";
    let said = guest.ask(&["-X", "REPORT", "-H", "Depth: 0", "--data", expand], &his)?;
    ensure!(said.contains(&format!("<D:href>/dav/calendars/{}/</D:href>", anna.address)), "{said}");
    ensure!(guest.propfind(&his, "0", "<d:group-membership/>")?.contains(&group), "he is in the group");
    guest.expect(201, &["-X", "PUT", "--data-binary", EVENT], &format!("{later}1.ics"))?;
    ensure!(owner.ask(&[], &format!("{later}1.ics"))? == EVENT, "the assistant's event");
    guest.expect(
        409,
        &["-X", "PUT", "--data-binary", CARD],
        &format!("/dav/addressbooks/{}/contacts/1.vcf", anna.address),
    )?;
    owner.expect(207, &["-X", "PROPPATCH", "--data", &members("")], &group)?;
    guest.expect(404, &[], &format!("{later}1.ics"))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_of_a_guest_find_and_keep_what_is_shared() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let owner = Curl { appliance: &appliance, account: &anna };
    let work = format!("/dav/calendars/{}/work/", anna.address);
    owner.expect(201, &["-X", "MKCALENDAR", "--data", MKCALENDAR], &work)?;
    owner.expect(201, &["-X", "PUT", "--data-binary", EVENT], &format!("{work}1.ics"))?;
    owner.expect(200, &["-X", "POST", "--data", &share(&ben.address, "read-write")], &work)?;
    let contacts = format!("/dav/addressbooks/{}/contacts/", anna.address);
    owner.expect(201, &["-X", "PUT", "--data-binary", CARD], &format!("{contacts}1.vcf"))?;
    owner.expect(200, &["-X", "POST", "--data", &share(&ben.address, "read")], &contacts)?;

    // Python's caldav.
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("drive.py");
    std::fs::write(&script, DRIVE)?;
    let mut command = Command::new(python()?);
    command.arg(&script).arg(format!("http://{}/dav/", appliance.endpoints.http));
    command.args([&ben.address, &ben.password]);
    let said = stdout(&output_of(command, LIMIT)?)?;
    ensure!(said.trim().ends_with("done"), "{said}");
    ensure!(
        owner.ask(&[], &format!("{work}1.ics"))?.contains("changed by the guest"),
        "it is at the owner's"
    );

    // vdirsyncer, both ways.
    let computer = Computer::new(&appliance, &ben)?;
    computer.discover()?;
    computer.sync()?;
    let shared = |kind: &str| -> Result<PathBuf> {
        let mut all = std::fs::read_dir(computer.file(kind))?.filter_map(|entry| Some(entry.ok()?.path()));
        let is_shared = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("shared-"))
        };
        all.find(is_shared).context("a shared collection")
    };
    let (calendar, book) = (shared("cal")?, shared("con")?);
    let file = std::fs::read_dir(&calendar)?.next().context("an event")??.path();
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("changed by the guest", "changed on disk"))?;
    computer.sync()?;
    ensure!(owner.ask(&[], &format!("{work}1.ics"))?.contains("changed on disk"), "the owner has it");
    ensure!(std::fs::read_dir(&book)?.count() == 1, "the contact is there");
    Ok(())
}

/// What this test asks of curl besides.
trait Ask {
    /// What comes back, of this status.
    fn expect(&self, status: u16, arguments: &[&str], path: &str) -> Result<String>;

    fn propfind(&self, path: &str, depth: &str, properties: &str) -> Result<String>;
}

impl Ask for Curl<'_> {
    fn expect(&self, status: u16, arguments: &[&str], path: &str) -> Result<String> {
        let said = self.ask(&[&["-i"], arguments].concat(), path)?;
        ensure!(said.starts_with(&format!("HTTP/1.1 {status}")), "{status} of {arguments:?} {path}: {said}");
        Ok(said)
    }

    fn propfind(&self, path: &str, depth: &str, properties: &str) -> Result<String> {
        let body = format!(
            "<d:propfind xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' \
             xmlns:cs='http://calendarserver.org/ns/'><d:prop>{properties}</d:prop></d:propfind>"
        );
        self.ask(&["-X", "PROPFIND", "-H", &format!("Depth: {depth}"), "--data", &body], path)
    }
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    Some(text.split_once(before)?.1.split_once(after)?.0.to_owned())
}

fn share(address: &str, access: &str) -> String {
    format!(
        "<CS:share xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><CS:set><D:href>mailto:{address}</D:href>\
         <CS:summary>Work</CS:summary><CS:{access}/></CS:set></CS:share>"
    )
}

fn acl(aces: &str) -> String {
    format!("<D:acl xmlns:D='DAV:'>{aces}</D:acl>")
}

fn ace(principal: &str, privilege: &str) -> String {
    format!(
        "<D:ace><D:principal>{principal}</D:principal><D:grant><D:privilege>{privilege}</D:privilege></D:grant></D:ace>"
    )
}

const ACL_NOBODY: &str = "<D:acl xmlns:D='DAV:'/>";

const SYNC: &str = "<d:sync-collection xmlns:d='DAV:'><d:sync-token/><d:sync-level>1</d:sync-level>\
    <d:prop><d:getetag/></d:prop></d:sync-collection>";

const RENAME: &str = "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><d:displayname>Renamed</d:displayname>\
    <x:calendar-color xmlns:x='http://apple.com/ns/ical/'>#112233FF</x:calendar-color></d:prop></d:set></d:propertyupdate>";

const MKCALENDAR: &str = "<c:mkcalendar xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:set><d:prop>\
    <d:displayname>Work</d:displayname></d:prop></d:set></c:mkcalendar>";

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nSUMMARY:One\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

const CARD: &str =
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Carla\r\nN:Carla;;;;\r\nEMAIL:c@example.org\r\nEND:VCARD\r\n";

const DRIVE: &str = r#"
import sys, caldav
url, user, password = sys.argv[1:]
principal = caldav.DAVClient(url=url, username=user, password=password).principal()
names = [c.get_display_name() for c in principal.calendars()]
assert sum(name.startswith("Work (") for name in names) == 1 and "Calendar" in names, names
shared = next(c for c in principal.calendars() if c.get_display_name().startswith("Work ("))
[event] = shared.events()
event.icalendar_component["SUMMARY"] = "changed by the guest"
event.save()
[again] = shared.events()
assert again.icalendar_component["SUMMARY"] == "changed by the guest"
print("done")
"#;

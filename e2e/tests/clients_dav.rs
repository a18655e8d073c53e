//! Programs that we did not write keep calendars and contacts: vdirsyncer with khal and khard, Python's caldav, cadaver,
//! and curl for what Apple's and Google's clients send.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::dav::{Computer, Curl, LIMIT, between, header, propfind, python, stdout};
use kontor_e2e::process::output_of;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_computers_of_one_person_agree() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("anna").await?;
    let (one, two) = (Computer::new(&appliance, &account)?, Computer::new(&appliance, &account)?);
    one.discover()?;
    two.discover()?;

    // Made by a program on one, seen by a program on the other.
    one.khal(&["new", "-a", "calendar", "2026-12-24", "10:00", "2h", "Presents :: wrap them"])?;
    std::fs::write(one.file("con/contacts/carla.vcf"), card("carla", "Carla Muster", "3.0"))?;
    one.sync()?;
    two.sync()?;
    ensure!(two.khal(&["list", "2026-12-24", "1d"])?.contains("Presents"), "khal sees the event");
    let found = two.khard(&["email", "--parsable", "carla"])?;
    ensure!(found.contains("carla@example.org"), "khard sees the contact: {found}");
    let quiet = two.sync()?;
    ensure!(!quiet.contains("Copying") && !quiet.contains("Deleting"), "nothing is left to do: {quiet}");

    // Changed on both, the server's side wins here; deleted on one, gone on the other.
    let event = two.only_file("cal/calendar")?;
    let text = std::fs::read_to_string(&event)?;
    std::fs::write(&event, text.replace("Presents", "Presents and paper"))?;
    two.sync()?;
    let event = one.only_file("cal/calendar")?;
    std::fs::write(&event, std::fs::read_to_string(&event)?.replace("Presents", "Something else"))?;
    let said = one.sync()?;
    let here = std::fs::read_to_string(one.only_file("cal/calendar")?)?;
    ensure!(here.contains("Presents and paper"), "the conflict is solved as configured: {said}");
    std::fs::remove_file(one.only_file("cal/calendar")?)?;
    one.sync_with(&["--force-delete"])?;
    two.sync_with(&["--force-delete"])?;
    ensure!(two.only_file("cal/calendar").is_err(), "what was deleted is gone everywhere");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caldav_library_makes_finds_and_deletes() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("ben").await?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("drive.py");
    std::fs::write(&script, DRIVE)?;
    let mut command = Command::new(python()?);
    command.arg(&script).arg(format!("http://{}/dav/", appliance.endpoints.http));
    command.args([&account.address, &account.password]);
    let said = stdout(&output_of(command, LIMIT)?)?;
    ensure!(said.trim().ends_with("done"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cadaver_handles_cards_as_files() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("cleo").await?;
    let folder = tempfile::tempdir()?;
    let card = card("1", "Dora", "4.0");
    std::fs::write(folder.path().join("dora.vcf"), &card)?;
    let (host, port) = appliance.endpoints.http.rsplit_once(':').context("host:port")?;
    let netrc = format!("machine {host}\nlogin {}\npassword {}\n", account.address, account.password);
    std::fs::write(folder.path().join(".netrc"), netrc)?;
    let at = |file: &str| folder.path().join(file).display().to_string();
    let commands = format!(
        "put {} dora.vcf\nget dora.vcf {}\nmove dora.vcf moved.vcf\nls\ndelete moved.vcf\nls\nquit\n",
        at("dora.vcf"),
        at("again.vcf")
    );
    std::fs::write(folder.path().join("commands"), commands)?;
    let mut command = Command::new("sh");
    let line = format!(
        "cadaver http://{host}:{port}/dav/addressbooks/{}/contacts/ < {}",
        account.address,
        at("commands")
    );
    command.args(["-c", &line]).env("HOME", folder.path());
    let said = stdout(&output_of(command, LIMIT)?)?;
    ensure!(said.matches("succeeded").count() >= 5 && !said.contains("failed"), "{said}");
    ensure!(said.contains("moved.vcf") && said.contains("collection is empty"), "{said}");
    ensure!(std::fs::read(folder.path().join("again.vcf"))? == card.as_bytes(), "to the octet");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_the_order_of_apples_clients() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("emil").await?;
    let stranger = appliance.add_mailbox("stranger").await?;
    let curl = Curl { appliance: &appliance, account: &account };
    let address = &account.address;

    // Where is everything?
    let moved = curl.ask(&["-i", "-X", "PROPFIND"], "/.well-known/caldav")?;
    ensure!(moved.starts_with("HTTP/1.1 301") && moved.contains("location: /dav/"), "{moved}");
    let body = propfind("<d:current-user-principal/><d:principal-URL/><d:resourcetype/>");
    let root = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], "/dav/")?;
    ensure!(root.contains(&format!("<D:href>/dav/principals/{address}/</D:href>")), "{root}");
    let body = propfind("<c:calendar-home-set/><c:calendar-user-address-set/><d:displayname/>");
    let principal = format!("/dav/principals/{address}/");
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &principal)?;
    ensure!(said.contains(&format!("<D:href>/dav/calendars/{address}/</D:href>")), "{said}");
    ensure!(said.contains(&format!("mailto:{address}")), "{said}");

    // A calendar of one's own, with a colour, then an event with an exception.
    let home = format!("/dav/calendars/{address}");
    let made = curl.ask(&["-i", "-X", "MKCALENDAR", "--data", MKCALENDAR], &format!("{home}/6F1E/"))?;
    ensure!(made.starts_with("HTTP/1.1 201"), "{made}");
    let again = curl.ask(&["-i", "-X", "MKCALENDAR"], &format!("{home}/6F1E/"))?;
    ensure!(again.starts_with("HTTP/1.1 405"), "{again}");
    let body =
        propfind("<d:displayname/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/><cs:getctag/>");
    let listed = ["-X", "PROPFIND", "-H", "Depth: 1", "--data", &body];
    let said = curl.ask(&listed, &format!("{home}/"))?;
    ensure!(said.contains("Work &amp; more") && said.contains("#1BADF8FF"), "{said}");

    let event = format!("{home}/6F1E/A1.ics");
    let put = [
        "-i",
        "-X",
        "PUT",
        "-H",
        "If-None-Match: *",
        "-H",
        "Content-Type: text/calendar",
        "--data-binary",
        WEEKLY,
    ];
    let first = curl.ask(&put, &event)?;
    ensure!(first.starts_with("HTTP/1.1 201"), "{first}");
    let etag = header(&first, "etag").context("an ETag")?;
    ensure!(curl.ask(&put, &event)?.starts_with("HTTP/1.1 412"), "it is there already");
    let sync = |token: &str| {
        format!(
            "<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>\
             <d:prop><d:getetag/></d:prop></d:sync-collection>"
        )
    };
    let collection = format!("{home}/6F1E/");
    let said = curl.ask(&["-X", "REPORT", "--data", &sync("")], &collection)?;
    ensure!(said.contains("A1.ics") && said.contains(etag.trim_matches('"')), "{said}");
    let token = between(&said, "<D:sync-token>", "</D:sync-token>").context("a token")?;

    // Changed with the right version, refused with the old one, and seen by the next synchronization.
    let changed = WEEKLY.replace("Standup", "Stand up");
    let with = format!("If-Match: {etag}");
    let put = ["-i", "-X", "PUT", "-H", &with, "--data-binary", &changed];
    ensure!(curl.ask(&put, &event)?.starts_with("HTTP/1.1 204"), "a new version");
    ensure!(curl.ask(&put, &event)?.starts_with("HTTP/1.1 412"), "a stale one");
    ensure!(curl.ask(&[], &event)? == changed, "to the octet");
    let said = curl.ask(&["-X", "REPORT", "--data", &sync(&token)], &collection)?;
    ensure!(said.matches("<D:response>").count() == 1 && said.contains("200 OK"), "{said}");
    let token = between(&said, "<D:sync-token>", "</D:sync-token>").context("a token")?;

    // A week of it, each instance by itself.
    let said = curl.ask(&["-X", "REPORT", "-H", "Depth: 1", "--data", EXPANDED], &collection)?;
    ensure!(said.matches("BEGIN:VEVENT").count() == 1 && said.contains("DTSTART:20261209T090000Z"), "{said}");

    ensure!(curl.ask(&["-i", "-X", "DELETE"], &event)?.starts_with("HTTP/1.1 204"), "deleted");
    ensure!(curl.ask(&["-i"], &event)?.starts_with("HTTP/1.1 404"), "gone");
    let said = curl.ask(&["-X", "REPORT", "--data", &sync(&token)], &collection)?;
    ensure!(said.contains("A1.ics") && said.contains("404 Not Found"), "{said}");
    let said = curl.ask(&["-i", "-X", "REPORT", "--data", &sync("urn:x")], &collection)?;
    ensure!(said.starts_with("HTTP/1.1 403") && said.contains("valid-sync-token"), "{said}");

    // A stranger does not even learn that it exists.
    let other = Curl { appliance: &appliance, account: &stranger };
    let nobody =
        format!("/dav/calendars/nobody@{}/x/", address.split_once('@').map_or("", |(_, domain)| domain));
    for path in [collection.as_str(), &format!("{home}/"), &nobody] {
        let said = other.ask(&["-i", "-X", "PROPFIND", "-H", "Depth: 1"], path)?;
        ensure!(said.starts_with("HTTP/1.1 404"), "{path}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_and_loses_nothing() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("frida").await?;
    let curl = Curl { appliance: &appliance, account: &account };
    let home = format!("/dav/calendars/{}", account.address);
    let event = format!("{home}/calendar/1.ics");
    let put = |text: &str| curl.ask(&["-i", "-X", "PUT", "--data-binary", text], &event);
    ensure!(put(WEEKLY)?.starts_with("HTTP/1.1 201"), "a good one");
    let todo = WEEKLY.replace("VEVENT", "VTODO");
    let unnamed = WEEKLY.replace("UID:A1\r\n", "");
    for (text, condition) in [
        ("nonsense", "valid-calendar-data"),
        ("", "valid-calendar-data"),
        (todo.as_str(), "supported-calendar-component"),
        (unnamed.as_str(), "valid-calendar-object-resource"),
    ] {
        let said = put(text)?;
        ensure!(said.starts_with("HTTP/1.1 403") && said.contains(condition), "{condition}: {said}");
    }
    ensure!(curl.ask(&[], &event)? == WEEKLY, "the good one is still there");
    let twin = curl.ask(&["-i", "-X", "PUT", "--data-binary", WEEKLY], &format!("{home}/calendar/2.ics"))?;
    ensure!(twin.contains("no-uid-conflict") && twin.contains("1.ics"), "{twin}");
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large.ics");
    std::fs::write(&large, vec![b'x'; 11 << 20])?;
    let from = format!("@{}", large.display());
    let said = curl.ask(&["-i", "-X", "PUT", "--data-binary", &from], &event)?;
    ensure!(said.contains("HTTP/1.1 413"), "{said}");
    let bomb = "<!DOCTYPE x [<!ENTITY a 'b'>]><d:propfind xmlns:d='DAV:'><d:prop><d:a>&a;</d:a></d:prop></d:propfind>";
    let said = curl.ask(&["-i", "-X", "PROPFIND", "-H", "Depth: 0", "--data", bomb], &format!("{home}/"))?;
    ensure!(said.starts_with("HTTP/1.1 403") && said.contains("no-external-entities"), "{said}");
    let said = curl.ask(&["-i", "-X", "PUT", "--data-binary", WEEKLY], &format!("{home}/nowhere/1.ics"))?;
    ensure!(said.starts_with("HTTP/1.1 409"), "{said}");
    let said = curl.ask(&["-i", "-X", "DELETE"], &format!("{home}/calendar/"))?;
    ensure!(said.starts_with("HTTP/1.1 403"), "{said}");

    let wrong = Account { password: "wrong".to_owned(), ..account.clone() };
    let said = Curl { appliance: &appliance, account: &wrong }.ask(&["-i"], &event)?;
    ensure!(said.starts_with("HTTP/1.1 401") && said.contains("Basic realm="), "{said}");
    Ok(())
}

fn card(uid: &str, name: &str, version: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEMAIL:{uid}@example.org\r\nEND:VCARD\r\n"
    )
}

const MKCALENDAR: &str = "<c:mkcalendar xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:set><d:prop>\
    <d:displayname>Work &amp; more</d:displayname>\
    <x:calendar-color xmlns:x='http://apple.com/ns/ical/'>#1BADF8FF</x:calendar-color>\
    <c:supported-calendar-component-set><c:comp name='VEVENT'/></c:supported-calendar-component-set>\
    </d:prop></d:set></c:mkcalendar>";

const WEEKLY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:A1\r\n\
    DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nRRULE:FREQ=WEEKLY\r\n\
    SUMMARY:Standup\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:A1\r\nDTSTAMP:20261101T000000Z\r\n\
    RECURRENCE-ID:20261209T080000Z\r\nDTSTART:20261209T090000Z\r\nDURATION:PT30M\r\nSUMMARY:Later\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

const EXPANDED: &str = "<c:calendar-query xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop>\
    <c:calendar-data><c:expand start='20261207T000000Z' end='20261214T000000Z'/></c:calendar-data></d:prop>\
    <c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>\
    <c:time-range start='20261207T000000Z' end='20261214T000000Z'/>\
    </c:comp-filter></c:comp-filter></c:filter></c:calendar-query>";

const DRIVE: &str = r#"
import datetime, sys, caldav
url, user, password = sys.argv[1:]
client = caldav.DAVClient(url=url, username=user, password=password)
principal = client.principal()
assert sorted(c.get_display_name() for c in principal.calendars()) == ["Birthdays", "Calendar", "Journal", "Tasks"]
project = principal.make_calendar(name="Project")
event = project.save_event(dtstart=datetime.datetime(2026, 12, 24, 10), dtend=datetime.datetime(2026, 12, 24, 11),
                           summary="first", rrule={"FREQ": "DAILY", "COUNT": 3})
month = dict(start=datetime.datetime(2026, 12, 1), end=datetime.datetime(2027, 1, 1))
assert len(project.search(event=True, expand=True, **month)) == 3
assert len(project.search(event=True, start=datetime.datetime(2027, 2, 1), end=datetime.datetime(2027, 3, 1))) == 0
state = project.objects(load_objects=True)
assert len(list(state)) == 1
event.icalendar_component["SUMMARY"] = "second"
event.save()
changed = list(project.objects_by_sync_token(state.sync_token, load_objects=True))
assert [c.icalendar_component["SUMMARY"] for c in changed] == ["second"], changed
tasks = next(c for c in principal.calendars() if c.get_display_name() == "Tasks")
task = tasks.save_todo(summary="buy bread", due=datetime.date(2026, 12, 1))
assert [str(t.icalendar_component["SUMMARY"]) for t in tasks.todos()] == ["buy bread"]
task.complete()
assert tasks.todos() == []
event.delete()
assert project.events() == []
project.delete()
assert sorted(c.get_display_name() for c in principal.calendars()) == ["Birthdays", "Calendar", "Journal", "Tasks"]
print("done")
"#;

//! What plain WebDAV asks of a server beside calendars: locks, copies and moves of collections, parts of files, exports.
//! By cadaver, and by curl for what cadaver does not send.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::dav::{Curl, between, header, propfind, stdout};
use kontor_e2e::process::output_of;

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cadaver_locks_edits_copies_and_moves() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("cleo").await?;
    let book = format!("/dav/addressbooks/{}/", account.address);
    let curl = Curl { appliance: &appliance, account: &account };
    let cadaver = Cadaver::new(&appliance, &account)?;
    std::fs::write(cadaver.file("dora.vcf"), card("1", "Dora"))?;
    std::fs::write(cadaver.file("erik.vcf"), card("2", "Erik"))?;

    // While one program has a lock, another changes nothing, and the program with the lock does.
    let (said, other) = cadaver.run_with(
        &format!("{book}contacts/"),
        &[
            &format!("put {} dora.vcf", cadaver.path("dora.vcf")),
            "lock dora.vcf",
            "discover dora.vcf",
            "!pause",
            &format!("put {} dora.vcf", cadaver.path("dora.vcf")),
            "unlock dora.vcf",
            "ls",
        ],
        || {
            let url = format!("{book}contacts/dora.vcf");
            let put = curl.ask(&["-i", "-X", "PUT", "--data-binary", &card("1", "Other")], &url)?;
            let deleted = curl.ask(&["-i", "-X", "DELETE"], &url)?;
            let moved = curl.ask(&["-i", "-X", "MOVE", "-H", &format!("Destination: {url}2")], &url)?;
            Ok(vec![put, deleted, moved])
        },
    )?;
    ensure!(other.len() == 3, "{other:?}");
    for answer in &other {
        ensure!(answer.starts_with("HTTP/1.1 423") && answer.contains("lock-token-submitted"), "{answer}");
    }
    ensure!(said.contains("urn:uuid:") && !said.contains("failed"), "{said}");
    let url = format!("{book}contacts/dora.vcf");
    ensure!(
        curl.ask(&["-i", "-X", "PUT", "--data-binary", &card("1", "Other")], &url)?.contains(" 204"),
        "unlocked"
    );

    // It edits: locks, fetches, lets the editor change the file, stores, unlocks.
    let said = cadaver.run(&format!("{book}contacts/"), &["edit dora.vcf"])?;
    ensure!(said.contains("Changes were made") || said.contains("succeeded"), "{said}");
    ensure!(curl.ask(&[], &url)?.contains("FN:Edited"), "{said}");

    // Whole address books.
    let said = cadaver.run(
        &book,
        &[
            "mkcol old",
            &format!("put {} old/erik.vcf", cadaver.path("erik.vcf")),
            "copy old new",
            "move old renamed",
            "ls",
            "delete renamed/erik.vcf",
            "ls new",
            "lock new",
            "unlock new",
            "rmcol new",
        ],
    )?;
    ensure!(said.contains("renamed") && said.contains("erik.vcf") && !said.contains("failed"), "{said}");
    ensure!(curl.ask(&["-i"], &format!("{book}old/erik.vcf"))?.starts_with("HTTP/1.1 404"), "moved");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_as_rfc_4918_has_them() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let curl = Curl { appliance: &appliance, account: &anna };
    let home = format!("/dav/calendars/{}", anna.address);
    let calendar = format!("{home}/work/");
    ensure!(curl.ask(&["-i"], "/dav/")?.contains("dav: 1, 2, 3"), "the classes");
    curl.ask(&["-X", "MKCALENDAR"], &calendar)?;
    let event = format!("{calendar}1.ics");
    let lock = |url: &str, scope: &str, more: &[&str]| {
        let body = format!(
            "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:{scope}/></d:lockscope><d:locktype><d:write/></d:locktype>\
             <d:owner><d:href>mailto:anna</d:href></d:owner></d:lockinfo>"
        );
        curl.ask(&[&["-i", "-X", "LOCK", "--data", &body], more].concat(), url)
    };
    let put = |url: &str, text: &str, more: &[&str]| {
        curl.ask(&[&["-i", "-X", "PUT", "--data-binary", text], more].concat(), url)
    };
    let token_of = |answer: &str| header(answer, "lock-token").map(str::to_owned).context("a Lock-Token");

    // A name at which nothing is yet.
    let locked = lock(&event, "exclusive", &["-H", "Timeout: Second-100"])?;
    ensure!(locked.starts_with("HTTP/1.1 201") && locked.contains("<D:lockscope><D:exclusive/>"), "{locked}");
    ensure!(locked.contains("mailto:anna") && locked.contains("<D:timeout>Second-"), "{locked}");
    let token = token_of(&locked)?;
    ensure!(put(&event, &meeting("1", "a"), &[])?.starts_with("HTTP/1.1 423"), "without the token");
    let with = format!("If: ({token})");
    ensure!(put(&event, &meeting("1", "a"), &["-H", &with])?.starts_with("HTTP/1.1 201"), "with the token");
    let refused = lock(&event, "shared", &[])?;
    ensure!(refused.starts_with("HTTP/1.1 423") && refused.contains("no-conflicting-lock"), "{refused}");
    let refused = lock(&calendar, "exclusive", &["-H", "Depth: infinity"])?;
    ensure!(refused.starts_with("HTTP/1.1 423") && refused.contains("1.ics"), "{refused}");
    // The condition and the version, both right, one wrong.
    let tag = header(&curl.ask(&["-i"], &event)?, "etag").context("a tag")?.to_owned();
    let if_all = |tag: &str| format!("If: <http://x{event}> ({token} [{tag}])");
    ensure!(
        put(&event, &meeting("1", "b"), &["-H", &if_all("\"0\"")])?.starts_with("HTTP/1.1 412"),
        "no such version"
    );
    ensure!(
        put(&event, &meeting("1", "b"), &["-H", &if_all(&tag)])?.starts_with("HTTP/1.1 204"),
        "this version"
    );
    let two = format!("If: <{event}> ({token}) <{calendar}> (Not <DAV:no-lock>)");
    ensure!(put(&event, &meeting("1", "c"), &["-H", &two])?.starts_with("HTTP/1.1 204"), "two resources");
    ensure!(
        curl.ask(&["-i", "-H", "If: (<urn:x:1>)"], &event)?.starts_with("HTTP/1.1 412"),
        "GET has conditions too"
    );
    // It is refreshed, and never longer than an hour.
    let again = curl.ask(&["-i", "-X", "LOCK", "-H", &with, "-H", "Timeout: Infinite"], &event)?;
    ensure!(again.starts_with("HTTP/1.1 200") && again.contains("Second-3600"), "{again}");
    // The collection cannot go while something in it is locked.
    let kept = curl.ask(&["-i", "-X", "DELETE"], &calendar)?;
    ensure!(kept.starts_with("HTTP/1.1 423") && kept.contains("1.ics"), "{kept}");
    let wrong = curl.ask(&["-i", "-X", "UNLOCK", "-H", &format!("Lock-Token: {token}")], &calendar)?;
    ensure!(wrong.starts_with("HTTP/1.1 409") && wrong.contains("lock-token-matches-request-uri"), "{wrong}");
    let open = curl.ask(&["-i", "-X", "UNLOCK", "-H", &format!("Lock-Token: {token}")], &event)?;
    ensure!(open.starts_with("HTTP/1.1 204"), "{open}");

    // Two that share one; a change needs one of them.
    let one = token_of(&lock(&event, "shared", &[])?)?;
    let two = token_of(&lock(&event, "shared", &[])?)?;
    ensure!(one != two && lock(&event, "exclusive", &[])?.starts_with("HTTP/1.1 423"), "shared");
    ensure!(
        put(&event, &meeting("1", "d"), &["-H", &format!("If: ({two})")])?.contains(" 204"),
        "one of them"
    );
    let deleted = curl.ask(&["-i", "-X", "DELETE", "-H", &format!("If: ({one})")], &event)?;
    ensure!(deleted.starts_with("HTTP/1.1 204"), "{deleted}");
    ensure!(
        put(&event, &meeting("1", "e"), &[])?.starts_with("HTTP/1.1 201"),
        "a lock goes with what it is of"
    );

    // A collection: its properties, and with depth all that is in it.
    let deep = token_of(&lock(&calendar, "exclusive", &[])?)?;
    let name = "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><d:displayname>N</d:displayname></d:prop></d:set></d:propertyupdate>";
    ensure!(
        curl.ask(&["-i", "-X", "PROPPATCH", "--data", name], &calendar)?.starts_with("HTTP/1.1 423"),
        "PROPPATCH"
    );
    ensure!(put(&event, &meeting("1", "f"), &[])?.starts_with("HTTP/1.1 423"), "inside");
    ensure!(
        put(&event, &meeting("1", "f"), &["-H", &format!("If: <{calendar}> ({deep})")])?.contains(" 204"),
        "inside"
    );
    let body =
        "<d:propfind xmlns:d='DAV:'><d:prop><d:lockdiscovery/><d:supportedlock/></d:prop></d:propfind>";
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 1", "--data", body], &calendar)?;
    ensure!(
        said.matches("<D:activelock>").count() == 2 && said.matches("<D:shared/>").count() == 2,
        "{said}"
    );
    ensure!(said.contains(&format!("<D:lockroot><D:href>{calendar}</D:href>")), "{said}");
    // A stranger cannot lock, unlock or learn anything.
    let other = Curl { appliance: &appliance, account: &ben };
    let stranger = other.ask(&["-i", "-X", "UNLOCK", "-H", &format!("Lock-Token: {deep}")], &calendar)?;
    ensure!(stranger.starts_with("HTTP/1.1 409") || stranger.starts_with("HTTP/1.1 404"), "{stranger}");
    let gone = curl.ask(&["-i", "-X", "DELETE", "-H", &format!("If: ({deep})")], &calendar)?;
    ensure!(gone.starts_with("HTTP/1.1 204"), "{gone}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_are_copied_moved_and_exported() -> Result<()> {
    let appliance = Appliance::start().await?;
    let anna = appliance.add_mailbox("anna").await?;
    let curl = Curl { appliance: &appliance, account: &anna };
    let home = format!("/dav/calendars/{}", anna.address);
    let to = |slug: &str| format!("Destination: http://localhost{home}/{slug}/");
    let make = "<c:mkcalendar xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:set><d:prop>\
        <d:displayname>Trips</d:displayname><x:y xmlns:x='urn:x'>kept</x:y></d:prop></d:set></c:mkcalendar>";
    curl.ask(&["-X", "MKCALENDAR", "--data", make], &format!("{home}/a/"))?;
    for (uid, zone) in [("1", "Europe/Berlin"), ("2", "Europe/Berlin"), ("3", "My zone")] {
        let text = zoned(uid, zone);
        let put = curl.ask(&["-i", "-X", "PUT", "--data-binary", &text], &format!("{home}/a/{uid}.ics"))?;
        ensure!(put.starts_with("HTTP/1.1 201"), "{put}");
    }
    // A copy has the properties and the objects; with Depth 0 no objects.
    let copied = curl.ask(&["-i", "-X", "COPY", "-H", &to("b")], &format!("{home}/a/"))?;
    ensure!(copied.starts_with("HTTP/1.1 201"), "{copied}");
    ensure!(curl.ask(&[], &format!("{home}/b/1.ics"))? == zoned("1", "Europe/Berlin"), "to the octet");
    let body = "<d:propfind xmlns:d='DAV:' xmlns:x='urn:x'><d:prop><x:y/></d:prop></d:propfind>";
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 1", "--data", body], &format!("{home}/b/"))?;
    ensure!(said.contains("kept") && said.matches("<D:response>").count() == 4, "{said}");
    let refused =
        curl.ask(&["-i", "-X", "COPY", "-H", &to("b"), "-H", "Overwrite: F"], &format!("{home}/a/"))?;
    ensure!(refused.starts_with("HTTP/1.1 412"), "{refused}");
    let over = curl.ask(&["-i", "-X", "COPY", "-H", &to("b"), "-H", "Depth: 0"], &format!("{home}/a/"))?;
    ensure!(over.starts_with("HTTP/1.1 204"), "{over}");
    ensure!(curl.ask(&["-i"], &format!("{home}/b/1.ics"))?.starts_with("HTTP/1.1 404"), "empty");
    let moved = curl.ask(&["-i", "-X", "MOVE", "-H", &to("b")], &format!("{home}/a/"))?;
    ensure!(moved.starts_with("HTTP/1.1 204"), "{moved}");
    ensure!(curl.ask(&["-i"], &format!("{home}/a/1.ics"))?.starts_with("HTTP/1.1 404"), "moved away");
    for (from, to) in [("calendar", to("c")), ("b", to("calendar")), ("b", to("b"))] {
        let refused = curl.ask(&["-i", "-X", "MOVE", "-H", &to], &format!("{home}/{from}/"))?;
        ensure!(refused.starts_with("HTTP/1.1 403"), "{from} {to}: {refused}");
    }

    // The whole calendar as one object, each zone once.
    let all = curl.ask(&["-i", "-H", "Accept: text/calendar"], &format!("{home}/b/"))?;
    ensure!(
        all.contains("content-type: text/calendar") && all.matches("BEGIN:VCALENDAR").count() == 1,
        "{all}"
    );
    ensure!(all.matches("BEGIN:VEVENT").count() == 3 && all.matches("BEGIN:VTIMEZONE").count() == 2, "{all}");
    ensure!(curl.ask(&[], &format!("{home}/b/?export"))?.starts_with("BEGIN:VCALENDAR"), "by its address");
    let page = curl.ask(&["-i", "-H", "Accept: text/html"], &format!("{home}/b/"))?;
    ensure!(page.contains("text/html") && page.contains("Trips") && page.contains("?export"), "{page}");
    let book = format!("/dav/addressbooks/{}/contacts/", anna.address);
    for uid in ["x", "y"] {
        curl.ask(&["-X", "PUT", "--data-binary", &card(uid, uid)], &format!("{book}{uid}.vcf"))?;
    }
    let cards = curl.ask(&[], &format!("{book}?export"))?;
    ensure!(cards.matches("BEGIN:VCARD").count() == 2, "{cards}");

    // A part of an object.
    let card_url = format!("{book}x.vcf");
    let whole = card("x", "x");
    let part = curl.ask(&["-i", "-H", "Range: bytes=6-10"], &card_url)?;
    ensure!(part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\nVCARD"), "{part}");
    ensure!(part.contains(&format!("content-range: bytes 6-10/{}", whole.len())), "{part}");
    ensure!(curl.ask(&["-H", "Range: bytes=-5"], &card_url)? == whole[whole.len() - 5..], "the end");
    let beyond = curl.ask(&["-i", "-H", "Range: bytes=9999-"], &card_url)?;
    ensure!(
        beyond.starts_with("HTTP/1.1 416") && beyond.contains(&format!("bytes */{}", whole.len())),
        "{beyond}"
    );
    let stale = curl.ask(&["-i", "-H", "Range: bytes=6-10", "-H", "If-Range: \"0\""], &card_url)?;
    ensure!(stale.starts_with("HTTP/1.1 200"), "{stale}");
    let tag = header(&part, "etag").context("a tag")?;
    let fresh = curl.ask(&["-i", "-H", "Range: bytes=6-10", "-H", &format!("If-Range: {tag}")], &card_url)?;
    ensure!(fresh.starts_with("HTTP/1.1 206"), "{fresh}");
    let head = curl.ask(&["-I"], &card_url)?;
    ensure!(
        head.contains(&format!("content-length: {}", whole.len())) && head.contains("accept-ranges: bytes"),
        "{head}"
    );

    // A member that the server names.
    let body = "<d:propfind xmlns:d='DAV:'><d:prop><d:add-member/></d:prop></d:propfind>";
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", body], &book)?;
    let add = between(&said, "<D:add-member><D:href>", "</D:href>").context("where to add")?;
    let made = curl.ask(
        &["-i", "-X", "POST", "-H", "Content-Type: text/vcard", "--data-binary", &card("z", "Z")],
        &add,
    )?;
    ensure!(made.starts_with("HTTP/1.1 201") && header(&made, "etag").is_some(), "{made}");
    let at = header(&made, "location").context("a Location")?;
    ensure!(curl.ask(&[], at)? == card("z", "Z"), "{made}");
    let twin = curl.ask(
        &["-i", "-X", "POST", "-H", "Content-Type: text/vcard", "--data-binary", &card("z", "Z")],
        &add,
    )?;
    ensure!(twin.starts_with("HTTP/1.1 403") && twin.contains("no-uid-conflict"), "{twin}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_hours_and_files() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, ben) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("ben").await?);
    let curl = Curl { appliance: &appliance, account: &anna };
    let home = format!("/dav/calendars/{}/", anna.address);
    let calendar = format!("{home}calendar/");
    let dav = curl.ask(&["-i"], "/dav/")?;
    ensure!(dav.contains("calendar-no-timezone") && dav.contains("calendar-managed-attachments"), "{dav}");

    // An event that names its zone and does not describe it; who wants no descriptions gets it as it was.
    let bare =
        meeting("1", "a").replace("DTSTART:20261202T080000Z", "DTSTART;TZID=Europe/Berlin:20261202T090000");
    let event = format!("{calendar}1.ics");
    let made = curl.ask(&["-i", "-X", "PUT", "--data-binary", &bare], &event)?;
    ensure!(
        made.starts_with("HTTP/1.1 201") && header(&made, "etag").is_none(),
        "what is stored is more: {made}"
    );
    let full = curl.ask(&[], &event)?;
    ensure!(full.contains("BEGIN:VTIMEZONE") && full.contains("TZID:Europe/Berlin"), "{full}");
    ensure!(curl.ask(&["-H", "CalDAV-Timezones: F"], &event)? == bare, "without zones");
    let again =
        curl.ask(&["-i", "-X", "PUT", "-H", "CalDAV-Timezones: F", "--data-binary", &bare], &event)?;
    ensure!(again.contains(" 204 ") && header(&again, "etag").is_some(), "{again}");
    let query = "<c:calendar-query xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop><c:calendar-data/></d:prop>\
        <c:timezone-id>America/New_York</c:timezone-id>\
        <c:filter><c:comp-filter name='VCALENDAR'/></c:filter></c:calendar-query>";
    let report = ["-X", "REPORT", "-H", "Depth: 1", "--data", query];
    ensure!(curl.ask(&report, &calendar)?.contains("BEGIN:VTIMEZONE"), "with zones");
    let without = [&report[..], &["-H", "CalDAV-Timezones: F"]].concat();
    let said = curl.ask(&without, &calendar)?;
    ensure!(said.contains("SUMMARY:a") && !said.contains("VTIMEZONE"), "{said}");
    let set = |property: &str| {
        format!(
            "<d:propertyupdate xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:set><d:prop>{property}</d:prop></d:set></d:propertyupdate>"
        )
    };
    let wrong = set("<c:calendar-timezone-id>Nowhere/Town</c:calendar-timezone-id>");
    let said = curl.ask(&["-X", "PROPPATCH", "--data", &wrong], &calendar)?;
    ensure!(said.contains("valid-timezone") && said.contains("403"), "{said}");
    let right = set("<c:calendar-timezone-id>Asia/Tokyo</c:calendar-timezone-id>");
    curl.ask(&["-X", "PROPPATCH", "--data", &right], &calendar)?;
    let body = "<d:propfind xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop><c:calendar-timezone/>\
        <c:calendar-availability/><c:max-attachment-size/></d:prop></d:propfind>";
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", body], &calendar)?;
    ensure!(said.contains("TZOFFSETTO:+0900") && said.contains("26214400"), "{said}");

    // Working hours, seen by their owner alone.
    let hours = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VAVAILABILITY\r\nUID:v\r\nBEGIN:AVAILABLE\r\nUID:w\r\n\
        DTSTART;TZID=Europe/Berlin:20261201T080000\r\nDTEND;TZID=Europe/Berlin:20261201T160000\r\nRRULE:FREQ=DAILY\r\n\
        END:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n";
    let patch = set(&format!("<c:calendar-availability>{hours}</c:calendar-availability>"));
    let said = curl.ask(&["-X", "PROPPATCH", "--data", &patch], &home)?;
    ensure!(said.contains("200 OK"), "{said}");
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", body], &home)?;
    ensure!(said.contains("BEGIN:VAVAILABILITY"), "{said}");
    let nonsense = set("<c:calendar-availability>x</c:calendar-availability>");
    let said = curl.ask(&["-X", "PROPPATCH", "--data", &nonsense], &home)?;
    ensure!(said.contains("valid-calendar-data"), "{said}");

    // Whoever sets other properties at the same moment undoes nothing.
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|number| {
                let (curl, calendar, set) = (&curl, &calendar, &set);
                scope.spawn(move || {
                    let patch = set(&format!("<x:p{number} xmlns:x='urn:x'>{number}</x:p{number}>"));
                    curl.ask(&["-X", "PROPPATCH", "--data", &patch], calendar)
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| {
            let said = client.join().map_err(|_| anyhow::anyhow!("a client died"))??;
            ensure!(said.contains("200 OK"), "{said}");
            Ok(())
        })
    })?;
    let names: String = (0..6).map(|number| format!("<x:p{number} xmlns:x='urn:x'/>")).collect();
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &propfind(&names)], &calendar)?;
    ensure!((0..6).all(|number| said.contains(&format!(">{number}</"))), "{said}");

    // A file is added, read by who knows its address, changed, and taken away.
    let post = |query: &str, more: &[&str]| {
        let url = format!("{event}?{query}");
        curl.ask(&[&["-i", "-X", "POST"], more].concat(), &url)
    };
    let added = post(
        "action=attachment-add",
        &[
            "-H",
            "Content-Type: text/plain",
            "-H",
            "Content-Disposition: attachment; filename=\"agenda \u{e4}.txt\"",
            "-H",
            "Prefer: return=representation",
            "--data-binary",
            "first, second",
        ],
    )?;
    let id = header(&added, "cal-managed-id").context("an id")?.to_owned();
    ensure!(added.starts_with("HTTP/1.1 201") && added.contains("BEGIN:VEVENT"), "{added}");
    let text = curl.ask(&[], &event)?.replace("\r\n ", "");
    let attach = text.lines().find(|line| line.starts_with("ATTACH")).context("an ATTACH")?;
    for part in ["SIZE=13", "FMTTYPE=text/plain", &format!("MANAGED-ID={id}"), "FILENAME="] {
        ensure!(attach.contains(part), "{part}: {attach}");
    }
    let path = |attach: &str| {
        between(attach, "/dav/attachments/", "\r").map(|path| format!("/dav/attachments/{path}"))
    };
    let at = path(&format!("{attach}\r")).context("where it is")?;
    let other = Curl { appliance: &appliance, account: &ben };
    let got = other.ask(&["-i"], &at)?;
    ensure!(
        got.ends_with("\r\n\r\nfirst, second") && got.contains("content-disposition: attachment"),
        "{got}"
    );
    ensure!(curl.ask(&["-H", "Range: bytes=7-"], &at)? == "second", "a part");
    let guess = at.replace(id.get(..4).unwrap_or_default(), "0000");
    ensure!(other.ask(&["-i"], &guess)?.starts_with("HTTP/1.1 404"), "a guess");
    let updated = post(&format!("action=attachment-update&managed-id={id}"), &["--data-binary", "new"])?;
    let new_id = header(&updated, "cal-managed-id").context("a new id")?.to_owned();
    ensure!(updated.starts_with("HTTP/1.1 204") && new_id != id, "{updated}");
    for (query, condition) in [
        ("action=attachment-dance", "valid-action"),
        (&*format!("action=attachment-remove&managed-id={id}"), "valid-managed-id"),
        ("action=attachment-add&rid=20200101T000000Z", "valid-rid"),
    ] {
        let refused = post(query, &["--data-binary", "x"])?;
        ensure!(refused.starts_with("HTTP/1.1 403") && refused.contains(condition), "{condition}: {refused}");
    }
    let removed = post(&format!("action=attachment-remove&managed-id={new_id}"), &[])?;
    ensure!(removed.starts_with("HTTP/1.1 204") && !curl.ask(&[], &event)?.contains("ATTACH"), "{removed}");
    Ok(())
}

/// cadaver on a computer of its own.
struct Cadaver {
    folder: tempfile::TempDir,
    server: String,
}

impl Cadaver {
    fn new(appliance: &Appliance, account: &Account) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (host, _) = appliance.endpoints.http.rsplit_once(':').context("host:port")?;
        let netrc = format!("machine {host}\nlogin {}\npassword {}\n", account.address, account.password);
        std::fs::write(folder.path().join(".netrc"), netrc)?;
        let editor = folder.path().join("editor");
        std::fs::write(
            &editor,
            "#!/bin/sh\nsed -i 's/^FN:.*\\r$/FN:Edited\\r/' \"$1\"\nsleep 1; touch \"$1\"\n",
        )?;
        let mut executable = Command::new("chmod");
        executable.arg("+x").arg(&editor);
        stdout(&output_of(executable, LIMIT)?)?;
        Ok(Self { folder, server: format!("http://{}", appliance.endpoints.http) })
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn run(&self, at: &str, commands: &[&str]) -> Result<String> {
        Ok(self.run_with(at, commands, || Ok(Vec::new()))?.0)
    }

    /// Runs commands, and something else at the command `!pause`.
    fn run_with(
        &self,
        at: &str,
        commands: &[&str],
        meanwhile: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<(String, Vec<String>)> {
        let (before, after) = match commands.iter().position(|command| *command == "!pause") {
            Some(pause) => (&commands[..pause], &commands[pause + 1..]),
            None => (commands, &[][..]),
        };
        std::fs::write(self.file("before"), before.join("\n") + "\n")?;
        std::fs::write(self.file("after"), after.join("\n") + "\nquit\n")?;
        let line =
            "(cat before; touch reached; while [ ! -e go ]; do sleep 0.1; done; cat after) | cadaver \"$0\"";
        for flag in ["reached", "go"] {
            drop(std::fs::remove_file(self.file(flag)));
        }
        let mut command = Command::new("sh");
        command.args(["-c", line]).arg(format!("{}{at}", self.server));
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("EDITOR", self.file("editor"));
        let output = std::thread::scope(|scope| {
            let running = scope.spawn(|| output_of(command, LIMIT));
            while !self.file("reached").exists() && !running.is_finished() {
                std::thread::sleep(Duration::from_millis(50));
            }
            // What was written is done a moment later: the pipe holds it until then.
            std::thread::sleep(Duration::from_millis(if after.is_empty() { 0 } else { 3000 }));
            let outcome = meanwhile();
            std::fs::write(self.file("go"), "")?;
            let output = running.join().map_err(|_| anyhow::anyhow!("cadaver was not waited for"))??;
            Ok::<_, anyhow::Error>((output, outcome?))
        })?;
        Ok((stdout(&output.0)?, output.1))
    }
}

fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{uid}\r\nFN:{name}\r\nEND:VCARD\r\n")
}

fn meeting(uid: &str, summary: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nSUMMARY:{summary}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn zoned(uid: &str, zone: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTIMEZONE\r\nTZID:{zone}\r\n\
         BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\n\
         TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n\
         END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T000000Z\r\n\
         DTSTART;TZID={zone}:20261202T080000\r\nDURATION:PT30M\r\nSUMMARY:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

//! A meeting seen from all ends: made by CalDAV, answered by CalDAV and by mail, changed, and called off.

#[path = "meeting/properties.rs"]
mod properties;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::dav::{Curl, LIMIT, between, header, stdout};
use kontor_e2e::process::{eventually, output_of};
use kontor_e2e::smtp::{Smtp, dot_stuffed, read_reply};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(60);
const GUEST: &str = "zoe@far.example";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_meeting_from_both_ends() -> Result<()> {
    let outside = Outside::start().await?;
    let appliance = outside.appliance().await?;
    let (anna, bert) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("bert").await?);
    let annas = Curl { appliance: &appliance, account: &anna };
    let berts = Curl { appliance: &appliance, account: &bert };
    let event = format!("/dav/calendars/{}/calendar/plan.ics", anna.address);

    // Anna makes it. What is stored says who was told how, so there is no entity tag.
    let plan = series(&anna, &bert);
    let made = annas.put(&["If-None-Match: *"], &plan, &event)?;
    ensure!(made.starts_with("HTTP/1.1 201") && header(&made, "etag").is_none(), "{made}");
    let tag = header(&made, "schedule-tag").context("a schedule tag")?.to_owned();
    let stored = annas.text(&event)?;
    let invited = |who: &str, status: &str| {
        line(&stored, who).is_some_and(|line| line.contains(&format!("SCHEDULE-STATUS={status}")))
    };
    ensure!(invited(&bert.address, "1.2") && invited(GUEST, "1.1"), "{stored}");

    // Bert has it at once, Zoe gets a mail that a calendar can read.
    let (berts_event, copy) = berts.find("SUMMARY:Plan").await?;
    ensure!(shape(&copy) == shape(&plan), "{copy}\n{plan}");
    let mail = outside.mail("Subject: Invitation: Plan").await?;
    ensure!(mail.contains(&format!("<{}>", anna.address)) && mail.contains("method=REQUEST"), "{mail}");
    ensure!(shape(&calendar_in(&mail)?) == shape(&plan), "{mail}");

    // Bert accepts with Python's caldav; Zoe by mail, in the form of Google's.
    let said = python(&appliance, &bert, ACCEPT, &[])?;
    ensure!(said.trim().ends_with("done"), "{said}");
    let reply = reply_of(&calendar_in(&mail)?, "ACCEPTED");
    send(
        &appliance,
        "eve@far.example",
        &anna.address,
        &google_reply("eve@far.example", &anna.address, &reply),
    )
    .await?;
    send(&appliance, GUEST, &anna.address, &google_reply(GUEST, &anna.address, &reply)).await?;
    for who in [bert.address.as_str(), GUEST] {
        eventually(&format!("{who} has accepted"), SOON, async || {
            let text = annas.text(&event)?;
            Ok(line(&text, who).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")).then_some(()))
        })
        .await?;
    }
    let eves = annas.text(&event)?;
    ensure!(!eves.contains("eve@"), "{eves}");

    // Answers have come since, and still the tag is what it was: Anna moves one occurrence and calls one off.
    let changed = moved(&plan);
    ensure!(
        annas.put(&["If-Schedule-Tag-Match: \"0\""], &changed, &event)?.starts_with("HTTP/1.1 412"),
        "a stale tag"
    );
    let condition = format!("If-Schedule-Tag-Match: {tag}");
    let put = annas.put(&[&condition], &changed, &event)?;
    ensure!(put.starts_with("HTTP/1.1 204"), "{put}");
    let stored = annas.text(&event)?;
    ensure!(
        line(&stored, GUEST).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")),
        "the answers are still there: {stored}"
    );
    eventually("Bert sees the changes", SOON, async || {
        Ok((shape(&berts.text(&berts_event)?) == shape(&changed)).then_some(()))
    })
    .await?;
    let mail = outside.mail("Subject: Updated: Plan").await?;
    ensure!(shape(&calendar_in(&mail)?) == shape(&changed), "{mail}");
    let copy = berts.text(&berts_event)?;
    ensure!(line(&copy, &bert.address).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")), "{copy}");

    properties::are_as_specified(&appliance, &anna, &properties::ORGANIZERS).await?;
    properties::are_as_specified(&appliance, &bert, &properties::ACCEPTED).await?;

    // Bert cannot move it, but can decline what was moved.
    let forbidden = berts.put(&[], &copy.replace("T090000", "T080000"), &berts_event)?;
    ensure!(
        forbidden.starts_with("HTTP/1.1 403")
            && forbidden.contains("allowed-attendee-scheduling-object-change"),
        "{forbidden}"
    );
    let (before, one) = copy.split_once("RECURRENCE-ID").context("the moved one")?;
    let at = before.rfind("BEGIN:VEVENT").context("its beginning")?;
    let declined = format!("{before}RECURRENCE-ID{one}");
    let (series_part, one_part) = declined.split_at(at);
    let unfolded = one_part.replace("\r\n ", "");
    let own = line(&unfolded, &bert.address).context("Bert")?.to_owned();
    let one_part = unfolded.replace(&own, &format!("ATTENDEE;PARTSTAT=DECLINED:mailto:{}", bert.address));
    let put = berts.put(&[], &format!("{series_part}{one_part}"), &berts_event)?;
    ensure!(put.starts_with("HTTP/1.1 204"), "{put}");
    eventually("one occurrence is declined", SOON, async || {
        let text = annas.text(&event)?.replace("\r\n ", "");
        let part = text.split("BEGIN:VEVENT").find(|part| part.contains("RECURRENCE-ID")).unwrap_or_default();
        Ok(line(part, &bert.address).is_some_and(|line| line.contains("PARTSTAT=DECLINED")).then_some(()))
    })
    .await?;
    ensure!(shape(&annas.text(&event)?) == shape(&changed), "all copies agree");

    // There is one copy of a meeting in one's calendars.
    let home = format!("/dav/calendars/{}", anna.address);
    annas.ask(&["-X", "MKCALENDAR"], &format!("{home}/other/"))?;
    let twin = annas.put(&[], &plan, &format!("{home}/other/plan.ics"))?;
    ensure!(
        twin.contains("unique-scheduling-object-resource") && twin.contains("/calendar/plan.ics"),
        "{twin}"
    );

    // Eve cannot call it off, Anna can.
    let cancel = with_method(&changed, "CANCEL").replace("SEQUENCE:1", "SEQUENCE:9");
    let forged = google_reply("eve@far.example", &bert.address, &cancel).replace("REPLY", "CANCEL");
    send(&appliance, "eve@far.example", &bert.address, &forged).await?;
    let spoofed = google_reply(&anna.address, &bert.address, &cancel).replace("REPLY", "CANCEL");
    send(&appliance, "eve@far.example", &bert.address, &spoofed).await?;
    ensure!(!berts.text(&berts_event)?.contains("CANCELLED"), "nobody else calls a meeting off");
    let gone = annas.ask(&["-i", "-X", "DELETE"], &event)?;
    ensure!(gone.starts_with("HTTP/1.1 204"), "{gone}");
    eventually("it is called off", SOON, async || {
        Ok(berts.text(&berts_event)?.contains("STATUS:CANCELLED").then_some(()))
    })
    .await?;
    let mail = outside.mail("Subject: Cancelled: Plan").await?;
    ensure!(calendar_in(&mail)?.contains("METHOD:CANCEL"), "{mail}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_survives_a_kill() -> Result<()> {
    let outside = Outside::start().await?;
    let mut appliance = outside.appliance().await?;
    let (anna, bert) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("bert").await?);
    for round in 0..3 {
        let plan = series(&anna, &bert).replace("UID:plan-1", &format!("UID:kill-{round}"));
        let plan = plan.replace("SUMMARY:Plan", &format!("SUMMARY:Kill {round}"));
        let event = format!("/dav/calendars/{}/calendar/kill-{round}.ics", anna.address);
        let made = Curl { appliance: &appliance, account: &anna }.put(&[], &plan, &event)?;
        appliance.kill_all()?;
        ensure!(made.starts_with("HTTP/1.1 201"), "{made}");
        appliance.restart().await?;
        Curl { appliance: &appliance, account: &bert }.find(&format!("SUMMARY:Kill {round}")).await?;
        // It may leave twice, when nobody was left to note that it had left; whoever gets it sees that it is the same.
        let wanted = format!("Subject: Invitation: Kill {round}");
        let left = eventually(&format!("{wanted:?} leaves"), SOON, async || {
            Ok(Some(outside.mails_with(&wanted)).filter(|left| !left.is_empty()))
        })
        .await?;
        let ids: BTreeSet<&str> = left.iter().filter_map(|mail| header(mail, "Message-ID")).collect();
        ensure!(ids.len() == 1 && left.len() <= 2, "{left:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inbox_outbox_rooms_and_groups() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, bert) = (appliance.add_mailbox("anna").await?, appliance.add_mailbox("bert").await?);
    let domain = anna.address.split_once('@').context("a domain")?.1;
    let (room, team) = (format!("blue@{domain}"), format!("team@{domain}"));
    appliance.kontor(&["mailbox", "add", &room, "--kind", "room", "--password", "pass-room-word"])?;
    appliance.kontor(&[
        "group",
        "add",
        &team,
        "--member",
        &bert.address,
        "--member",
        &appliance.account.address,
    ])?;
    let annas = Curl { appliance: &appliance, account: &anna };
    let berts = Curl { appliance: &appliance, account: &bert };
    let at = |name: &str| format!("/dav/calendars/{}/calendar/{name}.ics", anna.address);

    // The room answers by itself; Bert looks into his inbox, asks when Anna is busy, and accepts, all with caldav.
    let plan = series(&anna, &bert).replace(GUEST, &room);
    ensure!(annas.put(&[], &plan, &at("plan"))?.starts_with("HTTP/1.1 201"), "made");
    eventually("the room has accepted", SOON, async || {
        Ok(line(&annas.text(&at("plan"))?, &room)
            .is_some_and(|line| line.contains("PARTSTAT=ACCEPTED"))
            .then_some(()))
    })
    .await?;
    berts.find("SUMMARY:Plan").await?;
    let said = python(&appliance, &bert, INBOX, &[&anna.address])?;
    ensure!(said.contains("20261203T080000Z/20261203T090000Z"), "when Anna is busy: {said}");
    ensure!(said.trim().ends_with("done"), "{said}");
    eventually("Bert has accepted", SOON, async || {
        let text = annas.text(&at("plan"))?;
        Ok(line(&text, &bert.address).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")).then_some(()))
    })
    .await?;

    // The members of a group are invited, each once.
    let groups =
        plan.replace("plan-1", "group-1").replace("SUMMARY:Plan", "SUMMARY:Group").replace(&room, &team);
    ensure!(annas.put(&[], &groups, &at("group"))?.starts_with("HTTP/1.1 201"), "made");
    let stored = annas.text(&at("group"))?.replace("\r\n ", "");
    ensure!(stored.matches(&format!("mailto:{}\r", bert.address)).count() == 1, "{stored}");
    let member = line(&stored, &appliance.account.address).context("the other member")?;
    ensure!(member.contains(&format!("MEMBER=\"mailto:{team}\"")), "{member}");
    Curl { appliance: &appliance, account: &appliance.account }.find("SUMMARY:Group").await?;

    // What is posted is told as what is put is: a new meeting, and a file that it gets. A copy would be a second one.
    let posted = groups.replace("group-1", "posted-1").replace("SUMMARY:Group", "SUMMARY:Posted");
    let post = ["-i", "-X", "POST", "-H"];
    let made = annas.ask(
        &[&post[..], &["Content-Type: text/calendar", "--data-binary", &posted]].concat(),
        &at("").replace(".ics", ""),
    )?;
    ensure!(made.starts_with("HTTP/1.1 201") && header(&made, "schedule-tag").is_some(), "{made}");
    let made = header(&made, "location").context("where it is")?.to_owned();
    let (theirs, _) = berts.find("SUMMARY:Posted").await?;
    let file = [
        "Content-Type: text/plain",
        "-H",
        "Content-Disposition: attachment; filename=agenda.txt",
        "--data",
        "1. x",
    ];
    let added = annas.ask(&[&post[..], &file].concat(), &format!("{made}?action=attachment-add"))?;
    ensure!(added.starts_with("HTTP/1.1 201"), "{added}");
    eventually("Bert has the file", SOON, async || {
        Ok(berts.text(&theirs)?.replace("\r\n ", "").contains("agenda.txt").then_some(()))
    })
    .await?;
    annas.ask(&["-X", "MKCALENDAR"], &format!("/dav/calendars/{}/second/", anna.address))?;
    let copied = annas.ask(
        &["-i", "-X", "COPY", "-H", &format!("Destination: /dav/calendars/{}/second/x.ics", anna.address)],
        &made,
    )?;
    ensure!(copied.contains("unique-scheduling-object-resource"), "{copied}");

    // What is deleted is declined, unless the client says otherwise; then the next one tells that nothing was sent.
    let quiet = groups.replace("group-1", "quiet-1").replace("SUMMARY:Group", "SUMMARY:Quiet");
    annas.put(&[], &quiet, &at("quiet"))?;
    let (quiet, _) = berts.find("SUMMARY:Quiet").await?;
    let gone = berts.ask(&["-i", "-X", "DELETE", "-H", "Schedule-Reply: F"], &quiet)?;
    ensure!(gone.starts_with("HTTP/1.1 204"), "{gone}");
    let (loud, _) = berts.find("SUMMARY:Group").await?;
    ensure!(berts.ask(&["-i", "-X", "DELETE"], &loud)?.starts_with("HTTP/1.1 204"), "deleted");
    eventually("Bert has declined", SOON, async || {
        let text = annas.text(&at("group"))?;
        Ok(line(&text, &bert.address).is_some_and(|line| line.contains("PARTSTAT=DECLINED")).then_some(()))
    })
    .await?;
    let silent = annas.text(&at("quiet"))?;
    ensure!(line(&silent, &bert.address).is_some_and(|line| line.contains("NEEDS-ACTION")), "{silent}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_write_in_a_calendar_organizes_and_answers_for_its_owner() -> Result<()> {
    let outside = Outside::start().await?;
    let appliance = outside.appliance().await?;
    let (anna, bert, carl) = (
        appliance.add_mailbox("anna").await?,
        appliance.add_mailbox("bert").await?,
        appliance.account.clone(),
    );
    let [annas, berts, carls] = [&anna, &bert, &carl].map(|account| Curl { appliance: &appliance, account });
    let share = format!(
        "<s:share xmlns:s='http://calendarserver.org/ns/' xmlns:d='DAV:'><s:set>\
         <d:href>mailto:{}</d:href><s:read-write/></s:set></s:share>",
        bert.address
    );
    let own = format!("/dav/calendars/{}/calendar/", anna.address);
    let said = annas.ask(&["-i", "-X", "POST", "--data", &share], &own)?;
    ensure!(said.starts_with("HTTP/1.1 200"), "{said}");
    let home = format!("/dav/calendars/{}/", bert.address);
    let listed = berts.ask(&["-X", "PROPFIND", "-H", "Depth: 1"], &home)?;
    let shared = between(&listed, &format!("<D:href>{home}shared-"), "</D:href>").context("it is shared")?;
    let shared = format!("{home}shared-{shared}");

    // Bert invites in Anna's name: it is from her, and says by whom.
    let plan = series(&anna, &carl);
    let made = berts.put(&[], &plan, &format!("{shared}plan.ics"))?;
    ensure!(made.starts_with("HTTP/1.1 201"), "{made}");
    let (theirs, copy) = carls.find("SUMMARY:Plan").await?;
    let sent_by = format!("SENT-BY=\"mailto:{}\"", bert.address);
    let unfolded = copy.replace("\r\n ", "");
    let organizer = unfolded.lines().find(|line| line.starts_with("ORGANIZER")).context("an organizer")?;
    ensure!(
        organizer.contains(&sent_by) && organizer.ends_with(&format!("mailto:{}", anna.address)),
        "{copy}"
    );
    let mail = outside.mail("Subject: Invitation: Plan").await?;
    let of = |name: &str| mail.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    ensure!(of("From: ").contains(&anna.address) && of("Sender: ").contains(&bert.address), "{mail}");
    let own_line = line(&unfolded, &carl.address).context("Carl")?.to_owned();
    let accepted = format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{}", carl.address);
    let put = carls.put(&[], &unfolded.replace(&own_line, &accepted), &theirs)?;
    ensure!(put.starts_with("HTTP/1.1 204"), "{put}");
    eventually("Anna knows that Carl comes", SOON, async || {
        let text = annas.text(&format!("{own}plan.ics"))?;
        Ok(line(&text, &carl.address).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")).then_some(()))
    })
    .await?;

    // Carl cannot come after all and sends somebody from outside, who is invited by Anna and answers her.
    let text = carls.text(&theirs)?.replace("\r\n ", "");
    let own_line = line(&text, &carl.address).context("Carl")?.to_owned();
    let passed = format!(
        "ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:dora@far.example\":mailto:{}",
        carl.address
    );
    let put = carls.put(&[], &text.replace(&own_line, &passed), &theirs)?;
    ensure!(put.starts_with("HTTP/1.1 204"), "{put}");
    let invitation = eventually("Dora is invited", SOON, async || {
        let mut mails = outside.mails_with("Subject: Invitation: Plan").into_iter();
        Ok(mails.find(|mail| mail.contains("dora@far.example")))
    })
    .await?;
    ensure!(calendar_in(&invitation)?.replace("\r\n ", "").contains("DELEGATED-FROM"), "{invitation}");
    let reply = reply_of(&calendar_in(&invitation)?, "ACCEPTED").replace(GUEST, "dora@far.example");
    send(
        &appliance,
        "dora@far.example",
        &anna.address,
        &google_reply("dora@far.example", &anna.address, &reply),
    )
    .await?;
    eventually("Anna knows that Dora comes", SOON, async || {
        let text = annas.text(&format!("{own}plan.ics"))?.replace("\r\n ", "");
        let says = |who: &str, what: &str| {
            text.lines().any(|line| line.ends_with(&format!(":mailto:{who}")) && line.contains(what))
        };
        let dora = says("dora@far.example", "PARTSTAT=ACCEPTED");
        let carl = says(&carl.address, "DELEGATED-TO=\"mailto:dora@far.example\"");
        Ok((dora && carl).then_some(()))
    })
    .await?;

    // Carl invites Anna, and Bert answers for her.
    let ask = series(&carl, &anna).replace("plan-1", "ask-1").replace("SUMMARY:Plan", "SUMMARY:Ask");
    let event = format!("/dav/calendars/{}/calendar/ask.ics", carl.address);
    ensure!(carls.put(&[], &ask, &event)?.starts_with("HTTP/1.1 201"), "made");
    let (hers, copy) = annas.find("SUMMARY:Ask").await?;
    let unfolded = copy.replace("\r\n ", "");
    let own_line = line(&unfolded, &anna.address).context("Anna")?.to_owned();
    let accepted = format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{}", anna.address);
    let name = hers.rsplit('/').next().unwrap_or_default();
    let put = berts.put(&[], &unfolded.replace(&own_line, &accepted), &format!("{shared}{name}"))?;
    ensure!(put.starts_with("HTTP/1.1 204"), "{put}");
    eventually("Carl knows that Anna comes", SOON, async || {
        let text = carls.text(&event)?;
        Ok(line(&text, &anna.address).is_some_and(|line| line.contains("PARTSTAT=ACCEPTED")).then_some(()))
    })
    .await?;
    Ok(())
}

/// A weekly meeting of Anna, Bert and a guest.
fn series(anna: &Account, bert: &Account) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{ZONE}BEGIN:VEVENT\r\nUID:plan-1\r\n\
         DTSTAMP:20261101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20261203T090000\r\n\
         DTEND;TZID=Europe/Berlin:20261203T100000\r\nRRULE:FREQ=WEEKLY;COUNT=6\r\nSUMMARY:Plan\r\n\
         LOCATION:Caf\u{e9}\r\nORGANIZER;CN=Anna:mailto:{a}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{a}\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{b}\r\n\
         ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{GUEST}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        a = anna.address,
        b = bert.address
    )
}

/// The second occurrence a day later, the third called off.
fn moved(plan: &str) -> String {
    let master = plan
        .replace("SUMMARY:Plan", "SEQUENCE:1\r\nEXDATE;TZID=Europe/Berlin:20261217T090000\r\nSUMMARY:Plan");
    let master = master.replace("DTSTAMP:20261101", "DTSTAMP:20261102");
    let event = master.split_once("BEGIN:VEVENT").map(|(_, rest)| rest).unwrap_or_default();
    let event = event.replace("END:VCALENDAR\r\n", "");
    let mut one = String::new();
    for line in event.lines().filter(|line| !line.starts_with("RRULE") && !line.starts_with("EXDATE")) {
        one.push_str(&line.replace("20261203T", "20261211T"));
        one.push_str("\r\n");
        if line.starts_with("UID") {
            one.push_str("RECURRENCE-ID;TZID=Europe/Berlin:20261210T090000\r\n");
        }
    }
    master.replace("END:VCALENDAR", &format!("BEGIN:VEVENT{one}END:VCALENDAR"))
}

/// What all copies must agree on: when the meeting and its occurrences are.
fn shape(calendar: &str) -> Vec<String> {
    let text = calendar.replace("\r\n ", "").replace("\n ", "");
    let mut lines = Vec::new();
    for part in text.split("BEGIN:VEVENT").skip(1) {
        let mut said: Vec<&str> = part
            .lines()
            .map(str::trim)
            .filter(|line| {
                ["DTSTART", "DTEND", "RRULE", "EXDATE", "RECURRENCE", "SUMMARY"]
                    .iter()
                    .any(|name| line.starts_with(name))
            })
            .collect();
        said.sort_unstable();
        lines.push(said.join("\n"));
    }
    lines.sort();
    lines
}

/// The ATTENDEE line of somebody.
fn line<'a>(calendar: &'a str, who: &str) -> Option<&'a str> {
    // Long lines are folded; none of ours is so long that its beginning is elsewhere.
    let at = calendar.match_indices("ATTENDEE").map(|(at, _)| at);
    at.filter_map(|at| {
        let rest = calendar.get(at..)?;
        let mut end = 0;
        loop {
            end += rest.get(end..)?.find('\n')? + 1;
            if !rest.get(end..)?.starts_with(' ') {
                return rest.get(..end).map(str::trim_end);
            }
        }
    })
    .find(|line| line.replace("\r\n ", "").contains(&format!("mailto:{who}")))
}

fn with_method(calendar: &str, method: &str) -> String {
    calendar.replace("PRODID", &format!("METHOD:{method}\r\nPRODID"))
}

/// The guest's answer to an invitation: the whole series, her own line.
fn reply_of(invitation: &str, answer: &str) -> String {
    let text = invitation.replace("\r\n ", "").replace("METHOD:REQUEST", "METHOD:REPLY");
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("ATTENDEE") || line.contains(GUEST)) {
        if line.starts_with("ATTENDEE") {
            out.push_str(&format!(
                "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={answer};CN=Zoe;X-NUM-GUESTS=0:mailto:{GUEST}"
            ));
        } else {
            out.push_str(line);
        }
        out.push_str("\r\n");
    }
    out
}

/// In the form in which Google's calendar answers.
fn google_reply(from: &str, to: &str, calendar: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(calendar);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let encoded = lines.join("\r\n");
    format!(
        "MIME-Version: 1.0\r\nReply-To: {from}\r\nSender: Google Calendar <calendar-notification@google.com>\r\n\
         Message-ID: <calendar-{len}@google.com>\r\nDate: Mon, 30 Nov 2026 12:00:00 +0000\r\nSubject: Accepted: Plan\r\n\
         From: Zoe <{from}>\r\nTo: {to}\r\nContent-Type: multipart/mixed; boundary=\"0000a\"\r\n\r\n--0000a\r\n\
         Content-Type: multipart/alternative; boundary=\"0000b\"\r\n\r\n--0000b\r\n\
         Content-Type: text/plain; charset=\"UTF-8\"; format=flowed; delsp=yes\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         aGk=\r\n--0000b\r\nContent-Type: text/html; charset=\"UTF-8\"\r\n\r\n<p>hi</p>\r\n--0000b\r\n\
         Content-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         {encoded}\r\n--0000b--\r\n--0000a\r\nContent-Type: application/ics; name=\"invite.ics\"\r\n\
         Content-Disposition: attachment; filename=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n\
         --0000a--\r\n",
        len = encoded.len()
    )
}

/// Mail from elsewhere comes to the MX port.
async fn send(appliance: &Appliance, from: &str, to: &str, message: &str) -> Result<()> {
    let mut smtp = Smtp::connect(&appliance.endpoints.smtp).await?;
    smtp.command(&format!("MAIL FROM:<{from}>")).await?.expect(250)?;
    smtp.command(&format!("RCPT TO:<{to}>")).await?.expect(250)?;
    smtp.command("DATA").await?.expect(354)?;
    let mut data = Vec::new();
    dot_stuffed(message.as_bytes(), &mut data);
    smtp.wire.send(&data).await?;
    read_reply(&mut smtp.wire).await?.expect(250)?;
    Ok(())
}

/// The calendar in a mail of ours.
fn calendar_in(mail: &str) -> Result<String> {
    let (_, rest) = mail.split_once("Content-Type: text/calendar").context("a calendar")?;
    let (_, body) = rest.split_once("\r\n\r\n").context("its body")?;
    let body = body.split("\r\n--").next().unwrap_or_default().replace("\r\n", "");
    Ok(String::from_utf8(base64::engine::general_purpose::STANDARD.decode(body)?)?)
}

/// The rest of the world: everything that leaves comes here.
struct Outside {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Outside {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let outside = Self { port: listener.local_addr()?.port(), mails: Arc::default() };
        let mails = outside.mails.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mails = mails.clone();
                tokio::spawn(async move { receive(stream, &mails).await });
            }
        });
        Ok(outside)
    }

    async fn appliance(&self) -> Result<Appliance> {
        let port = self.port.to_string();
        let relay = [
            ("KONTOR_SMTP__RELAY__HOST", "127.0.0.1"),
            ("KONTOR_SMTP__RELAY__PORT", &port),
            ("KONTOR_SMTP__RELAY__TLS", "none"),
        ];
        Appliance::start_with(&relay).await
    }

    /// The mails with this line in them.
    fn mails_with(&self, wanted: &str) -> Vec<String> {
        let mails = self.mails.lock().map(|mails| mails.clone()).unwrap_or_default();
        mails.into_iter().filter(|mail| mail.lines().any(|line| line == wanted)).collect()
    }

    /// The mail with this line in it; there must be one.
    async fn mail(&self, wanted: &str) -> Result<String> {
        let found = eventually(&format!("{wanted:?} leaves"), SOON, async || {
            Ok(Some(self.mails_with(wanted)).filter(|found| !found.is_empty()))
        })
        .await?;
        ensure!(found.len() == 1, "{wanted:?} left {} times", found.len());
        found.into_iter().next().context("a mail")
    }
}

async fn receive(stream: tokio::net::TcpStream, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    write.write_all(b"220 outside.example\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.to_ascii_uppercase();
        if !command.starts_with("DATA") {
            let answer: &[u8] = if command.starts_with("QUIT") { b"221 bye\r\n" } else { b"250 fine\r\n" };
            write.write_all(answer).await?;
            continue;
        }
        write.write_all(b"354 go on\r\n").await?;
        let mut mail = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == ".\r\n" {
                break;
            }
            mail.push_str(&line);
        }
        if let Ok(mut mails) = mails.lock() {
            mails.push(mail);
        }
        write.write_all(b"250 fine\r\n").await?;
    }
}

/// Runs a script of Python with the account's address and password, and more.
fn python(appliance: &Appliance, account: &Account, text: &str, more: &[&str]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("script.py");
    std::fs::write(&script, text)?;
    let mut command = Command::new(kontor_e2e::dav::python()?);
    command.arg(&script).arg(format!("http://{}/dav/", appliance.endpoints.http));
    command.args([&account.address, &account.password]).args(more);
    stdout(&output_of(command, LIMIT)?)
}

const INBOX: &str = r#"
import datetime, sys, caldav
url, user, password, other = sys.argv[1:]
principal = caldav.DAVClient(url=url, username=user, password=password).principal()
assert "mailto:" + user in principal.calendar_user_address_set()
day = lambda d: datetime.datetime(2026, 12, d, tzinfo=datetime.timezone.utc)
busy = principal.freebusy_request(day(1), day(12), [other])
print(busy["mailto:" + other].data)
invitations = [i for i in principal.schedule_inbox().get_items() if i.load().is_invite_request()]
assert len(invitations) == 1, invitations
invitations[0].accept_invite(calendar=next(c for c in principal.calendars() if c.get_display_name() == "Calendar"))
print("done")
"#;

const ACCEPT: &str = r#"
import sys, caldav
url, user, password = sys.argv[1:]
principal = caldav.DAVClient(url=url, username=user, password=password).principal()
calendar = next(c for c in principal.calendars() if c.get_display_name() == "Calendar")
event = next(e for e in calendar.events() if "SUMMARY:Plan" in e.data)
event.change_attendee_status(attendee=user, partstat="ACCEPTED")
event.save()
print("done")
"#;

/// What is done with curl again and again.
trait Calendars {
    fn put(&self, headers: &[&str], text: &str, path: &str) -> Result<String>;
    fn text(&self, path: &str) -> Result<String>;
    async fn find(&self, wanted: &str) -> Result<(String, String)>;
}

impl Calendars for Curl<'_> {
    fn put(&self, headers: &[&str], text: &str, path: &str) -> Result<String> {
        let mut arguments =
            vec!["-i", "-X", "PUT", "-H", "Content-Type: text/calendar", "--data-binary", text];
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        self.ask(&arguments, path)
    }

    fn text(&self, path: &str) -> Result<String> {
        self.ask(&["-f"], path)
    }

    /// The path and the text of the event in the default calendar that says this, once it is there.
    async fn find(&self, wanted: &str) -> Result<(String, String)> {
        let collection = format!("/dav/calendars/{}/calendar/", self.account.address);
        eventually(&format!("{wanted:?} is in the calendar"), SOON, async || {
            let body = "<d:propfind xmlns:d='DAV:'><d:prop><d:getetag/></d:prop></d:propfind>";
            let listed = self.ask(&["-X", "PROPFIND", "-H", "Depth: 1", "--data", body], &collection)?;
            for path in listed.split("<D:href>").skip(1).filter_map(|rest| rest.split("</D:href>").next()) {
                if path.ends_with(".ics") {
                    let text = self.text(path)?;
                    if text.contains(wanted) {
                        return Ok(Some((path.to_owned(), text)));
                    }
                }
            }
            Ok(None)
        })
        .await
    }
}

const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\n\
    TZOFFSETTO:+0200\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\n\
    BEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nDTSTART:19701025T030000\r\n\
    RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

//! Rooms book themselves: people invite them by CalDAV and by mail, with curl as their program, and see what they answer.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kontor_e2e::appliance::{Account, Appliance};
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::process::output_of;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// Somebody with a calendar.
struct Person<'a> {
    appliance: &'a Appliance,
    account: Account,
}

impl<'a> Person<'a> {
    async fn new(appliance: &'a Appliance, name: &str) -> Result<Self> {
        Ok(Self { appliance, account: appliance.add_mailbox(name).await? })
    }

    fn curl(&self, arguments: &[&str], path: &str) -> Result<String> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-H", "Expect:", "-u"]);
        command.arg(format!("{}:{}", self.account.address, self.account.password));
        command.args(arguments).arg(format!("http://{}{path}", self.appliance.endpoints.http));
        stdout(&output_of(command, LIMIT)?)
    }

    fn path(&self, uid: &str) -> String {
        format!("/dav/calendars/{}/calendar/{uid}.ics", self.account.address)
    }

    /// Saves a meeting with a room, of events with these lines.
    fn put(&self, uid: &str, room: &str, events: &[String]) -> Result<()> {
        let text = calendar(uid, &self.account.address, room, events);
        let arguments = ["-i", "-X", "PUT", "-H", "Content-Type: text/calendar", "--data-binary", &text];
        let said = self.curl(&arguments, &self.path(uid))?;
        ensure!(said.starts_with("HTTP/1.1 201") || said.starts_with("HTTP/1.1 204"), "{said}");
        Ok(())
    }

    fn delete(&self, uid: &str) -> Result<()> {
        let said = self.curl(&["-i", "-X", "DELETE"], &self.path(uid))?;
        ensure!(said.starts_with("HTTP/1.1 204"), "{said}");
        Ok(())
    }

    /// The copy of a meeting, with whole lines.
    fn get(&self, uid: &str) -> Result<String> {
        Ok(self.curl(&[], &self.path(uid))?.replace("\r\n ", ""))
    }

    /// What a room has said, component by component, once nothing waits for it any more.
    fn answers(&self, uid: &str, room: &str) -> Result<Vec<String>> {
        let end = Instant::now() + LIMIT;
        loop {
            let copy = self.get(uid)?;
            let answers = answers(&copy, room);
            if !answers.is_empty() && answers.iter().all(|answer| answer != "NEEDS-ACTION") {
                return Ok(answers);
            }
            if Instant::now() > end {
                bail!("{room} has not answered {uid}: {copy}\n{}", self.appliance.log_tail());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks for a room and says its answer.
    fn book(&self, uid: &str, room: &str, event: String) -> Result<String> {
        self.put(uid, room, &[event])?;
        self.answers(uid, room)?.into_iter().next().context("an answer")
    }
}

fn calendar(uid: &str, organizer: &str, room: &str, events: &[String]) -> String {
    let events: String = events
        .iter()
        .map(|lines| {
            format!(
                "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Plans of {uid}\r\n\
                 ORGANIZER;CN=\"{}\":mailto:{organizer}\r\n\
                 ATTENDEE;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{room}\r\n{lines}END:VEVENT\r\n",
                organizer.split('@').next().unwrap_or_default()
            )
        })
        .collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kontor//Test//EN\r\n{events}END:VCALENDAR\r\n")
}

/// The answers in the lines of a room.
fn answers(copy: &str, room: &str) -> Vec<String> {
    let lines = copy.lines().filter(|line| line.starts_with("ATTENDEE") && line.ends_with(room));
    lines
        .map(|line| {
            let answer = line.split("PARTSTAT=").nth(1).unwrap_or("NEEDS-ACTION");
            answer.split([';', ':']).next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// An hour on a day so many days from now, with further lines.
fn hour(days: u32, from: u32, more: &str) -> Result<String> {
    let date = day(days)?;
    Ok(format!("DTSTART:{date}T{from:02}0000Z\r\nDTEND:{date}T{:02}0000Z\r\n{more}", from + 1))
}

/// `20260302`
fn day(days: u32) -> Result<String> {
    let mut command = Command::new("date");
    command.args(["-u", "-d", &format!("+{days} days"), "+%Y%m%d"]);
    Ok(stdout(&output_of(command, LIMIT)?)?.trim().to_owned())
}

fn stdout(output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    Ok(text)
}

/// Makes a room; its address.
fn room(appliance: &Appliance, name: &str, options: &[&str]) -> Result<String> {
    let domain = appliance.account.address.split_once('@').context("a domain")?.1;
    let address = format!("{name}@{domain}");
    let title = format!("Room {name}");
    let command = ["mailbox", "add", &address, "--kind", "room", "--display-name", &title];
    appliance.kontor(&[&command, options].concat())?;
    Ok(address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_accepts_declines_follows_and_is_free_again() -> Result<()> {
    let appliance = Appliance::start().await?;
    let blue = room(&appliance, "blue", &["--password", "blue-room-word"])?;
    let (anna, ben) = (Person::new(&appliance, "anna").await?, Person::new(&appliance, "ben").await?);
    ensure!(anna.book("first", &blue, hour(14, 10, "")?)? == "ACCEPTED");
    // Half of it is taken.
    let date = day(14)?;
    let half = format!("DTSTART:{date}T103000Z\r\nDTEND:{date}T113000Z\r\n");
    ensure!(ben.book("second", &blue, half)? == "DECLINED");
    // Next to it is not.
    ensure!(ben.book("third", &blue, hour(14, 11, "")?)? == "ACCEPTED");

    // The room's own calendar says whose it is and not what for, and has nothing that was declined.
    let own = Person {
        appliance: &appliance,
        account: Account { address: blue.clone(), password: "blue-room-word".into() },
    };
    let query = "<c:calendar-query xmlns:c='urn:ietf:params:xml:ns:caldav' xmlns:d='DAV:'><d:prop><c:calendar-data/>\
        </d:prop><c:filter><c:comp-filter name='VCALENDAR'/></c:filter></c:calendar-query>";
    let path = format!("/dav/calendars/{blue}/calendar/");
    let listed = ["-X", "REPORT", "-H", "Depth: 1", "-H", "Content-Type: application/xml", "--data", query];
    let kept = own.curl(&listed, &path)?;
    ensure!(kept.matches("BEGIN:VEVENT").count() == 2, "{kept}");
    ensure!(kept.contains("SUMMARY:anna") && !kept.contains("Plans"), "{kept}");

    // It moves with its meeting: the time that it leaves is free, the one that it takes is not.
    ensure!(anna.book("first", &blue, hour(14, 15, "SEQUENCE:1\r\n")?)? == "ACCEPTED");
    ensure!(ben.book("fourth", &blue, hour(14, 15, "")?)? == "DECLINED");
    ensure!(ben.book("fifth", &blue, hour(14, 10, "")?)? == "ACCEPTED");
    // To where it cannot go, it does not, and is free for others.
    ensure!(anna.book("first", &blue, hour(14, 11, "SEQUENCE:2\r\n")?)? == "DECLINED");
    ensure!(ben.book("sixth", &blue, hour(14, 15, "")?)? == "ACCEPTED");

    // A meeting that is called off gives its time back.
    ben.delete("sixth")?;
    let end = Instant::now() + LIMIT;
    let mut tries = 0;
    while anna.book(&format!("seventh-{tries}"), &blue, hour(14, 15, "")?)? != "ACCEPTED" {
        ensure!(Instant::now() < end, "the room still has what was called off");
        tries += 1;
    }
    // Too far away, for too long, and over.
    ensure!(anna.book("far", &blue, hour(200, 10, "")?)? == "DECLINED");
    let long = format!("DTSTART:{}T000000Z\r\nDTEND:{}T120000Z\r\n", day(20)?, day(21)?);
    ensure!(anna.book("long", &blue, long)? == "DECLINED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_loses_single_dates_where_the_rules_allow_it() -> Result<()> {
    let appliance = Appliance::start().await?;
    let strict = room(&appliance, "strict", &[])?;
    let loose = room(&appliance, "loose", &["--max-conflict-instances", "1"])?;
    let (anna, ben) = (Person::new(&appliance, "anna").await?, Person::new(&appliance, "ben").await?);
    for room in [&strict, &loose] {
        ensure!(anna.book(&format!("one-{room}"), room, hour(15, 9, "")?)? == "ACCEPTED");
        let daily = hour(14, 9, "RRULE:FREQ=DAILY;COUNT=3\r\n")?;
        let uid = format!("daily-{room}");
        let first = ben.book(&uid, room, daily)?;
        let copy = ben.get(&uid)?;
        if *room == strict {
            ensure!(first == "DECLINED" && answers(&copy, room) == ["DECLINED"], "{copy}");
        } else {
            ensure!(answers(&copy, room) == ["ACCEPTED", "DECLINED"], "{copy}");
            ensure!(copy.contains(&format!("RECURRENCE-ID:{}T090000Z", day(15)?)), "{copy}");
            // The other dates are taken.
            ensure!(anna.book("late", room, hour(16, 9, "")?)? == "DECLINED");
        }
    }
    let endless = hour(14, 20, "RRULE:FREQ=WEEKLY\r\n")?;
    ensure!(ben.book("endless", &loose, endless)? == "DECLINED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_ask_at_once_one_gets_the_room() -> Result<()> {
    let appliance = Appliance::start().await?;
    let blue = room(&appliance, "blue", &[])?;
    let mut people = Vec::new();
    for name in ["anna", "ben", "clara", "dora"] {
        people.push(Person::new(&appliance, name).await?);
    }
    let event = hour(14, 10, "")?;
    let answers: Vec<String> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for at in 0..16 {
            let person = people.get(at % 4).context("a person")?;
            let (blue, event) = (blue.as_str(), event.clone());
            threads.push(scope.spawn(move || person.book(&format!("race-{at}"), blue, event)));
        }
        threads.into_iter().map(|thread| thread.join().expect("a thread ends")).collect::<Result<Vec<_>>>()
    })?;
    let won = answers.iter().filter(|answer| *answer == "ACCEPTED").count();
    let lost = answers.iter().filter(|answer| *answer == "DECLINED").count();
    ensure!((won, lost) == (1, 15), "{answers:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_book_only_where_they_may() -> Result<()> {
    let appliance = Appliance::start().await?;
    let blue = room(&appliance, "blue", &[])?;
    let anna = Person::new(&appliance, "anna").await?;
    let invite = |uid: &str, from: &str, event: &str| {
        let text = calendar(uid, from, &blue, &[event.to_owned()]);
        let text = text.replace("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n");
        format!(
            "From: <{from}>\r\nTo: <{blue}>\r\nSubject: a meeting\r\nMessage-ID: <{uid}@guest.test>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n{text}"
        )
    };
    let mut lmtp = Lmtp::connect(&appliance.endpoints.lmtp).await?;
    let ten = hour(14, 10, "")?;
    lmtp.deliver("guest@guest.test", &blue, invite("g1", "guest@guest.test", &ten).as_bytes()).await?;
    // Nor does somebody who only says that they are of the house.
    let false_anna = invite("g2", &anna.account.address, &ten);
    lmtp.deliver("guest@guest.test", &blue, false_anna.as_bytes()).await?;
    ensure!(anna.book("mine", &blue, ten)? == "ACCEPTED", "nobody has it");

    appliance.kontor(&["mailbox", "set", &blue, "--process-external-meeting-messages", "true"])?;
    let twelve = hour(14, 12, "")?;
    lmtp.deliver("guest@guest.test", &blue, invite("g3", "guest@guest.test", &twelve).as_bytes()).await?;
    ensure!(anna.book("later", &blue, twelve)? == "DECLINED", "the guest has it");
    // The answer to the guest leaves by mail.
    let end = Instant::now() + LIMIT;
    while !appliance.kontor(&["queue", "list", "--json"])?.contains("guest@guest.test") {
        ensure!(Instant::now() < end, "no answer goes to the guest");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_set_shown_and_checked() -> Result<()> {
    let appliance = Appliance::start().await?;
    let blue = room(&appliance, "blue", &["--capacity", "2", "--enforce-capacity", "true"])?;
    let anna = Person::new(&appliance, "anna").await?;
    let show = |address: &str| -> Result<Value> {
        Ok(serde_json::from_str(&appliance.kontor(&["mailbox", "show", address, "--json"])?)?)
    };
    let rules = show(&blue)?;
    ensure!(rules["automate_processing"] == "AutoAccept" && rules["booking_window_days"] == 180, "{rules}");
    ensure!(rules["capacity"] == 2 && rules["working_hours"].is_null(), "{rules}");
    ensure!(show(&anna.account.address)?.get("booking_window_days").is_none(), "people have no rules");
    let hours = "Mon-Sun 08:00-12:00 Europe/Berlin";
    let changed = ["--working-hours", hours, "--book-in-policy", &anna.account.address];
    appliance.kontor(&[&["mailbox", "set", &blue], &changed[..]].concat())?;
    let rules = show(&blue)?;
    ensure!(rules["working_hours"] == "Mon,Tue,Wed,Thu,Fri,Sat,Sun 08:00-12:00 Europe/Berlin", "{rules}");
    ensure!(rules["all_book_in_policy"] == false && rules["enforce_capacity"] == true, "{rules}");
    let wrong = appliance.kontor(&["mailbox", "set", &blue, "--automate-processing", "None"]);
    ensure!(wrong.is_err_and(|error| error.to_string().contains("name delegates")), "somebody has to decide");
    let wrong = appliance.kontor(&["mailbox", "set", &anna.account.address, "--allow-conflicts", "true"]);
    ensure!(wrong.is_err_and(|error| error.to_string().contains("only rooms")), "people have no rules");

    let ben = Person::new(&appliance, "ben").await?;
    ensure!(anna.book("night", &blue, hour(14, 20, "")?)? == "DECLINED", "outside of the hours");
    ensure!(ben.book("bens", &blue, hour(14, 9, "")?)? == "DECLINED", "not for Ben");
    let crowd = "ATTENDEE:mailto:x@guest.test\r\nATTENDEE:mailto:y@guest.test\r\n";
    ensure!(anna.book("crowd", &blue, hour(14, 9, crowd)?)? == "DECLINED", "too many people");
    ensure!(anna.book("annas", &blue, hour(14, 9, "")?)? == "ACCEPTED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_decides() -> Result<()> {
    let appliance = Appliance::start().await?;
    let (anna, boss) = (Person::new(&appliance, "anna").await?, Person::new(&appliance, "boss").await?);
    let options = ["--book-in-policy", &boss.account.address, "--all-request-in-policy", "true"];
    let gold = room(&appliance, "gold", &[&options[..], &["--delegate", &boss.account.address]].concat())?;
    ensure!(anna.book("ask", &gold, hour(14, 10, "")?)? == "TENTATIVE");
    // The delegate hears of it once, and answers in the room's calendar.
    let mut imap =
        Imap::login(&appliance.endpoints.imap, &boss.account.address, &boss.account.password).await?;
    ensure!(imap.select("INBOX").await?.exists == 1, "one mail");
    let said = imap.command("FETCH 1 BODY.PEEK[]").await?.ok()?;
    let mail = said.untagged.iter().flat_map(|response| &response.literals).next().context("a mail")?;
    let mail = String::from_utf8_lossy(mail);
    ensure!(mail.contains("asks for Room gold"), "{mail}");
    let path = format!("/dav/calendars/{gold}/calendar/");
    let listed = boss.curl(&["-X", "PROPFIND", "-H", "Depth: 1"], &path)?;
    let mut item = listed.split("<D:href>").skip(1).filter_map(|rest| rest.split("</D:href>").next());
    let item = item.find(|href| href.ends_with(".ics")).context("the request")?.to_owned();
    let copy = boss.curl(&[], &item)?;
    ensure!(copy.contains("PARTSTAT=TENTATIVE"), "{copy}");
    let yes = copy.replace("PARTSTAT=TENTATIVE", "PARTSTAT=ACCEPTED");
    let put = ["-i", "-X", "PUT", "-H", "Content-Type: text/calendar", "--data-binary", &yes];
    let said = boss.curl(&put, &item)?;
    ensure!(said.starts_with("HTTP/1.1 204"), "{said}");
    let end = Instant::now() + LIMIT;
    while anna.answers("ask", &gold)? != ["ACCEPTED"] {
        ensure!(Instant::now() < end, "the delegate's answer does not come");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Whoever may book needs nobody, and nobody gets what is taken.
    ensure!(boss.book("own", &gold, hour(14, 12, "")?)? == "ACCEPTED");
    ensure!(anna.book("late", &gold, hour(14, 12, "")?)? == "DECLINED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_find_rooms() -> Result<()> {
    let appliance = Appliance::start().await?;
    let blue = room(&appliance, "blue", &[])?;
    let anna = Person::new(&appliance, "anna").await?;
    let ask = |body: &str| {
        anna.curl(
            &["-X", "REPORT", "-H", "Depth: 0", "-H", "Content-Type: text/xml", "--data", body],
            "/dav/principals/",
        )
    };
    let wanted = "<d:prop><d:displayname/><c:calendar-user-type/><c:calendar-user-address-set/></d:prop>";
    let spaces =
        "xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' xmlns:cs='http://calendarserver.org/ns/'";
    let kind = "<d:property-search><d:prop><c:calendar-user-type/></d:prop><d:match>ROOM</d:match></d:property-search>";
    let name =
        "<d:property-search><d:prop><d:displayname/></d:prop><d:match>blue</d:match></d:property-search>";
    let is_blue = |said: &str| {
        said.contains(&format!("mailto:{blue}"))
            && said.contains("<C:calendar-user-type>ROOM</C:calendar-user-type>")
            && said.matches("calendar-user-type>ROOM").count() == said.matches("<D:displayname>").count()
    };
    for search in [kind.to_owned(), format!("{kind}{name}")] {
        let said = ask(&format!(
            "<d:principal-property-search {spaces} test='allof'>{search}{wanted}</d:principal-property-search>"
        ))?;
        ensure!(is_blue(&said), "{said}");
    }
    let said = ask(&format!(
        "<cs:calendarserver-principal-search {spaces} context='location'><cs:search-token>room</cs:search-token>{wanted}\
         </cs:calendarserver-principal-search>"
    ))?;
    ensure!(is_blue(&said), "{said}");
    let said = ask(&format!(
        "<cs:calendarserver-principal-search {spaces} context='resource'><cs:search-token>room</cs:search-token>{wanted}\
         </cs:calendarserver-principal-search>"
    ))?;
    ensure!(!said.contains(&blue), "a room is nothing to take along: {said}");
    Ok(())
}

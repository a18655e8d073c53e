//! What a home has besides what people put there, seen by programs that we did not write: birthdays by vdirsyncer and
//! khal, the directory by vdirsyncer and khard, a published calendar by vdirsyncer and khal; and what curl is refused.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::dav::{Computer, Curl, between, header, propfind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn birthdays_follow_the_contacts() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("anna").await?;
    let stranger = appliance.add_mailbox("stranger").await?;
    let curl = Curl { appliance: &appliance, account: &account };
    let contact = |name: &str| format!("/dav/addressbooks/{}/contacts/{name}.vcf", account.address);
    let card = |uid: &str, name: &str, more: &str| {
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\n{more}END:VCARD\r\n")
    };
    let put = |name: &str, text: &str| curl.ask(&["-i", "-X", "PUT", "--data-binary", text], &contact(name));
    let full = card("1", "Carla Muster", "BDAY:1980-02-29\r\nX-ANNIVERSARY:2005-07-01\r\n");
    ensure!(put("carla", &full)?.starts_with("HTTP/1.1 201"), "a card");
    ensure!(put("dora", &card("2", "Dora", "BDAY:--1224\r\n"))?.starts_with("HTTP/1.1 201"), "a card");

    let computer = Computer::new(&appliance, &account)?;
    computer.discover()?;
    computer.sync()?;
    for (day, summary) in [
        ("2027-02-28", "Carla Muster (born 1980)"),
        ("2028-02-29", "Carla Muster (born 1980)"),
        ("2027-07-01", "Carla Muster (anniversary, 2005)"),
        ("2026-12-24", "Dora (birthday)"),
    ] {
        let said = computer.khal(&["list", day, "1d"])?;
        ensure!(said.contains(summary), "{day}: {said}");
    }
    ensure!(!computer.khal(&["list", "2028-02-28", "1d"])?.contains("Carla"), "the day before");

    // What is told of changes is what has become of the contacts.
    let birthdays = format!("/dav/calendars/{}/birthdays/", account.address);
    let said = curl.ask(&["-X", "REPORT", "--data", &sync("")], &birthdays)?;
    ensure!(said.matches("200 OK").count() == 3, "{said}");
    let token = between(&said, "<D:sync-token>", "</D:sync-token>").context("a token")?;
    let body = propfind("<d:sync-token/><cs:getctag/><c:schedule-calendar-transp/>");
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &birthdays)?;
    ensure!(said.matches(&token).count() == 2 && said.contains("transparent"), "{said}");
    let quiet = curl.ask(&["-X", "REPORT", "--data", &sync(&token)], &birthdays)?;
    ensure!(!quiet.contains("<D:response>") && quiet.contains(&token), "{quiet}");
    put("carla", &card("1", "Carla Other", "BDAY:1980-02-29\r\n"))?;
    curl.ask(&["-X", "DELETE"], &contact("dora"))?;
    let said = curl.ask(&["-X", "REPORT", "--data", &sync(&token)], &birthdays)?;
    let of = |name: &str| said.split("<D:response>").find(|response| response.contains(name)).unwrap_or("");
    ensure!(of(".birthday.carla.vcf").contains("200 OK"), "{said}");
    ensure!(of(".anniversary.carla.vcf").contains("404 Not Found"), "{said}");
    ensure!(of(".birthday.dora.vcf").contains("404 Not Found"), "{said}");
    let said =
        curl.ask(&["-i", "-X", "REPORT", "--data", &sync("urn:kontor:birthdays:1:99.1")], &birthdays)?;
    ensure!(said.contains("valid-sync-token"), "{said}");
    computer.sync_with(&["--force-delete"])?;
    let said = computer.khal(&["list", "2027-01-01", "364d"])?;
    ensure!(said.contains("Carla Other (born 1980)") && !said.contains("anniversary"), "{said}");

    // In the range that is asked for, and never busy.
    let said = curl.ask(&["-X", "REPORT", "-H", "Depth: 1", "--data", FEBRUARY], &birthdays)?;
    ensure!(said.matches("BEGIN:VEVENT").count() == 1 && said.contains("20270228"), "{said}");
    let said = curl.ask(&["-X", "REPORT", "-H", "Depth: 1", "--data", BUSY], &birthdays)?;
    ensure!(said.contains("VFREEBUSY") && !said.contains("FREEBUSY:"), "{said}");

    // Nobody changes it but through the contacts, nobody else sees it.
    let said = curl.ask(&["-i", "-X", "PUT", "--data-binary", EVENT], &format!("{birthdays}1.ics"))?;
    ensure!(said.starts_with("HTTP/1.1 403"), "{said}");
    let other = Curl { appliance: &appliance, account: &stranger };
    let said = other.ask(&["-i", "-X", "PROPFIND", "-H", "Depth: 0"], &birthdays)?;
    ensure!(said.starts_with("HTTP/1.1 404"), "{said}");

    // Its owner gives it a colour, hides it, and takes it back.
    let colour = "<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><d:displayname>Feste</d:displayname>\
        <x:calendar-color xmlns:x='http://apple.com/ns/ical/'>#112233FF</x:calendar-color>\
        </d:prop></d:set></d:propertyupdate>";
    let said = curl.ask(&["-X", "PROPPATCH", "--data", colour], &birthdays)?;
    ensure!(said.contains("200 OK"), "{said}");
    let home = format!("/dav/calendars/{}/", account.address);
    let list = || curl.ask(&["-X", "PROPFIND", "-H", "Depth: 1"], &home);
    ensure!(list()?.contains("#112233FF") && list()?.contains("Feste"), "{}", list()?);
    ensure!(curl.ask(&["-i", "-X", "DELETE"], &birthdays)?.starts_with("HTTP/1.1 204"), "hidden");
    ensure!(!list()?.contains("birthdays/"), "{}", list()?);
    ensure!(curl.ask(&["-i", "-X", "MKCALENDAR"], &birthdays)?.starts_with("HTTP/1.1 201"), "it is back");
    ensure!(list()?.contains("Feste"), "{}", list()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_of_the_house_is_in_the_directory() -> Result<()> {
    let appliance = Appliance::start().await?;
    let account = appliance.add_mailbox("anna").await?;
    let domain = account.address.split_once('@').context("an address")?.1.to_owned();
    let at = |name: &str| format!("{name}@{domain}");
    appliance.kontor(&["mailbox", "add", &at("bert"), "--display-name", "Bert M\u{fc}ller"])?;
    appliance.kontor(&["mailbox", "add", &at("hall"), "--display-name", "Big Hall", "--kind", "room"])?;
    appliance.kontor(&["mailbox", "add", &at("ghost"), "--display-name", "Ghost Muster"])?;
    let members = ["--member", &at("bert"), "--member", &at("ghost"), "--member", "guest@example.org"];
    appliance
        .kontor(&[&["group", "add", &at("team"), "--display-name", "The Team"], &members[..]].concat())?;
    appliance.psql(&format!("UPDATE account SET hidden = true WHERE address = '{}'", at("ghost")))?;
    appliance.kontor(&["tenant", "add", "other"])?;
    appliance.kontor(&["domain", "add", "other.test", "--tenant", "other"])?;
    appliance.kontor(&["mailbox", "add", "foreign@other.test", "--display-name", "Foreign M\u{fc}ller"])?;

    let computer = Computer::new(&appliance, &account)?;
    let folder = computer.file("con/directory").display().to_string();
    std::fs::write(computer.file("khard"), format!("[addressbooks]\n[[directory]]\npath = {folder}\n"))?;
    computer.discover()?;
    computer.sync()?;
    let said = computer.khard(&["email", "--parsable"])?;
    for address in [at("anna"), at("bert"), at("hall"), at("team")] {
        ensure!(said.contains(&address), "{address}: {said}");
    }
    ensure!(!said.contains("ghost") && !said.contains("foreign"), "{said}");
    let quiet = computer.sync()?;
    ensure!(!quiet.contains("Copying") && !quiet.contains("Deleting"), "nothing is left to do: {quiet}");

    // As Apple's clients search while somebody types, and what they are told of it.
    let curl = Curl { appliance: &appliance, account: &account };
    let principal = format!("/dav/principals/{}/", account.address);
    let body = propfind("<a:directory-gateway xmlns:a='urn:ietf:params:xml:ns:carddav'/>");
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &principal)?;
    let directory = format!("/dav/addressbooks/{}/directory/", account.address);
    ensure!(said.contains(&format!("<D:href>{directory}</D:href>")), "{said}");
    let query = |text: &str, limit: &str| {
        let filters: String = ["FN", "EMAIL", "NICKNAME"]
            .map(|name| {
                format!("<a:prop-filter name='{name}'><a:text-match>{text}</a:text-match></a:prop-filter>")
            })
            .concat();
        let body = format!(
            "<a:addressbook-query xmlns:a='urn:ietf:params:xml:ns:carddav' xmlns:d='DAV:'><d:prop><d:getetag/>\
             <a:address-data content-type='text/vcard' version='4.0'/></d:prop><a:filter>{filters}</a:filter>{limit}\
             </a:addressbook-query>"
        );
        curl.ask(&["-X", "REPORT", "-H", "Depth: 1", "--data", &body], &directory)
    };
    let said = query("\u{fc}LL", "")?;
    ensure!(said.matches("BEGIN:VCARD").count() == 1 && said.contains("FN:Bert M\u{fc}ller"), "{said}");
    ensure!(said.contains("KIND:individual") && said.contains("N:M\u{fc}ller;Bert;;;"), "{said}");
    let said = query("team", "")?;
    ensure!(said.contains("KIND:group") && said.contains(&format!("MEMBER:mailto:{}", at("bert"))), "{said}");
    ensure!(said.contains("MEMBER:mailto:guest@example.org") && !said.contains("ghost"), "{said}");
    ensure!(query("hall", "")?.contains("KIND:location"), "a room");
    for nobody in ["ghost", "foreign", "nobody"] {
        let said = query(nobody, "")?;
        ensure!(!said.contains("<D:response>"), "{nobody}: {said}");
    }
    let said = query(&domain, "<a:limit><a:nresults>2</a:nresults></a:limit>")?;
    ensure!(said.matches("BEGIN:VCARD").count() == 2 && said.contains("507 "), "{said}");

    // Versions move with what is said of somebody.
    let card = format!("{directory}{}.vcf", at("bert"));
    let before = curl.ask(&["-i"], &card)?;
    ensure!(before.starts_with("HTTP/1.1 200") && before.contains("VERSION:3.0"), "{before}");
    appliance.kontor(&["mailbox", "set", &at("bert"), "--display-name", "Bert Meier"])?;
    let after = curl.ask(&["-i"], &card)?;
    ensure!(header(&before, "etag") != header(&after, "etag") && after.contains("Bert Meier"), "{after}");
    let get = |name: &str| format!("<d:href>{directory}{name}.vcf</d:href>");
    let body = format!(
        "<a:addressbook-multiget xmlns:a='urn:ietf:params:xml:ns:carddav' xmlns:d='DAV:'><d:prop><d:getetag/>\
         <a:address-data/></d:prop>{}{}{}</a:addressbook-multiget>",
        get(&at("bert")),
        get(&at("ghost")),
        get("foreign@other.test"),
    );
    let said = curl.ask(&["-X", "REPORT", "--data", &body], &directory)?;
    ensure!(said.matches("BEGIN:VCARD").count() == 1 && said.matches("404 Not Found").count() == 2, "{said}");

    // There is no state to be told of, and so nothing is promised; and nobody changes it.
    let body =
        propfind("<d:supported-report-set/><d:sync-token/><cs:getctag/><d:current-user-privilege-set/>");
    let said = curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &directory)?;
    ensure!(
        !said.contains("sync-collection") && !said.contains("urn:kontor") && !said.contains("D:write"),
        "{said}"
    );
    let said = curl.ask(&["-i", "-X", "PUT", "--data-binary", &after], &card)?;
    ensure!(said.starts_with("HTTP/1.1 403"), "{said}");
    for path in [&card, &directory] {
        ensure!(curl.ask(&["-i", "-X", "DELETE"], path)?.starts_with("HTTP/1.1 403"), "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_calendar_is_subscribed_to() -> Result<()> {
    let open = Publisher::start("127.0.0.2:0")?;
    let closed = Publisher::start("127.0.0.1:0")?;
    let allow = [("KONTOR_DAV__SUBSCRIPTIONS__ALLOW", "127.0.0.2/32")];
    let appliance = Appliance::start_with(&allow).await?;
    let account = appliance.add_mailbox("anna").await?;
    let curl = Curl { appliance: &appliance, account: &account };
    let home = format!("/dav/calendars/{}", account.address);
    let make = |name: &str, url: &str| {
        let body = format!(
            "<d:mkcol xmlns:d='DAV:' xmlns:cs='http://calendarserver.org/ns/' xmlns:x='http://apple.com/ns/ical/'>\
             <d:set><d:prop><d:resourcetype><d:collection/><cs:subscribed/></d:resourcetype>\
             <cs:source><d:href>{url}</d:href></cs:source><x:refreshrate>P1D</x:refreshrate>\
             <cs:subscribed-strip-alarms/></d:prop></d:set></d:mkcol>"
        );
        curl.ask(
            &["-i", "-X", "MKCOL", "-H", "Content-Type: text/xml", "--data", &body],
            &format!("{home}/{name}/"),
        )
    };

    open.publish(&ok(&holidays(&["New Year", "Easter"])));
    let url = format!("http://{}/holidays.ics", open.address);
    let made = make("holidays", &url)?;
    ensure!(made.starts_with("HTTP/1.1 201"), "{made}");
    let computer = Computer::new(&appliance, &account)?;
    computer.discover()?;
    computer.sync()?;
    let said = computer.khal(&["list", "2027-01-01", "1d"])?;
    ensure!(said.contains("New Year") && said.contains("Easter"), "{said}");
    let collection = format!("{home}/holidays/");
    let body = propfind(
        "<d:resourcetype/><d:displayname/><cs:source/><c:schedule-calendar-transp/><d:current-user-privilege-set/>\
         <k:subscription-error xmlns:k='urn:kontor:dav'/><k:subscription-fetched xmlns:k='urn:kontor:dav'/>",
    );
    let describe = || curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &collection);
    let said = describe()?;
    for part in ["CS:subscribed", "C:calendar", "Public holidays", &url, "C:transparent", " GMT</"] {
        ensure!(said.contains(part), "{part}: {said}");
    }
    ensure!(!said.contains("<D:write-content") && !said.contains("<D:bind"), "{said}");
    let said = curl.ask(&["-X", "REPORT", "--data", &sync("")], &collection)?;
    let token = between(&said, "<D:sync-token>", "</D:sync-token>").context("a token")?;
    ensure!(said.matches("200 OK").count() == 2, "{said}");
    let whole = curl.ask(&["-X", "REPORT", "-H", "Depth: 1", "--data", ALL], &collection)?;
    ensure!(
        whole.contains("BEGIN:VTIMEZONE") && !whole.contains("VALARM") && !whole.contains("METHOD"),
        "{whole}"
    );

    // Nobody else writes there.
    let said = curl.ask(&["-i", "-X", "PUT", "--data-binary", EVENT], &format!("{collection}1.ics"))?;
    ensure!(said.starts_with("HTTP/1.1 403"), "{said}");

    // When it is due: asked with what is known of it, and only what is different is different.
    let due = || {
        appliance.psql(
            "UPDATE folder SET properties = convert_to(regexp_replace(convert_from(properties, 'UTF8'),
             'tried=\"[0-9]+\"', 'tried=\"1\"'), 'UTF8') WHERE slug = 'holidays'",
        )
    };
    ensure!(open.asked() == 1, "once a day is enough: {}", open.asked());
    open.publish("HTTP/1.1 304 Not Modified\r\n\r\n");
    due()?;
    describe()?;
    ensure!(open.asked() == 2 && open.last().contains("if-none-match: \"a\""), "{}", open.last());
    open.publish(&ok(&holidays(&["New Year", "Whitsun"])));
    due()?;
    describe()?;
    let said = curl.ask(&["-X", "REPORT", "--data", &sync(&token)], &collection)?;
    ensure!(said.matches("200 OK").count() == 1 && said.matches("404 Not Found").count() == 1, "{said}");
    computer.sync_with(&["--force-delete"])?;
    let said = computer.khal(&["list", "2027-01-01", "1d"])?;
    ensure!(said.contains("New Year") && said.contains("Whitsun") && !said.contains("Easter"), "{said}");

    // Whatever goes wrong there, what is here stays, and the owner can read why.
    for (answer, error) in [
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned(), "500"),
        (ok("<html>Not found</html>"), "no calendar"),
        (ok(""), "no calendar"),
        (ok("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n"), "no calendar"),
        (ok(&holidays(&[])), "empty"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "Internet",
        ),
        ("HTTP/1.1 302 Found\r\nLocation: http://[::1]/\r\nContent-Length: 0\r\n\r\n".to_owned(), "Internet"),
    ] {
        open.publish(&answer);
        due()?;
        let said = describe()?;
        ensure!(
            between(&said, "subscription-error", "subscription-error")
                .is_some_and(|said| said.contains(error)),
            "{error}: {said}"
        );
        let said = curl.ask(&["-X", "REPORT", "--data", &sync("")], &collection)?;
        ensure!(said.matches("200 OK").count() == 2, "{error}: {said}");
    }

    // Nothing inside is asked, however it is written.
    let port = closed.address.port();
    for (name, host) in [
        ("a", "127.0.0.1"),
        ("b", "[::ffff:127.0.0.1]"),
        ("c", "localhost"),
        ("d", "169.254.169.254"),
        ("e", "[64:ff9b::7f00:1]"),
    ] {
        let made = make(name, &format!("http://{host}:{port}/x.ics"))?;
        ensure!(made.starts_with("HTTP/1.1 201"), "{host}: {made}");
        let said =
            curl.ask(&["-X", "PROPFIND", "-H", "Depth: 0", "--data", &body], &format!("{home}/{name}/"))?;
        ensure!(said.contains("not on the Internet") || said.contains("is not known"), "{host}: {said}");
    }
    for url in
        ["http://2130706433/", "http://0x7f000001/", "http://127.1/", "file:///etc/passwd", "gopher://x/"]
    {
        let made = make("f", url)?;
        ensure!(made.starts_with("HTTP/1.1 403") && made.contains("CS:source"), "{url}: {made}");
    }
    ensure!(closed.asked() == 0, "somebody came from inside");
    ensure!(curl.ask(&["-i", "-X", "DELETE"], &collection)?.starts_with("HTTP/1.1 204"), "unsubscribed");

    // An administrator subscribes somebody to it, once.
    let by = |arguments: &[&str]| appliance.kontor(&[&["subscription"], arguments].concat());
    let address = account.address.as_str();
    open.publish(&ok(&holidays(&["New Year", "Ascension"])));
    by(&["add", address, &url, "--name", "Holidays"])?;
    let again = by(&["add", address, &url]).err().context("it is there")?.to_string();
    ensure!(again.contains("as \"Holidays\""), "{again}");
    ensure!(by(&["add", address, "ftp://x.example/"]).is_err() && by(&["add", "x@y.example", &url]).is_err());
    computer.discover()?;
    computer.sync_with(&["--force-delete"])?;
    let said = computer.khal(&["list", "2027-01-01", "1d"])?;
    ensure!(said.contains("Ascension"), "{said}");
    let listed: serde_json::Value = serde_json::from_str(&by(&["list", address, "--json"])?)?;
    let rows = listed.as_array().context("rows")?;
    let row = rows.iter().find(|row| row["name"] == "Holidays").context("it is listed")?;
    ensure!(row["url"] == url && row["fetched_at"].is_i64() && row["error"] == "", "{row}");
    by(&["remove", address, "Holidays"])?;
    ensure!(by(&["remove", address, "Holidays"]).is_err() && !by(&["list", address])?.contains("Holidays"));
    Ok(())
}

/// A web server that gives everybody the same answer.
struct Publisher {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Publisher {
    fn start(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let (answer, requests) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(Vec::new())));
        let publisher = Self { address, answer: Arc::clone(&answer), requests: Arc::clone(&requests) };
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut request = vec![0; 8192];
                let length = connection.read(&mut request).unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
                requests.lock().unwrap().push(request);
                let _ = connection.write_all(answer.lock().unwrap().as_bytes());
            }
        });
        Ok(publisher)
    }

    fn publish(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn last(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A calendar as publishers write them: each event was made just now, they say.
fn holidays(names: &[&str]) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % 60;
    let events: String = names
        .iter()
        .map(|name| {
            format!(
                "BEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20261101T0000{now:02}Z\r\n\
                 DTSTART;TZID=Here:20270101T100000\r\nSUMMARY:{name}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\n\
                 DESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
            )
        })
        .collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:Public holidays\r\n\
         BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0000\r\n\
         TZOFFSETTO:+0000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n{events}END:VCALENDAR\r\n"
    )
}

fn sync(token: &str) -> String {
    format!(
        "<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>\
         <d:prop><d:getetag/></d:prop></d:sync-collection>"
    )
}

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:A1\r\n\
    DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nSUMMARY:x\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

const FEBRUARY: &str = "<c:calendar-query xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop>\
    <c:calendar-data><c:expand start='20270201T000000Z' end='20270301T000000Z'/></c:calendar-data></d:prop>\
    <c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>\
    <c:time-range start='20270201T000000Z' end='20270301T000000Z'/>\
    </c:comp-filter></c:comp-filter></c:filter></c:calendar-query>";

const BUSY: &str = "<c:free-busy-query xmlns:c='urn:ietf:params:xml:ns:caldav'>\
    <c:time-range start='20270201T000000Z' end='20270301T000000Z'/></c:free-busy-query>";

const ALL: &str = "<c:calendar-query xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><d:prop>\
    <c:calendar-data/></d:prop><c:filter><c:comp-filter name='VCALENDAR'/></c:filter></c:calendar-query>";

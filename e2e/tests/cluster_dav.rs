//! Calendars in the cluster's shape: two DAV gateways behind an ingress, two storage nodes, each a process. Clients are curl
//! and Python's caldav.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Account;
use kontor_e2e::cluster::{Cluster, Node};
use kontor_e2e::process::{eventually, output_of, run};
use kontor_e2e::s3::virtual_environment;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_moves_between_gateways_sees_one_truth() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let mut web = cluster.start_dav().await?;
    let account = cluster.add_mailbox("anna").await?;
    let (one, other) = (Client::at(&web.dav, 0, &account)?, Client::at(&web.dav, 1, &account)?);
    let front = Client::new(&web.ingress.address, &account);

    // Made on one, seen and changed on the other, with the same versions and the same place in time.
    ensure!(one.put("a.ics", "first", &["If-None-Match: *"])?.code == 201, "made");
    let seen = other.get("a.ics")?;
    ensure!(seen.code == 200 && seen.body == event("a.ics", "first"), "{}", seen.body);
    let token = token(&one.sync("")?)?;
    ensure!(other.sync(&token)?.matches("<D:response>").count() == 0, "nothing since");
    let version = format!("If-Match: {}", seen.header("etag").context("an ETag")?);
    ensure!(other.put("a.ics", "second", &[&version])?.code == 204, "changed on the other");
    ensure!(one.put("a.ics", "third", &[&version])?.code == 412, "the one knows it at once");
    ensure!(one.get("a.ics")?.body == event("a.ics", "second"));
    ensure!(one.sync(&token)?.contains("a.ics"), "what the other did is news here");

    // A program that speaks to whichever the ingress chooses, while a storage node dies.
    cluster.storage.get_mut(0).context("a storage node")?.kill()?;
    eventually("calendars are served without it", LIMIT, async || {
        Ok((front.get("a.ics")?.code == 200).then_some(()))
    })
    .await?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("drive.py");
    std::fs::write(&script, DRIVE)?;
    let python = virtual_environment().join("bin/python");
    ensure!(python.exists(), "{} is missing; run e2e/setup.sh", python.display());
    let url = format!("http://{}/", web.ingress.address);
    let said = run(
        &python.display().to_string(),
        [&script.display().to_string(), &url, &account.address, &account.password],
        LIMIT,
    )?;
    ensure!(said.trim().ends_with("done"), "{said}");
    for node in &web.dav {
        let requests = metric(node, "kontor_dav_requests_total")?;
        ensure!(requests > 10.0, "the ingress uses both: {requests}");
    }

    // By the door with TLS, and in HTTP/2 with and without it.
    let ca = web.ca.display().to_string();
    let path = format!("/dav/calendars/{}/calendar/a.ics", account.address);
    let login = format!("{}:{}", account.address, account.password);
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default();
    let (host, _) = web.tls.rsplit_once(':').context("host:port")?;
    let resolve = format!("localhost:{}:{host}", port(&web.tls));
    let secure = format!("https://localhost:{}{path}", port(&web.tls));
    let plain = format!("http://{}{path}", web.direct);
    for arguments in [
        vec!["--http2", "--cacert", &ca, "--resolve", &resolve, &secure],
        vec!["--http2-prior-knowledge", &plain],
    ] {
        let said = curl(&[&["-i", "-u", &login], &arguments[..]].concat())?;
        ensure!(said.starts_with("HTTP/2 200") && said.contains("SUMMARY:second"), "{said}");
    }

    // Who the client is, the ingress is believed about, and nobody else.
    let node = web.dav.get(1).context("a gateway")?;
    for address in [node.address.clone(), web.direct.clone()] {
        let url = format!("http://{address}{path}");
        let said = curl(&["-i", "-u", "anna@cluster.test:wrong", "-H", "X-Forwarded-For: 192.0.2.77", &url])?;
        ensure!(said.starts_with("HTTP/1.1 401"), "{said}");
    }
    let log = node.log()?;
    let wrong: Vec<&str> = log.lines().filter(|line| line.contains("wrong password")).collect();
    let [forwarded, direct] = wrong.as_slice() else { anyhow::bail!("{wrong:?}") };
    ensure!(forwarded.contains("192.0.2.77") && !direct.contains("192.0.2.77"), "{wrong:?}");

    // Told to go, it finishes what it is doing, says so, and takes nothing new.
    let large = folder.path().join("large.ics");
    std::fs::write(&large, event("large.ics", &"so much to say \r\n ".repeat(11_000)))?;
    let sending = {
        let upload = format!("@{}", large.display());
        let url = format!("http://{}/dav/calendars/{}/calendar/large.ics", node.address, account.address);
        let login = login.clone();
        std::thread::spawn(move || {
            let slow = ["--limit-rate", "40k", "-X", "PUT", "-H", "Expect:"];
            curl(&[&["-i", "-u", &login][..], &slow, &["--data-binary", &upload, &url]].concat())
        })
    };
    eventually("the upload is on its way", LIMIT, async || {
        Ok((metric(node, "kontor_http_requests_in_flight")? >= 1.0).then_some(()))
    })
    .await?;
    web.dav.get_mut(1).context("a gateway")?.stop(LIMIT)?;
    let said = sending.join().map_err(|_| anyhow::anyhow!("the upload died"))??;
    ensure!(said.starts_with("HTTP/1.1 201") && said.contains("connection: close"), "{said}");
    ensure!(one.get("large.ics")?.body.len() > 150_000, "what was acknowledged is there");
    ensure!(front.get("large.ics")?.code == 200, "the ingress goes on with the other one");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_dav_gateway_loses_nothing_acknowledged() -> Result<()> {
    let cluster = Cluster::start().await?;
    let mut web = cluster.start_dav().await?;
    let account = cluster.add_mailbox("bob").await?;
    let front = Client::new(&web.ingress.address, &account);
    let mut failures = 0;
    for number in 0..EVENTS {
        match number {
            15 | 45 => web.dav.get_mut(0).context("a gateway")?.kill()?,
            30 | 60 => web.dav.get_mut(0).context("a gateway")?.start().await?,
            70 => web.dav.get_mut(1).context("a gateway")?.kill()?,
            _ => {}
        }
        let name = format!("{number}.ics");
        // A client tries again until it is told that the event is kept.
        eventually("the event is acknowledged", LIMIT, async || {
            let code = front.put(&name, "kept", &[])?.code;
            let kept = matches!(code, 201 | 204);
            failures += usize::from(!kept);
            Ok(kept.then_some(()))
        })
        .await
        .with_context(|| format!("event {number}"))?;
    }
    println!("{failures} of {EVENTS} requests had to be made again");
    ensure!(failures <= 6, "a gateway that is gone is not asked for long: {failures} failures");
    web.dav.get_mut(1).context("a gateway")?.start().await?;
    for client in [Client::at(&web.dav, 0, &account)?, Client::at(&web.dav, 1, &account)?] {
        let listed = client.sync("")?;
        let count = listed.matches("<D:response>").count();
        ensure!(count == EVENTS, "{count} of {EVENTS}");
        for number in 0..EVENTS {
            ensure!(listed.contains(&format!("/calendar/{number}.ics<")), "{number} is lost");
        }
    }
    Ok(())
}

/// Somebody with curl, at one address.
struct Client {
    base: String,
    home: String,
    login: String,
}

/// What came back.
struct Answer {
    code: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
    }
}

impl Client {
    fn new(address: &str, account: &Account) -> Self {
        Self {
            base: format!("http://{address}"),
            home: format!("/dav/calendars/{}/calendar", account.address),
            login: format!("{}:{}", account.address, account.password),
        }
    }

    fn at(nodes: &[Node], number: usize, account: &Account) -> Result<Self> {
        Ok(Self::new(&nodes.get(number).context("no such gateway")?.address, account))
    }

    fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        let url = format!("{}{}/{path}", self.base, self.home);
        let said = curl(&[&["-i", "-H", "Expect:", "-u", &self.login][..], arguments, &[&url]].concat())?;
        let (head, body) = said.split_once("\r\n\r\n").context("a head and a body")?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("a status")?;
        Ok(Answer { code, head: head.to_owned(), body: body.to_owned() })
    }

    fn get(&self, name: &str) -> Result<Answer> {
        self.ask(&[], name)
    }

    fn put(&self, name: &str, summary: &str, headers: &[&str]) -> Result<Answer> {
        let body = event(name, summary);
        let mut arguments = vec!["-X", "PUT", "--data-binary", &body];
        arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
        self.ask(&arguments, name)
    }

    fn sync(&self, token: &str) -> Result<String> {
        let body = format!(
            "<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>\
             <d:prop><d:getetag/></d:prop></d:sync-collection>"
        );
        let answer = self.ask(&["-X", "REPORT", "--data", &body], "")?;
        ensure!(answer.code == 207, "{}\n{}", answer.head, answer.body);
        Ok(answer.body)
    }
}

fn curl(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*"]).args(arguments);
    let output = output_of(command, LIMIT)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {error}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The sum of a metric's lines.
fn metric(node: &Node, name: &str) -> Result<f64> {
    let (host, _) = node.address.rsplit_once(':').context("host:port")?;
    let text = curl(&[&format!("http://{host}:{}/metrics", node.monitor.context("a monitor")?)])?;
    let values = text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit_once(' '));
    Ok(values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum())
}

fn token(answer: &str) -> Result<String> {
    let after = answer.split_once("<D:sync-token>").context("a token")?.1;
    Ok(after.split_once('<').context("its end")?.0.to_owned())
}

fn event(name: &str, summary: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{name}\r\n\
         DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nSUMMARY:{summary}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const LIMIT: Duration = Duration::from_secs(60);
const EVENTS: usize = 80;

/// A calendar that is made, filled, searched and deleted.
const DRIVE: &str = r#"
import datetime, sys, caldav
url, user, password = sys.argv[1:]
client = caldav.DAVClient(url=url + "dav/", username=user, password=password)
project = client.principal().make_calendar(name="Project")
for day in range(1, 21):
    project.save_event(dtstart=datetime.datetime(2026, 12, day, 10), dtend=datetime.datetime(2026, 12, day, 11),
                       summary="day %d" % day)
state = project.objects(load_objects=True)
assert len(list(state)) == 20
week = project.search(event=True, start=datetime.datetime(2026, 12, 7), end=datetime.datetime(2026, 12, 14))
assert len(week) == 7, len(week)
for event in week:
    event.icalendar_component["SUMMARY"] = "changed"
    event.save()
changed = list(project.objects_by_sync_token(state.sync_token, load_objects=True))
assert [str(c.icalendar_component["SUMMARY"]) for c in changed] == ["changed"] * 7, changed
project.delete()
assert "Project" not in [c.get_display_name() for c in client.principal().calendars()]
print("done")
"#;

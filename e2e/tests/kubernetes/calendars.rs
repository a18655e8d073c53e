//! A person's calendar program, at work while pods come and go.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kontor_e2e::process::output_of;

use crate::BERT;

/// Bert's calendar program: it adds events, looks at them and asks for news, again and again.
pub struct Planner {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Result<Seen>>,
}

/// A test that fails must not wait for it.
impl Drop for Planner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What it saw.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    /// Connections that ended before there was an answer; a program tries again without a word.
    retries: u64,
    /// Answers that a program shows to its user.
    failures: Vec<String>,
    kept: Vec<String>,
}

impl Planner {
    /// Begins to work at this address.
    pub fn start(address: SocketAddr, name: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut seen = Seen::default();
            let mut token = String::new();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let event = format!("{name}-{number}.ics");
                let text = ics(&event);
                let put = ["-X", "PUT", "--data-binary", &text];
                if seen.asks(address, &put, &event, &[201, 204])?.is_some() {
                    seen.kept.push(event.clone());
                    let read = seen.asks(address, &[], &event, &[200])?;
                    ensure!(read.is_none_or(|read| read.contains(&text)), "{event} is another one");
                    let news = seen.asks(address, &["-X", "REPORT", "--data", &sync(&token)], "", &[207])?;
                    if let Some(news) = news {
                        ensure!(news.contains(&event), "{event} is no news: {news}");
                        token = between(&news, "<D:sync-token>", "</D:sync-token>")?;
                    }
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            let all = seen.asks(address, &["-X", "REPORT", "--data", &sync("")], "", &[207])?;
            let all = all.context("the calendar cannot be read at the end")?;
            let lost: Vec<_> = seen.kept.iter().filter(|event| !all.contains(event.as_str())).collect();
            ensure!(lost.is_empty(), "lost: {lost:?}");
            Ok(seen)
        });
        Self { stop, task }
    }

    /// Stops it; an error when it showed one to its user, or something that was acknowledged is not there.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let seen = (&mut self.task).await.context("the program died")??;
        let (requests, retries, events) = (seen.requests, seen.retries, seen.kept.len());
        println!("          {events} events in {requests} requests, {retries} of them tried again");
        ensure!(seen.failures.is_empty(), "{} failures: {:#?}", seen.failures.len(), seen.failures);
        ensure!(events >= 10, "{events} events");
        Ok(())
    }
}

impl Seen {
    /// Asks until there is an answer; none when it is not what was hoped for.
    fn asks(
        &mut self,
        address: SocketAddr,
        arguments: &[&str],
        name: &str,
        good: &[u16],
    ) -> Result<Option<String>> {
        for _ in 0..120 {
            self.requests += 1;
            let Ok((code, text)) = ask(address, arguments, &format!("{HOME}/{name}")) else {
                self.retries += 1;
                std::thread::sleep(Duration::from_millis(500));
                continue;
            };
            if good.contains(&code) {
                return Ok(Some(text));
            }
            self.failures.push(format!("{arguments:?} {name}: {text}"));
            return Ok(None);
        }
        bail!("no answer for a minute")
    }
}

/// One request of Bert's, and what came back with its head. An error when there is no answer of HTTP.
pub fn ask(address: SocketAddr, arguments: &[&str], path: &str) -> Result<(u16, String)> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "--noproxy", "*", "-H", "Expect:", "--max-time", "30"]);
    command.args(["-u", &format!("{}:{}", BERT.0, BERT.1)]);
    command.args(arguments).arg(format!("http://{address}{path}"));
    let output = output_of(command, Duration::from_secs(60))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).context("a status")?;
    Ok((code, text))
}

fn ics(name: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{name}\r\n\
         DTSTAMP:20261101T000000Z\r\nDTSTART:20261202T080000Z\r\nDURATION:PT30M\r\nSUMMARY:{name}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn sync(token: &str) -> String {
    format!(
        "<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>\
         <d:prop><d:getetag/></d:prop></d:sync-collection>"
    )
}

fn between(text: &str, before: &str, after: &str) -> Result<String> {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    Ok(found.with_context(|| format!("no {before} in {text}"))?.0.to_owned())
}

const HOME: &str = "/dav/calendars/bert@example.org/calendar";

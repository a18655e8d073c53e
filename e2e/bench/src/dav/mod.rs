//! Calendars and contacts: the same requests to Kontor and to Radicale, in turns, on one disk in one run.

mod client;
mod radicale;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::task::JoinSet;

use crate::compare::{line, merge, print_table};
use crate::figures::Figures;
use crate::kontor::Kontor;
use client::Client;
use radicale::Radicale;

/// What to compare and how much of it.
#[derive(Debug, Clone, Args)]
pub struct Compare {
    /// A small run that only shows that everything works.
    #[arg(long)]
    pub quick: bool,
    /// How often everything is done, each time in new collections; the median counts.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Events in the calendar, and cards in the address book.
    #[arg(long, default_value_t = 5_000)]
    pub items: usize,
    /// Which servers: kontor, radicale.
    #[arg(long, value_delimiter = ',', default_value = "kontor,radicale")]
    pub servers: Vec<String>,
    /// Where the servers keep their data for the run; a new folder under it, removed at the end.
    #[arg(long)]
    pub scratch: Option<PathBuf>,
}

enum Server {
    Kontor(Box<Kontor>),
    Radicale(Radicale),
}

/// A server as the workload knows it.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    /// host:port
    pub address: String,
    pub user: String,
    pub password: String,
    /// Paths of the homes, with a slash at their ends.
    pub calendars: String,
    pub address_books: String,
    /// Whether a PUT to a collection's own path fills it.
    pub takes_whole_collections: bool,
}

/// Runs the comparison and prints the table.
pub async fn compare(mut options: Compare) -> Result<()> {
    if options.quick {
        options.rounds = 1;
        options.items = options.items.min(200);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("kontor-bench-");
    let scratch = match &options.scratch {
        Some(folder) => builder.tempdir_in(folder)?,
        None => builder.tempdir()?,
    };
    // PostgreSQL runs as another user and must pass through.
    std::fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let mut servers = Vec::new();
    for name in &options.servers {
        let folder = scratch.path().join(name);
        eprintln!("starting {name}");
        servers.push(match name.as_str() {
            "kontor" => Server::Kontor(Box::new(Kontor::start(&folder, 0, false).await?)),
            "radicale" => Server::Radicale(Radicale::start(&folder).await?),
            other => anyhow::bail!("no server is called {other:?}"),
        });
    }
    let mut results = Vec::new();
    for round in 0..options.rounds {
        for index in 0..servers.len() {
            // Who begins changes with the round.
            let Some(server) = servers.get((index + round) % servers.len()) else { continue };
            let target = match server {
                Server::Kontor(kontor) => kontor.dav(),
                Server::Radicale(radicale) => radicale.target(),
            };
            let figures = run(&target, round, options.items).await;
            for one in figures.with_context(|| format!("on {}", target.name))? {
                eprintln!("{}", line(&one));
                results.push(one);
            }
        }
    }
    print_table(&merge(&results), &options.servers);
    Ok(())
}

async fn run(target: &Target, round: usize, items: usize) -> Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for kind in [Kind::Events, Kind::Cards] {
        let collection = kind.collection(target, round);
        let mut client = Client::connect(target).await?;
        if target.takes_whole_collections {
            client.put(kind, &collection, kind.whole(items)).await?;
        } else {
            client.make(kind, &collection).await?;
            upload(target, kind, &collection, 0..items).await?;
        }
        figures.push(download(&mut client, target, kind, &collection, items).await?);
        figures.push(upload(target, kind, &collection, items..items + UPLOADED.min(items)).await?);
        figures.push(put_one(&mut client, target, kind, &collection, items).await?);
        figures.push(incremental(&mut client, target, kind, &collection, items).await?);
        if kind == Kind::Events {
            figures.push(month(&mut client, target, &collection, items).await?);
        }
    }
    Ok(figures)
}

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Events,
    Cards,
}

impl Kind {
    fn collection(self, target: &Target, round: usize) -> String {
        match self {
            Self::Events => format!("{}bench{round}/", target.calendars),
            Self::Cards => format!("{}cards{round}/", target.address_books),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/calendar; charset=utf-8",
            Self::Cards => "text/vcard; charset=utf-8",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Cards => "cards",
        }
    }

    fn path(self, collection: &str, number: usize) -> String {
        match self {
            Self::Events => format!("{collection}event-{number}.ics"),
            Self::Cards => format!("{collection}card-{number}.vcf"),
        }
    }

    /// The objects of a whole collection in one text. Who takes it names them by their UIDs, as `path` does.
    fn whole(self, items: usize) -> String {
        let objects = (0..items).map(|number| self.object(number, 0));
        if self == Self::Cards {
            return objects.collect();
        }
        let events = objects.filter_map(|object| {
            let (_, event) = object.split_once("BEGIN:VEVENT")?;
            let (event, _) = event.rsplit_once("END:VCALENDAR")?;
            Some(format!("BEGIN:VEVENT{event}"))
        });
        let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n".to_owned();
        [head].into_iter().chain(events).chain(["END:VCALENDAR\r\n".to_owned()]).collect()
    }

    /// One object: about one in ten events recurs; the others are spread over five years.
    fn object(self, number: usize, version: usize) -> String {
        if self == Self::Cards {
            return format!(
                "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-{number}\r\nFN:Person {number} of {version}\r\n\
                 N:{number};Person;;;\r\nEMAIL;TYPE=WORK:p{number}@example.org\r\n\
                 TEL;TYPE=CELL:+49 170 {number:07}\r\nORG:Example {}\r\n\
                 ADR;TYPE=HOME:;;Street {number};Town;;12345;Country\r\nEND:VCARD\r\n",
                number % 50
            );
        }
        let (day, hour) = (number * 7_919 % 1_800, 8 + number % 9);
        let (year, month, date) = (2024 + day / 360, 1 + day % 360 / 30, 1 + day % 30 % 28);
        let rule = if number.is_multiple_of(10) { "RRULE:FREQ=WEEKLY;COUNT=20\r\n" } else { "" };
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:event-{number}\r\n\
             DTSTAMP:20240101T000000Z\r\nDTSTART:{year}{month:02}{date:02}T{hour:02}0000Z\r\n\
             DTEND:{year}{month:02}{date:02}T{hour:02}4500Z\r\n{rule}SUMMARY:Meeting {number} of {version}\r\n\
             LOCATION:Room {}\r\nDESCRIPTION:{}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\n\
             TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            number % 20,
            "What it is about. ".repeat(1 + number % 12)
        )
    }
}

/// New objects on eight connections.
async fn upload(target: &Target, kind: Kind, collection: &str, numbers: Range<usize>) -> Result<Figures> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    let (target, collection) = (Arc::new(target.clone()), Arc::new(collection.to_owned()));
    for connection in 0..CONNECTIONS {
        let (target, collection) = (target.clone(), collection.clone());
        let numbers = numbers.clone().skip(connection).step_by(CONNECTIONS);
        tasks.spawn(async move {
            let mut client = Client::connect(&target).await?;
            let mut seconds = Vec::new();
            for number in numbers {
                let at = Instant::now();
                client.put(kind, &kind.path(&collection, number), kind.object(number, 0)).await?;
                seconds.push(at.elapsed().as_secs_f64());
            }
            anyhow::Ok(seconds)
        });
    }
    let mut seconds = Vec::new();
    while let Some(done) = tasks.join_next().await {
        seconds.extend(done??);
    }
    ensure!(seconds.len() == numbers.len(), "{} of {} stored", seconds.len(), numbers.len());
    let rate = numbers.len() as f64 / started.elapsed().as_secs_f64();
    let figures = Figures::new(&target.name, format!("{}-upload-8", kind.label()));
    Ok(figures.with("per_s", rate).with_latencies(seconds))
}

/// All objects, as a client gets them the first time: a synchronization, then pages of multigets.
async fn download(
    client: &mut Client,
    target: &Target,
    kind: Kind,
    collection: &str,
    items: usize,
) -> Result<Figures> {
    let started = Instant::now();
    let (hrefs, _) = client.sync(collection, "").await?;
    ensure!(hrefs.len() == items, "{} of {items} listed", hrefs.len());
    let mut found = 0;
    for page in hrefs.chunks(PAGE) {
        let answer = client.multiget(kind, collection, page).await?;
        found += answer.matches(if kind == Kind::Events { "UID:event-" } else { "UID:card-" }).count();
    }
    ensure!(found == items, "{found} of {items} downloaded");
    let rate = items as f64 / started.elapsed().as_secs_f64();
    Ok(Figures::new(&target.name, format!("{}-initial-sync", kind.label())).with("per_s", rate))
}

/// New versions, one after the other.
async fn put_one(
    client: &mut Client,
    target: &Target,
    kind: Kind,
    collection: &str,
    items: usize,
) -> Result<Figures> {
    let mut seconds = Vec::new();
    for number in 0..SINGLE.min(items) {
        let at = Instant::now();
        client.put(kind, &kind.path(collection, number), kind.object(number, 1)).await?;
        seconds.push(at.elapsed().as_secs_f64());
    }
    let rate = seconds.len() as f64 / seconds.iter().sum::<f64>();
    let figures = Figures::new(&target.name, format!("{}-put-1", kind.label()));
    Ok(figures.with("per_s", rate).with_latencies(seconds))
}

/// Synchronizations, each after one change.
async fn incremental(
    client: &mut Client,
    target: &Target,
    kind: Kind,
    collection: &str,
    items: usize,
) -> Result<Figures> {
    let (_, mut token) = client.sync(collection, "").await?;
    let mut seconds = Vec::new();
    for round in 0..REPEATED {
        let number = round * 31 % items;
        client.put(kind, &kind.path(collection, number), kind.object(number, 2 + round)).await?;
        let at = Instant::now();
        let (hrefs, next) = client.sync(collection, &token).await?;
        seconds.push(at.elapsed().as_secs_f64());
        ensure!(hrefs.len() == 1, "{} changes for one", hrefs.len());
        token = next;
    }
    let rate = seconds.len() as f64 / seconds.iter().sum::<f64>();
    let figures = Figures::new(&target.name, format!("{}-sync-one", kind.label()));
    Ok(figures.with("per_s", rate).with_latencies(seconds))
}

/// A month of the calendar, with its data.
async fn month(client: &mut Client, target: &Target, collection: &str, items: usize) -> Result<Figures> {
    let mut seconds = Vec::new();
    let mut found = 0;
    for round in 0..REPEATED {
        let month = 1 + round % 12;
        let at = Instant::now();
        let answer = client.month(collection, 2026, month).await?;
        seconds.push(at.elapsed().as_secs_f64());
        found += answer.matches("BEGIN:VEVENT").count();
    }
    ensure!(found > items / 10, "{found} events in {REPEATED} months");
    let rate = seconds.len() as f64 / seconds.iter().sum::<f64>();
    let figures = Figures::new(&target.name, "events-month");
    Ok(figures.with("per_s", rate).with("hits", found as f64).with_latencies(seconds))
}

const CONNECTIONS: usize = 8;
/// Objects that are added to a full collection.
const UPLOADED: usize = 500;
/// Objects in a multiget, as clients ask for them.
const PAGE: usize = 100;
const SINGLE: usize = 300;
const REPEATED: usize = 24;

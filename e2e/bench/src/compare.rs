//! The same workload on Kontor and on Dovecot, in turns, on one disk in one run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::dovecot::{Dovecot, Fsync};
use crate::figures::{Figures, headline, median};
use crate::kontor::Kontor;
use crate::message::Messages;
use crate::target::Target;
use crate::{append, deliver, folder, idle, login};

/// What to compare and how long.
#[derive(Debug, Clone, Args)]
pub struct Compare {
    /// A small run that only shows that everything works.
    #[arg(long)]
    pub quick: bool,
    /// How often each delivery and APPEND step is run; the median counts.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Only these steps: lmtp, append, folder, idle, login.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Which servers: kontor, dovecot, dovecot-optimized (`mail_fsync = optimized`), dovecot-hibernate.
    #[arg(long, value_delimiter = ',', default_value = "kontor,dovecot")]
    pub servers: Vec<String>,
    /// Where the servers keep their data for the run; a new folder under it, removed at the end.
    #[arg(long)]
    pub scratch: Option<PathBuf>,
    /// Write all figures to this file as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Messages in the large folder.
    #[arg(long, default_value_t = 10_000)]
    pub folder_size: usize,
    /// Deliveries in a step on 8 and on 32 connections; a fifth of it on one.
    #[arg(long, default_value_t = 10_000)]
    pub deliveries: usize,
    /// Idle connections.
    #[arg(long, default_value_t = 2_000)]
    pub idle: usize,
    /// Let Kontor's PostgreSQL count statements (it is restarted with pg_stat_statements loaded; costs a
    /// little speed).
    #[arg(long)]
    pub statements: bool,
}

enum Server {
    Kontor(Box<Kontor>),
    Dovecot(Dovecot),
}

impl Server {
    fn target(&self, user_count: usize) -> Target {
        match self {
            Self::Kontor(kontor) => kontor.target(),
            Self::Dovecot(dovecot) => dovecot.target(user_count),
        }
    }

    async fn restart(&mut self) -> Result<()> {
        match self {
            Self::Kontor(kontor) => kontor.restart().await,
            Self::Dovecot(dovecot) => dovecot.restart().await,
        }
    }
}

/// Runs the comparison and prints the table.
pub async fn compare(mut options: Compare) -> Result<()> {
    if options.quick {
        options.rounds = 1;
        options.folder_size = options.folder_size.min(300);
        options.deliveries = options.deliveries.min(500);
        options.idle = options.idle.min(80);
    }
    let scratch = match &options.scratch {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            tempfile::Builder::new().prefix("kontor-bench-").tempdir_in(folder)?
        }
        None => tempfile::Builder::new().prefix("kontor-bench-").tempdir()?,
    };
    // Dovecot's mail processes and PostgreSQL run as other users and must pass through.
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755))?;
    let _inotify = Inotify::raise();

    let mut servers = Vec::new();
    for name in &options.servers {
        let folder = scratch.path().join(name);
        eprintln!("starting {name}");
        servers.push(match name.as_str() {
            "kontor" => Server::Kontor(Box::new(Kontor::start(&folder, USERS, options.statements).await?)),
            "dovecot" => Server::Dovecot(Dovecot::start(name, &folder, Fsync::Always, false).await?),
            "dovecot-optimized" => {
                Server::Dovecot(Dovecot::start(name, &folder, Fsync::Optimized, false).await?)
            }
            "dovecot-hibernate" => Server::Dovecot(Dovecot::start(name, &folder, Fsync::Always, true).await?),
            other => anyhow::bail!("no server is called {other:?}"),
        });
    }

    let messages = Arc::new(Messages::new(u64::from(std::process::id())));
    let mut results = Vec::new();
    for step in steps(&options) {
        for round in 0..step.rounds {
            let order: Vec<usize> = if round % 2 == 0 {
                (0..servers.len()).collect()
            } else {
                (0..servers.len()).rev().collect()
            };
            for index in order {
                let Some(server) = servers.get_mut(index) else { continue };
                if step.restart_first {
                    server.restart().await?;
                }
                let target = server.target(USERS);
                let figures = step
                    .run(&target, &messages, round)
                    .await
                    .with_context(|| format!("{} on {}", step.name, target.name))?;
                for one in figures {
                    eprintln!("{}", line(&one));
                    results.push(one);
                }
            }
        }
    }
    let merged = merge(&results);
    print_table(&merged, &options.servers);
    if let Some(path) = &options.json {
        let all = Report { steps: &merged, runs: &results };
        std::fs::write(path, serde_json::to_vec_pretty(&all)?).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Report<'a> {
    steps: &'a [Figures],
    runs: &'a [Figures],
}

struct Step {
    name: &'static str,
    rounds: usize,
    restart_first: bool,
    work: Work,
}

enum Work {
    Deliver { count: usize, connections: usize },
    AppendMany(usize),
    AppendOne(usize),
    Folder(usize),
    Idle(usize),
    Login(usize),
}

impl Step {
    async fn run(&self, target: &Target, messages: &Arc<Messages>, round: usize) -> Result<Vec<Figures>> {
        Ok(match self.work {
            Work::Deliver { count, connections } => {
                vec![deliver::deliver(target, messages, count, connections).await?]
            }
            Work::AppendMany(count) => vec![append::to_many(target, messages, count, round).await?],
            Work::AppendOne(count) => vec![append::to_one(target, messages, count).await?],
            Work::Folder(count) => folder::folder(target, count).await?,
            Work::Idle(connections) => vec![idle::idle(target, messages, connections).await?],
            Work::Login(count) => vec![login::login(target, count).await?],
        })
    }
}

fn steps(options: &Compare) -> Vec<Step> {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let mut steps = Vec::new();
    let mut add = |group: &str, name, rounds, restart_first, work| {
        if wanted(group) {
            steps.push(Step { name, rounds, restart_first, work });
        }
    };
    let count = options.deliveries;
    let rounds = options.rounds;
    add("lmtp", "lmtp-1", rounds, false, Work::Deliver { count: count / 5, connections: 1 });
    add("lmtp", "lmtp-8", rounds, false, Work::Deliver { count, connections: 8 });
    add("lmtp", "lmtp-32", rounds, false, Work::Deliver { count, connections: 32 });
    add("append", "append-many", rounds, false, Work::AppendMany(count / 5));
    // The folder's messages: once, whatever the rounds.
    if wanted("append") || wanted("folder") {
        steps.push(Step {
            name: "append-one",
            rounds: 1,
            restart_first: false,
            work: Work::AppendOne(options.folder_size),
        });
    }
    let mut add = |group: &str, name, rounds, restart_first, work| {
        if wanted(group) {
            steps.push(Step { name, rounds, restart_first, work });
        }
    };
    add("folder", "folder", rounds, true, Work::Folder(options.folder_size));
    add("login", "login", rounds, false, Work::Login(if options.quick { 100 } else { 1_000 }));
    add("idle", "idle", 1, true, Work::Idle(options.idle));
    steps
}

/// One row for each server and step, each figure the median of the rounds.
pub fn merge(results: &[Figures]) -> Vec<Figures> {
    let mut order: Vec<(String, String)> = Vec::new();
    let mut all: BTreeMap<(String, String), BTreeMap<&'static str, Vec<f64>>> = BTreeMap::new();
    for one in results {
        let key = (one.step.clone(), one.server.clone());
        if !all.contains_key(&key) {
            order.push(key.clone());
        }
        let values = all.entry(key).or_default();
        for (name, value) in &one.values {
            values.entry(name).or_default().push(*value);
        }
    }
    order
        .into_iter()
        .filter_map(|key| {
            let values = all.remove(&key)?;
            let mut figures = Figures::new(&key.1, key.0);
            figures.values = values.into_iter().map(|(name, some)| (name, median(some))).collect();
            Some(figures)
        })
        .collect()
}

pub fn print_table(merged: &[Figures], servers: &[String]) {
    let mut names: Vec<&str> = Vec::new();
    for one in merged {
        if !names.contains(&one.step.as_str()) {
            names.push(&one.step);
        }
    }
    print!("\n{:<22}{:<16}", "step", "figure");
    for server in servers {
        print!("{server:>20}");
    }
    for other in servers.iter().skip(1) {
        print!("{:>32}", format!("{} : {other}", servers.first().map_or("", String::as_str)));
    }
    println!();
    for step in names {
        let of = |server: &str| merged.iter().find(|f| f.step == step && f.server == server);
        let Some((figure, more_is_better)) =
            servers.iter().find_map(|s| of(s)).and_then(|f| headline(&f.values))
        else {
            continue;
        };
        let value = |server: &str, name: &str| of(server).and_then(|f| f.values.get(name)).copied();
        print!("{step:<22}{figure:<16}");
        for server in servers {
            print!("{:>20}", number(value(server, figure)));
        }
        let first = servers.first().map_or("", String::as_str);
        for other in servers.iter().skip(1) {
            let ratio = match (value(first, figure), value(other, figure)) {
                (Some(a), Some(b)) => Some(if more_is_better { a / b } else { b / a }),
                _ => None,
            };
            print!("{:>32}", number(ratio));
        }
        println!();
        for extra in [
            "acked_per_s",
            "p50_ms",
            "p99_ms",
            "cpu_ms",
            "cpu_ms_each",
            "disk_kib_each",
            "disk_flushes_each",
            "commits_each",
            "statements_each",
            "last_exists_ms",
            "hits",
            "missed",
        ] {
            if extra == figure || !servers.iter().any(|s| value(s, extra).is_some()) {
                continue;
            }
            print!("{:<22}{extra:<16}", "");
            for server in servers {
                print!("{:>20}", number(value(server, extra)));
            }
            println!();
        }
    }
    println!("\nA ratio above 1.0 means that {} is better.", servers.first().map_or("", String::as_str));
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(v) if !v.is_finite() => "-".into(),
        Some(v) if v >= 1_000.0 => format!("{v:.0}"),
        Some(v) if v >= 10.0 => format!("{v:.1}"),
        Some(v) if v >= 0.1 => format!("{v:.2}"),
        Some(v) => format!("{v:.4}"),
    }
}

/// One result on one line.
pub fn line(one: &Figures) -> String {
    let values: Vec<String> = one.values.iter().map(|(n, v)| format!("{n}={}", number(Some(*v)))).collect();
    format!("{:<22}{:<22}{}", one.server, one.step, values.join(" "))
}

/// Dovecot watches a mailbox with inotify instances, of which a user has 128 by default; with fewer than it
/// has sessions it polls, and EXISTS comes late. Raised for the run where we may, and put back.
struct Inotify {
    before: Option<String>,
}

impl Inotify {
    fn raise() -> Self {
        let before =
            std::fs::read_to_string(INOTIFY).ok().filter(|n| n.trim().parse().is_ok_and(|n: u32| n < 8_192));
        let raised = before.is_some() && std::fs::write(INOTIFY, "8192").is_ok();
        Self { before: before.filter(|_| raised) }
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = std::fs::write(INOTIFY, before);
        }
    }
}

const INOTIFY: &str = "/proc/sys/fs/inotify/max_user_instances";
const USERS: usize = 50;

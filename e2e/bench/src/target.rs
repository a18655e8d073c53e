//! A server to measure, known by its addresses.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use kontor_e2e::meter::{self, Disk, Usage};
use kontor_e2e::process;

/// Where a server listens, who its users are and which processes it is.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// A name for the report.
    #[arg(long, default_value = "server")]
    pub name: String,
    /// LMTP listener, host:port.
    #[arg(long)]
    pub lmtp: String,
    /// IMAP listener without TLS, host:port.
    #[arg(long)]
    pub imap: String,
    /// Addresses of the users; `{}` stands for a number from 0.
    #[arg(long, default_value = "u{}@bench.test")]
    pub users: String,
    /// How many users there are for deliveries; the folder and APPEND steps use two more of their own, and
    /// eight of these.
    #[arg(long, default_value_t = 50)]
    pub user_count: usize,
    /// Everybody's password.
    #[arg(long, default_value = "pass")]
    pub password: String,
    /// Process ids of the server; their descendants count too.
    #[arg(long = "pid", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// A folder on the disk whose writes and flushes are counted.
    #[arg(long, default_value = ".")]
    pub disk: PathBuf,
    /// How to reach its PostgreSQL with psql (a connection string), to count commits and statements.
    #[arg(long)]
    pub postgres: Option<String>,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    usage: Usage,
    disk: Disk,
    commits: Option<f64>,
    statements: Option<f64>,
}

/// What something cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Core-milliseconds of the server's processes.
    pub cpu_ms: f64,
    /// Bytes that the server's processes wrote, as the kernel charges them: by whole folios of the page cache,
    /// which for a log written in small steps can be far more than what reaches the disk.
    pub written: f64,
    /// Flushes of the disk, everybody's.
    pub flushes: f64,
    /// Bytes written to the disk, everybody's.
    pub disk_written: f64,
    /// Transactions committed in PostgreSQL.
    pub commits: Option<f64>,
    /// Statements run in PostgreSQL, those inside functions not counted.
    pub statements: Option<f64>,
}

impl Target {
    /// The address of user `i`.
    pub fn user(&self, i: usize) -> String {
        self.users.replace("{}", &i.to_string())
    }

    /// The user whose INBOX is the large folder.
    pub fn folder_user(&self) -> String {
        self.user(self.user_count)
    }

    /// Reads the counters now.
    pub fn read(&self) -> Result<Reading> {
        let (mut commits, mut statements) = (None, None);
        if let Some(url) = &self.postgres {
            commits = psql(url, "select sum(xact_commit) from pg_stat_database");
            statements = psql(url, "select coalesce(sum(calls), 0) from pg_stat_statements where toplevel");
        }
        Ok(Reading { usage: meter::usage(&self.pids), disk: meter::disk(&self.disk)?, commits, statements })
    }

    /// What was spent since `before`.
    pub fn cost_since(&self, before: &Reading) -> Result<Cost> {
        let now = self.read()?;
        let less = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
        Ok(Cost {
            cpu_ms: now.usage.cpu_ms - before.usage.cpu_ms,
            written: now.usage.written.saturating_sub(before.usage.written) as f64,
            flushes: now.disk.flushes.saturating_sub(before.disk.flushes) as f64,
            disk_written: now.disk.written.saturating_sub(before.disk.written) as f64,
            commits: less(now.commits, before.commits),
            statements: less(now.statements, before.statements),
        })
    }
}

fn psql(url: &str, query: &str) -> Option<f64> {
    let mut command = std::process::Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-d", url, "-c", query]);
    let output = process::output_of(command, std::time::Duration::from_secs(20)).ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

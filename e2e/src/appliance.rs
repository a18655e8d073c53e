//! `kontor up` in a scratch folder, behind a handle.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::binaries;
use crate::process::{Process, output_of};

/// What the ready file says.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Where each protocol listens.
    pub endpoints: Endpoints,
    /// The first account.
    pub account: Account,
    /// The file with the private CA's certificate.
    pub ca: PathBuf,
}

/// `host:port` of each listener.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoints {
    /// MX.
    pub smtp: String,
    /// Submission with STARTTLS.
    pub submission: String,
    /// Submission over TLS.
    pub submissions: String,
    /// LMTP.
    pub lmtp: String,
    /// IMAP with STARTTLS.
    pub imap: String,
    /// IMAP over TLS.
    pub imaps: String,
    /// POP3 with STLS.
    pub pop3: String,
    /// POP3 over TLS.
    pub pop3s: String,
    /// HTTP; empty where it is not served.
    #[serde(default)]
    pub http: String,
    /// HTTP over TLS; empty where it is not served.
    #[serde(default)]
    pub https: String,
    /// Prometheus metrics and health.
    #[serde(default)]
    pub metrics: Option<String>,
}

/// A mailbox and how to get into it.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// The address, which is also the login name.
    pub address: String,
    /// The password.
    pub password: String,
}

/// A running appliance. Dropping it stops it and removes its data.
pub struct Appliance {
    process: Option<Process>,
    scratch: Option<TempDir>,
    data: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    /// Where it listens; read again at each start.
    pub endpoints: Endpoints,
    /// The first account.
    pub account: Account,
    /// The CA certificate's file.
    pub ca: PathBuf,
}

impl Appliance {
    /// Starts one in a new scratch folder.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one in a new scratch folder with settings from the environment (`KONTOR_SECTION__KEY`).
    pub async fn start_with(environment: &[(&str, &str)]) -> Result<Self> {
        let scratch = crate::process::scratch("kontor-e2e-")?;
        // The database runs as another user, who must pass through.
        std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o711))?;
        let data = scratch.path().join("data");
        let mut appliance = Self::start_in(&data, environment).await?;
        appliance.scratch = Some(scratch);
        Ok(appliance)
    }

    /// Starts one on the data folder `data`, which is kept.
    pub async fn start_in(data: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let log = data.with_extension("log");
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (process, ready) = launch(data, &environment, &log).await?;
        Ok(Self {
            process: Some(process),
            scratch: None,
            data: data.to_owned(),
            environment,
            log,
            endpoints: ready.endpoints,
            account: ready.account,
            ca: ready.ca,
        })
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// Kills the server and everything that it started with SIGKILL, as a power cut would.
    pub fn kill_all(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let mut pids = crate::meter::tree(&[process.pid()]);
        pids.extend(self.postgres_pid());
        process.kill()?;
        for pid in pids {
            let _ = crate::process::send_signal(pid, "KILL");
        }
        Ok(())
    }

    /// SIGTERM, and waits for a clean end.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let status = process.terminate(limit)?;
        if !status.success() {
            bail!("kontor ended with {status}:\n{}", process.log_tail());
        }
        Ok(())
    }

    /// Starts again on the same data after [`Appliance::kill_all`] or [`Appliance::stop`].
    pub async fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.stop(Duration::from_secs(60))?;
        }
        let (process, ready) = launch(&self.data, &self.environment, &self.log).await?;
        self.process = Some(process);
        self.endpoints = ready.endpoints;
        Ok(())
    }

    /// The process id of the private PostgreSQL's postmaster.
    pub fn postgres_pid(&self) -> Option<u32> {
        postmaster_pid(&self.data)
    }

    /// Process trees to meter: the server and its PostgreSQL.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.pid()];
        pids.extend(self.postgres_pid());
        pids
    }

    /// A `kontor` command on this appliance's data, run to its end; its standard output.
    pub fn kontor(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(binaries::find("kontor")?);
        command.args(args).arg("--data").arg(&self.data);
        let output = output_of(command, Duration::from_secs(120))?;
        if !output.status.success() {
            bail!(
                "kontor {} failed ({}):\n{}{}",
                args.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// How psql reaches the private PostgreSQL; `None` when its socket is not found.
    ///
    /// The postmaster's pid file names the socket's folder and port.
    pub fn postgres_url(&self) -> Option<String> {
        let text = std::fs::read_to_string(postmaster_file(&self.data)?).ok()?;
        let lines: Vec<&str> = text.lines().collect();
        let (port, folder) = (lines.get(3)?.trim(), lines.get(4)?.trim());
        Some(format!("host={folder} port={port} user={DATABASE} dbname={DATABASE}"))
    }

    /// Runs one SQL command in the private PostgreSQL and returns what it printed.
    pub fn psql(&self, command: &str) -> Result<String> {
        let url = self.postgres_url().context("the private PostgreSQL's socket is not found")?;
        crate::process::run(
            "psql",
            ["-X", "-q", "-A", "-t", "-d", &url, "-c", command],
            Duration::from_secs(60),
        )
    }

    /// Makes a mailbox `name` in the first account's domain.
    pub async fn add_mailbox(&self, name: &str) -> Result<Account> {
        self.add_mailbox_with(name, &format!("pass-{name}-word")).await
    }

    /// Makes a mailbox `name` with this password in the first account's domain.
    pub async fn add_mailbox_with(&self, name: &str, password: &str) -> Result<Account> {
        let domain = self.account.address.split_once('@').map_or("localhost", |(_, d)| d);
        let account = Account { address: format!("{name}@{domain}"), password: password.to_owned() };
        let this = self.data.clone();
        let made = account.clone();
        tokio::task::spawn_blocking(move || add_mailbox(&this, &made)).await??;
        Ok(account)
    }
}

/// `kontor mailbox add` against the server on `data`.
fn add_mailbox(data: &Path, account: &Account) -> Result<()> {
    let mut command = Command::new(binaries::find("kontor")?);
    command
        .args(["mailbox", "add", &account.address, "--password", &account.password])
        .arg("--data")
        .arg(data);
    let output = output_of(command, Duration::from_secs(60))?;
    if !output.status.success() {
        bail!("kontor mailbox add {}: {}", account.address, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The postmaster's id as its pid file under `data` says.
pub fn postmaster_pid(data: &Path) -> Option<u32> {
    std::fs::read_to_string(postmaster_file(data)?).ok()?.lines().next()?.trim().parse().ok()
}

fn postmaster_file(data: &Path) -> Option<PathBuf> {
    let mut folders = vec![(data.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if entry.file_name() == "postmaster.pid" {
                return Some(path);
            }
            if depth < 2 && entry.file_type().is_ok_and(|t| t.is_dir()) && entry.file_name() != "base" {
                folders.push((path, depth + 1));
            }
        }
    }
    None
}

async fn launch(data: &Path, environment: &[(String, String)], log: &Path) -> Result<(Process, Ready)> {
    let ready_file = data.with_extension("ready");
    let _ = std::fs::remove_file(&ready_file);
    let mut command = Command::new(binaries::find("kontor")?);
    command.arg("up").arg("--data").arg(data).arg("--ready-file").arg(&ready_file);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut process = Process::start("kontor up", command, log)?;
    let end = Instant::now() + START_LIMIT;
    loop {
        process.check_alive()?;
        if let Ok(text) = std::fs::read_to_string(&ready_file) {
            let ready = serde_json::from_str(&text).with_context(|| format!("the ready file says {text}"))?;
            return Ok((process, ready));
        }
        if Instant::now() > end {
            bail!("kontor up is not ready after {START_LIMIT:?}; its log:\n{}", process.log_tail());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A first start makes a PostgreSQL cluster; a machine with busy cores is slow at that.
const START_LIMIT: Duration = Duration::from_secs(120);

/// The database, and the role that owns it.
const DATABASE: &str = "kontor";

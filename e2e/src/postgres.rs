//! A private PostgreSQL for the tests that run Kontor's processes apart.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::{Process, eventually, free_port, output_of, run};

/// A running server with one empty database, `kontor`. Dropping it stops it and removes its data.
pub struct Postgres {
    process: Option<Process>,
    port: u16,
    bin: PathBuf,
    folder: TempDir,
}

impl Postgres {
    /// Makes a cluster in a scratch folder and starts it on loopback.
    pub async fn start() -> Result<Self> {
        let bin = programs()?;
        let folder = tempfile::Builder::new().prefix("kontor-pg-").tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))?;
        let data = folder.path().join("data");
        let mut initdb = as_postgres(&bin.join("initdb"));
        initdb.arg("-D").arg(&data).args([
            "-U",
            "kontor",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        ]);
        let output = output_of(initdb, Duration::from_secs(120))?;
        anyhow::ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let mut this = Self { process: None, port: free_port()?, bin, folder };
        this.launch().await?;
        run(
            "psql",
            ["-X", "-q", "-d", &this.url_of("postgres"), "-c", "create database kontor"],
            Duration::from_secs(30),
        )?;
        Ok(this)
    }

    /// The connection string of the database.
    pub fn url(&self) -> String {
        self.url_of("kontor")
    }

    /// The postmaster.
    pub fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("PostgreSQL is stopped")
    }

    /// SIGKILL to the postmaster and, as a machine that loses power would, to all its children.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            let pids = crate::meter::tree(&[process.pid()]);
            process.kill()?;
            for pid in pids {
                let _ = crate::process::send_signal(pid, "KILL");
            }
        }
        Ok(())
    }

    /// Starts it after [`Postgres::kill`].
    pub async fn launch(&mut self) -> Result<()> {
        let data = self.folder.path().join("data");
        let mut command = as_postgres(&self.bin.join("postgres"));
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]);
        command.arg(self.folder.path()).args(["-c", "max_connections=100"]);
        self.process = Some(Process::start("postgres", command, &self.folder.path().join("log"))?);
        let url = self.url_of("postgres");
        eventually("PostgreSQL answers", Duration::from_secs(60), async || {
            let ask = ["-X", "-q", "-d", &url, "-c", "select 1"];
            Ok(run("psql", ask, Duration::from_secs(5)).ok().map(|_| ()))
        })
        .await
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgresql://kontor@127.0.0.1:{}/{database}", self.port)
    }
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command.current_dir("/");
    command
}

/// The newest PostgreSQL's folder of programs.
pub fn programs() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KONTOR_PG_BIN") {
        return Ok(folder.into());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .context("no PostgreSQL; run e2e/setup.sh or set KONTOR_PG_BIN")?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().context("no PostgreSQL under /usr/lib/postgresql; run e2e/setup.sh or set KONTOR_PG_BIN")
}

//! The cluster's files and settings.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

use super::child::{Account, FOLDER};
use super::programs::Programs;

/// The private PostgreSQL.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresConfig {
    /// The folder with its programs, when they are not where they usually are.
    pub programs: Option<PathBuf>,
    /// Settings over ours, as in `postgresql.conf`: `shared_buffers = "1GB"`.
    pub settings: BTreeMap<String, String>,
}

/// One cluster on disk.
#[derive(Clone, Debug)]
pub struct Cluster {
    folder: PathBuf,
    socket_folder: PathBuf,
    programs: Programs,
    account: Account,
    settings: BTreeMap<String, String>,
}

impl Cluster {
    /// Finds the programs and makes the cluster below `data` when it is not there yet.
    pub fn prepare(data: &Path, config: &PostgresConfig) -> Result<Self> {
        let folder = data.join("postgres");
        let version = std::fs::read_to_string(folder.join("PG_VERSION")).ok();
        let wanted = version.as_deref().map(|text| text.trim().parse()).transpose();
        let wanted = wanted.with_context(|| format!("{} is damaged", folder.join("PG_VERSION").display()))?;
        let programs = Programs::find(config.programs.as_deref(), wanted)?;
        let account = Account::choose(&folder)?;
        let socket_folder = socket_folder(data, &account)?;
        let cluster = Self { folder, socket_folder, programs, account, settings: settings(&config.settings) };
        if wanted.is_none() {
            cluster.create(data)?;
        }
        Ok(cluster)
    }

    /// What to connect with, for `database`.
    pub fn url(&self, database: &str) -> String {
        // A keyword/value string: a path needs no escaping in it but for quotes and backslashes.
        let host = self.socket_folder.to_string_lossy().replace('\\', "\\\\").replace('\'', "\\'");
        format!("host='{host}' port={PORT} user={USER} dbname={database}")
    }

    /// The name of the user that the server runs as.
    pub(super) fn owner_name(&self) -> Option<String> {
        let uid = match self.account.switch {
            Some((uid, _)) => nix::unistd::Uid::from_raw(uid),
            None => nix::unistd::Uid::effective(),
        };
        nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name)
    }

    /// The server in the foreground.
    pub(super) fn server(&self) -> Result<Command> {
        let mut command = self.account.command(&self.programs.program("postgres"), &self.folder)?;
        command.args(["-D", FOLDER]);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.arg("-c").arg(format!("unix_socket_directories={}", self.socket_folder.display()));
        command.arg("-c").arg(format!("port={PORT}"));
        Ok(command)
    }

    /// Removes a socket's folder that is not below the data.
    pub(super) fn remove_socket_folder(&self) {
        if self.socket_folder.parent() != self.folder.parent() {
            let _ = std::fs::remove_dir(&self.socket_folder);
        }
    }

    /// Deals with what a former life left: a server that still runs is ended, the mark of one that does not is
    /// removed. Only called with the data folder's lock held.
    pub(super) fn clean_up(&self) -> Result<()> {
        let mark = self.folder.join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&mark) else { return Ok(()) };
        let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
            return std::fs::remove_file(&mark).context("cannot remove a damaged postmaster.pid");
        };
        let deadline = Instant::now() + LEFTOVER;
        let mut asked = false;
        while self.is_ours(pid) {
            if !asked {
                tracing::warn!(pid, "ending a PostgreSQL that an earlier run left behind");
                let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
                asked = true;
            }
            if Instant::now() > deadline {
                bail!("a PostgreSQL of an earlier run (process {pid}) does not end; end it by hand");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // The number may belong to somebody else by now, which PostgreSQL would take for a running server.
        match std::fs::remove_file(&mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot remove a stale postmaster.pid")
            }
            _ => Ok(()),
        }
    }

    /// Whether that process is a server of this very cluster.
    fn is_ours(&self, pid: i32) -> bool {
        let (Ok(working), Ok(folder)) =
            (std::fs::read_link(format!("/proc/{pid}/cwd")), std::fs::canonicalize(&self.folder))
        else {
            return false;
        };
        let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')));
        working == folder && !zombie
    }

    fn create(&self, data: &Path) -> Result<()> {
        let making = data.join("postgres.new");
        if making.exists() {
            std::fs::remove_dir_all(&making).context("cannot remove a half-made cluster")?;
        }
        std::fs::DirBuilder::new().mode(0o700).create(&making)?;
        self.account.own(&making)?;
        let mut command = self.account.command(&self.programs.program("initdb"), &making)?;
        command.args(["-D", FOLDER, "-U", USER, "--encoding=UTF8", "--locale=C", "--data-checksums"]);
        command.args(["--auth-local=trust", "--auth-host=reject", "--no-instructions"]);
        let output = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .context("cannot run initdb")?;
        if !output.status.success() {
            bail!("initdb failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        std::fs::rename(&making, &self.folder)?;
        std::fs::File::open(data)?.sync_all()?;
        Ok(())
    }
}

/// The socket's folder: private, below the data where the path is short enough for a socket's address.
fn socket_folder(data: &Path, account: &Account) -> Result<PathBuf> {
    let beside = data.join("run");
    let reachable = account.switch.is_none()
        || data
            .ancestors()
            .all(|above| std::fs::metadata(above).is_ok_and(|found| found.permissions().mode() & 0o001 != 0));
    let short = beside.as_os_str().len() + SOCKET_NAME <= SOCKET_ADDRESS;
    let folder = if short && reachable {
        beside
    } else {
        // Named by the data folder, so that a second run finds the same place and no run leaves another one behind.
        let name = blake(data);
        std::env::temp_dir().join(format!("kontor-{name}"))
    };
    if folder.as_os_str().len() + SOCKET_NAME > SOCKET_ADDRESS {
        bail!("{} is too long a path for a Unix socket; set TMPDIR to a shorter one", folder.display());
    }
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            use std::os::unix::fs::MetadataExt;
            let found = std::fs::symlink_metadata(&folder)?;
            let ours = [Some(nix::unistd::Uid::effective().as_raw()), account.switch.map(|(uid, _)| uid)];
            if !found.is_dir() || !ours.contains(&Some(found.uid())) {
                bail!("{} is somebody else's; remove it or set TMPDIR", folder.display());
            }
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        }
        other => other.with_context(|| format!("cannot make {}", folder.display()))?,
    }
    account.own(&folder)?;
    Ok(folder)
}

/// A short name for a path; nothing hangs on it but that two paths get two names.
fn blake(path: &Path) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn settings(over: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    settings.extend(over.iter().map(|(name, value)| (name.clone(), value.clone())));
    settings
}

/// Durable, and small while idle.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    // After a crash each file would be synced by itself, seconds for nothing on a machine that stayed up.
    ("recovery_init_sync_method", "syncfs"),
    ("wal_level", "replica"),
    ("wal_compression", "on"),
    ("wal_buffers", "4MB"),
    ("max_wal_size", "1GB"),
    ("min_wal_size", "256MB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
    ("max_wal_senders", "0"),
    ("max_connections", "60"),
    ("shared_buffers", "64MB"),
    ("huge_pages", "off"),
    ("work_mem", "8MB"),
    ("maintenance_work_mem", "64MB"),
    ("effective_cache_size", "512MB"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
    ("max_worker_processes", "4"),
    ("max_parallel_workers", "2"),
    ("max_parallel_workers_per_gather", "0"),
    ("autovacuum_max_workers", "2"),
    ("autovacuum_naptime", "30s"),
    ("max_logical_replication_workers", "0"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("log_line_prefix", ""),
    ("log_checkpoints", "off"),
    ("log_min_messages", "warning"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

const USER: &str = "kontor";
/// Part of the socket's name only: no port is opened.
const PORT: u16 = 5432;
const SOCKET_NAME: usize = "/.s.PGSQL.5432.lock".len();
/// `sun_path` with its final NUL.
const SOCKET_ADDRESS: usize = 107;
const LEFTOVER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_socket() {
        let account = Account { switch: None };
        let folder = tempfile::tempdir().expect("folder");
        let long = folder.path().join("x".repeat(120));
        std::fs::create_dir(&long).expect("made");
        let socket = socket_folder(&long, &account).expect("short");
        assert!(socket.as_os_str().len() + SOCKET_NAME <= SOCKET_ADDRESS);
        assert_eq!(socket_folder(&long, &account).expect("again"), socket);
        std::fs::remove_dir(socket).expect("removed");
    }

    #[test]
    fn own_settings_win() {
        let over = BTreeMap::from([("shared_buffers".to_owned(), "1GB".to_owned())]);
        assert_eq!(settings(&over)["shared_buffers"], "1GB");
        assert_eq!(settings(&over)["synchronous_commit"], "on");
    }
}

//! Child processes that end with their handle.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A started program. Dropping it kills it and waits for its end.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self { child, name: name.to_owned(), log: log.to_owned() })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log, for messages.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(25);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// An error when the program has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended ({status}); the end of its log:\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// Sends a signal by name (`TERM`, `STOP`, `CONT`).
    pub fn signal(&self, signal: &str) -> Result<()> {
        send_signal(self.pid(), signal)
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end at most `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal("TERM")?;
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} did not end within {limit:?} of SIGTERM; its log:\n{}", self.name, self.log_tail())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // A server that supervises children must get the chance to stop them.
            let _ = self.terminate(Duration::from_secs(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name to one process. After `STOP` it does nothing any more: its threads stop one after the other, and
/// the last may still have answered somebody.
pub fn send_signal(pid: u32, signal: &str) -> Result<()> {
    let status =
        Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "kill -{signal} {pid}: {status}");
    let until = Instant::now() + Duration::from_secs(5);
    while signal == "STOP" && !is_stopped(pid)? {
        ensure!(Instant::now() < until, "process {pid} does not stop");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Whether all threads of a process are stopped (proc_pid_stat(5)).
fn is_stopped(pid: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
        if !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs a program to its end within `limit`; an error when it fails, with what it printed.
pub fn run<I, S>(program: &str, args: I, limit: Duration) -> Result<String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args);
    let output = output_of(command, limit)?;
    ensure!(
        output.status.success(),
        "{program} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end within `limit` and returns its output whatever its status.
pub fn output_of(mut command: Command, limit: Duration) -> Result<Output> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    wait_output(child, limit).with_context(|| format!("{command:?}"))
}

/// Waits for a child with piped outputs; kills it when `limit` is over.
pub fn wait_output(child: Child, limit: Duration) -> Result<Output> {
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = done.send(());
        output
    });
    if ended.recv_timeout(limit).is_err() {
        let _ = send_signal(pid, "KILL");
        let _ = waiter.join();
        bail!("did not end within {limit:?}");
    }
    Ok(waiter.join().map_err(|_| anyhow::anyhow!("the waiting thread died"))??)
}

/// Asks again and again until `check` gives a value; an error after `limit`.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut check: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    let mut last = None;
    while Instant::now() < end {
        match check().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match last {
        Some(error) => Err(error.context(format!("{what}: not within {limit:?}"))),
        None => bail!("{what}: not within {limit:?}"),
    }
}

/// A folder that goes with its handle, unless `KONTOR_E2E_KEEP` is set: then it stays, with its logs.
pub fn scratch(prefix: &str) -> Result<tempfile::TempDir> {
    let keep = std::env::var_os("KONTOR_E2E_KEEP").is_some();
    let folder = tempfile::Builder::new().prefix(prefix).disable_cleanup(keep).tempdir()?;
    if keep {
        eprintln!("kept: {}", folder.path().display());
    }
    Ok(folder)
}

/// A TCP port on loopback that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

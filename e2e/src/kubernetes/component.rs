//! Programs of the cluster that end with the process that started them, even when that one is killed.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::process::send_signal;

/// One program, which can be killed and started again.
pub struct Component {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    namespace: Option<PathBuf>,
    log: PathBuf,
    child: Option<Child>,
}

impl Component {
    /// Describes it; `namespace` is the network namespace that it runs in, `log` gets both of its outputs.
    pub fn new(name: &str, program: PathBuf, namespace: Option<&Path>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            namespace: namespace.map(Path::to_owned),
            log: logs.join(format!("{name}.log")),
            child: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds `--name=value` for each pair.
    #[must_use]
    pub fn flags<V: AsRef<Path>>(self, flags: &[(&str, V)]) -> Self {
        let arguments: Vec<String> =
            flags.iter().map(|(name, value)| format!("--{name}={}", value.as_ref().display())).collect();
        self.args(arguments)
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts it, or starts it again.
    pub fn start(&mut self) -> Result<()> {
        if self.alive()? {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if let Some(namespace) = &self.namespace {
            // Not `ip netns exec`, which mounts a new /sys without the control groups that containers need.
            command.arg("nsenter").arg(format!("--net={}", namespace.display())).arg("--");
        }
        command.arg(&self.program).args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Ctrl-C is for the one who takes the cluster down in order, not for each of its parts.
        command.process_group(0);
        self.child = Some(spawn(command).with_context(|| format!("cannot start {}", self.name))?);
        Ok(())
    }

    /// Whether it runs.
    pub fn alive(&mut self) -> Result<bool> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?.is_none()),
            None => Ok(false),
        }
    }

    /// An error with the end of its log when it was started and has ended.
    pub fn check(&mut self) -> Result<()> {
        if self.child.is_some() && !self.alive()? {
            bail!("{} ended; the end of {}:\n{}", self.name, self.log.display(), self.log_tail());
        }
        Ok(())
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and SIGKILL when it has not ended within `limit`.
    pub fn stop(&mut self, limit: Duration) {
        if let Some(child) = &mut self.child
            && send_signal(child.id(), "TERM").is_ok()
        {
            let end = Instant::now() + limit;
            while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a command from a thread that lives as long as the process. The kernel sends the signal of
/// PR_SET_PDEATHSIG when the *thread* that started a program ends, and threads of tests and runtimes do.
fn spawn(command: Command) -> Result<Child> {
    static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, todo) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for mut order in todo {
                let _ = order.answer.send(order.command.spawn());
            }
        });
        orders
    });
    let (answer, started) = mpsc::channel();
    STARTER.send(Order { command, answer }).map_err(|_| anyhow!("the starting thread ended"))?;
    Ok(started.recv().context("the starting thread ended")??)
}

struct Order {
    command: Command,
    answer: mpsc::Sender<std::io::Result<Child>>,
}

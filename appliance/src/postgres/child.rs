//! Starting a program that must not run as root and must not outlive us.
//!
//! Between fork and exec nothing can be done without `unsafe`. So the child is this program again, by a hidden
//! subcommand: it gives up root, asks the kernel for a signal when its parent dies, and becomes the other program.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User, getppid, setgid, setgroups, setuid};

/// Who PostgreSQL runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User and group ids; `None` when we are not root and it simply runs as we do.
    pub switch: Option<(u32, u32)>,
}

impl Account {
    /// The owner of the data, else `postgres`, else `nobody`, when we are root; else ourselves.
    pub fn choose(cluster: &Path) -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self { switch: None });
        }
        if let Ok(found) = std::fs::metadata(cluster)
            && found.uid() != 0
        {
            return Ok(Self { switch: Some((found.uid(), found.gid())) });
        }
        for name in ["postgres", "kontor", "nobody"] {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Self { switch: Some((user.uid.as_raw(), user.gid.as_raw())) });
            }
        }
        bail!(
            "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as. Start kontor as another user."
        )
    }

    /// Gives a file or folder to that user.
    pub fn own(&self, path: &Path) -> Result<()> {
        match self.switch {
            None => Ok(()),
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .with_context(|| format!("cannot give {} to user {uid}", path.display())),
        }
    }

    /// A command that runs `program` as that user, with [`FOLDER`] in its arguments standing for `folder`.
    pub fn command(&self, program: &Path, folder: &Path) -> Result<Command> {
        let own = std::env::current_exe().context("cannot find the program that is running")?;
        let mut command = Command::new(own);
        command.arg(SUBCOMMAND).arg("--parent").arg(std::process::id().to_string());
        if let Some((uid, gid)) = self.switch {
            command.arg("--uid").arg(uid.to_string()).arg("--gid").arg(gid.to_string());
        }
        command.arg("--folder").arg(folder).arg("--").arg(program);
        // Ctrl-C at a terminal goes to the whole process group; the database has to stay until we are done.
        command.process_group(0);
        command.env_clear();
        for name in ["PATH", "TZ", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C");
        Ok(command)
    }
}

/// The hidden subcommand's arguments.
#[derive(clap::Args, Debug)]
pub struct ChildArgs {
    #[arg(long)]
    parent: i32,
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    #[arg(long)]
    gid: Option<u32>,
    #[arg(long)]
    folder: PathBuf,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Becomes the program. Returns only when that fails.
pub fn become_child(args: &ChildArgs) -> Result<std::convert::Infallible> {
    let (mut kept, mut folder) = (None::<OwnedFd>, args.folder.clone());
    if let (Some(uid), Some(gid)) = (args.uid, args.gid) {
        // A folder above may be closed to that user (a private temporary folder). Opened while we are root, the folder
        // itself can still be reached through its descriptor, and nothing else can.
        if !reachable(&args.folder, uid, gid) {
            let file = std::fs::File::open(&args.folder)
                .with_context(|| format!("cannot open {}", args.folder.display()))?;
            let passed = nix::unistd::dup(&file).context("dup")?;
            folder = PathBuf::from(format!("/proc/self/fd/{}", passed.as_raw_fd()));
            kept = Some(passed);
        }
        std::env::set_current_dir("/").context("cannot leave this folder")?;
        setgroups(&[Gid::from_raw(gid)]).context("cannot give up groups")?;
        setgid(Gid::from_raw(gid)).context("cannot give up the group root")?;
        setuid(Uid::from_raw(uid)).context("cannot give up the user root")?;
    }
    // After the change of user, which would clear it.
    prctl::set_pdeathsig(Signal::SIGQUIT).context("cannot ask to end with the parent")?;
    if getppid().as_raw() != args.parent {
        bail!("the parent has gone already");
    }
    let mut words = args.command.iter().map(|word| {
        if word.as_encoded_bytes() == FOLDER.as_bytes() {
            folder.clone().into_os_string()
        } else {
            word.clone()
        }
    });
    let program = words.next().context("no program")?;
    let error = Command::new(&program).args(words).exec();
    drop(kept);
    Err(error).with_context(|| format!("cannot run {}", Path::new(&program).display()))
}

/// Whether that user may go through every folder above.
fn reachable(folder: &Path, uid: u32, gid: u32) -> bool {
    let Ok(folder) = std::fs::canonicalize(folder) else { return false };
    folder.ancestors().skip(1).all(|above| {
        std::fs::metadata(above).is_ok_and(|found| {
            let mode = found.mode();
            if found.uid() == uid {
                mode & 0o100 != 0
            } else if found.gid() == gid {
                mode & 0o010 != 0
            } else {
                mode & 0o001 != 0
            }
        })
    })
}

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "run-postgres-program";
/// Stands for the folder in a program's arguments.
pub const FOLDER: &str = "{folder}";

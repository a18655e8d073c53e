//! Leaves nothing behind: processes, mounts, control groups, namespaces, settings of the kernel.
//!
//! Everything is found by where it is and what it is called, not by what the one who made it remembers, so that the
//! same code cleans up after a cluster whose process was killed.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::network;
use crate::process::{run, send_signal};

/// Removes whatever is left of the cluster `name` whose folder is `folder`. The logs are elsewhere and stay.
pub fn sweep(name: &str, folder: &Path) -> Result<()> {
    kill_users_of(folder);
    for cgroup in cgroups_of(name) {
        kill_cgroup(&cgroup);
    }
    unmount_below(folder)?;
    for cgroup in cgroups_of(name) {
        remove_cgroup(&cgroup);
    }
    network::remove(name);
    remove_dead_sockets();
    remove_links_into(Path::new("/var/log/containers"), folder);
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// What is left of the cluster `name`, in words; empty after [`sweep`].
pub fn leavings(name: &str, folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    left.extend(users_of(folder).into_iter().map(|(pid, command)| format!("process {pid}: {command}")));
    left.extend(mounts_below(folder).into_iter().map(|mount| format!("mount {}", mount.display())));
    left.extend(cgroups_of(name).into_iter().map(|cgroup| format!("control group {cgroup}")));
    for node in 0..network::MOST_NODES {
        let namespace = network::Network::new(name, node + 1).namespace(node);
        if namespace.exists() {
            left.push(format!("network namespace {}", namespace.display()));
        }
    }
    if folder.exists() {
        left.push(format!("folder {}", folder.display()));
    }
    left
}

/// What kubelets and CNI plugins change in the machine outside of a cluster's folder, as it was before.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Settings of the kernel, by their files.
    settings: Vec<(String, String)>,
    /// Folders that were not there.
    absent: Vec<String>,
}

impl Machine {
    /// As it is now.
    pub fn now() -> Self {
        let read =
            |path: &&str| Some(((*path).to_owned(), std::fs::read_to_string(path).ok()?.trim().to_owned()));
        Self {
            settings: SETTINGS.iter().filter_map(read).collect(),
            absent: FOLDERS.iter().filter(|path| !Path::new(path).exists()).map(|p| (*p).into()).collect(),
        }
    }

    /// Makes it so again. Only known paths: the file that this was kept in is not a way to write elsewhere.
    pub fn restore(&self) {
        for (path, value) in self.settings.iter().filter(|(path, _)| SETTINGS.contains(&path.as_str())) {
            if std::fs::read_to_string(path).is_ok_and(|now| now.trim() != value) {
                let _ = std::fs::write(path, value);
            }
        }
        for path in self.absent.iter().filter(|path| FOLDERS.contains(&path.as_str())) {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Kills the shims of the containerd that keeps its socket in `folder`.
pub fn kill_shims(folder: &Path) {
    let socket = folder.join("containerd.sock").display().to_string();
    kill_all(|| {
        processes()
            .into_iter()
            .filter(|(_, arguments)| {
                arguments
                    .windows(2)
                    .any(|pair| matches!(pair, [flag, value] if flag == "-address" && *value == socket))
            })
            .map(|(pid, _)| pid)
            .collect()
    });
}

/// Kills every process in a control group and those below it.
pub fn kill_cgroup(name: &str) {
    kill_all(|| {
        let mut pids = Vec::new();
        for folder in cgroup_folders(name) {
            for below in folders_within(&folder) {
                let text = std::fs::read_to_string(below.join("cgroup.procs")).unwrap_or_default();
                pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid > 1));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    });
}

/// Kills what `find` finds until it finds nothing.
fn kill_all(find: impl Fn() -> Vec<u32>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let pids = find();
        if pids.is_empty() || Instant::now() > end {
            return;
        }
        for pid in pids {
            let _ = send_signal(pid, "KILL");
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Kills the processes that were started with something in `folder` among their arguments: each program of a
/// cluster and each shim is.
fn kill_users_of(folder: &Path) {
    kill_all(|| users_of(folder).into_iter().map(|(pid, _)| pid).collect());
}

fn users_of(folder: &Path) -> Vec<(u32, String)> {
    let (folder, own) = (format!("{}/", folder.display()), std::process::id());
    processes()
        .into_iter()
        .filter(|(pid, arguments)| {
            *pid != own
                && arguments.first().is_some_and(|program| {
                    let name = program.rsplit('/').next().unwrap_or_default();
                    PROGRAMS.contains(&name)
                })
                && arguments.iter().any(|argument| argument.contains(&folder))
        })
        .map(|(pid, arguments)| (pid, arguments.join(" ")))
        .collect()
}

/// All processes with their arguments.
fn processes() -> Vec<(u32, Vec<String>)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let arguments = line.split(|byte| *byte == 0).map(|a| String::from_utf8_lossy(a).into_owned());
            Some((pid, arguments.collect()))
        })
        .collect()
}

fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split(' ').nth(4))
        // A space is written as \040; no folder of ours has one.
        .map(PathBuf::from)
        .filter(|mount| mount.starts_with(folder))
        .collect()
}

fn unmount_below(folder: &Path) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let mounts = mounts_below(folder);
        if mounts.is_empty() {
            return Ok(());
        }
        // The last mounted first; what is busy is detached and goes with its last user.
        for mount in mounts.iter().rev() {
            let _ = run("umount", ["-l", &mount.display().to_string()], Duration::from_secs(10));
        }
        anyhow::ensure!(Instant::now() < end, "still mounted: {mounts:?}");
    }
}

/// The control groups of a cluster, by their names below each hierarchy.
fn cgroups_of(name: &str) -> Vec<String> {
    let prefix = format!("{CGROUP_PREFIX}{name}-node");
    let mut names: Vec<String> = hierarchies()
        .iter()
        .filter_map(|hierarchy| std::fs::read_dir(hierarchy).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(CGROUPS);
    if root.join("cgroup.controllers").exists() {
        return vec![root];
    }
    let Ok(entries) = std::fs::read_dir(&root) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn cgroup_folders(name: &str) -> Vec<PathBuf> {
    hierarchies().iter().map(|hierarchy| hierarchy.join(name)).filter(|path| path.is_dir()).collect()
}

/// A folder and all below it, the deepest last.
fn folders_within(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(folder) = all.get(next).cloned() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        all.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
        next += 1;
    }
    all
}

fn remove_cgroup(name: &str) {
    let end = Instant::now() + PATIENCE;
    loop {
        let folders = cgroup_folders(name);
        if folders.is_empty() || Instant::now() > end {
            return;
        }
        for folder in folders.iter().flat_map(|folder| folders_within(folder).into_iter().rev()) {
            // Busy until the kernel has let go of the processes killed above.
            let _ = std::fs::remove_dir(folder);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Shims make their sockets in one folder for all containerds. Where nobody listens, nobody will again.
fn remove_dead_sockets() {
    let folder = Path::new("/run/containerd/s");
    for socket in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if UnixStream::connect(socket.path()).is_err() {
            let _ = std::fs::remove_file(socket.path());
        }
    }
    let _ = std::fs::remove_dir(folder);
    let _ = std::fs::remove_dir("/run/containerd");
}

/// Removes the links in `folder` that lead into `target`, and the folder when that was all it held.
fn remove_links_into(folder: &Path, target: &Path) {
    for link in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if std::fs::read_link(link.path()).is_ok_and(|to| to.starts_with(target)) {
            let _ = std::fs::remove_file(link.path());
        }
    }
    let _ = std::fs::remove_dir(folder);
}

/// Where control groups are mounted.
pub const CGROUPS: &str = "/sys/fs/cgroup";
/// What the names of our control groups begin with.
pub const CGROUP_PREFIX: &str = "kontor-e2e-";

const SETTINGS: [&str; 4] = [
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
];

/// Where kubelets and CNI plugins keep things whatever they are told.
const FOLDERS: [&str; 2] = ["/var/lib/kubelet", "/var/lib/cni"];

/// What a process of a cluster is called. An editor that has one of its files open is none.
const PROGRAMS: [&str; 9] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
    "containerd",
    "containerd-shim-runc-v2",
];

const PATIENCE: Duration = Duration::from_secs(30);

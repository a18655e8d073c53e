//! The programs that a cluster is made of: found, or built once from the Go module `e2e/cluster`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::binaries::workspace;

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// One folder for all of them, when that is so: it can be put on a `PATH`.
    pub folder: Option<PathBuf>,
    /// What to say about them at the start of a run.
    pub origin: String,
}

impl Programs {
    /// In this order: `K8S_BIN_DIR`; the `PATH`; the cache of an earlier build; a build, which takes about ten
    /// minutes of two cores and says how far it is.
    pub fn find_or_build() -> Result<Self> {
        if let Some(folder) = std::env::var_os("K8S_BIN_DIR").map(PathBuf::from) {
            for name in NEEDED {
                ensure!(folder.join(name).is_file(), "K8S_BIN_DIR={} has no {name}", folder.display());
            }
            return Ok(Self { origin: format!("K8S_BIN_DIR={}", folder.display()), folder: Some(folder) });
        }
        if NEEDED.iter().all(|name| on_path(name).is_some()) {
            return Ok(Self { folder: None, origin: "PATH".into() });
        }
        let folder = build()?;
        Ok(Self { origin: folder.display().to_string(), folder: Some(folder) })
    }

    /// The program `name`.
    pub fn get(&self, name: &str) -> Result<PathBuf> {
        match &self.folder {
            Some(folder) => Ok(folder.join(name)),
            None => on_path(name).with_context(|| format!("{name} is not in PATH")),
        }
    }
}

/// The first program of this name in `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Where results of long builds are kept, outside of the tree: `$XDG_CACHE_HOME/kontor` or `~/.cache/kontor`.
pub fn cache() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(cache).join("kontor"));
    }
    let home = std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/kontor"))
}

/// Runs `make` into a new folder that then becomes `target`, unless `target` is there; only once at a time.
pub fn made_once(target: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if target.is_dir() {
        return Ok(());
    }
    let parent = target.parent().context("a folder of the cache has a parent")?;
    std::fs::create_dir_all(parent)?;
    let name =
        target.file_name().and_then(|name| name.to_str()).context("a folder of the cache has a name")?;
    let lock = File::create(parent.join(format!("{name}.lock")))?;
    lock.lock()?;
    if target.is_dir() {
        return Ok(());
    }
    let unfinished = parent.join(format!("{name}.unfinished"));
    let _ = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir_all(&unfinished)?;
    make(&unfinished)?;
    std::fs::rename(&unfinished, target)?;
    Ok(())
}

/// Runs a long build with its messages shown, and says every minute that it still works.
pub fn run_build(what: &str, mut command: Command) -> Result<()> {
    let start = Instant::now();
    eprintln!("building {what} ...");
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut said = start;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > BUILD_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("{what} was not built within {BUILD_LIMIT:?}");
        }
        if said.elapsed() >= Duration::from_secs(60) {
            eprintln!("building {what} ... {} s", start.elapsed().as_secs());
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    ensure!(status.success(), "building {what} failed ({status})");
    eprintln!("built {what} in {} s", start.elapsed().as_secs());
    Ok(())
}

fn build() -> Result<PathBuf> {
    let source = workspace().join("e2e/cluster");
    let target = match std::env::var_os("KONTOR_K8S_CACHE") {
        Some(folder) => folder.into(),
        None => cache()?.join(format!("kubernetes-{VERSION}-{}", fingerprint(&source)?)),
    };
    made_once(&target, |folder| {
        let go = |arguments: &[&str]| {
            let mut command = Command::new("go");
            command.arg("build").args(["-trimpath", "-mod=readonly"]).args(arguments);
            command.current_dir(&source).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
            command
        };
        let (major, minor) = VERSION.split_once('.').context("a version has dots")?;
        let minor = minor.split('.').next().unwrap_or_default();
        let stamp = "k8s.io/component-base/version";
        let flags = format!(
            "-s -w -X {stamp}.gitVersion=v{VERSION} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
        );
        let out = |name: &str| folder.join(name).display().to_string();
        let what = format!("Kubernetes {VERSION}, etcd, CoreDNS and kubectl (once; about ten minutes)");
        run_build(&what, go(&["-ldflags", &flags, "-o", &out("cluster"), "."]))?;
        run_build("pause", go(&["-ldflags", "-s -w", "-o", &out("pause"), "./pause"]))?;
        run_build("Helm", go(&["-ldflags", "-s -w", "-o", &out("helm"), "helm.sh/helm/v3/cmd/helm"]))?;
        for name in NEEDED.iter().filter(|name| !["pause", "helm"].contains(name)) {
            std::os::unix::fs::symlink("cluster", folder.join(name))?;
        }
        Ok(())
    })?;
    Ok(target)
}

/// Changes with anything that the build is made from.
fn fingerprint(source: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for name in ["go.mod", "go.sum", "main.go", "etcd.go", "coredns.go", "pause/main.go"] {
        hasher.update(std::fs::read(source.join(name)).with_context(|| format!("e2e/cluster/{name}"))?);
    }
    Ok(hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

/// The Kubernetes that `e2e/cluster/go.mod` requires.
pub const VERSION: &str = "1.36.2";

const NEEDED: [&str; 10] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
    "pause",
    "helm",
];

/// A cold build on two busy cores.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

//! Container images made without a registry, a daemon or root: what `FROM scratch` and a few `COPY`s would make.
//!
//! An image holds one program, the shared libraries that it is linked to, certificates of public authorities, and the
//! few files that a C library looks for; nothing to log in with. It is written as a docker-archive, which `ctr images
//! import`, `docker load` and `podman load` read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::programs::Programs;
use crate::process::run;

/// An image to be written.
pub struct Image {
    reference: String,
    entries: BTreeMap<PathBuf, Entry>,
    entrypoint: Vec<String>,
    environment: Vec<String>,
    user: String,
    stop_signal: String,
}

enum Entry {
    Folder(u32),
    Copy(PathBuf),
    Bytes(Vec<u8>, u32),
    Link(PathBuf),
}

impl Image {
    /// An image with nothing in it that runs as root.
    pub fn empty(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            entries: BTreeMap::new(),
            entrypoint: Vec::new(),
            environment: Vec::new(),
            user: "0:0".into(),
            stop_signal: "SIGTERM".into(),
        }
    }

    /// The image of one of Kontor's programs: runs `binary` as user 65532.
    pub fn of_program(reference: &str, binary: &Path) -> Result<Self> {
        let name = binary.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
        let at = format!("/{name}");
        let mut image = Self::with_users(reference);
        image.program(binary, &at)?;
        image.entrypoint(&[&at]);
        Ok(image)
    }

    /// An image with the files that a C library and TLS look for, for the user 65532.
    pub fn with_users(reference: &str) -> Self {
        let mut image = Self::empty(reference);
        image.user = "65532:65532".into();
        image.bytes("/etc/passwd", PASSWD.as_bytes(), 0o644);
        image.bytes("/etc/group", GROUP.as_bytes(), 0o644);
        image.bytes("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n", 0o644);
        image.folder("/tmp", 0o1777);
        if let Some(bundle) = CERTIFICATES.iter().map(Path::new).find(|path| path.is_file()) {
            image.copy(bundle, "/etc/ssl/certs/ca-certificates.crt");
        }
        image
    }

    /// Copies a program or a library with all that it is linked to.
    pub fn program(&mut self, binary: &Path, at: &str) -> Result<()> {
        ensure!(binary.is_file(), "{} is not there", binary.display());
        self.copy(binary, at);
        for library in shared_libraries(binary)? {
            let at = library.display().to_string();
            self.copy(&library, &at);
        }
        Ok(())
    }

    /// Copies a file; a link's target takes its place.
    pub fn copy(&mut self, from: &Path, at: &str) {
        self.put(at, Entry::Copy(from.to_owned()));
    }

    /// Copies a folder with everything in it that `wanted` accepts.
    pub fn tree(&mut self, from: &Path, at: &str, wanted: &impl Fn(&Path) -> bool) -> Result<()> {
        for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).context("a name in UTF-8")?;
            let at = format!("{at}/{name}");
            if !wanted(&path) {
                continue;
            }
            if path.is_dir() {
                self.tree(&path, &at, wanted)?;
            } else {
                self.copy(&path, &at);
            }
        }
        Ok(())
    }

    /// Puts a file with this content and mode.
    pub fn bytes(&mut self, at: &str, content: &[u8], mode: u32) {
        self.put(at, Entry::Bytes(content.to_owned(), mode));
    }

    /// Puts a symbolic link.
    pub fn link(&mut self, at: &str, target: &str) {
        self.put(at, Entry::Link(target.into()));
    }

    /// Puts a folder of this mode.
    pub fn folder(&mut self, at: &str, mode: u32) {
        self.put(at, Entry::Folder(mode));
    }

    /// Sets what is run.
    pub fn entrypoint(&mut self, command: &[&str]) {
        self.entrypoint = command.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: &str, value: &str) {
        self.environment.push(format!("{name}={value}"));
    }

    /// Sets the signal that asks it to end.
    pub fn stop_signal(&mut self, signal: &str) {
        signal.clone_into(&mut self.stop_signal);
    }

    /// Sets `uid:gid`.
    pub fn user(&mut self, user: &str) {
        user.clone_into(&mut self.user);
    }

    /// Writes the archive. The same content makes the same bytes.
    pub fn write(&self, archive: &Path) -> Result<Size> {
        let layer = self.layer()?;
        let digest = digest(&layer);
        let config = serde_json::to_vec(&json!({
            "architecture": match std::env::consts::ARCH { "x86_64" => "amd64", "aarch64" => "arm64", other => other },
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": self.environment,
                "User": self.user,
                "StopSignal": self.stop_signal,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
            "history": [{"created_by": "kontor-e2e image"}],
        }))?;
        let config_name = format!("{}.json", self::digest(&config));
        let manifest = serde_json::to_vec(&json!([{
            "Config": config_name,
            "RepoTags": [self.reference],
            "Layers": ["layer.tar"],
        }]))?;
        let mut out = tar::Builder::new(std::fs::File::create(archive)?);
        for (name, content) in
            [("manifest.json", &manifest), (config_name.as_str(), &config), ("layer.tar", &layer)]
        {
            let mut header = header(tar::EntryType::Regular, 0o644, content.len());
            out.append_data(&mut header, name, content.as_slice())?;
        }
        out.into_inner()?.sync_all()?;
        Ok(Size { reference: self.reference.clone(), bytes: layer.len() as u64 })
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut out = tar::Builder::new(Vec::new());
        for (path, entry) in &self.entries {
            let name = path.strip_prefix("/").context("paths are absolute")?;
            match entry {
                Entry::Folder(mode) => {
                    let mut header = header(tar::EntryType::Directory, *mode, 0);
                    out.append_data(&mut header, name, std::io::empty())?;
                }
                Entry::Copy(from) => {
                    use std::os::unix::fs::PermissionsExt;
                    let content = std::fs::read(from).with_context(|| from.display().to_string())?;
                    let executable = std::fs::metadata(from)?.permissions().mode() & 0o111 != 0;
                    let mode = if executable { 0o755 } else { 0o644 };
                    let mut header = header(tar::EntryType::Regular, mode, content.len());
                    out.append_data(&mut header, name, content.as_slice())?;
                }
                Entry::Bytes(content, mode) => {
                    let mut header = header(tar::EntryType::Regular, *mode, content.len());
                    out.append_data(&mut header, name, content.as_slice())?;
                }
                Entry::Link(target) => {
                    let mut header = header(tar::EntryType::Symlink, 0o777, 0);
                    out.append_link(&mut header, name, target)?;
                }
            }
        }
        Ok(out.into_inner()?)
    }

    /// Puts an entry and, as folders of mode 755, what it is in.
    fn put(&mut self, at: &str, entry: Entry) {
        let path = PathBuf::from(at);
        for parent in path.ancestors().skip(1).filter(|parent| *parent != Path::new("/")) {
            self.entries.entry(parent.to_owned()).or_insert(Entry::Folder(0o755));
        }
        self.entries.insert(path, entry);
    }
}

/// How large an image became.
#[derive(Debug, Clone)]
pub struct Size {
    /// Its name.
    pub reference: String,
    /// Of its files, uncompressed.
    pub bytes: u64,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:.1} MB", self.reference, self.bytes as f64 / 1e6)
    }
}

/// Writes the image of the process that holds a pod's namespaces.
pub fn pause(programs: &Programs, folder: &Path) -> Result<PathBuf> {
    let mut image = Image::empty(PAUSE);
    image.program(&programs.get("pause")?, "/pause")?;
    image.entrypoint(&["/pause"]);
    image.user("65535:65535");
    let archive = folder.join("pause.tar");
    image.write(&archive)?;
    Ok(archive)
}

/// What a program is linked to, its loader among them; nothing for a static one.
fn shared_libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let Ok(output) = run("ldd", [binary], Duration::from_secs(20)) else { return Ok(Vec::new()) };
    let mut libraries = Vec::new();
    for line in output.lines().map(str::trim) {
        ensure!(!line.ends_with("not found"), "{}: {line}", binary.display());
        let path = line.split_once("=> ").map_or(line, |(_, path)| path);
        let path = path.split(" (").next().unwrap_or_default();
        // The kernel's own has no path.
        if path.starts_with('/') {
            libraries.push(path.into());
        }
    }
    Ok(libraries)
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the image of a pod's first process.
pub const PAUSE: &str = "localhost/pause:1";

const PASSWD: &str = "root:x:0:0:root:/:/sbin/nologin\nkontor:x:65532:65532:kontor:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nkontor:x:65532:\n";
const CERTIFICATES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_makes_the_same_archive() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let make = |name: &str| -> Result<Vec<u8>> {
            let mut image = Image::with_users("localhost/x:1");
            image.bytes("/a/b", b"content", 0o755);
            image.link("/a/c", "b");
            image.write(&folder.path().join(name))?;
            Ok(std::fs::read(folder.path().join(name))?)
        };
        assert_eq!(make("one")?, make("two")?);
        Ok(())
    }

    #[test]
    fn a_program_brings_its_libraries_and_its_loader() -> Result<()> {
        let mut image = Image::empty("localhost/x:1");
        image.program(&std::env::current_exe()?, "/program")?;
        let names: Vec<String> = image.entries.keys().map(|path| path.display().to_string()).collect();
        assert!(names.iter().any(|name| name.contains("libc.so")), "{names:?}");
        assert!(names.iter().any(|name| name.contains("ld-linux")), "{names:?}");
        Ok(())
    }
}

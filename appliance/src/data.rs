//! The data folder: what is in it, who may look, and that one server at a time uses it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where a server keeps everything.
#[derive(Clone, Debug)]
pub struct DataFolder(PathBuf);

/// Held for as long as the server runs.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock goes with the descriptor")] File);

impl DataFolder {
    /// That folder, else `$KONTOR_DATA`, else `/var/lib/kontor` for root and `~/.local/share/kontor` for people.
    pub fn at(given: Option<&Path>) -> Result<Self> {
        let folder = match given {
            Some(folder) => folder.to_owned(),
            None => default_folder()?,
        };
        Ok(Self(std::path::absolute(&folder).with_context(|| format!("cannot use {}", folder.display()))?))
    }

    /// Makes the folder and takes it for this process.
    pub fn take(&self) -> Result<Lock> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.0)
            .with_context(|| format!("cannot make the data folder {}", self.0.display()))?;
        // Others may pass (the database's user has to), and not list.
        let mode = if nix::unistd::Uid::effective().is_root() { 0o711 } else { 0o700 };
        std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(mode)).with_context(|| {
            format!("{} belongs to somebody else; choose another one with --data", self.0.display())
        })?;
        let path = self.0.join("lock");
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let who = std::fs::read_to_string(&path).unwrap_or_default();
                bail!(
                    "a kontor server (process {}) uses {} already. Stop it, or choose another folder with --data.",
                    who.trim(),
                    self.0.display()
                );
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(error).context("cannot lock the data folder");
            }
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Lock(file))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The socket for administration of the running server.
    pub fn admin_socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }

    /// Bodies.
    pub fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// Private CA and certificates.
    pub fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }

    /// The first account's address and password.
    pub fn account(&self) -> PathBuf {
        self.0.join("account.json")
    }

    /// The ports of the last run.
    pub fn ports(&self) -> PathBuf {
        self.0.join("ports.json")
    }
}

/// A way to a socket that is short enough for a socket's address, however long its path is.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    /// Keeps the descriptor open that the path goes through.
    _folder: Option<File>,
}

impl SocketPath {
    /// The way to the socket `path`, whose folder is there.
    pub fn to(path: &Path) -> Result<Self> {
        if path.as_os_str().len() <= SOCKET_ADDRESS {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{} is not a file in a folder", path.display());
        };
        let opened = File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(opened) })
    }

    /// The path to give to bind or connect, good while this value lives.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes through an open folder.
    #[cfg(test)]
    fn is_indirect(&self) -> bool {
        self._folder.is_some()
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().context("a file name is missing")?.to_string_lossy();
    let making = folder.join(format!(".{name}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(&making);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&making)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&making, path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn default_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KONTOR_DATA").filter(|value| !value.is_empty()) {
        return Ok(folder.into());
    }
    if nix::unistd::Uid::effective().is_root() {
        return Ok("/var/lib/kontor".into());
    }
    let home = std::env::var_os("HOME").filter(|value| !value.is_empty());
    let base = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| home.map(|home| PathBuf::from(home).join(".local/share")));
    Ok(base.context("no home folder is known; say where to keep the data with --data DIR")?.join("kontor"))
}

/// `sun_path` without its final NUL.
const SOCKET_ADDRESS: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_below_a_long_path() {
        let folder = tempfile::tempdir().expect("folder");
        let long = folder.path().join("x".repeat(150));
        std::fs::create_dir(&long).expect("made");
        let socket = long.join("admin.sock");
        let way = SocketPath::to(&socket).expect("a way");
        assert!(way.is_indirect());
        let _listener = std::os::unix::net::UnixListener::bind(way.path()).expect("bound");
        assert!(socket.exists());
        std::os::unix::net::UnixStream::connect(SocketPath::to(&socket).expect("a way").path())
            .expect("answers");
    }

    #[test]
    fn one_server_for_a_folder() {
        let folder = tempfile::tempdir().expect("folder");
        let data = DataFolder::at(Some(&folder.path().join("new/data"))).expect("path");
        let lock = data.take().expect("free");
        let error = data.take().expect_err("taken").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        data.take().expect("free again");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("x.json");
        write_atomically(&path, b"one", 0o600).expect("written");
        write_atomically(&path, b"two", 0o600).expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}

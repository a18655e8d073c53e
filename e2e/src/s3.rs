//! An S3 server that we did not write: moto, from the virtual environment that `e2e/setup.sh` makes; or Garage, whose
//! program `KONTOR_E2E_GARAGE` names (`cargo install --locked garage`, which takes its time).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::binaries;
use crate::process::{Process, eventually, free_port, run};

/// A running server with one bucket, `kontor`. Moto keeps objects in memory: killing it loses them.
pub struct S3 {
    process: Process,
    port: u16,
    access_key: String,
    secret_key: String,
    _folder: TempDir,
}

impl S3 {
    /// Starts it on loopback and makes the bucket.
    pub async fn start() -> Result<Self> {
        match std::env::var_os("KONTOR_E2E_GARAGE") {
            Some(program) => Self::garage(Path::new(&program)).await,
            None => Self::moto().await,
        }
    }

    async fn moto() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("kontor-s3-").tempdir()?;
        let port = free_port()?;
        let program = virtual_environment().join("bin/moto_server");
        ensure!(program.is_file(), "{} is missing; run e2e/setup.sh", program.display());
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start("moto_server", command, &folder.path().join("log"))?;
        let (access_key, secret_key) = ("test".to_owned(), "test".to_owned());
        let this = Self { process, port, access_key, secret_key, _folder: folder };
        let bucket = format!("{}/{}", this.endpoint(), this.bucket());
        eventually("the S3 server makes a bucket", Duration::from_secs(60), async || {
            // It does not check signatures; a request without one is as good.
            let put = ["-sf", "--noproxy", "*", "-X", "PUT", &bucket];
            Ok(run("curl", put, Duration::from_secs(5)).ok().map(|_| ()))
        })
        .await?;
        Ok(this)
    }

    async fn garage(program: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("kontor-s3-").tempdir()?;
        let at = folder.path();
        let (port, rpc) = (free_port()?, free_port()?);
        let config = at.join("garage.toml");
        std::fs::write(
            &config,
            format!(
                "metadata_dir = \"{0}/meta\"\ndata_dir = \"{0}/data\"\ndb_engine = \"sqlite\"\n\
                 replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
                 rpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{1}\"\n\n\
                 [s3_api]\ns3_region = \"us-east-1\"\napi_bind_addr = \"127.0.0.1:{port}\"\n",
                at.display(),
                "6b".repeat(32),
            ),
        )?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&config).arg("server");
        let process = Process::start("garage", command, &at.join("log"))?;
        let ask = |arguments: &[&str]| -> Result<String> {
            let config = config.display().to_string();
            let arguments = ["-c", &config].into_iter().chain(arguments.iter().copied());
            run(&program.to_string_lossy(), arguments, Duration::from_secs(20))
        };
        let node = eventually("Garage answers", Duration::from_secs(60), async || {
            Ok(ask(&["node", "id", "-q"]).ok().filter(|_| ask(&["status"]).is_ok()))
        })
        .await?;
        let node = node.trim().split('@').next().unwrap_or_default();
        ask(&["layout", "assign", "-z", "here", "-c", "10G", node])?;
        ask(&["layout", "apply", "--version", "1"])?;
        let key = ask(&["key", "create", "kontor"])?;
        let field = |name: &str| -> Result<String> {
            let line = key.lines().find_map(|line| line.strip_prefix(name));
            Ok(line.context("Garage says no key")?.trim().to_owned())
        };
        ask(&["bucket", "create", "kontor"])?;
        ask(&["bucket", "allow", "--read", "--write", "kontor", "--key", "kontor"])?;
        let (access_key, secret_key) = (field("Key ID:")?, field("Secret key:")?);
        Ok(Self { process, port, access_key, secret_key, _folder: folder })
    }

    /// The access key and the secret key.
    pub fn keys(&self) -> (&str, &str) {
        (&self.access_key, &self.secret_key)
    }

    /// The endpoint's URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &'static str {
        "kontor"
    }

    /// The server's process, to stop and continue it.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// Where `e2e/setup.sh` puts Python packages.
pub fn virtual_environment() -> PathBuf {
    match std::env::var_os("KONTOR_E2E_VENV") {
        Some(folder) => folder.into(),
        None => binaries::target_folder().join("e2e-venv"),
    }
}

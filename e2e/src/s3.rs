//! An S3 server that we did not write: moto, from the virtual environment that `e2e/setup.sh` makes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::binaries;
use crate::process::{Process, eventually, free_port, run};

/// A running server with one bucket, `kontor`. It keeps objects in memory: killing it loses them.
pub struct S3 {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl S3 {
    /// Starts it on loopback and makes the bucket.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("kontor-s3-").tempdir()?;
        let port = free_port()?;
        let program = virtual_environment().join("bin/moto_server");
        ensure!(program.is_file(), "{} is missing; run e2e/setup.sh", program.display());
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start("moto_server", command, &folder.path().join("log"))?;
        let this = Self { process, port, _folder: folder };
        let bucket = format!("{}/{}", this.endpoint(), this.bucket());
        eventually("the S3 server makes a bucket", Duration::from_secs(60), async || {
            // It does not check signatures; a request without one is as good.
            let put = ["-sf", "--noproxy", "*", "-X", "PUT", &bucket];
            Ok(run("curl", put, Duration::from_secs(5)).ok().map(|_| ()))
        })
        .await?;
        Ok(this)
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

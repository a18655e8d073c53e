//! A private Radicale: from PyPI, in the virtual environment that `e2e/setup.sh` makes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_e2e::process::{Process, eventually, free_port};
use kontor_e2e::s3::virtual_environment;
use tokio::net::TcpStream;

use super::Target;

/// A running Radicale. Dropping it stops it.
pub struct Radicale {
    _process: Process,
    address: String,
}

impl Radicale {
    /// Starts it in a folder, with one user. It flushes what it stores, as is its default.
    pub async fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let at = folder.display();
        let config = format!(
            "[server]\nhosts = {address}\nmax_connections = 100\n[auth]\ntype = htpasswd\n\
             htpasswd_filename = {at}/users\nhtpasswd_encryption = plain\n[rights]\ntype = owner_only\n\
             [storage]\nfilesystem_folder = {at}/collections\n[logging]\nlevel = warning\n"
        );
        std::fs::write(folder.join("config"), config)?;
        std::fs::write(folder.join("users"), format!("{USER}:{PASSWORD}\n"))?;
        let mut command = Command::new(virtual_environment().join("bin/python"));
        command.args(["-m", "radicale", "--config"]).arg(folder.join("config"));
        let mut process = Process::start("radicale", command, &folder.join("start.log"))?;
        let up = eventually("Radicale answers", Duration::from_secs(30), async || {
            Ok(TcpStream::connect(&address).await.ok().map(|_| ()))
        })
        .await;
        if let Err(error) = up {
            let _ = process.check_alive();
            return Err(error).context(process.log_tail());
        }
        Ok(Self { _process: process, address })
    }

    /// What the workload needs to know.
    pub fn target(&self) -> Target {
        Target {
            name: "radicale".to_owned(),
            address: self.address.clone(),
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            calendars: format!("/{USER}/"),
            address_books: format!("/{USER}/"),
            takes_whole_collections: true,
        }
    }
}

const USER: &str = "bench";
const PASSWORD: &str = "bench-password";

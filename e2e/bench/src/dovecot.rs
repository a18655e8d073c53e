//! A private Dovecot: its own configuration, folder and ports; Debian's package, no service touched.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use kontor_e2e::imap::Imap;
use kontor_e2e::process::{Process, eventually, free_port};

use crate::target::Target;

/// How often Dovecot asks the disk for what it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Each write, index and log: what is acknowledged survives a power cut. Kontor's own promise.
    Always,
    /// Dovecot's default: what must be kept, but not the indexes.
    Optimized,
}

/// A running Dovecot in `folder`. Dropping it stops it.
pub struct Dovecot {
    folder: PathBuf,
    name: String,
    process: Option<Process>,
    lmtp: u16,
    imap: u16,
    pop3: u16,
}

impl Dovecot {
    /// Writes the configuration and starts it. Any address exists, with the password `pass`.
    pub async fn start(name: &str, folder: &Path, fsync: Fsync, hibernate: bool) -> Result<Self> {
        std::fs::create_dir_all(folder.join("mail"))?;
        for part in [folder.to_owned(), folder.join("mail")] {
            std::fs::set_permissions(part, std::fs::Permissions::from_mode(0o777))?;
        }
        let (lmtp, imap, pop3) = (free_port()?, free_port()?, free_port()?);
        let text = configuration(folder, fsync, hibernate, lmtp, imap, pop3);
        std::fs::write(folder.join("dovecot.conf"), text)?;
        let mut this =
            Self { folder: folder.to_owned(), name: name.to_owned(), process: None, lmtp, imap, pop3 };
        this.launch().await?;
        Ok(this)
    }

    /// Stops and starts it on the same mail.
    pub async fn restart(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.terminate(Duration::from_secs(30))?;
        }
        self.launch().await
    }

    /// What the workload needs to know.
    pub fn target(&self, user_count: usize) -> Target {
        Target {
            name: self.name.clone(),
            lmtp: format!("127.0.0.1:{}", self.lmtp),
            imap: format!("127.0.0.1:{}", self.imap),
            users: "u{}@bench.test".into(),
            user_count,
            password: "pass".into(),
            pids: self.process.iter().map(Process::pid).collect(),
            disk: self.folder.clone(),
            postgres: None,
        }
    }

    /// POP3's address.
    pub fn pop3(&self) -> String {
        format!("127.0.0.1:{}", self.pop3)
    }

    async fn launch(&mut self) -> Result<()> {
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(self.folder.join("dovecot.conf"));
        let mut process = Process::start("dovecot", command, &self.folder.join("start.log"))?;
        let address = format!("127.0.0.1:{}", self.imap);
        let up = eventually("Dovecot answers", Duration::from_secs(30), async || {
            Ok(Imap::connect(&address).await.ok().map(|_| ()))
        })
        .await;
        if let Err(error) = up {
            let _ = process.check_alive();
            return Err(error).context(process.log_tail());
        }
        self.process = Some(process);
        Ok(())
    }
}

fn configuration(folder: &Path, fsync: Fsync, hibernate: bool, lmtp: u16, imap: u16, pop3: u16) -> String {
    let at = folder.display();
    let fsync = match fsync {
        Fsync::Always => "always",
        Fsync::Optimized => "optimized",
    };
    let hibernation = if hibernate {
        "imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = dovecot
    mode = 0666
  }
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"
    } else {
        ""
    };
    format!(
        "protocols = imap pop3 lmtp
listen = 127.0.0.1
base_dir = {at}/run
state_dir = {at}/state
log_path = {at}/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = mdbox:~/mdbox
mail_fsync = {fsync}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 10000
default_client_limit = 20000
default_process_limit = 10000
default_vsz_limit = 0
protocol lmtp {{
  auth_username_format = %Lu
}}
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=8 gid=8 home={at}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service imap {{
  process_limit = 10000
}}
{hibernation}"
    )
}

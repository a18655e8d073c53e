//! A private PostgreSQL and a storage node over it, for one test program.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kontor_storage_client::proto::{self, put::Object};
use kontor_storage_client::{PreparedMessage, Session, StoreClient};
use kontor_storage_node::{BlobConfig, Config, StorageNode, Trust};

/// PostgreSQL in a temporary folder, on a Unix socket only; it ends with this value.
pub struct Postgres {
    child: Child,
    folder: tempfile::TempDir,
}

impl Postgres {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("kt").tempdir_in("/tmp").expect("temporary folder");
        let bin = programs();
        // PostgreSQL does not run as root.
        let owner = if is_root() { Some(postgres_user()) } else { None };
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("chown");
        }
        let place = folder.path().to_path_buf();
        let command = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(&place).stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = folder.path().join("data");
        let made = command("initdb")
            .args([
                "--auth=trust",
                "--username=kontor",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb failed");
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "max_connections=200", "-c"])
            .arg(format!("unix_socket_directories={}", folder.path().display()))
            .spawn()
            .expect("postgres runs");
        let postgres = Postgres { child, folder };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !command("psql")
            .args(["-U", "kontor", "-d", "postgres", "-h"])
            .arg(postgres.folder.path())
            .args(["-c", "SELECT 1"])
            .status()
            .expect("psql runs")
            .success()
        {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        postgres
    }

    pub fn url(&self) -> String {
        format!("host={} user=kontor dbname=postgres", self.folder.path().display())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0).unwrap_or(false)
}

fn postgres_user() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = passwd.lines().find(|l| l.starts_with("postgres:")).expect("a user named postgres");
    let mut fields = line.split(':').skip(2).map(|f| f.parse().expect("a number"));
    (fields.next().expect("uid"), fields.next().expect("gid"))
}

fn programs() -> PathBuf {
    if let Some(path) = std::env::var_os("KONTOR_PG_BIN") {
        return path.into();
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|dir| dir.flatten().map(|e| e.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed below /usr/lib/postgresql, or KONTOR_PG_BIN says where")
}

/// A node with two tenants: anna and bert of `one.example`, carl of `two.example`.
pub struct House {
    node: StorageNode,
    pub gateway: StoreClient,
    pub admin: StoreClient,
    pub postgres: Postgres,
    _blobs: tempfile::TempDir,
}

pub const PASSWORD: &str = "correct horse battery staple";

impl House {
    pub async fn new() -> Self {
        let postgres = Postgres::start();
        let blobs = tempfile::Builder::new().prefix("blobs").tempdir().expect("temporary folder");
        let mut config = Config::new(postgres.url(), BlobConfig::Folder { path: blobs.path().to_path_buf() });
        config.inline_body_limit = 16 << 10;
        let node = StorageNode::start(config).await.expect("the node starts");
        let gateway = node.client(Trust::Gateway);
        let admin = node.client(Trust::Admin);
        let house = House { node, gateway, admin, postgres, _blobs: blobs };
        house
            .put(vec![
                Object::Tenant(proto::Tenant { name: "one".into(), ..Default::default() }),
                Object::Tenant(proto::Tenant { name: "two".into(), ..Default::default() }),
                Object::Domain(proto::Domain {
                    name: "one.example".into(),
                    tenant: "one".into(),
                    ..Default::default()
                }),
                Object::Domain(proto::Domain {
                    name: "two.example".into(),
                    tenant: "two".into(),
                    ..Default::default()
                }),
                account("anna@one.example", "one"),
                account("bert@one.example", "one"),
                account("carl@two.example", "two"),
            ])
            .await;
        house
    }

    pub fn gateway_of_its_own(&self) -> StoreClient {
        self.node.client(Trust::Gateway)
    }

    pub async fn put(&self, objects: Vec<Object>) -> Vec<proto::ApplyResult> {
        let changes = objects
            .into_iter()
            .map(|object| proto::Change {
                change: Some(proto::change::Change::Put(proto::Put {
                    object: Some(object),
                    ..Default::default()
                })),
            })
            .collect();
        self.admin.apply(changes).await.expect("apply")
    }

    pub async fn login(&self, address: &str) -> Session {
        self.gateway.authenticate(address, "", PASSWORD, "imap", "127.0.0.1").await.expect("login")
    }

    pub async fn target(&self, address: &str) -> proto::Target {
        let results = self
            .gateway
            .resolve_recipients(proto::ResolveRecipientsRequest {
                addresses: vec![address.into()],
                ..Default::default()
            })
            .await
            .expect("resolve");
        results[0].targets.first().cloned().unwrap_or_else(|| panic!("{address}: {:?}", results[0]))
    }

    pub async fn deliver(&self, address: &str, raw: &str) -> proto::DeliverResult {
        let message = PreparedMessage::from_rfc5322(raw.as_bytes().to_vec().into());
        let target = self.target(address).await;
        self.gateway.deliver(&message, &[target], 0, None).await.expect("deliver").remove(0)
    }
}

pub fn account(address: &str, tenant: &str) -> Object {
    Object::Account(proto::Account {
        address: address.into(),
        tenant: tenant.into(),
        password: PASSWORD.into(),
        ..Default::default()
    })
}

pub fn mail(subject: &str, text: &str) -> String {
    format!(
        "From: Zoe <zoe@far.example>\r\nTo: anna@one.example\r\nSubject: {subject}\r\n\
         Message-ID: <{subject}@far.example>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\n{text}\r\n"
    )
}

/// Gives somebody rights in a folder.
pub async fn share(session: &Session, folder_id: u64, principal: &str, rights: u32) {
    let request = proto::SetPermissionsRequest {
        mailbox_id: session.info().mailbox_id,
        folder_id,
        permissions: vec![proto::Permission { principal: principal.into(), rights }],
        ..Default::default()
    };
    session.set_permissions(request).await.expect("share");
}

//! Kontor's processes apart, as in a cluster: storage nodes and gateways over mutual TLS, one PostgreSQL, one S3.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_storage_client::{StoreClient, Tls, proto};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::appliance::Account;
use crate::binaries;
use crate::imap::Imap;
use crate::postgres::Postgres;
use crate::process::{Process, eventually, free_port};
use crate::s3::S3;
use crate::wire::Wire;

/// Two storage nodes, two IMAP gateways, one SMTP and one POP3 gateway. Dropping it stops everything.
pub struct Cluster {
    /// The gateways that serve IMAP, each with its address.
    pub imap: Vec<Node>,
    /// The gateway that takes LMTP.
    pub lmtp: Node,
    /// The gateway that serves POP3.
    pub pop3: Node,
    /// The storage nodes, each with its gRPC address.
    pub storage: Vec<Node>,
    /// Bodies are here.
    pub s3: S3,
    /// Everything else is here.
    pub postgres: Postgres,
    authority: Authority,
    folder: TempDir,
}

/// DAV gateways with an ingress in front.
pub struct Web {
    /// The DAV gateways, each with the address that the ingress uses: who comes there is believed about the client.
    pub dav: Vec<Node>,
    /// The ingress, with its address for HTTP.
    pub ingress: Node,
    /// Where the last gateway listens for clients themselves.
    pub direct: String,
    /// The same with TLS.
    pub tls: String,
    /// What its certificate is signed by (PEM).
    pub ca: PathBuf,
}

/// One process of the cluster.
pub struct Node {
    /// `host:port` of what it serves.
    pub address: String,
    /// The port of its metrics and health, at the same host.
    pub monitor: Option<u16>,
    name: String,
    program: &'static str,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    /// SIGTERM and a clean end.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let status = process.terminate(limit)?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.name, process.log_tail());
        Ok(())
    }

    /// Starts it, or starts it again, and waits until it takes connections.
    pub async fn start(&mut self) -> Result<()> {
        let mut command = Command::new(binaries::find(self.program)?);
        command.args(&self.arguments);
        let mut process = Process::start(&self.name, command, &self.log)?;
        let address = self.address.clone();
        eventually(&format!("{} listens", self.name), Duration::from_secs(60), async || {
            // A program that has ended will not listen any more.
            if let Err(ended) = process.check_alive() {
                return Ok(Some(Err(ended)));
            }
            Ok(Wire::connect(&address).await.ok().map(|_| Ok(())))
        })
        .await
        .with_context(|| process.log_tail())??;
        self.process = Some(process);
        Ok(())
    }

    /// Everything that it wrote.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The process, while it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}

impl Cluster {
    /// Starts everything and makes the domain `cluster.test`.
    pub async fn start() -> Result<Self> {
        let folder = crate::process::scratch("kontor-cluster-")?;
        let at = folder.path();
        let authority = Authority::new(at)?;
        let (postgres, s3) = (Postgres::start().await?, S3::start().await?);

        let mut storage = Vec::new();
        for number in 0..2 {
            let name = format!("storage-{number}");
            let address = format!("127.0.0.1:{}", free_port()?);
            let pair = authority.issue(&format!("kontor-{name}"), at)?;
            let config = at.join(format!("{name}.toml"));
            std::fs::write(
                &config,
                format!(
                    "database_url = \"{}\"\ninline_body_limit = 4096\n\n\
                     [blobs]\nkind = \"s3\"\nendpoint = \"{}\"\nbucket = \"{}\"\n\
                     access_key = \"{}\"\nsecret_key = \"{}\"\n\n\
                     [listen]\naddress = \"{address}\"\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
                    postgres.url(),
                    s3.endpoint(),
                    s3.bucket(),
                    s3.keys().0,
                    s3.keys().1,
                    pair.certificate.display(),
                    pair.key.display(),
                    authority.certificate.display(),
                ),
            )?;
            let arguments = vec!["--config".into(), config.display().to_string()];
            let log = at.join(format!("{name}.log"));
            let mut node = Node {
                address,
                monitor: None,
                name,
                program: "kontor-storage-node",
                arguments,
                log,
                process: None,
            };
            node.start().await?;
            storage.push(node);
        }

        let gateway = |name: &str, protocol: &str| {
            let listener = if protocol == "smtp" { "lmtp" } else { protocol };
            let address = format!("127.0.0.1:{}", free_port()?);
            // The tests speak without TLS; the way to the store is what is tested here.
            let rest =
                format!("[listen]\n{listener} = \"{address}\"\n\n[{protocol}]\nplaintext_auth = true\n");
            gateway(&authority, &storage, at, name, protocol, address, &rest)
        };
        let mut imap = vec![gateway("imap-0", "imap")?, gateway("imap-1", "imap")?];
        let mut lmtp = gateway("smtp-0", "smtp")?;
        let mut pop3 = gateway("pop3-0", "pop3")?;
        for node in imap.iter_mut().chain([&mut lmtp, &mut pop3]) {
            node.start().await?;
        }
        let cluster = Self { imap, lmtp, pop3, storage, s3, postgres, authority, folder };
        cluster.add_tenant("main", DOMAIN).await?;
        Ok(cluster)
    }

    /// Starts two DAV gateways and an ingress in front of them.
    pub async fn start_dav(&self) -> Result<Web> {
        let at = self.folder.path();
        let monitor = free_port()?;
        let server = self.authority.issue("kontor-server", at)?;
        let mut dav = Vec::new();
        let (mut direct, mut tls) = (String::new(), String::new());
        for number in 0..2 {
            // Both have the same monitor port, as pods have, at addresses of their own.
            let host = format!("127.0.0.{}", number + 1);
            let name = format!("dav-{number}");
            let address = format!("{host}:{}", free_port()?);
            (direct, tls) = (format!("{host}:{}", free_port()?), format!("{host}:{}", free_port()?));
            let rest = format!(
                "[listen]\ndavs = \"{tls}\"\n[[listen.dav]]\nbind = \"{address}\"\n\
                 forwarded_from = [\"127.0.0.0/8\"]\n[[listen.dav]]\nbind = \"{direct}\"\n\
                 [process]\nmonitor = \"{host}:{monitor}\"\n\
                 [[tls.certificates]]\ncertificate = \"{}\"\nkey = \"{}\"\n",
                server.certificate.display(),
                server.key.display(),
            );
            let mut node = gateway(&self.authority, &self.storage, at, &name, "dav", address, &rest)?;
            node.monitor = Some(monitor);
            node.start().await?;
            dav.push(node);
        }
        let upstreams: Vec<String> = dav.iter().map(|node| format!("\"{}\"", node.address)).collect();
        let address = format!("127.0.0.1:{}", free_port()?);
        let config = at.join("ingress.toml");
        std::fs::write(
            &config,
            format!(
                "[listen]\nhttp = \"{address}\"\n[ingress]\ncheck_interval = \"500ms\"\n\
                 [ingress.upstreams.dav]\naddresses = [{}]\nhealth_port = {monitor}\n",
                upstreams.join(", ")
            ),
        )?;
        let mut ingress = Node {
            address,
            monitor: None,
            name: "ingress".to_owned(),
            program: "kontor-gateway",
            arguments: vec!["ingress".to_owned(), "--config".into(), config.display().to_string()],
            log: at.join("ingress.log"),
            process: None,
        };
        ingress.start().await?;
        Ok(Web { dav, ingress, direct, tls, ca: self.authority.certificate.clone() })
    }

    /// A client with the rights of an administrator, on all storage nodes.
    pub fn administrator(&self) -> Result<StoreClient> {
        self.client("kontor-admin-e2e")
    }

    /// A client with the rights of a gateway, on all storage nodes.
    pub fn gateway_client(&self) -> Result<StoreClient> {
        self.client("kontor-gateway-e2e")
    }

    /// A client whose certificate has this common name.
    pub fn client(&self, common_name: &str) -> Result<StoreClient> {
        let addresses: Vec<String> = self.storage.iter().map(|node| node.address.clone()).collect();
        let pair = self.authority.issue(common_name, self.folder.path())?;
        let tls = Tls {
            ca: std::fs::read_to_string(&self.authority.certificate)?,
            certificate: std::fs::read_to_string(pair.certificate)?,
            key: std::fs::read_to_string(pair.key)?,
            server_name: SERVER_NAME.into(),
        };
        Ok(StoreClient::connect(&addresses, Some(tls))?)
    }

    /// Makes a tenant with a domain.
    pub async fn add_tenant(&self, name: &str, domain: &str) -> Result<()> {
        let tenant = proto::Tenant { name: name.into(), ..Default::default() };
        let domain = proto::Domain { name: domain.into(), tenant: name.into(), ..Default::default() };
        self.put(vec![proto::put::Object::Tenant(tenant), proto::put::Object::Domain(domain)]).await
    }

    /// Makes a mailbox in the first domain.
    pub async fn add_mailbox(&self, name: &str) -> Result<Account> {
        self.add_mailbox_at("main", &format!("{name}@{DOMAIN}")).await
    }

    /// Makes a mailbox.
    pub async fn add_mailbox_at(&self, tenant: &str, address: &str) -> Result<Account> {
        let password = format!("password of {address}").replace(' ', "-");
        let account = proto::Account {
            address: address.into(),
            tenant: tenant.into(),
            kind: "user".into(),
            role: "user".into(),
            password: password.clone(),
            ..Default::default()
        };
        self.put(vec![proto::put::Object::Account(account)]).await?;
        Ok(Account { address: address.into(), password })
    }

    /// Declares directory objects; an error unless each was made or was so already.
    pub async fn put(&self, objects: Vec<proto::put::Object>) -> Result<()> {
        let changes = objects
            .into_iter()
            .map(|object| proto::Change {
                change: Some(proto::change::Change::Put(proto::Put {
                    object: Some(object),
                    ..Default::default()
                })),
            })
            .collect();
        for result in self.administrator()?.apply(changes).await? {
            let outcome = result.outcome();
            use proto::apply_result::Outcome::{Created, Unchanged, Updated};
            ensure!(matches!(outcome, Created | Updated | Unchanged), "{outcome:?}: {}", result.message);
        }
        Ok(())
    }

    /// A session on one of the IMAP gateways, tried again for a while: right after a failure a gateway may
    /// have to find another storage node first.
    pub async fn login(&self, gateway: usize, account: &Account) -> Result<Imap> {
        let address = self.imap.get(gateway).context("no such gateway")?.address.clone();
        eventually("a login", Duration::from_secs(60), async || {
            Imap::login(&address, &account.address, &account.password).await.map(Some)
        })
        .await
    }
}

/// A gateway's process that has not been started.
fn gateway(
    authority: &Authority,
    storage: &[Node],
    folder: &Path,
    name: &str,
    protocol: &str,
    address: String,
    rest: &str,
) -> Result<Node> {
    let addresses: Vec<String> = storage.iter().map(|node| format!("\"{}\"", node.address)).collect();
    let pair = authority.issue(&format!("kontor-gateway-{name}"), folder)?;
    let config = folder.join(format!("{name}.toml"));
    std::fs::write(
        &config,
        format!(
            "[store]\naddresses = [{}]\nca = \"{}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\n{rest}",
            addresses.join(", "),
            authority.certificate.display(),
            pair.certificate.display(),
            pair.key.display(),
        ),
    )?;
    Ok(Node {
        address,
        monitor: None,
        name: name.to_owned(),
        program: "kontor-gateway",
        arguments: vec![protocol.to_owned(), "--config".into(), config.display().to_string()],
        log: folder.join(format!("{name}.log")),
        process: None,
    })
}

const DOMAIN: &str = "cluster.test";
/// The name that gateways look for in a storage node's certificate.
const SERVER_NAME: &str = "kontor-storage";

/// A private CA.
struct Authority {
    certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Result<Self> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Kontor test CA");
        let key = KeyPair::generate()?;
        let signed = parameters.self_signed(&key)?;
        let certificate = folder.join("ca.pem");
        std::fs::write(&certificate, signed.pem())?;
        Ok(Self { certificate, issuer: Issuer::new(parameters, key) })
    }

    fn issue(&self, common_name: &str, folder: &Path) -> Result<Pair> {
        let names = vec![SERVER_NAME.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate()?;
        let signed = parameters.signed_by(&key, &self.issuer)?;
        let pair = Pair {
            certificate: folder.join(format!("{common_name}.pem")),
            key: folder.join(format!("{common_name}.key")),
        };
        std::fs::write(&pair.certificate, signed.pem())?;
        std::fs::write(&pair.key, key.serialize_pem())?;
        Ok(pair)
    }
}

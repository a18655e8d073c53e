//! Administration of a running server, over the same calls that the operator uses.

pub mod alias;
pub mod app_password;
mod booking;
pub mod check;
pub mod domain;
pub mod export;
pub mod group;
pub mod import;
pub mod mailbox;
mod messages;
pub mod queue;
pub mod subscription;
mod table;
pub mod tenant;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kontor_storage_client::proto::apply_result::Outcome;
use kontor_storage_client::proto::{self, change, put};
use kontor_storage_client::{StoreClient, StoreError, Tls};
use tonic::Request;

pub use table::Table;

use crate::data::{DataFolder, SocketPath};

/// Which server to speak to, and how to answer.
#[derive(Debug)]
pub struct Reach {
    /// Its data folder, on this machine.
    pub data: Option<PathBuf>,
    /// Storage nodes elsewhere.
    pub store: Option<String>,
    /// Their CA.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Answer in JSON.
    pub json: bool,
}

/// A connection with an administrator's rights.
pub struct Admin {
    /// The client.
    pub store: StoreClient,
    /// Answer in JSON.
    pub json: bool,
    _socket: Option<SocketPath>,
}

impl Admin {
    /// Over a client that has the rights.
    pub fn over(store: StoreClient) -> Self {
        Self { store, json: false, _socket: None }
    }

    /// Connects, and says what to do when nobody answers.
    pub async fn connect(reach: &Reach) -> Result<Self> {
        if let Some(address) = &reach.store {
            let (Some(ca), Some(certificate), Some(key)) = (&reach.ca, &reach.certificate, &reach.key) else {
                bail!("--store needs --store-ca, --store-certificate and --store-key");
            };
            let read = |file: &PathBuf| {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
            };
            let tls = Tls {
                ca: read(ca)?,
                certificate: read(certificate)?,
                key: read(key)?,
                server_name: "kontor-storage".to_owned(),
            };
            let store = StoreClient::connect(std::slice::from_ref(address), Some(tls))?;
            store.ready().await.with_context(|| {
                format!(
                    "no storage node answers on {address}; check the address, --store-ca and the certificate"
                )
            })?;
            return Ok(Self { store, json: reach.json, _socket: None });
        }
        let data = DataFolder::at(reach.data.as_deref())?;
        let socket = data.admin_socket();
        let start = format!(
            "Start one with `kontor up --data {}`, or name another folder with --data.",
            data.path().display()
        );
        let way = SocketPath::to(&socket)
            .map_err(|_| anyhow!("no server keeps its data in {}. {start}", data.path().display()))?;
        match tokio::net::UnixStream::connect(way.path()).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                bail!(
                    "{} may only be used by the user that the server runs as; try again as that user",
                    socket.display()
                );
            }
            Err(_) => bail!("no server is running on {}. {start}", data.path().display()),
        }
        let store = StoreClient::connect_unix(way.path());
        Ok(Self { store, json: reach.json, _socket: Some(way) })
    }

    /// All objects of a kind: `tenant`, `domain`, `account`, `group`; of one tenant and with one name, unless empty.
    pub async fn list(&self, kind: &str, tenant: &str, name: &str) -> Result<Vec<put::Object>> {
        let mut objects = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListRequest {
                kind: kind.to_owned(),
                tenant: tenant.to_owned(),
                name: name.trim().to_lowercase(),
                page_token,
                page_size: PAGE,
            };
            let page =
                self.store.directory()?.list(timed(request)).await.map_err(StoreError::from)?.into_inner();
            objects.extend(page.objects.into_iter().filter_map(|put| put.object));
            if page.next_page_token.is_empty() {
                return Ok(objects);
            }
            page_token = page.next_page_token;
        }
    }

    /// The tenant of that name.
    pub async fn tenant(&self, name: &str) -> Result<proto::Tenant> {
        match self.list("tenant", "", name).await?.into_iter().next() {
            Some(put::Object::Tenant(tenant)) => Ok(tenant),
            _ => bail!("there is no tenant {name}. `kontor tenant list` shows what there is."),
        }
    }

    /// The domain of that name.
    pub async fn domain(&self, name: &str) -> Result<proto::Domain> {
        match self.list("domain", "", name).await?.into_iter().next() {
            Some(put::Object::Domain(domain)) => Ok(domain),
            _ => bail!("the domain {name} is not set up. Add it with `kontor domain add {name}`."),
        }
    }

    /// The mailbox of that address.
    pub async fn account(&self, address: &str) -> Result<proto::Account> {
        match self.list("account", "", address).await?.into_iter().next() {
            Some(put::Object::Account(account)) => Ok(account),
            _ => bail!("there is no mailbox {address}. `kontor mailbox list` shows what there is."),
        }
    }

    /// The group of that address.
    pub async fn group(&self, address: &str) -> Result<proto::Group> {
        match self.list("group", "", address).await?.into_iter().next() {
            Some(put::Object::Group(group)) => Ok(group),
            _ => bail!("there is no group {address}. `kontor group list` shows what there is."),
        }
    }

    /// The tenant of an address or domain: that of its domain.
    pub async fn tenant_of(&self, address: &str) -> Result<String> {
        let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
        if domain.is_empty() || !address.contains('@') {
            bail!("{address:?} is not an address such as ann@example.org");
        }
        Ok(self.domain(domain).await?.tenant)
    }

    /// Makes an object that is not there yet.
    pub async fn create(&self, object: put::Object) -> Result<()> {
        let put = proto::Put { object: Some(object), create_only: true, ..Default::default() };
        self.apply(change::Change::Put(put)).await.map(drop)
    }

    /// Changes an object that is there; false when it was so already.
    pub async fn update(&self, object: put::Object) -> Result<bool> {
        let put = proto::Put { object: Some(object), update_only: true, ..Default::default() };
        Ok(self.apply(change::Change::Put(put)).await? != Outcome::Unchanged)
    }

    /// Removes an object.
    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let delete = proto::Delete { kind: kind.to_owned(), name: name.to_owned(), ..Default::default() };
        match self.apply(change::Change::Delete(delete)).await? {
            Outcome::NotFound => bail!("{name} is not there"),
            _ => Ok(()),
        }
    }

    async fn apply(&self, change: change::Change) -> Result<Outcome> {
        let results = self.store.apply(vec![proto::Change { change: Some(change) }]).await?;
        let result = results.into_iter().next().context("the server gave no answer")?;
        match result.outcome() {
            Outcome::Conflict
            | Outcome::Invalid
            | Outcome::Denied
            | Outcome::Limit
            | Outcome::Failed
            | Outcome::Unspecified => {
                bail!("{}", result.message)
            }
            Outcome::NotFound if !result.message.is_empty() => bail!("{}", result.message),
            outcome => Ok(outcome),
        }
    }

    /// Says what was done: a sentence for people, an object for programs.
    pub fn done(&self, sentence: impl std::fmt::Display, object: &serde_json::Value) {
        if self.json {
            anstream::println!("{object:#}");
        } else {
            anstream::println!("{sentence}");
        }
    }
}

/// A request with a deadline.
pub fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// For `remove`: asks a person, unless they said --yes.
pub fn confirm(what: &str, yes: bool) -> Result<()> {
    use std::io::{IsTerminal, Write};
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("{what} Say --yes to do it without being asked.");
    }
    eprint!("{what} Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { bail!("nothing was changed") }
}

/// For clap: `50 GiB` and the like; `none` and 0 are no limit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    if matches!(text, "none" | "unlimited") {
        return Ok(0);
    }
    kontor_gateway_core::config::parse_size(text)
        .ok_or_else(|| "not a size such as 5GiB, 500 MiB or none".to_owned())
}

const PAGE: u32 = 500;
const DEADLINE: Duration = Duration::from_secs(60);

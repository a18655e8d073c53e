//! Kontor in a cluster: the operator from its chart, and an installation from an example.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::image::Image;
use super::operands;
use super::session::Session;
use crate::binaries::{self, workspace};
use crate::imap::Imap;
use crate::process::eventually;
use crate::smtp::{Smtp, dot_stuffed, read_reply};

/// Brings the images of our programs and of what they stand on to every node, and installs the operator.
///
/// The programs are those of [`binaries::find`].
pub fn operator(session: &Session) -> Result<()> {
    for name in ["kontor-operator", "kontor-storage-node", "kontor-gateway"] {
        let binary = binaries::find(name)?;
        let size = session
            .import(&format!("localhost/{name}:{TAG}"), |reference| Image::of_program(reference, &binary))?;
        // One with what a debugger wants is larger, and goes nowhere.
        if let Some(size) = size.filter(|_| binary.components().any(|part| part.as_os_str() == "release")) {
            ensure!(size.bytes < LARGEST_IMAGE, "{size} is too large");
        }
    }
    session.import(DATABASE_IMAGE, operands::postgres)?;
    session.import(OBJECT_STORE_IMAGE, operands::object_store)?;
    let chart = workspace().join("charts/kontor").display().to_string();
    let values = format!("image.registry=localhost,image.tag={TAG},image.pullPolicy=Never");
    let mut install = vec!["upgrade", "--install", "kontor", &chart, "--set", &values];
    install.extend(["--namespace", OPERATOR_NAMESPACE, "--create-namespace", "--wait", "--timeout", "180s"]);
    session.helm(&install).map(drop).map_err(|error| error.context(session.what_is_wrong(OPERATOR_NAMESPACE)))
}

/// The resources of `docs/examples/trial.yaml`, with the images of the tests.
pub fn trial() -> Result<Manifest> {
    Manifest::read(&workspace().join("docs/examples/trial.yaml"))
}

/// Resources to be changed and applied.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// One after the other.
    pub resources: Vec<Value>,
}

impl Manifest {
    /// Reads a file of YAML documents and gives its installations the images of the tests.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut resources: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        for resource in resources.iter_mut().filter(|resource| resource["kind"] == "GroupwareDeployment") {
            resource["spec"]["image"] = image(TAG);
            if resource["spec"]["storage"].get("embedded").is_some() {
                resource["spec"]["storage"]["embedded"]["databaseImage"] = DATABASE_IMAGE.into();
                resource["spec"]["storage"]["embedded"]["objectStore"] =
                    json!({"image": OBJECT_STORE_IMAGE, "flavor": "Generic"});
            }
        }
        Ok(Self { resources })
    }

    /// Puts everything into another namespace.
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        for resource in &mut self.resources {
            let name = if resource["kind"] == "Namespace" { "name" } else { "namespace" };
            resource["metadata"][name] = namespace.into();
        }
        self
    }

    /// The resource of this kind and name.
    pub fn get(&mut self, kind: &str, name: &str) -> Result<&mut Value> {
        self.resources
            .iter_mut()
            .find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name)
            .with_context(|| format!("no {kind} {name}"))
    }

    /// As `kubectl apply` reads it.
    pub fn yaml(&self) -> String {
        // JSON is YAML.
        let documents: Vec<String> = self.resources.iter().map(Value::to_string).collect();
        documents.join("\n---\n")
    }
}

/// `spec.image` for one of the tags that images of the tests have.
pub fn image(tag: &str) -> Value {
    json!({"registry": "localhost", "tag": tag, "pullPolicy": "Never"})
}

/// An installation that runs.
pub struct Installation<'a> {
    /// The cluster.
    pub session: &'a Session,
    /// The namespace.
    pub namespace: String,
    /// The name of the GroupwareDeployment.
    pub name: String,
}

impl<'a> Installation<'a> {
    /// Names one.
    pub fn new(session: &'a Session, namespace: &str, name: &str) -> Self {
        Self { session, namespace: namespace.into(), name: name.into() }
    }

    /// Runs `kubectl` in its namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        self.session.kubectl(&all)
    }

    /// Waits until all resources of these kinds say that they are ready; shows what they say when they do not.
    pub fn wait_ready(&self, kinds: &str, limit: Duration) -> Result<()> {
        let timeout = format!("--timeout={}s", limit.as_secs());
        self.kubectl(&["wait", "--for=condition=Ready", kinds, "--all", &timeout]).map(drop).map_err(
            |error| {
                let said = self.kubectl(&["get", kinds, "-o", "wide"]).unwrap_or_default();
                error.context(format!("{said}{}", self.session.what_is_wrong(&self.namespace)))
            },
        )
    }

    /// A condition of a resource: its status, reason and message.
    pub fn condition(&self, resource: &str, type_: &str) -> Result<Option<Condition>> {
        let text = self.kubectl(&["get", resource, "-o", "json"])?;
        let value: Value = serde_json::from_str(&text)?;
        let conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition["type"] == type_);
        Ok(found.map(|condition| Condition {
            status: condition["status"].as_str().unwrap_or_default().into(),
            reason: condition["reason"].as_str().unwrap_or_default().into(),
            message: condition["message"].as_str().unwrap_or_default().into(),
        }))
    }

    /// Waits until a condition has this status and reason.
    pub async fn wait_condition(
        &self,
        resource: &str,
        type_: &str,
        status: &str,
        reason: &str,
    ) -> Result<Condition> {
        let mut last = None;
        eventually(&format!("{resource} {type_}={status} ({reason})"), LIMIT, async || {
            let condition = self.condition(resource, type_)?;
            let fits = condition
                .as_ref()
                .is_some_and(|now| now.status == status && (reason.is_empty() || now.reason == reason));
            last.clone_from(&condition);
            Ok(condition.filter(|_| fits))
        })
        .await
        .map_err(|error| {
            let kinds = "gwd,tn,md,mbx,dg,rmbx";
            let said = self.kubectl(&["get", kinds, "-o", "wide"]).unwrap_or_else(|error| error.to_string());
            error.context(format!("it is {last:?}\n{said}{}", self.session.what_is_wrong(&self.namespace)))
        })
    }

    /// Where a pool's port is on loopback, plain.
    pub async fn endpoint(&self, pool: &str, port: u16) -> Result<SocketAddr> {
        self.session.forward(&self.namespace, &format!("{}-{pool}", self.name), port).await
    }

    /// Where a pool's port with TLS from the first octet is on loopback, plain.
    pub async fn endpoint_tls(&self, pool: &str, port: u16) -> Result<SocketAddr> {
        self.session.forward_tls(&self.namespace, &format!("{}-{pool}", self.name), port).await
    }
}

/// What a resource says of itself.
#[derive(Debug, Clone)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For programs.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Sends one message by SMTP as a server of somebody else would; an error unless it was acknowledged.
pub async fn send(address: SocketAddr, from: &str, to: &str, message: &[u8]) -> Result<()> {
    let mut smtp = Smtp::connect(&address.to_string()).await?;
    smtp.command(&format!("MAIL FROM:<{from}>")).await?.expect(250)?;
    smtp.command(&format!("RCPT TO:<{to}>")).await?.expect(250)?;
    smtp.command("DATA").await?.expect(354)?;
    let mut data = Vec::new();
    dot_stuffed(message, &mut data);
    smtp.wire.send(&data).await?;
    read_reply(&mut smtp.wire).await?.expect(250)?;
    let _ = smtp.command("QUIT").await;
    Ok(())
}

/// The subjects of a mailbox's INBOX.
pub async fn subjects(address: SocketAddr, user: &str, password: &str) -> Result<Vec<String>> {
    let mut imap = Imap::login(&address.to_string(), user, password).await?;
    if imap.select("INBOX").await?.exists == 0 {
        return Ok(Vec::new());
    }
    let answer = imap.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await?.ok()?;
    let mut subjects = Vec::new();
    for literal in answer.untagged.into_iter().flat_map(|response| response.literals) {
        let text = String::from_utf8_lossy(&literal).into_owned();
        subjects.extend(text.trim().strip_prefix("Subject: ").map(str::to_owned));
    }
    Ok(subjects)
}

/// The tag of the images of our programs.
pub const TAG: &str = "test";
/// Where the operator runs.
pub const OPERATOR_NAMESPACE: &str = "kontor-system";

const DATABASE_IMAGE: &str = "localhost/postgres:test";
const OBJECT_STORE_IMAGE: &str = "localhost/s3:test";
/// Octets, uncompressed.
const LARGEST_IMAGE: u64 = 60_000_000;
const LIMIT: Duration = Duration::from_secs(120);

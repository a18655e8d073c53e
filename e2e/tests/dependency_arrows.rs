//! The arrows of the architecture hold: who may depend on whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::binaries;
use kontor_e2e::process::output_of;
use serde_json::Value;

/// Crates by name, each with the names of what it depends on, dev- and build-dependencies left out.
struct Graph {
    direct: BTreeMap<String, BTreeSet<String>>,
    ours: BTreeSet<String>,
}

impl Graph {
    fn read() -> Result<Self> {
        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--format-version=1", "--locked", "--manifest-path"]);
        command.arg(binaries::workspace().join("Cargo.toml"));
        let output = output_of(command, Duration::from_secs(120))?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();

        let names: BTreeMap<String, String> =
            list(&metadata, "packages").iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let ours = list(&metadata, "workspace_members")
            .iter()
            .filter_map(|m| names.get(&text(m)).cloned())
            .collect();
        let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"], "nodes") {
            let name = names.get(&text(&node["id"])).context("a node without a package")?.clone();
            let found = direct.entry(name).or_default();
            for dependency in list(&node, "deps") {
                let normal = list(&dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
                if let (true, Some(name)) = (normal, names.get(&text(&dependency["pkg"]))) {
                    found.insert(name.clone());
                }
            }
        }
        Ok(Self { direct, ours })
    }

    /// All that `name` depends on, however far.
    fn all(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut queue = VecDeque::from([name.to_owned()]);
        while let Some(next) = queue.pop_front() {
            for dependency in self.direct.get(&next).into_iter().flatten() {
                if found.insert(dependency.clone()) {
                    queue.push_back(dependency.clone());
                }
            }
        }
        found
    }
}

const DATABASE: [&str; 6] = ["tokio-postgres", "postgres", "sqlx", "sqlx-core", "diesel", "rusqlite"];
const OBJECTS: [&str; 3] = ["object_store", "aws-sdk-s3", "rust-s3"];
const RUNTIMES: [&str; 4] = ["tokio", "async-std", "smol", "futures-executor"];
/// Gateways, each with the crate of its grammar where it has one of its own.
const GATEWAYS: [&[&str]; 5] = [
    &["kontor-smtp", "kontor-smtp-proto"],
    &["kontor-imap", "kontor-imap-proto"],
    &["kontor-pop3", "kontor-pop3-proto"],
    &["kontor-dav", "kontor-dav-proto"],
    &["kontor-ingress"],
];

#[test]
fn only_the_storage_node_knows_sql_or_s3() -> Result<()> {
    let graph = Graph::read()?;
    for name in &graph.ours {
        let direct = graph.direct.get(name).cloned().unwrap_or_default();
        for forbidden in DATABASE.iter().chain(&OBJECTS) {
            ensure!(
                name == "kontor-storage-node" || !direct.contains(*forbidden),
                "{name} depends on {forbidden}"
            );
        }
    }
    // What has no storage-node below it must not get there by any way round.
    for name in GATEWAYS.into_iter().flatten() {
        let all = graph.all(name);
        for forbidden in DATABASE.iter().chain(&OBJECTS).chain(&["kontor-storage-node"]) {
            ensure!(!all.contains(*forbidden), "{name} reaches {forbidden}");
        }
    }
    for name in [
        "kontor-storage-client",
        "kontor-process",
        "kontor-gateway-core",
        "kontor-gateway",
        "kontor-operator",
    ] {
        ensure!(!graph.all(name).contains("kontor-storage-node"), "{name} reaches kontor-storage-node");
    }
    Ok(())
}

#[test]
fn the_model_and_every_grammar_are_free_of_a_runtime() -> Result<()> {
    let graph = Graph::read()?;
    let mut checked = 0;
    for name in &graph.ours {
        if name == "kontor-model" || name.ends_with("-proto") {
            checked += 1;
            let all = graph.all(name);
            for runtime in RUNTIMES {
                ensure!(!all.contains(runtime), "{name} reaches {runtime}");
            }
        }
    }
    ensure!(checked >= 5, "only {checked} crates are called kontor-model or …-proto");
    Ok(())
}

#[test]
fn no_protocol_depends_on_another() -> Result<()> {
    let graph = Graph::read()?;
    for gateway in GATEWAYS {
        for name in gateway {
            ensure!(graph.ours.contains(*name), "{name} is gone; this test needs to know");
            let all = graph.all(name);
            for other in GATEWAYS.into_iter().flatten().filter(|other| !gateway.contains(other)) {
                ensure!(!all.contains(*other), "{name} reaches {other}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_model_stands_alone() -> Result<()> {
    let graph = Graph::read()?;
    for name in graph.all("kontor-model") {
        ensure!(!name.starts_with("kontor-"), "kontor-model reaches {name}");
    }
    Ok(())
}

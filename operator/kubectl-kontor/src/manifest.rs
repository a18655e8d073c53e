//! Manifests: what a file declares.

use anyhow::{Context, Result, bail};
use kontor_crds::GroupwareDeployment;
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// The GroupwareDeployments in a file, with every mistake in them told: an unknown field is one.
pub fn read(path: &Path) -> Result<Vec<GroupwareDeployment>> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        ("standard input".to_owned(), text)
    } else {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        (name, text)
    };
    let found = parse(&text).with_context(|| name.clone())?;
    if found.is_empty() {
        bail!("there is no GroupwareDeployment in {name}");
    }
    Ok(found)
}

fn parse(text: &str) -> Result<Vec<GroupwareDeployment>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    let mut found = Vec::new();
    for document in documents {
        if document.get("kind").and_then(Value::as_str) != Some("GroupwareDeployment") {
            continue;
        }
        let deployment = GroupwareDeployment::deserialize(&document).context("not a GroupwareDeployment")?;
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let understood = serde_json::to_value(&deployment.spec)?;
        if let Some(spec) = document.get("spec") {
            let mut unknown = Vec::new();
            compare(spec, &understood, "spec", &mut unknown);
            if let Some(first) = unknown.first() {
                bail!("GroupwareDeployment {name}: unknown field {first}");
            }
        }
        found.push(deployment);
    }
    Ok(found)
}

/// Fields that the type did not take up.
fn compare(given: &Value, understood: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => {
            for (key, value) in given {
                let path = format!("{path}.{key}");
                match understood.get(key) {
                    Some(other) => compare(value, other, &path, unknown),
                    // An empty value may be left out when it is written again.
                    None if is_empty(value) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(understood)) => {
            for (at, (value, other)) in given.iter().zip(understood).enumerate() {
                compare(value, other, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: &str = include_str!("../../../docs/examples/trial.yaml");

    #[test]
    fn other_kinds_are_passed_over() {
        let found = parse(TRIAL).expect("the example is right");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].metadata.name.as_deref(), Some("trial"));
    }

    #[test]
    fn a_misspelt_field_is_named() {
        let text = TRIAL.replace("      replicas: 1", "      replica: 1");
        let error = format!("{:#}", parse(&text).expect_err("replica is no field"));
        assert!(error.contains("spec.gateways[2].replica"), "{error}");
    }
}

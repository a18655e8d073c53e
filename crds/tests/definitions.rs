//! The definitions are what the files say, and every rule accepts what it must and rejects what it must.
//!
//! `tests/cases/<plural>/{accept,reject}-*.yaml` hold one object, or two: what was there before, and what is to come.
//! A `# says:` line is part of the message of a rejection. `e2e` puts the same files before a real API server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kube::core::cel::Validator;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_files_are_current() {
    for place in ["yaml", "../charts/kontor/files/crds"] {
        for crd in kontor_crds::definitions() {
            let path = folder(place).join(format!("{}.yaml", crd.spec.names.plural));
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            let wanted = kontor_crds::to_yaml(&crd).expect("yaml");
            assert!(there == wanted, "{} is old; run: cargo run -p kontor-crds --bin crdgen", path.display());
        }
    }
}

#[test]
fn the_yaml_says_what_the_definition_says() {
    for crd in kontor_crds::definitions() {
        let yaml = kontor_crds::to_yaml(&crd).expect("yaml");
        let read: Value = serde_saphyr::from_str(&yaml).expect("YAML");
        assert_eq!(read, serde_json::to_value(&crd).expect("JSON"), "{}", crd.spec.names.plural);
    }
}

/// What `kubectl explain` shows has no gaps, and bounds are where CEL needs them.
#[test]
fn every_field_of_ours_is_explained() {
    for crd in kontor_crds::definitions() {
        let plural = &crd.spec.names.plural;
        assert_eq!(crd.spec.names.categories.as_deref(), Some(&["groupware".to_owned()][..]), "{plural}");
        assert!(crd.spec.names.short_names.is_some(), "{plural}");
        let version = serde_json::to_value(&crd.spec.versions[0]).expect("JSON");
        assert!(version.pointer("/subresources/status").is_some(), "{plural}");
        let columns = version["additionalPrinterColumns"].to_string();
        for column in ["Ready", "Message", "Age"] {
            assert!(columns.contains(column), "{plural} has no column {column}");
        }
        let schema = version.pointer("/schema/openAPIV3Schema").expect("schema");
        for part in ["spec", "status"] {
            explained(&schema["properties"][part], &format!("{plural}.{part}"));
        }
        assert!(!schema.to_string().contains("\"nullable\":true"), "{plural} has nullable fields");
    }
}

fn explained(schema: &Value, path: &str) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        if let Some(items) = schema.get("items") {
            explained(items, &format!("{path}[]"));
        }
        return;
    };
    // Kubernetes' own types speak for themselves.
    for (name, property) in properties {
        let path = format!("{path}.{name}");
        let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
        assert!(
            !text.is_empty() || path.contains("ffinity") || path.contains("behavior"),
            "{path} is not explained"
        );
        explained(property, &path);
    }
}

#[test]
fn rules_accept_and_reject() {
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for crd in kontor_crds::definitions() {
        let plural = crd.spec.names.plural.clone();
        let schema = serde_json::to_value(
            crd.spec.versions[0].schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref()).expect("schema"),
        )
        .expect("JSON");
        let Ok(cases) = std::fs::read_dir(folder("tests/cases").join(&plural)) else { continue };
        for case in cases {
            let path = case.expect("case").path();
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("case");
            let documents: Vec<Value> =
                text.split("\n---\n").map(|d| serde_saphyr::from_str(d).expect(&name)).collect();
            let (old, new) = match documents.as_slice() {
                [new] => (None, new),
                [old, new] => (Some(old), new),
                _ => panic!("{name}: one or two documents"),
            };
            if let Some(old) = old {
                Validator::new()
                    .validate(&schema, old, None)
                    .unwrap_or_else(|e| panic!("{plural}/{name}: {e:?}"));
            }
            let outcome = Validator::new().validate(&schema, new, old);
            let count = seen.entry(plural.clone()).or_default();
            if name.starts_with("accept-") {
                count.0 += 1;
                outcome.unwrap_or_else(|e| panic!("{plural}/{name}: {e:?}"));
            } else {
                count.1 += 1;
                let says = text.lines().find_map(|l| l.strip_prefix("# says: ")).expect(&name);
                let errors = match outcome {
                    Ok(()) => panic!("{plural}/{name} is accepted"),
                    Err(errors) => format!("{errors:?}"),
                };
                assert!(errors.contains(says), "{plural}/{name}: {errors}");
            }
        }
    }
    for plural in ["tenants", "maildomains", "mailboxes", "distributiongroups", "resourcemailboxes"] {
        let (accepted, rejected) = seen.get(plural).copied().unwrap_or_default();
        assert!(accepted > 1 && rejected > 1, "{plural}: {accepted} accepted, {rejected} rejected");
    }
}

/// Each message of a rule of ours is provoked by a case.
#[test]
fn every_rule_has_a_case() {
    let mut messages = Vec::new();
    for crd in kontor_crds::definitions() {
        let plural = crd.spec.names.plural.clone();
        if plural == "groupwaredeployments" {
            continue;
        }
        let says: Vec<String> = std::fs::read_dir(folder("tests/cases").join(&plural))
            .expect("cases")
            .filter_map(|c| std::fs::read_to_string(c.expect("case").path()).ok())
            .filter_map(|t| t.lines().find_map(|l| l.strip_prefix("# says: ").map(str::to_owned)))
            .collect();
        collect(&serde_json::to_value(&crd).expect("JSON"), &mut messages);
        for message in messages.drain(..) {
            // A rule that came along from Kubernetes or is the same as elsewhere has its case there.
            let own = says.iter().any(|s| message.contains(s.as_str()));
            let shared =
                ["a size in octets", "a mail address", "issueWarning", "retentionDays", "a domain name"]
                    .iter()
                    .any(|s| message.starts_with(s) || message.contains(s));
            assert!(own || shared, "{plural}: no case is rejected with {message:?}");
        }
    }
}

fn collect(value: &Value, messages: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(rules) = map.get("x-kubernetes-validations").and_then(Value::as_array) {
                messages.extend(rules.iter().filter_map(|r| r["message"].as_str().map(str::to_owned)));
            }
            map.values().for_each(|v| collect(v, messages));
        }
        Value::Array(values) => values.iter().for_each(|v| collect(v, messages)),
        _ => {}
    }
}

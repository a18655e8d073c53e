//! Manifests in `deployments/` go through the real validation and the real building; what comes out is compared with
//! the objects in `snapshots/`, and with what must hold of every object.

use kontor_crds::groupware_deployment::GroupwareDeployment;
use kontor_operator::apis::Optional;
use kontor_operator::apply::{Object, differences, hash};
use kontor_operator::authority;
use kontor_operator::deployment::dereference::{References, SecretData};
use kontor_operator::deployment::validate::{Invalid, Valid, validate};
use kontor_operator::deployment::{Material, Stage, build, material};
use kube::core::ApiResource;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn deployment(name: &str) -> GroupwareDeployment {
    let path = format!("{}/tests/deployments/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a manifest");
    serde_saphyr::from_str(&text).expect("a GroupwareDeployment")
}

/// Everything that the manifests name.
fn references() -> References {
    let now = jiff::Timestamp::from_second(1_800_000_000).expect("in range");
    let outside = authority::found("outside", now).expect("a certificate");
    let secret = |pairs: &[(&str, &str)]| {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        SecretData(data.collect())
    };
    let secrets = BTreeMap::from([
        ("database".to_owned(), secret(&[("url", "postgres://kontor:x@db/kontor")])),
        ("s3".to_owned(), secret(&[("accessKey", "a"), ("secretKey", "b")])),
        ("relay".to_owned(), secret(&[("username", "a"), ("password", "b")])),
        ("outside".to_owned(), secret(&[("tls.crt", &outside.certificate), ("tls.key", &outside.key)])),
    ]);
    let apis = Optional::ALL.iter().map(|api| {
        let (group, kind) = api.group_kind();
        let resource = ApiResource {
            group: group.into(),
            version: "v1".into(),
            api_version: format!("{group}/v1"),
            kind: kind.into(),
            plural: format!("{}s", kind.to_lowercase()),
        };
        (*api, resource)
    });
    References { secrets, apis: Arc::new(apis.collect()), postgres: None }
}

fn valid(name: &str) -> Valid {
    validate(&deployment(name), &references()).expect("valid")
}

/// The names of what is generated are the real ones, the contents always the same.
fn fixed_material(valid: &Valid) -> Material {
    let now = jiff::Timestamp::from_second(1_800_000_000).expect("in range");
    let mut material =
        material::complete(valid, &BTreeMap::new(), now, &mut |octets| vec![7; octets]).expect("material");
    for data in material.secrets.values_mut() {
        for (key, value) in &mut data.0 {
            *value = key.clone().into_bytes();
        }
    }
    material
}

fn built(name: &str) -> Vec<Object> {
    let valid = valid(name);
    let stage = Stage::complete(&valid.spec.image.tag);
    build(&valid, &fixed_material(&valid), &stage).objects
}

fn yaml(objects: &[Object]) -> String {
    let documents = objects.iter().map(|object| serde_saphyr::to_string(&object.value).expect("YAML"));
    documents.collect::<Vec<_>>().join("---\n")
}

const ALL: &[&str] = &["trial", "production", "routes", "ingress", "dav", "proxied"];

#[test]
fn manifests_become_these_objects() {
    for name in ALL {
        insta::assert_snapshot!(*name, yaml(&built(name)));
    }
}

#[test]
fn building_is_deterministic_and_an_applied_object_has_no_difference() {
    for name in ALL {
        let (one, another) = (built(name), built(name));
        assert_eq!(one.len(), another.len());
        for (one, another) in one.iter().zip(&another) {
            assert_eq!(hash(&one.value), hash(&another.value), "{name} {}", one.key());
            assert!(differences(&one.value, &another.value).is_empty());
        }
    }
}

#[test]
fn every_object_has_a_name_a_namespace_labels_and_an_owner() {
    for name in ALL {
        let mut seen = BTreeSet::new();
        for object in built(name) {
            let (key, meta) = (object.key(), object.value.get("metadata").expect("metadata"));
            assert!(seen.insert(key.clone()), "{name}: {key} twice");
            assert!(key.name.len() <= 63, "{key}");
            assert_eq!(key.namespace, "mail", "{key}");
            let label = |label: &str| meta.pointer(&format!("/labels/app.kubernetes.io~1{label}"));
            assert_eq!(label("managed-by").and_then(Value::as_str), Some("kontor-operator"), "{key}");
            assert_eq!(label("instance").and_then(Value::as_str), Some("acme"), "{key}");
            // Credentials of a database that is retained stay with it.
            let retained =
                key.kind == "Secret" && matches!(key.name.as_str(), "acme-database" | "acme-object-store");
            let owner = meta.pointer("/ownerReferences/0/uid").and_then(Value::as_str);
            assert_eq!(owner.is_some(), !retained, "{name}: {key}");
        }
    }
}

#[test]
fn every_pod_is_restricted() {
    for name in ALL {
        let mut pods = 0;
        for object in built(name) {
            let Some(pod) = object.value.pointer("/spec/template/spec") else { continue };
            pods += 1;
            let key = object.key();
            let is = |path: &str, value: Value| assert_eq!(pod.pointer(path), Some(&value), "{key} {path}");
            is("/automountServiceAccountToken", false.into());
            is("/securityContext/runAsNonRoot", true.into());
            is("/securityContext/seccompProfile/type", "RuntimeDefault".into());
            is("/containers/0/securityContext/allowPrivilegeEscalation", false.into());
            is("/containers/0/securityContext/readOnlyRootFilesystem", true.into());
            is("/containers/0/securityContext/capabilities/drop/0", "ALL".into());
            assert!(pod.get("hostNetwork").is_none(), "{key}");
        }
        assert!(pods >= 3, "{name}");
    }
}

#[test]
fn every_selector_of_a_service_finds_a_pod_with_its_ports() {
    for name in ALL {
        let objects = built(name);
        let templates: Vec<_> = objects.iter().filter_map(|o| o.value.pointer("/spec/template")).collect();
        for service in objects.iter().filter(|object| object.kind() == "Service") {
            let selector =
                service.value.pointer("/spec/selector").and_then(Value::as_object).expect("a selector");
            let found = templates.iter().find(|template| {
                selector.iter().all(|(key, value)| {
                    template.pointer("/metadata/labels").and_then(|l| l.get(key)) == Some(value)
                })
            });
            let ports = found.and_then(|t| t.pointer("/spec/containers/0/ports")).and_then(Value::as_array);
            let ports = ports.unwrap_or_else(|| panic!("{}: no pod", service.key()));
            for port in service.value.pointer("/spec/ports").and_then(Value::as_array).expect("ports") {
                let target = port.get("targetPort");
                assert!(ports.iter().any(|p| p.get("name") == target), "{}: {target:?}", service.key());
            }
        }
    }
}

#[test]
fn every_volume_is_mounted_and_every_secret_exists() {
    for name in ALL {
        let objects = built(name);
        let made: BTreeSet<_> = objects
            .iter()
            .filter(|o| matches!(o.kind(), "Secret" | "ConfigMap"))
            .map(|o| o.name().to_owned())
            .collect();
        let given = references().secrets;
        for object in &objects {
            let Some(pod) = object.value.pointer("/spec/template/spec") else { continue };
            for volume in pod.get("volumes").and_then(Value::as_array).expect("volumes") {
                let refers = [volume.pointer("/secret/secretName"), volume.pointer("/configMap/name")];
                for refers in refers.into_iter().flatten().filter_map(Value::as_str) {
                    assert!(
                        made.contains(refers) || given.contains_key(refers),
                        "{}: {refers}",
                        object.key()
                    );
                }
                let mounts =
                    pod.pointer("/containers/0/volumeMounts").and_then(Value::as_array).expect("mounts");
                assert!(
                    mounts.iter().any(|m| m.get("name") == volume.get("name")),
                    "{}: {volume}",
                    object.key()
                );
            }
        }
    }
}

#[test]
fn no_replicas_where_the_autoscaler_decides() {
    for object in built("production").iter().filter(|object| object.kind() == "Deployment") {
        let scaled = matches!(object.name(), "acme-read" | "acme-storage-node");
        assert_eq!(object.value.pointer("/spec/replicas").is_none(), scaled, "{}", object.name());
    }
}

#[test]
fn an_ingress_alone_is_exposed_and_holds_no_keys() {
    let objects = built("ingress");
    let exposed = objects.iter().filter(|o| o.value.pointer("/spec/type") == Some(&"LoadBalancer".into()));
    assert_eq!(exposed.map(Object::name).collect::<Vec<_>>(), ["acme-ingress-external"]);
    let pods = objects.iter().find(|o| o.kind() == "Deployment" && o.name() == "acme-ingress").expect("pods");
    let volumes = pods.value.pointer("/spec/template/spec/volumes").expect("volumes").to_string();
    assert!(!volumes.contains("secret"), "{volumes}");
    assert!(objects.iter().all(|o| o.name() != "acme-ingress-tls"));
}

/// The data of `gateway.toml` of a pool.
fn configuration(objects: &[Object], pool: &str) -> toml::Table {
    let map = objects.iter().find(|o| o.kind() == "ConfigMap" && o.name() == pool).expect("a ConfigMap");
    let text = map.value.pointer("/data/gateway.toml").and_then(Value::as_str).expect("a file");
    text.parse().expect("TOML")
}

#[test]
fn an_ingress_ends_the_tls_of_http_and_leads_on_to_where_only_it_is_believed() {
    let objects = built("dav");
    let exposed: Vec<_> =
        objects.iter().filter(|o| o.value.pointer("/spec/type") == Some(&"LoadBalancer".into())).collect();
    let [service] = exposed.as_slice() else { panic!("{} are exposed", exposed.len()) };
    let ports = service.value.pointer("/spec/ports").and_then(Value::as_array).expect("ports");
    let ports: Vec<_> = ports.iter().filter_map(|port| port.get("port")?.as_i64()).collect();
    assert_eq!(ports, [143, 993, 80, 443]);
    let ingress = configuration(&objects, "acme-ingress");
    let upstream = &ingress["ingress"]["upstreams"]["dav"];
    assert_eq!(upstream["dns"].as_str(), Some("acme-dav-headless.mail.svc:18080"));
    assert_eq!(ingress["listen"]["https"]["forwarded_from"][0].as_str(), Some("192.0.2.0/24"));
    assert!(ingress.get("store").is_none(), "it asks the storage nodes nothing");
    let listen = &configuration(&objects, "acme-dav")["listen"]["dav"];
    assert_eq!(listen[0]["bind"].as_str(), Some("0.0.0.0:8080"));
    assert_eq!(listen[1]["bind"].as_str(), Some("0.0.0.0:18080"));
    assert_eq!(listen[1]["forwarded_from"].as_array().map(Vec::len), Some(2));
    assert!(listen[1].get("proxy_from").is_none(), "requests of many share a connection");
    let policy = objects.iter().find(|o| o.kind() == "NetworkPolicy" && o.name() == "acme-dav");
    let rules = policy.and_then(|policy| policy.value.pointer("/spec/ingress")).expect("rules");
    let behind = rules.as_array().into_iter().flatten().find(|rule| rule.to_string().contains("18080"));
    assert!(behind.expect("a rule")["from"].to_string().contains("\"ingress\""), "{rules}");
}

#[test]
fn http_goes_by_an_ingress_controller_and_the_rest_as_it_did() {
    let objects = built("proxied");
    let ingress = objects.iter().find(|object| object.kind() == "Ingress").expect("an Ingress");
    let annotation = |key: &str| ingress.value["metadata"]["annotations"][key].as_str().map(str::to_owned);
    assert_eq!(annotation("nginx.ingress.kubernetes.io/proxy-body-size").as_deref(), Some("0"));
    assert_eq!(annotation("nginx.ingress.kubernetes.io/proxy-read-timeout").as_deref(), Some("900"));
    let paths = ingress.value.pointer("/spec/rules/0/http/paths").and_then(Value::as_array).expect("paths");
    let paths: Vec<_> = paths.iter().filter_map(|path| path["path"].as_str()).collect();
    assert_eq!(paths, ["/dav", "/.well-known/caldav", "/.well-known/carddav", "/principals"]);
    let balanced = objects.iter().filter(|o| o.value.pointer("/spec/type") == Some(&"LoadBalancer".into()));
    assert_eq!(balanced.map(Object::name).collect::<Vec<_>>(), ["acme-read-external"]);
}

#[test]
fn lmtp_never_goes_outside() {
    for name in ["production", "routes", "ingress"] {
        for object in built(name) {
            let outside = object.value.pointer("/spec/type") == Some(&"LoadBalancer".into())
                || matches!(object.kind(), "TCPRoute" | "TLSRoute" | "HTTPRoute");
            assert!(!(outside && object.value.to_string().contains("lmtp")), "{}", object.key());
        }
    }
}

#[test]
fn before_the_schema_there_is_no_workload() {
    let valid = valid("trial");
    let stage = Stage { dependencies: true, ..Stage::default() };
    let objects = build(&valid, &fixed_material(&valid), &stage).objects;
    assert!(objects.iter().any(|object| object.kind() == "Job"));
    assert!(objects.iter().all(|object| object.kind() != "Deployment"));
}

#[test]
fn what_was_made_up_is_kept() {
    let valid = valid("trial");
    let now = jiff::Timestamp::from_second(1_800_000_000).expect("in range");
    let first = material::complete(&valid, &BTreeMap::new(), now, &mut |n| vec![1; n]).expect("material");
    let later = now + jiff::SignedDuration::from_hours(24 * 30);
    let second = material::complete(&valid, &first.secrets, later, &mut |n| vec![2; n]).expect("material");
    assert_eq!(first.secrets, second.secrets);
    let much_later = now + jiff::SignedDuration::from_hours(24 * 300);
    let third =
        material::complete(&valid, &first.secrets, much_later, &mut |n| vec![3; n]).expect("material");
    assert_eq!(first.secrets.get("acme-ca"), third.secrets.get("acme-ca"), "the authority stays");
    assert_eq!(first.secrets.get("acme-database"), third.secrets.get("acme-database"), "passwords stay");
    assert_ne!(first.secrets.get("acme-read-tls"), third.secrets.get("acme-read-tls"), "leaves are renewed");
}

fn refused(name: &str, change: impl FnOnce(&mut References)) -> Invalid {
    let mut references = references();
    change(&mut references);
    validate(&deployment(name), &references).expect_err("refused")
}

#[test]
fn what_is_missing_is_named() {
    let missing = refused("production", |references| drop(references.secrets.remove("database")));
    assert_eq!(missing.reason, "RefNotFound");
    assert!(
        missing.message.contains("urlSecretRef") && missing.message.contains("Secret database"),
        "{missing}"
    );
    let empty = refused("production", |references| {
        drop(references.secrets.insert("s3".into(), SecretData::default()))
    });
    assert_eq!(empty.reason, "InvalidSecret");
    assert!(empty.message.contains("accessKey"), "{empty}");
    let url = refused("production", |references| {
        let data = BTreeMap::from([("url".to_owned(), b"mysql://x".to_vec())]);
        references.secrets.insert("database".into(), SecretData(data));
    });
    assert_eq!(url.reason, "InvalidSecret");
    let no_certificate = refused("production", |references| {
        let data =
            BTreeMap::from([("tls.crt".to_owned(), b"x".to_vec()), ("tls.key".to_owned(), b"x".to_vec())]);
        references.secrets.insert("outside".into(), SecretData(data));
    });
    assert_eq!(no_certificate.reason, "InvalidSecret");
}

#[test]
fn a_missing_optional_api_is_a_finding_and_not_a_refusal() {
    let mut references = references();
    references.apis = Arc::default();
    let valid = validate(&deployment("routes"), &references).expect("valid all the same");
    let found: Vec<_> = valid.findings.iter().map(|finding| (finding.type_, finding.reason)).collect();
    assert_eq!(found, [("CertificatesReady", "CRDMissing"), ("RoutesAccepted", "CRDMissing")]);
    let objects = build(&valid, &fixed_material(&valid), &Stage::complete("0.1.0")).objects;
    assert!(objects.iter().all(|object| !object.resource.group.contains("cert-manager")));
}

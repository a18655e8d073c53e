//! Accept and reject, for every rule.

use super::*;
use serde_json::{Value, json};

const SMALLEST: &str = "
apiVersion: kontor.dev/v1alpha1
kind: GroupwareDeployment
metadata: {name: groupware, namespace: mail}
spec:
  image: {tag: '0.1.0'}
  gateways:
  - {name: smtp, protocols: [SMTP, Submission, LMTP]}
  - {name: imap, protocols: [IMAP]}
  storage: {embedded: {}}
";

fn smallest() -> Value {
    serde_saphyr::from_str(SMALLEST).expect("YAML")
}

/// The smallest one with a value put somewhere.
fn with(changes: &[(&str, Value)]) -> GroupwareDeployment {
    let mut value = smallest();
    for (path, change) in changes {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        match value.pointer_mut(parent).expect("a parent") {
            Value::Object(map) => {
                if change.is_null() {
                    map.remove(name);
                } else {
                    map.insert(name.to_owned(), change.clone());
                }
            }
            Value::Array(list) => list.push(change.clone()),
            other => panic!("{parent} is {other}"),
        }
    }
    serde_json::from_value(value).expect("a GroupwareDeployment")
}

fn accepts(changes: &[(&str, Value)]) {
    // Fragments have their own rules; all of them are asked.
    if let Err(error) = check(&with(changes)) {
        panic!("{changes:?}: {error}");
    }
}

fn rejects(changes: &[(&str, Value)], part: &str) {
    let error = check(&with(changes)).expect_err(part);
    assert!(error.contains(part), "{changes:?}: {error}");
}

fn check(object: &GroupwareDeployment) -> Result<(), String> {
    object.validate_cel().map_err(|errors| format!("{errors:?}"))
}

fn check_update(new: &GroupwareDeployment, old: &GroupwareDeployment) -> Result<(), String> {
    new.validate_cel_update(old).map_err(|errors| format!("{errors:?}"))
}

#[test]
fn the_smallest_one_is_complete() {
    let deployment = with(&[]);
    check(&deployment).expect("valid");
    assert!(deployment.spec.deletion_protection);
    assert_eq!(deployment.spec.deletion_policy, DeletionPolicy::Retain);
    assert_eq!(deployment.spec.gateways[0].wanted(), 2);
    assert_eq!(deployment.spec.network.exposure.type_, ExposureType::ClusterIP);
}

#[test]
fn a_protocol_belongs_to_one_pool_and_a_name_to_one() {
    rejects(
        &[("/spec/gateways/-", json!({"name": "more", "protocols": ["IMAP"]}))],
        "a protocol belongs to one pool",
    );
    rejects(&[("/spec/gateways/-", json!({"name": "imap", "protocols": ["POP3"]}))], "pool names differ");
    accepts(&[("/spec/gateways/-", json!({"name": "pop3", "protocols": ["POP3"]}))]);
    rejects(
        &[("/spec/gateways/-", json!({"name": "storage-node", "protocols": ["POP3"]}))],
        "used for something else",
    );
}

#[test]
fn an_ingress_serves_nothing_else() {
    accepts(&[("/spec/gateways/-", json!({"name": "ingress", "protocols": ["Ingress"]}))]);
    rejects(
        &[("/spec/gateways/-", json!({"name": "ingress", "protocols": ["Ingress", "POP3"]}))],
        "serves nothing else",
    );
}

#[test]
fn http_goes_by_an_ingress_or_by_a_gateway() {
    let dav = (
        "/spec/gateways/-",
        json!({"name": "dav", "protocols": ["DAV"], "config": {"dav": {"maxItemBytes": 65536}}}),
    );
    let network = |exposure: serde_json::Value| ("/spec/network", json!({"exposure": exposure}));
    accepts(&[dav.clone(), network(json!({"ingress": {"className": "nginx", "hosts": ["a.example.org"]}}))]);
    accepts(&[dav.clone(), network(json!({"type": "LoadBalancer", "ingress": {}}))]);
    rejects(
        &[
            dav,
            network(json!({"type": "Gateway", "gateway": {"parentRefs": [{"name": "a"}]}, "ingress": {}})),
        ],
        "HTTPRoutes",
    );
    let trusted = |cidr: &str| json!({"forwardedHeaders": {"trustedCIDRs": [cidr]}});
    accepts(&[("/spec/network", trusted("10.0.0.0/8"))]);
    rejects(&[("/spec/network", trusted("10.0.0.300"))], "forwardedHeaders");
}

#[test]
fn names_of_children_have_room() {
    accepts(&[("/metadata/name", json!("a".repeat(40)))]);
    rejects(&[("/metadata/name", json!("a".repeat(41)))], "at most 40");
}

#[test]
fn replicas_and_autoscaling_exclude_each_other() {
    let autoscaling = json!({"maxReplicas": 5});
    accepts(&[("/spec/gateways/1/autoscaling", autoscaling.clone())]);
    accepts(&[("/spec/gateways/1/replicas", json!(3))]);
    rejects(
        &[("/spec/gateways/1/replicas", json!(3)), ("/spec/gateways/1/autoscaling", autoscaling.clone())],
        "replicas or autoscaling",
    );
    rejects(
        &[("/spec/gateways/1/autoscaling", json!({"minReplicas": 6, "maxReplicas": 5}))],
        "more than maxReplicas",
    );
    accepts(&[("/spec/storage/nodes", json!({"autoscaling": autoscaling}))]);
    rejects(
        &[("/spec/storage/nodes", json!({"replicas": 1, "autoscaling": {"maxReplicas": 5}}))],
        "replicas or autoscaling",
    );
}

#[test]
fn a_pod_has_time_left_after_its_delay() {
    let drain = |delay: i32, grace: i32| json!({"preStopDelaySeconds": delay, "gracePeriodSeconds": grace});
    accepts(&[("/spec/gateways/1/drain", drain(10, 60))]);
    rejects(&[("/spec/gateways/1/drain", drain(60, 60))], "must be less than");
}

#[test]
fn a_disruption_budget_says_one_thing() {
    let path = "/spec/gateways/1/podDisruptionBudget";
    accepts(&[(path, json!({"maxUnavailable": 1}))]);
    rejects(&[(path, json!({}))], "one of minAvailable");
    rejects(&[(path, json!({"maxUnavailable": 1, "minAvailable": "50%"}))], "one of minAvailable");
}

#[test]
fn storage_is_embedded_or_somewhere_else() {
    let database = json!({"external": {"urlSecretRef": {"name": "db", "key": "url"}}});
    let store = json!({"bucket": "mail", "credentialsSecretRef": {"name": "s3"}});
    let own = [
        ("/spec/storage/embedded", Value::Null),
        ("/spec/storage/database", database.clone()),
        ("/spec/storage/objectStore", store.clone()),
    ];
    accepts(&own);
    rejects(&own[..2], "either embedded, or database and objectStore");
    rejects(&own[1..], "either embedded, or database and objectStore");
    let both = json!({"external": {"urlSecretRef": {"name": "db", "key": "url"}}, "cloudNativePG": {"clusterRef": {"name": "x"}}});
    rejects(
        &[own[0].clone(), ("/spec/storage/database", both), own[2].clone()],
        "one of external and cloudNativePG",
    );
}

#[test]
fn bodies_stay_where_they_are() {
    let own = |bucket: &str, region: &str| {
        with(&[
            ("/spec/storage/embedded", Value::Null),
            ("/spec/storage/database", json!({"external": {"urlSecretRef": {"name": "db", "key": "url"}}})),
            (
                "/spec/storage/objectStore",
                json!({"bucket": bucket, "region": region, "credentialsSecretRef": {"name": "s3"}}),
            ),
        ])
    };
    check_update(&own("mail", "b"), &own("mail", "a")).expect("another region is fine");
    let error = check_update(&own("other", "a"), &own("mail", "a")).expect_err("another bucket");
    assert!(error.contains("cannot change"), "{error}");
}

#[test]
fn exposure_has_what_its_type_needs_and_nothing_else() {
    let path = "/spec/network";
    let of = |exposure: Value| json!({"exposure": exposure});
    accepts(&[(path, of(json!({"type": "Gateway", "gateway": {"parentRefs": [{"name": "mail"}]}})))]);
    rejects(&[(path, of(json!({"type": "Gateway"})))], "gateway goes with");
    rejects(
        &[(path, of(json!({"type": "ClusterIP", "gateway": {"parentRefs": [{"name": "mail"}]}})))],
        "gateway goes with",
    );
    accepts(&[(path, of(json!({"type": "LoadBalancer", "loadBalancer": {"sourceRanges": ["10.0.0.0/8"]}})))]);
    rejects(&[(path, of(json!({"type": "ClusterIP", "loadBalancer": {}})))], "loadBalancer goes with");
    rejects(
        &[(path, of(json!({"type": "LoadBalancer", "loadBalancer": {"sourceRanges": ["ten"]}})))],
        "networks such as",
    );
}

#[test]
fn the_proxy_protocol_needs_somebody_to_trust() {
    let path = "/spec/network";
    let of = |proxy: Value| json!({"proxyProtocol": proxy});
    accepts(&[(path, of(json!({"mode": "Enabled", "trustedCIDRs": ["10.0.0.0/8", "fd00::/8"]})))]);
    rejects(&[(path, of(json!({"mode": "Enabled"})))], "where the balancers are");
    rejects(&[(path, of(json!({"mode": "Enabled", "trustedCIDRs": ["10.0.0"]})))], "networks such as");
}

#[test]
fn the_certificate_comes_from_one_place() {
    accepts(&[("/spec/tls", json!({"secretRef": {"name": "cert"}}))]);
    accepts(&[("/spec/tls", json!({"selfSigned": {"dnsNames": ["mail.example.org"]}}))]);
    rejects(&[("/spec/tls", json!({"secretRef": {"name": "cert"}, "selfSigned": {}}))], "one of certManager");
}

#[test]
fn consent_by_label_names_labels() {
    let path = "/spec/directory";
    let of = |allowed: Value| json!({"allowedNamespaces": allowed});
    accepts(&[(path, of(json!({"from": "All"})))]);
    accepts(&[(path, of(json!({"from": "Selector", "selector": {"matchLabels": {"a": "b"}}})))]);
    rejects(&[(path, of(json!({"from": "Selector"})))], "selector goes with");
    rejects(&[(path, of(json!({"from": "All", "selector": {}})))], "selector goes with");
}

#[test]
fn a_rollout_can_move() {
    accepts(&[("/spec/upgrade", json!({"maxSurge": 0, "maxUnavailable": 1}))]);
    rejects(&[("/spec/upgrade", json!({"maxSurge": 0, "maxUnavailable": 0}))], "cannot both be 0");
}

#[test]
fn data_goes_only_after_protection_went() {
    let of = |policy: &str, protection: bool| {
        with(&[("/spec/deletionPolicy", json!(policy)), ("/spec/deletionProtection", json!(protection))])
    };
    check_update(&of("Delete", false), &of("Retain", true)).expect("both at once");
    let error = check_update(&of("Delete", true), &of("Retain", true)).expect_err("protected");
    assert!(error.contains("set deletionProtection to false"), "{error}");
}

//! NetworkPolicies: storage is reached by those who need it, gateways by everybody on their ports.

use crate::children::{INSTANCE, OPERATOR};
use crate::deployment::names::{COMPONENT, DATABASE, MIGRATE, OBJECT_STORE, STORAGE_NODE};
use crate::deployment::routes::{self, MONITOR};
use crate::deployment::validate::Valid;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::NetworkPolicyMode;
use std::collections::BTreeMap;

/// One for each component, unless they are disabled.
pub fn build(valid: &Valid) -> Vec<NetworkPolicy> {
    if valid.spec.network.network_policy == NetworkPolicyMode::Disabled {
        return Vec::new();
    }
    let ingress = routes::ingress(&valid.spec);
    let store_clients = valid.spec.gateways.iter().filter(|pool| !routes::is_ingress(pool));
    let pools: Vec<_> = store_clients.map(|pool| pool.name.clone()).collect();
    let mut clients = vec![of_components(valid, &pools)];
    clients.push(operator());
    let mut policies =
        vec![policy(valid, STORAGE_NODE, vec![rule(Some(clients), &[crate::storage::PORT]), metrics()])];
    for pool in &valid.spec.gateways {
        let endpoints = routes::of_pool(&valid.spec, pool);
        // A proxy of HTTP may be a pod or on a node's own network.
        let proxied = routes::is_http_proxied(&valid.spec);
        let (inside, outside): (Vec<_>, Vec<_>) =
            endpoints.iter().partition(|endpoint| endpoint.inside && !(endpoint.http && proxied));
        let ports =
            |of: &[&routes::Endpoint]| of.iter().map(|endpoint| endpoint.pod_port).collect::<Vec<_>>();
        let mut rules = vec![metrics()];
        if !outside.is_empty() {
            rules.push(rule(None, &ports(&outside)));
        }
        let behind: Vec<_> = endpoints.iter().filter_map(routes::Endpoint::behind_ingress).collect();
        if let Some(ingress) = ingress.filter(|ingress| ingress.name != pool.name && !behind.is_empty()) {
            rules.push(rule(Some(vec![of_components(valid, std::slice::from_ref(&ingress.name))]), &behind));
        }
        if !inside.is_empty() {
            rules.push(rule(Some(vec![any_pod()]), &ports(&inside)));
        }
        policies.push(policy(valid, &pool.name, rules));
    }
    if valid.embedded().is_some() {
        let storage = || Some(vec![of_components(valid, &[STORAGE_NODE.to_owned(), MIGRATE.to_owned()])]);
        policies.push(policy(valid, DATABASE, vec![rule(storage(), &[5432])]));
        policies.push(policy(valid, OBJECT_STORE, vec![rule(storage(), &[3900])]));
    }
    policies
}

fn policy(valid: &Valid, component: &str, ingress: Vec<NetworkPolicyIngressRule>) -> NetworkPolicy {
    NetworkPolicy {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(valid.identity.selector(component)),
            policy_types: Some(vec!["Ingress".into()]),
            ingress: Some(ingress),
            egress: None,
        }),
    }
}

fn rule(from: Option<Vec<NetworkPolicyPeer>>, ports: &[i32]) -> NetworkPolicyIngressRule {
    let ports = ports.iter().map(|port| NetworkPolicyPort {
        port: Some(IntOrString::Int(*port)),
        protocol: Some("TCP".into()),
        end_port: None,
    });
    NetworkPolicyIngressRule { from, ports: Some(ports.collect()) }
}

/// Metrics are for whoever scrapes in this cluster.
fn metrics() -> NetworkPolicyIngressRule {
    rule(Some(vec![any_pod()]), &[MONITOR])
}

fn any_pod() -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() }
}

fn operator() -> NetworkPolicyPeer {
    let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), OPERATOR.to_owned())]);
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(LabelSelector { match_labels: Some(labels), match_expressions: None }),
        ip_block: None,
    }
}

fn of_components(valid: &Valid, components: &[String]) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(INSTANCE.to_owned(), valid.identity.name.clone())])),
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: COMPONENT.into(),
                operator: "In".into(),
                values: Some(components.to_vec()),
            }]),
        }),
        ..NetworkPolicyPeer::default()
    }
}

//! The Ingress that leads HTTP to the pools, when an ingress controller is to do it.

use crate::deployment::material::server_secret;
use crate::deployment::names::SHARED;
use crate::deployment::routes;
use crate::deployment::validate::Valid;
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use kontor_crds::groupware_deployment::GatewayPool;
use std::collections::BTreeMap;

/// One for all pools, when it is asked for and there is something to lead to.
pub fn build(valid: &Valid) -> Option<Ingress> {
    let wish = valid.spec.network.exposure.ingress.as_ref()?;
    let paths: Vec<_> = routes::http_pools(&valid.spec)
        .flat_map(|(pool, paths)| paths.into_iter().map(move |path| (pool, path)))
        .map(|(pool, path)| leads(valid, pool, path))
        .collect();
    if paths.is_empty() {
        return None;
    }
    let hosts: &[String] = if wish.hosts.is_empty() { valid.spec.tls.dns_names() } else { &wish.hosts };
    let rule = |host: Option<String>| IngressRule {
        host,
        http: Some(HTTPIngressRuleValue { paths: paths.clone() }),
    };
    let rules = match hosts {
        [] => vec![rule(None)],
        hosts => hosts.iter().map(|host| rule(Some(host.clone()))).collect(),
    };
    let mut metadata = valid.identity.meta(&name(valid), SHARED);
    let defaults = ANNOTATIONS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut annotations: BTreeMap<_, _> = defaults.collect();
    annotations.extend(wish.annotations.clone());
    metadata.annotations = Some(annotations);
    Some(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: wish.class_name.clone(),
            tls: Some(vec![IngressTLS {
                hosts: (!hosts.is_empty()).then(|| hosts.to_vec()),
                secret_name: Some(valid.certificate_secret.clone().unwrap_or_else(|| server_secret(valid))),
            }]),
            rules: Some(rules),
            default_backend: None,
        }),
        status: None,
    })
}

/// Its name.
pub fn name(valid: &Valid) -> String {
    valid.identity.child("http")
}

fn leads(valid: &Valid, pool: &GatewayPool, path: &str) -> HTTPIngressPath {
    HTTPIngressPath {
        path: Some(path.to_owned()),
        path_type: "Prefix".into(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: valid.identity.child(&pool.name),
                port: Some(ServiceBackendPort { name: Some("dav".into()), number: None }),
            }),
            resource: None,
        },
    }
}

/// What the common controllers need to let through all that the pools take: bodies of any size as they come (the pools
/// have limits of their own), and time. All methods pass by themselves.
const ANNOTATIONS: &[(&str, &str)] = &[
    ("nginx.ingress.kubernetes.io/proxy-body-size", "0"),
    ("nginx.ingress.kubernetes.io/proxy-request-buffering", "off"),
    ("nginx.ingress.kubernetes.io/proxy-buffering", "off"),
    ("nginx.ingress.kubernetes.io/proxy-read-timeout", "300"),
    ("nginx.ingress.kubernetes.io/proxy-send-timeout", "300"),
    ("nginx.ingress.kubernetes.io/ssl-redirect", "true"),
    ("haproxy.org/timeout-server", "300s"),
    ("haproxy.org/ssl-redirect", "true"),
    ("haproxy-ingress.github.io/timeout-server", "300s"),
    ("haproxy-ingress.github.io/ssl-redirect", "true"),
];

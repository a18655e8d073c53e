//! Routes of a Gateway: TLSRoute for what begins with TLS, TCPRoute for what begins without, TLS ends in our pods in both
//! cases; HTTPRoute for HTTP, whose TLS ends in the Gateway.

use crate::apis::Optional;
use crate::apply::Object;
use crate::deployment::routes;
use crate::deployment::validate::Valid;
use kontor_crds::groupware_deployment::{ExposureType, GatewayExposure, GatewayPool, ParentRef};
use serde_json::{Value, json};

/// One for each port to the outside, as far as the cluster knows the kind.
pub fn build(valid: &Valid) -> Vec<Object> {
    let exposure = &valid.spec.network.exposure;
    let (ExposureType::Gateway, Some(gateway)) = (exposure.type_, &exposure.gateway) else {
        return Vec::new();
    };
    let mut objects = Vec::new();
    for pool in valid.spec.gateways.iter().filter(|pool| routes::is_exposed(&valid.spec, pool)) {
        for endpoint in routes::outside(&valid.spec, pool) {
            // A TLSRoute goes by names; without one, only the port tells protocols apart.
            let names = valid.spec.tls.dns_names();
            let by_name = endpoint.implicit_tls && !names.is_empty();
            let api = if by_name { Optional::TlsRoute } else { Optional::TcpRoute };
            let Some(resource) = valid.apis.get(&api) else { continue };
            let backend = backend(valid, pool, endpoint.port);
            let mut spec = json!({
                "parentRefs": parents(gateway, endpoint.port), "rules": [{ "backendRefs": [backend] }],
            });
            if by_name {
                insert(&mut spec, "hostnames", json!(names));
            }
            let name = valid.identity.child(&format!("{}-{}", pool.name, endpoint.name));
            let meta = valid.identity.meta(&name, &pool.name);
            objects.push(Object::new(resource.clone(), json!({ "metadata": meta, "spec": spec })));
        }
    }
    if let Some(resource) = valid.apis.get(&Optional::HttpRoute) {
        objects.extend(routes::http_pools(&valid.spec).map(|(pool, paths)| {
            let value = http_route(valid, gateway, pool, &paths);
            Object::new(resource.clone(), value)
        }));
    }
    objects
}

/// The Gateway has HTTP's certificate and redirects who comes without TLS, as its listeners say; the pool is asked for its
/// paths, also where there is an ingress of ours: a Gateway is one itself.
fn http_route(valid: &Valid, gateway: &GatewayExposure, pool: &GatewayPool, paths: &[&str]) -> Value {
    let matches: Vec<_> =
        paths.iter().map(|path| json!({ "path": { "type": "PathPrefix", "value": path } })).collect();
    let rule = json!({
        "matches": matches,
        "backendRefs": [backend(valid, pool, HTTP_INSIDE)],
        // A large body may take its time; the pool knows when a client has gone.
        "timeouts": { "request": "0s" },
    });
    let mut spec = json!({ "parentRefs": parents(gateway, HTTPS), "rules": [rule] });
    let names = valid.spec.tls.dns_names();
    if !names.is_empty() {
        insert(&mut spec, "hostnames", json!(names));
    }
    let name = valid.identity.child(&format!("{}-http", pool.name));
    json!({ "metadata": valid.identity.meta(&name, &pool.name), "spec": spec })
}

fn parents(gateway: &GatewayExposure, port: i32) -> Vec<Value> {
    let parent = |parent: &ParentRef| {
        let mut reference = json!({
            "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": parent.name, "port": port,
        });
        if let Some(namespace) = &parent.namespace {
            insert(&mut reference, "namespace", namespace.clone().into());
        }
        reference
    };
    gateway.parent_refs.iter().map(parent).collect()
}

fn backend(valid: &Valid, pool: &GatewayPool, port: i32) -> Value {
    json!({
        "group": "", "kind": "Service", "weight": 1, "name": valid.identity.child(&pool.name), "port": port,
    })
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}

const HTTPS: i32 = 443;
/// The port of HTTP without TLS, behind a proxy.
const HTTP_INSIDE: i32 = 80;

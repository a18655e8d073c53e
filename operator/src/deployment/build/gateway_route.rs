//! Routes of a Gateway: TLSRoute for what begins with TLS, TCPRoute for what begins without. TLS ends in our pods in
//! both cases.

use crate::apis::Optional;
use crate::apply::Object;
use crate::deployment::routes;
use crate::deployment::validate::Valid;
use kontor_crds::groupware_deployment::ExposureType;
use serde_json::{Value, json};

/// One for each port to the outside, as far as the cluster knows the kind.
pub fn build(valid: &Valid) -> Vec<Object> {
    let exposure = &valid.spec.network.exposure;
    let (ExposureType::Gateway, Some(gateway)) = (exposure.type_, &exposure.gateway) else {
        return Vec::new();
    };
    let mut objects = Vec::new();
    for pool in valid.spec.gateways.iter().filter(|pool| routes::is_exposed(&valid.spec, pool)) {
        for endpoint in routes::of_pool(&valid.spec, pool).into_iter().filter(|endpoint| !endpoint.inside) {
            // A TLSRoute goes by names; without one, only the port tells protocols apart.
            let names = valid.spec.tls.dns_names();
            let by_name = endpoint.implicit_tls && !names.is_empty();
            let api = if by_name { Optional::TlsRoute } else { Optional::TcpRoute };
            let Some(resource) = valid.apis.get(&api) else { continue };
            let parents: Vec<_> = gateway
                .parent_refs
                .iter()
                .map(|parent| {
                    let mut reference = json!({
                        "group": "gateway.networking.k8s.io", "kind": "Gateway",
                        "name": parent.name, "port": endpoint.port,
                    });
                    if let (Value::Object(reference), Some(namespace)) = (&mut reference, &parent.namespace) {
                        reference.insert("namespace".into(), namespace.clone().into());
                    }
                    reference
                })
                .collect();
            let backend = json!({
                "group": "", "kind": "Service", "weight": 1,
                "name": valid.identity.child(&pool.name), "port": endpoint.port,
            });
            let mut spec = json!({ "parentRefs": parents, "rules": [{ "backendRefs": [backend] }] });
            if let (true, Value::Object(spec)) = (by_name, &mut spec) {
                spec.insert("hostnames".into(), json!(names));
            }
            let name = valid.identity.child(&format!("{}-{}", pool.name, endpoint.name));
            let meta = valid.identity.meta(&name, &pool.name);
            objects.push(Object::new(resource.clone(), json!({ "metadata": meta, "spec": spec })));
        }
    }
    objects
}

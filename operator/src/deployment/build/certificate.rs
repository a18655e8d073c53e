//! The Certificate that cert-manager is asked for, where its API exists.

use crate::apis::Optional;
use crate::apply::Object;
use crate::deployment::names::SHARED;
use crate::deployment::validate::{Valid, certificate_secret};

/// One, when it is asked for and can be.
pub fn build(valid: &Valid) -> Option<Object> {
    let wish = valid.spec.tls.cert_manager.as_ref()?;
    let resource = valid.apis.get(&Optional::Certificate)?;
    let name = certificate_secret(&valid.identity.name);
    let mut spec = serde_json::json!({
        "secretName": name,
        "dnsNames": wish.dns_names,
        "issuerRef": { "name": wish.issuer_ref.name, "kind": wish.issuer_ref.kind, "group": wish.issuer_ref.group },
        "usages": ["digital signature", "key encipherment", "server auth"],
    });
    if let serde_json::Value::Object(spec) = &mut spec {
        for (key, value) in [("duration", &wish.duration), ("renewBefore", &wish.renew_before)] {
            if let Some(value) = value {
                spec.insert(key.into(), value.clone().into());
            }
        }
    }
    let value = serde_json::json!({ "metadata": valid.identity.meta(&name, SHARED), "spec": spec });
    Some(Object::new(resource.clone(), value))
}

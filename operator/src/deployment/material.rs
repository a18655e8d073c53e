//! Step 3 (pure but for randomness): what the operator makes up itself and has to keep: its authority, certificates,
//! passwords. What exists and is good stays as it is.

use super::dereference::SecretData;
use super::names::{DATABASE, OBJECT_STORE, STORAGE_NODE};
use super::routes;
use super::validate::Valid;
use crate::authority::{self, AuthorityError, Pair, Request};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Generated Secrets by name, complete.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// Data by name of the Secret.
    pub secrets: BTreeMap<String, SecretData>,
}

impl Material {
    /// Another one when the Secret's content is.
    pub fn revision(&self, name: &str) -> String {
        self.secrets.get(name).map(SecretData::revision).unwrap_or_default()
    }
}

/// Completes what exists. `random` gives that many random octets.
///
/// # Errors
/// When a name in a certificate is none.
pub fn complete(
    valid: &Valid,
    existing: &BTreeMap<String, SecretData>,
    now: Timestamp,
    random: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<Material, AuthorityError> {
    let identity = &valid.identity;
    let mut secrets = BTreeMap::new();
    let ca_name = identity.child("ca");
    let known = existing.get(&ca_name).and_then(pair).filter(|ca| authority::is_good_authority(ca, now));
    let ca = match known {
        Some(ca) => ca,
        None => authority::found(&format!("kontor {}/{}", identity.namespace, identity.name), now)?,
    };
    secrets.insert(ca_name, data(&ca, None));
    for (name, request) in requests(valid) {
        let known =
            existing.get(&name).and_then(pair).filter(|leaf| authority::is_good(leaf, &ca, &request, now));
        let leaf = match known {
            Some(leaf) => leaf,
            None => authority::issue(&ca, &request, now)?,
        };
        secrets.insert(name, data(&leaf, Some(&ca)));
    }
    if valid.embedded().is_some() {
        let name = identity.child(DATABASE);
        let kept = existing.get(&name).filter(|data| data.text("password").is_some());
        let database = kept.cloned().unwrap_or_else(|| {
            let password = hex(&random(24));
            let host = format!("{name}.{}.svc", identity.namespace);
            let url = format!("postgres://kontor:{password}@{host}:5432/kontor?sslmode=disable");
            texts([("password", password), ("url", url)])
        });
        secrets.insert(name, database);
        let name = identity.child(OBJECT_STORE);
        let kept = existing.get(&name).filter(|data| data.text("secretKey").is_some());
        let store = kept.cloned().unwrap_or_else(|| {
            // The form that Garage insists on; others take any.
            let (access, secret, rpc) =
                (format!("GK{}", hex(&random(12))), hex(&random(32)), hex(&random(32)));
            texts([("accessKey", access), ("secretKey", secret), ("rpcSecret", rpc)])
        });
        secrets.insert(name, store);
    }
    Ok(Material { secrets })
}

/// The certificates of a deployment by Secret.
fn requests(valid: &Valid) -> Vec<(String, Request)> {
    let identity = &valid.identity;
    let of = |common_name: &str, dns_names: Vec<String>| Request {
        common_name: common_name.to_owned(),
        dns_names,
    };
    let service = |part: &str| {
        let name = identity.child(part);
        let namespace = &identity.namespace;
        vec![format!("{name}.{namespace}.svc"), format!("{name}.{namespace}.svc.cluster.local"), name]
    };
    let mut server_names = vec![crate::storage::SERVER_NAME.to_owned()];
    server_names.extend(service(STORAGE_NODE));
    let mut requests = vec![
        (identity.child("storage-node-tls"), of("kontor-storage-node", server_names)),
        (crate::storage::secret_name(&identity.name), of("kontor-operator", Vec::new())),
    ];
    let mut outside: Vec<String> = valid.spec.tls.dns_names().to_vec();
    for pool in &valid.spec.gateways {
        if !routes::is_ingress(pool) {
            let common_name = format!("kontor-gateway-{}", pool.name);
            requests.push((pool_secret(valid, &pool.name), of(&common_name, Vec::new())));
        }
        outside.extend(service(&pool.name));
    }
    // A common name of more than 64 characters is none; nobody reads it here anyway.
    requests.push((server_secret(valid), of("kontor-server", outside)));
    requests
}

/// The Secret with a pool's certificate towards the storage nodes.
pub fn pool_secret(valid: &Valid, pool: &str) -> String {
    valid.identity.child(&format!("{pool}-tls"))
}

/// The Secret with the operator's own certificate for the outside.
pub fn server_secret(valid: &Valid) -> String {
    valid.identity.child("server-tls")
}

fn pair(data: &SecretData) -> Option<Pair> {
    Some(Pair { certificate: data.text("tls.crt")?.to_owned(), key: data.text("tls.key")?.to_owned() })
}

fn data(pair: &Pair, ca: Option<&Pair>) -> SecretData {
    let mut all = vec![("tls.crt", pair.certificate.clone()), ("tls.key", pair.key.clone())];
    all.extend(ca.map(|ca| ("ca.crt", ca.certificate.clone())));
    texts(all)
}

fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> SecretData {
    SecretData(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes())).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

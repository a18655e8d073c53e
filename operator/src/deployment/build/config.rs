//! The configuration files, as `kontor-storage-node` and `kontor-gateway` read them. `e2e/tests/operator_config.rs`
//! has both programs' own types read what this file writes.

use crate::deployment::routes::{self, MONITOR};
use crate::deployment::validate::Valid;
use kontor_crds::groupware_deployment::{GatewayPool, IpFamilyPolicy, Protocol, RelayEncryption};
use toml::{Table, Value};

/// Where Secrets and ConfigMaps are in a container.
pub const FOLDER: &str = "/etc/kontor";

/// The storage nodes' file.
pub fn storage_node(valid: &Valid) -> String {
    let any = any(valid);
    let store = &valid.object_store;
    let mut blobs = table([
        ("kind", "s3".into()),
        ("bucket", store.bucket.clone().into()),
        ("region", store.region.clone().into()),
        ("access_key_file", format!("{FOLDER}/object-store/access-key").into()),
        ("secret_key_file", format!("{FOLDER}/object-store/secret-key").into()),
    ]);
    for (key, value) in [("endpoint", &store.endpoint), ("prefix", &store.prefix)] {
        if !value.is_empty() {
            blobs.insert(key.into(), value.clone().into());
        }
    }
    let listen = table([
        ("address", format!("{any}:{}", crate::storage::PORT).into()),
        ("certificate", format!("{FOLDER}/tls/tls.crt").into()),
        ("key", format!("{FOLDER}/tls/tls.key").into()),
        ("client_ca", format!("{FOLDER}/tls/ca.crt").into()),
    ]);
    let mut root = table([
        ("database_url_file", format!("{FOLDER}/database/url").into()),
        ("monitor", format!("{any}:{MONITOR}").into()),
        ("log", log(valid)),
        ("blobs", blobs.into()),
        ("listen", listen.into()),
    ]);
    if let Some(connections) = valid.spec.storage.nodes.database_connections {
        root.insert("database_connections".into(), i64::from(connections).into());
    }
    root.to_string()
}

/// A pool's file.
pub fn gateway(valid: &Valid, pool: &GatewayPool) -> String {
    if routes::is_ingress(pool) {
        return ingress(valid, pool);
    }
    let store = table([
        (
            "addresses",
            vec![Value::from(crate::storage::address(&valid.identity.namespace, &valid.identity.name))]
                .into(),
        ),
        ("ca", format!("{FOLDER}/store/ca.crt").into()),
        ("certificate", format!("{FOLDER}/store/tls.crt").into()),
        ("key", format!("{FOLDER}/store/tls.key").into()),
    ]);
    let behind_ingress = routes::ingress(&valid.spec).is_some();
    let mut listen = Table::new();
    for endpoint in routes::of_pool(&valid.spec, pool) {
        let own = listener(valid, pool, endpoint.pod_port, &proxies(valid, endpoint));
        let behind = endpoint.behind_ingress().filter(|_| behind_ingress);
        let listeners: Value = match behind {
            Some(port) => {
                let anybody = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
                let proxies = if endpoint.http { Proxies::http(&anybody) } else { Proxies::tcp(&anybody) };
                vec![own, listener(valid, pool, port, &proxies)].into()
            }
            None => own.into(),
        };
        listen.insert(endpoint.name.into(), listeners);
    }
    let process = process(valid, pool);
    let mut root = table([
        ("log", log(valid)),
        ("store", store.into()),
        ("tls", certificates().into()),
        ("listen", listen.into()),
        ("process", process.into()),
    ]);
    let sections =
        [("smtp", smtp(valid, pool)), ("imap", imap(pool)), ("pop3", pop3(pool)), ("dav", dav(pool))];
    if pool.protocols.iter().any(|protocol| !routes::paths(*protocol).is_empty()) {
        root.insert("ingress".into(), table([("drain", drain(pool))]).into());
    }
    for (name, section) in sections {
        if !section.is_empty() {
            root.insert(name.into(), section.into());
        }
    }
    root.to_string()
}

/// The file of the pool that leads to the others.
fn ingress(valid: &Valid, pool: &GatewayPool) -> String {
    let (mut tcp, mut upstreams) = (Table::new(), Table::new());
    for target in valid.spec.gateways.iter().filter(|target| !routes::is_ingress(target)) {
        let service =
            format!("{}-headless.{}.svc", valid.identity.child(&target.name), valid.identity.namespace);
        for endpoint in routes::of_pool(&valid.spec, target) {
            let Some(behind) = endpoint.behind_ingress() else { continue };
            let mut route = table([
                ("dns", format!("{service}:{behind}").into()),
                ("health_port", i64::from(MONITOR).into()),
            ]);
            if endpoint.http {
                upstreams.insert(endpoint.name.into(), route.into());
            } else {
                let listener = listener(valid, pool, endpoint.pod_port, &proxies(valid, endpoint));
                route.insert("listen".into(), vec![Value::from(listener)].into());
                route.insert("proxy_protocol".into(), true.into());
                tcp.insert(endpoint.name.into(), route.into());
            }
        }
    }
    let mut section = table([("drain", drain(pool)), ("tcp", tcp.into())]);
    let mut root = table([("log", log(valid)), ("process", process(valid, pool).into())]);
    if !upstreams.is_empty() {
        section.insert("upstreams".into(), upstreams.into());
        let http = routes::of_pool(&valid.spec, pool).into_iter().filter(|endpoint| endpoint.http);
        let listen: Table = http
            .map(|endpoint| {
                let listener = listener(valid, pool, endpoint.pod_port, &proxies(valid, endpoint));
                (endpoint.name.to_owned(), listener.into())
            })
            .collect();
        root.insert("listen".into(), listen.into());
        root.insert("tls".into(), certificates().into());
    }
    root.insert("ingress".into(), section.into());
    root.to_string()
}

/// What is for the outside shows its clients this.
fn certificates() -> Table {
    let certificate = table([
        ("certificate", format!("{FOLDER}/tls/tls.crt").into()),
        ("key", format!("{FOLDER}/tls/tls.key").into()),
    ]);
    table([("certificates", vec![Value::from(certificate)].into())])
}

/// Networks that say for whom they speak.
struct Proxies<'a> {
    /// By the PROXY protocol.
    tcp: &'a [String],
    /// By header fields of HTTP.
    http: &'a [String],
}

impl<'a> Proxies<'a> {
    fn tcp(networks: &'a [String]) -> Self {
        Self { tcp: networks, http: &[] }
    }

    fn http(networks: &'a [String]) -> Self {
        Self { tcp: &[], http: networks }
    }
}

/// The balancers and proxies in front of an endpoint. A balancer of TCP is not in front of what is for the inside.
fn proxies(valid: &Valid, endpoint: routes::Endpoint) -> Proxies<'_> {
    Proxies {
        tcp: if endpoint.inside { &[] } else { valid.proxies() },
        http: if endpoint.http { &valid.spec.network.forwarded_headers.trusted_cidrs } else { &[] },
    }
}

/// Sessions that do not end by themselves are ended before the process has to.
fn drain(pool: &GatewayPool) -> Value {
    format!("{}s", session_seconds(pool).saturating_sub(5).max(1)).into()
}

/// One address to listen at.
fn listener(valid: &Valid, pool: &GatewayPool, port: i32, proxies: &Proxies<'_>) -> Table {
    let mut listener = table([("bind", format!("{}:{port}", any(valid)).into())]);
    for (key, networks) in [("proxy_from", proxies.tcp), ("forwarded_from", proxies.http)] {
        if !networks.is_empty() {
            let networks = networks.iter().cloned().map(Value::from).collect::<Vec<_>>();
            listener.insert(key.into(), networks.into());
        }
    }
    insert(&mut listener, "max_connections", pool.config.max_connections);
    insert(&mut listener, "max_per_address", pool.config.max_connections_per_address);
    listener
}

fn process(valid: &Valid, pool: &GatewayPool) -> Table {
    table([
        ("monitor", format!("{}:{MONITOR}", any(valid)).into()),
        ("grace", format!("{}s", session_seconds(pool)).into()),
    ])
}

fn smtp(valid: &Valid, pool: &GatewayPool) -> Table {
    let mut section = Table::new();
    if !pool.protocols.iter().any(|protocol| routes::gateway(*protocol) == "smtp") {
        return section;
    }
    let settings = &pool.config.smtp;
    let hostname = settings.hostname.as_ref().or_else(|| valid.spec.tls.dns_names().first());
    if let Some(hostname) = hostname {
        section.insert("hostname".into(), hostname.clone().into());
    }
    insert(&mut section, "max_message_size", settings.max_message_bytes);
    insert(&mut section, "max_recipients", settings.max_recipients);
    // Pools that only take mail from inside are sized for that, not for the queue.
    let runs_queue =
        pool.protocols.iter().any(|p| matches!(p, Protocol::Smtp | Protocol::Submission))
            || !valid.spec.gateways.iter().any(|pool| {
                pool.protocols.iter().any(|p| matches!(p, Protocol::Smtp | Protocol::Submission))
            });
    if !runs_queue {
        section.insert("queue".into(), table([("runner", false.into())]).into());
    }
    if let Some(relay) = &settings.relay {
        let tls = match relay.tls {
            RelayEncryption::None => "none",
            RelayEncryption::Starttls => "starttls",
            RelayEncryption::Implicit => "implicit",
        };
        let mut section_of_relay = table([("host", relay.host.clone().into()), ("tls", tls.into())]);
        insert(&mut section_of_relay, "port", relay.port.map(i64::from));
        if relay.credentials_secret_ref.is_some() {
            // The name comes by environment: a file of the configuration would have to hold what a Secret does.
            section_of_relay.insert("password_file".into(), format!("{FOLDER}/relay/password").into());
        }
        section.insert("relay".into(), section_of_relay.into());
    }
    section
}

fn imap(pool: &GatewayPool) -> Table {
    let mut section = Table::new();
    insert(&mut section, "append_limit", pool.config.imap.max_message_bytes);
    insert(&mut section, "idle_timeout", pool.config.imap.idle_timeout_seconds);
    section
}

fn pop3(pool: &GatewayPool) -> Table {
    let mut section = Table::new();
    insert(&mut section, "command_timeout", pool.config.pop3.idle_timeout_seconds);
    if let Some(mark_seen) = pool.config.pop3.mark_seen {
        section.insert("mark_seen".into(), mark_seen.into());
    }
    section
}

fn dav(pool: &GatewayPool) -> Table {
    let mut section = Table::new();
    insert(&mut section, "max_item", pool.config.dav.max_item_bytes);
    section
}

fn log(valid: &Valid) -> Value {
    let level = valid.spec.observability.log_level.as_str();
    table([("filter", format!("{level},tokio_postgres=warn").into()), ("format", "json".into())]).into()
}

/// Seconds from the wish to stop until a pod is killed.
pub fn grace_period(pool: &GatewayPool) -> i32 {
    let by_protocol = pool.protocols.iter().map(|protocol| routes::grace_period(*protocol)).max();
    pool.drain.grace_period_seconds.unwrap_or_else(|| by_protocol.unwrap_or(60))
}

/// Seconds before a pod that is to stop begins to say goodbye. Always less than the whole.
pub fn pre_stop_delay(pool: &GatewayPool) -> i32 {
    pool.drain.pre_stop_delay_seconds.unwrap_or(10).min(grace_period(pool).saturating_sub(2)).max(0)
}

/// What is left of the grace period for sessions, less a moment to exit in.
fn session_seconds(pool: &GatewayPool) -> i32 {
    grace_period(pool).saturating_sub(pre_stop_delay(pool)).saturating_sub(3).max(1)
}

/// The address that takes connections from everywhere. `[::]` takes both families, but not where a node has no IPv6.
fn any(valid: &Valid) -> &'static str {
    match valid.spec.network.ip_family_policy {
        IpFamilyPolicy::RequireDualStack => "[::]",
        IpFamilyPolicy::SingleStack | IpFamilyPolicy::PreferDualStack => "0.0.0.0",
    }
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn insert(table: &mut Table, key: &str, value: Option<i64>) {
    if let Some(value) = value {
        table.insert(key.to_owned(), value.into());
    }
}

//! Step 6 (pure): what is said of a deployment, from what was found and what was done.

use super::apply::Applied;
use super::diagnose::{Diagnosis, Part, diagnose};
use super::material::{Material, server_secret};
use super::names::{DATABASE, Identity, MIGRATE, OBJECT_STORE, STORAGE_NODE};
use super::routes;
use super::upgrade::Progress;
use super::validate::{Invalid, Valid};
use super::view::{JobState, View, Workload};
use crate::authority;
use crate::conditions::{self, Finding, Holds};
use crate::context::Counts;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kontor_crds::groupware_deployment::{
    CertificateStatus, DirectoryStatus, EndpointStatus, ExposureType, GatewayPool, GatewayStatus,
    GroupwareDeployment, GroupwareDeploymentStatus, VersionStatus,
};

/// Sums up the others.
pub const READY: &str = "Ready";
/// The spec makes sense and what it refers to exists.
pub const ACCEPTED: &str = "Accepted";
/// Storage nodes reach the database.
pub const DATABASE_READY: &str = "DatabaseReady";
/// Storage nodes reach the object store.
pub const OBJECT_STORE_READY: &str = "ObjectStoreReady";
/// The database has the schema of the version that is asked for.
pub const SCHEMA_CURRENT: &str = "SchemaCurrent";
/// Certificates are valid for a while yet.
pub const CERTIFICATES_READY: &str = "CertificatesReady";
/// Storage nodes serve.
pub const STORAGE_AVAILABLE: &str = "StorageNodesAvailable";
/// Every pool has the pods that it should have.
pub const GATEWAYS_AVAILABLE: &str = "GatewaysAvailable";
/// The way in from outside exists.
pub const ROUTES_ACCEPTED: &str = "RoutesAccepted";
/// Everything could be written to the API server.
pub const APPLIED: &str = "Applied";
/// What tenants, domains and mailboxes say is in the directory.
pub const DIRECTORY_SYNCED: &str = "DirectorySynced";
/// Something is being changed.
pub const PROGRESSING: &str = "Progressing";
/// The storage is one for trials.
pub const TRIAL: &str = "Trial";
/// Reconciliation is paused.
pub const PAUSED: &str = "Paused";
/// What others had changed lately.
pub const DRIFTED: &str = "Drifted";

/// What has to be True for Ready, in the order in which one depends on another.
const NEEDED: &[&str] = &[
    ACCEPTED,
    DATABASE_READY,
    OBJECT_STORE_READY,
    SCHEMA_CURRENT,
    CERTIFICATES_READY,
    APPLIED,
    STORAGE_AVAILABLE,
    GATEWAYS_AVAILABLE,
    ROUTES_ACCEPTED,
];

/// What was found and done.
pub struct Outcome<'a> {
    /// The children, after the applying.
    pub view: &'a View,
    /// How far it is; none when nothing was built.
    pub progress: Option<&'a Progress>,
    /// What was built, or why nothing was.
    pub valid: Result<(&'a Valid, &'a Material), &'a Invalid>,
    /// What was applied; none when paused or invalid.
    pub applied: Option<&'a Applied>,
    /// What the directory controllers count.
    pub counts: Option<Counts>,
    /// The ends of certificates that are not the operator's own, by Secret.
    pub foreign_certificate: Option<(String, Option<Timestamp>)>,
}

/// The status.
pub fn status(
    deployment: &GroupwareDeployment,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> GroupwareDeploymentStatus {
    let before = deployment.status.clone().unwrap_or_default();
    let generation = deployment.metadata.generation;
    let mut findings = Vec::new();
    let mut after = before.clone();
    after.observed_generation = generation;
    after.version.operator = Some(env!("CARGO_PKG_VERSION").to_owned());
    after.version.target = Some(deployment.spec.image.tag.clone());
    if let Some(counts) = outcome.counts {
        after.directory = directory(counts);
    }
    findings.push(directory_synced(outcome.counts));
    match outcome.valid {
        Err(invalid) => {
            findings.push(Finding::no(ACCEPTED, invalid.reason, &invalid.message));
            for type_ in NEEDED.iter().filter(|type_| **type_ != ACCEPTED) {
                if conditions::find(&before.conditions, type_).is_none() {
                    findings.push(Finding::unknown(type_, "NotAccepted", ""));
                }
            }
            findings.push(Finding::no(
                PROGRESSING,
                "NotAccepted",
                "waiting for the spec or what it refers to",
            ));
        }
        Ok((valid, material)) => {
            findings.push(Finding::yes(ACCEPTED, "Valid", ""));
            findings.extend(valid_findings(valid, material, outcome, &before, &mut after, now));
        }
    }
    if conditions::find(&before.conditions, DRIFTED).is_none() {
        findings.push(Finding::no(DRIFTED, "AsDeclared", ""));
    }
    if let Some(applied) = outcome.applied.filter(|applied| !applied.put_back.is_empty()) {
        let what = applied.put_back.join("; ");
        findings.push(Finding::no(DRIFTED, "PutBack", format!("{what} (at {now:.0})")));
    }
    after.conditions = conditions::merge(&before.conditions, &findings, generation, now);
    after.conditions.retain(|condition| condition.type_ != "DeletionBlocked");
    let ready = ready(&after);
    after.conditions = conditions::merge(&after.conditions, &[ready], generation, now);
    after
}

/// Everything else, for a spec that can be built.
fn valid_findings(
    valid: &Valid,
    material: &Material,
    outcome: &Outcome<'_>,
    before: &GroupwareDeploymentStatus,
    after: &mut GroupwareDeploymentStatus,
    now: Timestamp,
) -> Vec<Finding> {
    let view = outcome.view;
    let identity = &valid.identity;
    let mut findings = dependencies(valid, outcome, before);
    let storage = view.workload(&identity.child(STORAGE_NODE));
    findings.push(storage_available(valid, view, storage.as_ref()));
    findings.push(gateways_available(valid, view));
    after.gateways = valid.spec.gateways.iter().map(|pool| gateway_status(identity, pool, view)).collect();
    let count = |of: fn(&GatewayStatus) -> i32| after.gateways.iter().map(of).sum::<i32>();
    let wanted: i32 = valid
        .spec
        .gateways
        .iter()
        .map(|pool| view.workload(&identity.child(&pool.name)).map_or(pool.wanted(), |live| live.wanted))
        .sum();
    after.gateways_ready = Some(format!("{}/{wanted}", count(|pool| pool.ready_replicas)));
    version(valid, view, outcome.progress, storage.as_ref(), &mut after.version);
    let (certificates, certificates_ready) = certificates(valid, material, outcome, now);
    after.certificates = certificates;
    findings.push(certificates_ready);
    after.endpoints = valid.spec.gateways.iter().flat_map(|pool| endpoints(valid, pool, view)).collect();
    findings.push(routes_accepted(valid, view));
    findings.push(progressing(valid, view, outcome.progress));
    findings.push(match valid.embedded() {
        Some(_) => Finding::yes(
            TRIAL,
            "EmbeddedStorage",
            "storage.embedded is for trials: one database and one object store, neither replicated nor backed up",
        ),
        None => Finding::no(TRIAL, "OwnStorage", ""),
    });
    findings.push(applied(outcome.applied));
    let paused = outcome.applied.is_none();
    findings.push(if paused {
        Finding::yes(PAUSED, "Paused", "spec.reconciliation is Paused: nothing is changed or put back")
    } else {
        Finding::no(PAUSED, "Enabled", "")
    });
    // What validation found is more to the point.
    findings.retain(|finding| valid.findings.iter().all(|better| better.type_ != finding.type_));
    findings.extend(valid.findings.iter().cloned());
    findings
}

/// Database, object store and schema, by what the migration and the storage nodes say.
fn dependencies(valid: &Valid, outcome: &Outcome<'_>, before: &GroupwareDeploymentStatus) -> Vec<Finding> {
    let (view, target) = (outcome.view, &valid.spec.image.tag);
    let migration = outcome.progress.and_then(|progress| progress.migration);
    let last = |type_: &'static str| {
        let known = conditions::find(&before.conditions, type_).filter(|known| known.status == "False");
        known.cloned()
    };
    // What was wrong stays wrong until it is seen to be right: conditions must not flap with every try.
    let still = |type_: &'static str, otherwise: Finding| match last(type_) {
        Some(known) => Finding {
            type_,
            holds: Holds::False,
            reason: KNOWN_REASONS
                .iter()
                .copied()
                .find(|reason| *reason == known.reason)
                .unwrap_or("Unreachable"),
            message: known.message,
        },
        None => otherwise,
    };
    match migration {
        Some(JobState::Complete) => vec![
            by_nodes(view, &DATABASE_OF_NODES)
                .unwrap_or_else(|| still(DATABASE_READY, Finding::yes(DATABASE_READY, "Reachable", ""))),
            by_nodes(view, &BLOBS_OF_NODES).unwrap_or_else(|| {
                still(OBJECT_STORE_READY, Finding::yes(OBJECT_STORE_READY, "Reachable", ""))
            }),
            Finding::yes(SCHEMA_CURRENT, "Migrated", format!("the schema is that of {target}")),
        ],
        Some(JobState::Failed(_)) => {
            let words = view.pods_of(MIGRATE).find_map(|pod| pod.last_words.clone()).unwrap_or_default();
            if words.is_empty() {
                let failed = "the migration failed and left no word; it is tried again";
                return vec![
                    still(DATABASE_READY, Finding::unknown(DATABASE_READY, "Unknown", "")),
                    still(OBJECT_STORE_READY, Finding::unknown(OBJECT_STORE_READY, "Unknown", "")),
                    still(SCHEMA_CURRENT, Finding::no(SCHEMA_CURRENT, "MigrationFailed", failed)),
                ];
            }
            failed(&diagnose(&words), &words)
        }
        Some(JobState::Running) => {
            let image = view.pods_of(MIGRATE).find_map(|pod| pod.waiting.clone());
            let running = match image {
                Some((reason, message)) => Finding::no(
                    SCHEMA_CURRENT,
                    pod_reason(&reason),
                    format!("the migration's pod does not start: {reason}: {message}"),
                ),
                None => Finding::no(SCHEMA_CURRENT, "MigrationRunning", format!("migrating to {target}")),
            };
            vec![
                // An upgrade: what runs already knows.
                by_nodes(view, &DATABASE_OF_NODES).unwrap_or_else(|| {
                    still(DATABASE_READY, Finding::unknown(DATABASE_READY, "Checking", ""))
                }),
                by_nodes(view, &BLOBS_OF_NODES).unwrap_or_else(|| {
                    still(OBJECT_STORE_READY, Finding::unknown(OBJECT_STORE_READY, "Checking", ""))
                }),
                running,
            ]
        }
        None => {
            let started = |component: &str| view.serves(&valid.identity.child(component));
            let part = |component: &'static str, type_: &'static str| {
                if valid.embedded().is_none() || started(component) {
                    return still(type_, Finding::unknown(type_, "Checking", ""));
                }
                match view.pods_of(component).find_map(|pod| pod.waiting.clone()) {
                    Some((reason, message)) => Finding::no(
                        type_,
                        pod_reason(&reason),
                        format!("the embedded {component} does not start: {reason}: {message}"),
                    ),
                    None => Finding::no(type_, "Starting", format!("the embedded {component} is starting")),
                }
            };
            vec![
                part(DATABASE, DATABASE_READY),
                part(OBJECT_STORE, OBJECT_STORE_READY),
                Finding::no(
                    SCHEMA_CURRENT,
                    "AwaitingStorage",
                    "the migration begins when the storage serves",
                ),
            ]
        }
    }
}

/// What storage nodes lack, and what that means.
struct Need {
    part: Part,
    need: &'static str,
    type_: &'static str,
    what: &'static str,
}

const DATABASE_OF_NODES: Need =
    Need { part: Part::Database, need: "database", type_: DATABASE_READY, what: "database" };
const BLOBS_OF_NODES: Need =
    Need { part: Part::ObjectStore, need: "blobs", type_: OBJECT_STORE_READY, what: "object store" };

/// What the storage nodes say; none when none has said anything.
fn by_nodes(view: &View, need: &Need) -> Option<Finding> {
    let Need { part, need, type_, what } = *need;
    let nodes: Vec<_> = view.pods_of(STORAGE_NODE).collect();
    let asked: Vec<_> = nodes.iter().filter_map(|pod| pod.unmet.as_ref()).collect();
    let lacks = |unmet: &&Vec<String>| unmet.iter().any(|other| other == need);
    if asked.iter().any(|unmet| !lacks(unmet)) {
        return Some(Finding::yes(type_, "Reachable", ""));
    }
    let said = nodes.iter().filter_map(|pod| pod.last_words.as_deref()).map(diagnose);
    if let Some(said) = said.into_iter().find(|diagnosis| diagnosis.part == part) {
        let message = format!("storage nodes cannot use the {what}: {}", said.advice);
        return Some(Finding::no(type_, said.reason, message));
    }
    (!asked.is_empty()).then(|| {
        let message = format!(
            "no storage node reaches the {what}; gateways answer with temporary errors until one does"
        );
        Finding::no(type_, "Unreachable", message)
    })
}

fn failed(diagnosis: &Diagnosis, words: &str) -> Vec<Finding> {
    let message = format!("{words} — {}. It is tried again with growing pauses", diagnosis.advice);
    let schema = Finding::no(SCHEMA_CURRENT, "MigrationFailed", &message);
    match diagnosis.part {
        Part::Database => vec![
            Finding::no(DATABASE_READY, diagnosis.reason, &message),
            Finding::unknown(OBJECT_STORE_READY, "NotChecked", "the database comes first"),
            schema,
        ],
        Part::ObjectStore => vec![
            Finding::yes(DATABASE_READY, "Reachable", ""),
            Finding::no(OBJECT_STORE_READY, diagnosis.reason, &message),
            schema,
        ],
        Part::Schema => vec![
            Finding::unknown(DATABASE_READY, "Unknown", ""),
            Finding::unknown(OBJECT_STORE_READY, "Unknown", ""),
            schema,
        ],
    }
}

fn storage_available(valid: &Valid, view: &View, live: Option<&Workload>) -> Finding {
    let wanted = valid.spec.storage.nodes.wanted();
    match shortage(view, STORAGE_NODE, live, wanted) {
        None => Finding::yes(STORAGE_AVAILABLE, "Serving", ""),
        Some((reason, message)) => {
            Finding::no(STORAGE_AVAILABLE, reason, format!("storage nodes: {message}"))
        }
    }
}

fn gateways_available(valid: &Valid, view: &View) -> Finding {
    let mut short = Vec::new();
    for pool in &valid.spec.gateways {
        let live = view.workload(&valid.identity.child(&pool.name));
        if let Some((reason, message)) = shortage(view, &pool.name, live.as_ref(), pool.wanted()) {
            short.push((reason, format!("pool {}: {message}", pool.name)));
        }
    }
    match short.first() {
        None => Finding::yes(GATEWAYS_AVAILABLE, "Serving", "every pool has its pods"),
        Some((reason, _)) => {
            let messages: Vec<_> = short.iter().map(|(_, message)| message.as_str()).collect();
            Finding::no(GATEWAYS_AVAILABLE, reason, messages.join("; "))
        }
    }
}

/// Why a component has fewer pods than it should, if it has.
fn shortage(
    view: &View,
    component: &str,
    live: Option<&Workload>,
    least: i32,
) -> Option<(&'static str, String)> {
    let Some(live) = live else { return Some(("Pending", "not made yet".to_owned())) };
    if live.ready >= least && live.stalled.is_none() {
        return None;
    }
    if let Some(refused) = &live.refused {
        let reason = if refused.contains("quota") { "QuotaExceeded" } else { "PodsRefused" };
        return Some((reason, refused.clone()));
    }
    let counts = format!("{} of {least} pods are ready", live.ready);
    for pod in view.pods_of(component) {
        if let Some((reason, message)) = &pod.waiting {
            let words = pod.last_words.as_deref().unwrap_or(message);
            return Some((pod_reason(reason), format!("{counts}; pod {} {reason}: {words}", pod.name)));
        }
    }
    let needs = view.pods_of(component).find_map(|pod| pod.unmet.as_ref().filter(|unmet| !unmet.is_empty()));
    if let Some(needs) = needs {
        return Some(("NotReady", format!("{counts}; waiting for {}", needs.join(", "))));
    }
    match &live.stalled {
        Some(stalled) => Some(("RolloutStalled", format!("{counts}: {stalled}"))),
        None => Some(("PodsStarting", counts)),
    }
}

fn pod_reason(waiting: &str) -> &'static str {
    match waiting {
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => "ImagePull",
        "CrashLoopBackOff" => "CrashLoop",
        "CreateContainerConfigError" | "CreateContainerError" => "ContainerConfig",
        _ => "PodsStarting",
    }
}

fn gateway_status(identity: &Identity, pool: &GatewayPool, view: &View) -> GatewayStatus {
    let live = view.workload(&identity.child(&pool.name)).unwrap_or_default();
    let connections = view.pods_of(&pool.name).filter_map(|pod| pod.connections).reduce(u64::saturating_add);
    let labels = identity.selector_labels(&pool.name);
    let selector: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    GatewayStatus {
        name: pool.name.clone(),
        replicas: live.replicas,
        ready_replicas: live.ready,
        connections: connections.and_then(|connections| i64::try_from(connections).ok()),
        selector: selector.join(","),
    }
}

fn version(
    valid: &Valid,
    view: &View,
    progress: Option<&Progress>,
    storage: Option<&Workload>,
    version: &mut VersionStatus,
) {
    let target = &valid.spec.image.tag;
    if progress.and_then(|progress| progress.migration) == Some(JobState::Complete) {
        version.schema = Some(target.clone());
    }
    let is_there = |live: Option<&Workload>| live.is_some_and(|live| live.tag == *target && live.rolled_out);
    let pools = valid
        .spec
        .gateways
        .iter()
        .all(|pool| is_there(view.workload(&valid.identity.child(&pool.name)).as_ref()));
    if pools && is_there(storage) {
        version.current = Some(target.clone());
    }
}

fn certificates(
    valid: &Valid,
    material: &Material,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> (Vec<CertificateStatus>, Finding) {
    let own_end = |name: &str| {
        let data = material.secrets.get(name)?;
        authority::not_after(data.text("tls.crt")?).ok()
    };
    let inner = valid.identity.child("storage-node-tls");
    let outer = match &outcome.foreign_certificate {
        Some((name, end)) => (name.clone(), *end),
        None => (server_secret(valid), own_end(&server_secret(valid))),
    };
    let inner_end = own_end(&inner);
    let statuses = [outer.clone(), (inner, inner_end)]
        .into_iter()
        .map(|(secret_name, end)| CertificateStatus { secret_name, not_after: end.map(Time) })
        .collect();
    let (name, end) = outer;
    let finding = match end {
        Some(end) if end <= now => Finding::no(
            CERTIFICATES_READY,
            "Expired",
            format!(
                "the certificate in Secret {name} ended at {end:.0}: put a new one there, it is taken up at once"
            ),
        ),
        Some(end) if end <= now + EXPIRING => Finding::no(
            CERTIFICATES_READY,
            "Expiring",
            format!("the certificate in Secret {name} ends at {end:.0}: renew it, it is taken up at once"),
        ),
        Some(_) => Finding::yes(CERTIFICATES_READY, "Valid", ""),
        None => Finding::no(CERTIFICATES_READY, "Pending", format!("Secret {name} has no certificate yet")),
    };
    (statuses, finding)
}

fn endpoints(valid: &Valid, pool: &GatewayPool, view: &View) -> Vec<EndpointStatus> {
    let inside = format!("{}.{}.svc", valid.identity.child(&pool.name), valid.identity.namespace);
    let (outside, exposed) = (balancer(valid, pool, view), routes::outside(&valid.spec, pool));
    routes::of_pool(&valid.spec, pool)
        .into_iter()
        .map(|endpoint| EndpointStatus {
            protocol: endpoint.name.to_owned(),
            host: outside.clone().filter(|_| exposed.contains(&endpoint)).unwrap_or_else(|| inside.clone()),
            port: endpoint.port,
        })
        .collect()
}

fn balancer(valid: &Valid, pool: &GatewayPool, view: &View) -> Option<String> {
    let service: Service = view.get("Service", &super::build::service::load_balancer_name(valid, pool))?;
    let ingress = service.status?.load_balancer?.ingress?.into_iter().next()?;
    ingress.hostname.or(ingress.ip)
}

fn routes_accepted(valid: &Valid, view: &View) -> Finding {
    let exposure = &valid.spec.network.exposure;
    if let Some(pending) = ingress_pending(valid, view) {
        return pending;
    }
    match exposure.type_ {
        ExposureType::ClusterIP if exposure.ingress.is_some() => Finding::yes(
            ROUTES_ACCEPTED,
            "AddressAssigned",
            "HTTP by an Ingress, the rest inside the cluster only",
        ),
        ExposureType::ClusterIP => {
            Finding::yes(ROUTES_ACCEPTED, "InsideOnly", "served inside the cluster only")
        }
        ExposureType::LoadBalancer => {
            let waiting: Vec<_> = valid
                .spec
                .gateways
                .iter()
                .filter(|pool| routes::is_exposed(&valid.spec, pool))
                .filter(|pool| balancer(valid, pool, view).is_none())
                .map(|pool| super::build::service::load_balancer_name(valid, pool))
                .collect();
            match waiting.as_slice() {
                [] => Finding::yes(ROUTES_ACCEPTED, "AddressAssigned", ""),
                names => Finding::no(
                    ROUTES_ACCEPTED,
                    "AddressPending",
                    format!("no balancer has given an address to Service {}", names.join(", ")),
                ),
            }
        }
        ExposureType::Gateway => {
            let routes = view.objects.iter().filter(|(key, _)| ROUTES.contains(&key.kind.as_str()));
            let refused: Vec<_> = routes
                .filter(|(_, route)| !is_accepted(&route.data))
                .map(|(key, _)| key.to_string())
                .collect();
            match refused.as_slice() {
                [] => Finding::yes(ROUTES_ACCEPTED, "Accepted", ""),
                names => Finding::no(
                    ROUTES_ACCEPTED,
                    "NoMatchingParent",
                    format!(
                        "no listener of the Gateway takes {}: it needs one for that port and kind",
                        names.join(", ")
                    ),
                ),
            }
        }
    }
}

/// What is wrong with the Ingress, where there should be one.
fn ingress_pending(valid: &Valid, view: &View) -> Option<Finding> {
    let wanted = super::build::ingress::build(valid)?;
    let name = wanted.metadata.name.unwrap_or_default();
    let live: Option<Ingress> = view.get("Ingress", &name);
    let addresses = live.and_then(|ingress| ingress.status?.load_balancer?.ingress);
    if addresses.is_some_and(|addresses| !addresses.is_empty()) {
        return None;
    }
    let class = wanted.spec.and_then(|spec| spec.ingress_class_name);
    let class = class.map_or_else(|| "of the default class".to_owned(), |class| format!("of class {class}"));
    let message = format!("no ingress controller {class} has given an address to Ingress {name}");
    Some(Finding::no(ROUTES_ACCEPTED, "AddressPending", message))
}

fn is_accepted(route: &serde_json::Value) -> bool {
    let parents = route.pointer("/status/parents").and_then(serde_json::Value::as_array);
    parents.into_iter().flatten().any(|parent| {
        let conditions = parent.get("conditions").and_then(serde_json::Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            let field = |name: &str| condition.get(name).and_then(serde_json::Value::as_str);
            field("type") == Some("Accepted") && field("status") == Some("True")
        })
    })
}

fn progressing(valid: &Valid, view: &View, progress: Option<&Progress>) -> Finding {
    let target = &valid.spec.image.tag;
    if progress.is_some_and(|progress| progress.hold) {
        return Finding::yes(
            PROGRESSING,
            "Migrating",
            format!("the schema comes first; then pods of {target}"),
        );
    }
    let mut names = vec![STORAGE_NODE];
    names.extend(valid.spec.gateways.iter().map(|pool| pool.name.as_str()));
    let rolling: Vec<_> = names
        .into_iter()
        .filter(|name| view.workload(&valid.identity.child(name)).is_none_or(|live| !live.rolled_out))
        .collect();
    match rolling.as_slice() {
        [] => Finding::no(PROGRESSING, "AsDeclared", ""),
        names => Finding::yes(PROGRESSING, "RollingOut", format!("rolling out: {}", names.join(", "))),
    }
}

fn applied(applied: Option<&Applied>) -> Finding {
    let errors = applied.map(|applied| applied.errors.as_slice()).unwrap_or_default();
    match errors.first() {
        None => Finding::yes(APPLIED, "Applied", ""),
        Some(first) => {
            let reason = if errors.iter().any(crate::apply::ApplyError::is_refusal) {
                "Refused"
            } else {
                "APIUnavailable"
            };
            Finding::no(APPLIED, reason, format!("{first}: {}", first.reason()))
        }
    }
}

fn directory(counts: Counts) -> DirectoryStatus {
    let number = |count: u64| i64::try_from(count).ok();
    DirectoryStatus {
        tenants: number(counts.tenants),
        mailboxes: number(counts.mailboxes),
        pending: number(counts.pending),
        failed: number(counts.failed),
    }
}

/// Not a part of Ready: one wrong address is no reason to call an installation broken.
fn directory_synced(counts: Option<Counts>) -> Finding {
    match counts {
        None => Finding::unknown(DIRECTORY_SYNCED, "Unknown", "nobody has counted yet"),
        Some(counts) if counts.failed > 0 => Finding::no(
            DIRECTORY_SYNCED,
            "PartialFailure",
            format!(
                "{} resources cannot be made so: see `kubectl get tn,md,mbx,dg,rmbx` for those that are not Ready",
                counts.failed
            ),
        ),
        Some(counts) if counts.pending > 0 => {
            Finding::no(DIRECTORY_SYNCED, "Pending", "some resources wait to be made so")
        }
        Some(_) => Finding::yes(DIRECTORY_SYNCED, "Synced", ""),
    }
}

fn ready(status: &GroupwareDeploymentStatus) -> Finding {
    for type_ in NEEDED {
        let Some(condition) = conditions::find(&status.conditions, type_) else {
            return Finding::unknown(READY, "Pending", format!("{type_} is not known yet"));
        };
        if condition.status != "True" {
            let reason =
                KNOWN_REASONS.iter().copied().find(|reason| *reason == condition.reason).unwrap_or("Pending");
            let message = match condition.message.as_str() {
                "" => format!("{type_} is {}", condition.status),
                message => format!("{type_}: {message}"),
            };
            return Finding::no(READY, reason, message);
        }
    }
    Finding::yes(READY, "AllWell", "everything is as declared")
}

/// Reasons of conditions that Ready may take over.
const KNOWN_REASONS: &[&str] = &[
    "InvalidSpec",
    "InvalidSecret",
    "RefNotFound",
    "RefNotReady",
    "CRDMissing",
    "Starting",
    "Unreachable",
    "AuthFailed",
    "DatabaseMissing",
    "PermissionDenied",
    "InvalidURL",
    "TLSFailed",
    "BucketMissing",
    "AwaitingStorage",
    "MigrationRunning",
    "MigrationFailed",
    "Pending",
    "Expired",
    "Expiring",
    "Refused",
    "APIUnavailable",
    "PodsStarting",
    "PodsRefused",
    "QuotaExceeded",
    "ImagePull",
    "CrashLoop",
    "ContainerConfig",
    "NotReady",
    "RolloutStalled",
    "AddressPending",
    "NoMatchingParent",
];

/// Kinds of routes of a Gateway.
const ROUTES: &[&str] = &["TLSRoute", "TCPRoute", "HTTPRoute"];
/// Time enough to renew a certificate by hand.
const EXPIRING: SignedDuration = SignedDuration::from_hours(24 * 14);

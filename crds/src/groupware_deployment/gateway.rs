//! Gateway pools.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pods that serve the same protocols.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("!(has(self.replicas) && has(self.autoscaling))", "gateways: replicas or autoscaling, not both"),
    validation = (
        "!(self.name in ['storage-node', 'database', 'object-store', 'migrate', 'operator', 'ca', 'server'])",
        "gateways: this name is used for something else"
    ),
    validation = (
        "!('Ingress' in self.protocols) || self.protocols.size() == 1",
        "gateways: a pool that serves Ingress serves nothing else"
    )
)]
pub struct GatewayPool {
    /// Name of the pool; its Deployment and Service are called `<deployment>-<pool>`.
    #[schemars(length(min = 1, max = 15), regex(pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// What its pods serve. Service ports: SMTP 25, Submission 587 and 465, LMTP 24, IMAP 143 and 993, POP3 110 and 995,
    /// DAV 443, and 80 for the inside; Ingress all of these that other pools serve, but LMTP.
    #[schemars(length(min = 1, max = 6))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub protocols: Vec<Protocol>,

    /// Number of pods, when they are not scaled by load. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,

    /// Scaling by load, instead of a fixed number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// How a pod takes its leave.
    #[serde(default)]
    pub drain: Drain,

    /// CPU and memory of a pod. Default: requests of 50m and 64Mi, a memory limit of 512Mi. Changing it restarts the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// How many pods voluntary disruptions must leave alone. Default: one may be missing, when there are two or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<DisruptionBudget>,

    /// Where its pods go.
    #[serde(default)]
    pub placement: Placement,

    /// Settings of the protocols.
    #[serde(default)]
    pub config: GatewayConfig,
}

/// A protocol that a gateway serves.
#[derive(JsonSchema, Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Mail from other servers, port 25.
    #[serde(rename = "SMTP")]
    Smtp,
    /// Mail from clients, ports 587 (STARTTLS) and 465 (TLS).
    Submission,
    /// Mail from a server in front of this one, port 24. Never exposed to the outside: it asks for no password.
    #[serde(rename = "LMTP")]
    Lmtp,
    /// IMAP, ports 143 (STARTTLS) and 993 (TLS).
    #[serde(rename = "IMAP")]
    Imap,
    /// POP3, ports 110 (STARTTLS) and 995 (TLS).
    #[serde(rename = "POP3")]
    Pop3,
    /// Calendars, tasks and contacts by CalDAV and CardDAV: port 443, and 80 without TLS for an ingress in front.
    #[serde(rename = "DAV")]
    Dav,
    /// One way in for all protocols: leads connections to the pods of the pools that serve them, and tells these the
    /// client's address. With `network.exposure.type` LoadBalancer or Gateway only this pool is exposed.
    Ingress,
}

/// Scaling by load: the largest number that any target asks for.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(cel, validation = ("self.minReplicas <= self.maxReplicas", "autoscaling: minReplicas is more than maxReplicas"))]
pub struct Autoscaling {
    /// Fewest pods. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// Most pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,

    /// CPU that pods should use on average, percent of what they request. Unset: CPU does not count.
    #[serde(default, rename = "targetCPUUtilizationPercent", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization_percent: Option<i32>,

    /// Open connections that a pod should have on average. Default: 5000, when CPU does not count either. The
    /// operator serves this figure itself; no metrics adapter is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub target_connections_per_pod: Option<i32>,

    /// How fast the number changes (autoscaling/v2). Default: up at once; down by one pod each two minutes, after
    /// ten minutes of less load, because connections are long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
}

/// How a pod takes its leave.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "!has(self.gracePeriodSeconds) || !has(self.preStopDelaySeconds) || self.preStopDelaySeconds < self.gracePeriodSeconds",
        "drain: preStopDelaySeconds must be less than gracePeriodSeconds"
    )
)]
pub struct Drain {
    /// Seconds between the pod's removal from the Services and its first goodbye, so that no balancer sends it
    /// clients any more. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 600))]
    pub pre_stop_delay_seconds: Option<i32>,

    /// Seconds from the wish to stop until the pod is killed, preStopDelaySeconds among them. Default by protocol:
    /// SMTP, Submission and LMTP 120, IMAP 300, POP3 120, DAV 60, Ingress 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 7200))]
    pub grace_period_seconds: Option<i32>,
}

/// How many pods voluntary disruptions (drained nodes) must leave alone.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "[has(self.minAvailable), has(self.maxUnavailable)].filter(x, x).size() == 1",
        "podDisruptionBudget: one of minAvailable and maxUnavailable"
    )
)]
pub struct DisruptionBudget {
    /// Pods that must stay: a number, or a percentage such as `50%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_available: Option<IntOrString>,

    /// Pods that may be missing: a number, or a percentage such as `50%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
}

/// Where pods go.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// How pods spread. Default: evenly over zones and over nodes, as far as that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,

    /// Affinity of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,

    /// Taints of nodes that pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,

    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// PriorityClass of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub priority_class_name: Option<String>,
}

/// Settings of the protocols of a pool. What is unset is as the gateway has it by default. Changes restart the pool,
/// politely.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayConfig {
    /// Connections that a pod holds at once; more are told to try later. Default: 100000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<i64>,

    /// Connections at once from one client address. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections_per_address: Option<i64>,

    /// SMTP, Submission and LMTP.
    #[serde(default)]
    pub smtp: SmtpSettings,

    /// IMAP.
    #[serde(default)]
    pub imap: ImapSettings,

    /// POP3.
    #[serde(default)]
    pub pop3: Pop3Settings,

    /// CalDAV and CardDAV.
    #[serde(default)]
    pub dav: DavSettings,
}

/// Settings of SMTP, Submission and LMTP.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SmtpSettings {
    /// The name in greetings and in trace fields. Default: the first of tls' dnsNames, else the pod's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub hostname: Option<String>,

    /// Largest message, octets. Default: 52428800 (50 MiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 65536, max = 157_286_400))]
    pub max_message_bytes: Option<i64>,

    /// Most recipients of one message. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 100_000))]
    pub max_recipients: Option<i64>,

    /// The server that takes mail for other domains. Unset: such mail waits in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<Relay>,
}

/// A server that takes mail for other domains.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Relay {
    /// Name or address.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,

    /// Port. Default by tls: 25, 587 or 465.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,

    /// How the connection is encrypted. Default: Starttls.
    #[serde(default)]
    pub tls: RelayEncryption,

    /// A Secret with keys `username` and `password`. Unset: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<super::SecretName>,
}

/// How a connection to a relay is encrypted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum RelayEncryption {
    /// Not at all.
    None,
    /// By STARTTLS; a relay without it gets no mail.
    #[default]
    Starttls,
    /// From the first octet.
    Implicit,
}

/// Settings of IMAP.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ImapSettings {
    /// Largest message that APPEND takes, octets. Default: 52428800 (50 MiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 65536, max = 157_286_400))]
    pub max_message_bytes: Option<i64>,

    /// Seconds that a client may be silent. Default: 1860; RFC 9051 asks for 1800 at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1800, max = 86400))]
    pub idle_timeout_seconds: Option<i64>,
}

/// Settings of POP3.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Pop3Settings {
    /// Seconds that a client may be silent. Default: 600, the least that RFC 1939 allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 600, max = 86400))]
    pub idle_timeout_seconds: Option<i64>,

    /// Whether what was downloaded is marked as read. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark_seen: Option<bool>,
}

/// Settings of CalDAV and CardDAV.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DavSettings {
    /// Largest calendar object or card, octets. Default: 10485760 (10 MiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 65536, max = 104_857_600))]
    pub max_item_bytes: Option<i64>,
}

impl Protocol {
    /// All that a client speaks, in the order of their ports.
    pub const ALL: &[Self] = &[Self::Lmtp, Self::Smtp, Self::Pop3, Self::Imap, Self::Dav, Self::Submission];
}

impl GatewayPool {
    /// The fewest pods that it should have.
    pub fn wanted(&self) -> i32 {
        match &self.autoscaling {
            Some(autoscaling) => autoscaling.min_replicas,
            None => self.replicas.unwrap_or_else(two),
        }
    }
}

pub(crate) fn two() -> i32 {
    2
}

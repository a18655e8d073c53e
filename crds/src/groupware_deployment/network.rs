//! The way in from outside, and what may talk to what inside.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The way in from outside, and what may talk to what inside.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// How clients come in.
    #[serde(default)]
    pub exposure: Exposure,

    /// Whether a balancer in front tells the client's address by the PROXY protocol.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,

    /// Which proxies of HTTP are believed about the client's address.
    #[serde(default)]
    pub forwarded_headers: ForwardedHeaders,

    /// `Enforced` (default): network policies admit only what is needed. `Disabled`: there are none.
    #[serde(default)]
    pub network_policy: NetworkPolicyMode,

    /// IP families of the Services: SingleStack, PreferDualStack (default) or RequireDualStack.
    #[serde(default)]
    pub ip_family_policy: IpFamilyPolicy,
}

/// How clients come in.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("self.type == 'Gateway' ? has(self.gateway) : !has(self.gateway)", "exposure: gateway goes with type: Gateway, and only with it"),
    validation = ("self.type == 'LoadBalancer' || !has(self.loadBalancer)", "exposure: loadBalancer goes with type: LoadBalancer"),
    validation = ("self.type != 'Gateway' || !has(self.ingress)", "exposure: with type Gateway, HTTP goes by its HTTPRoutes and not by an ingress")
)]
pub struct Exposure {
    /// `ClusterIP` (default): Services inside the cluster only. `LoadBalancer`: beside them a LoadBalancer Service for
    /// each pool, which keeps the client's address. `Gateway`: routes of a Gateway that you run, HTTPRoutes for DAV,
    /// TLSRoutes and TCPRoutes for the others. Where a pool serves Ingress, it alone is exposed, and leads to the others.
    /// LMTP stays inside in every case.
    #[serde(default, rename = "type")]
    pub type_: ExposureType,

    /// With `type: Gateway`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayExposure>,

    /// With `type: LoadBalancer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancerExposure>,

    /// What speaks HTTP (DAV) goes by an Ingress of an ingress controller that you run, whatever else says `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressExposure>,
}

/// An Ingress.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IngressExposure {
    /// ingressClassName. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Annotations of the Ingress, in place of or beside those that let large bodies and slow answers through.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,

    /// Host names. Default: tls' dnsNames; without these, every name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub hosts: Vec<String>,
}

/// How clients come in.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ExposureType {
    /// Services inside the cluster only.
    #[default]
    ClusterIP,
    /// LoadBalancer Services.
    LoadBalancer,
    /// Routes of a Gateway.
    Gateway,
}

/// Routes of a Gateway.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GatewayExposure {
    /// The Gateways that take the routes. A route asks for the listener whose port is the protocol's own.
    #[schemars(length(min = 1, max = 8))]
    pub parent_refs: Vec<ParentRef>,
}

/// A Gateway.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// Its namespace. Default: that of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// LoadBalancer Services.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("self.sourceRanges.all(c, isCIDR(c))", "loadBalancer.sourceRanges: networks such as 10.0.0.0/8")
)]
pub struct LoadBalancerExposure {
    /// loadBalancerClass of the Services. Unset: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub class: Option<String>,

    /// Annotations of the Services.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,

    /// Networks that may come in. Default: all.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub source_ranges: Vec<String>,

    /// `Local` (default) keeps the client's address; `Cluster` spreads better and loses it.
    #[serde(default)]
    pub external_traffic_policy: TrafficPolicy,
}

/// Where a Service sends what comes from outside.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum TrafficPolicy {
    /// To pods on the node that it came to.
    #[default]
    Local,
    /// To any pod.
    Cluster,
}

impl TrafficPolicy {
    /// As the Kubernetes API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "Local",
            Self::Cluster => "Cluster",
        }
    }
}

/// Whether a balancer in front tells the client's address by the PROXY protocol.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "self.mode == 'Disabled' || self.trustedCIDRs.size() > 0",
        "proxyProtocol: say in trustedCIDRs where the balancers are"
    ),
    validation = ("self.trustedCIDRs.all(c, isCIDR(c))", "proxyProtocol.trustedCIDRs: networks such as 10.0.0.0/8")
)]
pub struct ProxyProtocol {
    /// `Disabled` (default), or `Enabled`: connections from trustedCIDRs must begin with a header of version 1 or 2,
    /// connections from elsewhere must not.
    #[serde(default)]
    pub mode: ProxyProtocolMode,

    /// Networks of the balancers.
    #[serde(default, rename = "trustedCIDRs")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub trusted_cidrs: Vec<String>,
}

/// Which proxies of HTTP are believed about the client's address.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = ("self.trustedCIDRs.all(c, isCIDR(c))", "forwardedHeaders.trustedCIDRs: networks such as 10.0.0.0/8")
)]
pub struct ForwardedHeaders {
    /// Networks of proxies (an ingress controller, a Gateway) whose `X-Forwarded-For` is believed; from anybody else it
    /// is thrown away. The limits for one address do not hold for these proxies, but for the clients that they name.
    #[serde(default, rename = "trustedCIDRs")]
    #[schemars(length(max = 64), inner(length(max = 64)))]
    pub trusted_cidrs: Vec<String>,
}

/// Whether the PROXY protocol is spoken.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ProxyProtocolMode {
    /// It is not.
    #[default]
    Disabled,
    /// It is, from trusted networks.
    Enabled,
}

/// Whether there are network policies.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum NetworkPolicyMode {
    /// There are.
    #[default]
    Enforced,
    /// There are none.
    Disabled,
}

/// IP families of Services.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Both where the cluster has both.
    #[default]
    PreferDualStack,
    /// Both.
    RequireDualStack,
}

impl IpFamilyPolicy {
    /// As the Kubernetes API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleStack => "SingleStack",
            Self::PreferDualStack => "PreferDualStack",
            Self::RequireDualStack => "RequireDualStack",
        }
    }
}

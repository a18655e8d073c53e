//! Logs, metrics and what watches them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Logs, metrics and what watches them.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Observability {
    /// How much is logged: Error, Warn, Info (default) or Debug. Changing it restarts all pools, politely.
    #[serde(default)]
    pub log_level: LogLevel,

    /// A ServiceMonitor, where the API of the Prometheus operator exists.
    #[serde(default)]
    pub service_monitor: Insight,

    /// A PrometheusRule with alerts, where the API of the Prometheus operator exists.
    #[serde(default)]
    pub prometheus_rule: Insight,
}

/// An object for the Prometheus operator.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Insight {
    /// Whether it is made. Default: false.
    #[serde(default)]
    pub enabled: bool,

    /// Labels of it, by which your Prometheus finds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// How much is logged.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum LogLevel {
    /// What an administrator must see.
    Error,
    /// And what may become that.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And clients' mistakes.
    Debug,
}

impl LogLevel {
    /// As programs spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

//! ServiceMonitor and PrometheusRule, where they are asked for and the Prometheus operator's API exists.

use crate::apis::Optional;
use crate::apply::Object;
use crate::children::INSTANCE;
use crate::deployment::names::SHARED;
use crate::deployment::validate::Valid;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kontor_crds::groupware_deployment::Insight;
use serde_json::json;

/// Those that are wanted and possible.
pub fn build(valid: &Valid) -> Vec<Object> {
    let observability = &valid.spec.observability;
    [service_monitor(valid, &observability.service_monitor), rule(valid, &observability.prometheus_rule)]
        .into_iter()
        .flatten()
        .collect()
}

fn meta(valid: &Valid, insight: &Insight) -> ObjectMeta {
    let mut meta = valid.identity.meta(&valid.identity.name, SHARED);
    if let Some(labels) = &mut meta.labels {
        for (key, value) in &insight.labels {
            labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    meta
}

fn service_monitor(valid: &Valid, insight: &Insight) -> Option<Object> {
    let resource = valid.apis.get(&Optional::ServiceMonitor).filter(|_| insight.enabled)?;
    // The headless Services have the same pods; one of the two is enough.
    let spec = json!({
        "selector": { "matchLabels": { INSTANCE: valid.identity.name } },
        "namespaceSelector": { "matchNames": [valid.identity.namespace] },
        "endpoints": [{
            "port": "monitor", "path": "/metrics", "interval": "30s",
            "relabelings": [{
                "sourceLabels": ["__meta_kubernetes_service_name"], "regex": ".*-headless", "action": "keep",
            }],
        }],
    });
    Some(Object::new(resource.clone(), json!({ "metadata": meta(valid, insight), "spec": spec })))
}

fn rule(valid: &Valid, insight: &Insight) -> Option<Object> {
    let resource = valid.apis.get(&Optional::PrometheusRule).filter(|_| insight.enabled)?;
    let namespace = &valid.identity.namespace;
    let alert =
        |name: &str, expression: String, minutes: u32, severity: &str, summary: &str, runbook: &str| {
            json!({
                "alert": name, "expr": expression, "for": format!("{minutes}m"),
                "labels": { "severity": severity, "deployment": valid.identity.name },
                "annotations": { "summary": summary, "runbook": runbook },
            })
        };
    let rules = [
        alert(
            "KontorStoreErrors",
            format!(
                "sum(rate(kontor_store_calls_total{{namespace=\"{namespace}\",outcome!=\"ok\"}}[5m])) > 1"
            ),
            10,
            "warning",
            "Storage nodes answer with errors.",
            "See condition DatabaseReady and ObjectStoreReady of the GroupwareDeployment, then the storage nodes' logs.",
        ),
        alert(
            "KontorConnectionsRefused",
            format!(
                "sum by (pod) (rate(kontor_connections_refused_total{{namespace=\"{namespace}\"}}[5m])) > 1"
            ),
            10,
            "warning",
            "A gateway turns clients away.",
            "Look at the reason label: raise replicas or maxConnections when it is a limit of the pool.",
        ),
        alert(
            "KontorCertificateReloadFailed",
            format!(
                "increase(kontor_tls_reloads_total{{namespace=\"{namespace}\",result=\"error\"}}[1h]) > 0"
            ),
            5,
            "critical",
            "A changed certificate cannot be used; the former one still serves, until its end.",
            "Compare tls.crt and tls.key of the Secret in spec.tls: they must belong together.",
        ),
    ];
    let spec = json!({ "groups": [{ "name": format!("kontor.{}", valid.identity.name), "rules": rules }] });
    Some(Object::new(resource.clone(), json!({ "metadata": meta(valid, insight), "spec": spec })))
}

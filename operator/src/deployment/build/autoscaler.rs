//! HorizontalPodAutoscalers: by CPU, and by the open connections that the operator serves as an external metric.

use crate::deployment::names::STORAGE_NODE;
use crate::deployment::validate::Valid;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, ExternalMetricSource, HPAScalingPolicy, HPAScalingRules,
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricIdentifier,
    MetricSpec, MetricTarget, ResourceMetricSource,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kontor_crds::groupware_deployment::Autoscaling;
use std::collections::BTreeMap;

/// One for every component that is scaled by load.
pub fn build(valid: &Valid) -> Vec<HorizontalPodAutoscaler> {
    let nodes = valid.spec.storage.nodes.autoscaling.as_ref().map(|autoscaling| {
        let cpu = autoscaling.target_cpu_utilization_percent.unwrap_or(70);
        autoscaler(valid, STORAGE_NODE, autoscaling, vec![by_cpu(cpu)])
    });
    let pools = valid.spec.gateways.iter().filter_map(|pool| {
        let autoscaling = pool.autoscaling.as_ref()?;
        let mut metrics: Vec<_> =
            autoscaling.target_cpu_utilization_percent.map(by_cpu).into_iter().collect();
        let connections =
            autoscaling.target_connections_per_pod.or_else(|| metrics.is_empty().then_some(5000));
        metrics.extend(connections.map(|connections| by_connections(valid, &pool.name, connections)));
        Some(autoscaler(valid, &pool.name, autoscaling, metrics))
    });
    nodes.into_iter().chain(pools).collect()
}

fn autoscaler(
    valid: &Valid,
    component: &str,
    autoscaling: &Autoscaling,
    metrics: Vec<MetricSpec>,
) -> HorizontalPodAutoscaler {
    let name = valid.identity.child(component);
    HorizontalPodAutoscaler {
        metadata: valid.identity.meta(&name, component),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".into()),
                kind: "Deployment".into(),
                name,
            },
            min_replicas: Some(autoscaling.min_replicas),
            max_replicas: autoscaling.max_replicas,
            metrics: Some(metrics),
            behavior: Some(autoscaling.behavior.clone().unwrap_or_else(slowly_down)),
        }),
        status: None,
    }
}

fn by_cpu(percent: i32) -> MetricSpec {
    MetricSpec {
        type_: "Resource".into(),
        resource: Some(ResourceMetricSource {
            name: "cpu".into(),
            target: MetricTarget {
                type_: "Utilization".into(),
                average_utilization: Some(percent),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn by_connections(valid: &Valid, pool: &str, connections: i32) -> MetricSpec {
    let labels = [("deployment", valid.identity.name.as_str()), ("pool", pool)];
    let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    MetricSpec {
        type_: "External".into(),
        external: Some(ExternalMetricSource {
            metric: MetricIdentifier {
                name: CONNECTIONS.into(),
                selector: Some(LabelSelector { match_labels: Some(labels), match_expressions: None }),
            },
            target: MetricTarget {
                type_: "AverageValue".into(),
                average_value: Some(Quantity(connections.to_string())),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

/// Connections are long: a pod less means goodbyes to all who are on it.
fn slowly_down() -> HorizontalPodAutoscalerBehavior {
    HorizontalPodAutoscalerBehavior {
        scale_up: None,
        scale_down: Some(HPAScalingRules {
            stabilization_window_seconds: Some(600),
            select_policy: Some("Max".into()),
            policies: Some(vec![HPAScalingPolicy { type_: "Pods".into(), value: 1, period_seconds: 120 }]),
            ..HPAScalingRules::default()
        }),
    }
}

/// The metric of open connections.
pub const CONNECTIONS: &str = "kontor_connections_open";

//! PodDisruptionBudgets: a drained node never takes a pool away.

use crate::deployment::names::STORAGE_NODE;
use crate::deployment::validate::Valid;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kontor_crds::groupware_deployment::DisruptionBudget;

/// One for every component with more than one pod, and where one is asked for.
pub fn build(valid: &Valid) -> Vec<PodDisruptionBudget> {
    let nodes = &valid.spec.storage.nodes;
    let storage = (STORAGE_NODE, nodes.wanted(), nodes.pod_disruption_budget.as_ref());
    let pools = valid
        .spec
        .gateways
        .iter()
        .map(|pool| (pool.name.as_str(), pool.wanted(), pool.pod_disruption_budget.as_ref()));
    std::iter::once(storage)
        .chain(pools)
        .filter(|(_, pods, given)| *pods > 1 || given.is_some())
        .map(|(component, _, given)| budget(valid, component, given))
        .collect()
}

fn budget(valid: &Valid, component: &str, given: Option<&DisruptionBudget>) -> PodDisruptionBudget {
    let (min_available, max_unavailable) = match given {
        Some(given) => (given.min_available.clone(), given.max_unavailable.clone()),
        None => (None, Some(IntOrString::Int(1))),
    };
    PodDisruptionBudget {
        metadata: valid.identity.meta(&valid.identity.child(component), component),
        spec: Some(PodDisruptionBudgetSpec {
            min_available,
            max_unavailable,
            selector: Some(valid.identity.selector(component)),
            // A pod that does not serve anyway must not keep a node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
        }),
        status: None,
    }
}

//! The directory resources that are not well.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kontor_crds::groupware_deployment::DirectoryStatus;
use kontor_crds::{DistributionGroup, GroupwareDeployment, MailDomain, Mailbox, ResourceMailbox, Tenant};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A resource that is not Ready.
#[derive(Clone, Debug)]
pub struct Unwell {
    /// Kind and name.
    pub about: String,
    /// Its condition Ready.
    pub condition: Condition,
}

/// The resources in the deployment's namespace that are not well; at most [`MOST`] of a kind. Nothing is listed while
/// the operator counts none: there may be very many.
pub async fn unwell(
    client: &Client,
    deployment: &GroupwareDeployment,
    counts: &DirectoryStatus,
) -> Vec<Unwell> {
    if counts.failed.unwrap_or(1) == 0 && counts.pending.unwrap_or(1) == 0 {
        return Vec::new();
    }
    let namespace = deployment.namespace().unwrap_or_default();
    let mut found = Vec::new();
    found.extend(
        of_kind::<Tenant>(client, &namespace, |o| conditions(o.status.as_ref().map(|s| &s.conditions))).await,
    );
    found.extend(
        of_kind::<MailDomain>(client, &namespace, |o| conditions(o.status.as_ref().map(|s| &s.conditions)))
            .await,
    );
    found.extend(
        of_kind::<Mailbox>(client, &namespace, |o| conditions(o.status.as_ref().map(|s| &s.conditions)))
            .await,
    );
    found.extend(
        of_kind::<DistributionGroup>(client, &namespace, |o| {
            conditions(o.status.as_ref().map(|s| &s.conditions))
        })
        .await,
    );
    found.extend(
        of_kind::<ResourceMailbox>(client, &namespace, |o| {
            conditions(o.status.as_ref().map(|s| &s.conditions))
        })
        .await,
    );
    found
}

fn conditions(conditions: Option<&Vec<Condition>>) -> &[Condition] {
    conditions.map_or(&[], Vec::as_slice)
}

async fn of_kind<K>(client: &Client, namespace: &str, conditions: fn(&K) -> &[Condition]) -> Vec<Unwell>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let mut parameters = ListParams::default().limit(500);
    let mut found = Vec::new();
    // Who may not list a kind sees the count of it in the deployment's status all the same.
    while let Ok(page) = api.list(&parameters).await {
        for object in &page.items {
            let ready = conditions(object).iter().find(|c| c.type_ == "Ready" && c.status == "False");
            if let Some(condition) = ready {
                let about = format!("{}/{}", K::kind(&()), object.name_any());
                found.push(Unwell { about, condition: condition.clone() });
            }
            if found.len() == MOST {
                return found;
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => break,
        }
    }
    found
}

/// More of a kind say nothing new.
const MOST: usize = 5;

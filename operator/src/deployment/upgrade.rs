//! Step 4 (pure): how far an installation or an upgrade is, and so which workloads may be built now.
//!
//! The schema comes first. Until its Job is done, workloads are left exactly as they are: old versions work on the new
//! schema, new versions not on the old. Then storage nodes, and when all of them are of the new version, gateways.

use super::build::{Stage, job};
use super::names::{DATABASE, OBJECT_STORE, STORAGE_NODE};
use super::validate::Valid;
use super::view::{JobState, View};

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What may be built.
    pub stage: Stage,
    /// The migration Job of what is asked for.
    pub migration: Option<JobState>,
    /// Whether Deployments that exist are to be left as they are.
    pub hold: bool,
}

/// Looks.
pub fn progress(valid: &Valid, view: &View) -> Progress {
    let identity = &valid.identity;
    let target = &valid.spec.image.tag;
    let embedded = valid.embedded().is_some();
    let dependencies =
        !embedded || (view.serves(&identity.child(DATABASE)) && view.serves(&identity.child(OBJECT_STORE)));
    let migration = view.job(&job::name(valid));
    if migration != Some(JobState::Complete) {
        // A Job that is there stays, whatever its dependencies do meanwhile.
        let stage = Stage { dependencies: dependencies || migration.is_some(), ..Stage::default() };
        return Progress { stage, migration, hold: true };
    }
    let storage = view.workload(&identity.child(STORAGE_NODE));
    let storage_done = storage.is_some_and(|nodes| nodes.tag == *target && nodes.rolled_out);
    let old = valid
        .spec
        .gateways
        .iter()
        .filter_map(|pool| view.workload(&identity.child(&pool.name)))
        .map(|pool| pool.tag)
        .find(|tag| tag != target);
    let gateways = match old {
        Some(old) if !storage_done => old,
        _ => target.clone(),
    };
    let stage = Stage { storage: Some(target.clone()), gateways: Some(gateways), dependencies: true };
    Progress { stage, migration, hold: false }
}

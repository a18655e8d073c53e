//! One replica leads: a `coordination.k8s.io/v1` Lease.
//!
//! Every write carries the resourceVersion that was read, so that of two contenders one is refused. Whether a holder is
//! gone is decided by this process's own clock: a Lease that has not changed for its duration. Who cannot renew in time
//! has lost it, and the process must end: see [`Lease::hold`].

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;

/// A Lease and who we are.
pub struct Lease {
    api: Api<Object>,
    name: String,
    identity: String,
}

/// The Lease is somebody else's, or may be.
#[derive(Debug, Error)]
#[error("lost the lease {name}: {reason}")]
pub struct Lost {
    name: String,
    reason: String,
}

impl Lease {
    /// `identity` must differ between replicas.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), identity: identity.to_owned() }
    }

    /// Waits until this process leads.
    pub async fn acquire(&self) {
        // What was seen last, and since when.
        let mut seen: Option<(Option<String>, Instant)> = None;
        loop {
            match self.attempt(&mut seen).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, lease = %self.name, "cannot read or write the lease"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Keeps the Lease. Returns only when it is lost; the process must end then, at once.
    pub async fn hold(&self) -> Lost {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RETRY).await;
            let deadline = renewed + RENEW_DEADLINE;
            let begun = Instant::now();
            match tokio::time::timeout_at(deadline, self.renew()).await {
                Ok(Ok(())) => renewed = begun,
                Ok(Err(Renewal::Taken(holder))) => return self.lost(format!("{holder} holds it")),
                Ok(Err(Renewal::Failed(error))) if Instant::now() < deadline => {
                    tracing::warn!(%error, lease = %self.name, "cannot renew the lease");
                }
                Ok(Err(Renewal::Failed(error))) => return self.lost(error.to_string()),
                Err(_) => return self.lost("the API server did not answer in time".to_owned()),
            }
        }
    }

    /// Lets go, so that the next one need not wait.
    pub async fn release(&self) {
        let released = async {
            let mut object = self.api.get(&self.name).await?;
            if holder(&object) != Some(&self.identity) {
                return Ok(());
            }
            if let Some(spec) = &mut object.spec {
                spec.holder_identity = None;
            }
            self.api.replace(&self.name, &PostParams::default(), &object).await.map(drop)
        };
        match tokio::time::timeout(RETRY, released).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error: kube::Error = error;
                tracing::warn!(%error, lease = %self.name, "cannot release the lease");
            }
            Err(_) => tracing::warn!(lease = %self.name, "releasing the lease took too long"),
        }
    }

    async fn attempt(&self, seen: &mut Option<(Option<String>, Instant)>) -> Result<bool, kube::Error> {
        let Some(object) = self.api.get_opt(&self.name).await? else {
            let object = Object {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            return won(self.api.create(&PostParams::default(), &object).await);
        };
        let free = match holder(&object) {
            None | Some("") => true,
            // An earlier life of this very replica.
            Some(holder) if holder == self.identity => true,
            Some(_) => {
                let version = object.metadata.resource_version.clone();
                let duration = object.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
                let duration =
                    duration.map_or(DURATION, |s| Duration::from_secs(u64::try_from(s).unwrap_or(0)));
                match seen {
                    Some((known, since)) if *known == version => since.elapsed() > duration,
                    _ => {
                        *seen = Some((version, Instant::now()));
                        false
                    }
                }
            }
        };
        if !free {
            return Ok(false);
        }
        let transitions = object.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let taken = Object { spec: Some(self.spec(transitions.saturating_add(1))), ..object };
        won(self.api.replace(&self.name, &PostParams::default(), &taken).await)
    }

    async fn renew(&self) -> Result<(), Renewal> {
        let mut object = self.api.get(&self.name).await.map_err(Renewal::Failed)?;
        match holder(&object) {
            Some(holder) if holder == self.identity => {}
            holder => return Err(Renewal::Taken(holder.unwrap_or("nobody").to_owned())),
        }
        if let Some(spec) = &mut object.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        // Refused when somebody else wrote in between; the next round sees who.
        self.api.replace(&self.name, &PostParams::default(), &object).await.map(drop).map_err(Renewal::Failed)
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    fn lost(&self, reason: String) -> Lost {
        Lost { name: self.name.clone(), reason }
    }
}

enum Renewal {
    Taken(String),
    Failed(kube::Error),
}

fn holder(object: &Object) -> Option<&str> {
    object.spec.as_ref()?.holder_identity.as_deref()
}

/// A refusal for the sake of the version means that another one was faster.
fn won(written: Result<Object, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// How long a Lease that is not renewed keeps others waiting.
const DURATION: Duration = Duration::from_secs(15);
/// How long a holder tries to renew; less than [`DURATION`], so that it has ended before the next one begins.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

//! The Kubernetes operator of Kontor: makes of a `GroupwareDeployment` running pods, and of tenants, domains and
//! mailboxes entries in its directory.
//!
//! Every controller is the same pipeline, a file for each step: `dereference` (client) fetches what a spec refers to,
//! `validate` (pure) makes of it something that can be built, `build` (pure) makes the desired objects, `apply` (client)
//! makes them so by server-side apply, `status` says what came of it. A reconcile of something unchanged writes nothing.
//!
//! It is not on the path of any mail: gateways and storage nodes need neither it nor the API server. It knows no SQL and
//! no S3; what it has to know of both it hears from storage nodes.
//!
//! Implements the conventions of the Kubernetes API (conditions, events, server-side apply, `coordination.k8s.io/v1`
//! leases, `external.metrics.k8s.io/v1beta1`).

#![warn(missing_docs)]

pub mod apis;
pub mod apply;
pub mod authority;
pub mod children;
pub mod cli;
pub mod conditions;
pub mod context;
pub mod deployment;
pub mod directory;
pub mod events;
pub mod external_metrics;
pub mod lease;
pub mod observe;
pub mod storage;

pub use context::{Context, Scope};

//! Custom resource types of `kontor.dev/v1alpha1`.
//!
//! A [`GroupwareDeployment`](groupware_deployment::GroupwareDeployment) is one installation; [`Tenant`], [`MailDomain`],
//! [`Mailbox`], [`DistributionGroup`] and [`ResourceMailbox`] are what its directory holds. This crate holds types,
//! schemas and CEL rules, and nothing that talks to a cluster. Documentation of fields is what `kubectl explain` shows.
//!
//! The YAML of the definitions is generated from here by `cargo run -p kontor-crds --bin crdgen`.
//!
//! ```
//! use kontor_crds::{Mailbox, definitions};
//! let mailbox: Mailbox = serde_json::from_value(serde_json::json!({
//!     "apiVersion": "kontor.dev/v1alpha1", "kind": "Mailbox", "metadata": {"name": "anna"},
//!     "spec": {"domainRef": {"name": "example-org"}, "primaryAddress": "anna@example.org"},
//! })).unwrap();
//! assert_eq!(mailbox.spec.primary_address.as_str(), "anna@example.org");
//! assert!(definitions().iter().any(|d| d.spec.names.short_names.as_deref() == Some(&["mbx".to_string()])));
//! ```

pub mod conditions;
mod definition;
mod distribution_group;
pub mod groupware_deployment;
mod mail_domain;
mod mailbox;
mod name;
mod reference;
mod resource_mailbox;
mod tenant;

pub use definition::{definition, definitions, to_yaml};
pub use distribution_group::*;
pub use groupware_deployment::{AllowedNamespaces, GroupwareDeployment, NamespacesFrom};
pub use mail_domain::*;
pub use mailbox::*;
pub use name::{DomainName, MailAddress, Size};
pub use reference::{Reference, SecretKeyReference};
pub use resource_mailbox::*;
pub use tenant::*;

/// The API group.
pub const GROUP: &str = "kontor.dev";
/// Annotation by which a resource takes over a directory entry that no resource declares.
pub const ADOPT_ANNOTATION: &str = "kontor.dev/adopt";
/// Finalizer of resources that have something in the directory.
pub const DIRECTORY_FINALIZER: &str = "kontor.dev/directory";

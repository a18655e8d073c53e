//! Custom resource types of `kontor.dev/v1alpha1`.

pub mod groupware_deployment;

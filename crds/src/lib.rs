//! Custom resource types of `kontor.dev/v1alpha1`.

//! Step 6: what came of it.

/// See [`crate::conditions`].
pub const CERTIFICATES_READY: &str = "CertificatesReady";
/// See [`crate::conditions`].
pub const ROUTES_ACCEPTED: &str = "RoutesAccepted";

//! The certificate that the outside sees.

use super::storage::SecretName;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The certificate that mail clients and other servers see: from cert-manager, from a Secret of yours, or from the
/// operator's own authority. Renewed certificates are taken up without a restart.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    cel,
    validation = (
        "[has(self.certManager), has(self.secretRef), has(self.selfSigned)].filter(x, x).size() <= 1",
        "tls: one of certManager, secretRef and selfSigned"
    )
)]
pub struct ServerTls {
    /// A certificate that cert-manager issues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManager>,

    /// A Secret of type kubernetes.io/tls in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,

    /// A certificate from the operator's own authority, which clients do not know. The default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSigned>,
}

/// A certificate that cert-manager issues.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CertManager {
    /// Who issues it.
    pub issuer_ref: IssuerRef,

    /// Names in it, the one that clients are told first.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 253)))]
    pub dns_names: Vec<String>,

    /// How long it is valid, such as `2160h`. Default: cert-manager's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,

    /// How long before its end it is renewed, such as `720h`. Default: cert-manager's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub renew_before: Option<String>,
}

/// An issuer of cert-manager.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// `Issuer` (default) or `ClusterIssuer`, or the kind of an external issuer.
    #[serde(default = "default_issuer_kind")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,

    /// API group. Default: cert-manager.io.
    #[serde(default = "default_issuer_group")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

/// A certificate from the operator's own authority.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SelfSigned {
    /// Names in it, beside those of the Services. Default: none.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(min = 1, max = 253)))]
    pub dns_names: Vec<String>,
}

impl ServerTls {
    /// The names that the certificate is asked for, as far as this object says.
    pub fn dns_names(&self) -> &[String] {
        match (&self.cert_manager, &self.self_signed) {
            (Some(cert_manager), _) => &cert_manager.dns_names,
            (None, Some(own)) => &own.dns_names,
            (None, None) => &[],
        }
    }
}

fn default_issuer_kind() -> String {
    "Issuer".to_owned()
}

fn default_issuer_group() -> String {
    "cert-manager.io".to_owned()
}

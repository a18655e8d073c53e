//! The certificates and kubeconfigs of a cluster.

use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

/// A CA of the cluster and the folder that everything it signs is written to.
pub struct Authority {
    folder: PathBuf,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes `NAME.crt` and `NAME.key` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Result<Self> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        parameters.distinguished_name.push(DnType::CommonName, format!("kontor-e2e {name}"));
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?.pem();
        std::fs::write(folder.join(format!("{name}.crt")), &certificate)?;
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        Ok(Self { folder: folder.to_owned(), certificate, issuer: Issuer::new(parameters, key) })
    }

    /// Makes `FILE.crt` and `FILE.key` for a server with these names and addresses. It is good for a client too:
    /// the kubelet uses one for both.
    pub fn server(&self, file: &str, common_name: &str, names: &[&str]) -> Result<()> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.issue(file, CertificateParams::new(names)?, common_name, None)?;
        Ok(())
    }

    /// Makes `FILE.crt` and `FILE.key` for a client.
    pub fn client(&self, file: &str, common_name: &str, group: Option<&str>) -> Result<(String, String)> {
        self.issue(file, CertificateParams::new(Vec::new())?, common_name, group)
    }

    /// Makes `FILE.kubeconfig`: a client of the API server at `server` with a new certificate of this CA.
    pub fn kubeconfig(
        &self,
        file: &str,
        server: &str,
        common_name: &str,
        group: Option<&str>,
    ) -> Result<PathBuf> {
        let (certificate, key) = self.client(file, common_name, group)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kontor-e2e", "cluster": {
                "server": server,
                "certificate-authority-data": BASE64_STANDARD.encode(&self.certificate),
            }}],
            "users": [{"name": common_name, "user": {
                "client-certificate-data": BASE64_STANDARD.encode(certificate),
                "client-key-data": BASE64_STANDARD.encode(key),
            }}],
            "contexts": [{"name": "kontor-e2e", "context": {"cluster": "kontor-e2e", "user": common_name}}],
            "current-context": "kontor-e2e",
        });
        let path = self.folder.join(format!("{file}.kubeconfig"));
        // JSON is YAML.
        std::fs::write(&path, serde_json::to_vec_pretty(&config)?)?;
        Ok(path)
    }

    fn issue(
        &self,
        file: &str,
        mut parameters: CertificateParams,
        common_name: &str,
        group: Option<&str>,
    ) -> Result<(String, String)> {
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        if let Some(group) = group {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        let key = key.serialize_pem();
        std::fs::write(self.folder.join(format!("{file}.crt")), &certificate)?;
        std::fs::write(self.folder.join(format!("{file}.key")), &key)?;
        Ok((certificate, key))
    }
}

/// Makes the key that signs the tokens of service accounts, `service-account.key`, and the public one that checks
/// them, `service-account.pub`.
pub fn service_account_key(folder: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    std::fs::write(folder.join("service-account.key"), key.serialize_pem())?;
    std::fs::write(folder.join("service-account.pub"), key.public_key_pem())?;
    Ok(())
}

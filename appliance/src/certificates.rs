//! The private CA, and the server's certificate that it signs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kontor_gateway_core::TlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::data::write_atomically;

/// What a server without certificates of its own shows.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The CA's certificate, for clients to trust.
    pub ca: PathBuf,
    /// The server's.
    pub tls: TlsConfig,
}

impl Certificates {
    /// The ones in `folder`, made where they are missing, and the server's made anew when it ends soon or does not name
    /// `hostname`.
    pub fn prepare(folder: &Path, hostname: &str) -> Result<Self> {
        if !folder.exists() {
            std::fs::DirBuilder::new().mode(0o711).create(folder)?;
        }
        let (ca, ca_key) = (folder.join("ca.pem"), folder.join("ca.key"));
        if !(ca.exists() && ca_key.exists()) {
            make_ca(&ca, &ca_key)?;
        }
        let (server, key) = (folder.join("server.pem"), folder.join("server.key"));
        let names = folder.join("server.names");
        let wanted = names_of(hostname).join("\n");
        if !(server.exists() && key.exists())
            || is_old(&server)
            || std::fs::read_to_string(&names).ok().as_ref() != Some(&wanted)
        {
            let text = std::fs::read_to_string(&ca_key).context("cannot read the CA's key")?;
            let signer = KeyPair::from_pem(&text).context("the CA's key is damaged")?;
            let text = std::fs::read_to_string(&ca).context("cannot read the CA")?;
            let issuer = Issuer::from_ca_cert_pem(&text, signer).context("the CA is damaged")?;
            make_server(&issuer, &text, hostname, &server, &key)?;
            write_atomically(&names, wanted.as_bytes(), 0o600)?;
        }
        Ok(Self { ca, tls: TlsConfig::of(server, key) })
    }
}

fn make_ca(certificate: &Path, key: &Path) -> Result<()> {
    let pair = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name.push(DnType::CommonName, "Kontor private CA");
    parameters.distinguished_name.push(DnType::OrganizationName, "Kontor");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (parameters.not_before, parameters.not_after) = span(3650);
    let signed = parameters.self_signed(&pair)?;
    write_atomically(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_atomically(certificate, signed.pem().as_bytes(), 0o644)
}

fn make_server(
    issuer: &Issuer<'_, KeyPair>,
    ca: &str,
    hostname: &str,
    certificate: &Path,
    key: &Path,
) -> Result<()> {
    let pair = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(names_of(hostname))?;
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        parameters.subject_alt_names.push(SanType::IpAddress(ip));
    }
    parameters.distinguished_name.push(DnType::CommonName, "Kontor");
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (parameters.not_before, parameters.not_after) = span(DAYS);
    let signed = parameters.signed_by(&pair, issuer)?;
    write_atomically(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write_atomically(certificate, format!("{}{ca}", signed.pem()).as_bytes(), 0o644)
}

/// `localhost` and the machine's name, when it can stand in a certificate.
fn names_of(hostname: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let plain = hostname.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if plain && !hostname.is_empty() && hostname != "localhost" {
        names.push(hostname.to_ascii_lowercase());
    }
    names
}

fn span(days: i64) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    // A day of grace for clocks that go slow.
    (now - Duration::days(1), now + Duration::days(days))
}

/// By the file's age: it was made by us, for a known time.
fn is_old(certificate: &Path) -> bool {
    let age = std::fs::metadata(certificate)
        .and_then(|found| found.modified())
        .map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > std::time::Duration::from_secs(86_400 * (DAYS.unsigned_abs() - 30)))
}

/// Apple's clients take no certificate that is good for longer than 825 days.
const DAYS: i64 = 397;

#[cfg(test)]
mod tests {
    use super::*;
    use kontor_gateway_core::TlsServer;
    use kontor_gateway_core::tls::client_config;

    #[test]
    fn made_once_and_usable() {
        let folder = tempfile::tempdir().expect("folder");
        let tls = folder.path().join("tls");
        let made = Certificates::prepare(&tls, "box.example").expect("made");
        TlsServer::load(&made.tls).expect("a server can use it");
        client_config(&made.ca, None).expect("a client can trust it");
        let before = std::fs::read(tls.join("server.pem")).expect("there");
        Certificates::prepare(&tls, "box.example").expect("there already");
        assert_eq!(std::fs::read(tls.join("server.pem")).expect("there"), before);
        let ca = std::fs::read(&made.ca).expect("there");
        Certificates::prepare(&tls, "other.example").expect("made anew");
        assert_ne!(std::fs::read(tls.join("server.pem")).expect("there"), before);
        assert_eq!(std::fs::read(&made.ca).expect("there"), ca, "clients trust it already");
    }
}

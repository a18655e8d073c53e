//! The operator's own certificate authority: one for each deployment, for what its pods say to each other, and for the
//! outside where nobody has a better one.
//!
//! Pure but for the randomness of keys. Certificates and keys are PEM.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, PEM.
    pub certificate: String,
    /// The key, PEM.
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// What a certificate is asked to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Common name.
    pub common_name: String,
    /// DNS names.
    pub dns_names: Vec<String>,
}

/// A certificate cannot be made or read.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// It cannot be made.
    #[error("cannot make a certificate for {name}")]
    Make {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// It is none.
    #[error("not a certificate: {0}")]
    Read(String),
}

/// A new authority.
///
/// # Errors
/// When there is no randomness.
pub fn found(name: &str, now: Timestamp) -> Result<Pair, AuthorityError> {
    let failed = |source| AuthorityError::Make { name: name.to_owned(), source };
    let mut params = params(name, now, AUTHORITY_LIFE);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A certificate for a server and a client, signed by `authority`.
///
/// # Errors
/// When the authority cannot be used or a name is none.
pub fn issue(authority: &Pair, request: &Request, now: Timestamp) -> Result<Pair, AuthorityError> {
    let failed = |source| AuthorityError::Make { name: request.common_name.clone(), source };
    let signer = KeyPair::from_pem(&authority.key).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, signer).map_err(failed)?;
    let mut params = params(&request.common_name, now, LEAF_LIFE);
    for name in &request.dns_names {
        params.subject_alt_names.push(rcgen::SanType::DnsName(name.as_str().try_into().map_err(failed)?));
    }
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Whether `leaf` is of `authority`, says what is asked, and is not near its end.
pub fn is_good(leaf: &Pair, authority: &Pair, request: &Request, now: Timestamp) -> bool {
    let Ok((der, issuer)) = der(&leaf.certificate).and_then(|leaf| Ok((leaf, der(&authority.certificate)?)))
    else {
        return false;
    };
    let (Ok((_, leaf)), Ok((_, issuer))) =
        (x509_parser::parse_x509_certificate(&der), x509_parser::parse_x509_certificate(&issuer))
    else {
        return false;
    };
    let signed = leaf.verify_signature(Some(issuer.public_key())).is_ok();
    let named = leaf.subject().iter_common_name().any(|name| name.as_str() == Ok(&request.common_name));
    signed
        && named
        && names(&leaf) == request.dns_names
        && !is_due(leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp(), now)
}

/// Whether an authority is one and not near its end.
pub fn is_good_authority(authority: &Pair, now: Timestamp) -> bool {
    let Ok(der) = der(&authority.certificate) else { return false };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
    let validity = certificate.validity();
    KeyPair::from_pem(&authority.key).is_ok()
        && certificate.is_ca()
        && !is_due(validity.not_before.timestamp(), validity.not_after.timestamp(), now)
}

/// When the first certificate in a PEM text ends.
///
/// # Errors
/// When it is none.
pub fn not_after(pem: &str) -> Result<Timestamp, AuthorityError> {
    let der = der(pem)?;
    let (_, certificate) =
        x509_parser::parse_x509_certificate(&der).map_err(|error| AuthorityError::Read(error.to_string()))?;
    Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|error| AuthorityError::Read(error.to_string()))
}

fn der(pem: &str) -> Result<Vec<u8>, AuthorityError> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes())
        .map_err(|error| AuthorityError::Read(error.to_string()))?;
    Ok(pem.contents)
}

fn names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = names.value.general_names.iter().filter_map(|name| match name {
        x509_parser::extensions::GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}

/// After two thirds of its life a certificate is renewed.
fn is_due(from: i64, to: i64, now: Timestamp) -> bool {
    now.as_second() > to.saturating_sub(to.saturating_sub(from) / 3)
}

fn params(name: &str, now: Timestamp, life: SignedDuration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let at = |when: Timestamp| {
        time::OffsetDateTime::from_unix_timestamp(when.as_second())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    // Clocks of nodes differ.
    params.not_before = at(now - SignedDuration::from_mins(5));
    params.not_after = at(now + life);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_good_until_two_thirds_of_its_life_and_only_of_its_authority() {
        let now = Timestamp::from_second(1_800_000_000).expect("in range");
        let authority = found("kontor groupware", now).expect("an authority");
        let request = Request { common_name: "kontor-gateway-imap".into(), dns_names: vec!["a.b".into()] };
        let leaf = issue(&authority, &request, now).expect("a leaf");
        assert!(is_good_authority(&authority, now));
        assert!(is_good(&leaf, &authority, &request, now));
        assert!(is_good(&leaf, &authority, &request, now + SignedDuration::from_hours(24 * 240)));
        assert!(!is_good(&leaf, &authority, &request, now + SignedDuration::from_hours(24 * 250)));
        let another = Request { dns_names: vec!["c.d".into()], ..request.clone() };
        assert!(!is_good(&leaf, &authority, &another, now));
        let stranger = found("kontor groupware", now).expect("an authority");
        assert!(!is_good(&leaf, &stranger, &request, now));
        assert_eq!(not_after(&leaf.certificate).expect("a certificate"), now + LEAF_LIFE);
    }
}

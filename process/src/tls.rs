//! TLS for servers and for our own clients: rustls with ring, TLS 1.2 and 1.3, files that are read again when they
//! change.

use crate::drain::Drain;
use parking_lot::RwLock;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How a server shows who it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates with their keys. A client gets the one that is valid for the name it asks for (SNI), else the
    /// first.
    pub certificates: Vec<CertificateFiles>,
    /// Ask for a client certificate signed by one of these (PEM), and refuse a client without one.
    pub client_ca: Option<PathBuf>,
    /// How long a handshake may take.
    #[serde(deserialize_with = "crate::config::duration")]
    pub handshake: Duration,
    /// How often the files are looked at.
    #[serde(deserialize_with = "crate::config::duration")]
    pub reload: Duration,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            client_ca: None,
            handshake: Duration::from_secs(20),
            reload: Duration::from_secs(5),
        }
    }
}

impl TlsConfig {
    /// One certificate, everything else as by default.
    pub fn of(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let files = CertificateFiles { certificate: certificate.into(), key: key.into() };
        Self { certificates: vec![files], ..Self::default() }
    }
}

/// A certificate chain (PEM, leaf first) and its private key (PEM: PKCS#8, PKCS#1 or SEC1).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// The server's side of TLS, with what its files say now. Shared by all listeners with the same certificates.
pub struct TlsServer {
    config: TlsConfig,
    tickets: Arc<dyn ProducesTickets>,
    provider: Arc<CryptoProvider>,
    alpn: Vec<Vec<u8>>,
    current: RwLock<Current>,
}

struct Current {
    server: Arc<ServerConfig>,
    /// What was tried last, whether or not it was any good.
    tried: Vec<Stamp>,
    /// Whether the last try failed and the one before is still in use.
    stale: bool,
}

impl TlsServer {
    /// Reads the files. ALPN is left out, as mail protocols do.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load(config: &TlsConfig) -> Result<Arc<Self>, TlsError> {
        Self::load_with_alpn(config, &[])
    }

    /// As [`TlsServer::load`], with the application protocols to offer, best first (`h2`, `http/1.1`).
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load_with_alpn(config: &TlsConfig, alpn: &[&str]) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let tickets = ring::Ticketer::new().map_err(TlsError::Setup)?;
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        let tried = stamps(config);
        let server = build(config, &provider, &tickets, &alpn)?;
        let current = RwLock::new(Current { server, tried, stale: false });
        Ok(Arc::new(Self { config: config.clone(), tickets, provider, alpn, current }))
    }

    /// What a new connection gets.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.current.read().server.clone()
    }

    /// Looks at the files and reads them again when they changed. True when new ones are in use now. A pair that
    /// cannot be used (half written, key of another certificate) leaves the former in use and is tried again at the
    /// next call.
    pub fn reload_if_changed(&self) -> bool {
        let seen = stamps(&self.config);
        let (changed, stale) = {
            let current = self.current.read();
            (current.tried != seen, current.stale)
        };
        if !changed && !stale {
            return false;
        }
        let built = build(&self.config, &self.provider, &self.tickets, &self.alpn);
        let mut current = self.current.write();
        current.tried = seen;
        match built {
            Ok(server) => {
                current.server = server;
                current.stale = false;
                tracing::info!("read the changed TLS certificates");
                metrics::counter!("kontor_tls_reloads_total", "result" => "ok").increment(1);
                true
            }
            Err(error) => {
                current.stale = true;
                if changed {
                    tracing::error!(%error, "the changed TLS certificates cannot be used, keeping the former ones");
                    metrics::counter!("kontor_tls_reloads_total", "result" => "error").increment(1);
                }
                false
            }
        }
    }

    /// Keeps looking at the files until the drain begins.
    pub fn watch(self: &Arc<Self>, drain: &Drain) {
        let (this, token) = (self.clone(), drain.token());
        drain.spawn(async move {
            let mut tick = tokio::time::interval(this.config.reload.max(Duration::from_millis(50)));
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = token.cancelled() => return,
                }
                let this = this.clone();
                let _ = tokio::task::spawn_blocking(move || this.reload_if_changed()).await;
            }
        });
    }

    /// The handshake, within the configured deadline.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = self.config.handshake;
        let handshake = Box::pin(TlsAcceptor::from(self.server_config()).accept(stream));
        let result = match tokio::time::timeout(deadline, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(HandshakeError::Failed(error)),
            Err(_) => Err(HandshakeError::Deadline(deadline)),
        };
        let outcome = if result.is_ok() { "ok" } else { "error" };
        metrics::counter!("kontor_tls_handshakes_total", "result" => outcome).increment(1);
        result
    }
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsServer").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why there was no TLS.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// The client did not finish in time.
    #[error("no TLS handshake within {0:?}")]
    Deadline(Duration),
    /// The handshake failed.
    #[error("TLS handshake: {0}")]
    Failed(#[from] io::Error),
}

/// Makes ring the process's cryptography, for libraries that ask for the default one. A program calls this first;
/// later calls change nothing.
pub fn install_default_provider() {
    // Fails only when there is one already, and then there is one.
    let _ = ring::default_provider().install_default();
}

/// A client's configuration: servers must be signed by `ca` (PEM); with `identity`, the client shows that
/// certificate (mTLS between our own processes).
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn client_config(ca: &Path, identity: Option<&CertificateFiles>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots(ca)?);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(files) => builder
            .with_client_auth_cert(chain(&files.certificate)?, key(&files.key)?)
            .map_err(|source| TlsError::Pair { file: files.certificate.clone(), source }),
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or holds nothing of use.
    #[error("cannot read {}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate cannot be used, or the key is not its own.
    #[error("cannot use the certificate {}: {source}", file.display())]
    Pair {
        /// The certificate's file.
        file: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// No certificate is configured.
    #[error("TLS needs at least one certificate: set tls.certificates")]
    NoCertificate,
    /// The client CA cannot be used.
    #[error("cannot use the client CA {}: {reason}", file.display())]
    ClientCa {
        /// The CA's file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cryptography is not available.
    #[error("TLS set-up")]
    Setup(#[source] rustls::Error),
}

fn build(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
    alpn: &[Vec<u8>],
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut names = HashMap::new();
    let mut first = None;
    for files in &config.certificates {
        let chain = chain(&files.certificate)?;
        let pair = |source| TlsError::Pair { file: files.certificate.clone(), source };
        let served = dns_names(&chain);
        let certified = Arc::new(CertifiedKey::from_der(chain, key(&files.key)?, provider).map_err(pair)?);
        for name in served {
            names.entry(name).or_insert_with(|| certified.clone());
        }
        first.get_or_insert(certified);
    }
    let resolver = Arc::new(BySni { first: first.ok_or(TlsError::NoCertificate)?, names });
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(file)?), provider.clone())
                    .build()
                    .map_err(|error| TlsError::ClientCa { file: file.clone(), reason: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder.with_cert_resolver(resolver);
    server.ticketer = tickets.clone();
    // Tickets do the resuming; a table of sessions would be memory for nothing.
    server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    server.send_tls13_tickets = 1;
    server.alpn_protocols = alpn.to_vec();
    Ok(Arc::new(server))
}

#[derive(Debug)]
struct BySni {
    first: Arc<CertifiedKey>,
    names: HashMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            self.names.get(&name).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.names.get(&format!("*.{parent}"))
            })
        });
        Some(found.unwrap_or(&self.first).clone())
    }
}

fn dns_names(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let Some(leaf) = chain.first() else { return Vec::new() };
    match webpki::EndEntityCert::try_from(leaf) {
        Ok(parsed) => parsed.valid_dns_names().map(str::to_ascii_lowercase).collect(),
        Err(_) => Vec::new(),
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |reason: String| TlsError::File { file: file.to_owned(), reason };
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(error.to_string()))?;
    if chain.is_empty() { Err(unreadable("no certificate in it".to_owned())) } else { Ok(chain) }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| TlsError::File { file: file.to_owned(), reason: error.to_string() })
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate).map_err(|source| TlsError::Pair { file: file.to_owned(), source })?;
    }
    Ok(roots)
}

/// Enough to see that a file is another one: modification time (a symlink's target's), length, inode.
type Stamp = Option<(i64, i64, u64, u64)>;

fn stamps(config: &TlsConfig) -> Vec<Stamp> {
    let files = config.certificates.iter().flat_map(|files| [&files.certificate, &files.key]);
    files.chain(&config.client_ca).map(|file| stamp(file).ok()).collect()
}

fn stamp(file: &Path) -> io::Result<(i64, i64, u64, u64)> {
    let found = std::fs::metadata(file)?;
    Ok((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

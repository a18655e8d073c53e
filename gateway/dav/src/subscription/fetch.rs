//! Fetching a published calendar: one GET (RFC 9110 §9.3.1) over a connection of our own to the very address that was
//! checked. No name is resolved twice, no proxy is asked, nothing is decompressed.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HOST, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, USER_AGENT,
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use kontor_dav_proto::{Host, SourceUrl, SourceUrlError};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::network::may_ask;

/// What was fetched before, by what its server calls it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub etag: String,
    pub modified: String,
}

/// What a server answered.
#[derive(Debug)]
pub(super) enum Fetched {
    /// It is what it was.
    Unchanged,
    Calendar {
        body: Bytes,
        validators: Validators,
    },
}

/// Why nothing was fetched. The owner of the subscription reads it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Url(#[from] SourceUrlError),
    #[error("{0} is not on the Internet; the administrator has not allowed to fetch from there")]
    Inside(String),
    #[error("{0} is not known")]
    Unknown(String),
    #[error("{0} does not answer: {1}")]
    Connection(String, String),
    #[error("the server answered with {0}")]
    Status(StatusCode),
    #[error("the server sends from one place to the next")]
    Redirects,
    #[error("the server sends from a protected place to one that is not")]
    Downgrade,
    #[error("the calendar is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    #[error("the server sent it compressed, which was not asked for")]
    Encoded,
    #[error("the server took too long")]
    Slow,
}

/// Fetches.
pub(super) struct Fetcher {
    allowed: Vec<IpNet>,
    resolver: Option<TokioResolver>,
    tls: OnceLock<TlsConnector>,
}

impl Fetcher {
    pub fn new(allowed: Vec<IpNet>) -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        let resolver = resolver
            .inspect_err(|error| tracing::error!(%error, "cannot use this machine's resolver settings"))
            .ok();
        Self { allowed, resolver, tls: OnceLock::new() }
    }

    /// Fetches a calendar, unless it is still the one that the validators name.
    ///
    /// # Errors
    /// Where there is none to be had from there.
    pub async fn fetch(&self, url: &str, known: &Validators) -> Result<Fetched, FetchError> {
        tokio::time::timeout(WITHIN, self.follow(url, known)).await.unwrap_or(Err(FetchError::Slow))
    }

    async fn follow(&self, url: &str, known: &Validators) -> Result<Fetched, FetchError> {
        let mut url = SourceUrl::parse(url)?;
        for _ in 0..=MOST_REDIRECTS {
            match self.ask(&url, known).await? {
                Asked::Fetched(fetched) => return Ok(fetched),
                Asked::Elsewhere(location) => {
                    let next = url.join(&location)?;
                    if url.is_https && !next.is_https {
                        return Err(FetchError::Downgrade);
                    }
                    url = next;
                }
            }
        }
        Err(FetchError::Redirects)
    }

    /// The addresses of a machine, every one of which may be asked.
    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, FetchError> {
        let ips = match host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                let resolver = self.resolver.as_ref().ok_or_else(|| FetchError::Unknown(name.clone()))?;
                // With the dot no search domain of this machine is tried.
                let found = resolver.lookup_ip(format!("{name}.")).await;
                found.map_err(|_| FetchError::Unknown(name.clone()))?.iter().collect()
            }
        };
        if ips.is_empty() {
            return Err(FetchError::Unknown(host.to_string()));
        }
        // One address inside is enough: whoever answers so means to lead us there.
        if !ips.iter().all(|ip| may_ask(*ip, &self.allowed)) {
            return Err(FetchError::Inside(host.to_string()));
        }
        Ok(ips)
    }

    async fn ask(&self, url: &SourceUrl, known: &Validators) -> Result<Asked, FetchError> {
        let failed =
            |error: &dyn std::fmt::Display| FetchError::Connection(url.host.to_string(), error.to_string());
        let addresses = self.addresses(&url.host).await?;
        let mut last = None;
        for ip in addresses.into_iter().take(MOST_ADDRESSES) {
            let address = SocketAddr::new(ip, url.port);
            match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(connection)) => {
                    if !url.is_https {
                        return get(connection, url, known).await;
                    }
                    let name = match &url.host {
                        Host::Ip(ip) => ServerName::from(*ip),
                        Host::Name(name) => {
                            ServerName::try_from(name.clone()).map_err(|error| failed(&error))?
                        }
                    };
                    let connected = self.tls().connect(name, connection).await;
                    return get(connected.map_err(|error| failed(&error))?, url, known).await;
                }
                Ok(Err(error)) => last = Some(failed(&error)),
                Err(_) => last = Some(FetchError::Slow),
            }
        }
        Err(last.unwrap_or(FetchError::Slow))
    }

    /// TLS as the machine's certification authorities have it.
    fn tls(&self) -> &TlsConnector {
        self.tls.get_or_init(|| {
            let mut roots = rustls::RootCertStore::empty();
            // What cannot be read is no CA to us; without any, nothing is fetched over TLS.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let provider = rustls::crypto::ring::default_provider().into();
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("the provider has the default versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        })
    }
}

enum Asked {
    Fetched(Fetched),
    Elsewhere(String),
}

/// One request on a connection that is closed then.
async fn get<C>(connection: C, url: &SourceUrl, known: &Validators) -> Result<Asked, FetchError>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| FetchError::Connection(url.host.to_string(), error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.map_err(failed)?;
    let mut request = Request::get(&url.path)
        .header(HOST, url.authority())
        .header(USER_AGENT, "Kontor")
        .header(ACCEPT, "text/calendar, */*;q=0.1")
        .header(ACCEPT_ENCODING, "identity");
    for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.modified)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|_| SourceUrlError("the URL has a path that cannot be asked for"))?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(failed)?;
        let status = answer.status();
        let value = |name: HeaderName| header(answer.headers(), name);
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Asked::Fetched(Fetched::Unchanged)),
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => return Ok(Asked::Elsewhere(value(LOCATION))),
            status => return Err(FetchError::Status(status)),
        }
        let encoding = value(CONTENT_ENCODING);
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
            return Err(FetchError::Encoded);
        }
        let validators = Validators { etag: value(ETAG), modified: value(LAST_MODIFIED) };
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                FetchError::TooLarge
            } else {
                FetchError::Connection(url.host.to_string(), error.to_string())
            }
        })?;
        Ok(Asked::Fetched(Fetched::Calendar { body: body.to_bytes(), validators }))
    };
    // The connection ends with the answer, whichever way; nobody goes on reading from it.
    tokio::select! {
        biased;
        answer = answer => answer,
        () = async {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a published calendar broke");
            }
            std::future::pending::<()>().await;
        } => Err(FetchError::Slow),
    }
}

/// A header's text, as far as it is short.
fn header(headers: &HeaderMap, name: HeaderName) -> String {
    let value =
        headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| value.len() <= LONGEST_HEADER);
    value.unwrap_or_default().to_owned()
}

const MOST_REDIRECTS: usize = 5;
const MOST_ADDRESSES: usize = 4;
/// Octets.
const LARGEST: usize = 10 << 20;
const LONGEST_HEADER: usize = 2048;
/// Everything.
const WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says one thing to each connection, in turn.
    async fn server(answers: Vec<String>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = connection.read(&mut request).await.unwrap();
                asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
                let _ = connection.write_all(answer.as_bytes()).await;
            }
            asked
        });
        (address, task)
    }

    fn open() -> Fetcher {
        Fetcher::new(vec!["127.0.0.0/8".parse().unwrap()])
    }

    fn ok(headers: &str, body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn redirects_are_followed_and_validators_sent() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".to_owned();
        let same = "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned();
        let (address, task) = server(vec![moved, ok("ETag: \"1\"\r\n", "hello"), same]).await;
        let url = format!("http://{address}/here?x");
        let fetched = open().fetch(&url, &Validators::default()).await.unwrap();
        let Fetched::Calendar { body, validators } = fetched else { panic!("{fetched:?}") };
        assert_eq!((&body[..], validators.etag.as_str()), (&b"hello"[..], "\"1\""));
        assert!(matches!(open().fetch(&url, &validators).await.unwrap(), Fetched::Unchanged));
        let asked = task.await.unwrap();
        assert!(asked[0].starts_with("GET /here?x HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[1].starts_with("GET /there HTTP/1.1\r\n"), "{}", asked[1]);
        assert!(asked[2].to_ascii_lowercase().contains("if-none-match: \"1\"\r\n"), "{}", asked[2]);
    }

    #[tokio::test]
    async fn what_is_inside_is_not_asked() {
        let closed = Fetcher::new(Vec::new());
        for url in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
        ] {
            let error = closed.fetch(url, &Validators::default()).await.unwrap_err();
            assert!(matches!(error, FetchError::Inside(_) | FetchError::Unknown(_)), "{url}: {error}");
        }
        // Not by way of a place that may be asked either.
        let inside =
            "HTTP/1.1 301 Moved\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_owned();
        let (address, _) = server(vec![inside]).await;
        let error = open().fetch(&format!("http://{address}/"), &Validators::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Inside(_)), "{error}");
    }

    #[tokio::test]
    async fn answers_are_bounded() {
        let moved = || "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned();
        let (address, _) = server((0..10).map(|_| moved()).collect()).await;
        let error = open().fetch(&format!("http://{address}/"), &Validators::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Redirects), "{error}");
        let large = ok("", &"x".repeat(LARGEST + 1));
        let packed = ok("Content-Encoding: gzip\r\n", "x");
        let gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n".to_owned();
        let (address, _) = server(vec![large, packed, gone]).await;
        let url = format!("http://{address}/");
        for expected in ["larger than 10 MiB", "compressed", "410 Gone"] {
            let error = open().fetch(&url, &Validators::default()).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

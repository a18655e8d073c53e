//! The listener, TLS, PROXY protocol, STARTTLS, limits, metrics and drain over real sockets.

use kontor_gateway_core::rate::AuthLimits;
use kontor_gateway_core::tls::{CertificateFiles, client_config};
use kontor_gateway_core::{
    AuthLimiter, Connection, Handler, Listener, ListenerConfig, Reader, Refused, Shared, TlsConfig, TlsMode,
    TlsServer,
};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Says who it talks to, then answers: `STLS` upgrades, `WHO` describes, anything else comes back.
struct Probe;

impl Handler for Probe {
    async fn serve(self: Arc<Self>, mut connection: Connection, shared: Shared) {
        let mut reader = Reader::new();
        let greeting = format!("hello {}\r\n", connection.peer());
        if connection.write_all(greeting.as_bytes()).await.is_err() {
            return;
        }
        loop {
            let line = tokio::select! {
                line = reader.line(&mut connection, 1000) => line,
                () = shared.drain.begun() => {
                    let _ = connection.write_all(b"goodbye\r\n").await;
                    let _ = connection.shutdown().await;
                    return;
                }
            };
            let Ok(Some(line)) = line else { return };
            let answer = match &*line {
                b"STLS\r\n" => {
                    let _ = connection.write_all(b"go\r\n").await;
                    match connection.upgrade_tls(&reader).await {
                        Ok(upgraded) => connection = upgraded,
                        Err(_) => return,
                    }
                    continue;
                }
                b"WHO\r\n" => format!("{:?}\r\n", connection.tls()).into_bytes(),
                b"SLOW\r\n" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    b"done\r\n".to_vec()
                }
                other => other.to_vec(),
            };
            if connection.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn refusal(&self, reason: Refused) -> &'static [u8] {
        match reason {
            Refused::TooMany => b"full\r\n",
            Refused::TooManyFromAddress => b"you again\r\n",
            Refused::TooOften => b"too often\r\n",
        }
    }
}

struct Files {
    folder: tempfile::TempDir,
    ca: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Files {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("signed");
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        Self { folder, ca: rcgen::Issuer::new(parameters, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, name: &str, dns: &[&str]) -> CertificateFiles {
        let key = rcgen::KeyPair::generate().expect("key");
        let names: Vec<String> = dns.iter().map(|name| (*name).to_owned()).collect();
        let certificate =
            rcgen::CertificateParams::new(names).expect("names").signed_by(&key, &self.ca).expect("signed");
        let files = CertificateFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        std::fs::write(&files.key, key.serialize_pem()).expect("written");
        files
    }
}

fn tls_config(certificates: Vec<CertificateFiles>) -> TlsConfig {
    TlsConfig { certificates, handshake: Duration::from_millis(400), ..TlsConfig::default() }
}

fn start(config: &ListenerConfig, tls: Option<Arc<TlsServer>>) -> (SocketAddr, Shared) {
    let shared = Shared::default();
    let listener = Listener::bind("probe", config, tls).expect("bound");
    let address = listener.local_addr();
    shared.drain.spawn(listener.serve(Arc::new(Probe), shared.clone()));
    (address, shared)
}

fn anywhere() -> ListenerConfig {
    ListenerConfig::on("127.0.0.1:0".parse().expect("address"))
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("listening")
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    let read = async {
        while text.last() != Some(&b'\n') {
            match stream.read_u8().await {
                Ok(byte) => text.push(byte),
                Err(_) => break,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer in time");
    String::from_utf8(text).expect("text")
}

async fn handshake<S>(stream: S, ca: &Path, name: &str) -> std::io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = client_config(ca, None).expect("client");
    let name = ServerName::try_from(name.to_owned()).expect("name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn the_limit_of_all_and_of_one_address() {
    let mut config = anywhere();
    config.max_per_address = 2;
    config.max_connections = 3;
    let (address, _shared) = start(&config, None);
    let mut one = connect(address).await;
    let mut two = connect(address).await;
    assert!(line(&mut one).await.starts_with("hello 127.0.0.1:"));
    assert!(line(&mut two).await.starts_with("hello"));
    assert_eq!(line(&mut connect(address).await).await, "you again\r\n");
    drop(one);
    // The place comes back once the server has seen the end.
    let mut last = String::new();
    for _ in 0..100 {
        let mut again = connect(address).await;
        last = line(&mut again).await;
        if last.starts_with("hello") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(last.starts_with("hello"), "{last}");

    config.max_per_address = 100;
    config.max_connections = 1;
    let (address, _shared) = start(&config, None);
    let mut one = connect(address).await;
    assert!(line(&mut one).await.starts_with("hello"));
    assert_eq!(line(&mut connect(address).await).await, "full\r\n");
}

#[tokio::test]
async fn trusted_networks_have_no_limit_of_their_own() {
    let mut config = anywhere();
    config.max_per_address = 1;
    config.max_per_minute = 1;
    config.exempt = vec!["127.0.0.0/8".parse().expect("network")];
    let (address, _shared) = start(&config, None);
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(address).await;
        assert!(line(&mut stream).await.starts_with("hello"));
        held.push(stream);
    }
    config.exempt.clear();
    let (address, _shared) = start(&config, None);
    assert!(line(&mut connect(address).await).await.starts_with("hello"));
    assert_eq!(line(&mut connect(address).await).await, "too often\r\n");
}

#[tokio::test]
async fn the_proxy_header_counts_from_trusted_networks_only() {
    let mut config = anywhere();
    config.proxy_from = vec!["127.0.0.1/32".parse().expect("network")];
    let (address, _shared) = start(&config, None);
    let mut stream = connect(address).await;
    stream.write_all(b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 143\r\nping\r\n").await.expect("open");
    assert_eq!(line(&mut stream).await, "hello [2001:db8::7]:4711\r\n");
    assert_eq!(line(&mut stream).await, "ping\r\n");
    let mut stream = connect(address).await;
    stream.write_all(b"EHLO no header\r\n").await.expect("open");
    assert_eq!(line(&mut stream).await, "", "closed without a word");

    config.proxy_from = vec!["10.0.0.0/8".parse().expect("network")];
    let (address, _shared) = start(&config, None);
    let mut stream = connect(address).await;
    stream.write_all(b"PROXY TCP4 10.1.1.1 10.1.1.2 1 2\r\n").await.expect("open");
    assert!(line(&mut stream).await.starts_with("hello 127.0.0.1:"));
    assert_eq!(line(&mut stream).await, "PROXY TCP4 10.1.1.1 10.1.1.2 1 2\r\n", "a line like any other");
}

#[tokio::test]
async fn limits_hold_for_the_address_behind_the_balancer() {
    let mut config = anywhere();
    config.proxy_from = vec!["127.0.0.1/32".parse().expect("network")];
    config.max_per_address = 1;
    let (address, _shared) = start(&config, None);
    let mut held = Vec::new();
    for (client, expected) in [("10.0.0.1", "hello 10.0.0.1:1\r\n"), ("10.0.0.2", "hello 10.0.0.2:1\r\n")] {
        let mut stream = connect(address).await;
        stream.write_all(format!("PROXY TCP4 {client} 10.9.9.9 1 2\r\n").as_bytes()).await.expect("open");
        assert_eq!(line(&mut stream).await, expected);
        held.push(stream);
    }
    let mut stream = connect(address).await;
    stream.write_all(b"PROXY TCP4 10.0.0.1 10.9.9.9 2 2\r\n").await.expect("open");
    assert_eq!(line(&mut stream).await, "you again\r\n");
}

#[tokio::test]
async fn starttls_and_implicit_tls() {
    let files = Files::new();
    let tls = TlsServer::load(&tls_config(vec![files.issue("a", &["mail.example"])])).expect("loaded");
    let ca = files.path("ca.pem");

    let (address, _shared) = start(&anywhere(), Some(tls.clone()));
    let mut stream = connect(address).await;
    line(&mut stream).await;
    stream.write_all(b"WHO\r\nSTLS\r\n").await.expect("open");
    assert_eq!(line(&mut stream).await, "None\r\n");
    assert_eq!(line(&mut stream).await, "go\r\n");
    let mut stream = handshake(stream, &ca, "mail.example").await.expect("handshake");
    stream.write_all(b"WHO\r\n").await.expect("open");
    let who = line(&mut stream).await;
    assert!(who.contains("TLSv1.3") && who.contains("mail.example") && who.contains("TLS13_AES"), "{who}");

    let (address, _shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls));
    let mut stream = handshake(connect(address).await, &ca, "mail.example").await.expect("handshake");
    assert!(line(&mut stream).await.starts_with("hello"));

    assert!(Listener::bind("probe", &anywhere().with_tls(TlsMode::Implicit), None).is_err());
}

#[tokio::test]
async fn clear_text_after_starttls_ends_the_connection() {
    let files = Files::new();
    let tls = TlsServer::load(&tls_config(vec![files.issue("a", &["mail.example"])])).expect("loaded");
    let (address, _shared) = start(&anywhere(), Some(tls));
    let mut stream = connect(address).await;
    line(&mut stream).await;
    stream.write_all(b"STLS\r\ninjected\r\n").await.expect("open");
    assert_eq!(line(&mut stream).await, "go\r\n");
    let outcome = handshake(stream, &files.path("ca.pem"), "mail.example").await;
    assert!(outcome.is_err(), "the server must not go on");
}

#[tokio::test]
async fn a_half_open_handshake_ends_at_its_deadline() {
    let files = Files::new();
    let tls = TlsServer::load(&tls_config(vec![files.issue("a", &["mail.example"])])).expect("loaded");
    let (address, shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls));
    let mut stream = connect(address).await;
    stream.write_all(b"\x16\x03\x01\x02\x00").await.expect("open");
    assert_eq!(line(&mut stream).await, "", "closed");
    assert!(shared.drain.finish(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_handshake() {
    let files = Files::new();
    let mut config = tls_config(vec![files.issue("a", &["mail.example"])]);
    config.handshake = Duration::from_secs(60);
    let tls = TlsServer::load(&config).expect("loaded");
    let (address, shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls));
    let _silent = connect(address).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(shared.drain.finish(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn certificates_by_name_and_read_again_when_they_change() {
    let files = Files::new();
    let ca = files.path("ca.pem");
    let first = files.issue("first", &["one.example"]);
    let second = files.issue("second", &["two.example", "*.two.example"]);
    let tls = TlsServer::load(&tls_config(vec![first.clone(), second])).expect("loaded");
    let (address, _shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls.clone()));
    for (name, good) in
        [("one.example", true), ("two.example", true), ("x.two.example", true), ("three.example", false)]
    {
        let outcome = handshake(connect(address).await, &ca, name).await;
        assert_eq!(outcome.is_ok(), good, "{name}");
    }
    assert!(!tls.reload_if_changed(), "nothing changed");

    // A key that is not this certificate's: what was in use stays in use.
    let former = std::fs::read(&first.key).expect("there");
    std::fs::write(&first.key, rcgen::KeyPair::generate().expect("key").serialize_pem()).expect("written");
    assert!(!tls.reload_if_changed());
    handshake(connect(address).await, &ca, "one.example").await.expect("as before");
    std::fs::write(&first.key, &former).expect("written");

    files.issue("first", &["three.example"]);
    assert!(tls.reload_if_changed());
    handshake(connect(address).await, &ca, "three.example").await.expect("the new one");
    assert!(handshake(connect(address).await, &ca, "one.example").await.is_err());
}

#[tokio::test]
async fn the_watch_sees_a_new_certificate() {
    let files = Files::new();
    let first = files.issue("first", &["one.example"]);
    let mut config = tls_config(vec![first]);
    config.reload = Duration::from_millis(50);
    let tls = TlsServer::load(&config).expect("loaded");
    let (address, shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls.clone()));
    tls.watch(&shared.drain);
    files.issue("first", &["three.example"]);
    for _ in 0..100 {
        let stream = connect(address).await;
        if handshake(stream, &files.path("ca.pem"), "three.example").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the new certificate is not served");
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_where_one_is_wanted() {
    let files = Files::new();
    let ca = files.path("ca.pem");
    let mut config = tls_config(vec![files.issue("server", &["store.example"])]);
    config.client_ca = Some(ca.clone());
    let tls = TlsServer::load(&config).expect("loaded");
    let (address, _shared) = start(&anywhere().with_tls(TlsMode::Implicit), Some(tls));
    let name = ServerName::try_from("store.example").expect("name");

    let identity = files.issue("client", &["gateway.example"]);
    let with = TlsConnector::from(Arc::new(client_config(&ca, Some(&identity)).expect("client")));
    let mut stream = with.connect(name.clone(), connect(address).await).await.expect("handshake");
    assert!(line(&mut stream).await.starts_with("hello"));

    let without = TlsConnector::from(Arc::new(client_config(&ca, None).expect("client")));
    // In TLS 1.3 the client learns only with its first read that it is not wanted.
    if let Ok(mut stream) = without.connect(name, connect(address).await).await {
        assert_eq!(line(&mut stream).await, "");
    }
}

#[tokio::test]
async fn a_drain_says_goodbye_and_finishes_what_is_in_flight() {
    let (address, shared) = start(&anywhere(), None);
    let (mut idle, mut busy) = (connect(address).await, connect(address).await);
    line(&mut idle).await;
    line(&mut busy).await;
    busy.write_all(b"SLOW\r\n").await.expect("open");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(shared.drain.finish(Duration::from_secs(5)).await);
    assert_eq!(line(&mut idle).await, "goodbye\r\n");
    assert_eq!(line(&mut busy).await, "done\r\n");
    assert_eq!(line(&mut busy).await, "goodbye\r\n");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_slow_lane_is_slow() {
    let mut config = anywhere();
    config.read_rate = 20_000;
    let (address, _shared) = start(&config, None);
    let mut stream = connect(address).await;
    line(&mut stream).await;
    let before = std::time::Instant::now();
    let block = [&[b'x'; 98][..], b"\r\n"].concat();
    let (mut read, mut write) = stream.split();
    let send = async {
        for _ in 0..400 {
            write.write_all(&block).await.expect("open");
        }
    };
    let receive = async {
        for _ in 0..400 {
            line(&mut read).await;
        }
    };
    tokio::join!(send, receive);
    // 40,000 octets at 20,000 a second, the first 20,000 of them (and the read that overdraws) at once.
    assert!(before.elapsed() >= Duration::from_millis(300), "{:?}", before.elapsed());
}

#[tokio::test]
async fn metrics_and_health_by_http() {
    let shared = Shared { auth: Arc::new(AuthLimiter::new(AuthLimits::default())), ..Shared::default() };
    shared.health.set("store", false);
    let bind = "127.0.0.1:0".parse().expect("address");
    let http = kontor_gateway_core::monitor::serve(bind, shared.health.clone(), shared.drain.clone())
        .expect("bound");
    let get = async |path: &str| {
        let mut stream = connect(http).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    };
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    let answer = get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("waiting for: store\n"), "{answer}");
    shared.health.set("store", true);
    assert!(get("/readyz").await.starts_with("HTTP/1.1 200"));

    let listener = Listener::bind("counted", &anywhere(), None).expect("bound");
    let address = listener.local_addr();
    shared.drain.spawn(listener.serve(Arc::new(Probe), shared.clone()));
    let mut stream = connect(address).await;
    line(&mut stream).await;
    let _ = shared.auth.failed("192.0.2.1".parse().expect("ip"), "tim");
    let metrics = get("/metrics").await;
    for expected in [
        "kontor_connections_open{protocol=\"counted\"} 1",
        "kontor_connections_total{protocol=\"counted\"} 1",
        "kontor_auth_total{result=\"denied\"} 1",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(expected), "{expected} is missing in {metrics}");
    }

    shared.drain.begin();
    assert!(get("/readyz").await.contains("draining"));
    assert!(get("/nothing").await.starts_with("HTTP/1.1 404"));
}

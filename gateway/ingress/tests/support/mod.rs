//! A running ingress in this process, upstreams written in Python, and curl.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kontor_gateway_core::{Listener, ListenerConfig, Shared, TlsConfig, TlsMode, TlsServer, config};
use kontor_ingress::routes::TcpName;
use kontor_ingress::{Ingress, IngressConfig, Locals, Scheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An ingress with a listener for each scheme.
pub struct Served {
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub redirecting: SocketAddr,
    pub tcp: Vec<(TcpName, SocketAddr)>,
    pub shared: Shared,
    pub folder: tempfile::TempDir,
}

impl Served {
    /// Starts one; every upstream has been looked at once.
    pub async fn start(text: &str) -> Self {
        Self::start_with(text, Locals::new()).await
    }

    pub async fn start_with(text: &str, locals: Locals) -> Self {
        let config: IngressConfig = config::parse(text, []).expect("a configuration");
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["one", "two"] {
            certificate(&folder.path().join(name), &[&format!("{name}.example"), "localhost"]);
        }
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let mut tls = TlsConfig::of(one.with_extension("pem"), one.with_extension("key"));
        tls.certificates
            .extend(TlsConfig::of(two.with_extension("pem"), two.with_extension("key")).certificates);
        let tls = TlsServer::load_with_alpn(&tls, &["h2", "http/1.1"]).expect("certificates");

        let shared = Shared::default();
        let ingress = Ingress::new(&config, locals).expect("an ingress");
        ingress.start(&shared);
        let bind = |mode, tls| {
            let address = "127.0.0.1:0".parse().expect("an address");
            let mut listener = ListenerConfig::on(address).with_tls(mode);
            listener.proxy_from = Vec::new();
            Listener::bind("ingress", &listener, tls).expect("bound")
        };
        let (http, https) = (bind(TlsMode::None, None), bind(TlsMode::Implicit, Some(tls)));
        let redirecting = bind(TlsMode::None, None);
        let mut tcp = Vec::new();
        for name in config.tcp.keys() {
            let listener = bind(TlsMode::None, None);
            tcp.push((*name, listener.local_addr()));
            let server = ingress.tcp(*name).expect("configured");
            shared.drain.spawn(listener.serve(server, shared.clone()));
        }
        let served = Self {
            http: http.local_addr(),
            https: https.local_addr(),
            redirecting: redirecting.local_addr(),
            tcp,
            shared: shared.clone(),
            folder,
        };
        shared.drain.spawn(http.serve(Arc::new(ingress.handler(Scheme::Http, &[])), shared.clone()));
        shared.drain.spawn(https.serve(Arc::new(ingress.handler(Scheme::Https, &[])), shared.clone()));
        shared.drain.spawn(redirecting.serve(Arc::new(ingress.redirecting(&[])), shared.clone()));
        let looked = async {
            while !shared.health.is_ready() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, looked).await.expect("upstreams are looked at");
        served
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub fn secure_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.https.port())
    }

    pub fn ca(&self) -> String {
        self.folder.path().join("one.pem").display().to_string()
    }

    /// What the upstream says it saw, through the ingress.
    pub async fn seen(&self) -> String {
        curl(&[&self.url("/dav/seen")]).await.text()
    }
}

/// A self-signed certificate, `<base>.pem` with its `<base>.key`.
pub fn certificate(base: &std::path::Path, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    std::fs::write(base.with_extension("pem"), made.cert.pem()).expect("written");
    std::fs::write(base.with_extension("key"), made.signing_key.serialize_pem()).expect("written");
}

/// An upstream of Python's own HTTP server.
pub struct Upstream {
    child: Child,
    pub port: u16,
}

impl Upstream {
    pub fn start(name: &str) -> Self {
        Self::start_on(name, 0)
    }

    pub fn start_on(name: &str, port: u16) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/upstream.py");
        let mut child = Command::new("python3")
            .arg(script)
            .env("NAME", name)
            .env("PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("it says its port");
        Self { port: line.trim().parse().expect("a port"), child }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A configuration in which all targets are here.
    pub fn config(&self) -> String {
        config_of(&[self])
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn config_of(upstreams: &[&Upstream]) -> String {
    let addresses: Vec<String> =
        upstreams.iter().map(|upstream| format!("'{}'", upstream.address())).collect();
    let addresses = addresses.join(", ");
    let targets = ["dav", "ews", "mapi", "eas", "autodiscover"];
    let section = |target: &&str| format!("[upstreams.{target}]\naddresses = [{addresses}]\n");
    targets.iter().map(section).collect()
}

/// What curl printed.
pub struct Answer(pub Output);

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn error(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// Runs curl, silent but for errors, to its end.
pub async fn curl(args: &[&str]) -> Answer {
    let mut command = tokio::process::Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "60"]).args(args).kill_on_drop(true);
    Answer(tokio::time::timeout(LIMIT, command.output()).await.expect("in time").expect("curl is there"))
}

/// Sends octets as they are and reads until the other side closes or says nothing for `quiet`.
pub async fn raw(address: SocketAddr, octets: &[u8], quiet: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.expect("listening");
    stream.write_all(octets).await.expect("open");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) = tokio::time::timeout(quiet, stream.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

pub const LIMIT: Duration = Duration::from_secs(90);

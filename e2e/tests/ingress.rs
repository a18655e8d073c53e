//! The ingress as a process of its own, and in `kontor up`: curl and openssl in front, Python's HTTP server and
//! Kontor's own gateways behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kontor_e2e::appliance::Appliance;
use kontor_e2e::binaries;
use kontor_e2e::imap::Imap;
use kontor_e2e::lmtp::Lmtp;
use kontor_e2e::process::{Process, eventually, free_port, output_of};
use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_pass_in_little_memory() -> Result<()> {
    let upstream = Upstream::start("one")?;
    let ingress =
        Ingress::start(&format!("[ingress.upstreams.dav]\naddresses = ['{}']", upstream.address)).await?;
    let file = ingress.folder.path().join("large");
    std::fs::write(&file, vec![b'x'; LARGE])?;
    let before = ingress.peak_memory()?;
    let from_file = format!("@{}", file.display());
    let url = |what: &str| format!("https://localhost:{}/dav/{what}", ingress.https);
    for version in ["--http1.1", "--http2"] {
        let said: Value = serde_json::from_str(&ingress.curl(&[
            version,
            "-X",
            "PUT",
            "--data-binary",
            &from_file,
            &url("upload"),
        ])?)?;
        ensure!(said["length"] == LARGE && said["method"] == "PUT", "{said}");
        let (from, size) = (url(&format!("large?size={LARGE}")), LARGE.to_string());
        let got = ingress.curl(&[version, "-o", "/dev/null", "-w", "%{size_download}", &from])?;
        ensure!(got == size, "{got} of {size}");
    }
    let after = ingress.peak_memory()?;
    println!("{} MB up and down, twice: {before} KiB before, {after} KiB at most", LARGE >> 20);
    ensure!(after < before + (48 << 10), "{after} KiB for bodies of {LARGE} octets");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tcp_routes_tell_the_gateway_who_its_client_is() -> Result<()> {
    let any = "127.0.0.1:0";
    let others = ["SMTP", "SUBMISSION", "SUBMISSIONS", "LMTP", "IMAPS", "POP3", "POP3S"];
    let mut environment: Vec<(String, String)> =
        others.iter().map(|name| (format!("KONTOR_LISTEN__{name}"), any.to_owned())).collect();
    // Without the header nobody gets in there.
    environment.push(("KONTOR_LISTEN__IMAP__BIND".to_owned(), any.to_owned()));
    environment.push(("KONTOR_LISTEN__IMAP__PROXY_FROM".to_owned(), "127.0.0.0/8".to_owned()));
    environment.push(("KONTOR_LOG__FILTER".to_owned(), "debug".to_owned()));
    let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let appliance = Appliance::start_with(&environment).await?;
    let (imap, lmtp) = (free_port()?, free_port()?);
    let ingress = Ingress::start(&format!(
        "[ingress.tcp.imap]\nlisten = '127.0.0.1:{imap}'\naddresses = ['{}']\n\
         [ingress.tcp.lmtp]\nlisten = '127.0.0.1:{lmtp}'\nproxy_protocol = false\naddresses = ['{}']",
        appliance.endpoints.imap, appliance.endpoints.lmtp
    ))
    .await?;
    let account = &appliance.account;
    let mut sender = Lmtp::connect(&format!("127.0.0.1:{lmtp}")).await?;
    sender.deliver("sender@example.test", &account.address, b"Subject: through\r\n\r\nhello\r\n").await?;
    let mut reader = Imap::login(&format!("127.0.0.1:{imap}"), &account.address, &account.password).await?;
    ensure!(reader.select("INBOX").await?.exists == 1);
    let direct = Imap::login(&appliance.endpoints.imap, &account.address, &account.password).await;
    ensure!(direct.is_err(), "a client that came directly was let in");
    let open = ingress.metric("kontor_connections_open{protocol=\"ingress\"}")?;
    ensure!(open >= 2.0, "{open} connections");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_read_again_and_sigterm_tells_who_waits() -> Result<()> {
    let upstream = Upstream::start("one")?;
    let mut ingress = Ingress::start(&format!(
        "[ingress]\ndrain = '2s'\n[ingress.upstreams.eas]\naddresses = ['{}']",
        upstream.address
    ))
    .await?;
    let serial = |ingress: &Ingress| -> Result<String> {
        let script = format!(
            "openssl s_client -connect 127.0.0.1:{} -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial",
            ingress.https
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        Ok(String::from_utf8_lossy(&output_of(command, LIMIT)?.stdout).into_owned())
    };
    let before = serial(&ingress)?;
    ensure!(before.starts_with("serial="), "{before}");
    certificate(ingress.folder.path())?;
    eventually("the new certificate is shown", LIMIT, async || {
        Ok((serial(&ingress)? != before).then_some(()))
    })
    .await?;

    let url = format!("https://localhost:{}/Microsoft-Server-ActiveSync/slow?seconds=600", ingress.https);
    let ca = ingress.folder.path().join("tls.pem");
    let waiting = std::thread::spawn(move || {
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--noproxy", "*", "--http2", "--cacert"]).arg(ca).arg(url);
        output_of(command, LIMIT)
    });
    let in_flight = "kontor_http_requests_in_flight{route=\"eas\"}";
    eventually("the request waits", LIMIT, async || Ok((ingress.metric(in_flight)? == 1.0).then_some(())))
        .await?;
    let status = ingress.process.take().context("it runs")?.terminate(LIMIT)?;
    ensure!(status.success(), "{status}");
    let told = waiting.join().map_err(|_| anyhow::anyhow!("the waiting thread died"))??;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    ensure!(told.starts_with("HTTP/2 503") && told.contains("retry-after: 1"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_appliance_has_an_http_door() -> Result<()> {
    let upstream = Upstream::start("eas")?;
    let key = "KONTOR_INGRESS__UPSTREAMS__EAS__ADDRESSES";
    let appliance = Appliance::start_with(&[(key, &upstream.address)]).await?;
    let ready: Value =
        serde_json::from_str(&std::fs::read_to_string(appliance.data().with_extension("ready"))?)?;
    let endpoint =
        |name: &str| ready["endpoints"][name].as_str().map(str::to_owned).context("no such endpoint");
    let (http, https) = (endpoint("http")?, endpoint("https")?);
    let port = https.rsplit_once(':').context("a port")?.1;
    let ca = appliance.ca.display().to_string();
    let curl = |args: &[&str]| -> Result<String> {
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--noproxy", "*", "--cacert", &ca]).args(args);
        Ok(String::from_utf8_lossy(&output_of(command, LIMIT)?.stdout).into_owned())
    };
    let through =
        curl(&["--http2", &format!("https://localhost:{port}/Microsoft-Server-ActiveSync?Cmd=Ping")])?;
    ensure!(through.starts_with("HTTP/2 200") && through.contains("\"name\": \"eas\""), "{through}");
    let nobody = curl(&[&format!("http://{http}/EWS/Exchange.asmx")])?;
    ensure!(nobody.starts_with("HTTP/1.1 404") && nobody.contains("`ews` is not set up"), "{nobody}");
    Ok(())
}

/// `kontor-gateway ingress` with a certificate for localhost.
struct Ingress {
    process: Option<Process>,
    http: u16,
    https: u16,
    monitor: u16,
    folder: TempDir,
}

impl Ingress {
    /// Starts one with this configuration besides the listeners, and waits until it is ready.
    async fn start(config: &str) -> Result<Self> {
        let folder = kontor_e2e::process::scratch("kontor-ingress-")?;
        certificate(folder.path())?;
        let (http, https, monitor) = (free_port()?, free_port()?, free_port()?);
        let file = folder.path().join("gateway.toml");
        let at = folder.path().display();
        let text = format!(
            "[listen]\nhttp = '127.0.0.1:{http}'\nhttps = '127.0.0.1:{https}'\n[process]\nmonitor = '127.0.0.1:{monitor}'\n\
             [tls]\nreload = '100ms'\n[[tls.certificates]]\ncertificate = '{at}/tls.pem'\nkey = '{at}/tls.key'\n{config}\n"
        );
        std::fs::write(&file, text)?;
        let mut command = Command::new(binaries::find("kontor-gateway")?);
        command.arg("ingress").arg("--config").arg(&file);
        let process = Process::start("ingress", command, &folder.path().join("log"))?;
        let mut ingress = Self { process: Some(process), http, https, monitor, folder };
        eventually("the ingress is ready", LIMIT, async || {
            if let Some(process) = &mut ingress.process {
                process.check_alive()?;
            }
            let url = format!("http://127.0.0.1:{}/readyz", ingress.monitor);
            Ok(ingress.curl(&["--fail", &url]).ok())
        })
        .await?;
        // Whoever comes without TLS is sent there.
        let redirected = ingress.curl(&["-i", &format!("http://127.0.0.1:{}/dav/x", ingress.http)])?;
        ensure!(redirected.starts_with("HTTP/1.1 308"), "{redirected}");
        Ok(ingress)
    }

    fn curl(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("curl");
        command
            .args(["-sS", "--noproxy", "*", "--cacert"])
            .arg(self.folder.path().join("tls.pem"))
            .args(args);
        let output = output_of(command, LIMIT)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// One line of the metrics; 0 when it is not there.
    fn metric(&self, name: &str) -> Result<f64> {
        let text = self.curl(&[&format!("http://127.0.0.1:{}/metrics", self.monitor)])?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        Ok(value.trim().parse()?)
    }

    /// The most memory that it ever had, KiB.
    fn peak_memory(&self) -> Result<u64> {
        let pid = self.process.as_ref().context("it runs")?.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

/// An HTTP server of Python's library; see the script.
struct Upstream {
    child: Child,
    address: String,
}

impl Upstream {
    fn start(name: &str) -> Result<Self> {
        let script = binaries::workspace().join("gateway/ingress/tests/support/upstream.py");
        let mut child = Command::new("python3")
            .arg(script)
            .env("NAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        Ok(Self { child, address: format!("127.0.0.1:{}", line.trim()) })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new self-signed certificate for localhost in `folder`.
fn certificate(folder: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem())?;
    std::fs::write(folder.join("tls.pem"), made.cert.pem())?;
    Ok(())
}

const LARGE: usize = 200 << 20;

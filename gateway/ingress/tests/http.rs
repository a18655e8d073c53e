//! curl on one side, Python's HTTP server on the other.

mod support;

use std::time::Duration;

use support::{Served, Upstream, config_of, curl};

fn has(text: &str, name: &str, value: &str) -> bool {
    text.contains(&format!("[\"{name}\", \"{value}\"]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_where_the_table_says_and_say_who_asks() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    for path in
        ["/EWS/Exchange.asmx", "/ews/x?a=b&c", "/Microsoft-Server-ActiveSync?Cmd=Ping", "/dav/%C3%A4%20b"]
    {
        let text = curl(&["-d", "hello", &served.url(path)]).await.text();
        assert!(text.contains(&format!("\"path\": \"{path}\"")), "{text}");
        assert!(text.contains("\"length\": 5"), "{text}");
        assert!(has(&text, "x-forwarded-for", "127.0.0.1"), "{text}");
        assert!(has(&text, "x-forwarded-proto", "http"), "{text}");
        assert!(has(&text, "host", &served.http.to_string()), "{text}");
    }
    let args = ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "Connection: X-Gone", "-H", "X-Gone: 1"];
    let text = curl(&[&args[..], &[&served.url("/dav/x")]].concat()).await.text();
    assert!(!text.contains("6.6.6.6") && !text.contains("x-gone"), "{text}");
    let head = curl(&["-i", &served.url("/dav/hops")]).await.text().to_lowercase();
    assert!(head.contains("x-kept") && !head.contains("x-secret") && !head.contains("keep-alive"), "{head}");
    let nothing = curl(&["-i", &served.url("/elsewhere")]).await.text();
    assert!(nothing.starts_with("HTTP/1.1 404") && nothing.contains("nothing is served here"), "{nothing}");
    let host = curl(&["-H", "Host: autoconfig.example.org", &served.url("/any")]).await.text();
    assert!(host.contains("\"path\": \"/any\""), "{host}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_webdav_methods_pass() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let methods = "PROPFIND PROPPATCH MKCOL MKCALENDAR COPY MOVE LOCK UNLOCK REPORT ACL SEARCH BIND PUT DELETE OPTIONS PATCH";
    for method in methods.split(' ') {
        let text = curl(&["-X", method, "-H", "Depth: 1", "-d", "<x/>", &served.url("/dav/c/")]).await.text();
        assert!(
            text.contains(&format!("\"method\": \"{method}\"")) && text.contains("\"length\": 4"),
            "{text}"
        );
        assert!(has(&text, "depth", "1"), "{text}");
    }
    let head = curl(&["-I", &served.url("/dav/x")]).await.text();
    assert!(head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-length"), "{head}");
    let trace = curl(&["-i", "-X", "TRACE", &served.url("/dav/x")]).await.text();
    assert!(trace.starts_with("HTTP/1.1 405"), "{trace}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_by_name_http2_by_alpn_and_its_extras() {
    let upstream = Upstream::start("a");
    let served = Served::start(&format!("hsts = '180d'\n{}", upstream.config())).await;
    let (ca, url) = (served.ca(), served.secure_url("/dav/x"));
    for (flag, version) in [("--http2", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200")] {
        let args = ["-i", flag, "--cacert", &ca, "-H", "Cookie: a=1", "-d", "hello", &url];
        let text = curl(&args).await.text();
        assert!(text.starts_with(version), "{text}");
        assert!(has(&text, "x-forwarded-proto", "https") && text.contains("\"length\": 5"), "{text}");
        assert!(text.to_lowercase().contains("strict-transport-security: max-age=15552000"), "{text}");
    }
    for name in ["one.example", "two.example"] {
        let mut command = tokio::process::Command::new("sh");
        let script = format!(
            "openssl s_client -connect {} -servername {name} -alpn h2 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName",
            served.https
        );
        let output = command.args(["-c", &script]).output().await.expect("openssl is there");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(name), "{text}");
    }
    let url = format!("http://{}/dav/x?y=z", served.redirecting);
    let text = curl(&["-i", "-X", "PUT", &url]).await.text();
    assert!(
        text.starts_with("HTTP/1.1 308") && text.contains("location: https://127.0.0.1/dav/x?y=z"),
        "{text}"
    );
    let url = format!("http://{}/autodiscover/autodiscover.xml", served.redirecting);
    assert!(curl(&["-i", &url]).await.text().starts_with("HTTP/1.1 302"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let file = served.folder.path().join("large");
    std::fs::write(&file, vec![b'x'; 20 << 20]).expect("written");
    let from_file = format!("@{}", file.display());
    // sha256 of 20 MiB of x.
    let sum = tokio::process::Command::new("sha256sum").arg(&file).output().await.expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
    for args in [
        vec!["--http1.1"],
        vec!["--http2"],
        vec!["--http1.1", "-H", "Transfer-Encoding: chunked"],
        vec!["--http1.1", "-H", "Expect:"],
    ] {
        let (ca, url) = (served.ca(), served.secure_url("/dav/upload"));
        let mut all = args.clone();
        all.extend(["--cacert", &ca, "-X", "PUT", "--data-binary", &from_file, &url]);
        let answer = curl(&all).await;
        let text = answer.text();
        assert!(text.contains(&sum), "{args:?}: {text} {}", answer.error());
    }
    let answer =
        curl(&["-w", "%{size_download}", "-o", "/dev/null", &served.url("/dav/large?size=30000000")]).await;
    assert_eq!(answer.text(), "30000000");
    // Each piece arrives when it was sent: the first is here long before the last was said.
    let mut child = tokio::process::Command::new("curl")
        .args(["-sSN", "--noproxy", "*", &served.url("/EWS/dribble?pieces=1000&pause=0.5")])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl");
    let mut output = tokio::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    let read = tokio::io::AsyncBufReadExt::read_line(&mut output, &mut line);
    tokio::time::timeout(support::LIMIT, read).await.expect("in time").expect("a line");
    assert_eq!(line, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn rpc_channels_speak_while_they_listen() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let mut stream = tokio::net::TcpStream::connect(served.http).await.expect("listening");
    let head =
        "RPC_IN_DATA /rpc/echo?mail.example:6002 HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("open");
    let mut answer = Vec::new();
    for word in ["first", "second"] {
        stream.write_all(word.as_bytes()).await.expect("open");
        let arrived = async {
            while !String::from_utf8_lossy(&answer).contains(word) {
                let mut buffer = [0; 1024];
                let count = stream.read(&mut buffer).await.expect("open");
                assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
                answer.extend_from_slice(&buffer[..count]);
            }
        };
        tokio::time::timeout(support::LIMIT, arrived).await.expect("in time");
    }
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_says_whether_it_wants_the_body() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let file = served.folder.path().join("body");
    std::fs::write(&file, vec![b'x'; 3 << 20]).expect("written");
    let from_file = format!("@{}", file.display());
    let args = |path: &str| {
        let url = served.url(path);
        let args =
            ["-v", "--expect100-timeout", "30", "-H", "Expect: 100-continue", "-X", "PUT", "--data-binary"];
        args.into_iter().map(str::to_owned).chain([from_file.clone(), url]).collect::<Vec<String>>()
    };
    let refused = args("/dav/refuse");
    let refused = curl(&refused.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(refused.text(), "refused\n", "{}", refused.error());
    assert!(!refused.error().contains("100 Continue"), "{}", refused.error());
    let taken = args("/dav/taken");
    let taken = curl(&taken.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(taken.text().contains("\"length\": 3145728"), "{}", taken.text());
    assert!(taken.error().contains("100 Continue"), "{}", taken.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said() {
    let upstream = Upstream::start("a");
    let text = format!(
        "upstream_wait = '0s'\n[upstreams.dav]\naddresses = ['{}']\n[upstreams.ews]\naddresses = ['127.0.0.1:1']\n[upstreams.eas]\n\
         dns = 'localhost:1'\n[routes.dav]\nmax_body = 1000\nidle = '1s'",
        upstream.address()
    );
    let served = Served::start(&text).await;
    let large = "x".repeat(1001);
    for (args, status, words) in [
        (vec!["/EWS/x"], "503", "no `ews` gateway can be reached"),
        (vec!["/Microsoft-Server-ActiveSync"], "503", "no `eas` gateway can be reached"),
        (vec!["/mapi/x"], "404", "`mapi` is not set up"),
        (vec!["/dav/hangup"], "502", "the `dav` gateway broke off"),
        (vec!["/dav/slow?seconds=30"], "504", "did not answer in time"),
        (vec!["/dav/x", "-d", &large], "413", "1000 octets"),
        (vec!["/dav/x", "-H", "Transfer-Encoding: chunked", "-d", &large], "413", "1000 octets"),
        (vec!["/EWS/..%2f/%2e%2e/dav", "--path-as-is"], "400", "dots"),
        (vec!["/dav/x", "-H", "Host: a b"], "400", "Host"),
    ] {
        let url = served.url(args[0]);
        let mut all = vec!["-i", &url];
        all.extend(&args[1..]);
        let text = curl(&all).await.text();
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(words), "{args:?}: {text}");
        assert_eq!(text.contains("retry-after"), status == "503", "{text}");
    }
    let broken = curl(&[&served.url("/dav/break")]).await;
    assert_eq!((broken.text().as_str(), broken.0.status.success()), ("0123456789", false));
    assert!(curl(&[&served.url("/dav/fine")]).await.text().contains("\"path\": \"/dav/fine\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_goes_is_left_alone_and_found_again() {
    let (one, two) = (Upstream::start("one"), Upstream::start("two"));
    let port = one.port;
    let served = Served::start(&format!("check_interval = '200ms'\n{}", config_of(&[&one, &two]))).await;
    let ask = async |count: usize| {
        let mut names = Vec::new();
        for _ in 0..count {
            let text = curl(&["-X", "POST", "-d", "x", &served.url("/dav/x")]).await.text();
            names.push(if text.contains("\"one\"") {
                1
            } else {
                assert!(text.contains("\"two\""), "{text}");
                2
            });
        }
        names
    };
    let names = ask(40).await;
    assert!(names.contains(&1) && names.contains(&2), "{names:?}");
    drop(one);
    // Even what cannot be sent twice gets through: its connection failed before anything was sent.
    assert!(ask(20).await.iter().all(|name| *name == 2));
    let _one = Upstream::start_on("one", port);
    let found = async {
        while !ask(5).await.contains(&1) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(support::LIMIT, found).await.expect("found again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_an_upstream_that_is_about_to_come_back() {
    let upstream = Upstream::start("one");
    let port = upstream.port;
    let config = format!("check_interval = '1h'\nupstream_wait = '60s'\n{}", upstream.config());
    let served = Served::start(&config).await;
    drop(upstream);
    let url = served.url("/dav/x");
    let asked = async { curl(&["-X", "PUT", "-d", "x", &url]).await.text() };
    let restarted = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Upstream::start_on("two", port)
    };
    let (text, _upstream) = tokio::time::timeout(support::LIMIT, async { tokio::join!(asked, restarted) })
        .await
        .expect("answered");
    assert!(text.contains("\"name\": \"two\"") && text.contains("\"length\": 1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_on_its_upstream() {
    let upstreams: Vec<Upstream> = ["one", "two", "three"].into_iter().map(Upstream::start).collect();
    let served = Served::start(&config_of(&upstreams.iter().collect::<Vec<_>>())).await;
    let name = |text: &str| {
        ["one", "two", "three"]
            .into_iter()
            .find(|name| text.contains(&format!("\"name\": \"{name}\"")))
            .map(str::to_owned)
    };
    let mut seen = std::collections::BTreeSet::new();
    for client in 0..12 {
        let jar = served.folder.path().join(format!("jar{client}")).display().to_string();
        let first =
            curl(&["-i", "-b", &jar, "-c", &jar, "-d", "x", &served.url("/mapi/emsmdb")]).await.text();
        assert!(first.contains("set-cookie: kontor-upstream=") && first.contains("HttpOnly"), "{first}");
        let first = name(&first);
        assert!(first.is_some());
        for _ in 0..4 {
            let next =
                curl(&["-i", "-b", &jar, "-c", &jar, "-d", "x", &served.url("/mapi/emsmdb")]).await.text();
            assert_eq!(name(&next), first);
            assert!(!next.contains("set-cookie"), "{next}");
        }
        seen.insert(first);
    }
    assert!(seen.len() > 1, "{seen:?}");
    // RPC's two channels keep no cookie and belong together.
    let one = name(&curl(&["-X", "RPC_IN_DATA", "-d", "x", &served.url("/rpc/rpcproxy.dll")]).await.text());
    for _ in 0..6 {
        let text = curl(&["-X", "RPC_OUT_DATA", &served.url("/rpc/rpcproxy.dll")]).await.text();
        assert_eq!(name(&text), one);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_too_many_requests_waits() {
    let upstream = Upstream::start("a");
    let served = Served::start(&format!("requests_per_minute = 5\n{}", upstream.config())).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(curl(&["-o", "/dev/null", "-w", "%{http_code}", &served.url("/dav/x")]).await.text());
    }
    assert!(statuses.contains(&"429".to_owned()), "{statuses:?}");
    assert_eq!(&statuses[..5], ["200"; 5]);
    drop(served);
    let served = Served::start(&format!("requests_at_once = 1\n{}", upstream.config())).await;
    let url = served.url("/dav/dribble?pieces=1000&pause=0.2");
    let mut long = tokio::process::Command::new("curl")
        .args(["-sSN", "--noproxy", "*", &url])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl");
    let mut byte = [0];
    tokio::io::AsyncReadExt::read_exact(long.stdout.as_mut().expect("piped"), &mut byte)
        .await
        .expect("begun");
    let text = curl(&["-i", &served.url("/dav/x")]).await.text();
    assert!(text.starts_with("HTTP/1.1 429") && text.contains("retry-after"), "{text}");
}

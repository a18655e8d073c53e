//! A gateway in the same process: no socket, the same rules.

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use kontor_gateway_core::{Listener, ListenerConfig, Shared};
use kontor_ingress::routes::Target;
use kontor_ingress::{ClientAddress, Ingress, IngressConfig, Local, Locals, RequestBody, Scheme};
use support::{Served, curl};

async fn answer(request: Request<RequestBody>) -> Result<Response<String>, Infallible> {
    if request.headers().get("x").is_some_and(|value| value == "slow") {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let head = format!(
        "{} {} {:?} {:?}",
        request.method(),
        request.uri(),
        request.headers().get("x-forwarded-for"),
        request.extensions().get::<ClientAddress>()
    );
    let answer = match request.into_body().collect().await {
        Ok(body) => Response::new(format!("{head} {}", body.to_bytes().len())),
        Err(_) => Response::builder().status(413).body("too large\n".to_owned()).expect("a response"),
    };
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_in_this_process_is_an_upstream() {
    let locals = Locals::from([(Target::Dav, Local::new(service_fn(answer)))]);
    let served = Served::start_with("[routes.dav]\nmax_body = '1 MiB'", locals).await;
    let args = ["-X", "PROPFIND", "-H", "X-Forwarded-For: 6.6.6.6", "-d", "hello"];
    let text = curl(&[&args[..], &[&served.url("/dav/x?y")]].concat()).await.text();
    assert_eq!(text, "PROPFIND /dav/x?y Some(\"127.0.0.1\") Some(ClientAddress(127.0.0.1)) 5");
    let large = served.folder.path().join("large");
    std::fs::write(&large, vec![b'x'; 2 << 20]).expect("written");
    let large = format!("@{}", large.display());
    for chunked in ["Transfer-Encoding: chunked", "X: y"] {
        let text = curl(&["-i", "-H", chunked, "--data-binary", &large, &served.url("/dav/x")]).await.text();
        assert!(text.contains("HTTP/1.1 413"), "{text}");
    }
    let ca = served.ca();
    let text =
        curl(&["-i", "--http2", "--cacert", &ca, "-d", "hello", &served.secure_url("/dav/x")]).await.text();
    assert!(text.starts_with("HTTP/2 200") && text.ends_with(" 5"), "{text}");
    // HTTP/2 without TLS, as a proxy that knows what is behind it speaks.
    let text = curl(&["-i", "--http2-prior-knowledge", "-d", "hello", &served.url("/dav/x")]).await.text();
    assert!(text.starts_with("HTTP/2 200") && text.ends_with(" 5"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_believes_its_own_proxies_only() {
    let shared = Shared::default();
    let locals = Locals::from([(Target::Dav, Local::new(service_fn(answer)))]);
    let ingress = Ingress::new(&IngressConfig::default(), locals).expect("an ingress");
    let mut urls = Vec::new();
    for network in ["127.0.0.0/8", "10.0.0.0/8"] {
        let mut config = ListenerConfig::on("127.0.0.1:0".parse().expect("an address"));
        config.forwarded_from = vec![network.parse().expect("a network")];
        config.max_per_address = 1;
        let listener = Listener::bind("dav", &config, None).expect("bound");
        urls.push(format!("http://{}/dav/", listener.local_addr()));
        let handler = ingress.handler(Scheme::Http, listener.forwarded_from());
        shared.drain.spawn(listener.serve(Arc::new(handler), shared.clone()));
    }
    for (url, address) in urls.iter().zip(["192.0.2.7", "127.0.0.1"]) {
        let text = curl(&["-H", "X-Forwarded-For: 192.0.2.7", url]).await.text();
        assert!(text.contains(&format!("Some(ClientAddress({address}))")), "{text}");
    }
    // A proxy may have as many connections as it likes, everybody else as many as one address may have.
    for (url, expected) in urls.iter().zip([2, 1]) {
        let held = curl(&[
            "--parallel",
            "--parallel-immediate",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}\n",
            "-H",
            "X: slow",
            url,
            url,
        ])
        .await
        .text();
        assert_eq!(held.matches("200").count(), expected, "{held}");
    }
}

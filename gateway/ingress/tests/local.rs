//! A gateway in the same process: no socket, the same rules.

mod support;

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use kontor_ingress::routes::Target;
use kontor_ingress::{ClientAddress, Local, Locals, RequestBody};
use support::{Served, curl};

async fn answer(request: Request<RequestBody>) -> Result<Response<String>, Infallible> {
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
}

//! Requests that two servers could read differently: the upstream must see one, as we understood it, or none.

mod support;

use std::time::Duration;

use support::{Served, Upstream, raw};

const QUIET: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_in_another() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let hidden = "GET /dav/hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let length = hidden.len();
    // (what it is, the request's head after the request line, what follows, whether it must be refused)
    let cases = [
        ("lengths that differ", "Content-Length: 0\r\nContent-Length: 5\r\n".to_owned(), hidden, true),
        ("a list of lengths that differ", "Content-Length: 0, 5\r\n".to_owned(), hidden, true),
        ("a signed length", format!("Content-Length: +{length}\r\n"), hidden, true),
        ("a length in hex", "Content-Length: 0x0\r\n".to_owned(), hidden, true),
        ("a negative length", "Content-Length: -1\r\n".to_owned(), hidden, true),
        ("an endless length", "Content-Length: 99999999999999999999999\r\n".to_owned(), hidden, true),
        ("a coding nobody knows", "Transfer-Encoding: xchunked\r\n".to_owned(), hidden, true),
        ("chunked not last", "Transfer-Encoding: chunked, identity\r\n".to_owned(), hidden, true),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n".to_owned(), hidden, true),
        ("a folded line", "X: a\r\n Transfer-Encoding: chunked\r\n".to_owned(), hidden, true),
        ("a control octet in a name", "Transfer-Encoding\x0b: chunked\r\n".to_owned(), hidden, true),
        ("a NUL in a value", "X: a\0b\r\n".to_owned(), hidden, true),
        (
            "a chunk size that overflows",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            "10000000000000000\r\nx",
            true,
        ),
        ("a chunk size that is none", "Transfer-Encoding: chunked\r\n".to_owned(), "zz\r\n", true),
        ("a second Host", "Host: other\r\n".to_owned(), "", true),
    ];
    for (what, head, follows, is_refused) in cases {
        let request = format!("POST /dav/visible HTTP/1.1\r\nHost: h\r\n{head}\r\n{follows}");
        let answer = raw(served.http, request.as_bytes(), QUIET).await;
        let answers = answer.matches("HTTP/1.1 ").count();
        if is_refused {
            let refused = answer.starts_with("HTTP/1.1 4") && answers == 1;
            assert!(refused || answer.is_empty(), "{what}: {answer}");
        }
        let seen = served.seen().await;
        assert!(!seen.contains("hidden"), "{what}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_wins_over_a_length_and_the_upstream_gets_just_one() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let hidden = "GET /dav/hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    for head in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", hidden.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", hidden.len() + 5),
    ] {
        // By the length, `0\r\n\r\n` and the hidden request are the body; chunked, the body is empty and the rest is a
        // request of its own, which the client may send: it is seen by us first, with our headers on it.
        let request = format!("POST /dav/visible HTTP/1.1\r\nHost: h\r\n{head}\r\n0\r\n\r\n{hidden}");
        let answer = raw(served.http, request.as_bytes(), QUIET).await;
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400"), "{answer}");
        if answer.contains("/dav/hidden") {
            assert_eq!(answer.matches("x-forwarded-for").count(), 2, "not past us: {answer}");
        }
        assert!(!answer.contains("content-length\", \"4"), "just one framing goes on: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_or_too_slow_end() {
    let upstream = Upstream::start("a");
    let served =
        Served::start(&format!("header_timeout = '1s'\nmax_header = '16k'\n{}", upstream.config())).await;
    let large = format!("GET /dav/x HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let answer = raw(served.http, large.as_bytes(), QUIET).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    let many: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer =
        raw(served.http, format!("GET /dav/x HTTP/1.1\r\nHost: h\r\n{many}\r\n").as_bytes(), QUIET).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    // A head that never ends: the connection does.
    let slow = raw(served.http, b"GET /dav/x HTTP/1.1\r\nHost:", support::LIMIT);
    let answer = tokio::time::timeout(support::LIMIT, slow).await.expect("closed");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(!served.seen().await.contains("/dav/x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_is_told() {
    let upstream = Upstream::start("a");
    let served = Served::start(&format!("[routes.dav]\nidle = '1s'\n{}", upstream.config())).await;
    let request = b"PUT /dav/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nonly this";
    let answer = tokio::time::timeout(support::LIMIT, raw(served.http, request, support::LIMIT)).await;
    let answer = answer.expect("told and closed");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not come"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_request() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    for octets in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 6.6.6.6 1.1.1.1 1 2\r\nGET /dav/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"GET /dav/x HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET dav HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let answer = raw(served.http, octets, QUIET).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(served.seen().await, "[]");
}

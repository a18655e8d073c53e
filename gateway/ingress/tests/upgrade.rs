//! WebSocket and other upgrades become tunnels.

mod support;

use support::{LIMIT, Served, Upstream, curl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HANDSHAKE: &str = "GET /dav/websocket HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
                         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn read_until(stream: &mut TcpStream, words: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while !read.windows(words.len()).any(|window| window == words) {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).await.expect("open");
            assert!(count > 0, "{}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("in time");
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_speaks_both_ways_and_closes() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    let mut stream = TcpStream::connect(served.http).await.expect("listening");
    stream.write_all(HANDSHAKE.as_bytes()).await.expect("open");
    let head = read_until(&mut stream, b"\x81\x05hello").await;
    let head = String::from_utf8_lossy(&head).to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("connection: upgrade") && head.contains("upgrade: websocket"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    for word in [&b"one"[..], b"another"] {
        let mut frame = vec![0x81, 0x80 | word.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(word);
        stream.write_all(&frame).await.expect("open");
        read_until(&mut stream, word).await;
    }
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.expect("open");
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut rest)).await.expect("in time").expect("closed");
    assert_eq!(rest, [0x88, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upgrade_stays_http() {
    let upstream = Upstream::start("a");
    let served = Served::start(&upstream.config()).await;
    for protocol in ["h2c", "TLS/1.3"] {
        let upgrade = format!("Upgrade: {protocol}");
        let args = ["-H", "Connection: Upgrade, HTTP2-Settings", "-H", &upgrade, "-H", "HTTP2-Settings: x"];
        let url = served.url("/dav/x");
        let text = curl(&[&args[..], &[&url]].concat()).await.text();
        assert!(text.contains("\"path\": \"/dav/x\"") && !text.contains("upgrade"), "{text}");
    }
    // A refused upgrade is an ordinary answer.
    let args = ["-i", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket"];
    let url = served.url("/dav/x");
    let text = curl(&[&args[..], &[&url]].concat()).await.text();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("[\"upgrade\", \"websocket\"]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_tunnels_in_time() {
    let upstream = Upstream::start("a");
    let served = Served::start(&format!("drain = '1s'\n{}", upstream.config())).await;
    let mut stream = TcpStream::connect(served.http).await.expect("listening");
    stream.write_all(HANDSHAKE.as_bytes()).await.expect("open");
    read_until(&mut stream, b"\x81\x05hello").await;
    assert!(served.shared.drain.finish(LIMIT).await, "nothing had to be forced");
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

//! TCP routes: octets as they are, the client's address in front, and the next upstream when one is gone.

mod support;

use kontor_gateway_core::proxy::{self, Header};
use support::{LIMIT, Served};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_hears_who_its_client_is() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = upstream.local_addr().expect("bound");
    // The first one is nobody's; it must not be the end.
    let text = format!("check_interval = '1h'\n[tcp.imap]\naddresses = ['127.0.0.1:1', '{address}']");
    let served = Served::start(&text).await;
    let (_, listening) = served.tcp[0];
    let session = async {
        let mut client = TcpStream::connect(listening).await.expect("listening");
        let from = client.local_addr().expect("connected");
        let mut stream = loop {
            let (mut stream, _) = upstream.accept().await.expect("accepts");
            match proxy::read(&mut stream).await {
                Ok(Header::Proxied { source, destination }) => {
                    assert_eq!((source, destination), (from, listening));
                    break stream;
                }
                // A health check connects and leaves.
                _ => continue,
            }
        };
        stream.write_all(b"* OK ready\r\n").await.expect("open");
        let mut greeting = [0; 12];
        client.read_exact(&mut greeting).await.expect("greeted");
        assert_eq!(&greeting, b"* OK ready\r\n");
        let writes = async {
            client.write_all(&vec![7; 3 << 20]).await.expect("open");
            client.shutdown().await.expect("open");
        };
        let mut all = Vec::new();
        let reads = async { stream.read_to_end(&mut all).await.expect("whole") };
        assert_eq!(tokio::join!(writes, reads).1, 3 << 20);
        stream.write_all(b"* BYE\r\n").await.expect("its half is open");
        drop(stream);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("whole");
        assert_eq!(rest, b"* BYE\r\n");
    };
    tokio::time::timeout(LIMIT, session).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_upstream_the_client_is_sent_away() {
    let served = Served::start("upstream_wait = '1s'\n[tcp.imap]\naddresses = ['127.0.0.1:1']").await;
    let mut client = TcpStream::connect(served.tcp[0].1).await.expect("listening");
    let read = tokio::time::timeout(LIMIT, client.read(&mut [0; 16])).await.expect("in time");
    assert_eq!(read.unwrap_or(0), 0);
}

//! The first octets of a connection without TLS: HTTP/2 with prior knowledge (RFC 9113 §3.3, §3.4) begins with a preface
//! that no request of HTTP/1.1 begins with.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a connection begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub is_h2: bool,
    /// What was read to know that; the next reader wants it.
    pub octets: Vec<u8>,
}

/// Reads until it is certain, which takes a client of HTTP/1.1 one octet that is not the preface's.
///
/// # Errors
/// When the connection breaks. One that ends is no HTTP/2.
pub(crate) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<First> {
    let mut octets = Vec::with_capacity(READ);
    loop {
        let shared = octets.len().min(PREFACE.len());
        let is_prefix = octets.get(..shared) == PREFACE.get(..shared);
        if !is_prefix || shared == PREFACE.len() {
            return Ok(First { is_h2: is_prefix, octets });
        }
        // Bounded: the capacity is never exceeded before it is certain.
        if from.read_buf(&mut octets).await? == 0 {
            return Ok(First { is_h2: false, octets });
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const READ: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn first(chunks: &[&[u8]]) -> First {
        let mut from = reader(chunks);
        read(&mut from).await.expect("no error")
    }

    /// A reader that gives these, one at a time.
    fn reader(chunks: &[&[u8]]) -> impl AsyncRead + Unpin {
        let (near, far) = tokio::io::duplex(4096);
        let chunks: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
        tokio::spawn(async move {
            let mut far = far;
            for chunk in chunks {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut far, &chunk).await;
                tokio::task::yield_now().await;
            }
        });
        near
    }

    #[tokio::test]
    async fn known_by_the_whole_preface_in_any_pieces() {
        let found = first(&[b"PRI * HT", b"TP/2.0\r\n\r\nSM", b"\r\n\r\n\0\0"]).await;
        assert!(found.is_h2 && found.octets.starts_with(PREFACE));
        for request in [&b"PROPFIND /dav/ HTTP/1.1\r\n"[..], b"PRI", b"PRI * HTTP/1.1\r\n\r\n", b"", b"G"] {
            let found = first(&[request]).await;
            assert_eq!(found, First { is_h2: false, octets: request.to_vec() });
        }
    }
}

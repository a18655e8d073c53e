//! A read buffer for protocol loops that owns no memory while its client says nothing.

use bytes::{Buf, Bytes, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that were read and not yet consumed.
///
/// An empty reader holds no allocation: it waits with a buffer on the stack of the poll only, so that an idle
/// connection costs nothing here.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
}

impl Reader {
    /// An empty reader.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is there, oldest byte first.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// How many bytes are there.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no byte is there.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Drops the first `n` bytes (all, when there are fewer).
    pub fn consume(&mut self, n: usize) {
        self.buffer.advance(n.min(self.buffer.len()));
        self.release();
    }

    /// Takes the first `n` bytes out (all, when there are fewer), without a copy.
    pub fn take(&mut self, n: usize) -> Bytes {
        let n = n.min(self.buffer.len());
        if n == self.buffer.len() {
            return std::mem::take(&mut self.buffer).freeze();
        }
        self.buffer.split_to(n).freeze()
    }

    /// The buffer itself, for codecs that work on a `BytesMut`. Call [`Reader::release`] after.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Gives the memory back when nothing is buffered.
    pub fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// Reads once, whatever is there, and appends it. Returns how many bytes came; 0 is the end of the stream.
    /// Cancel-safe: bytes are either still in the socket or in the buffer.
    pub async fn fill<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, Pin::new(from))).await
    }

    /// See [`Reader::fill`].
    pub fn poll_fill<R: AsyncRead>(
        &mut self,
        cx: &mut Context<'_>,
        from: Pin<&mut R>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() {
            let mut scratch = [std::mem::MaybeUninit::uninit(); SCRATCH];
            let mut into = ReadBuf::uninit(&mut scratch);
            ready!(from.poll_read(cx, &mut into))?;
            self.buffer.extend_from_slice(into.filled());
            return Poll::Ready(Ok(into.filled().len()));
        }
        self.buffer.reserve(CHUNK);
        tokio_util::io::poll_read_buf(from, cx, &mut self.buffer)
    }

    /// Reads until a line is complete and takes it out, its line ending (CRLF or a bare LF) included. `None` at the
    /// end of the stream, also inside a line. More than `limit` bytes without an LF is an error of kind
    /// `InvalidData`; what was read stays buffered. Cancel-safe.
    pub async fn line<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
        limit: usize,
    ) -> io::Result<Option<Bytes>> {
        let mut seen = 0;
        loop {
            let fresh = self.buffer.get(seen..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|b| *b == b'\n') {
                if seen + at + 1 > limit {
                    return Err(too_long());
                }
                return Ok(Some(self.take(seen + at + 1)));
            }
            seen = self.buffer.len();
            if seen >= limit {
                return Err(too_long());
            }
            if self.fill(from).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "line too long")
}

/// Read on the stack, when nothing is buffered.
const SCRATCH: usize = 8 * 1024;
/// Room made for each read, when something is.
const CHUNK: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn lines_come_whole_whatever_the_pieces() {
        let (mut client, mut server) = tokio::io::duplex(3);
        tokio::spawn(async move {
            client.write_all(b"one\r\ntwo\nthr").await.expect("open");
        });
        let mut reader = Reader::new();
        assert_eq!(reader.line(&mut server, 100).await.expect("line").expect("there"), "one\r\n");
        assert_eq!(reader.line(&mut server, 100).await.expect("line").expect("there"), "two\n");
        assert!(reader.line(&mut server, 100).await.expect("end").is_none());
        assert_eq!(reader.buffered(), b"thr");
    }

    #[tokio::test]
    async fn a_long_line_is_an_error() {
        let (mut client, mut server) = tokio::io::duplex(64);
        client.write_all(&[b'x'; 64]).await.expect("open");
        let error = Reader::new().line(&mut server, 32).await.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut reader = Reader::new();
        let (mut client, mut server) = tokio::io::duplex(64);
        client.write_all(b"0123456789\n").await.expect("open");
        assert!(reader.line(&mut server, 10).await.is_err());
    }

    #[tokio::test]
    async fn an_empty_reader_owns_nothing() {
        let (mut client, mut server) = tokio::io::duplex(1 << 20);
        client.write_all(&vec![7; 100_000]).await.expect("open");
        let mut reader = Reader::new();
        while reader.len() < 100_000 {
            reader.fill(&mut server).await.expect("open");
        }
        reader.consume(100_000);
        assert_eq!(reader.buffer.capacity(), 0);
    }
}

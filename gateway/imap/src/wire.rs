//! A client's connection with what is still to be read and written.

use std::{io, time::Duration};

use kontor_gateway_core::{Connection, Reader};
use kontor_imap_proto::Encoder;
use tokio::io::AsyncWriteExt as _;

/// The two directions of a connection. Owns no buffers while nothing is under way.
#[derive(Debug)]
pub struct Wire {
    pub(crate) connection: Connection,
    pub(crate) reader: Reader,
    out: Vec<u8>,
    /// Mailbox names go out as UTF-8.
    pub(crate) utf8: bool,
    write_timeout: Duration,
}

impl Wire {
    pub(crate) fn new(connection: Connection, write_timeout: Duration) -> Self {
        Self { connection, reader: Reader::new(), out: Vec::new(), utf8: false, write_timeout }
    }

    /// Writes responses into the buffer.
    pub(crate) fn encoder(&mut self) -> Encoder<'_> {
        Encoder::new(&mut self.out, self.utf8)
    }

    /// The buffer itself.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends what has gathered if it is much.
    pub(crate) async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.out.len() >= FULL { self.send().await } else { Ok(()) }
    }

    /// Sends everything and gives the buffer back.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.send().await?;
        self.out = Vec::new();
        within(self.write_timeout, self.connection.flush()).await
    }

    async fn send(&mut self) -> io::Result<()> {
        for piece in self.out.chunks(PIECE) {
            within(self.write_timeout, self.connection.write_all(piece)).await?;
        }
        self.out.clear();
        if self.out.capacity() > 4 * FULL {
            self.out = Vec::with_capacity(FULL);
        }
        Ok(())
    }

    /// Sends bytes behind what has gathered, without a copy when they are many.
    pub(crate) async fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.out.len() + bytes.len() <= FULL {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        self.send().await?;
        for piece in bytes.chunks(PIECE) {
            within(self.write_timeout, self.connection.write_all(piece)).await?;
        }
        Ok(())
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, work).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// The buffer is sent when it holds this much.
const FULL: usize = 64 * 1024;
/// What is written under one deadline.
const PIECE: usize = 256 * 1024;

//! A buffered loopback connection with a deadline on every step.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one step of a conversation may take before the test is called failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One TCP connection, read by lines and by counted bytes.
pub struct Wire {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
    /// Bytes read from the peer so far.
    pub read: u64,
    patience: Duration,
}

impl Wire {
    /// Connects to `address` (`host:port`).
    pub async fn connect(address: &str) -> Result<Self> {
        Self::connect_with(address, PATIENCE, 16 * 1024).await
    }

    /// As [`Wire::connect`], with a deadline for each step and the size of the read buffer in bytes.
    pub async fn connect_with(address: &str, patience: Duration, buffer: usize) -> Result<Self> {
        let stream = timeout(patience, TcpStream::connect(address))
            .await
            .with_context(|| format!("no connection to {address} in {patience:?}"))?
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(buffer, stream), line: Vec::new(), read: 0, patience })
    }

    /// Sets the deadline for each following step.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Writes all of `bytes`.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        timeout(self.patience, self.stream.get_mut().write_all(bytes))
            .await
            .context("the peer does not read")?
            .context("cannot write")
    }

    /// The next line without its line end. An end of the stream is an error.
    pub async fn line(&mut self) -> Result<&[u8]> {
        timeout(self.patience, self.line_unhurried()).await.context("no line from the peer in time")?
    }

    /// As [`Wire::line`] for a caller that holds the deadline itself.
    pub async fn line_unhurried(&mut self) -> Result<&[u8]> {
        self.line.clear();
        let n = self.stream.read_until(b'\n', &mut self.line).await.context("cannot read")?;
        self.read += n as u64;
        if self.line.last() != Some(&b'\n') {
            bail!("the peer closed the connection after {:?}", String::from_utf8_lossy(&self.line));
        }
        self.line.pop();
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(&self.line)
    }

    /// The next line with its line end as it came: up to and including the next LF.
    pub async fn line_raw(&mut self) -> Result<&[u8]> {
        self.line.clear();
        let n = timeout(self.patience, self.stream.read_until(b'\n', &mut self.line))
            .await
            .context("no line from the peer in time")?
            .context("cannot read")?;
        self.read += n as u64;
        if self.line.last() != Some(&b'\n') {
            bail!("the peer closed the connection in the middle of a line");
        }
        Ok(&self.line)
    }

    /// As [`Wire::line`], as text.
    pub async fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(self.line().await?).into_owned())
    }

    /// Exactly `n` bytes.
    pub async fn take(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; n];
        timeout(self.patience, self.stream.read_exact(&mut bytes))
            .await
            .context("no bytes from the peer in time")?
            .with_context(|| format!("the peer closed within {n} bytes"))?;
        self.read += n as u64;
        Ok(bytes)
    }

    /// Reads `n` bytes and forgets them, without a deadline of its own.
    pub async fn skip_unhurried(&mut self, mut n: u64) -> Result<()> {
        while n > 0 {
            let have = self.stream.fill_buf().await.context("cannot read")?.len();
            if have == 0 {
                bail!("the peer closed {n} bytes early");
            }
            let step = n.min(have as u64);
            self.stream.consume(step as usize);
            self.read += step;
            n -= step;
        }
        Ok(())
    }

    /// Whether the peer closes the connection within `patience`; what it says before that is dropped.
    pub async fn closes_within(&mut self, patience: Duration) -> bool {
        timeout(patience, async {
            loop {
                match self.stream.fill_buf().await {
                    Ok([]) | Err(_) => return,
                    Ok(bytes) => {
                        let n = bytes.len();
                        self.stream.consume(n);
                    }
                }
            }
        })
        .await
        .is_ok()
    }
}

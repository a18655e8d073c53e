//! Octets from here to there and back, until both have ended. A silent tunnel holds no buffer: there are many of them.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// Joins two connections. Returns the octets that went from `a` to `b` and from `b` to `a`. It ends when both sides
/// have ended or one is broken, when nobody said anything for `idle`, or when `ending` resolves.
pub(crate) async fn tunnel<A, B>(a: A, b: B, idle: Duration, ending: impl Future<Output = ()>) -> (u64, u64)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut a, mut b) = (a, b);
    let (mut there, mut back) = (Half::default(), Half::default());
    let mut ending = pin!(ending);
    let mut timer = pin!(sleep_until(Instant::now() + idle));
    let mut last = (Instant::now(), 0);
    poll_fn(|cx| {
        let one = there.poll(cx, &mut a, &mut b);
        let other = back.poll(cx, &mut b, &mut a);
        match (one, other) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => return Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(()),
            _ => {}
        }
        if ending.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let moved = there.moved + back.moved;
        if moved != last.1 {
            last = (Instant::now(), moved);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if last.0 + idle <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(last.0 + idle);
        }
        Poll::Pending
    })
    .await;
    (there.moved, back.moved)
}

/// One direction.
#[derive(Default)]
struct Half {
    /// Read and not yet written; empty while nothing waits.
    left: Bytes,
    moved: u64,
    unflushed: bool,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The reader has ended; the writer has to hear it.
    Ending,
    Ended,
}

impl Half {
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..ROUNDS {
            while !self.left.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.left))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.left.advance(written);
                self.moved += written as u64;
                self.unflushed = true;
            }
            self.left = Bytes::new();
            match self.state {
                State::Open => {}
                State::Ending => {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.state = State::Ended;
                    return Poll::Ready(Ok(()));
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                if Pin::new(&mut *from).poll_read(cx, &mut buffer)?.is_pending() {
                    return Poll::Pending;
                }
                let filled = buffer.filled();
                if filled.is_empty() {
                    return Poll::Ready(io::Result::Ok(None));
                }
                // What goes out at once needs no buffer of its own.
                let written = match Pin::new(&mut *to).poll_write(cx, filled)? {
                    Poll::Ready(written) => written,
                    Poll::Pending => 0,
                };
                let left = filled.get(written..).unwrap_or_default();
                Poll::Ready(Ok(Some((written, Bytes::copy_from_slice(left)))))
            });
            match read {
                Poll::Pending => {
                    if self.unflushed {
                        ready!(Pin::new(&mut *to).poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
                Poll::Ready(read) => match read? {
                    None => self.state = State::Ending,
                    Some((written, left)) => {
                        self.moved += written as u64;
                        self.unflushed |= written > 0;
                        self.left = left;
                    }
                },
            }
        }
        // Others want their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

const BUFFER: usize = 64 << 10;
const ROUNDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn everything_arrives_and_each_end_is_heard() {
        let ((mut client, a), (b, mut server)) = (duplex(1000), duplex(300));
        let joined = tokio::spawn(tunnel(a, b, Duration::from_secs(60), std::future::pending()));
        let sent: Vec<u8> = (0..500_000u32).map(|n| n as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            client.write_all(&sent).await.expect("open");
            client.shutdown().await.expect("open");
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("answered");
            answer
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.expect("whole");
        assert_eq!(received, expected);
        server.write_all(b"goodbye").await.expect("its half is still open");
        server.shutdown().await.expect("open");
        assert_eq!(writer.await.expect("no panic"), b"goodbye");
        assert_eq!(joined.await.expect("no panic"), (500_000, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_ends_it_and_words_do_not() {
        let ((mut client, a), (b, mut server)) = (duplex(100), duplex(100));
        let began = Instant::now();
        let joined = tokio::spawn(tunnel(a, b, Duration::from_secs(60), std::future::pending()));
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            client.write_all(b"x").await.expect("open");
            server.read_u8().await.expect("arrives");
        }
        assert_eq!(joined.await.expect("no panic"), (5, 0));
        assert_eq!(began.elapsed().as_secs(), 5 * 50 + 60);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_is_told_to() {
        let ((_client, a), (b, _server)) = (duplex(100), duplex(100));
        let ending = tokio::time::sleep(Duration::from_secs(3));
        assert_eq!(tunnel(a, b, Duration::from_secs(60), ending).await, (0, 0));
    }
}

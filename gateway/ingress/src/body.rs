//! Bodies on their way through: counted, watched, never gathered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::task::AtomicWaker;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::Sleep;

use crate::exchange::{Blame, Exchange};
use crate::local::LocalBody;
use crate::record::Record;

/// What a client sends. It implements [`Body`]; nothing of it is read before somebody asks.
pub struct RequestBody {
    incoming: Option<Incoming>,
    exchange: Arc<Exchange>,
    silence: Silence,
    left: u64,
    gate: Option<Gate>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, exchange: Arc<Exchange>, idle: Duration, max: u64) -> Self {
        let incoming = (!incoming.is_end_stream()).then_some(incoming);
        Self { incoming, silence: Silence::of(&exchange, idle), exchange, left: max, gate: None }
    }

    pub(crate) fn empty(exchange: Arc<Exchange>) -> Self {
        Self { incoming: None, silence: Silence::of(&exchange, Duration::MAX), exchange, left: 0, gate: None }
    }

    /// Holds the body back until the upstream wants it (RFC 9110 §10.1.1).
    pub(crate) fn hold(&mut self) -> Gate {
        let gate = Gate::default();
        self.gate = Some(gate.clone());
        gate
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        if let Some(gate) = &this.gate {
            match gate.poll(cx) {
                Poll::Ready(true) => this.gate = None,
                Poll::Ready(false) => return Poll::Ready(Some(Err(BodyError::NotWanted))),
                Poll::Pending => match this.silence.poll_for(cx, HELD_FOR) {
                    // RFC 9110 §10.1.1: nobody waits for ever.
                    Poll::Ready(()) => this.gate = None,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        let (blame, error) = match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let octets = frame.data_ref().map_or(0, Bytes::len);
                this.exchange.received(octets);
                match this.left.checked_sub(octets as u64) {
                    Some(left) => {
                        this.left = left;
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => (Blame::TooLarge, BodyError::TooLarge),
                }
            }
            Poll::Ready(Some(Err(error))) => (Blame::ClientBroke, BodyError::Broken(error)),
            Poll::Ready(None) => {
                this.incoming = None;
                return Poll::Ready(None);
            }
            Poll::Pending => match this.silence.poll(cx) {
                Poll::Ready(()) => (Blame::ClientIdle, BodyError::Idle),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.exchange.blame(blame);
        this.incoming = None;
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

/// What goes back to the client.
pub struct ResponseBody {
    source: Source,
    tail: Option<Box<Tail>>,
}

enum Source {
    Nothing,
    Words(Bytes),
    Upstream(Incoming),
    Local(LocalBody),
}

/// What holds until the body has ended.
pub(crate) struct Tail {
    pub exchange: Arc<Exchange>,
    pub silence: Silence,
    pub gate: Option<Gate>,
    pub record: Record,
}

impl ResponseBody {
    /// Words of our own.
    pub(crate) fn words(words: impl Into<Bytes>) -> Self {
        Self { source: Source::Words(words.into()), tail: None }
    }

    pub(crate) fn nothing() -> Self {
        Self { source: Source::Nothing, tail: None }
    }

    pub(crate) fn upstream(incoming: Incoming) -> Self {
        Self { source: Source::Upstream(incoming), tail: None }
    }

    pub(crate) fn local(body: LocalBody) -> Self {
        Self { source: Source::Local(body), tail: None }
    }

    pub(crate) fn with(mut self, tail: Tail) -> Self {
        self.tail = Some(Box::new(tail));
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = match &mut this.source {
            Source::Nothing => Poll::Ready(None),
            Source::Words(words) => {
                let words = std::mem::take(words);
                this.source = Source::Nothing;
                Poll::Ready((!words.is_empty()).then(|| Ok(Frame::data(words))))
            }
            Source::Upstream(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::Broken),
            Source::Local(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Local),
        };
        let Some(tail) = &mut this.tail else { return polled };
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                tail.exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tail.record.broken(&error);
                this.source = Source::Nothing;
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                tail.record.complete();
                Poll::Ready(None)
            }
            Poll::Pending => {
                if tail.silence.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                tail.record.broken(&BodyError::Idle);
                this.source = Source::Nothing;
                Poll::Ready(Some(Err(BodyError::Idle)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nothing => true,
            Source::Words(words) => words.is_empty(),
            Source::Upstream(incoming) => incoming.is_end_stream(),
            Source::Local(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Words(words) => SizeHint::with_exact(words.len() as u64),
            Source::Upstream(incoming) => incoming.size_hint(),
            Source::Local(body) => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let ended = self.is_end_stream();
        if let Some(tail) = &mut self.tail {
            if ended {
                tail.record.complete();
            }
            if let Some(gate) = &tail.gate {
                gate.shut_for_good();
            }
        }
    }
}

/// Why a body ended before its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More than the route takes.
    #[error("the request body is larger than this route takes")]
    TooLarge,
    /// Nobody said anything for the route's idle time.
    #[error("nothing came for too long")]
    Idle,
    /// The upstream answered without asking for the body that it was offered.
    #[error("the upstream did not want the request body")]
    NotWanted,
    /// The connection.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// A service in this process.
    #[error("the service failed")]
    Local(#[source] crate::local::BoxError),
}

/// Notices that an exchange has been silent for too long. Costs nothing while something is said.
pub(crate) struct Silence {
    exchange: Arc<Exchange>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    pub fn of(exchange: &Arc<Exchange>, idle: Duration) -> Self {
        Self { exchange: exchange.clone(), idle, timer: None }
    }

    /// Ready when the silence has lasted. To be asked only when there is nothing else to do.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_for(cx, self.idle)
    }

    fn poll_for(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<()> {
        if idle == Duration::MAX {
            return Poll::Pending;
        }
        loop {
            if let Some(timer) = &mut self.timer
                && timer.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            match self.exchange.left_of(idle) {
                None => {
                    self.timer = None;
                    return Poll::Ready(());
                }
                Some(left) => self.timer = Some(Box::pin(tokio::time::sleep(left))),
            }
        }
    }
}

/// Holds a request body back: `Expect: 100-continue` is answered by the upstream and not by us.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    state: AtomicU8,
    waker: AtomicWaker,
}

impl Gate {
    /// The upstream wants the body.
    pub fn open(&self) {
        self.change(OPEN);
    }

    /// It has answered and nobody wants the body any more.
    pub fn shut_for_good(&self) {
        self.change(SHUT_FOR_GOOD);
    }

    fn change(&self, state: u8) {
        let _ = self.0.state.compare_exchange(SHUT, state, Ordering::AcqRel, Ordering::Acquire);
        self.0.waker.wake();
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<bool> {
        self.0.waker.register(cx.waker());
        match self.0.state.load(Ordering::Acquire) {
            SHUT => Poll::Pending,
            state => Poll::Ready(state == OPEN),
        }
    }
}

const SHUT: u8 = 0;
const OPEN: u8 = 1;
const SHUT_FOR_GOOD: u8 = 2;
/// A client waits about as long on its own.
const HELD_FOR: Duration = Duration::from_secs(10);

//! A stream that loses patience: with a header that does not come, with a connection that says
//! nothing, with a peer that does not take its answer. (hyper has one timer for header and idle
//! time together, and none for writing.)

use super::Limits;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep, sleep};

/// What the connection is at. Counts its changes, so that each begins a new time: the last two
/// bits are the state.
#[derive(Debug)]
pub(super) struct Phase(AtomicU64);

const STATES: u64 = 4;
/// A request's header is coming, or the first byte of a new connection.
const HEAD: u64 = 0;
/// A request is served; others watch over it.
const BUSY: u64 = 1;
/// Between two requests.
const IDLE: u64 = 2;

impl Phase {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(HEAD)))
    }

    pub(super) fn busy(&self) {
        self.turn(BUSY);
    }

    pub(super) fn idle(&self) {
        self.turn(IDLE);
    }

    fn turn(&self, state: u64) {
        let next = |now: u64| Some((now / STATES + 1) * STATES + state);
        // Always succeeds: the closure always gives a value.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

pub(super) struct Timeouts {
    stream: TokioIo<UnixStream>,
    phase: Arc<Phase>,
    limits: Limits,
    /// Which turn of the phase the timer was set for.
    set_for: Option<u64>,
    read: Pin<Box<Sleep>>,
    /// Set while the peer does not take what is written.
    write: Option<Pin<Box<Sleep>>>,
}

impl Timeouts {
    pub(super) fn new(stream: UnixStream, phase: Arc<Phase>, limits: Limits) -> Self {
        let read = Box::pin(sleep(limits.header));
        let set_for = Some(phase.get());
        Self { stream: TokioIo::new(stream), phase, limits, set_for, read, write: None }
    }

    /// The bare stream, once HTTP is done with it.
    pub(super) fn into_stream(self) -> UnixStream {
        self.stream.into_inner()
    }

    /// Whether a read that waits has waited too long.
    fn waited(&mut self, context: &mut Context<'_>) -> bool {
        let turn = self.phase.get();
        let limit = match turn % STATES {
            HEAD => self.limits.header,
            IDLE => self.limits.idle,
            _ => return false,
        };
        if self.set_for != Some(turn) {
            self.set(turn, limit);
        }
        self.read.as_mut().poll(context).is_ready()
    }

    fn set(&mut self, turn: u64, limit: Duration) {
        self.set_for = Some(turn);
        self.read.as_mut().reset(Instant::now() + limit);
    }

    /// Ends the quiet between two requests.
    fn heard(&mut self) {
        if self.phase.get() % STATES == IDLE {
            self.phase.turn(HEAD);
        }
    }

    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if result.is_ready() {
            self.write = None;
            return result;
        }
        let limit = self.limits.write;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(limit)));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(late("the peer does not take its answer"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn late(why: &'static str) -> Error {
    Error::new(ErrorKind::TimedOut, why)
}

impl Read for Timeouts {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.heard();
                Poll::Ready(read)
            }
            Poll::Pending if self.waited(context) => {
                Poll::Ready(Err(late("the request did not come")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Write for Timeouts {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }
}

//! The task of one stream.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use memberlist_proto::StreamFailure;

use super::guard::StreamGuard;
use super::unless;
use crate::driver::stream_failure;
use crate::runtime::{Runtime, Stream};
use crate::state::Command;

/// How many bytes to read at once.
const READ: usize = 64 << 10;
/// How many bytes of a peer to read and discard at the end, so that closing does not cut off what
/// the peer has yet to read: a connection that is dropped with unread data is reset.
const LAST_WORDS: usize = 1 << 20;
/// The first byte from a peer that expects TLS and answers with an alert.
const ALERT: u8 = 0x15;
/// The first byte from a peer that begins a TLS handshake.
const GREETING: u8 = 0x16;
/// How many rounds of reads and writes are done before other tasks have their turn.
const ROUNDS: usize = 16;

/// Opens a connection and serves it.
pub(super) async fn connect<R: Runtime>(runtime: R, mut guard: StreamGuard, to: SocketAddr) {
    let dialled = {
        let (driver, id) = (&guard.driver, guard.id);
        unless(|cx| driver.poll_abort(cx, id), runtime.connect(to)).await
    };
    match dialled {
        Some(Ok(stream)) => {
            guard.driver.connected(guard.id);
            carry::<R>(stream, guard, true).await;
        }
        Some(Err(error)) => guard.cause = Some(stream_failure(&error)),
        None => guard.cause = Some(StreamFailure::Other),
    }
}

/// Serves a connection until it ends. `opened`: this side has opened it, not the peer.
pub(super) async fn carry<R: Runtime>(stream: R::Stream, guard: StreamGuard, opened: bool) {
    // Nagle's algorithm would only delay answers.
    let _ = stream.set_nodelay();
    let mut carrier = Carrier::new(stream, guard, opened);
    carrier.guard.cause = poll_fn(|cx| carrier.poll(cx)).await;
}

#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
struct Carrier<S> {
    stream: S,
    /// What the core wants written, and has not been written yet.
    pending: Bytes,
    /// Whether the peer has not ended its side yet.
    reading: bool,
    /// Whether this side has opened the connection.
    opened: bool,
    /// What is known about the first bytes from the peer.
    first: First,
    /// Whether the socket may have something to read, or room to write: try before waiting.
    readable: bool,
    writable: bool,
    /// Why writing failed; an answer of the peer may still be readable.
    broken: Option<StreamFailure>,
    ending: Ending,
    /// Declared after the stream, so that it is dropped after it.
    guard: StreamGuard,
}

/// The state of the first bytes from a peer.
enum First {
    /// None has arrived.
    Awaited,
    /// One byte that may begin TLS: it is held back until the next byte decides.
    Held,
    /// They are of this protocol, or the core will refuse them.
    Known,
}

/// How far the end of a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It has not begun.
    Open,
    /// This side is being shut down.
    Closing,
    /// It has been shut down, and this number of the peer's last bytes has been discarded.
    Draining(usize),
}

/// What a step led to.
enum Step {
    /// Something was done, and there may be more to do.
    Done,
    /// There is nothing to do; the task will be woken.
    Waits,
    /// The stream has ended.
    Over(Option<StreamFailure>),
}

impl<S: Stream> Carrier<S> {
    fn new(stream: S, guard: StreamGuard, opened: bool) -> Self {
        Self {
            stream,
            pending: Bytes::new(),
            reading: true,
            opened,
            first: First::Awaited,
            readable: true,
            writable: true,
            broken: None,
            ending: Ending::Open,
            guard,
        }
    }

    /// Does what can be done in both directions until the stream has ended; returns why it has.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamFailure>> {
        for _ in 0..ROUNDS {
            let mut done = false;
            for step in [Self::command, Self::write, Self::read] {
                match step(self, cx) {
                    Step::Done => done = true,
                    Step::Waits => {}
                    Step::Over(cause) => return Poll::Ready(cause),
                }
            }
            if !done {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Fetches the core's next command, if the previous one has been carried out.
    fn command(&mut self, cx: &mut Context<'_>) -> Step {
        let (driver, id) = (&self.guard.driver, self.guard.id);
        match self.ending {
            Ending::Open if self.pending.is_empty() => match driver.poll_command(cx, id) {
                Poll::Pending => Step::Waits,
                Poll::Ready(Command::Write(data)) => {
                    if self.broken.is_none() {
                        self.pending = data;
                    }
                    Step::Done
                }
                Poll::Ready(Command::Close) if self.broken.is_some() => Step::Over(self.broken),
                Poll::Ready(Command::Close) => {
                    self.ending = Ending::Closing;
                    Step::Done
                }
                Poll::Ready(Command::Abort) => Step::Over(Some(StreamFailure::Other)),
            },
            Ending::Open => match driver.poll_abort(cx, id) {
                Poll::Pending => Step::Waits,
                Poll::Ready(()) => Step::Over(Some(StreamFailure::Other)),
            },
            // Everything has been written: the core's deadline ends the wait for the peer.
            Ending::Closing | Ending::Draining(_) => match driver.poll_abort(cx, id) {
                Poll::Pending => Step::Waits,
                Poll::Ready(()) => Step::Over(None),
            },
        }
    }

    /// Writes what is pending, or shuts down this side.
    fn write(&mut self, cx: &mut Context<'_>) -> Step {
        if self.ending == Ending::Closing {
            return match self.stream.poll_shutdown(cx) {
                Poll::Pending => Step::Waits,
                Poll::Ready(Ok(())) if self.reading => {
                    self.ending = Ending::Draining(0);
                    Step::Done
                }
                Poll::Ready(Ok(())) => Step::Over(None),
                Poll::Ready(Err(error)) => Step::Over(Some(stream_failure(&error))),
            };
        }
        if self.pending.is_empty() {
            return Step::Waits;
        }
        if !self.writable {
            match self.stream.poll_writable(cx) {
                Poll::Pending => return Step::Waits,
                Poll::Ready(Ok(())) => self.writable = true,
                Poll::Ready(Err(error)) => return Step::Over(Some(stream_failure(&error))),
            }
        }
        match self.stream.try_write(&self.pending) {
            Ok(len) => {
                self.pending.advance(len);
                self.guard.driver.written(self.guard.id, len);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.pending.clear();
                self.broken = Some(stream_failure(&error));
                if !self.reading {
                    return Step::Over(self.broken);
                }
            }
        }
        Step::Done
    }

    /// Reads what has arrived, and hands it to the core unless the stream is ending.
    fn read(&mut self, cx: &mut Context<'_>) -> Step {
        if !self.reading {
            return Step::Waits;
        }
        if !self.readable {
            match self.stream.poll_readable(cx) {
                Poll::Pending => return Step::Waits,
                Poll::Ready(Ok(())) => self.readable = true,
                Poll::Ready(Err(error)) => return Step::Over(Some(stream_failure(&error))),
            }
        }
        // The buffer belongs to the thread: an idle stream holds none.
        let mut buffer = SCRATCH.take();
        buffer.resize(READ, 0);
        let step = match self.stream.try_read(&mut buffer) {
            Ok(len) => self.heard(buffer.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Step::Done
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::Done,
            // Everything has been written, and the peer's last bytes do not matter.
            Err(_) if self.ending != Ending::Open => Step::Over(None),
            Err(error) => Step::Over(Some(stream_failure(&error))),
        };
        SCRATCH.set(buffer);
        step
    }

    /// Handles bytes from the peer; an empty slice is its end. A peer that speaks TLS is recognized
    /// by its first two bytes, however they are split: no message of this protocol begins with
    /// them.
    fn heard(&mut self, data: &[u8]) -> Step {
        let of_tls = if self.opened { ALERT } else { GREETING };
        match (std::mem::replace(&mut self.first, First::Known), data) {
            (First::Awaited, [first]) if *first == of_tls => {
                self.first = First::Held;
                Step::Done
            }
            (First::Awaited, [first, 3, ..]) if *first == of_tls => {
                Step::Over(Some(StreamFailure::UnexpectedTls))
            }
            (First::Held, [3, ..]) => Step::Over(Some(StreamFailure::UnexpectedTls)),
            (First::Held, _) => match self.hand_in(&[of_tls]) {
                Step::Done => self.hand_in(data),
                step => step,
            },
            (First::Awaited | First::Known, _) => self.hand_in(data),
        }
    }

    fn hand_in(&mut self, data: &[u8]) -> Step {
        let (driver, id) = (&self.guard.driver, self.guard.id);
        match (self.ending, data.len()) {
            (Ending::Open, 0) => {
                self.reading = false;
                driver.eof(id);
                if self.broken.is_some() {
                    return Step::Over(self.broken);
                }
            }
            (Ending::Open, _) => driver.data(id, data),
            (Ending::Closing, 0) => self.reading = false,
            (Ending::Closing, _) => {}
            (Ending::Draining(_), 0) => return Step::Over(None),
            (Ending::Draining(heard), len) if heard + len >= LAST_WORDS => return Step::Over(None),
            (Ending::Draining(heard), len) => self.ending = Ending::Draining(heard + len),
        }
        Step::Done
    }
}

std::thread_local! {
    /// The buffer for reading.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

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

/// Bytes to read at once.
const READ: usize = 64 << 10;
/// Bytes of a peer's last words to read and throw away, so that closing does not cut off what it has
/// yet to read: a connection that is dropped with unread data is reset.
const LAST_WORDS: usize = 1 << 20;
/// What a peer that expects TLS begins with, which does not understand what it has read.
const ALERT: u8 = 0x15;
/// What a peer begins with that opens TLS.
const GREETING: u8 = 0x16;
/// Reads and writes in a row before other tasks have their turn.
const ROUNDS: usize = 16;

/// Opens a connection and carries it.
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

/// Carries a connection until it ends. This side has `opened` it, or the peer has.
pub(super) async fn carry<R: Runtime>(stream: R::Stream, guard: StreamGuard, opened: bool) {
    // A delay would only make an answer late.
    let _ = stream.set_nodelay();
    let mut carrier = Carrier::new(stream, guard, opened);
    carrier.guard.cause = poll_fn(|cx| carrier.poll(cx)).await;
}

#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
struct Carrier<S> {
    stream: S,
    /// What the core wants written, and the socket has not taken.
    pending: Bytes,
    /// The peer has not ended its side.
    reading: bool,
    /// This side has opened it.
    opened: bool,
    /// The beginning of what the peer says.
    first: First,
    /// The socket may have something to read, or room to write: to be tried before it is waited for.
    readable: bool,
    writable: bool,
    /// Why writing ended; the peer's answer may still be there to read.
    broken: Option<StreamFailure>,
    ending: Ending,
    /// Behind the stream, so that it is dropped after it.
    guard: StreamGuard,
}

/// The beginning of what a peer says.
enum First {
    /// It has said nothing.
    Awaited,
    /// One byte that may be that of TLS: it is held back until the next one says so, or not.
    Held,
    /// It is this protocol's, or the core's to refuse.
    Known,
}

/// How far the end of a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It has not begun.
    Open,
    /// This side is being shut down.
    Closing,
    /// It is, and so many of the peer's last bytes were thrown away.
    Draining(usize),
}

/// What a step led to.
enum Step {
    /// Something was done: there may be more to do.
    Done,
    /// The task will be woken.
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

    /// Does what can be done, both directions in turn, until the stream has ended: why.
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

    /// Takes the core's next command, if the one before has been carried out.
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
            // Everything is written: the core's deadline ends the wait for the peer.
            Ending::Closing | Ending::Draining(_) => match driver.poll_abort(cx, id) {
                Poll::Pending => Step::Waits,
                Poll::Ready(()) => Step::Over(None),
            },
        }
    }

    /// Writes what is pending, or ends this side.
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

    /// Reads what there is, and hands it in unless the stream is ending.
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
        // The room is the thread's: a stream on which nothing is said holds none.
        let mut buffer = SCRATCH.take();
        buffer.resize(READ, 0);
        let step = match self.stream.try_read(&mut buffer) {
            Ok(len) => self.heard(buffer.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Step::Done
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::Done,
            // Whatever was to be written is, and the peer's last words do not matter.
            Err(_) if self.ending != Ending::Open => Step::Over(None),
            Err(error) => Step::Over(Some(stream_failure(&error))),
        };
        SCRATCH.set(buffer);
        step
    }

    /// What the peer has said; nothing at its end. A peer that speaks TLS is known by its first two
    /// bytes, however they are cut: no message of this protocol begins like them.
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
    /// Room to read into, while it is read.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

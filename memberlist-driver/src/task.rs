//! What an adapter's tasks hold.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;
use std::vec::Vec;

use bytes::Bytes;

use super::log::{Severity, Source};
use super::shared::{Shared, StreamQueue, keep};
use memberlist_proto::PacketError;
use memberlist_proto::{
    Answer, Lookup, LookupFailure, LookupId, Request, RequestId, RequestKind, StreamFailure,
    StreamId, StreamOp, Transmit,
};

/// The node as its tasks see it. Cheap to clone; it does not keep the node alive.
#[derive(Clone)]
pub struct Driver(Arc<Shared>);

/// What there is to do now.
#[derive(Debug, Default)]
pub struct Work {
    /// Datagrams to send.
    pub transmits: Vec<Transmit>,
    /// Connections to open, each a stream: its id and where to.
    pub connects: Vec<(StreamId, SocketAddr)>,
    /// Names to resolve.
    pub lookups: Vec<Lookup>,
    /// Questions to the application; see [`Driver::ask`].
    pub requests: Vec<Request>,
    /// When to call [`Driver::handle_timeout`].
    pub timeout: Option<StdInstant>,
    /// Let go of everything, then call [`Driver::ended`].
    pub stopped: bool,
}

/// What the task of a stream has to do next.
#[derive(Debug)]
pub enum Command {
    /// Write this, telling the progress.
    Write(Bytes),
    /// Flush, shut down, and end when the peer has.
    Close,
    /// End at once.
    Abort,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// A datagram that was read at `at`.
    pub fn handle_packet(&self, at: StdInstant, from: SocketAddr, packet: &[u8]) {
        let result = self.0.with_at(at, |state, now| state.core.handle_packet(now, from, packet));
        if let Ok(Err(error)) = result {
            self.refused(from, &error);
        }
    }

    /// Does what is due. To be called after the packets that have arrived were handed in.
    pub fn handle_timeout(&self) {
        let _ = self.0.with(|state, now| state.core.handle_timeout(now));
    }

    /// A datagram could not be sent.
    pub fn transmit_failed(&self, transmit: &Transmit) {
        // What follows from it is fetched by the driver's task, which may be past that.
        let _ = self.0.operate(|state, now| state.core.handle_transmit_failed(now, transmit));
    }

    /// Ready when [`work`](Self::work) may return something new.
    pub fn poll_work(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.poll_dirty(cx)
    }

    /// A datagram could not be sent: told, counted and logged.
    pub fn unsent(&self, transmit: &Transmit, error: &io::Error) {
        self.transmit_failed(transmit);
        self.failed(&std::format!("sending to {}", transmit.to), error);
    }

    /// Logs what the operating system has refused, and why.
    pub fn failed(&self, doing: &str, error: &io::Error) {
        self.log(Severity::Error, &std::format!("{doing}: {}", root(error)));
    }

    /// Everything there is to do now.
    pub fn work(&self) -> Work {
        let mut state = self.0.lock();
        let mut work = Work { stopped: state.stopped, ..Work::default() };
        work.transmits.extend(state.transmits.drain(..));
        while let Some(lookup) = state.core.poll_lookup() {
            work.lookups.push(lookup);
        }
        while let Some(request) = state.core.poll_request() {
            work.requests.push(request);
        }
        while let Some(op) = state.connects.pop_front() {
            if let StreamOp::Connect { id, to, .. } = op {
                work.connects.push((id, to));
            }
        }
        work.timeout = state.core.poll_timeout().map(|due| self.0.clock.moment(due));
        work
    }

    /// A connection came in; `None`: drop it.
    pub fn accept(&self, from: SocketAddr) -> Option<StreamId> {
        let accepted = self.0.operate(|state, now| {
            let id = state.core.accept_stream(now, from)?;
            state.streams.insert(id, StreamQueue::default());
            Some(id)
        });
        accepted.ok().flatten()
    }

    /// A connection that was asked for stands.
    pub fn connected(&self, id: StreamId) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_connected(now, id));
    }

    /// A stream has brought data.
    pub fn data(&self, id: StreamId, data: &[u8]) {
        // What is wrong with it is told as an event or to whoever waits for it.
        let _ = self.0.operate(|state, now| state.core.handle_stream_data(now, id, data));
    }

    /// So many bytes have been written.
    pub fn written(&self, id: StreamId, bytes: usize) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_written(now, id, bytes));
    }

    /// The peer has ended its side.
    pub fn eof(&self, id: StreamId) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_eof(now, id));
    }

    /// A stream has ended; to be called once for each.
    pub fn closed(&self, id: StreamId, cause: Option<StreamFailure>) {
        let _ = self.0.with(|state, now| {
            state.streams.remove(&id);
            state.core.handle_stream_closed(now, id, cause);
            // Whatever the end of the stream led to is fetched by the driver's task.
            state.dirty = true;
        });
    }

    /// The next thing to do with a stream.
    pub fn poll_command(&self, cx: &Context<'_>, id: StreamId) -> Poll<Command> {
        self.poll_queue(cx, id, Command::Abort, |queue| queue.commands.pop_front())
    }

    /// Ready when a stream is to be dropped at once, whatever else waits.
    pub fn poll_abort(&self, cx: &Context<'_>, id: StreamId) -> Poll<()> {
        let aborted = |command: &Command| matches!(command, Command::Abort);
        self.poll_queue(cx, id, (), |queue| queue.commands.iter().any(aborted).then_some(()))
    }

    /// A name has been resolved.
    pub fn resolved(&self, id: LookupId, found: Result<&[IpAddr], LookupFailure>) {
        let _ = self.0.operate(|state, now| state.core.handle_lookup(now, id, found));
    }

    /// As [`resolved`](Self::resolved), with what a runtime's resolver has to say.
    pub fn looked_up(&self, lookup: &Lookup, found: io::Result<impl Iterator<Item = SocketAddr>>) {
        match found {
            Ok(found) => {
                let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
                self.resolved(lookup.id, Ok(&found));
            }
            Err(error) => {
                let failure = match error.kind() {
                    io::ErrorKind::TimedOut => LookupFailure::TimedOut,
                    _ => LookupFailure::NotFound,
                };
                self.log(Severity::Debug, &std::format!("resolving {}: {error}", lookup.host));
                self.resolved(lookup.id, Err(failure));
            }
        }
    }

    /// Asks the application a question: may block, and belongs on a thread that may.
    pub fn ask(&self, request: &Request) {
        let Some(delegate) = &self.0.delegate else { return };
        let answer = match &request.kind {
            RequestKind::LocalState { join } => Answer::LocalState(delegate.local_state(*join)),
            RequestKind::AdmitMerge { peers } => Answer::AdmitMerge(delegate.admit_merge(peers)),
        };
        self.answer(request.id, answer);
    }

    /// All tasks have let go of their sockets: whoever waits for the end is told.
    pub fn ended(&self) {
        self.0.end();
    }

    /// Writes a line to the node's log, unless there have been many within a second: what fails
    /// once may fail at every packet.
    pub fn log(&self, severity: Severity, line: &str) {
        let now = self.0.clock.at(StdInstant::now());
        self.0.log.repeated(now, Source::Adapter, severity, &line);
    }

    /// What `look` finds in the queue of a stream; `gone`, if the stream is to end.
    fn poll_queue<T>(
        &self,
        cx: &Context<'_>,
        id: StreamId,
        gone: T,
        look: impl FnOnce(&mut StreamQueue) -> Option<T>,
    ) -> Poll<T> {
        let mut replaced = None;
        let mut state = self.0.lock();
        let stopped = state.stopped;
        let polled = match state.streams.get_mut(&id) {
            Some(queue) if !stopped => {
                let found = look(queue);
                if found.is_none() {
                    replaced = keep(&mut queue.waker, cx);
                }
                found.map_or(Poll::Pending, Poll::Ready)
            }
            _ => Poll::Ready(gone),
        };
        drop(state);
        drop(replaced);
        polled
    }

    fn answer(&self, id: RequestId, answer: Answer) {
        let _ = self.0.operate(|state, now| state.core.answer(now, id, answer));
    }

    fn refused(&self, from: SocketAddr, error: &PacketError) {
        let now = self.0.clock.at(StdInstant::now());
        let line = format_args!("packet from {from}: {error}");
        self.0.log.repeated(now, Source::Packets, Severity::Error, &line);
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("node", &self.0.name).finish_non_exhaustive()
    }
}

/// The core's word for an error of the operating system.
pub fn stream_failure(error: &io::Error) -> StreamFailure {
    let error = root(error);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => StreamFailure::Refused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => StreamFailure::Reset,
        io::ErrorKind::TimedOut => StreamFailure::TimedOut,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => StreamFailure::Unreachable,
        // On Linux: ENOMEM, ENFILE, EMFILE and ENOBUFS; EAFNOSUPPORT.
        _ if matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105)) => StreamFailure::Exhausted,
        _ if error.raw_os_error() == Some(97) => StreamFailure::Unreachable,
        _ => StreamFailure::Other,
    }
}

/// What the operating system said: some runtimes wrap it into words of their own, without its
/// number.
fn root(mut error: &io::Error) -> &io::Error {
    while let Some(inner) = std::error::Error::source(error).and_then(|it| it.downcast_ref()) {
        error = inner;
    }
    error
}

//! The interface of a node for its tasks.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use memberlist_proto::{
    Answer, Instant, Job, Lookup, LookupFailure, Request, RequestKind, StreamFailure, StreamId,
    StreamOp, Transmit,
};

use crate::delegate::caught;
use crate::log::{self, Line, Source, Target};
use crate::questions::{Asked, CALLS};
use crate::shared::{Shared, keep};
use crate::state::{Command, Stage, State, StreamQueue};
use crate::transport::Figures;

/// A node's interface for its tasks. Cheap to clone; it does not keep the node running.
#[derive(Clone)]
pub(crate) struct Driver(Arc<Shared>);

/// What there is to do now. It is reused, so that its buffers are allocated only once.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub(crate) struct Work {
    /// Datagrams to send, oldest first.
    pub(crate) transmits: std::collections::VecDeque<Transmit>,
    /// Connections to open: the stream's id and the address.
    pub(crate) connects: Vec<(StreamId, SocketAddr)>,
    /// Names to resolve.
    pub(crate) lookups: Vec<Lookup>,
    /// Questions to the application.
    pub(crate) requests: Vec<Request>,
    /// Work to be done on a thread where it delays no task.
    pub(crate) jobs: Vec<Job>,
    /// The core has more to do at the next turn; other tasks run before that.
    pub(crate) more: bool,
    /// When the core wants its timeouts to be handled.
    pub(crate) timeout: Option<StdInstant>,
    /// The node has left, or is stopped: its last packets are worth waiting for room in the send
    /// buffer.
    pub(crate) patient: bool,
    /// The end of an operation is held back until the socket has sent what was fetched.
    pub(crate) held: bool,
    /// Set by the packet task: the socket still holds some of what was fetched before.
    pub(crate) unflushed: bool,
    /// Send what there is, release everything, and end.
    pub(crate) stopped: bool,
}

impl Work {
    fn fetch(&mut self, state: &mut State, moment: impl Fn(Instant) -> StdInstant) {
        self.stopped = state.stopped();
        self.patient = self.stopped || state.core.has_left();
        self.held = state.holds();
        // The queue is swapped back, so that its buffer is reused.
        self.transmits.clear();
        std::mem::swap(&mut self.transmits, &mut state.transmits);
        while let Some(lookup) = state.core.poll_lookup() {
            self.lookups.push(lookup);
        }
        while let Some(request) = state.core.poll_request() {
            self.requests.push(request);
        }
        while let Some(op) = state.connects.pop_front() {
            if let StreamOp::Connect { id, to, .. } = op {
                self.connects.push((id, to));
            }
        }
        self.jobs.extend(state.jobs.drain(..));
        self.more = state.turn.is_some();
        self.timeout = state.core.poll_timeout().map(moment);
    }
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Hands in a datagram that was read at `at`.
    pub(crate) fn handle_packet(&self, at: StdInstant, from: SocketAddr, packet: &[u8]) {
        let handle = |state: &mut State, now| state.core.handle_packet(now, from, packet);
        if let Ok(Err(error)) = self.0.with_at(at, handle, |_, result| result) {
            self.log(Source::Packets, || log::refused_packet(from, &error));
        }
    }

    /// Handles the timeouts that are due at `at`, if `timeouts` is true, and fetches what there is
    /// to do. What earlier calls fetched counts as carried out, unless `work.unflushed` is set.
    pub(crate) fn turn(&self, at: StdInstant, timeouts: bool, work: &mut Work) {
        let flushed = !work.unflushed;
        let handle = |state: &mut State, now| {
            if flushed {
                state.all_handed();
            }
            // Only if something is due: otherwise each turn would be an input, and be recorded.
            if timeouts && state.core.poll_timeout().is_some_and(|due| due <= now) {
                state.core.handle_timeout(now);
            }
            // Long work is done in parts, each after the packets that have arrived and the timers.
            if timeouts && let Some(turn) = state.turn.take() {
                state.core.job_done(now, turn, None);
            }
        };
        let clock = self.0.clock;
        let fetch = |state: &mut State, ()| work.fetch(state, |due| clock.moment(due));
        let _ = self.0.with_at(at, handle, fetch);
    }

    /// Ready when [`turn`](Self::turn) may fetch something new. If `flushed` is true, what was
    /// fetched before counts as carried out.
    pub(crate) fn poll_work(&self, cx: &Context<'_>, flushed: bool) -> Poll<()> {
        let mut replaced = None;
        let mut state = self.0.lock();
        if flushed {
            state.all_handed();
        }
        // Operations whose end waited for the socket are released by the next turn.
        let released = flushed && state.holds();
        let ready = released | std::mem::take(&mut state.dirty);
        if !ready {
            replaced = keep(&mut state.packet_task, cx);
        }
        drop(state);
        drop(replaced);
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready when the node stops.
    pub(crate) fn poll_stopped(&self, cx: &Context<'_>) -> Poll<()> {
        let mut replaced = None;
        let mut state = self.0.lock();
        let stopped = state.stopped();
        if !stopped {
            replaced = keep(&mut state.accept_task, cx);
        }
        drop(state);
        drop(replaced);
        if stopped { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Ready when no stream is left; for the packet task of a node that was stopped.
    pub(crate) fn poll_streams_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut replaced = None;
        let mut state = self.0.lock();
        let ended = state.streams.is_empty();
        if !ended {
            replaced = keep(&mut state.packet_task, cx);
        }
        drop(state);
        drop(replaced);
        if ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Reports that a datagram could not be sent.
    pub(crate) fn unsent(&self, transmit: &Transmit, error: &io::Error) {
        // The packet task's next turn fetches what follows from it.
        let _ = self.0.operate(|state, now| state.core.handle_transmit_failed(now, transmit));
        self.log(Source::Adapter, || log::unsent(transmit.to, root(error)));
    }

    /// The statistics of the node's transport.
    pub(crate) fn transport_figures(&self) -> Arc<Figures> {
        Arc::clone(&self.0.transport)
    }

    /// The name of a member at this address that has none of these names; `None` if a member with
    /// one of the names is at the address.
    #[cfg(feature = "tls")]
    pub(crate) fn other_at<'a>(
        &self,
        address: SocketAddr,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let state = self.0.lock();
        let core = &state.core;
        let is_there = |name: &str| {
            core.member(&name.into()).is_some_and(|node| node.address() == Some(address))
        };
        if names.any(is_there) {
            return None;
        }
        let mut others = core.members().filter(|node| node.address() == Some(address));
        others.next().map(|node| node.name().to_string())
    }

    /// Logs an operation that the operating system refused, and why.
    pub(crate) fn failed(&self, target: log::Target, doing: &str, error: &io::Error) {
        self.log(Source::Adapter, || log::failed(target, doing, root(error)));
    }

    /// Reports an incoming connection; `None` if it is refused and must be dropped.
    pub(crate) fn accept(&self, from: SocketAddr) -> Option<StreamId> {
        let accepted = self.0.operate(|state, now| {
            let id = state.core.accept_stream(now, from)?;
            state.streams.insert(id, StreamQueue::default());
            Some(id)
        });
        accepted.ok().flatten()
    }

    /// Reports that a connection that the core asked for is open.
    pub(crate) fn connected(&self, id: StreamId) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_connected(now, id));
    }

    /// Hands in data from a stream.
    pub(crate) fn data(&self, id: StreamId, data: &[u8]) {
        // An error in the data is reported by an event, or to the operation that it belongs to.
        let _ = self.0.operate(|state, now| state.core.handle_stream_data(now, id, data));
    }

    /// Reports that `bytes` have been written.
    pub(crate) fn written(&self, id: StreamId, bytes: usize) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_written(now, id, bytes));
    }

    /// Reports that the peer has ended its side.
    pub(crate) fn eof(&self, id: StreamId) {
        let _ = self.0.operate(|state, now| state.core.handle_stream_eof(now, id));
    }

    /// Reports the end of a stream; must be called exactly once for each.
    pub(crate) fn closed(&self, id: StreamId, cause: Option<StreamFailure>) {
        let _ = self.0.with(|state, now| {
            state.streams.remove(&id);
            state.core.handle_stream_closed(now, id, cause);
            // Whatever the end of the stream led to is fetched by the packet task.
            state.dirty = true;
        });
    }

    /// The next thing to do with a stream.
    pub(crate) fn poll_command(&self, cx: &Context<'_>, id: StreamId) -> Poll<Command> {
        self.poll_queue(cx, id, Command::Abort, |queue| queue.commands.pop_front())
    }

    /// Ready when a stream must be dropped at once, whatever else waits.
    pub(crate) fn poll_abort(&self, cx: &Context<'_>, id: StreamId) -> Poll<()> {
        let aborted = |command: &Command| matches!(command, Command::Abort);
        self.poll_queue(cx, id, (), |queue| queue.commands.iter().any(aborted).then_some(()))
    }

    /// Reports that a name has been resolved, or could not be.
    pub(crate) fn resolved(&self, lookup: &Lookup, found: io::Result<Vec<IpAddr>>) {
        let found = found.map_err(|error| self.unresolved(lookup, &error));
        let found = found.as_deref().map_err(|failure| *failure);
        let _ = self.0.operate(|state, now| state.core.handle_lookup(now, lookup.id, found));
    }

    /// Reports that a service has been looked up, or could not be.
    pub(crate) fn resolved_service(&self, lookup: &Lookup, found: io::Result<Vec<(IpAddr, u16)>>) {
        let found = found.map_err(|error| self.unresolved(lookup, &error));
        let found = found.as_deref().map_err(|failure| *failure);
        let _ = self.0.operate(|state, now| state.core.handle_service(now, lookup.id, found));
    }

    /// The name servers to ask for services; if empty, the system's.
    pub(crate) fn name_servers(&self) -> Vec<SocketAddr> {
        self.0.name_servers.clone()
    }

    fn unresolved(&self, lookup: &Lookup, error: &io::Error) -> LookupFailure {
        self.log(Source::Adapter, || log::unresolved(&lookup.host, error));
        match error.kind() {
            io::ErrorKind::TimedOut => LookupFailure::TimedOut,
            io::ErrorKind::Unsupported => LookupFailure::Unsupported,
            io::ErrorKind::Other if lookup.service.is_some() => LookupFailure::Other,
            _ => LookupFailure::NotFound,
        }
    }

    /// Asks the application a question. The returned call may block, so it must run on a thread
    /// that may. If too many calls run, the question waits for one of them; if they hang, it is
    /// answered by default.
    pub(crate) fn ask(&self, request: Request) -> Option<Call> {
        let hung = match self.0.questions.ask(StdInstant::now(), request) {
            Asked::Call(request) => {
                return Some(Call { driver: self.clone(), request: Some(request) });
            }
            Asked::Waits => return None,
            Asked::Hung(hung) => hung,
        };
        for request in hung {
            self.log(Source::Delegate, || {
                let why = format!("{CALLS} calls have not returned, answering without it");
                log::failed(Target::Delegate, "asking the delegate", &io::Error::other(why))
            });
            let answer = default_answer(&request.kind, "the delegate does not answer");
            let _ = self.0.operate(|state, now| state.core.answer(now, request.id, answer));
        }
        None
    }

    fn put(&self, request: &Request) {
        let Some(delegate) = &self.0.delegate else { return };
        let answer = match &request.kind {
            RequestKind::LocalState { join } => {
                caught("local_state", || delegate.local_state(*join)).map(Answer::LocalState)
            }
            RequestKind::AdmitMerge { peers } => {
                caught("admit_merge", || delegate.admit_merge(peers)).map(Answer::AdmitMerge)
            }
        };
        let answer = answer.unwrap_or_else(|panicked| {
            self.log(Source::Delegate, || log::panicked(&panicked));
            default_answer(&request.kind, "the delegate panicked")
        });
        let _ = self.0.operate(|state, now| state.core.answer(now, request.id, answer));
    }

    /// Does a job; must run on a thread that may take long.
    pub(crate) fn work(&self, job: Job) {
        let (id, output) = (job.id(), job.run());
        let _ = self.0.with(|state, now| {
            state.core.job_done(now, id, Some(output));
            state.dirty = true;
        });
    }

    /// Begins the end of the node, if it has not begun.
    pub(crate) fn stop(&self) {
        let _ = self.0.with(State::stop);
    }

    /// Ends the time in which streams may write what was queued.
    pub(crate) fn cut(&self) {
        let _ = self.0.with(|state, now| state.end(now, Stage::Cut));
    }

    /// Reports that the tasks have released the sockets. The figures are published once more, so
    /// that the last counts are not lost.
    pub(crate) fn ended(&self) {
        #[cfg(feature = "record")]
        self.finish_recording();
        let _ = self.0.with(|state, now| state.end(now, Stage::Ended));
        #[cfg(feature = "metrics")]
        self.publish(StdInstant::now());
    }

    /// Waits, for at most a second, until the recording is on disk: once the node's end is
    /// reported, the process may end.
    #[cfg(feature = "record")]
    fn finish_recording(&self) {
        let tap = self.0.lock().core.set_tap(None);
        drop(tap);
        if let Some(recording) = &self.0.recording {
            recording.wait(std::time::Duration::from_secs(1));
        }
    }

    /// Publishes the node's figures.
    #[cfg(feature = "metrics")]
    pub(crate) fn publish(&self, now: StdInstant) {
        self.0.publish(now);
    }

    /// Writes a line to the log, unless there have been too many from this source within a second:
    /// what fails once may fail for every packet.
    pub(crate) fn log(&self, source: Source, line: impl FnOnce() -> Line) {
        self.0.log.write(self.0.clock.at(StdInstant::now()), source, line);
    }

    /// Polls for what `look` finds in the queue of a stream; `gone` if the stream must end.
    fn poll_queue<T>(
        &self,
        cx: &Context<'_>,
        id: StreamId,
        gone: T,
        look: impl FnOnce(&mut StreamQueue) -> Option<T>,
    ) -> Poll<T> {
        let mut replaced = None;
        let mut state = self.0.lock();
        let over = state.is_over(id);
        let polled = match state.streams.get_mut(&id) {
            Some(queue) if !over => {
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
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("node", &self.0.name).finish_non_exhaustive()
    }
}

/// One or more calls of the delegate in sequence, which may block.
pub(crate) struct Call {
    driver: Driver,
    /// The next question; `None` once there are no more.
    request: Option<Request>,
}

impl Call {
    pub(crate) fn run(mut self) {
        while let Some(request) = &self.request {
            self.driver.put(request);
            if self.driver.0.lock().stopped() {
                // Questions that wait need no answer any more.
                return;
            }
            self.request = self.driver.0.questions.next(StdInstant::now());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.request.is_some() {
            self.driver.0.questions.gone();
        }
    }
}

/// The answer in place of a delegate that gives none: the default, except that a merge is refused.
fn default_answer(question: &RequestKind, why: &str) -> Answer {
    match question {
        RequestKind::LocalState { .. } => Answer::LocalState(bytes::Bytes::new()),
        RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Err(why.into())),
    }
}

/// Converts an error of the operating system to the core's type.
pub(crate) fn stream_failure(error: &io::Error) -> StreamFailure {
    let error = root(error);
    if let Some(failure) = of_transport(error) {
        return failure;
    }
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

/// The failure that a transport has put into an error, if any.
fn of_transport(error: &io::Error) -> Option<StreamFailure> {
    let inner = error.get_ref()?;
    #[cfg(feature = "tls")]
    if let Some(refusal) = inner.downcast_ref::<crate::transport::Refusal>() {
        return Some(StreamFailure::Tls(refusal.failure));
    }
    inner.downcast_ref::<StreamFailure>().copied()
}

/// The error of the operating system itself: some runtimes wrap it in an error of their own,
/// without its number.
fn root(mut error: &io::Error) -> &io::Error {
    while let Some(inner) = std::error::Error::source(error).and_then(|it| it.downcast_ref()) {
        error = inner;
    }
    error
}

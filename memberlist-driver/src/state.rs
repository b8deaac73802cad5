//! The state behind a node's lock.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use memberlist_proto::{
    Event, Instant, Job, JobId, Memberlist, Node, OpId, Outcome, StreamFailure, StreamId, StreamOp,
    Transmit,
};

use crate::entropy::Entropy;
use crate::events::{EventBounds, EventBuffer};
use crate::log;
use crate::shared::keep;

/// How many datagrams may wait for the socket; more are dropped, as a full send buffer does.
pub(crate) const TRANSMITS: usize = 8192;

/// The core, and what waits on both sides of it.
pub(crate) struct State {
    pub(crate) core: Memberlist,
    /// Incarnation and state of this node's own record when last copied.
    local: (u32, memberlist_proto::State),
    /// Datagrams that the packet task has not fetched.
    pub(crate) transmits: VecDeque<Transmit>,
    /// How many datagrams have been queued in total, and how many of them have been handed to the
    /// socket.
    queued: u64,
    handed: u64,
    /// Connections to open that the packet task has not fetched.
    pub(crate) connects: VecDeque<StreamOp>,
    /// Jobs that the packet task has not fetched.
    pub(crate) jobs: VecDeque<Job>,
    /// The core has more to do, once packets and timers have had their turn.
    pub(crate) turn: Option<JobId>,
    pub(crate) streams: BTreeMap<StreamId, StreamQueue>,
    pub(crate) waiters: BTreeMap<OpId, Waiter>,
    /// Operations whose outcome is held back until the datagrams queued before it have been handed
    /// to the socket.
    held: Vec<OpId>,
    /// The readers of the events by their numbers; a number is never reused.
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
    /// Wakers of readers that are gone: they must not be dropped under the lock.
    unneeded: Vec<Waker>,
    entropy: Entropy,
    pub(crate) packet_task: Option<Waker>,
    pub(crate) accept_task: Option<Waker>,
    /// Something happened that the packet task has not looked at.
    pub(crate) dirty: bool,
    stage: Stage,
    ends: Vec<Waker>,
}

/// How far the end of a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It has not begun.
    Running,
    /// No handle is left, or `shutdown` was called: nothing new begins.
    Stopped,
    /// The time in which streams may write what was queued is over.
    Cut,
    /// The tasks have released the sockets.
    Ended,
}

/// Commands for one stream that its task has not fetched.
#[derive(Default)]
pub(crate) struct StreamQueue {
    pub(crate) commands: VecDeque<Command>,
    pub(crate) waker: Option<Waker>,
    /// The core is done with the stream: it only has to write what was queued.
    closing: bool,
}

/// What the task of a stream has to do next.
#[derive(Debug)]
pub(crate) enum Command {
    /// Write this, and report the progress.
    Write(Bytes),
    /// Flush, shut down, and end when the peer has ended its side.
    Close,
    /// End at once.
    Abort,
}

/// The waiter for an operation.
#[derive(Default)]
pub(crate) struct Waiter {
    outcome: Option<Outcome>,
    /// How many datagrams must have been handed to the socket before the outcome is reported.
    after: u64,
    waker: Option<Waker>,
}

/// One reader of the events.
struct Reader {
    buffer: EventBuffer,
    waker: Option<Waker>,
}

/// What must be done when a value of the application is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last {
    /// The future of this operation has been dropped.
    GiveUp(OpId),
    /// This reader of the events is gone.
    Unread(u64),
    /// The last handle is gone, or the node is shut down.
    Stop,
}

/// What remains to be done after the lock has been released.
#[derive(Default)]
pub(crate) struct Aftermath {
    packet_task: Option<Waker>,
    others: Vec<Waker>,
    /// Events to log.
    lines: Vec<Event>,
}

impl Aftermath {
    /// Wakes the tasks that wait; returns the events to log.
    pub(crate) fn wake(self) -> Vec<Event> {
        if let Some(packet_task) = self.packet_task {
            packet_task.wake();
        }
        self.others.into_iter().for_each(Waker::wake);
        self.lines
    }
}

impl State {
    /// Hands fresh randomness to the core, if that is due: a copy of this machine might otherwise
    /// encrypt with the same nonces.
    pub(crate) fn freshen(&mut self, now: Instant) {
        let mut fresh = [0; 32];
        // If the system has none, it is asked again when it is next due.
        if self.entropy.due(now) && getrandom::fill(&mut fresh).is_ok() {
            self.core.mix_entropy(now, fresh);
        }
    }

    pub(crate) fn new(core: Memberlist) -> Self {
        Self {
            local: (core.local().incarnation(), core.local().state()),
            core,
            transmits: VecDeque::new(),
            queued: 0,
            handed: 0,
            connects: VecDeque::new(),
            jobs: VecDeque::new(),
            turn: None,
            streams: BTreeMap::new(),
            waiters: BTreeMap::new(),
            held: Vec::new(),
            readers: BTreeMap::new(),
            next_reader: 0,
            unneeded: Vec::new(),
            entropy: Entropy::default(),
            packet_task: None,
            accept_task: None,
            dirty: true,
            stage: Stage::Running,
            ends: Vec::new(),
        }
    }

    pub(crate) fn last(&mut self, now: Instant, last: Last) {
        match last {
            Last::GiveUp(op) => {
                self.waiters.remove(&op);
                self.core.cancel(now, op);
                self.dirty = true;
            }
            Last::Unread(reader) => {
                let reader = self.readers.remove(&reader);
                self.unneeded.extend(reader.and_then(|reader| reader.waker));
            }
            Last::Stop => self.stop(now),
        }
    }

    /// Begins the end: nothing new starts, streams are aborted except those that only have to write
    /// what was queued, and queued datagrams stay for the packet task to send.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.stopped() {
            return;
        }
        self.stage = Stage::Stopped;
        self.dirty = true;
        for op in self.connects.drain(..) {
            self.streams.remove(&op.id());
            self.core.handle_stream_closed(now, op.id(), Some(StreamFailure::Shutdown));
        }
    }

    /// Ends the streams that remain, and with [`Stage::Ended`] the node.
    pub(crate) fn end(&mut self, now: Instant, stage: Stage) {
        self.stop(now);
        self.stage = self.stage.max(stage);
    }

    /// Whether the end has begun.
    pub(crate) fn stopped(&self) -> bool {
        self.stage >= Stage::Stopped
    }

    fn ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether the task of a stream must end at once.
    pub(crate) fn is_over(&self, id: StreamId) -> bool {
        match self.streams.get(&id) {
            Some(queue) => self.stage >= Stage::Cut || (self.stopped() && !queue.closing),
            None => true,
        }
    }

    /// Reports that every datagram that was fetched has been handed to the socket.
    pub(crate) fn all_handed(&mut self) {
        self.handed = self.queued - self.transmits.len() as u64;
    }

    /// Whether the end of an operation waits for datagrams, or has until now.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Distributes the core's output, except what the packet task fetches itself.
    pub(crate) fn settle(&mut self, now: Instant) -> Aftermath {
        let mut after = Aftermath::default();
        while let Some(transmit) = self.core.poll_transmit() {
            if self.stopped() || self.transmits.len() >= TRANSMITS {
                self.core.handle_transmit_failed(now, &transmit);
            } else {
                self.transmits.push_back(transmit);
                self.queued += 1;
            }
        }
        while let Some(op) = self.core.poll_stream() {
            self.route(now, op, &mut after);
        }
        while let Some(event) = self.core.poll_event() {
            self.report(event, &mut after);
        }
        while let Some(job) = self.core.poll_job() {
            self.dirty = true;
            if job.is_turn() {
                self.turn = Some(job.id());
            } else {
                self.jobs.push_back(job);
            }
        }
        self.release(&mut after);
        after.others.append(&mut self.unneeded);
        if self.stopped() {
            after.others.extend(self.waiters.values_mut().filter_map(|it| it.waker.take()));
            after.others.extend(self.streams.values_mut().filter_map(|it| it.waker.take()));
            after.others.extend(self.accept_task.take());
        }
        if self.ended() {
            after.others.extend(self.readers.values_mut().filter_map(|it| it.waker.take()));
            if self.streams.is_empty() {
                after.others.append(&mut self.ends);
            }
        }
        if self.dirty {
            after.packet_task = self.packet_task.take();
        }
        after
    }

    fn report(&mut self, event: Event, after: &mut Aftermath) {
        if log::is_logged(&event) {
            after.lines.push(event.clone());
        }
        if let Event::Finished { op, outcome } = event {
            self.finished(op, outcome, after);
            return;
        }
        for reader in self.readers.values_mut() {
            reader.buffer.push(event.clone());
            after.others.extend(reader.waker.take());
        }
    }

    fn finished(&mut self, op: OpId, outcome: Outcome, after: &mut Aftermath) {
        // An operation whose future was dropped has no waiter. An outcome after the node has
        // stopped is not reported: its future returns `Shutdown`.
        let stopped = self.stopped();
        let Some(waiter) = self.waiters.get_mut(&op).filter(|_| !stopped) else { return };
        // An announcement that is reported as sent must have reached the socket: the application
        // may end the process at once.
        if matches!(outcome, Outcome::Leave(_) | Outcome::SetMeta(_)) {
            waiter.after = self.queued;
        }
        waiter.outcome = Some(outcome);
        if waiter.after > self.handed {
            self.held.push(op);
        } else {
            after.others.extend(waiter.waker.take());
        }
    }

    /// Wakes the waiters whose datagrams have reached the socket by now.
    fn release(&mut self, after: &mut Aftermath) {
        let (handed, waiters) = (self.handed, &mut self.waiters);
        self.held.retain(|op| {
            let Some(waiter) = waiters.get_mut(op) else { return false };
            let held = waiter.after > handed;
            if !held {
                after.others.extend(waiter.waker.take());
            }
            held
        });
    }

    /// The outcome of an operation; ready with `None` if there will be none.
    pub(crate) fn poll_outcome(
        &mut self,
        cx: &Context<'_>,
        op: OpId,
        replaced: &mut Option<Waker>,
    ) -> Poll<Option<Outcome>> {
        let (stopped, ended, handed) = (self.stopped(), self.ended(), self.handed);
        let Some(waiter) = self.waiters.get_mut(&op) else { return Poll::Ready(None) };
        let waits = match waiter.outcome {
            Some(_) => waiter.after > handed && !ended,
            None => !stopped,
        };
        if waits {
            *replaced = keep(&mut waiter.waker, cx);
            return Poll::Pending;
        }
        Poll::Ready(self.waiters.remove(&op).and_then(|waiter| waiter.outcome))
    }

    /// Adds a reader, which receives what is reported from now on; returns its number.
    pub(crate) fn add_reader(&mut self, bounds: EventBounds) -> u64 {
        let number = self.next_reader;
        self.next_reader += 1;
        self.readers.insert(number, Reader { buffer: EventBuffer::new(bounds), waker: None });
        number
    }

    pub(crate) fn poll_event(
        &mut self,
        cx: &Context<'_>,
        reader: u64,
        replaced: &mut Option<Waker>,
    ) -> Poll<Option<Event>> {
        let ended = self.ended();
        let Some(reader) = self.readers.get_mut(&reader) else { return Poll::Ready(None) };
        match reader.buffer.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if ended => Poll::Ready(None),
            None => {
                *replaced = keep(&mut reader.waker, cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn poll_ended(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.ended() && self.streams.is_empty() {
            return Poll::Ready(());
        }
        if !self.ends.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.ends.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// This node's own record, if it has changed since the last call.
    pub(crate) fn changed_local(&mut self) -> Option<Node> {
        let local = self.core.local();
        let seen = (local.incarnation(), local.state());
        (std::mem::replace(&mut self.local, seen) != seen).then_some(local)
    }

    fn route(&mut self, now: Instant, op: StreamOp, after: &mut Aftermath) {
        let id = op.id();
        let command = match op {
            StreamOp::Connect { .. } if self.stopped() => {
                self.core.handle_stream_closed(now, id, Some(StreamFailure::Shutdown));
                return;
            }
            StreamOp::Connect { .. } => {
                self.streams.insert(id, StreamQueue::default());
                self.connects.push_back(op);
                self.dirty = true;
                return;
            }
            StreamOp::Write { data, .. } => Command::Write(data),
            StreamOp::Close { .. } => Command::Close,
            StreamOp::Abort { .. } => Command::Abort,
        };
        if let Some(queue) = self.streams.get_mut(&id) {
            queue.closing |= matches!(command, Command::Close);
            queue.commands.push_back(command);
            after.others.extend(queue.waker.take());
        }
    }
}

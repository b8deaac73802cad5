//! The node behind its lock, and everybody who waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant as StdInstant;
use std::vec::Vec;

use super::delegate::{AskedNow, is_asked};
use super::events::EventBuffer;
use super::log::Log;
use super::task::Command;
use super::{Clock, Delegate, Error, Setup};
use memberlist_proto::Instant;
use memberlist_proto::Memberlist;
use memberlist_proto::{Config, ConfigError};
use memberlist_proto::{Event, OpId, Outcome};
use memberlist_proto::{Node, NodeName};
use memberlist_proto::{StreamFailure, StreamId, StreamOp, Transmit};

/// Datagrams that may wait for the socket; more are dropped, as a full socket drops them.
const TRANSMITS: usize = 8192;

/// Shared by the handles, the reader of the events and the tasks.
pub(super) struct Shared {
    state: Mutex<State>,
    /// A copy of this node's own record, which even a delegate may ask for.
    local: Mutex<Node>,
    pub(super) clock: Clock,
    pub(super) name: NodeName,
    pub(super) bound: SocketAddr,
    pub(super) delegate: Option<Arc<dyn Delegate>>,
    pub(super) log: Log,
    #[cfg(feature = "metrics")]
    publisher: Mutex<super::metrics::Publisher>,
}

/// What is behind the lock.
pub(super) struct State {
    pub(super) core: Memberlist,
    /// Incarnation and state of this node's own record when last copied.
    local: (u32, memberlist_proto::State),
    /// Datagrams that the driver has not fetched.
    pub(super) transmits: VecDeque<Transmit>,
    /// Stream operations that the tasks have not fetched, `Connect`s apart from the others.
    pub(super) connects: VecDeque<StreamOp>,
    pub(super) streams: BTreeMap<StreamId, StreamQueue>,
    pub(super) waiters: BTreeMap<OpId, Waiter>,
    events: EventBuffer,
    reader: Option<Waker>,
    driver: Option<Waker>,
    /// Something happened that the driver has not looked at.
    pub(super) dirty: bool,
    /// No handle is left, or `shutdown` was called.
    pub(super) stopped: bool,
    /// The driver's tasks have let go of their sockets.
    ended: bool,
    ends: Vec<Waker>,
}

/// Operations of one stream that its task has not fetched.
#[derive(Default)]
pub(super) struct StreamQueue {
    pub(super) commands: VecDeque<Command>,
    pub(super) waker: Option<Waker>,
}

/// Whoever waits for an operation.
#[derive(Default)]
pub(super) struct Waiter {
    pub(super) outcome: Option<Outcome>,
    pub(super) waker: Option<Waker>,
}

/// What follows when something is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Last {
    /// Nobody waits for the operation any more.
    GiveUp(OpId),
    /// Nobody reads the events any more.
    Unread,
    /// The last handle is gone, or the node is shut down.
    Stop,
}

/// What is left to do when the lock has been given back.
#[derive(Default)]
struct Aftermath {
    wakers: Vec<Waker>,
    lines: Vec<Event>,
}

impl Shared {
    pub(super) fn new(
        mut config: Config,
        bound: SocketAddr,
        setup: Setup,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        let clock = Clock::new(StdInstant::now());
        let name = config.name.clone();
        let delegate = setup.delegate;
        if delegate.is_some() {
            config.ask_local_state = true;
            config.ask_admit_merge = true;
        }
        let now_asked = delegate
            .clone()
            .map(|delegate| Arc::new(AskedNow(delegate)) as Arc<dyn memberlist_proto::Hooks>);
        let core = Memberlist::new(clock.at(StdInstant::now()), config, now_asked, seed)?;
        let state = State {
            local: (core.local().incarnation(), core.local().state()),
            core,
            transmits: VecDeque::new(),
            connects: VecDeque::new(),
            streams: BTreeMap::new(),
            waiters: BTreeMap::new(),
            events: EventBuffer::new(setup.events),
            reader: None,
            driver: None,
            dirty: true,
            stopped: false,
            ended: false,
            ends: Vec::new(),
        };
        let local = Mutex::new(state.core.local());
        let state = Mutex::new(state);
        let log = Log::new(name.clone(), setup.log);
        let shared = Self {
            state,
            local,
            clock,
            name,
            bound,
            delegate,
            log,
            #[cfg(feature = "metrics")]
            publisher: Mutex::new(super::metrics::Publisher::new(&setup.metric_labels)),
        };
        // The node's own join is the first event.
        let _ = shared.with(|_, _| ());
        Ok(shared)
    }

    /// Runs `f` on the core at this moment.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] from inside a delegate's method, [`Error::Shutdown`] after the end.
    pub(super) fn operate<R>(&self, f: impl FnOnce(&mut State, Instant) -> R) -> Result<R, Error> {
        self.with(|state, now| {
            if state.stopped {
                return Err(Error::Shutdown);
            }
            state.dirty = true;
            Ok(f(state, now))
        })?
    }

    /// As [`operate`](Self::operate), also after the end.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut State, Instant) -> R) -> Result<R, Error> {
        self.with_at(StdInstant::now(), f)
    }

    pub(super) fn with_at<R>(
        &self,
        at: StdInstant,
        f: impl FnOnce(&mut State, Instant) -> R,
    ) -> Result<R, Error> {
        if is_asked() {
            return Err(Error::Reentrant);
        }
        let now = self.clock.at(at);
        let mut state = self.lock();
        let result = f(&mut state, now);
        let aftermath = state.settle(now, self.log.is_on());
        if let Some(local) = state.changed_local() {
            *self.local.lock().unwrap_or_else(PoisonError::into_inner) = local;
        }
        drop(state);
        #[cfg(feature = "metrics")]
        self.publish(now);
        for waker in aftermath.wakers {
            waker.wake();
        }
        for event in &aftermath.lines {
            self.log.event(now, event);
        }
        Ok(result)
    }

    /// Publishes the node's figures, unless that is being done: then the next call does it. The
    /// recorder is somebody else's code, which must not run under the node's lock.
    #[cfg(feature = "metrics")]
    fn publish(&self, now: Instant) {
        if let Ok(mut publisher) = self.publisher.try_lock() {
            let locked = self.lock();
            let stats = locked.core.stats();
            let interval = locked.core.config().queue_check_interval;
            drop(locked);
            publisher.publish(now, interval, &stats);
        }
    }

    /// Runs `f` on what waits for the core, which it leaves alone.
    pub(super) fn look<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R, Error> {
        if is_asked() { Err(Error::Reentrant) } else { Ok(f(&mut self.lock())) }
    }

    /// Does what must not fail; if a delegate causes it, on a thread that may wait for the lock.
    pub(super) fn surely(self: &Arc<Self>, last: Last) {
        let shared = Arc::clone(self);
        let act = move || {
            let _ = shared.with(|state, now| state.last(now, last));
        };
        if is_asked() {
            // A process that can start no thread has greater worries.
            let _ = std::thread::Builder::new().spawn(act);
        } else {
            act();
        }
    }

    pub(super) fn local(&self) -> Node {
        self.local.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The driver's tasks have let go of everything.
    pub(super) fn end(&self) {
        let _ = self.with(|state, now| {
            state.stop(now);
            state.ended = true;
        });
    }

    /// Ready when no task holds a socket any more.
    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let polled = self.look(|state| {
            if state.ended && state.streams.is_empty() {
                return Poll::Ready(());
            }
            if !state.ends.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.ends.push(cx.waker().clone());
            }
            Poll::Pending
        });
        polled.unwrap_or_else(|_| later(cx))
    }

    pub(super) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut replaced = None;
        let polled = self.look(|state| match state.events.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                replaced = keep(&mut state.reader, cx);
                Poll::Pending
            }
        });
        polled.unwrap_or_else(|_| later(cx))
    }

    /// Ready when something happened since the last time.
    pub(super) fn poll_dirty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut replaced = None;
        let polled = self.look(|state| {
            if std::mem::take(&mut state.dirty) {
                return Poll::Ready(());
            }
            replaced = keep(&mut state.driver, cx);
            Poll::Pending
        });
        polled.unwrap_or_else(|_| later(cx))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Panics of delegates are contained; one of the core's own ends the task that met it, and
        // with the driver's task the node. Until then its handles may still look at it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn last(&mut self, now: Instant, last: Last) {
        match last {
            Last::GiveUp(op) => {
                self.waiters.remove(&op);
                self.core.cancel(now, op);
                self.dirty = true;
            }
            Last::Unread => self.events.close(),
            Last::Stop => self.stop(now),
        }
    }

    fn stop(&mut self, now: Instant) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.dirty = true;
        self.transmits.clear();
        for op in self.connects.drain(..) {
            self.streams.remove(&op.id());
            self.core.handle_stream_closed(now, op.id(), Some(StreamFailure::Shutdown));
        }
        for queue in self.streams.values_mut() {
            queue.commands.push_back(Command::Abort);
        }
    }

    /// Hands on what the core has put out, except for what the driver fetches by itself.
    fn settle(&mut self, now: Instant, logs: bool) -> Aftermath {
        let mut after = Aftermath::default();
        while let Some(transmit) = self.core.poll_transmit() {
            if self.stopped || self.transmits.len() >= TRANSMITS {
                self.core.handle_transmit_failed(now, &transmit);
            } else {
                self.transmits.push_back(transmit);
            }
        }
        while let Some(op) = self.core.poll_stream() {
            self.route(now, op, &mut after);
        }
        while let Some(event) = self.core.poll_event() {
            self.tell(event, logs, &mut after);
        }
        if self.stopped {
            after.wakers.extend(self.waiters.values_mut().filter_map(|it| it.waker.take()));
            after.wakers.extend(self.streams.values_mut().filter_map(|it| it.waker.take()));
        }
        if self.ended {
            after.wakers.extend(self.reader.take());
            if self.streams.is_empty() {
                after.wakers.append(&mut self.ends);
            }
        }
        if self.dirty {
            after.wakers.extend(self.driver.take());
        }
        after
    }

    fn tell(&mut self, event: Event, logs: bool, after: &mut Aftermath) {
        if let Event::Finished { op, outcome } = event {
            // Without a waiter nobody wants to know any more. What ends because the node does is
            // told as that.
            if let Some(waiter) = self.waiters.get_mut(&op).filter(|_| !self.stopped) {
                waiter.outcome = Some(outcome);
                after.wakers.extend(waiter.waker.take());
            }
            return;
        }
        if logs {
            after.lines.push(event.clone());
        }
        self.events.push(event);
        after.wakers.extend(self.reader.take());
    }

    /// This node's own record, if it has changed since the last call.
    fn changed_local(&mut self) -> Option<Node> {
        let local = self.core.local();
        let seen = (local.incarnation(), local.state());
        (std::mem::replace(&mut self.local, seen) != seen).then_some(local)
    }

    fn route(&mut self, now: Instant, op: StreamOp, after: &mut Aftermath) {
        let id = op.id();
        let command = match op {
            StreamOp::Connect { .. } if self.stopped => {
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
            queue.commands.push_back(command);
            after.wakers.extend(queue.waker.take());
        }
    }
}

/// Keeps the waker of a task that waits. The one it replaces is to be dropped after the lock is
/// given back: that may run anybody's code.
#[must_use = "to be dropped later"]
pub(super) fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

/// A delegate must not wait for a lock, and there is no word for an error here: asks again.
fn later<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

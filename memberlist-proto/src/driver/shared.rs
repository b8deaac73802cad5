//! The node behind its lock, and everybody who waits for it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant as StdInstant;

use super::delegate::AskedNow;
use super::events::EventBuffer;
use super::task::Command;
use super::{Clock, Delegate, Error, LogSink, Setup, log};
use crate::config::{Config, ConfigError};
use crate::event::{Event, OpId, Outcome};
use crate::memberlist::Memberlist;
use crate::node::{Node, NodeName};
use crate::time::Instant;
use crate::transmit::{StreamId, StreamOp};

/// Shared by the handles, the reader of the events and the tasks.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The node is to end: noted apart from the state, which a delegate cannot reach.
    stopping: AtomicBool,
    /// A copy of this node's own record, which even a delegate may ask for.
    local: Mutex<Node>,
    pub(super) clock: Clock,
    pub(super) name: NodeName,
    pub(super) bound: SocketAddr,
    pub(super) delegate: Option<Arc<dyn Delegate>>,
    log: Option<LogSink>,
}

/// What is behind the lock.
pub(super) struct State {
    pub(super) core: Memberlist,
    /// Incarnation and state of this node's own record when last copied.
    local: (u32, crate::node::State),
    /// Stream operations that the tasks have not fetched, `Connect`s apart from the others.
    pub(super) connects: VecDeque<StreamOp>,
    pub(super) streams: BTreeMap<StreamId, StreamQueue>,
    pub(super) waiters: BTreeMap<OpId, Waiter>,
    events: EventBuffer,
    reader: Option<Waker>,
    driver: Option<Waker>,
    /// Something happened that the driver has not looked at.
    dirty: bool,
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

std::thread_local! {
    /// The nodes whose locks this thread holds: a delegate asked in between must not lock them.
    static HELD: RefCell<Vec<*const Shared>> = const { RefCell::new(Vec::new()) };
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
            .map(|delegate| Arc::new(AskedNow(delegate)) as Arc<dyn crate::delegate::Delegate>);
        let core = Memberlist::new(clock.at(StdInstant::now()), config, now_asked, seed)?;
        let state = State {
            local: (core.local().incarnation(), core.local().state()),
            core,
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
        let stopping = AtomicBool::new(false);
        let shared = Self { state, stopping, local, clock, name, bound, delegate, log: setup.log };
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
        let held = Held::take(self)?;
        let mut state = self.lock();
        let result = f(&mut state, self.clock.at(at));
        if self.stopping.load(Ordering::Relaxed) {
            state.stop();
        }
        let aftermath = state.settle(self.log.is_some());
        if let Some(local) = state.changed_local() {
            *self.local.lock().unwrap_or_else(PoisonError::into_inner) = local;
        }
        drop(state);
        drop(held);
        for waker in aftermath.wakers {
            waker.wake();
        }
        if let Some(sink) = self.log {
            for (severity, line) in aftermath.lines.iter().filter_map(log::line) {
                sink(&self.name, severity, &line);
            }
        }
        Ok(result)
    }

    pub(super) fn local(&self) -> Node {
        self.local.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn log(&self, severity: log::Severity, line: &str) {
        if let Some(sink) = self.log {
            sink(&self.name, severity, line);
        }
    }

    /// Ends the node: everything that waits fails, and the driver is told to let go.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        // From inside a delegate this does nothing, and whoever asked it takes note.
        let _ = self.with(|_, _| ());
    }

    /// The driver's tasks have let go of everything.
    pub(super) fn end(&self) {
        let wakers = self.with(|state, _| {
            state.stopped = true;
            state.ended = true;
            let mut wakers = core::mem::take(&mut state.ends);
            wakers.extend(state.reader.take());
            wakers
        });
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.ended {
            return Poll::Ready(());
        }
        if !state.ends.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.ends.push(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(super) fn poll_event(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.lock();
        if let Some(event) = state.events.pop() {
            return Poll::Ready(Some(event));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ready when something happened since the last time.
    pub(super) fn poll_dirty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if core::mem::take(&mut state.dirty) {
            return Poll::Ready(());
        }
        state.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a delegate leaves the core between two steps, but never inside one of its
        // structures: going on is better than failing every later call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stop(&mut self) {
        if !core::mem::replace(&mut self.stopped, true) {
            self.dirty = true;
            for queue in self.streams.values_mut() {
                queue.commands.push_back(Command::Abort);
            }
        }
    }

    /// Hands on what the core has put out, except for what the driver fetches by itself.
    fn settle(&mut self, logs: bool) -> Aftermath {
        let mut after = Aftermath::default();
        while let Some(op) = self.core.poll_stream() {
            self.route(op, &mut after);
        }
        while let Some(event) = self.core.poll_event() {
            if let Event::Finished { op, outcome } = event {
                if let Some(waiter) = self.waiters.get_mut(&op) {
                    waiter.outcome = Some(outcome);
                    after.wakers.extend(waiter.waker.take());
                }
                continue;
            }
            if logs {
                after.lines.push(event.clone());
            }
            self.events.push(event);
            after.wakers.extend(self.reader.take());
        }
        if self.stopped {
            after.wakers.extend(self.waiters.values_mut().filter_map(|it| it.waker.take()));
            after.wakers.extend(self.streams.values_mut().filter_map(|it| it.waker.take()));
        }
        if self.dirty {
            after.wakers.extend(self.driver.take());
        }
        after
    }

    /// This node's own record, if it has changed since the last call.
    fn changed_local(&mut self) -> Option<Node> {
        let local = self.core.local();
        let seen = (local.incarnation(), local.state());
        (core::mem::replace(&mut self.local, seen) != seen).then_some(local)
    }

    fn route(&mut self, op: StreamOp, after: &mut Aftermath) {
        let id = op.id();
        let command = match op {
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

/// The mark that this thread holds a node's lock.
struct Held(*const Shared);

impl Held {
    fn take(shared: &Shared) -> Result<Self, Error> {
        let shared: *const Shared = shared;
        HELD.with_borrow_mut(|held| {
            if held.contains(&shared) {
                return Err(Error::Reentrant);
            }
            held.push(shared);
            Ok(Self(shared))
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| held.retain(|shared| *shared != self.0));
    }
}

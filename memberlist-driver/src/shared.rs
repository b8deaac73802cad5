//! The node behind its lock, and what its handles, readers and tasks share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant as StdInstant;

use memberlist_proto::{Config, Event, Hooks, Instant, Memberlist, Node, NodeName, Request};

#[cfg(feature = "record")]
use memberlist_record::Recorder;

use crate::bind::StartError;
use crate::clock::Clock;
#[cfg(feature = "metrics")]
use crate::delegate::caught;
use crate::delegate::{Decisions, Delegate, is_deciding};
use crate::error::Error;
use crate::events::EventBounds;
#[cfg(feature = "metrics")]
use crate::log::Source;
use crate::log::{self, Log};
use crate::questions::Questions;
use crate::state::{Aftermath, Last, State};
use crate::transport::Figures;

/// Shared by the handles, the readers of the events and the tasks.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// A copy of this node's own record, which even a delegate may read.
    local: Mutex<Node>,
    pub(crate) clock: Clock,
    pub(crate) name: NodeName,
    pub(crate) bound: SocketAddr,
    pub(crate) delegate: Option<Arc<dyn Delegate>>,
    decisions: Option<Arc<Decisions>>,
    pub(crate) questions: Questions<Request>,
    pub(crate) log: Log,
    pub(crate) transport: Arc<Figures>,
    pub(crate) name_servers: Vec<SocketAddr>,
    /// A handle of the recorder, which is attached to the core.
    #[cfg(feature = "record")]
    pub(crate) recording: Option<Recorder>,
    #[cfg(feature = "metrics")]
    publisher: Mutex<crate::metrics::Publisher>,
}

/// What a node is made from, in addition to its [`Config`].
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) delegate: Option<Arc<dyn Delegate>>,
    /// No two members may have the same address:
    /// [`Tls::require_certificate_name`](crate::transport::Tls).
    pub(crate) one_name: bool,
    pub(crate) events: EventBounds,
    #[cfg_attr(not(feature = "metrics"), allow(dead_code))] // Published nowhere without it.
    pub(crate) metric_labels: Vec<(String, String)>,
    pub(crate) name_servers: Vec<SocketAddr>,
    #[cfg(feature = "record")]
    pub(crate) record: Option<(std::path::PathBuf, memberlist_record::RecordOptions)>,
}

impl Shared {
    pub(crate) fn new(
        mut config: Config,
        bound: SocketAddr,
        setup: Setup,
        seed: [u8; 32],
    ) -> Result<Self, StartError> {
        let clock = Clock::new(StdInstant::now());
        let name = config.name.clone();
        let delegate = setup.delegate;
        if delegate.is_some() {
            config.ask_local_state = true;
            config.ask_admit_merge = true;
        }
        config.hand_out_jobs = true;
        let decisions = Decisions::new(delegate.clone(), setup.one_name).map(Arc::new);
        if let Some(decisions) = &decisions {
            config.ask_broadcasts = decisions.has_broadcasts();
        }
        let hooks = decisions.clone().map(|decisions| decisions as Arc<dyn Hooks>);
        let now = clock.at(StdInstant::now());
        #[allow(unused_mut)] // Recorded, it changes.
        let mut core = Memberlist::new(now, config, hooks, seed)?;
        #[cfg(feature = "record")]
        let recording = match &setup.record {
            Some((folder, options)) => {
                let log = Log::new(&name);
                let notify = move |notice| {
                    let now = clock.at(StdInstant::now());
                    log.write(now, log::Source::Adapter, || log::recording(&notice));
                };
                Some(Recorder::start(&mut core, now, seed, folder, options, notify)?)
            }
            None => None,
        };
        let local = Mutex::new(core.local());
        let mut state = State::new(core);
        // The first reader, for `Events::first`.
        state.add_reader(setup.events);
        let shared = Self {
            state: Mutex::new(state),
            local,
            clock,
            log: Log::new(&name),
            transport: Arc::default(),
            name_servers: setup.name_servers,
            name,
            bound,
            delegate,
            decisions,
            questions: Questions::default(),
            #[cfg(feature = "record")]
            recording,
            #[cfg(feature = "metrics")]
            publisher: Mutex::new(crate::metrics::Publisher::new(&setup.metric_labels)),
        };
        // The node's own join is the first event.
        let _ = shared.with(|_, _| ());
        Ok(shared)
    }

    /// Runs `f` on the core now, and has the packet task handle what follows.
    ///
    /// # Errors
    ///
    /// [`Error::Reentrant`] from inside a delegate's method, [`Error::Shutdown`] after the end.
    pub(crate) fn operate<R>(&self, f: impl FnOnce(&mut State, Instant) -> R) -> Result<R, Error> {
        self.with(|state, now| {
            if state.stopped() {
                return Err(Error::Shutdown);
            }
            state.dirty = true;
            Ok(f(state, now))
        })?
    }

    /// As [`operate`](Self::operate), but also after the end, and without waking the packet task.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State, Instant) -> R) -> Result<R, Error> {
        self.with_at(StdInstant::now(), f, |_, result| result)
    }

    /// Runs `f` on the core, distributes the core's output, and then runs `then` on what waits for
    /// the tasks: all of it under the lock.
    pub(crate) fn with_at<R, S>(
        &self,
        at: StdInstant,
        f: impl FnOnce(&mut State, Instant) -> R,
        then: impl FnOnce(&mut State, R) -> S,
    ) -> Result<S, Error> {
        if is_deciding() {
            return Err(Error::Reentrant);
        }
        let now = self.clock.at(at);
        let mut state = self.lock();
        state.freshen(now);
        let result = f(&mut state, now);
        let aftermath = state.settle(now);
        if let Some(local) = state.changed_local() {
            *self.local.lock().unwrap_or_else(PoisonError::into_inner) = local;
        }
        let result = then(&mut state, result);
        drop(state);
        self.follow(now, aftermath);
        Ok(result)
    }

    /// Wakes tasks and logs. Both may run any code of the application, so the lock must not be
    /// held.
    fn follow(&self, now: Instant, aftermath: Aftermath) {
        for event in aftermath.wake() {
            self.log.event(now, &event);
        }
        let Some(decisions) = &self.decisions else { return };
        for panicked in decisions.take_panics() {
            self.log.write(now, log::Source::Delegate, || log::panicked(&panicked));
        }
    }

    /// Publishes the node's figures, unless another thread is doing so. The recorder is the
    /// application's code, so the node's lock must not be held while it runs.
    #[cfg(feature = "metrics")]
    pub(crate) fn publish(&self, now: StdInstant) {
        if let Ok(mut publisher) = self.publisher.try_lock() {
            let locked = self.lock();
            let stats = locked.core.stats();
            let interval = locked.core.config().queue_check_interval;
            drop(locked);
            let at = self.clock.at(now);
            let published = caught("metrics", || {
                publisher.publish(at, interval, stats);
                publisher.publish_transport(self.transport.read());
            });
            drop(publisher);
            if let Err(panic) = published {
                self.log.write(at, Source::Delegate, || log::recorder_panicked(&panic));
            }
        }
    }

    /// Runs `f` on the state, without any input to the core.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&mut State) -> R) -> Result<R, Error> {
        if is_deciding() { Err(Error::Reentrant) } else { Ok(f(&mut self.lock())) }
    }

    /// Does what must not fail: within a delegate's method, on another thread, which may wait for
    /// the lock.
    pub(crate) fn surely(self: &Arc<Self>, last: Last) {
        let shared = Arc::clone(self);
        let act = move || {
            let _ = shared.with(|state, now| state.last(now, last));
        };
        if is_deciding() {
            // A process that can start no thread has greater worries.
            let _ = std::thread::Builder::new().spawn(act);
        } else {
            act();
        }
    }

    pub(crate) fn local(&self) -> Node {
        self.local.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ready when no task holds a socket.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let polled = self.look(|state| state.poll_ended(cx));
        polled.unwrap_or_else(|_| later(cx))
    }

    pub(crate) fn poll_event(&self, cx: &Context<'_>, reader: u64) -> Poll<Option<Event>> {
        let mut replaced = None;
        let polled = self.look(|state| state.poll_event(cx, reader, &mut replaced));
        polled.unwrap_or_else(|_| later(cx))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of a delegate is caught. One of the core itself ends the task in which it
        // happened, and if that is the packet task, the node. Until then the handles may still read
        // the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores the waker of a task that waits. The waker that it replaces must be dropped after the lock
/// is released, since dropping it may run any code.
#[must_use = "to be dropped later"]
pub(crate) fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

/// For a poll within a delegate's method, which must not wait for a lock and has no error to
/// return: the task polls again.
fn later<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

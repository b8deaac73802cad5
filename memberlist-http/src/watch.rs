//! The thread of a page. A thread needs no runtime's timer, so the page works with every runtime.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use memberlist_driver::{EventBounds, Events, Operation};
use memberlist_proto::NodeName;

use crate::{Inner, Stage, now};

/// How often the figures are sampled.
const INTERVAL: Duration = Duration::from_secs(1);
/// After how many intervals every reader of events is sent a comment.
const BEAT: u64 = 15;
/// After how many intervals data about former members is removed.
const TIDY: u64 = 60;

/// How much may wait for the thread, which keeps up unless the machine is overloaded.
pub(crate) const BOUNDS: EventBounds = EventBounds::new(1024, 1 << 20);

/// Starts the thread. If the process can start none, the page has no history and is never ready.
pub(crate) fn start(inner: &Arc<Inner>, events: Events) {
    let weak = Arc::downgrade(inner);
    // One probe interval: by then gossip has spread a join.
    let quiet = inner.node().config().map_or(INTERVAL, |config| config.probe_interval);
    let settled = inner.node().settled(quiet, Duration::ZERO);
    // It fails only if the process can start no thread.
    let _ = thread::Builder::new()
        .name("memberlist-page".into())
        .spawn(move || watch(&weak, settled, events));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn watch(inner: &Weak<Inner>, settled: Operation<usize>, mut events: Events) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut settled = Some(settled);
    let (mut next, mut rounds) = (Instant::now(), 0_u64);
    loop {
        let Some(inner) = inner.upgrade() else { return };
        if let Some(Poll::Ready(result)) = settled.as_mut().map(|it| Pin::new(it).poll(&mut cx)) {
            settled = None;
            if result.is_ok() {
                inner.enter(Stage::Settled);
            }
        }
        while let Poll::Ready(event) = events.poll_next(&cx) {
            let Some(event) = event else {
                inner.enter(Stage::Ended);
                inner.journal.close();
                return;
            };
            let live = inner.node().num_members();
            inner.observe(&event, live);
        }
        let at = Instant::now();
        if at >= next {
            rounds += 1;
            round(&inner, rounds);
            // After a pause of the machine, missed rounds are skipped.
            next = (next + INTERVAL).max(at);
        }
        drop(inner);
        thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
}

fn round(inner: &Inner, rounds: u64) {
    let (stats, transport) = (inner.node().stats(), inner.node().transport_stats());
    inner.recorder.with(|recorder| {
        recorder.sample(now(), stats);
        recorder.transport(now(), transport);
    });
    if rounds.is_multiple_of(BEAT) {
        inner.journal.beat();
    }
    if rounds.is_multiple_of(TIDY) {
        let live: std::collections::BTreeSet<NodeName> =
            inner.node().members().iter().map(|node| node.name().into()).collect();
        inner.recorder.with(|recorder| recorder.keep_only(|name| live.contains(name)));
    }
}

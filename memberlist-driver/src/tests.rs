//! Nodes without sockets: what they put out is looked at, what they wait for is made up.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::{
    BroadcastKind, Config, Event, ExchangeError, JoinError, JoinReport, LookupFailure, NotJoined,
    Peer, PeerError, PingError, Priority, StreamFailure, StreamId, Target, WaitError,
};

use crate::driver::{Driver, Work, stream_failure};
use crate::shared::{Setup, Shared};
use crate::{Delegate, Error, Events, Handle};

mod delegates;
pub(crate) mod fake;
#[cfg(feature = "metrics")]
mod figures;
mod floods;
mod leaving;
mod passing;
mod streams;
mod tasks;

/// Long enough for a busy machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn quiet(name: &str) -> Config {
    Config::local(name).with(|it| {
        it.probe_interval = Duration::ZERO;
        it.gossip_interval = Duration::ZERO;
        it.push_pull_interval = Duration::ZERO;
    })
}

fn node_with(config: Config, setup: Setup) -> (Handle, Events, Driver) {
    let shared = Shared::new(config, address(7946), setup, [7; 32]);
    let shared = Arc::new(shared.expect("a valid configuration"));
    (Handle::new(&shared), Events::first(Arc::clone(&shared)), Driver::new(shared))
}

fn node() -> (Handle, Events, Driver) {
    node_with(quiet("n"), Setup::default())
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Counts how often a task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits for what another thread does.
fn eventually(mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "it does not happen");
        std::thread::yield_now();
    }
}

fn work(driver: &Driver) -> Work {
    let mut work = Work::default();
    driver.turn(Instant::now(), false, &mut work);
    work
}

fn connects(driver: &Driver) -> Vec<StreamId> {
    work(driver).connects.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_join_reports_what_became_of_its_stream() {
    let (node, _events, driver) = node();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut join = pin!(node.join([address(1)]));
    assert!(join.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let ids = connects(&driver);
    assert_eq!(ids.len(), 1);
    assert_eq!(woken.times(), 0);
    driver.closed(ids[0], Some(StreamFailure::Refused));
    assert_eq!(woken.times(), 1);
    let report = not_joined(join.poll(&mut Context::from_waker(&waker)));
    let refused = JoinError::Exchange(ExchangeError::Stream(StreamFailure::Refused));
    assert_eq!(report.failed[0].error, refused);
}

fn not_joined(polled: Poll<Result<JoinReport, Error>>) -> JoinReport {
    match polled {
        Poll::Ready(Err(Error::NotJoined(NotJoined { report }))) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_peer_fails_a_join_before_it_begins() {
    let (node, _events, driver) = node();
    let mut join = node.join(["10.0.0.1:1", "10.0.0.1:x"]);
    let error = match poll(&mut join) {
        Poll::Ready(Err(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error, Error::Peer { index: 1, error: PeerError::Port });
    assert_eq!(error.to_string(), "peer 1 of the join: the port is not a number from 1 to 65535");
    assert!(connects(&driver).is_empty());
    assert_eq!(node.stats().gauges.operations, 0);
}

#[test]
fn dropping_an_operation_gives_it_up() {
    let (node, _events, driver) = node();
    let target = || Target::Addr { addr: address(1), node: None };
    let operations =
        (node.join([address(1)]), node.ping(target()), node.send_reliable(target(), b"x"));
    assert_eq!(node.stats().gauges.operations, 3);
    let streams = connects(&driver);
    drop(operations);
    assert_eq!(node.stats().gauges.operations, 0);
    assert_eq!(node.stats().gauges.streams, 0);
    for id in streams {
        let cx = Context::from_waker(Waker::noop());
        assert!(driver.poll_abort(&cx, id).is_ready());
    }
    drop(node.leave(PATIENCE));
    assert!(node.has_left(), "leaving has its effect all the same");
}

#[test]
fn stopping_ends_everything() {
    let (node, mut events, driver) = node();
    let mut join = node.join([address(1)]);
    assert!(poll(&mut join).is_pending());
    let open = connects(&driver);
    let queued = node.join([address(2)]);
    let mut shutdown = Box::pin(node.shutdown());
    assert!(matches!(poll(&mut join), Poll::Ready(Err(Error::Shutdown))));
    drop(queued);
    assert!(work(&driver).stopped && work(&driver).connects.is_empty());
    driver.ended();
    assert!(poll(&mut shutdown).is_pending(), "a stream is still open");
    driver.closed(open[0], None);
    assert!(poll(&mut shutdown).is_ready());
    let mut cx = Context::from_waker(Waker::noop());
    let reports: Vec<_> = std::iter::from_fn(|| match events.poll_next(&cx) {
        Poll::Ready(event) => event,
        Poll::Pending => panic!("the events go on"),
    })
    .collect();
    assert!(
        matches!(reports[..], [Event::Joined { .. }]),
        "what was reported before is still there"
    );
    let mut late = node.join::<Peer>([]);
    assert!(matches!(Pin::new(&mut late).poll(&mut cx), Poll::Ready(Err(Error::Shutdown))));
    let sent = node.broadcast(b"x", BroadcastKind::Unique, Priority::Normal);
    assert_eq!(sent, Err(Error::Shutdown));
}

#[test]
fn without_a_reader_nothing_is_kept() {
    let (node, events, driver) = node();
    let woken = Arc::new(Woken::default());
    drop(events);
    for number in 0..100 {
        let mut update = node.set_meta(Bytes::from(std::format!("{number}")), PATIENCE);
        assert_eq!(poll(&mut update), Poll::Ready(Ok(())), "there is no peer to wait for");
    }
    // What waits for the driver does not pile up either.
    let target = || Target::Addr { addr: address(1), node: None };
    for _ in 0..20_000 {
        node.send(target(), b"x").expect("best effort");
    }
    assert_eq!(work(&driver).transmits.len(), 8192);
    assert_eq!(node.stats().counters.packets_unsent, 20_000 - 8192);
    let waker = Waker::from(Arc::clone(&woken));
    let _ = driver.poll_work(&Context::from_waker(&waker), true);
    assert!(driver.poll_work(&Context::from_waker(&waker), true).is_pending());
    node.send(target(), b"x").expect("best effort");
    assert_eq!(woken.times(), 1, "the driver hears of it");
}

#[test]
fn a_failed_send_wakes_the_driver() {
    let (node, _events, driver) = node();
    let mut ping = node.ping(Target::Addr { addr: address(1), node: None });
    assert!(poll(&mut ping).is_pending());
    let work = work(&driver);
    let cx = Context::from_waker(Waker::noop());
    while driver.poll_work(&cx, true).is_ready() {}
    driver.unsent(&work.transmits[0], &io::ErrorKind::NetworkDown.into());
    assert!(driver.poll_work(&cx, true).is_ready(), "others may have to be asked instead");
}

#[test]
fn look_ups_and_timeouts_reach_what_waits() {
    let (node, _events, driver) = node();
    let peer: Peer = "nowhere.example:1".parse().unwrap();
    let mut join = node.join(&[peer]);
    let lookups = work(&driver).lookups;
    assert_eq!(lookups[0].host, "nowhere.example");
    driver.resolved(&lookups[0], Err(io::ErrorKind::NotFound.into()));
    let report = not_joined(poll(&mut join));
    assert_eq!(report.failed[0].error, JoinError::Lookup(LookupFailure::NotFound));

    let mut ping = node.ping(Target::Addr { addr: address(1), node: None });
    let due = work(&driver).timeout.expect("a ping does not wait forever");
    std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
    driver.turn(Instant::now(), true, &mut Work::default());
    assert_eq!(poll(&mut ping), Poll::Ready(Err(Error::Ping(PingError::NoResponse))));
}

#[test]
fn an_error_that_a_runtime_has_wrapped_is_known_by_its_number() {
    #[derive(Debug)]
    struct Wrapped(io::Error);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("could not do it")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let wrap = |error: io::Error| io::Error::new(error.kind(), Wrapped(error));
    let exhausted = || io::Error::from_raw_os_error(24);
    assert_eq!(stream_failure(&exhausted()), StreamFailure::Exhausted);
    assert_eq!(stream_failure(&wrap(wrap(exhausted()))), StreamFailure::Exhausted);
}

#[test]
fn errors_of_the_operating_system_have_the_cores_words() {
    for (kind, failure) in [
        (io::ErrorKind::ConnectionRefused, StreamFailure::Refused),
        (io::ErrorKind::ConnectionReset, StreamFailure::Reset),
        (io::ErrorKind::ConnectionAborted, StreamFailure::Reset),
        (io::ErrorKind::BrokenPipe, StreamFailure::Reset),
        (io::ErrorKind::TimedOut, StreamFailure::TimedOut),
        (io::ErrorKind::HostUnreachable, StreamFailure::Unreachable),
        (io::ErrorKind::NetworkUnreachable, StreamFailure::Unreachable),
        (io::ErrorKind::NetworkDown, StreamFailure::Unreachable),
        (io::ErrorKind::AddrNotAvailable, StreamFailure::Unreachable),
        (io::ErrorKind::InvalidData, StreamFailure::Other),
    ] {
        assert_eq!(stream_failure(&kind.into()), failure, "{kind}");
    }
    for (number, failure) in [
        (12, StreamFailure::Exhausted),
        (24, StreamFailure::Exhausted),
        (97, StreamFailure::Unreachable),
        (1, StreamFailure::Other),
    ] {
        let error = io::Error::from_raw_os_error(number);
        assert_eq!(stream_failure(&error), failure, "{error}");
    }
}

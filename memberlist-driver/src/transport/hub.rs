//! What the tasks of a transport share: packets and streams that have arrived, packets to send, and
//! who waits for which of them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use memberlist_proto::StreamFailure;

use super::figures::{Figures, count};
use super::link::Link;
use super::pool::{Pool, Queued, Serial, Turned};
use super::{Framing, Limits};
use crate::driver::{Driver, stream_failure};
use crate::log::Target;
use crate::node::Keep;
use crate::shared::keep;

/// Streams that wait for the accept task; more are refused.
const STREAMS: usize = 64;

pub(crate) struct Hub<S> {
    state: Mutex<State<S>>,
    pub(super) framing: Framing,
    pub(super) limits: Limits,
    /// What this node announces, and names itself in its frames.
    own: SocketAddr,
    pub(super) figures: Arc<Figures>,
    driver: Driver,
}

struct State<S> {
    arrived: VecDeque<(Bytes, SocketAddr)>,
    arrived_bytes: usize,
    packet_task: Option<Waker>,
    streams: VecDeque<(Link<S>, SocketAddr)>,
    accept_task: Option<Waker>,
    pool: Pool,
    /// The tasks that carry queues of the pool and have nothing to write.
    writers: BTreeMap<SocketAddr, Waker>,
    /// What waits until everything is written.
    flush: Option<Waker>,
    seats: BTreeMap<u64, Option<Waker>>,
    last_seat: u64,
    accepted: usize,
    handshakes: usize,
    accepted_by: BTreeMap<IpAddr, usize>,
    partial_bytes: usize,
    /// The node has not ended for as long as one of these is there.
    keep: Option<Keep>,
    /// Everything is to end.
    closed: bool,
}

impl<S> Hub<S> {
    pub(crate) fn new(
        framing: Framing,
        limits: Limits,
        own: SocketAddr,
        driver: Driver,
        keep: Keep,
    ) -> Self {
        let state = State {
            arrived: VecDeque::new(),
            arrived_bytes: 0,
            packet_task: None,
            streams: VecDeque::new(),
            accept_task: None,
            pool: Pool::new(limits.queue.clone()),
            writers: BTreeMap::new(),
            flush: None,
            seats: BTreeMap::new(),
            last_seat: 0,
            accepted: 0,
            handshakes: 0,
            accepted_by: BTreeMap::new(),
            partial_bytes: 0,
            keep: Some(keep),
            closed: false,
        };
        let figures = driver.transport_figures();
        Self { state: Mutex::new(state), framing, limits, own, figures, driver }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every connection that is not a stream, and drops what waits.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let keep = state.keep.take();
        let streams = std::mem::take(&mut state.streams);
        let seats: Vec<_> = state.seats.values_mut().filter_map(Option::take).collect();
        drop(state);
        seats.into_iter().for_each(Waker::wake);
        drop((keep, streams));
    }

    /// Logs why a connection to or from a peer ended, and counts it.
    pub(super) fn failed(&self, target: Target, doing: &str, error: &io::Error) {
        if let StreamFailure::Tls(failure) = stream_failure(error) {
            self.figures.tls_failed(failure);
        }
        self.driver.failed(target, doing, error);
    }

    /// A packet to send.
    pub(super) fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<Option<Serial>> {
        let frame = self.framing.packet(self.own, packet);
        if frame.len() > self.limits.frame {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a frame of {} bytes, and at most {} are sent",
                    frame.len(),
                    self.limits.frame
                ),
            ));
        }
        let mut state = self.lock();
        let before = state.pool.dropped();
        let queued = state.pool.push(Instant::now(), to, frame.into());
        let dropped = state.pool.dropped() - before;
        let writer = state.writers.remove(&to);
        drop(state);
        self.figures.packets_unsent.fetch_add(dropped, std::sync::atomic::Ordering::Relaxed);
        if let Some(writer) = writer {
            writer.wake();
        }
        match queued {
            Queued::Waits => Ok(None),
            Queued::Begin(task) => Ok(Some(task)),
            Queued::Rests(why) => Err(io::Error::other(why)),
            Queued::Full => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// What the task is to do that carries the packets to an address.
    pub(super) fn poll_turn(
        &self,
        cx: &Context<'_>,
        to: SocketAddr,
        task: Serial,
    ) -> Poll<Option<Bytes>> {
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(None);
        }
        match state.pool.next(to, task) {
            Turned::Write(frame) => Poll::Ready(Some(frame)),
            Turned::Gone => Poll::Ready(None),
            Turned::Wait => {
                let replaced = state.writers.insert(to, cx.waker().clone());
                drop(state);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    /// Whether the task may end that carries the packets to an address.
    pub(super) fn ends(&self, to: SocketAddr, task: Serial) -> bool {
        self.lock().pool.ends(to, task)
    }

    /// The packet that was fetched has been written, or the peer cannot be reached.
    pub(super) fn turned(&self, to: SocketAddr, task: Serial, failure: Option<StreamFailure>) {
        let mut state = self.lock();
        let before = state.pool.dropped();
        match failure {
            None => state.pool.written(to, task),
            Some(why) => state.pool.failed(Instant::now(), to, task, why),
        }
        let dropped = state.pool.dropped() - before;
        let flush = if state.pool.is_flushed() { state.flush.take() } else { None };
        drop(state);
        self.figures.packets_unsent.fetch_add(dropped, std::sync::atomic::Ordering::Relaxed);
        if let Some(flush) = flush {
            flush.wake();
        }
    }

    /// Ready when every packet is written.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.pool.is_flushed() {
            return Poll::Ready(());
        }
        let replaced = keep(&mut state.flush, cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// A packet has arrived; one more than may wait is dropped, as a socket does.
    pub(super) fn arrived(&self, packet: Bytes, from: SocketAddr) {
        let mut state = self.lock();
        let bytes = state.arrived_bytes + packet.len();
        if state.closed || (bytes > self.limits.arrived_bytes && !state.arrived.is_empty()) {
            drop(state);
            count(&self.figures.packets_dropped);
            return;
        }
        state.arrived_bytes = bytes;
        state.arrived.push_back((packet, from));
        let reader = state.packet_task.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The next packet that has arrived.
    pub(super) fn take_packet(&self) -> Option<(Bytes, SocketAddr)> {
        let mut state = self.lock();
        let (packet, from) = state.arrived.pop_front()?;
        state.arrived_bytes -= packet.len();
        Some((packet, from))
    }

    /// Ready when a packet has arrived.
    pub(super) fn poll_packet(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.arrived.is_empty() {
            return Poll::Ready(());
        }
        let replaced = keep(&mut state.packet_task, cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// A connection has become a stream. It is dropped if there are too many.
    pub(super) fn stream(&self, link: Link<S>, from: SocketAddr) {
        let mut state = self.lock();
        if state.closed || state.streams.len() >= STREAMS {
            drop(state);
            count(&self.figures.refused);
            return;
        }
        state.streams.push_back((link, from));
        let accepts = state.accept_task.take();
        drop(state);
        if let Some(accepts) = accepts {
            accepts.wake();
        }
    }

    /// The next stream.
    pub(super) fn poll_stream(&self, cx: &Context<'_>) -> Poll<(Link<S>, SocketAddr)> {
        let mut state = self.lock();
        if let Some(stream) = state.streams.pop_front() {
            return Poll::Ready(stream);
        }
        let replaced = keep(&mut state.accept_task, cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// A seat for a task that opens connections, unless everything is to end.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat<S>> {
        Seat::new(self, &mut self.lock())
    }

    /// A seat for an accepted connection, unless there are too many or everything is to end.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Seat<S>> {
        let mut state = self.lock();
        let of_peer = state.accepted_by.get(&from).copied().unwrap_or_default();
        let room = state.accepted < self.limits.connections
            && state.handshakes < self.limits.handshakes
            && of_peer < self.limits.connections_per_peer;
        let seat = if room { Seat::new(self, &mut state) } else { None };
        let Some(mut seat) = seat else {
            drop(state);
            count(&self.figures.refused);
            return None;
        };
        seat.accepted = Some(from);
        seat.shakes = true;
        state.accepted += 1;
        state.handshakes += 1;
        *state.accepted_by.entry(from).or_default() += 1;
        drop(state);
        count(&self.figures.accepted);
        Some(seat)
    }
}

/// The place of a task among those that end with the transport. Held behind its connection, so that it
/// is dropped after it.
pub(super) struct Seat<S> {
    hub: Arc<Hub<S>>,
    id: u64,
    accepted: Option<IpAddr>,
    /// It has not said what it is for.
    shakes: bool,
    /// Bytes of a frame that has begun to arrive.
    partial: usize,
    /// Dropped last: the node does not end before its connections do.
    _keep: Keep,
}

impl<S> Seat<S> {
    fn new(hub: &Arc<Hub<S>>, state: &mut State<S>) -> Option<Self> {
        let keep = state.keep.clone()?;
        state.last_seat += 1;
        let id = state.last_seat;
        state.seats.insert(id, None);
        let hub = Arc::clone(hub);
        Some(Self { hub, id, accepted: None, shakes: false, partial: 0, _keep: keep })
    }

    pub(super) fn hub(&self) -> &Arc<Hub<S>> {
        &self.hub
    }

    /// Ready when everything is to end.
    pub(super) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.hub.lock();
        if state.closed {
            return Poll::Ready(());
        }
        let replaced = state.seats.get_mut(&self.id).and_then(|slot| keep(slot, cx));
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// It has said what it is for.
    pub(super) fn settled(&mut self) {
        if std::mem::replace(&mut self.shakes, false) {
            self.hub.lock().handshakes -= 1;
        }
    }

    /// So many bytes wait for the rest of their frame; whether there is room for them.
    pub(super) fn holds(&mut self, bytes: usize) -> bool {
        let mut state = self.hub.lock();
        state.partial_bytes = state.partial_bytes - self.partial + bytes;
        self.partial = bytes;
        state.partial_bytes <= self.hub.limits.partial_bytes
    }
}

impl<S> Drop for Seat<S> {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let waker = state.seats.remove(&self.id);
        state.partial_bytes -= self.partial;
        state.handshakes -= usize::from(self.shakes);
        if let Some(from) = self.accepted {
            state.accepted -= 1;
            if let Some(of_peer) = state.accepted_by.get_mut(&from) {
                *of_peer -= 1;
                if *of_peer == 0 {
                    state.accepted_by.remove(&from);
                }
            }
        }
        drop(state);
        drop(waker);
    }
}

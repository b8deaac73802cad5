//! What the tasks of a transport share: packets and streams that have arrived, packets to send, and
//! the tasks that wait for each of them.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use memberlist_proto::StreamFailure;

use super::figures::{Bad, Figures, count};
use super::link::Link;
use super::pool::{Failed, Pool, Queued, Serial, Turned};
use super::sources::{Sources, TooMany};
#[cfg(feature = "tls")]
use super::tls::misnamed;
use super::{Framing, Limits};
use crate::driver::{Driver, stream_failure};
use crate::log::Target;
use crate::node::Keep;
use crate::runtime::Stream;
use crate::shared::keep;

/// How many streams may wait for the accept task; more are refused.
const STREAMS: usize = 64;

pub(crate) struct Hub<S> {
    state: Mutex<State<S>>,
    pub(super) framing: Framing,
    pub(super) limits: Limits,
    /// The address that this node announces, and gives as the sender's in its frames.
    own: SocketAddr,
    pub(super) figures: Arc<Figures>,
    driver: Driver,
}

struct State<S> {
    /// Each with its sender's address, as claimed, and the address that it came from.
    arrived: VecDeque<(Bytes, SocketAddr, IpAddr)>,
    packet_task: Option<Waker>,
    streams: VecDeque<(Link<S>, SocketAddr)>,
    accept_task: Option<Waker>,
    pool: Pool,
    /// The tasks that serve queues of the pool and have nothing to write.
    writers: BTreeMap<SocketAddr, (Serial, Waker)>,
    /// The task that waits until everything is written.
    flush: Option<Waker>,
    seats: BTreeMap<u64, Option<Waker>>,
    last_seat: u64,
    sources: Sources,
    /// The node's end is not reported as long as a clone of this exists.
    keep: Option<Keep>,
    /// All tasks must end.
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
            packet_task: None,
            streams: VecDeque::new(),
            accept_task: None,
            pool: Pool::new(limits.queue.clone()),
            writers: BTreeMap::new(),
            flush: None,
            seats: BTreeMap::new(),
            last_seat: 0,
            sources: Sources::default(),
            keep: Some(keep),
            closed: false,
        };
        let figures = driver.transport_figures();
        figures.framing.get_or_init(|| framing);
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

    /// Logs why an accepted connection ended, and counts it.
    pub(super) fn bad(&self, from: SocketAddr, error: &io::Error) {
        self.figures.bad(Bad::of(error));
        self.failed(Target::Stream, &format!("connection from {from}"), error);
    }

    /// Logs why a connection to or from a peer ended, and counts it if TLS is the reason.
    pub(super) fn failed(&self, target: Target, doing: &str, error: &io::Error) {
        if let StreamFailure::Tls(failure) = stream_failure(error) {
            self.figures.tls_failed(failure);
        }
        self.driver.failed(target, doing, error);
    }

    /// A connection has completed its handshake, if it has one.
    pub(super) fn shaken(&self, link: &Link<S>)
    where
        S: Stream,
    {
        if !link.is_plain() {
            count(&self.figures.handshakes);
        }
    }

    /// Checks that the peer of a connection may be the member at an address; if no member is known
    /// there, it may.
    ///
    /// # Errors
    ///
    /// The peer's certificate is for other names.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_self, clippy::unnecessary_wraps))]
    pub(super) fn check_name(&self, link: &Link<S>, address: SocketAddr) -> io::Result<()>
    where
        S: Stream,
    {
        #[cfg(feature = "tls")]
        if let Some(names) = link.names()
            && let Some(member) = self.driver.other_at(address, names.iter())
        {
            return Err(misnamed(names, &member));
        }
        let _ = (link, address);
        Ok(())
    }

    /// Queues a packet; returns the number of the task to start for its address, if none runs.
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
        let queued = self.with_pool(|pool| pool.push(Instant::now(), to, frame.into()));
        let mut state = self.lock();
        // The task of an address that was dropped to make room for this one must end.
        let replaced = state.pool.take_replaced();
        let writers = [Some(to), replaced].map(|to| state.writers.remove(&to?));
        drop(state);
        for (_, writer) in writers.into_iter().flatten() {
            writer.wake();
        }
        match queued {
            Queued::Waits => Ok(None),
            Queued::Begin(task) => Ok(Some(task)),
            Queued::Rests(why) => Err(io::Error::other(why)),
            // Not `WouldBlock`: no socket reports when there is room again.
            Queued::Full => Err(io::Error::other("too many packets wait for their connections")),
        }
    }

    /// The next packet to write to an address, for the task that serves it; `None` if the task must
    /// end.
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
            Turned::Write(frame) => {
                self.gauge(&state);
                Poll::Ready(Some(frame))
            }
            Turned::Gone => Poll::Ready(None),
            Turned::Wait => {
                let replaced = state.writers.insert(to, (task, cx.waker().clone()));
                drop(state);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    /// Whether the task that serves an address may end.
    pub(super) fn ends(&self, to: SocketAddr, task: Serial) -> bool {
        self.with_pool(|pool| pool.ends(to, task))
    }

    /// The packet that was fetched has been written; `taken`: the peer has accepted it, as far as
    /// is known.
    pub(super) fn written(&self, to: SocketAddr, task: Serial, taken: bool) {
        self.with_pool(|pool| {
            pool.written(Instant::now(), to, task);
            if taken {
                pool.took(to, task);
            }
        });
    }

    /// The peer cannot be reached; returns what its task must do.
    pub(super) fn unreachable(&self, to: SocketAddr, task: Serial, why: StreamFailure) -> Failed {
        self.with_pool(|pool| pool.failed(Instant::now(), to, task, why))
    }

    /// This number of packets has been written and has not arrived.
    pub(super) fn lost(&self, packets: u64) {
        self.with_pool(|pool| pool.lost(packets));
    }

    /// The task that served an address has ended.
    pub(super) fn retired(&self, to: SocketAddr, task: Serial) {
        let mut state = self.lock();
        let writer = match state.writers.get(&to) {
            Some((waits, _)) if *waits == task => state.writers.remove(&to),
            _ => None,
        };
        drop(state);
        drop(writer);
    }

    /// Changes the queues, and does what follows from that.
    fn with_pool<T>(&self, act: impl FnOnce(&mut Pool) -> T) -> T {
        let mut state = self.lock();
        let before = state.pool.dropped();
        let done = act(&mut state.pool);
        let dropped = state.pool.dropped() - before;
        self.gauge(&state);
        let flush = if state.pool.is_flushed() { state.flush.take() } else { None };
        drop(state);
        self.figures.packets_unsent.fetch_add(dropped, Ordering::Relaxed);
        if let Some(flush) = flush {
            flush.wake();
        }
        done
    }

    /// Gives up the wait for the packets that wait now.
    pub(super) fn abandon_flush(&self) {
        self.with_pool(Pool::abandon);
    }

    /// Ready when every packet that is still waited for has been written.
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

    /// A packet has arrived, over a connection from the address `by`. If too many wait, it is
    /// dropped, as a socket does.
    pub(super) fn arrived(&self, packet: Bytes, from: SocketAddr, by: IpAddr) {
        let mut state = self.lock();
        if state.closed || !state.sources.waits(by, packet.len(), &self.limits) {
            drop(state);
            count(&self.figures.packets_dropped);
            return;
        }
        state.arrived.push_back((packet, from, by));
        self.gauge(&state);
        let reader = state.packet_task.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The next packet that has arrived.
    pub(super) fn take_packet(&self) -> Option<(Bytes, SocketAddr)> {
        let mut state = self.lock();
        let (packet, from, by) = state.arrived.pop_front()?;
        state.sources.handled(by, packet.len());
        self.gauge(&state);
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
            count(&self.figures.refused_streams);
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

    /// A seat for a task that opens connections, unless the transport is closed.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat<S>> {
        Seat::new(self, &mut self.lock())
    }

    /// A seat for an accepted connection, unless there are too many or the transport is closed.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Seat<S>> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        if let Err(too_many) = state.sources.admit(from, &self.limits) {
            drop(state);
            count(&self.figures.refused);
            count(match too_many {
                TooMany::InAll => &self.figures.refused_in_all,
                TooMany::OfSource => &self.figures.refused_of_source,
                TooMany::Unsettled => &self.figures.refused_unsettled,
            });
            return None;
        }
        let Some(mut seat) = Seat::new(self, &mut state) else {
            state.sources.ends(from, true, 0);
            return None;
        };
        seat.accepted = Some(from);
        seat.shakes = true;
        self.gauge(&state);
        drop(state);
        count(&self.figures.accepted);
        Some(seat)
    }

    /// Updates the gauges.
    fn gauge(&self, state: &State<S>) {
        let [incoming, unsettled, arrived, partial] = state.sources.taken();
        let figures = &self.figures;
        for (figure, now) in [
            (&figures.incoming, incoming),
            (&figures.unsettled, unsettled),
            (&figures.arrived_bytes, arrived),
            (&figures.partial_bytes, partial),
            (&figures.outgoing, state.pool.peers()),
            (&figures.queued_bytes, state.pool.bytes()),
        ] {
            figure.store(now as u64, Ordering::Relaxed);
        }
    }
}

/// The registration of a task that ends with the transport. It must be dropped after the task's
/// connection.
pub(super) struct Seat<S> {
    hub: Arc<Hub<S>>,
    id: u64,
    accepted: Option<IpAddr>,
    /// Whether it is still unknown what the connection is for.
    shakes: bool,
    /// The number of bytes of a frame that has begun to arrive.
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

    /// Ready when the transport is closed.
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

    /// It is known now what the connection is for.
    pub(super) fn settled(&mut self) {
        if std::mem::replace(&mut self.shakes, false)
            && let Some(from) = self.accepted
        {
            let mut state = self.hub.lock();
            state.sources.settled(from);
            self.hub.gauge(&state);
        }
    }

    /// Sets how many bytes wait for the rest of their frame; returns whether there is room for
    /// them.
    pub(super) fn holds(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.partial, bytes);
        let Some(from) = self.accepted else { return true };
        if before == 0 && bytes == 0 {
            return true;
        }
        let mut state = self.hub.lock();
        let room = state.sources.holds(from, before, bytes, &self.hub.limits);
        self.hub.gauge(&state);
        room
    }
}

impl<S> Drop for Seat<S> {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let waker = state.seats.remove(&self.id);
        if let Some(from) = self.accepted {
            state.sources.ends(from, self.shakes, self.partial);
            self.hub.gauge(&state);
        }
        drop(state);
        drop(waker);
    }
}

#[cfg(test)]
mod tests;

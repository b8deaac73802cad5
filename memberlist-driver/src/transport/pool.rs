//! Packets that wait for connections: bounded, and without any socket or clock.
//!
//! Each address has a queue of its own, which one task of the caller carries, over one connection or
//! one after the other. A peer that does not read, or cannot be reached, fills its own queue and no
//! other; the oldest packets make room for new ones, as gossip is worth more the younger it is.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::StreamFailure;

/// The first rest of a peer that could not be reached; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(100);
/// The longest rest. A peer that comes back is heard of by its own packets, and is to be answered.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// A peer has been reached if nothing went wrong for this long. That a packet could be written proves
/// little: with TLS 1.3, a peer may refuse this side's certificate only afterwards.
pub(super) const PROVEN: Duration = LONGEST_REST;

/// How much may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Addresses that packets are sent to at a time. The one that was used longest ago makes room.
    pub peers: usize,
    /// Frames in the queue of one address.
    pub queue_frames: usize,
    /// Bytes in the queue of one address. One frame may be longer.
    pub queue_bytes: usize,
    /// Bytes in all queues together.
    pub bytes: usize,
}

impl Bounds {
    /// These values with some of them changed, as an expression.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { peers: 1024, queue_frames: 1024, queue_bytes: 16 << 20, bytes: 64 << 20 }
    }
}

/// Which task carries a queue. The number of a task that has been given up is used for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(u64);

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits, and the task that carries the queue is to be woken.
    Waits,
    /// It waits, and a task for this address is to begin.
    Begin(Serial),
    /// It is dropped: the peer could not be reached a moment ago, for this reason.
    Rests(StreamFailure),
    /// It is dropped: more than the bounds allow waits already.
    Full,
}

/// What becomes of a queue whose peer could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The first failure in a row costs nothing: try again at this time, beginning with the frame
    /// that was fetched last.
    Again(Instant),
    /// Everything that waited is dropped, and the task is to end.
    Over,
}

/// What a task is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Write this, then call [`Pool::written`].
    Write(Bytes),
    /// Wait: there is nothing to write.
    Wait,
    /// End: the queue is not this task's any more.
    Gone,
}

/// The queues of all addresses.
#[derive(Debug, Default)]
pub struct Pool {
    bounds: Bounds,
    peers: BTreeMap<SocketAddr, Peer>,
    serials: u64,
    bytes: usize,
    dropped: u64,
    /// The address that made room for another one.
    replaced: Option<SocketAddr>,
}

#[derive(Debug)]
struct Peer {
    queue: VecDeque<Bytes>,
    bytes: usize,
    state: State,
    /// A frame has been fetched and not been written yet.
    writing: bool,
    /// It was waited for long enough, and has taken nothing since.
    abandoned: bool,
    /// When a frame was last queued.
    used: Instant,
    /// Failures in a row, and the end of the rest after the last of them.
    failures: u32,
    rested: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Carried(Serial),
    /// The task tries again at the end of the rest.
    Retrying {
        task: Serial,
        until: Instant,
        why: StreamFailure,
    },
    Resting {
        until: Instant,
        why: StreamFailure,
    },
}

impl Pool {
    /// Without any queue.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Queues a frame for an address.
    pub fn push(&mut self, now: Instant, to: SocketAddr, frame: Bytes) -> Queued {
        let begin = match self.peers.get(&to).map(|peer| peer.state) {
            Some(State::Resting { until, why } | State::Retrying { until, why, .. })
                if now < until =>
            {
                self.dropped += 1;
                return Queued::Rests(why);
            }
            Some(State::Carried(_) | State::Retrying { .. }) => None,
            Some(State::Resting { .. }) => Some(self.serial()),
            None if self.peers.len() < self.bounds.peers || self.make_room() => Some(self.serial()),
            None => {
                self.dropped += 1;
                return Queued::Full;
            }
        };
        let peer = self.peers.entry(to).or_insert_with(|| Peer::new(now));
        peer.used = now;
        if let Some(serial) = begin {
            peer.state = State::Carried(serial);
        }
        while !peer.queue.is_empty()
            && (peer.queue.len() >= self.bounds.queue_frames
                || peer.bytes + frame.len() > self.bounds.queue_bytes)
        {
            self.bytes -= peer.pop().map_or(0, |old| old.len());
            self.dropped += 1;
        }
        if self.bytes + frame.len() > self.bounds.bytes {
            self.dropped += 1;
            // A task that begins finds nothing, and its queue is that of a peer at rest.
            if begin.is_some() {
                peer.state = State::Resting { until: now, why: StreamFailure::Exhausted };
            }
            return Queued::Full;
        }
        self.bytes += frame.len();
        peer.bytes += frame.len();
        peer.queue.push_back(frame);
        begin.map_or(Queued::Waits, Queued::Begin)
    }

    /// What the task is to do that carries the queue of an address.
    pub fn next(&mut self, to: SocketAddr, task: Serial) -> Turned {
        let Some(peer) = self.carried(to, task) else { return Turned::Gone };
        match peer.pop() {
            Some(frame) => {
                peer.writing = true;
                self.bytes -= frame.len();
                Turned::Write(frame)
            }
            None => Turned::Wait,
        }
    }

    /// The frame that was fetched last has been given to the socket.
    pub fn written(&mut self, now: Instant, to: SocketAddr, task: Serial) {
        if let Some(peer) = self.carried(to, task) {
            peer.state = State::Carried(task);
            peer.writing = false;
            if now.saturating_duration_since(peer.rested) >= PROVEN {
                peer.failures = 0;
            }
        }
    }

    /// The peer cannot be reached, and what follows is refused for a while, longer each time. What
    /// waits is dropped, unless this is the first failure in a row and it came at once.
    pub fn failed(
        &mut self,
        now: Instant,
        to: SocketAddr,
        task: Serial,
        why: StreamFailure,
    ) -> Failed {
        let Some(peer) = self.carried(to, task) else { return Failed::Over };
        let rest = FIRST_REST * 2_u32.saturating_pow(peer.failures.min(8));
        let until = now + rest.min(LONGEST_REST);
        peer.failures += 1;
        peer.rested = until;
        // What has waited for a whole time limit is too old to wait for a second one.
        if peer.failures == 1 && why != StreamFailure::TimedOut {
            peer.state = State::Retrying { task, until, why };
            return Failed::Again(until);
        }
        let lost = peer.queue.len() as u64 + u64::from(peer.writing);
        peer.writing = false;
        peer.state = State::Resting { until, why };
        let bytes = std::mem::take(&mut peer.bytes);
        peer.queue.clear();
        self.bytes -= bytes;
        self.dropped += lost;
        Failed::Over
    }

    /// So many frames that counted as written have never arrived.
    pub fn lost(&mut self, frames: u64) {
        self.dropped += frames;
    }

    /// The task ends because nothing was queued for long. Whether it may: a frame may just have come.
    pub fn ends(&mut self, to: SocketAddr, task: Serial) -> bool {
        match self.carried(to, task) {
            Some(peer) if !peer.queue.is_empty() => false,
            Some(_) => self.peers.remove(&to).is_some(),
            None => true,
        }
    }

    /// Whether nothing is waiting or being written, except for peers that were
    /// [abandoned](Self::abandon).
    pub fn is_flushed(&self) -> bool {
        self.peers.values().all(|peer| peer.is_flushed() || peer.abandoned)
    }

    /// Peers for which something waits, or is being written, have been waited for long enough:
    /// [`is_flushed`](Self::is_flushed) leaves each out until it [takes](Self::took) something.
    pub fn abandon(&mut self) {
        for peer in self.peers.values_mut() {
            peer.abandoned |= !peer.is_flushed();
        }
    }

    /// The peer has taken what was written to it.
    pub fn took(&mut self, to: SocketAddr, task: Serial) {
        if let Some(peer) = self.carried(to, task) {
            peer.abandoned = false;
        }
    }

    /// The address that made room for that of the frame queued last, once: its task, if it has one, is
    /// to be woken, so that it ends.
    pub fn take_replaced(&mut self) -> Option<SocketAddr> {
        self.replaced.take()
    }

    /// Addresses with a queue.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Bytes that wait in all queues.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that were dropped so far, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn carried(&mut self, to: SocketAddr, task: Serial) -> Option<&mut Peer> {
        self.peers.get_mut(&to).filter(|peer| match peer.state {
            State::Carried(carries) | State::Retrying { task: carries, .. } => carries == task,
            State::Resting { .. } => false,
        })
    }

    fn serial(&mut self) -> Serial {
        self.serials += 1;
        Serial(self.serials)
    }

    /// Forgets the address that was used longest ago among those that nothing waits for; whether
    /// there was one.
    fn make_room(&mut self) -> bool {
        let spare = self.peers.iter().filter(|(_, peer)| peer.is_flushed());
        let oldest = spare.min_by_key(|(_, peer)| peer.used).map(|(address, _)| *address);
        self.replaced = oldest;
        oldest.is_some_and(|address| self.peers.remove(&address).is_some())
    }
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            state: State::Resting { until: now, why: StreamFailure::Other },
            writing: false,
            abandoned: false,
            used: now,
            failures: 0,
            rested: now,
        }
    }

    fn is_flushed(&self) -> bool {
        self.queue.is_empty() && !self.writing
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.queue.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }
}

#[cfg(test)]
mod tests;

//! The queues of packets that wait for connections: bounded, and without any socket or clock.
//!
//! Each address has a queue of its own, which one task of the caller serves, over a single
//! connection or several in succession. A peer that does not read, or cannot be reached, fills its
//! own queue and no other. The oldest packets make room for new ones, since newer gossip is worth
//! more.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::StreamFailure;

/// How long packets to a peer are refused after it could not be reached; each further time is twice
/// as long.
const FIRST_REST: Duration = Duration::from_millis(100);
/// The longest such time. A peer that returns soon sends packets itself, and these must be
/// answered.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// A peer counts as reached if nothing has failed for this long. That a packet could be written
/// proves little: with TLS 1.3, a peer may refuse this side's certificate only afterwards.
pub(super) const PROVEN: Duration = LONGEST_REST;

/// The limits of the packets that wait to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The number of addresses with a queue. For another one, the address that was used longest ago
    /// among those with an empty queue is dropped.
    pub peers: usize,
    /// The number of frames in the queue of one address; the oldest make room for a new one.
    pub queue_frames: usize,
    /// The number of bytes in the queue of one address. A single frame may be longer.
    pub queue_bytes: usize,
    /// The number of bytes in all queues together; a frame beyond that is dropped.
    pub bytes: usize,
}

impl Bounds {
    /// Applies `change` to these values and returns them.
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

/// Identifies the task that serves a queue. The number of a task that has ended is not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(u64);

/// The outcome of queueing a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It waits; the caller must wake the task that serves the queue.
    Waits,
    /// It waits; the caller must start a task with this number for the address.
    Begin(Serial),
    /// It is dropped: the peer could not be reached a moment ago, for this reason, and is not tried
    /// again yet.
    Rests(StreamFailure),
    /// It is dropped: as much as the bounds allow waits already.
    Full,
}

/// What happens to a queue whose peer could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// This was the first failure in a row: nothing is dropped, and the task must try again at this
    /// time, beginning with the frame that it fetched last.
    Again(Instant),
    /// Everything that waited is dropped, and the task must end.
    Over,
}

/// What a task must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Write this, then call [`Pool::written`].
    Write(Bytes),
    /// Wait: there is nothing to write.
    Wait,
    /// End: the queue no longer belongs to this task.
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
    /// The address that was dropped to make room for another one.
    replaced: Option<SocketAddr>,
}

#[derive(Debug)]
struct Peer {
    queue: VecDeque<Bytes>,
    bytes: usize,
    state: State,
    /// A frame has been fetched and has not been written yet.
    writing: bool,
    /// The wait for it was given up, and it has accepted nothing since.
    abandoned: bool,
    /// When a frame was last queued.
    used: Instant,
    /// The number of failures in a row, and when the pause after the last of them ends.
    failures: u32,
    rested: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Carried(Serial),
    /// The task tries again when the pause ends.
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
    /// Creates a pool without any queue.
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
            // No task begins, and the peer is in the state of one whose pause is over.
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

    /// What the task that serves the queue of an address must do next.
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

    /// Reports that the frame that was fetched last has been written to the socket.
    pub fn written(&mut self, now: Instant, to: SocketAddr, task: Serial) {
        if let Some(peer) = self.carried(to, task) {
            peer.state = State::Carried(task);
            peer.writing = false;
            if now.saturating_duration_since(peer.rested) >= PROVEN {
                peer.failures = 0;
            }
        }
    }

    /// Reports that the peer cannot be reached. Further frames are refused for a while, longer each
    /// time. What waits is dropped, unless this is the first failure in a row and not a timeout.
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
        // Frames that have waited until a timeout are too old to wait for a second one.
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

    /// Reports that this number of frames, which counted as written, has never arrived.
    pub fn lost(&mut self, frames: u64) {
        self.dropped += frames;
    }

    /// Asks to end the task because nothing has been queued for long; `false` if a frame has just
    /// been queued, and the task must go on.
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

    /// Gives up the wait for all peers for which something waits or is being written:
    /// [`is_flushed`](Self::is_flushed) ignores each of them until it [accepts](Self::took)
    /// something.
    pub fn abandon(&mut self) {
        for peer in self.peers.values_mut() {
            peer.abandoned |= !peer.is_flushed();
        }
    }

    /// Reports that the peer has accepted what was written to it.
    pub fn took(&mut self, to: SocketAddr, task: Serial) {
        if let Some(peer) = self.carried(to, task) {
            peer.abandoned = false;
        }
    }

    /// The address, if any, that was dropped to make room when the last frame was queued; returned
    /// once. The caller must wake its task, if it has one, so that the task ends.
    pub fn take_replaced(&mut self) -> Option<SocketAddr> {
        self.replaced.take()
    }

    /// The number of addresses with a queue.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// The number of bytes that wait in all queues.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of frames that have been dropped so far, for any reason.
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

    /// Drops the address that was used longest ago among those for which nothing waits; returns
    /// whether there was one.
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

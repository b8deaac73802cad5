//! Messages too long for gossip, on their way to every member by stream.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::event::BroadcastId;
use crate::members::MemberId;
use crate::rng::Rng;
use crate::transmit::StreamId;

/// The messages that are not everywhere yet, the first one first.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Disseminations {
    queue: VecDeque<Parcel>,
    bytes: usize,
    running: BTreeMap<StreamId, BroadcastId>,
}

/// One message: sealed once, for all.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Parcel {
    id: BroadcastId,
    /// Nothing while it is being sealed.
    frame: Option<Bytes>,
    /// The bytes that it counts with.
    len: usize,
    /// The members that it has not been sent to yet. They are drawn in random order, one by one: to
    /// shuffle the names of 100,000 at once would take milliseconds.
    to: Vec<MemberId>,
    running: usize,
    sent: u32,
    failed: u32,
}

/// How a message fared that is everywhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: BroadcastId,
    pub(crate) sent: u32,
    pub(crate) failed: u32,
}

impl Disseminations {
    /// Whether the parts fit together, for messages that were read from outside.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let bytes: usize = self.queue.iter().map(|parcel| parcel.len).sum();
        let mut ids = alloc::collections::BTreeSet::new();
        let sound = |parcel: &Parcel| {
            let running = self.running.values().filter(|id| **id == parcel.id).count();
            let sealed = parcel.frame.as_ref().map(Bytes::len);
            running == parcel.running
                && parcel.sent.checked_add(parcel.failed).is_some()
                && sealed.map_or(running == 0 && !parcel.to.is_empty(), |len| len == parcel.len)
        };
        if bytes != self.bytes
            || !self.queue.iter().all(|parcel| sound(parcel) && ids.insert(parcel.id))
            || !self.running.values().all(|id| ids.contains(id))
        {
            return Err("the messages on their way");
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Streams under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn push(&mut self, id: BroadcastId, frame: Bytes, to: Vec<MemberId>) {
        self.push_parcel(id, frame.len(), Some(frame), to);
    }

    /// One that is not sealed yet, of this length.
    pub(crate) fn push_unsealed(&mut self, id: BroadcastId, len: usize, to: Vec<MemberId>) {
        self.push_parcel(id, len, None, to);
    }

    fn push_parcel(
        &mut self,
        id: BroadcastId,
        len: usize,
        frame: Option<Bytes>,
        to: Vec<MemberId>,
    ) {
        self.bytes += len;
        self.queue.push_back(Parcel { id, frame, len, to, running: 0, sent: 0, failed: 0 });
    }

    /// A message has been sealed, and counts with the length that it has now.
    pub(crate) fn sealed(&mut self, id: BroadcastId, frame: Bytes) {
        if let Some(parcel) = self.queue.iter_mut().find(|parcel| parcel.id == id) {
            self.bytes = self.bytes - parcel.len + frame.len();
            parcel.len = frame.len();
            parcel.frame = Some(frame);
        }
    }

    /// Takes out a message that no stream carries.
    pub(crate) fn remove(&mut self, id: BroadcastId) {
        if let Some(place) = self.queue.iter().position(|parcel| parcel.id == id)
            && let Some(parcel) = self.queue.remove(place)
        {
            self.bytes -= parcel.len;
        }
    }

    /// Those that are not sealed.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn unsealed(&self) -> impl Iterator<Item = BroadcastId> {
        self.queue.iter().filter(|parcel| parcel.frame.is_none()).map(|parcel| parcel.id)
    }

    /// The next message to send, and its receiver: either a stream has then [`begun`](Self::begun), or
    /// they are [put back](Self::put_back), or passed over.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<(BroadcastId, Bytes, MemberId)> {
        let ready = |parcel: &&mut Parcel| !parcel.to.is_empty() && parcel.frame.is_some();
        let parcel = self.queue.iter_mut().find(ready)?;
        let frame = parcel.frame.clone()?;
        let drawn = rng.index(parcel.to.len());
        Some((parcel.id, frame, parcel.to.swap_remove(drawn)))
    }

    /// There was no room for a stream.
    pub(crate) fn put_back(&mut self, id: BroadcastId, to: MemberId) {
        if let Some(parcel) = self.parcel(id) {
            parcel.to.push(to);
        }
    }

    /// A stream carries a message to a member.
    pub(crate) fn begun(&mut self, id: BroadcastId, stream: StreamId) {
        self.running.insert(stream, id);
        if let Some(parcel) = self.parcel(id) {
            parcel.running += 1;
        }
    }

    /// A stream has ended; whether it was one of these.
    pub(crate) fn ended(&mut self, id: BroadcastId, stream: StreamId, sent: bool) -> bool {
        let known = self.running.remove(&stream).is_some();
        if let Some(parcel) = self.parcel(id).filter(|_| known) {
            parcel.running -= 1;
            parcel.sent += u32::from(sent);
            parcel.failed += u32::from(!sent);
        }
        known
    }

    /// Takes out a message that has reached, or failed to reach, every member.
    pub(crate) fn take_done(&mut self) -> Option<Done> {
        let done = |parcel: &Parcel| parcel.to.is_empty() && parcel.running == 0;
        let place = self.queue.iter().position(done)?;
        let Parcel { id, len, sent, failed, .. } = self.queue.remove(place)?;
        self.bytes -= len;
        Some(Done { id, sent, failed })
    }

    fn parcel(&mut self, id: BroadcastId) -> Option<&mut Parcel> {
        self.queue.iter_mut().find(|parcel| parcel.id == id)
    }
}

#[cfg(test)]
mod tests;

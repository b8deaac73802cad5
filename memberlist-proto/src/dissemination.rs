//! Messages that are too long for gossip and are sent to every member by stream.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::event::BroadcastId;
use crate::members::MemberId;
use crate::rng::Rng;
use crate::transmit::StreamId;

/// The messages that have not been sent to every member yet, the oldest first.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Disseminations {
    queue: VecDeque<Parcel>,
    bytes: usize,
    running: BTreeMap<StreamId, BroadcastId>,
}

/// One message, which is sealed once for all members.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Parcel {
    id: BroadcastId,
    /// The sealed message; `None` while it is being sealed.
    frame: Option<Bytes>,
    /// The bytes that it counts as in the sum.
    len: usize,
    /// The members that it has not been sent to yet. They are drawn in random order, one by one: to
    /// shuffle the names of 100,000 at once would take milliseconds.
    to: Vec<MemberId>,
    running: usize,
    sent: u32,
    failed: u32,
}

/// The result for a message that is done: how many members it was sent to, and how many it could
/// not be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: BroadcastId,
    pub(crate) sent: u32,
    pub(crate) failed: u32,
}

impl Disseminations {
    /// Verifies that the parts fit together, for messages read from a checkpoint.
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

    /// How many streams are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn push(&mut self, id: BroadcastId, frame: Bytes, to: Vec<MemberId>) {
        self.push_parcel(id, frame.len(), Some(frame), to);
    }

    /// Adds a message that is not sealed yet, of this length.
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

    /// Notes that a message has been sealed. It counts with its new length from now on.
    pub(crate) fn sealed(&mut self, id: BroadcastId, frame: Bytes) {
        if let Some(parcel) = self.queue.iter_mut().find(|parcel| parcel.id == id) {
            self.bytes = self.bytes - parcel.len + frame.len();
            parcel.len = frame.len();
            parcel.frame = Some(frame);
        }
    }

    /// Removes a message that no stream carries.
    pub(crate) fn remove(&mut self, id: BroadcastId) {
        if let Some(place) = self.queue.iter().position(|parcel| parcel.id == id)
            && let Some(parcel) = self.queue.remove(place)
        {
            self.bytes -= parcel.len;
        }
    }

    /// The messages that are not sealed yet.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn unsealed(&self) -> impl Iterator<Item = BroadcastId> {
        self.queue.iter().filter(|parcel| parcel.frame.is_none()).map(|parcel| parcel.id)
    }

    /// Takes the next receiver, with the message to send to it. The caller then notes that a stream
    /// has [`begun`](Self::begun), [puts the receiver back](Self::put_back), or passes it over.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<(BroadcastId, Bytes, MemberId)> {
        let ready = |parcel: &&mut Parcel| !parcel.to.is_empty() && parcel.frame.is_some();
        let parcel = self.queue.iter_mut().find(ready)?;
        let frame = parcel.frame.clone()?;
        let drawn = rng.index(parcel.to.len());
        Some((parcel.id, frame, parcel.to.swap_remove(drawn)))
    }

    /// Puts a receiver back, because there was no room for a stream.
    pub(crate) fn put_back(&mut self, id: BroadcastId, to: MemberId) {
        if let Some(parcel) = self.parcel(id) {
            parcel.to.push(to);
        }
    }

    /// Notes that a stream carries a message to a member.
    pub(crate) fn begun(&mut self, id: BroadcastId, stream: StreamId) {
        self.running.insert(stream, id);
        if let Some(parcel) = self.parcel(id) {
            parcel.running += 1;
        }
    }

    /// Notes that a stream has ended. Returns whether it carried one of these messages.
    pub(crate) fn ended(&mut self, id: BroadcastId, stream: StreamId, sent: bool) -> bool {
        let known = self.running.remove(&stream).is_some();
        if let Some(parcel) = self.parcel(id).filter(|_| known) {
            parcel.running -= 1;
            parcel.sent += u32::from(sent);
            parcel.failed += u32::from(!sent);
        }
        known
    }

    /// Removes and returns a message that has been sent, or failed to be sent, to every member.
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

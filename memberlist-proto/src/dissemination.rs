//! Messages too long for gossip, on their way to every member by stream.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::event::BroadcastId;
use crate::node::NodeName;
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
    frame: Bytes,
    /// The members that it has not been sent to yet, the next one last.
    to: Vec<NodeName>,
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
        let bytes: usize = self.queue.iter().map(|parcel| parcel.frame.len()).sum();
        let mut ids = alloc::collections::BTreeSet::new();
        let sound = |parcel: &Parcel| {
            let running = self.running.values().filter(|id| **id == parcel.id).count();
            running == parcel.running && parcel.sent.checked_add(parcel.failed).is_some()
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

    pub(crate) fn push(&mut self, id: BroadcastId, frame: Bytes, to: Vec<NodeName>) {
        self.bytes += frame.len();
        self.queue.push_back(Parcel { id, frame, to, running: 0, sent: 0, failed: 0 });
    }

    /// The next message to send, and its receiver: either a stream has then [`begun`](Self::begun), or
    /// they are [put back](Self::put_back), or passed over.
    pub(crate) fn next(&mut self) -> Option<(BroadcastId, Bytes, NodeName)> {
        let parcel = self.queue.iter_mut().find(|parcel| !parcel.to.is_empty())?;
        let to = parcel.to.pop()?;
        Some((parcel.id, parcel.frame.clone(), to))
    }

    /// There was no room for a stream: it is the same one's turn again.
    pub(crate) fn put_back(&mut self, id: BroadcastId, to: NodeName) {
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
        let Parcel { id, frame, sent, failed, .. } = self.queue.remove(place)?;
        self.bytes -= frame.len();
        Some(Done { id, sent, failed })
    }

    fn parcel(&mut self, id: BroadcastId) -> Option<&mut Parcel> {
        self.queue.iter_mut().find(|parcel| parcel.id == id)
    }
}

#[cfg(test)]
mod tests;

//! The streams between nodes: where each leads, and when what is sent on it arrives.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use memberlist_proto::{Instant, StreamId};

use crate::seat::NodeId;

/// Something that reaches a node about or on a stream.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    Dial { from: NodeId, life: u64, dialler: StreamId, source: SocketAddr },
    Accepted { id: StreamId, other: StreamId },
    Refused { id: StreamId },
    Data { id: StreamId, data: Bytes },
    Eof { id: StreamId },
    Reset { id: StreamId },
}

/// The node at the other end of a stream, in one of its lives: the next life numbers its streams
/// anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) life: u64,
}

/// Both ends of every stream that is open.
#[derive(Default)]
pub(crate) struct Streams {
    ends: BTreeMap<(NodeId, StreamId), End>,
    dialled: u64,
}

/// One end of a stream.
#[derive(Clone, Copy)]
struct End {
    peer: Peer,
    /// The stream's id at the peer, once the peer has accepted.
    other: Option<StreamId>,
    /// When the last thing sent from here arrives: nothing overtakes it.
    busy: Instant,
    /// Nothing that is sent from here arrives any more.
    silent: bool,
}

impl Streams {
    /// The source port of the next connection.
    pub(crate) fn next_port(&mut self) -> u16 {
        self.dialled += 1;
        32_768 + (self.dialled % 28_000) as u16
    }

    /// Notes that a node has dialled; the peer's end is not known yet.
    pub(crate) fn dialled(&mut self, node: NodeId, id: StreamId, peer: Peer, now: Instant) {
        self.ends.insert((node, id), End { peer, other: None, busy: now, silent: false });
    }

    /// Notes that a node has accepted the stream `dialler` of a peer, which learns of it at
    /// `heard`.
    pub(crate) fn accepted(
        &mut self,
        node: NodeId,
        id: StreamId,
        peer: Peer,
        dialler: StreamId,
        heard: Instant,
    ) {
        let end = End { peer, other: Some(dialler), busy: heard, silent: false };
        self.ends.insert((node, id), end);
    }

    /// Notes that the node that dialled has learnt that the stream was accepted; returns whether it
    /// still wants the stream.
    pub(crate) fn established(&mut self, node: NodeId, id: StreamId, other: StreamId) -> bool {
        let end = self.ends.get_mut(&(node, id));
        end.map(|end| end.other = Some(other)).is_some()
    }

    pub(crate) fn is_open(&self, node: NodeId, id: StreamId) -> bool {
        self.ends.contains_key(&(node, id))
    }

    /// Ends one end of a stream; returns whether it was open.
    pub(crate) fn end(&mut self, node: NodeId, id: StreamId) -> bool {
        self.ends.remove(&(node, id)).is_some()
    }

    /// The streams that are open at a node.
    pub(crate) fn of(&self, node: NodeId) -> Vec<StreamId> {
        let ends = self.ends.range((node, StreamId::MIN)..=(node, StreamId::MAX));
        ends.map(|(key, _)| key.1).collect()
    }

    pub(crate) fn peer(&self, node: NodeId, id: StreamId) -> Option<Peer> {
        self.ends.get(&(node, id)).map(|end| end.peer)
    }

    /// Lets nothing of a stream arrive any more, at either end.
    pub(crate) fn silence(&mut self, node: NodeId, id: StreamId) {
        let Some(end) = self.ends.get(&(node, id)).copied() else { return };
        let both = [(node, Some(id)), (end.peer.node, end.other)];
        for (node, id) in both.into_iter().filter_map(|(node, id)| Some((node, id?))) {
            if let Some(end) = self.ends.get_mut(&(node, id)) {
                end.silent = true;
            }
        }
    }

    /// Where what is sent from one end arrives; `None` before the stream is established, and once
    /// it is silenced.
    pub(crate) fn route(&self, node: NodeId, id: StreamId) -> Option<(Peer, StreamId)> {
        let end = self.ends.get(&(node, id)).filter(|end| !end.silent)?;
        Some((end.peer, end.other?))
    }

    /// When something arrives that would arrive at `at`, but must not overtake what was sent
    /// before.
    pub(crate) fn in_order(&mut self, node: NodeId, id: StreamId, at: Instant) -> Instant {
        let Some(end) = self.ends.get_mut(&(node, id)) else { return at };
        end.busy = end.busy.max(at);
        end.busy
    }
}

//! Streams between nodes: in order, delayed, cut.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use memberlist_proto::{Instant, StreamFailure, StreamId, StreamOp};

use crate::agenda::What;
use crate::sim::{Fault, NodeId, Sim};

/// Where each end of each stream leads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    ends: BTreeMap<(NodeId, StreamId), End>,
    dialled: u64,
}

/// One end of a stream.
#[derive(Clone, Copy, Debug)]
struct End {
    peer: NodeId,
    /// The peer's life that it leads to: the next one counts its streams anew.
    life: u64,
    /// The peer's end, once it has accepted.
    other: Option<StreamId>,
    /// When the last thing sent from here arrives: nothing overtakes it.
    busy: Instant,
    /// Nothing of it arrives any more.
    silent: bool,
}

/// Something that reaches a node by stream.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    Dial { from: NodeId, life: u64, dialler: StreamId, source: SocketAddr },
    Accepted { id: StreamId, other: StreamId },
    Refused { id: StreamId },
    Data { id: StreamId, data: Bytes },
    Eof { id: StreamId },
    Reset { id: StreamId },
}

impl Sim {
    /// Does what a node wants done with a stream.
    pub(crate) fn carry_out(&mut self, node: NodeId, op: StreamOp) {
        match op {
            StreamOp::Connect { id, to, .. } => self.dial(node, id, to),
            StreamOp::Write { id, data } => self.write(node, id, data),
            StreamOp::Close { id } => {
                self.pass(node, id, |id| Arrival::Eof { id });
                self.streams.ends.remove(&(node, id));
                self.closed(node, id, None);
            }
            StreamOp::Abort { id } => {
                self.pass(node, id, |id| Arrival::Reset { id });
                self.streams.ends.remove(&(node, id));
            }
        }
    }

    /// Gives a node what reached it by stream.
    pub(crate) fn arrive(&mut self, node: NodeId, arrival: Arrival) {
        let now = self.clock(node);
        match arrival {
            Arrival::Dial { from, life, dialler, source } => {
                self.answer_dial(node, from, life, dialler, source);
            }
            Arrival::Accepted { id, other } => {
                let Some(end) = self.streams.ends.get_mut(&(node, id)) else { return };
                end.other = Some(other);
                if let Some(core) = self.seats[node.0].node.as_mut() {
                    core.handle_stream_connected(now, id);
                }
            }
            Arrival::Refused { id } => {
                self.streams.ends.remove(&(node, id));
                self.seats[node.0].laws.closed(id);
                self.closed(node, id, Some(StreamFailure::Refused));
            }
            Arrival::Data { id, data } => {
                if !self.streams.ends.contains_key(&(node, id)) {
                    return;
                }
                let Some(core) = self.seats[node.0].node.as_mut() else { return };
                let result = core.handle_stream_data(now, id, &data);
                if let (Err(error), false) = (result, self.tolerant) {
                    self.broken(node, &format_args!("an honest stream cannot be read: {error}"));
                }
            }
            Arrival::Eof { id } => {
                if self.streams.ends.contains_key(&(node, id))
                    && let Some(core) = self.seats[node.0].node.as_mut()
                {
                    core.handle_stream_eof(now, id);
                }
            }
            Arrival::Reset { id } => {
                if self.streams.ends.remove(&(node, id)).is_some() {
                    self.seats[node.0].laws.closed(id);
                    self.closed(node, id, Some(StreamFailure::Reset));
                }
            }
        }
    }

    /// A crashed node's streams are reset, as far as the network lets that be known.
    pub(crate) fn streams_of_the_dead(&mut self, dead: NodeId) {
        let ids: Vec<StreamId> = self
            .streams
            .ends
            .range((dead, StreamId::MIN)..=(dead, StreamId::MAX))
            .map(|(key, _)| key.1)
            .collect();
        for id in ids {
            self.pass(dead, id, |id| Arrival::Reset { id });
            self.streams.ends.remove(&(dead, id));
        }
    }

    fn dial(&mut self, node: NodeId, id: StreamId, to: SocketAddr) {
        self.streams.dialled += 1;
        if self.seats[node.0].fault == Some(Fault::Unplugged) {
            return self.closed(node, id, Some(StreamFailure::Unreachable));
        }
        let peer = self.addresses.get(&to).copied();
        let there = peer.unwrap_or(node);
        let life = self.seats[there.0].life;
        let end = End { peer: there, life, other: None, busy: self.now, silent: false };
        self.streams.ends.insert((node, id), end);
        let life = self.seats[node.0].life;
        let Some(peer) = peer else {
            // Nobody has that address: a machine that is gone does not even refuse. One that only
            // lost its process does; a crash here is of the process.
            let latency = self.latency(node, node) * 2;
            let arrival = Arrival::Refused { id };
            return self.schedule(latency, What::Stream { node, life, arrival });
        };
        if self.is_cut(node, peer) {
            return;
        }
        let port = 32_768 + (self.streams.dialled % 28_000) as u16;
        let source = SocketAddr::new(self.address(node).ip(), port);
        let latency = self.latency(node, peer);
        let link = self.network.link(node, peer);
        let latency = latency + link.connect;
        if self.chance(link.refusal) {
            let arrival = Arrival::Refused { id };
            return self.schedule(latency * 2, What::Stream { node, life, arrival });
        }
        let arrival = Arrival::Dial { from: node, life, dialler: id, source };
        let life = self.seats[peer.0].life;
        self.schedule(latency, What::Stream { node: peer, life, arrival });
    }

    fn answer_dial(
        &mut self,
        node: NodeId,
        from: NodeId,
        life: u64,
        dialler: StreamId,
        source: SocketAddr,
    ) {
        let (time, now) = (self.now, self.clock(node));
        let Some(core) = self.seats[node.0].node.as_mut() else { return };
        let accepted = core.accept_stream(now, source);
        if let Some(id) = accepted {
            let result = self.seats[node.0].laws.accepted(id);
            result.unwrap_or_else(|broken| self.broken(node, &broken));
        }
        let latency = self.latency(node, from);
        let arrival = match accepted {
            Some(id) => {
                let end = End {
                    peer: from,
                    life,
                    other: Some(dialler),
                    busy: time + latency,
                    silent: false,
                };
                self.streams.ends.insert((node, id), end);
                Arrival::Accepted { id: dialler, other: id }
            }
            None => Arrival::Refused { id: dialler },
        };
        if !self.is_cut(node, from) {
            self.schedule(latency, What::Stream { node: from, life, arrival });
        }
    }

    fn write(&mut self, node: NodeId, id: StreamId, data: Bytes) {
        let Some(end) = self.streams.ends.get(&(node, id)).copied() else { return };
        let now = self.clock(node);
        if let Some(core) = self.seats[node.0].node.as_mut() {
            core.handle_stream_written(now, id, data.len());
        }
        let link = self.network().link(node, end.peer);
        if self.chance(link.reset) {
            self.pass(node, id, |id| Arrival::Reset { id });
            self.streams.ends.remove(&(node, id));
            return self.closed(node, id, Some(StreamFailure::Reset));
        }
        if self.chance(link.silence) {
            let both = [(node, Some(id)), (end.peer, end.other)];
            for (node, id) in both.into_iter().filter_map(|(node, id)| Some((node, id?))) {
                if let Some(end) = self.streams.ends.get_mut(&(node, id)) {
                    end.silent = true;
                }
            }
        }
        let mut rest = data;
        while !rest.is_empty() {
            let piece = rest.split_to(link.chunk.clamp(1, rest.len()));
            self.pass(node, id, |id| Arrival::Data { id, data: piece });
        }
    }

    /// Sends something to the other end, behind what was sent before.
    fn pass(&mut self, node: NodeId, id: StreamId, arrival: impl FnOnce(StreamId) -> Arrival) {
        let Some(end) = self.streams.ends.get(&(node, id)).copied() else { return };
        let Some(other) = end.other else { return };
        let gone = self.seats[end.peer.0].life != end.life;
        if gone || end.silent || self.is_cut(node, end.peer) {
            return;
        }
        let latency = self.latency(node, end.peer);
        let at = (self.now + latency).max(end.busy);
        if let Some(end) = self.streams.ends.get_mut(&(node, id)) {
            end.busy = at;
        }
        let life = self.seats[end.peer.0].life;
        self.schedule_at(at, What::Stream { node: end.peer, life, arrival: arrival(other) });
    }

    fn closed(&mut self, node: NodeId, id: StreamId, cause: Option<StreamFailure>) {
        let now = self.clock(node);
        self.seats[node.0].ended.push(id);
        if let Some(core) = self.seats[node.0].node.as_mut() {
            core.handle_stream_closed(now, id, cause);
        }
    }
}

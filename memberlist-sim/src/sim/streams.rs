//! Streams between nodes: opened, written to, cut and closed.

use std::net::SocketAddr;

use bytes::Bytes;
use memberlist_proto::{StreamFailure, StreamId, StreamOp};

use super::{NodeId, Sent, Sim};
use crate::agenda::What;
use crate::seat::Fault;
use crate::streams::{Arrival, Peer};

impl Sim {
    /// Does what a node wants done with a stream.
    pub(super) fn carry_out(&mut self, node: NodeId, op: StreamOp) {
        match op {
            StreamOp::Connect { id, to, .. } => self.dial(node, id, to),
            StreamOp::Write { id, data } => self.write(node, id, data),
            StreamOp::Close { id } => {
                self.pass(node, id, |id| Arrival::Eof { id });
                self.streams.end(node, id);
                self.closed(node, id, None);
            }
            StreamOp::Abort { id } => {
                self.pass(node, id, |id| Arrival::Reset { id });
                self.streams.end(node, id);
            }
        }
    }

    /// Gives a node what has arrived on a stream.
    pub(super) fn arrive(&mut self, node: NodeId, arrival: Arrival) {
        let now = self.clock(node);
        match arrival {
            Arrival::Dial { from, life, dialler, source } => {
                self.answer_dial(node, Peer { node: from, life }, dialler, source);
            }
            Arrival::Accepted { id, other } => {
                if self.streams.established(node, id, other)
                    && let Some(core) = self.seats[node].node_mut()
                {
                    core.handle_stream_connected(now, id);
                }
            }
            Arrival::Refused { id } => {
                self.streams.end(node, id);
                self.seats[node].stream_lost(id);
                self.closed(node, id, Some(StreamFailure::Refused));
            }
            Arrival::Data { id, data } => {
                if !self.streams.is_open(node, id) {
                    return;
                }
                let Some(core) = self.seats[node].node_mut() else { return };
                let result = core.handle_stream_data(now, id, &data);
                if let (Err(error), false) = (result, self.tolerant) {
                    self.broken(node, &format_args!("an honest stream cannot be read: {error}"));
                }
            }
            Arrival::Eof { id } => {
                if self.streams.is_open(node, id)
                    && let Some(core) = self.seats[node].node_mut()
                {
                    core.handle_stream_eof(now, id);
                }
            }
            Arrival::Reset { id } => {
                if self.streams.end(node, id) {
                    self.seats[node].stream_lost(id);
                    self.closed(node, id, Some(StreamFailure::Reset));
                }
            }
        }
    }

    /// A crashed node's streams are reset, as far as the network lets that be known.
    pub(super) fn reset_streams(&mut self, crashed: NodeId) {
        for id in self.streams.of(crashed) {
            self.pass(crashed, id, |id| Arrival::Reset { id });
            self.streams.end(crashed, id);
        }
    }

    fn dial(&mut self, node: NodeId, id: StreamId, to: SocketAddr) {
        let port = self.streams.next_port();
        if self.seats[node].is(Fault::Unplugged) {
            return self.closed(node, id, Some(StreamFailure::Unreachable));
        }
        let peer = self.seats.at(to);
        let (there, now) = (peer.unwrap_or(node), self.agenda.now());
        let end = Peer { node: there, life: self.seats[there].life() };
        self.streams.dialled(node, id, end, now);
        let life = self.seats[node].life();
        let refused = What::Stream(Arrival::Refused { id });
        let Some(peer) = peer else {
            // No node runs at that address. A machine that is gone would not even refuse, but one
            // that only lost its process does, and a crash here is of the process.
            let latency = self.network.latency(&mut self.chance, node, node) * 2;
            return self.agenda.after(latency, node, Some(life), refused);
        };
        if self.is_cut(node, peer) {
            return;
        }
        let source = SocketAddr::new(self.address(node).ip(), port);
        let link = self.network.link(node, peer);
        let latency = self.network.latency(&mut self.chance, node, peer) + link.connect;
        if self.chance.happens(link.refusal) {
            return self.agenda.after(latency * 2, node, Some(life), refused);
        }
        let arrival = Arrival::Dial { from: node, life, dialler: id, source };
        self.agenda.after(latency, peer, Some(end.life), What::Stream(arrival));
    }

    fn answer_dial(&mut self, node: NodeId, peer: Peer, dialler: StreamId, source: SocketAddr) {
        let (time, now) = (self.agenda.now(), self.clock(node));
        let Some(core) = self.seats[node].node_mut() else { return };
        let accepted = core.accept_stream(now, source);
        let latency = self.network.latency(&mut self.chance, node, peer.node);
        let arrival = match accepted {
            Some(id) => {
                let result = self.seats[node].accepted(id);
                self.judge(node, result);
                self.streams.accepted(node, id, peer, dialler, time + latency);
                Arrival::Accepted { id: dialler, other: id }
            }
            None => Arrival::Refused { id: dialler },
        };
        if !self.is_cut(node, peer.node) {
            self.agenda.after(latency, peer.node, Some(peer.life), What::Stream(arrival));
        }
    }

    fn write(&mut self, node: NodeId, id: StreamId, data: Bytes) {
        let Some(peer) = self.streams.peer(node, id) else { return };
        if let Some(watch) = &mut self.watch {
            watch(node, peer.node, Sent::Stream(&data));
        }
        let now = self.clock(node);
        if let Some(core) = self.seats[node].node_mut() {
            core.handle_stream_written(now, id, data.len());
        }
        let link = self.network.link(node, peer.node);
        if self.chance.happens(link.reset) {
            self.pass(node, id, |id| Arrival::Reset { id });
            self.streams.end(node, id);
            return self.closed(node, id, Some(StreamFailure::Reset));
        }
        if self.chance.happens(link.silence) {
            self.streams.silence(node, id);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let piece = rest.split_to(link.chunk.clamp(1, rest.len()));
            self.pass(node, id, |id| Arrival::Data { id, data: piece });
        }
    }

    /// Sends something to the other end, behind what was sent before.
    fn pass(&mut self, node: NodeId, id: StreamId, arrival: impl FnOnce(StreamId) -> Arrival) {
        let Some((peer, other)) = self.streams.route(node, id) else { return };
        let gone = self.seats[peer.node].life() != peer.life;
        if gone || self.is_cut(node, peer.node) {
            return;
        }
        let latency = self.network.latency(&mut self.chance, node, peer.node);
        let at = self.streams.in_order(node, id, self.agenda.now() + latency);
        self.agenda.at(at, peer.node, Some(peer.life), What::Stream(arrival(other)));
    }

    /// Reports to a node that one of its streams has ended.
    fn closed(&mut self, node: NodeId, id: StreamId, cause: Option<StreamFailure>) {
        let now = self.clock(node);
        self.seats[node].stream_ended(id);
        if let Some(core) = self.seats[node].node_mut() {
            core.handle_stream_closed(now, id, cause);
        }
    }

    /// Whether nothing of a stream passes in this direction.
    fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        let (sender, receiver) = (&self.seats[from], &self.seats[to]);
        let unplugged = sender.is(Fault::Unplugged) || receiver.is(Fault::Unplugged);
        self.network.is_cut(from, to)
            || !self.network.link(from, to).streams
            || unplugged
            || sender.is(Fault::Mute)
            || receiver.is(Fault::Deaf)
    }
}

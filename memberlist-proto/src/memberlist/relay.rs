//! Probing one member on behalf of another (SWIM §3.1; Lifeguard §III.A for nacks).

use core::net::SocketAddr;
use core::time::Duration;

use super::admission::ip_of;
use super::{Memberlist, Timer, send};
use crate::node::{Name, NodeName, State};
use crate::probes::{Awaiting, Requester};
use crate::wire::message::{Ack, IndirectPing, Message, Nack, Ping};

impl Memberlist {
    /// A peer asks this node to ping another.
    pub(super) fn relay_ping(&mut self, from: SocketAddr, asked: &IndirectPing<'_>) {
        let port = self.substitute_port(asked.port);
        let target = asked.target.and_then(ip_of).map(|ip| SocketAddr::new(ip, port));
        // Differs from Go: in Go any peer can have a ping sent to any address.
        let known = !self.config.differences.relay_to_members_only
            || self.members.get(asked.node).is_some_and(|id| {
                self.members.record(id).identity().socket_addr() == target && target.is_some()
            });
        if !known || !self.may_relay(from) {
            self.counters.relays_refused += 1;
            if let Some(id) = self.members.get(asked.node) {
                let from = send::reply_address(from, asked.source_addr, asked.source_port);
                self.notify_of_move(id, from);
            }
            return;
        }
        self.counters.relayed += 1;
        let left = self
            .members
            .get(asked.node)
            .filter(|id| self.members.record(*id).state() == State::Left);
        let requester = Requester {
            address: send::reply_address(from, asked.source_addr, asked.source_port),
            node: self.destination_name(Name::new(asked.source_node)),
            sequence: asked.seq_no,
        };
        if let Some(id) = left {
            self.notify_of_leave(id, requester.address);
        }
        // A stranger must not be able to have more than a ping sent to a member.
        let gossip = self.may_piggyback(requester.address, asked.source_node);
        let sequence = self.next_sequence();
        let (now, timeout) = (self.now, self.config.probe_timeout);
        let expiry = self.timers.insert(now + timeout, Timer::Relay(sequence));
        let nack = asked.nack.then(|| {
            let wait = nack_delay(timeout, self.config.differences.nack_after_percent);
            self.timers.insert(now + wait, Timer::Nack(sequence))
        });
        self.await_ack(sequence, Awaiting::Relay { requester, expiry, nack });
        let Some(to) = target else { return };
        let me = self.local();
        let ping = Message::Ping(Ping {
            seq_no: sequence,
            node: asked.node,
            source_addr: me.addr_bytes(),
            source_port: me.port(),
            source_node: me.name().as_bytes(),
        });
        self.send_named(to, asked.node, &ping, gossip);
    }

    /// Whether there is room for one more relay. The last quarter is for sources that keep to their
    /// share, so that no single peer can use it all.
    fn may_relay(&mut self, from: SocketAddr) -> bool {
        let running = self.probes.relays();
        self.rates.take_relay(self.now, from.ip(), &self.config.limits, running)
    }

    /// The target has answered: this node passes the ack on.
    pub(super) fn relay_ack(&mut self, requester: &Requester) {
        // Without the target's payload, as in Go.
        let ack = Message::Ack(Ack { seq_no: requester.sequence, payload: None });
        self.reply(requester.address, name_of(requester), &ack);
    }

    /// The target has not answered yet: a nack says that at least this node itself is well.
    pub(super) fn relay_nack(&mut self, sequence: u32) {
        if let Some((requester, timer)) = self.probes.take_nack(sequence) {
            self.timers.cancel(timer);
            let nack = Message::Nack(Nack { seq_no: requester.sequence });
            self.reply(requester.address, name_of(&requester), &nack);
        }
    }

    /// Too late for an ack. A nack that is due at the same time still goes out.
    pub(super) fn relay_expired(&mut self, sequence: u32) {
        self.relay_nack(sequence);
        self.probes.stop_waiting(sequence);
    }
}

fn name_of(requester: &Requester) -> &[u8] {
    requester.node.as_ref().map_or(&b""[..], NodeName::as_bytes)
}

/// Differs from Go: in Go a helper waits its whole probe timeout, so that with the default
/// intervals the nack comes after the requester has given up.
fn nack_delay(probe_timeout: Duration, percent: u32) -> Duration {
    probe_timeout / 100 * percent
}

//! Probing one member on behalf of another (SWIM §3.1; Lifeguard §III.A for nacks).

use core::net::SocketAddr;
use core::time::Duration;

use super::admission::ip_of;
use super::{Memberlist, Timer, send};
use crate::node::NodeName;
use crate::probes::{Awaiting, Requester};
use crate::time::Instant;
use crate::wire::message::{Ack, IndirectPing, Message, Nack, Ping};

impl Memberlist {
    /// A peer asks this node to ping another.
    pub(super) fn relay_ping(&mut self, now: Instant, from: SocketAddr, asked: &IndirectPing<'_>) {
        let port = self.substitute_port(asked.port);
        let target = asked.target.and_then(ip_of).map(|ip| SocketAddr::new(ip, port));
        // Differs from Go: there anybody can have a ping sent to any address.
        let known = !self.config.differences.relay_to_members_only
            || self.members.get(asked.node).is_some_and(|id| {
                self.members.record(id).identity().socket_addr() == target && target.is_some()
            });
        if !known || !self.may_relay(now, from) {
            self.counters.relays_refused += 1;
            return;
        }
        self.counters.relayed += 1;
        let requester = Requester {
            address: send::reply_address(from, asked.source_addr, asked.source_port),
            node: (!asked.source_node.is_empty()).then(|| NodeName::from(asked.source_node)),
            sequence: asked.seq_no,
        };
        // A stranger must not have more sent to a member than a ping.
        let gossip = self.may_piggyback(requester.address, asked.source_node);
        let sequence = self.next_sequence();
        let expiry = self.timers.insert(now + self.config.probe_timeout, Timer::Relay(sequence));
        let nack = asked.nack.then(|| {
            let wait = nack_delay(self.config.probe_timeout, self.nack_percent());
            self.timers.insert(now + wait, Timer::Nack(sequence))
        });
        if let Some(old) = self.probes.wait(sequence, Awaiting::Relay { requester, expiry, nack }) {
            self.forget_awaiting(&old);
        }
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

    /// Whether there is room for one more relay. The last quarter is for those who keep to their
    /// share, so that nobody can occupy it all.
    fn may_relay(&mut self, now: Instant, from: SocketAddr) -> bool {
        let running = self.probes.relays();
        self.rates.take_relay(now, from.ip(), &self.config.limits, running)
    }

    /// The target answered: so does this node.
    pub(super) fn relay_ack(&mut self, requester: &Requester) {
        let ack = Message::Ack(Ack { seq_no: requester.sequence, payload: None });
        let node = requester.node.as_ref().map_or(&b""[..], NodeName::as_bytes);
        self.reply(requester.address, node, &ack);
    }

    /// The target has not answered yet: this node tells that at least it itself is well.
    pub(super) fn relay_nack(&mut self, _now: Instant, sequence: u32) {
        let Some(Awaiting::Relay { requester, nack, .. }) = self.probes.waiting(sequence) else {
            return;
        };
        *nack = None;
        let requester = requester.clone();
        let node = requester.node.as_ref().map_or(&b""[..], NodeName::as_bytes);
        self.reply(requester.address, node, &Message::Nack(Nack { seq_no: requester.sequence }));
    }

    /// Too late for an ack. A nack that is due at the same time still goes out.
    pub(super) fn relay_expired(&mut self, sequence: u32) {
        if let Some(Awaiting::Relay { nack: Some(timer), .. }) = self.probes.waiting(sequence) {
            let timer = *timer;
            self.timers.cancel(timer);
            self.relay_nack(self.now, sequence);
        }
        self.probes.stop_waiting(sequence);
    }

    /// Takes the timers of an entry that the sequence number, having wrapped around, displaced.
    pub(super) fn forget_awaiting(&mut self, old: &Awaiting) {
        match *old {
            Awaiting::Relay { expiry, nack, .. } => {
                self.timers.cancel(expiry);
                if let Some(nack) = nack {
                    self.timers.cancel(nack);
                }
            }
            Awaiting::Ping { op, timer, .. } => {
                self.timers.cancel(timer);
                self.ping_failed(op, crate::event::PingError::NoResponse);
            }
        }
    }

    fn nack_percent(&self) -> u32 {
        self.config.differences.nack_after_percent
    }
}

/// Differs from Go: there a helper waits its whole probe timeout, so that with the default
/// intervals the nack comes after the requester has given up.
fn nack_delay(probe_timeout: Duration, percent: u32) -> Duration {
    probe_timeout / 100 * percent
}

//! Handling of what arrives by datagram.

use alloc::sync::Arc;
use core::net::SocketAddr;

use bytes::Bytes;

use super::Memberlist;
use super::accuse::Accusation;
use super::admission::ip_of;
use crate::event::{Channel, Event, Refusal};
use crate::probes::Awaiting;
use crate::wire::message::{Ack, Alive, Dead, Message, Suspect};
use crate::wire::packet::{self, PacketError, Rules, Visit};

impl Memberlist {
    pub(super) fn packet(&mut self, from: SocketAddr, packet: &[u8]) -> Result<(), PacketError> {
        self.counters.packets_received += 1;
        self.counters.packet_bytes_received += packet.len() as u64;
        let keyring = Arc::clone(&self.keyring);
        let label = self.config.label.clone();
        let accept_labels = Arc::clone(&self.accept_labels);
        let rules = Rules {
            label: &label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            accept_labels: &accept_labels,
            keyring: Some(&keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: self.config.packet_limits(),
        };
        let mut scratch = self.opening.lend();
        let mut arrivals = Arrivals { node: self, from };
        let result = packet::open(packet, &rules, &mut scratch, &mut arrivals);
        self.opening.give_back(scratch);
        if result.is_err() {
            self.counters.packets_refused += 1;
        }
        result
    }

    fn dispatch(&mut self, from: SocketAddr, message: Message<'_>) {
        self.hearing.packet(self.now);
        match message {
            Message::Ping(ping) => self.answer_ping(from, &ping),
            Message::IndirectPing(ping) => self.relay_ping(from, &ping),
            Message::Ack(ack) => self.ack(&ack),
            Message::Nack(nack) => self.nack(nack.seq_no),
            Message::Suspect(Suspect { incarnation, node, from: by }) => {
                self.suspect(Accusation { incarnation, node, from: by, via: Some(from) });
            }
            Message::Dead(Dead { incarnation, node, from: by }) => {
                let accusation = Accusation { incarnation, node, from: by, via: Some(from) };
                self.dead(accusation, None);
            }
            Message::Alive(alive) => self.alive_by_packet(from, &alive),
            Message::User(payload) => {
                self.counters.messages_received += 1;
                let payload = Bytes::copy_from_slice(payload);
                self.out.event(Event::Message { from, channel: Channel::Packet, payload });
            }
        }
    }

    /// An ack goes to the probe, the ping or the relay that waits for its number.
    fn ack(&mut self, ack: &Ack<'_>) {
        let payload = ack.payload.unwrap_or_default();
        if let Some(probe) = self.probes.current(ack.seq_no) {
            // The round trip time of an ack that came through other members, or late, means
            // nothing.
            if probe.awaits_direct_ack() {
                let rtt = self.now.saturating_duration_since(probe.started());
                let (node, payload) = (probe.target().clone(), Bytes::copy_from_slice(payload));
                self.out.event(Event::Pinged { node, rtt, payload });
            }
            return self.probe_succeeded();
        }
        match self.probes.stop_waiting(ack.seq_no) {
            Some(Awaiting::Ping { op, sent, timer }) => {
                self.timers.cancel(timer);
                let rtt = self.now.saturating_duration_since(sent);
                self.ping_answered(op, rtt, payload);
            }
            Some(Awaiting::Relay { requester, expiry, nack }) => {
                self.timers.cancel(expiry);
                if let Some(nack) = nack {
                    self.timers.cancel(nack);
                }
                self.relay_ack(&requester);
            }
            Some(Awaiting::Suspect(id)) => self.suspect_answered(id),
            None => self.counters.acks_unknown += 1,
        }
    }

    fn nack(&mut self, sequence: u32) {
        match self.probes.current(sequence) {
            Some(probe) => probe.nack(),
            None => self.counters.acks_unknown += 1,
        }
    }

    /// An alive message by packet is subject to `cidrs_allowed` in its source and its address.
    fn alive_by_packet(&mut self, from: SocketAddr, alive: &Alive<'_>) {
        let allowed = self.network_allows(from.ip())
            && alive.addr.is_none_or(|addr| {
                self.config.cidrs_allowed.is_none()
                    || ip_of(addr).is_some_and(|ip| self.network_allows(ip))
            });
        if !allowed {
            return self.refused(from, alive, Refusal::Network);
        }
        let port = self.substitute_port(alive.port);
        self.alive(from, &Alive { port, ..*alive });
    }
}

struct Arrivals<'a> {
    node: &'a mut Memberlist,
    from: SocketAddr,
}

impl Visit for Arrivals<'_> {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        self.node.dispatch(self.from, message);
    }
}

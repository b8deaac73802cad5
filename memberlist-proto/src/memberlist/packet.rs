//! What arrives by datagram.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::Memberlist;
use super::admission::ip_of;
use super::state::Accusation;
use crate::event::{Channel, Event, Refusal};
use crate::time::Instant;
use crate::wire::message::{Alive, Dead, Message, Suspect};
use crate::wire::packet::{self, PacketError, PacketLimits, Rules, Visit};

impl Memberlist {
    /// Takes in one datagram.
    ///
    /// # Errors
    ///
    /// What the first unusable part was, how many messages were used and how many were not: the
    /// good parts of a bad packet still count.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
    ) -> Result<(), PacketError> {
        let now = self.advance(now);
        self.counters.packets_received += 1;
        self.counters.packet_bytes_received += packet.len() as u64;
        let keyring = Arc::clone(&self.keyring);
        let label = self.config.label.clone();
        let rules = Rules {
            label: &label,
            skip_inbound_label_check: self.config.skip_inbound_label_check,
            keyring: Some(&keyring),
            verify_incoming: self.config.gossip_verify_incoming,
            limits: PacketLimits {
                max_decompressed: self.config.differences.packet_decompressed_max,
                max_depth: self.config.limits.packet_depth,
                ..PacketLimits::default()
            },
        };
        let mut scratch = core::mem::take(&mut self.opening);
        let mut arrivals = Arrivals { node: self, now, from };
        let result = packet::open(packet, &rules, &mut scratch, &mut arrivals);
        self.opening = scratch;
        if result.is_err() {
            self.counters.packets_refused += 1;
        }
        result
    }

    fn dispatch(&mut self, now: Instant, from: SocketAddr, message: Message<'_>) {
        match message {
            Message::Ping(ping) => self.answer_ping(now, from, &ping),
            Message::IndirectPing(ping) => self.relay_ping(now, from, &ping),
            Message::Ack(ack) => self.ack(now, &ack),
            Message::Nack(nack) => self.nack(nack.seq_no),
            Message::Suspect(Suspect { incarnation, node, from: by }) => {
                self.suspect(now, Accusation { incarnation, node, from: by, via: Some(from) });
            }
            Message::Dead(Dead { incarnation, node, from: by }) => {
                let accusation = Accusation { incarnation, node, from: by, via: Some(from) };
                self.dead(now, accusation, None);
            }
            Message::Alive(alive) => self.alive_by_packet(now, from, &alive),
            Message::User(payload) => {
                self.counters.messages_received += 1;
                let payload = bytes::Bytes::copy_from_slice(payload);
                self.out.event(Event::Message { from, channel: Channel::Packet, payload });
            }
        }
    }

    /// An alive message by packet is subject to `cidrs_allowed` in its source and its address.
    fn alive_by_packet(&mut self, now: Instant, from: SocketAddr, alive: &Alive<'_>) {
        let allowed = self.network_allows(from.ip())
            && alive.addr.is_none_or(|addr| {
                self.config.cidrs_allowed.is_none()
                    || ip_of(addr).is_some_and(|ip| self.network_allows(ip))
            });
        if !allowed {
            return self.refused(now, from, alive, Refusal::Network);
        }
        let port = self.substitute_port(alive.port);
        self.alive(now, from, &Alive { port, ..*alive });
    }

    /// The port that a peer means: old versions sent none (Go: `aliveMsg` handling in `net.go`).
    pub(super) fn substitute_port(&self, port: u16) -> u16 {
        if port == 0 || self.config.protocol_version < 2 { self.config.bind_port } else { port }
    }
}

struct Arrivals<'a> {
    node: &'a mut Memberlist,
    now: Instant,
    from: SocketAddr,
}

impl Visit for Arrivals<'_> {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        self.node.dispatch(self.now, self.from, message);
    }
}

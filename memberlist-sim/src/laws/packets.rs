//! What a node sends can be read by a node of the same configuration, is not too long, and goes to
//! a usable address; one input causes a bounded number of packets.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{PacketLimits, Rules, Visit, open};
use memberlist_proto::{Keyring, Memberlist, Transmit};

use super::Law;

/// The most packets that one input may cause: an answer to each part of a compound message, and
/// those of timers that are due at the same time.
const AT_ONCE: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Where the application wants to send, whether or not the address is usable.
    named: BTreeSet<SocketAddr>,
    /// How many packets the current input has caused so far.
    sent: usize,
}

/// The contents of a packet.
#[derive(Default)]
struct Content {
    messages: usize,
    /// The first message is a ping.
    pings: bool,
    /// The first message is an ack: it goes to whatever address the ping asks for.
    acks: bool,
}

impl Visit for Content {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        if self.messages == 0 {
            self.pings = matches!(message, Message::Ping(_));
            self.acks = matches!(message, Message::Ack(_));
        }
        self.messages += 1;
    }
}

impl Law for Packets {
    fn name(&self) -> &'static str {
        "packets"
    }

    fn named(&mut self, address: SocketAddr) {
        self.named.insert(address);
    }

    fn sent(&mut self, node: &Memberlist, transmit: &Transmit) -> Result<(), String> {
        self.sent += 1;
        if self.sent > AT_ONCE {
            return Err(format!("one input made it send {} packets", self.sent));
        }
        let config = node.config();
        let ring: Keyring = node.keys().into_iter().collect();
        let rules = Rules {
            label: &config.label,
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: Some(&ring),
            verify_incoming: config.gossip_verify_outgoing,
            limits: PacketLimits {
                max_decompressed: config.differences.packet_decompressed_max,
                ..PacketLimits::default()
            },
        };
        let mut content = Content::default();
        open(&transmit.payload, &rules, &mut Scratch::new(), &mut content)
            .map_err(|error| format!("it cannot read its own packet: {error}"))?;
        let (to, len) = (transmit.to, transmit.payload.len());
        let usable = !to.ip().is_unspecified() && to.port() != 0;
        if config.differences.require_usable_address
            && !(usable || content.acks || self.named.contains(&to))
        {
            return Err(format!("a packet to {to}"));
        }
        // A single message is sent whatever its length, and so is a ping to a suspect together with
        // the accusation, which may have a long name.
        let alone = content.messages == 1 || (content.messages == 2 && content.pings);
        if !alone && config.differences.exact_packet_budget && len > config.udp_buffer_size {
            return Err(format!("{len} bytes in a packet of {} messages", content.messages));
        }
        Ok(())
    }

    fn drained(&mut self) {
        self.sent = 0;
    }
}

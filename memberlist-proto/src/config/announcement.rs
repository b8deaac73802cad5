//! Whether what a node announces fits into a packet.

use alloc::vec::Vec;
use core::net::IpAddr;

use thiserror::Error;

use super::{AdvertiseForm, Config};
use crate::security::aead::Version;
use crate::wire::message::{Alive, Message, Suspect};
use crate::wire::{checksum, compound, label};

/// The longest name that another member may have, in bytes, as long as peers are not configured to
/// take longer ones: an accusation carries the accuser's name.
const LONGEST_NAME: usize = 255;

/// The error that this node's announcement, or an accusation of it, fits into no packet. Gossip
/// could then never carry it, and no peer would learn of this node's metadata or of its
/// refutations. All figures are bytes. `Display` is one line that shows the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the announcement fits into no packet: name {name} + {} {beside} + label {label} + encryption \
     {encryption} + headers {headers} = {} bytes, and at most {limit} fit (`udp_buffer_size`); \
     shorten the name, the metadata or the label, or raise `udp_buffer_size`",
    if *.accusation { "an accuser's name of" } else { "metadata" },
    self.total()
)]
#[non_exhaustive]
pub struct Oversized {
    /// The length of the node's name.
    pub name: usize,
    /// The length of the metadata, or of the longest name of an accuser.
    pub beside: usize,
    /// Whether an accusation of this node is longer than its own announcement. The figures are then
    /// those of the accusation.
    pub accusation: bool,
    /// The length of the label with its header.
    pub label: usize,
    /// What encryption adds.
    pub encryption: usize,
    /// Everything else: field names, numbers, the address, and the headers of the packet.
    pub headers: usize,
    /// The most that a packet takes (`udp_buffer_size`).
    pub limit: usize,
}

impl Oversized {
    /// The bytes of the whole packet.
    pub fn total(&self) -> usize {
        self.name + self.beside + self.label + self.encryption + self.headers
    }
}

impl Config {
    /// Checks that an announcement of this node with `meta`, and an accusation of it, fit into a
    /// packet of gossip.
    pub(crate) fn check_announcement(&self, meta: &[u8], has_key: bool) -> Result<(), Oversized> {
        let name = self.name.as_bytes();
        // The numbers that take the most bytes: an incarnation only grows.
        let mut alive = Vec::with_capacity(name.len() + meta.len() + 128);
        Message::Alive(Alive {
            incarnation: u32::MAX,
            node: name,
            addr: Some(&[0; 16][..self.own_address_len()]),
            port: u16::MAX,
            meta: Some(meta),
            vsn: Some(&[0; 6]),
        })
        .encode(&mut alive);
        let accuser = [0; LONGEST_NAME];
        let mut suspect = Vec::with_capacity(name.len() + LONGEST_NAME + 64);
        Message::Suspect(Suspect { incarnation: u32::MAX, node: name, from: &accuser })
            .encode(&mut suspect);
        let accusation = suspect.len() > alive.len();
        let beside = if accusation { LONGEST_NAME } else { meta.len() };
        let message = alive.len().max(suspect.len()) + compound::PER_PART;
        let taken = self.gossip_overhead(has_key);
        if message + taken <= self.udp_buffer_size {
            return Ok(());
        }
        let (label, encryption) = (label::overhead(&self.label), self.encryption_overhead(has_key));
        let headers = message + taken - name.len() - beside - label - encryption;
        let (name, limit) = (name.len(), self.udp_buffer_size);
        Err(Oversized { name, beside, accusation, label, encryption, headers, limit })
    }

    /// The bytes of a packet that contains only gossip that are not gossip themselves.
    pub(crate) fn gossip_overhead(&self, has_key: bool) -> usize {
        let exact = self.differences.exact_packet_budget;
        compound::HEADER
            + label::overhead(&self.label)
            // As in Go, which reserves the room also where outgoing packets are not encrypted yet.
            + self.encryption_overhead(has_key)
            + if exact { checksum::OVERHEAD } else { 0 }
    }

    /// How many bytes this node's own address takes in its announcements.
    fn own_address_len(&self) -> usize {
        match (self.advertise_addr.to_canonical(), self.differences.advertise_form) {
            (IpAddr::V4(_), AdvertiseForm::Compact) => 4,
            (IpAddr::V4(_), AdvertiseForm::Mapped) | (IpAddr::V6(_), _) => 16,
        }
    }

    fn encryption_overhead(&self, has_key: bool) -> usize {
        if has_key { Version::for_protocol(self.protocol_version).overhead() } else { 0 }
    }
}

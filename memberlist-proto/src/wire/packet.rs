//! Packets: opening a received one, layer by layer, and sealing one to send.
//!
//! ```text
//! label? ( encryption? ( checksum? ( message | compressed message | compound ) ) )
//! ```
//!
//! Compressed messages and compounds may contain each other.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::checksum::{self, ChecksumError};
use super::compound::{self, CompoundError};
use super::compress::{Algorithm, CompressError, Compressor};
use super::label::{self, LabelError};
use super::message::{Message, MessageType};
use super::msgpack::DecodeError;
use super::scratch::Scratch;
use crate::security::aead::{self, DecryptError, NONCE};
use crate::security::{Key, Keyring, Version};

mod seal;

pub use seal::{Sealing, seal};

/// How received packets are opened.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Our label; empty means none.
    pub label: &'a [u8],
    /// Whether an outer layer has removed the label (Go: `SkipInboundLabelCheck`).
    pub skip_inbound_label_check: bool,
    /// Labels that are accepted besides our own. An empty one accepts packets without a label.
    pub accept_labels: &'a [Bytes],
    /// The keys. None or an empty ring means that encryption is off.
    pub keyring: Option<&'a Keyring>,
    /// Whether a packet that cannot be decrypted is dropped (Go: `GossipVerifyIncoming`).
    /// Otherwise it is treated as plaintext.
    pub verify_incoming: bool,
    /// The work that one packet may cause.
    pub limits: PacketLimits,
}

/// The work that one packet may cause its receiver.
///
/// Differs from Go: it allows 40 MiB for every compressed message of a packet, and any depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    /// Bytes that all compressed messages of a packet may inflate to together. A message that turns
    /// out to be malformed or too large counts for the bytes that were decompressed of it.
    pub max_decompressed: usize,
    /// How many compounds and compressed messages may be nested in each other.
    pub max_depth: usize,
    /// Parts of all compounds in a packet together, undecodable ones and nested compounds included.
    pub max_messages: usize,
}

impl Default for PacketLimits {
    fn default() -> Self {
        // A datagram has less than 64 KiB, and Go compresses a packet only if it gets smaller: what an
        // honest peer sends inflates to a few times that. It nests two layers, a compound inside a
        // compressed message, and splits its gossip into compounds of 255 parts, one in each packet.
        Self { max_decompressed: 1 << 20, max_depth: 4, max_messages: 4096 }
    }
}

/// One layer of a packet around its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer<'a> {
    /// A label header, whether or not it is ours.
    Label(&'a [u8]),
    /// The encryption, which one of our keys opened.
    Encrypted {
        /// The version of the payload.
        version: Version,
        /// The index of the key in the ring; 0 is the primary.
        key_index: usize,
        /// Length of the plaintext in bytes.
        len: usize,
    },
    /// The packet could not be decrypted and is treated as plaintext.
    Plaintext {
        /// Why it could not be decrypted.
        error: DecryptError,
    },
    /// A checksum that matches.
    Checksum,
    /// A compressed message.
    Compressed {
        /// How it is compressed.
        algorithm: Algorithm,
        /// Its length in bytes.
        from: usize,
        /// Its length in bytes when decompressed.
        to: usize,
    },
    /// A compound.
    Compound {
        /// How many parts it announces.
        parts: usize,
    },
}

/// Receives the contents of a packet in their order, each layer before its contents.
pub trait Visit {
    /// Called when a layer has been opened.
    fn layer(&mut self, layer: Layer<'_>) {
        let _ = layer;
    }

    /// Called for each message, with the `bytes` it was decoded from, type byte first.
    fn message(&mut self, message: Message<'_>, bytes: &[u8]);
}

/// The first fault of a packet. Every part without a fault has been visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{layer}: {cause} ({handled} messages handled, {dropped} dropped)")]
pub struct PacketError {
    /// The layer with the fault.
    pub layer: LayerKind,
    /// The fault.
    pub cause: PacketCause,
    /// How many messages have been visited.
    pub handled: usize,
    /// How many messages have been dropped, as far as they can be counted: an unreadable layer
    /// counts as one.
    pub dropped: usize,
}

/// The layers of a packet at which it can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// The datagram.
    Datagram,
    /// The label header.
    Label,
    /// The encryption.
    Encryption,
    /// The checksum.
    Checksum,
    /// A compressed message.
    Compression,
    /// A compound.
    Compound,
    /// A message.
    Message,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datagram => "datagram",
            Self::Label => "label",
            Self::Encryption => "encryption",
            Self::Checksum => "checksum",
            Self::Compression => "compressed message",
            Self::Compound => "compound message",
            Self::Message => "message",
        })
    }
}

/// The fault of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketCause {
    /// The datagram has no bytes.
    #[error("empty datagram")]
    Empty,
    /// The label header is malformed, or the label is refused.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The packet cannot be decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The checksum does not match.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A compressed message cannot be decompressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// A compound cannot be split.
    #[error(transparent)]
    Compound(#[from] CompoundError),
    /// A message cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// More nested layers than [`PacketLimits::max_depth`].
    #[error("more than {limit} nested layers")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More parts than [`PacketLimits::max_messages`].
    #[error("more than {limit} messages in one packet")]
    TooManyMessages {
        /// The limit.
        limit: usize,
    },
}

/// Opens a received packet and hands its layers and messages to `visit`. Costs no allocation once
/// `scratch` has been used for similar packets.
///
/// Messages are visited in the order of the packet. Go handles pings, acks and nacks in that order,
/// and puts the others into a queue that it empties from the newest, alive messages first.
///
/// Source: `ingestPacket`, `handleCommand`.
///
/// # Errors
/// Returns the first fault. Every part that could be read has been visited nevertheless.
pub fn open(
    packet: &[u8],
    rules: &Rules<'_>,
    scratch: &mut Scratch,
    visit: &mut impl Visit,
) -> Result<(), PacketError> {
    let Scratch { decrypted, layers, compressor, .. } = scratch;
    // One buffer for each depth, since the bytes of an outer layer are still being read while an
    // inner one is opened.
    if layers.len() < rules.limits.max_depth {
        layers.resize_with(rules.limits.max_depth, Vec::new);
    }
    let mut opening = Opening {
        visit,
        compressor,
        limits: rules.limits,
        decompressed: 0,
        parts: 0,
        fault: None,
        handled: 0,
        dropped: 0,
    };
    match opening.unwrap(packet, rules, decrypted) {
        Ok(message) => {
            let buffers = layers.get_mut(..rules.limits.max_depth).unwrap_or_default();
            opening.dispatch(message, buffers);
        }
        Err((layer, cause)) => opening.fail(layer, cause, 1),
    }
    let Opening { fault, handled, dropped, .. } = opening;
    scratch.clear();
    match fault {
        None => Ok(()),
        Some((layer, cause)) => Err(PacketError { layer, cause, handled, dropped }),
    }
}

type Fault = (LayerKind, PacketCause);

struct Opening<'r, V> {
    visit: &'r mut V,
    compressor: &'r mut Compressor,
    limits: PacketLimits,
    /// Bytes decompressed so far, in all compressed messages together: a budget for each message
    /// would let a compound of bombs multiply it.
    decompressed: usize,
    /// Parts of compounds so far, nested ones included.
    parts: usize,
    fault: Option<Fault>,
    handled: usize,
    dropped: usize,
}

impl<V: Visit> Opening<'_, V> {
    /// Removes the layers that occur at most once and outermost: label, encryption, checksum.
    fn unwrap<'p>(
        &mut self,
        packet: &'p [u8],
        rules: &Rules<'_>,
        decrypted: &'p mut Vec<u8>,
    ) -> Result<&'p [u8], Fault> {
        if packet.is_empty() {
            return Err((LayerKind::Datagram, PacketCause::Empty));
        }
        let at_label = |error: LabelError| (LayerKind::Label, error.into());
        let (received, mut packet) = label::strip(packet).map_err(at_label)?;
        if let Some(received) = received {
            self.visit.layer(Layer::Label(received));
        }
        let (own, skip) = (rules.label, rules.skip_inbound_label_check);
        let label = label::admit(own, rules.accept_labels, skip, received).map_err(at_label)?;
        // Whether a packet is encrypted cannot be seen: it begins with a version byte, 0 or 1, which
        // are also the types of pings and indirect pings. Only our configuration decides, and with
        // `verify_incoming` off, whether decryption succeeds.
        if let Some(keyring) = rules.keyring.filter(|keyring| !keyring.is_empty()) {
            match aead::decrypt(decrypted, keyring.keys(), packet, label) {
                Ok(aead::Decrypted { version, key_index }) => {
                    packet = decrypted;
                    let len = packet.len();
                    self.visit.layer(Layer::Encrypted { version, key_index, len });
                }
                Err(error) if rules.verify_incoming => {
                    return Err((LayerKind::Encryption, error.into()));
                }
                Err(error) => self.visit.layer(Layer::Plaintext { error }),
            }
        }
        // After decryption: the checksum is part of what was encrypted. It is recognised only here;
        // further inside, its type is not supported (Go: `handleCommand`).
        match checksum::strip(packet) {
            Ok(None) => {}
            Ok(Some(message)) => {
                self.visit.layer(Layer::Checksum);
                packet = message;
            }
            Err(error) => return Err((LayerKind::Checksum, error.into())),
        }
        Ok(packet)
    }

    /// Handles one message. `buffers` are for the layers inside it: as many as may still be nested,
    /// so that running out of buffers is the limit of the depth.
    fn dispatch(&mut self, message: &[u8], buffers: &mut [Vec<u8>]) {
        let code = message.first().copied();
        match code.and_then(MessageType::from_code) {
            Some(MessageType::Compound) => self.compound(message, buffers),
            Some(MessageType::Compress) => self.compressed(message, buffers),
            _ => self.message(message),
        }
    }

    fn compound(&mut self, message: &[u8], buffers: &mut [Vec<u8>]) {
        let Some((_, buffers)) = buffers.split_first_mut() else {
            return self.too_deep(LayerKind::Compound);
        };
        let mut parts = match compound::split(message.get(1..).unwrap_or_default()) {
            Ok(parts) => parts,
            Err(error) => return self.fail(LayerKind::Compound, error.into(), 1),
        };
        self.visit.layer(Layer::Compound { parts: parts.remaining() });
        while let Some(part) = parts.next() {
            // The depth alone does not bound the work: every level may have 255 parts, empty ones
            // included, and compressed levels make room for many more than a datagram has bytes.
            if self.parts >= self.limits.max_messages {
                let cause = PacketCause::TooManyMessages { limit: self.limits.max_messages };
                let missing = parts.remaining().saturating_add(1);
                return self.fail(LayerKind::Compound, cause, missing);
            }
            self.parts = self.parts.saturating_add(1);
            self.dispatch(part, buffers);
        }
        // A truncated compound is reported after its complete parts have been used, as in Go.
        let missing = parts.remaining();
        if missing > 0 {
            let error = CompoundError::PartsMissing(missing);
            self.fail(LayerKind::Compound, error.into(), missing);
        }
    }

    fn compressed(&mut self, message: &[u8], buffers: &mut [Vec<u8>]) {
        let Some((buffer, buffers)) = buffers.split_first_mut() else {
            return self.too_deep(LayerKind::Compression);
        };
        buffer.clear();
        let left = self.limits.max_decompressed.saturating_sub(self.decompressed);
        // Failed attempts are charged too, or a packet full of damaged bombs would cost as much as
        // if there were no budget.
        let body = message.get(1..).unwrap_or_default();
        let (result, made) = self.compressor.decode_counted(body, left, buffer);
        self.decompressed = self.decompressed.saturating_add(made);
        let algorithm = match result {
            Ok(algorithm) => algorithm,
            Err(error) => return self.fail(LayerKind::Compression, error.into(), 1),
        };
        let (from, to) = (message.len(), buffer.len());
        self.visit.layer(Layer::Compressed { algorithm, from, to });
        self.dispatch(buffer, buffers);
    }

    fn message(&mut self, bytes: &[u8]) {
        match Message::decode(bytes) {
            Ok(message) => {
                self.visit.message(message, bytes);
                self.handled = self.handled.saturating_add(1);
            }
            Err(error) => self.fail(LayerKind::Message, error.into(), 1),
        }
    }

    fn too_deep(&mut self, layer: LayerKind) {
        self.fail(layer, PacketCause::TooDeep { limit: self.limits.max_depth }, 1);
    }

    /// Notes a fault and goes on: parts after a bad one are used, as in Go, since one malformed
    /// message must not silence the others that share its packet.
    fn fail(&mut self, layer: LayerKind, cause: PacketCause, dropped: usize) {
        self.fault.get_or_insert((layer, cause));
        self.dropped = self.dropped.saturating_add(dropped);
    }
}

#[cfg(test)]
mod tests;

//! Packets: taking every layer off, and putting them on.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::checksum::{self, ChecksumError};
use super::compound::{self, CompoundError};
use super::compress::{CompressError, Lzw};
use super::label::{self, LabelError};
use super::message::{Message, MessageType};
use super::msgpack::DecodeError;
use super::scratch::Scratch;
use crate::security::aead::{self, DecryptError, NONCE};
use crate::security::{Key, Keyring, Version};

mod seal;

pub use seal::{Sealing, seal};

/// How packets are received.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Our label; empty means none.
    pub label: &'a [u8],
    /// Whether an outer layer has taken the label off (Go: `SkipInboundLabelCheck`).
    pub skip_inbound_label_check: bool,
    /// The keys; none or an empty ring means that encryption is off.
    pub keyring: Option<&'a Keyring>,
    /// Whether what cannot be decrypted is dropped (Go: `GossipVerifyIncoming`). Otherwise it is
    /// taken as plaintext.
    pub verify_incoming: bool,
    /// What one packet may cost.
    pub limits: PacketLimits,
}

/// What one packet may cost its receiver.
///
/// Differs from Go: it allows 40 MiB for every compressed message, and any depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    /// Bytes that all compressed messages of a packet may take together when decompressed.
    pub max_decompressed: usize,
    /// How many compound and compressed layers may be inside each other.
    pub max_depth: usize,
    /// Messages in a packet, those that cannot be decoded included.
    pub max_messages: usize,
}

impl Default for PacketLimits {
    fn default() -> Self {
        Self { max_decompressed: 1 << 20, max_depth: 4, max_messages: 4096 }
    }
}

/// Something in a packet around its messages, from the outside to the inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer<'a> {
    /// A label header, whether or not it is ours.
    Label(&'a [u8]),
    /// It was encrypted.
    Encrypted {
        /// In which version.
        version: Version,
        /// With which key of the ring, 0 the primary.
        key_index: usize,
        /// Bytes inside.
        len: usize,
    },
    /// It could not be decrypted and is taken as plaintext.
    Plaintext {
        /// Why it could not.
        error: DecryptError,
    },
    /// A checksum, and it is right.
    Checksum,
    /// A compressed message.
    Compressed {
        /// Bytes before.
        from: usize,
        /// Bytes after.
        to: usize,
    },
    /// Several messages follow.
    Compound {
        /// How many are announced.
        parts: usize,
    },
}

/// Is told what a packet holds, in its order. Layers come before what they hold.
pub trait Visit {
    /// A layer was opened.
    fn layer(&mut self, layer: Layer<'_>) {
        let _ = layer;
    }

    /// A message, and its bytes with the type byte first.
    fn message(&mut self, message: Message<'_>, bytes: &[u8]);
}

/// The first thing that was wrong with a packet. Everything that was right has been visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{layer}: {cause} ({handled} messages handled, {dropped} dropped)")]
pub struct PacketError {
    /// Where it went wrong.
    pub layer: LayerKind,
    /// What was wrong.
    pub cause: PacketCause,
    /// Messages that have been visited.
    pub handled: usize,
    /// Messages that have been dropped, as far as they can be counted.
    pub dropped: usize,
}

/// The parts of a packet at which it can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// The datagram.
    Datagram,
    /// Its label header.
    Label,
    /// Its encryption.
    Encryption,
    /// Its checksum.
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

/// What can be wrong with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketCause {
    /// It has no bytes.
    #[error("empty datagram")]
    Empty,
    /// Its label.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Its encryption.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// Its checksum.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A compressed message.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// A compound.
    #[error(transparent)]
    Compound(#[from] CompoundError),
    /// A message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// More layers than [`PacketLimits::max_depth`].
    #[error("more than {limit} layers inside each other")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More messages than [`PacketLimits::max_messages`].
    #[error("more than {limit} messages in one packet")]
    TooManyMessages {
        /// The limit.
        limit: usize,
    },
}

/// Takes a received packet apart: label, encryption, checksum, then compressed and compound
/// messages within each other. Costs no allocation once `scratch` is warm.
///
/// # Errors
/// The first fault; what could be read has been visited nevertheless.
pub fn open(
    packet: &[u8],
    rules: &Rules<'_>,
    scratch: &mut Scratch,
    visit: &mut impl Visit,
) -> Result<(), PacketError> {
    let Scratch { decrypted, layers, lzw, .. } = scratch;
    if layers.len() < rules.limits.max_depth {
        layers.resize_with(rules.limits.max_depth, Vec::new);
    }
    let mut opening = Opening {
        visit,
        lzw,
        limits: rules.limits,
        decompressed: 0,
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
    lzw: &'r mut Lzw,
    limits: PacketLimits,
    /// Bytes that came out of compressed messages so far.
    decompressed: usize,
    fault: Option<Fault>,
    handled: usize,
    dropped: usize,
}

impl<V: Visit> Opening<'_, V> {
    /// The layers that are there at most once and outermost.
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
        label::admit(rules.label, rules.skip_inbound_label_check, received).map_err(at_label)?;
        if let Some(keyring) = rules.keyring.filter(|keyring| !keyring.is_empty()) {
            match aead::decrypt(decrypted, keyring.keys(), packet, rules.label) {
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

    /// One message. `buffers` are for the layers within it, and there are as many as there may
    /// still be layers.
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
            if self.is_full() {
                let cause = PacketCause::TooManyMessages { limit: self.limits.max_messages };
                let missing = parts.remaining().saturating_add(1);
                return self.fail(LayerKind::Compound, cause, missing);
            }
            self.dispatch(part, buffers);
        }
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
        let body = message.get(1..).unwrap_or_default();
        if let Err(error) = self.lzw.decode(body, left, buffer) {
            return self.fail(LayerKind::Compression, error.into(), 1);
        }
        self.decompressed = self.decompressed.saturating_add(buffer.len());
        self.visit.layer(Layer::Compressed { from: message.len(), to: buffer.len() });
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

    fn is_full(&self) -> bool {
        self.handled.saturating_add(self.dropped) >= self.limits.max_messages
    }

    fn too_deep(&mut self, layer: LayerKind) {
        self.fail(layer, PacketCause::TooDeep { limit: self.limits.max_depth }, 1);
    }

    fn fail(&mut self, layer: LayerKind, cause: PacketCause, dropped: usize) {
        self.fault.get_or_insert((layer, cause));
        self.dropped = self.dropped.saturating_add(dropped);
    }
}

#[cfg(test)]
mod tests;

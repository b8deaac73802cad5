//! Sealing a packet.

use super::{Algorithm, Bytes, Key, NONCE, Scratch, Vec, Version, aead, checksum, label};

/// How a packet is sent.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// Our label; empty means none.
    pub label: &'a [u8],
    /// The primary key and the version to encrypt with; `None` sends plaintext.
    pub key: Option<(&'a Key, Version)>,
    /// A nonce that was never used with this key before.
    pub nonce: [u8; NONCE],
    /// How to compress the message if that makes it smaller.
    pub compress: Option<Algorithm>,
    /// Messages shorter than this many bytes are not compressed: they would only grow.
    pub compress_min_size: usize,
    /// Whether to add a checksum. Only nodes that understand protocol version 5 accept one.
    pub checksum: bool,
}

impl Sealing<'_> {
    /// The most bytes that the layers add, for size budgets. Compression is not counted, since it
    /// is only used if it makes the message smaller.
    pub fn overhead(&self) -> usize {
        let encryption = self.key.map_or(0, |(_, version)| version.overhead());
        let checksum = if self.checksum { checksum::OVERHEAD } else { 0 };
        label::overhead(self.label).saturating_add(encryption).saturating_add(checksum)
    }

    /// The exact length in bytes of a sealed message of `len` bytes, if it is not compressed.
    pub fn sealed_len(&self, len: usize) -> usize {
        let checksum = if self.checksum { checksum::OVERHEAD } else { 0 };
        let inner = len.saturating_add(checksum);
        let inner = self.key.map_or(inner, |(_, version)| version.encrypted_len(inner));
        label::overhead(self.label).saturating_add(inner)
    }
}

/// Makes a packet of a message or compound: compress, checksum, encrypt, label. The packet has its
/// exact size and is the only allocation once `scratch` has been used for similar packets.
///
/// The order is Go's (`rawSendMsgPacket`), and receivers depend on it. A message of more than
/// 64 GiB, which AES-GCM cannot encrypt, gives an empty packet, which every peer drops.
pub fn seal(message: &[u8], sealing: &Sealing<'_>, scratch: &mut Scratch) -> Bytes {
    let Scratch { compressor, last, .. } = scratch;
    let mut body = message;
    let compress = sealing.compress.filter(|_| message.len() >= sealing.compress_min_size.max(1));
    if let Some(algorithm) = compress {
        if last.of != message || last.by != compress {
            last.by = compress;
            last.of.clear();
            last.of.extend_from_slice(message);
            last.to.clear();
            // Only a strictly smaller result is worth the receiver's work. Small messages hardly
            // ever are, and would pay for the attempt: hence the minimum.
            compressor.encode(algorithm, message, message.len().saturating_sub(1), &mut last.to);
        }
        if !last.to.is_empty() {
            body = &last.to;
        }
    }
    let mut out = Vec::with_capacity(sealing.sealed_len(body.len()));
    label::write_header(&mut out, sealing.label);
    let write_body = |out: &mut Vec<u8>| {
        if sealing.checksum {
            checksum::write_header(out, body);
        }
        out.extend_from_slice(body);
    };
    if let Some((key, version)) = sealing.key {
        let encrypted =
            aead::encrypt(&mut out, key, version, sealing.nonce, sealing.label, write_body);
        if encrypted.is_err() {
            out.clear();
        }
    } else {
        write_body(&mut out);
    }
    scratch.clear();
    Bytes::from(out)
}

//! Streams: one message in each direction of a connection.
//!
//! ```text
//! label header (initiator only), then one frame:
//! plain:     message or compressed message; only parsing finds its end
//! encrypted: 0a | length u32 big-endian | encrypted payload of that length
//! ```
//!
//! Neither side closes its half of the connection to mark the end of its message, so that a reader
//! must act as soon as the message is complete.

use bytes::Bytes;
use thiserror::Error;

use super::compress::CompressError;
use super::label::LabelError;
use super::msgpack::DecodeError;
use crate::security::{DecryptError, Keyring};

mod body;
mod parsed;
mod reader;
mod seal;

pub use parsed::{Frame, NodeStates, Place, PushPull, StreamMessage};
pub use reader::{Eof, FrameReader, Layers, Progress, Role};
pub use seal::{FrameSealing, FrameTooLong, compress_frame, encrypt_frame, seal_frame};

/// The most bytes in an encrypted payload (Go: `maxPushStateBytes`).
pub(crate) const MAX_ENCRYPTED: usize = 20 << 20;

/// How a stream is read. The rules may change while the stream is open, as keys do.
#[derive(Clone, Copy, Debug)]
pub struct FrameRules<'a> {
    /// Our label; empty means none.
    pub label: &'a [u8],
    /// Whether an outer layer has removed the label (Go: `SkipInboundLabelCheck`).
    pub skip_inbound_label_check: bool,
    /// Labels that are accepted besides our own. An empty one accepts streams without a label.
    pub accept_labels: &'a [Bytes],
    /// The keys. None or an empty ring means that encryption is off.
    pub keyring: Option<&'a Keyring>,
    /// Whether plaintext is refused while encryption is on (Go: `GossipVerifyIncoming`).
    pub verify_incoming: bool,
    /// The memory and work that one stream may cause.
    pub limits: FrameLimits,
    /// A message, possibly compressed but not encrypted, that is known already: it is read as
    /// [`StreamMessage::Known`] and neither decompressed nor parsed.
    pub known: Option<&'a [u8]>,
}

/// The memory and work that one stream may cause its receiver. A message that reaches a limit
/// exactly is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Bytes in an encrypted payload.
    pub max_encrypted: usize,
    /// Node states in a push/pull (Go: `maxPushStateNodes`).
    pub max_nodes: usize,
    /// Bytes of application state in a push/pull (Go: `maxPushStateBytes`).
    pub max_user_state: usize,
    /// Bytes in a reliable user message (Go: `maxUserMsgBytes`).
    pub max_user_message: usize,
    /// Bytes of a decompressed message (Go: `maxDecompressedBytes`).
    pub max_decompressed: usize,
    /// Bytes of a compressed message that is not encrypted.
    ///
    /// Differs from Go: it sets no limit.
    pub max_compressed: usize,
    /// Bytes of a push/pull that is neither encrypted nor compressed: as much as a compressed one
    /// may inflate to.
    ///
    /// Differs from Go: it sets no limit.
    pub max_plain_push_pull: usize,
    /// Bytes of a ping, ack or error reply, and of the header of a user message.
    ///
    /// Differs from Go: it sets no limit.
    pub max_small: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        // Go's limits where it has one. The others are as large as these allow: a compressed message
        // may be as long as an encrypted one, and a plain push/pull as long as a decompressed one.
        Self {
            max_encrypted: MAX_ENCRYPTED,
            max_nodes: 1 << 20,
            max_user_state: 20 << 20,
            max_user_message: 20 << 20,
            max_decompressed: super::compress::MAX_DECOMPRESSED,
            max_compressed: 20 << 20,
            max_plain_push_pull: 40 << 20,
            max_small: 64 << 10,
        }
    }
}

/// Why a stream cannot be read. Nothing more is read from it then. [`FrameError::replies`] says
/// which errors the acceptor answers; the texts of those are Go's, since the peer logs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FrameError {
    /// The label header is malformed, or the label is refused.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// The stream is encrypted, but we have no key.
    #[error("remote state is encrypted and encryption is not configured")]
    NotConfigured,
    /// The stream is plaintext, but we insist on encryption.
    #[error("encryption is configured but remote state is not encrypted")]
    NotEncrypted,
    /// The encrypted payload is longer than [`FrameLimits::max_encrypted`].
    #[error("remote node state is larger than limit ({0})")]
    EncryptedTooLong(u32),
    /// The payload cannot be decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// The encrypted payload is empty.
    ///
    /// Differs from Go: it crashes.
    #[error("decrypted message is empty")]
    EmptyPlaintext,
    /// The message cannot be decompressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// A message is malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The encrypted or compressed bytes end before the message does.
    #[error("message ends unexpectedly")]
    Truncated,
    /// The header announces more nodes than [`FrameLimits::max_nodes`], or a negative number.
    #[error("number of nodes in header ({0}) exceeds limit")]
    Nodes(i64),
    /// The header announces more bytes than [`FrameLimits::max_user_state`], or a negative number.
    #[error("user state length ({0}) exceeds limit")]
    UserState(i64),
    /// The header announces more bytes than [`FrameLimits::max_user_message`], or a negative number.
    #[error("user message length ({0}) exceeds limit")]
    UserMessage(i64),
    /// A plaintext message is longer than its limit.
    #[error("message is longer than limit ({limit})")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl FrameError {
    /// Whether the acceptor of the stream answers with this error's text before it closes. Go does
    /// so if the first frame's outer layers cannot be opened (`handleConn` after `readStream`), and
    /// closes in silence otherwise. The texts reveal nothing that a peer without a key could not find
    /// out by trying.
    pub fn replies(&self) -> bool {
        match self {
            Self::NotConfigured
            | Self::NotEncrypted
            | Self::EncryptedTooLong(_)
            | Self::Decrypt(_)
            | Self::EmptyPlaintext => true,
            // Go's decoder returns the end of the file here, which `handleConn` does not answer.
            Self::Compress(error) => {
                !matches!(error, CompressError::Message(DecodeError::Truncated { .. }))
            }
            Self::Label(_)
            | Self::Decode(_)
            | Self::Truncated
            | Self::Nodes(_)
            | Self::UserState(_)
            | Self::UserMessage(_)
            | Self::TooLong { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;

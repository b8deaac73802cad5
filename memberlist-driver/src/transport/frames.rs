//! How packets and streams share connections: bytes in, frames out, without any socket.
//!
//! A transport without UDP carries both packets and streams over connections; the first few bytes
//! say which it is. Two families of programs do so, each in its own way: Alertmanager, with many
//! packets on each connection, and dskit (Mimir, Loki, Tempo, Pyroscope), with one.
//!
//! ```
//! use memberlist_driver::transport::{Frame, FrameReader, Framing};
//!
//! let from = "10.0.0.5:9094".parse().unwrap();
//! let written = Framing::Alertmanager.packet(from, b"hello");
//!
//! let mut reader = FrameReader::new(Framing::Alertmanager, 1 << 20);
//! reader.push(&written);
//! let Some(Frame::Packet { from: sender, packet }) = reader.next()? else { panic!() };
//! assert_eq!(packet, "hello");
//! assert_eq!(sender.address("10.0.0.5:50123".parse().unwrap()), from);
//! # Ok::<(), memberlist_driver::transport::FrameError>(())
//! ```

pub mod alertmanager;
pub mod dskit;
mod origin;

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

pub use self::origin::Origin;

/// How packets and streams are distinguished on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// As in Prometheus Alertmanager with `--cluster.tls-config`: a connection carries many packets
    /// in a row, each preceded by its length and its sender's address.
    Alertmanager,
    /// As in Grafana's dskit (Mimir, Loki, Tempo, Pyroscope): each packet has a connection of its
    /// own, and ends with an MD5 digest.
    Dskit,
}

impl Framing {
    /// Its name in flags and replies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Dskit => "dskit",
        }
    }

    /// Encodes a packet as a frame, from a node that announces the address `from`. With
    /// [`Dskit`](Self::Dskit), nothing else is written on its connection.
    pub fn packet(self, from: SocketAddr, packet: &[u8]) -> Vec<u8> {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port()).to_string();
        match self {
            Self::Alertmanager => alertmanager::packet(&from, packet),
            Self::Dskit => dskit::packet(&from, packet),
        }
    }

    /// The bytes that precede everything else on the connection of a stream.
    pub fn stream(self) -> &'static [u8] {
        match self {
            Self::Alertmanager => &alertmanager::STREAM,
            Self::Dskit => &[dskit::STREAM],
        }
    }

    /// Whether a connection carries more than one packet.
    pub fn reuses_connections(self) -> bool {
        match self {
            Self::Alertmanager => true,
            Self::Dskit => false,
        }
    }
}

/// What was read from a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A packet.
    Packet {
        /// The sender's address, as the frame claims it.
        from: Origin,
        /// The packet.
        packet: Bytes,
    },
    /// From here on, the connection is a stream. [`FrameReader::into_rest`] returns what has been
    /// read of it already.
    Stream,
}

/// Why a connection cannot be read any further. The caller must close it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than allowed.
    #[error("a frame of {len} bytes, and at most {limit} are accepted")]
    TooLong {
        /// Its length as announced, or how much of it has been read.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The connection ended within a frame.
    #[error("the connection ended within a frame")]
    Cut,
    /// The peer begins with a TLS handshake, but plain text is expected.
    #[error("the peer speaks TLS, and plain text is expected")]
    Tls,
    /// The frame is neither a packet nor the beginning of a stream.
    #[error("neither a packet nor a stream: kind {0}")]
    Kind(i32),
    /// The frame has an unsupported version.
    #[error("the frame's version is not v0.1.0")]
    Version,
    /// The frame is not a valid message.
    #[error("the frame is not a valid message: {0}")]
    Malformed(&'static str),
    /// The sender's address is not valid.
    #[error("the sender's address is not valid")]
    Sender,
    /// The digest is not that of the packet.
    #[error("the digest is not that of the packet")]
    Digest,
}

/// The capacity of the buffer that is kept while a connection is open, in bytes.
const KEPT: usize = 32 << 10;

/// Takes a packet out of its frame, such that it keeps no more memory alive than twice its own
/// length.
fn taken(frame: &Bytes, packet: &[u8]) -> Bytes {
    if frame.len() > KEPT && packet.len() > frame.len() / 2 {
        frame.slice_ref(packet)
    } else {
        Bytes::copy_from_slice(packet)
    }
}

/// Reads the frames of one connection, however its bytes are split. Memory is allocated for bytes
/// that have arrived, not for announced lengths.
#[derive(Debug)]
pub struct FrameReader {
    framing: Framing,
    limit: usize,
    buffer: BytesMut,
    /// The most bytes that the buffer has held since it was last allocated.
    longest: usize,
    /// The peer has ended its side.
    ended: bool,
    /// Nothing more is read: a stream has begun, the only packet of the connection was read, or an
    /// error occurred.
    over: bool,
}

impl FrameReader {
    /// Creates a reader for a new connection; `limit` is the maximum length of a frame, in bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        let buffer = BytesMut::new();
        Self { framing, limit, buffer, longest: 0, ended: false, over: false }
    }

    /// Adds bytes that were read from the connection.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
        self.longest = self.longest.max(self.buffer.len());
    }

    /// After a long frame, releases its memory, which would otherwise be kept while the connection
    /// is open.
    fn shrink(&mut self) {
        if self.longest > KEPT {
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.longest = self.buffer.len();
        }
    }

    /// The peer has ended its side.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the next frame; `None` if more bytes are needed, or if no frame follows.
    ///
    /// # Errors
    ///
    /// What is wrong with the connection; returned once, and `None` afterwards.
    #[allow(clippy::should_implement_trait)] // More may follow after `None`.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.over {
            return Ok(None);
        }
        let next = match self.framing {
            // While it may still be TLS, more bytes are awaited, so that the error does not depend
            // on how the bytes are split. No frame begins this way and ends within these bytes.
            _ if !self.ended && may_be_tls(&self.buffer) => Ok(None),
            _ if is_tls(&self.buffer) => Err(FrameError::Tls),
            Framing::Alertmanager => alertmanager::next(&mut self.buffer, self.limit, self.ended),
            Framing::Dskit => dskit::next(&mut self.buffer, self.limit, self.ended),
        };
        if matches!(next, Ok(Some(_))) {
            self.shrink();
        }
        self.over = match &next {
            Ok(Some(Frame::Packet { .. })) => !self.framing.reuses_connections(),
            Ok(None) => false,
            Ok(Some(Frame::Stream)) | Err(_) => true,
        };
        next
    }

    /// The number of bytes that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Returns what was read beyond the last frame: after [`Frame::Stream`], the stream's first
    /// bytes.
    pub fn into_rest(self) -> Bytes {
        self.buffer.freeze()
    }
}

/// Whether a connection begins like a TLS handshake: a record of type 22, version 3.x, with a
/// `ClientHello`.
fn is_tls(begun: &[u8]) -> bool {
    matches!(begun, [0x16, 3, _, _, _, 1, ..])
}

/// Whether too few bytes have arrived to decide that.
fn may_be_tls(begun: &[u8]) -> bool {
    matches!(begun, [0x16] | [0x16, 3] | [0x16, 3, _] | [0x16, 3, _, _] | [0x16, 3, _, _, _])
}

#[cfg(test)]
mod tests;

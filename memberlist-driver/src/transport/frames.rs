//! How packets and streams share connections: bytes in, frames out, without any socket.
//!
//! A transport without UDP carries packets over connections, between which and streams a few bytes at
//! the beginning decide. Two families of programs do so, each in its own way: Alertmanager, with many
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
    /// As Prometheus Alertmanager does with `--cluster.tls-config`: many packets follow each other on
    /// a connection, each behind its length and its sender's address.
    Alertmanager,
    /// As Grafana's dskit does (Mimir, Loki, Tempo, Pyroscope): a connection for each packet, which
    /// ends with an MD5 digest.
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

    /// The bytes that carry a packet from a node that is announced as `from`. With
    /// [`Dskit`](Self::Dskit) they are all that is written on their connection.
    pub fn packet(self, from: SocketAddr, packet: &[u8]) -> Vec<u8> {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port()).to_string();
        match self {
            Self::Alertmanager => alertmanager::packet(&from, packet),
            Self::Dskit => dskit::packet(&from, packet),
        }
    }

    /// The bytes ahead of everything else on the connection of a stream.
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
        /// The sender, as it names itself.
        from: Origin,
        /// The packet.
        packet: Bytes,
    },
    /// From here on, the connection is a stream. What has been read of it already is
    /// [`FrameReader::into_rest`].
    Stream,
}

/// Why a connection cannot be read any further. It is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than allowed.
    #[error("a frame of {len} bytes, and at most {limit} are accepted")]
    TooLong {
        /// Its length as announced, or as far as it was read.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The connection ended within a frame.
    #[error("the connection ended within a frame")]
    Cut,
    /// The peer begins with a TLS handshake.
    #[error("the peer speaks TLS, and plain text is expected")]
    Tls,
    /// The frame is neither a packet nor a stream.
    #[error("neither a packet nor a stream: kind {0}")]
    Kind(i32),
    /// The frame is of another version.
    #[error("the frame's version is not v0.1.0")]
    Version,
    /// The frame is not a valid message.
    #[error("the frame is not a valid message: {0}")]
    Malformed(&'static str),
    /// The sender's address is not one.
    #[error("the sender's address is not valid")]
    Sender,
    /// The digest is not that of the packet.
    #[error("the digest is not that of the packet")]
    Digest,
}

/// Room for bytes that is kept while the connection stands.
const KEPT: usize = 32 << 10;

/// A packet out of its frame, which retains no more memory than its own length, or twice that.
fn taken(frame: &Bytes, packet: &[u8]) -> Bytes {
    if frame.len() > KEPT && packet.len() > frame.len() / 2 {
        frame.slice_ref(packet)
    } else {
        Bytes::copy_from_slice(packet)
    }
}

/// Reads the frames of one connection, in whatever pieces its bytes arrive. Memory is taken for bytes
/// that have arrived, not for lengths announced.
#[derive(Debug)]
pub struct FrameReader {
    framing: Framing,
    limit: usize,
    buffer: BytesMut,
    /// The most bytes that it has had, in the room that it has now.
    longest: usize,
    /// The peer has ended its side.
    ended: bool,
    /// Nothing more is read: after a stream's beginning, the packet of a connection that carries
    /// one, or an error.
    over: bool,
}

impl FrameReader {
    /// For a new connection, with the most bytes that one frame may have.
    pub fn new(framing: Framing, limit: usize) -> Self {
        let buffer = BytesMut::new();
        Self { framing, limit, buffer, longest: 0, ended: false, over: false }
    }

    /// Takes in bytes from the connection.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
        self.longest = self.longest.max(self.buffer.len());
    }

    /// After a long frame, its room is not kept for as long as the connection stands.
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

    /// The next frame; nothing, if more bytes are needed, or if none follows.
    ///
    /// # Errors
    ///
    /// What is wrong with the connection, once.
    #[allow(clippy::should_implement_trait)] // More may follow after `None`.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.over {
            return Ok(None);
        }
        let next = match self.framing {
            // Whatever may still be TLS is waited for, so that the cuts do not decide what is said.
            // No frame begins so and ends within these bytes.
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

    /// Bytes that wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// What was read beyond the last frame: after [`Frame::Stream`], the stream's first bytes.
    pub fn into_rest(self) -> Bytes {
        self.buffer.freeze()
    }
}

/// Whether a connection begins like a TLS handshake: a record of type 22, version 3.x, with a client's
/// greeting.
fn is_tls(begun: &[u8]) -> bool {
    matches!(begun, [0x16, 3, _, _, _, 1, ..])
}

/// Whether too little has come to know it.
fn may_be_tls(begun: &[u8]) -> bool {
    matches!(begun, [0x16] | [0x16, 3] | [0x16, 3, _] | [0x16, 3, _, _] | [0x16, 3, _, _, _])
}

#[cfg(test)]
mod tests;

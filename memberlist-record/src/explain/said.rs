//! The messages of packets and streams, reduced to what explains something.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::frame::{FrameReader, Role, StreamMessage};
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{self, Visit};
use memberlist_proto::{Memberlist, State};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::reading::Reading;

/// One message. Names that are not UTF-8 have replacement characters; of the application's data
/// only the length is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "message", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Said {
    /// A direct probe.
    Ping {
        /// Its sequence number, which the ack repeats.
        seq: u32,
        /// The node that it is for; empty means any.
        node: String,
        /// The sender's name; empty if the message does not have it.
        by: String,
    },
    /// A request to ping another node.
    IndirectPing {
        /// The sequence number, which the ack or nack repeats.
        seq: u32,
        /// The node to ping.
        node: String,
        /// The sender's name; empty if the message does not have it.
        by: String,
    },
    /// The answer to a ping, or to the request for one.
    Ack {
        /// The sequence number.
        seq: u32,
    },
    /// A helper's answer if it got no ack in time.
    Nack {
        /// The sequence number.
        seq: u32,
    },
    /// A node is suspected.
    Suspect {
        /// The node.
        node: String,
        /// The incarnation that is suspected.
        incarnation: u32,
        /// The accuser.
        by: String,
    },
    /// A node is dead or, if `by` is the node itself, has left.
    Dead {
        /// The node.
        node: String,
        /// The incarnation that is declared dead.
        incarnation: u32,
        /// The node that declares it dead.
        by: String,
    },
    /// A node is alive.
    Alive {
        /// The node.
        node: String,
        /// Its incarnation.
        incarnation: u32,
        /// Its address; `None` if it does not have 4 or 16 bytes.
        address: Option<SocketAddr>,
    },
    /// The application's bytes.
    User {
        /// Their number.
        bytes: usize,
    },
    /// A full state.
    State {
        /// Whether the exchange is part of a join, or of the search for seeds and lost members.
        join: bool,
        /// Each node with its state, `None` if that is unknown to this version, and its
        /// incarnation.
        nodes: Vec<(String, Option<State>, u32)>,
        /// The length of the application's state in bytes.
        bytes: usize,
    },
    /// The error reply of a peer that could not read a stream.
    Error,
}

impl Said {
    fn of(message: &Message<'_>) -> Self {
        match message {
            Message::Ping(it) => {
                Self::Ping { seq: it.seq_no, node: text(it.node), by: text(it.source_node) }
            }
            Message::IndirectPing(it) => {
                Self::IndirectPing { seq: it.seq_no, node: text(it.node), by: text(it.source_node) }
            }
            Message::Ack(it) => Self::Ack { seq: it.seq_no },
            Message::Nack(it) => Self::Nack { seq: it.seq_no },
            Message::Suspect(it) => Self::Suspect {
                node: text(it.node),
                incarnation: it.incarnation,
                by: text(it.from),
            },
            Message::Dead(it) => {
                Self::Dead { node: text(it.node), incarnation: it.incarnation, by: text(it.from) }
            }
            Message::Alive(it) => Self::Alive {
                node: text(it.node),
                incarnation: it.incarnation,
                address: address(it.addr, it.port),
            },
            Message::User(bytes) => Self::User { bytes: bytes.len() },
        }
    }

    fn of_stream(message: &StreamMessage<'_>) -> Option<Self> {
        Some(match message {
            StreamMessage::PushPull(it) => Self::State {
                join: it.join(),
                nodes: it
                    .states()
                    .map(|node| (text(node.name), node.known_state(), node.incarnation))
                    .collect(),
                bytes: it.user_state().len(),
            },
            StreamMessage::User(bytes) => Self::User { bytes: bytes.len() },
            StreamMessage::Ping(it) => Self::of(&Message::Ping(*it)),
            StreamMessage::Ack(it) => Self::of(&Message::Ack(*it)),
            StreamMessage::Error(_) => Self::Error,
            StreamMessage::Known | StreamMessage::Other(_) => return None,
        })
    }

    /// Whether it is news of this node, which may change what is known of it.
    pub fn is_news_of(&self, name: &str) -> bool {
        match self {
            Self::Suspect { node, .. } | Self::Dead { node, .. } | Self::Alive { node, .. } => {
                node == name
            }
            Self::State { nodes, .. } => nodes.iter().any(|(node, ..)| node == name),
            _ => false,
        }
    }

    /// The kind of message, as a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "ping",
            Self::IndirectPing { .. } => "indirect ping",
            Self::Ack { .. } => "ack",
            Self::Nack { .. } => "nack",
            Self::Suspect { .. } => "suspect",
            Self::Dead { .. } => "dead",
            Self::Alive { .. } => "alive",
            Self::User { .. } => "user",
            Self::State { .. } => "push/pull",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping { seq, node, .. } => write!(f, "ping {seq} for {node}"),
            Self::IndirectPing { seq, node, .. } => write!(f, "request {seq} to ping {node}"),
            Self::Ack { seq } => write!(f, "ack {seq}"),
            Self::Nack { seq } => write!(f, "nack {seq}"),
            Self::Suspect { node, incarnation, by } => {
                write!(f, "suspect {node} (incarnation {incarnation}) by {by}")
            }
            Self::Dead { node, incarnation, by } if node == by => {
                write!(f, "{node} leaves (incarnation {incarnation})")
            }
            Self::Dead { node, incarnation, by } => {
                write!(f, "dead {node} (incarnation {incarnation}) by {by}")
            }
            Self::Alive { node, incarnation, .. } => {
                write!(f, "alive {node} (incarnation {incarnation})")
            }
            Self::User { bytes } => write!(f, "message of {bytes} bytes"),
            Self::State { join, nodes, .. } => {
                let join = if *join { " for a join" } else { "" };
                write!(f, "state of {} nodes{join}", nodes.len())
            }
            Self::Error => f.write_str("error reply"),
        }
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn address(bytes: Option<&[u8]>, port: u16) -> Option<SocketAddr> {
    let bytes = bytes?;
    let ip = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(four), _) => IpAddr::from(four),
        (_, Ok(sixteen)) => IpAddr::from(sixteen),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// A direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    In,
    Out,
}

/// Decodes what one node sends and receives.
#[derive(Debug, Default)]
pub(super) struct Wire {
    scratch: Scratch,
    streams: BTreeMap<(u64, Way), FrameReader>,
}

impl Wire {
    /// The messages of a packet, and the error if not all of it can be read.
    pub(super) fn packet(
        &mut self,
        node: &Memberlist,
        bytes: &[u8],
    ) -> (Vec<Said>, Option<String>) {
        let mut said = Messages::default();
        let opened =
            packet::open(bytes, &Reading::of(node).packets(), &mut self.scratch, &mut said);
        (said.0, opened.err().map(|error| error.to_string()))
    }

    /// Begins to read a stream, which this node opened (`own`) or accepted.
    pub(super) fn open(&mut self, id: u64, own: bool) {
        let (incoming, outgoing) =
            if own { (Role::Initiator, Role::Acceptor) } else { (Role::Acceptor, Role::Initiator) };
        self.streams.insert((id, Way::In), FrameReader::new(incoming));
        self.streams.insert((id, Way::Out), FrameReader::new(outgoing));
    }

    pub(super) fn close(&mut self, id: u64) {
        self.streams.remove(&(id, Way::In));
        self.streams.remove(&(id, Way::Out));
    }

    /// Reads bytes in one direction of a stream. Returns the message once it is complete, with a
    /// fingerprint of it.
    pub(super) fn stream(
        &mut self,
        node: &Memberlist,
        id: u64,
        way: Way,
        bytes: &[u8],
    ) -> Option<(Said, u64)> {
        let reading = Reading::of(node);
        // Bytes after the message, and those of a stream that began before the recording, are
        // ignored.
        let frame = self.streams.get_mut(&(id, way))?.feed(bytes, &reading.streams()).ok()??;
        let print = xxh3_64(frame.as_bytes());
        Said::of_stream(&frame.message()).map(|said| (said, print))
    }
}

#[derive(Default)]
struct Messages(Vec<Said>);

impl Visit for Messages {
    fn message(&mut self, message: Message<'_>, _: &[u8]) {
        self.0.push(Said::of(&message));
    }
}

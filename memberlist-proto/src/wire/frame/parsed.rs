//! A message that has been read from a stream.

use bytes::Bytes;

use crate::wire::message::{Ack, ErrorReply, MessageType, Ping};
use crate::wire::msgpack::Reader;
use crate::wire::push_pull::{Header, NodeState};

/// One complete message without its layers. All of it has been parsed once without error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Frame {
    pub(super) code: u8,
    pub(super) kind: Kind,
    pub(super) data: Bytes,
    /// The compressed message that this one was inside, if it was compressed.
    pub(super) compressed: Option<Bytes>,
}

/// Where the parts of the message begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Kind {
    PushPull { header: Header, states_at: usize, user_state_at: usize },
    User { payload_at: usize },
    Single,
    Known,
    Other,
}

impl Frame {
    /// A message of which only the type is read.
    pub(super) fn other(code: u8) -> Self {
        let data = Bytes::copy_from_slice(&[code]);
        Self { code, kind: Kind::Other, data, compressed: None }
    }

    /// The message that [`FrameRules::known`](super::FrameRules::known) names.
    pub(super) fn known(code: u8) -> Self {
        Self { kind: Kind::Known, ..Self::other(code) }
    }

    /// The decoded message, which borrows from the frame.
    pub fn message(&self) -> StreamMessage<'_> {
        let other = StreamMessage::Other(self.code);
        match self.kind {
            Kind::PushPull { header, states_at, user_state_at } => {
                StreamMessage::PushPull(PushPull {
                    header,
                    states: self.data.get(states_at..user_state_at).unwrap_or_default(),
                    user_state: self.data.get(user_state_at..).unwrap_or_default(),
                })
            }
            Kind::User { payload_at } => {
                StreamMessage::User(self.data.get(payload_at..).unwrap_or_default())
            }
            Kind::Known => StreamMessage::Known,
            Kind::Other => other,
            Kind::Single => {
                let body = self.data.get(1..).unwrap_or_default();
                let message = match MessageType::from_code(self.code) {
                    Some(MessageType::Ping) => Ping::decode(body).map(StreamMessage::Ping),
                    Some(MessageType::Ack) => Ack::decode(body).map(StreamMessage::Ack),
                    Some(MessageType::Error) => ErrorReply::decode(body).map(StreamMessage::Error),
                    _ => Ok(other),
                };
                message.unwrap_or(other)
            }
        }
    }

    /// The payload of a user message or the application state of a push/pull; `None` for other
    /// messages. Nothing is copied: the returned bytes keep the memory of the whole message.
    pub fn payload(&self) -> Option<Bytes> {
        match self.kind {
            Kind::PushPull { user_state_at: at, .. } | Kind::User { payload_at: at } => {
                Some(self.data.slice(at.min(self.data.len())..))
            }
            Kind::Single | Kind::Known | Kind::Other => None,
        }
    }

    /// Takes the compressed message that this one was inside, type byte first; `None` if it was not
    /// compressed.
    pub(crate) fn take_compressed(&mut self) -> Option<Bytes> {
        self.compressed.take()
    }

    /// Whether it is the message that [`FrameRules::known`](super::FrameRules::known) names.
    pub(crate) fn is_known(&self) -> bool {
        self.kind == Kind::Known
    }

    /// Whether the parts lie within the message; checked for a frame read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn is_sound(&self) -> bool {
        match self.kind {
            Kind::PushPull { header, states_at, user_state_at } => {
                // Each state takes at least one byte.
                let most = user_state_at.checked_sub(states_at);
                let nodes = usize::try_from(header.nodes).ok();
                user_state_at <= self.data.len() && nodes.is_some() && nodes <= most
            }
            Kind::User { payload_at } => payload_at <= self.data.len(),
            Kind::Single | Kind::Other => true,
            // It never waits for an answer, so that no checkpoint is made while a frame holds it.
            Kind::Known => false,
        }
    }

    /// The message's bytes, type byte first. For a message that is known already, or of a type that
    /// streams do not carry, this is only the type byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }
}

/// A message that was read from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMessage<'a> {
    /// The peer's full state.
    PushPull(PushPull<'a>),
    /// The application's bytes, possibly none.
    User(&'a [u8]),
    /// A direct probe.
    Ping(Ping<'a>),
    /// The answer to a ping.
    Ack(Ack<'a>),
    /// The peer could not read what we sent.
    Error(ErrorReply<'a>),
    /// The message that [`FrameRules::known`](super::FrameRules::known) names.
    Known,
    /// The type byte of a message that streams do not carry; the message was not read any further.
    Other(u8),
}

impl StreamMessage<'_> {
    /// The code of its type on the wire.
    pub fn code(&self) -> u8 {
        match self {
            Self::PushPull(_) | Self::Known => MessageType::PushPull.code(),
            Self::User(_) => MessageType::User.code(),
            Self::Ping(_) => MessageType::Ping.code(),
            Self::Ack(_) => MessageType::Ack.code(),
            Self::Error(_) => MessageType::Error.code(),
            Self::Other(code) => *code,
        }
    }
}

/// A peer's full state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushPull<'a> {
    header: Header,
    states: &'a [u8],
    user_state: &'a [u8],
}

impl<'a> PushPull<'a> {
    /// The header. The numbers that it announces have been verified.
    pub fn header(&self) -> Header {
        self.header
    }

    /// Whether the initiator is joining the cluster.
    pub fn join(&self) -> bool {
        self.header.join
    }

    /// The node states in the peer's order.
    pub fn states(&self) -> NodeStates<'a> {
        let left = usize::try_from(self.header.nodes).unwrap_or_default();
        NodeStates { reader: Reader::new(self.states), left }
    }

    /// The node states from a place on.
    pub fn states_from(&self, place: Place) -> NodeStates<'a> {
        NodeStates {
            reader: Reader::new(self.states.get(place.at..).unwrap_or_default()),
            left: place.left,
        }
    }

    /// The place of the first node state.
    pub fn start(&self) -> Place {
        Place { at: 0, left: self.states().left }
    }

    /// The place that an iterator over these node states has reached.
    pub fn place(&self, states: &NodeStates<'_>) -> Place {
        Place {
            at: self.states.len().saturating_sub(states.reader.rest().len()),
            left: states.left,
        }
    }

    /// The application's state; empty means none.
    pub fn user_state(&self) -> &'a [u8] {
        self.user_state
    }
}

/// A place among the node states of a push/pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Place {
    /// Where the next state begins.
    at: usize,
    /// How many states there are from it on.
    left: usize,
}

impl Place {
    /// How many states there are from here on.
    pub fn left(self) -> usize {
        self.left
    }
}

/// The node states of a push/pull.
#[derive(Clone, Debug)]
pub struct NodeStates<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for NodeStates<'a> {
    type Item = NodeState<'a>;

    fn next(&mut self) -> Option<NodeState<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Each state was parsed when it arrived, so that this cannot fail. They are decoded again
        // rather than kept, because decoded states would take several times the message's memory.
        NodeState::read(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for NodeStates<'_> {}

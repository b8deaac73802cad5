//! Everything that can enter the core, as values.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;

use crate::config::{ConfigError, Oversized, Timing};
use crate::decider::Decision;
use crate::event::{BroadcastId, ExchangeError, ForgetError, MetaError, OpId, SendError};
use crate::job::{JobId, JobOutput};
use crate::node::{Node, NodeName};
use crate::peer::{JoinPolicy, Peer, Target};
use crate::queues::{BroadcastKind, Priority};
use crate::security::{Key, KeyringError};
use crate::transmit::{
    Answer, LookupFailure, LookupId, RequestId, StreamFailure, StreamId, Transmit,
};
use crate::wire::packet::PacketError;

/// One input of the core, for [`Memberlist::handle`](crate::Memberlist::handle). Each of the other
/// methods that change a node is one of these with a typed result.
///
/// An input is plain data: with the configuration and the seed, the sequence of a node's inputs
/// and their times determines everything that it does.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Input<'a> {
    /// [`handle_packet`](crate::Memberlist::handle_packet).
    Packet {
        /// Where it came from.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: SocketAddr,
        /// The whole datagram.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
        packet: Cow<'a, [u8]>,
    },
    /// [`accept_stream`](crate::Memberlist::accept_stream).
    StreamAccepted {
        /// Where it came from.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        from: SocketAddr,
    },
    /// [`handle_stream_connected`](crate::Memberlist::handle_stream_connected).
    StreamConnected {
        /// The stream.
        id: StreamId,
    },
    /// [`handle_stream_data`](crate::Memberlist::handle_stream_data).
    StreamData {
        /// The stream.
        id: StreamId,
        /// Some bytes of it, at least one.
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::bytes"))]
        data: Cow<'a, [u8]>,
    },
    /// [`handle_stream_written`](crate::Memberlist::handle_stream_written).
    StreamWritten {
        /// The stream.
        id: StreamId,
        /// How many more bytes were written.
        bytes: usize,
    },
    /// [`handle_stream_eof`](crate::Memberlist::handle_stream_eof).
    StreamEof {
        /// The stream.
        id: StreamId,
    },
    /// [`handle_stream_closed`](crate::Memberlist::handle_stream_closed).
    StreamClosed {
        /// The stream.
        id: StreamId,
        /// What went wrong, if anything did.
        cause: Option<StreamFailure>,
    },
    /// [`handle_lookup`](crate::Memberlist::handle_lookup).
    LookupAnswered {
        /// The look-up.
        id: LookupId,
        /// The addresses, or why there are none.
        found: Result<Cow<'a, [IpAddr]>, LookupFailure>,
    },
    /// [`handle_service`](crate::Memberlist::handle_service).
    ServiceAnswered {
        /// The look-up.
        id: LookupId,
        /// The addresses, or why there are none.
        found: Result<Cow<'a, [(IpAddr, u16)]>, LookupFailure>,
    },
    /// [`handle_transmit_failed`](crate::Memberlist::handle_transmit_failed); made by
    /// [`Input::transmit_failed`].
    TransmitFailed {
        /// The probe whose ping it was.
        probe: Option<u32>,
    },
    /// [`answer`](crate::Memberlist::answer).
    Answered {
        /// The question.
        id: RequestId,
        /// The application's answer.
        answer: Answer,
    },
    /// The answer to a question that the core asks its delegate in the middle of the next input.
    Decided(Decision),
    /// [`handle_timeout`](crate::Memberlist::handle_timeout).
    Timeout,
    /// [`mix_entropy`](crate::Memberlist::mix_entropy).
    Entropy([u8; 32]),
    /// A command of the application.
    Command(Command),
    /// [`job_done`](crate::Memberlist::job_done). Only the id is serialized: the result of a job
    /// follows from the state of the node, which does the job itself when a recording is replayed.
    JobDone {
        /// The job.
        id: JobId,
        /// Its result; without one the node does the job itself.
        #[cfg_attr(feature = "serde", serde(skip))]
        output: Option<JobOutput>,
    },
}

/// An operation or a setting, as a value. Keys are secret: the commands that hold one cannot be
/// serialized.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Command {
    /// [`join_with`](crate::Memberlist::join_with).
    Join {
        /// The peers to try.
        peers: Vec<Peer>,
        /// How many are enough, whether to retry, and when to give up.
        policy: JoinPolicy,
    },
    /// [`leave`](crate::Memberlist::leave).
    Leave {
        /// How long to wait; zero for no limit.
        timeout: Duration,
    },
    /// [`set_meta`](crate::Memberlist::set_meta).
    SetMeta {
        /// The metadata.
        meta: Bytes,
        /// How long to wait; zero for no limit.
        timeout: Duration,
    },
    /// [`settle`](crate::Memberlist::settle).
    Settle {
        /// How long the membership must have been at rest.
        quiet: Duration,
        /// How long to wait; zero for no limit.
        timeout: Duration,
    },
    /// [`ping`](crate::Memberlist::ping).
    Ping {
        /// The node to ping.
        target: Target,
    },
    /// [`send`](crate::Memberlist::send).
    Send {
        /// The receiver.
        to: Target,
        /// The message.
        message: Bytes,
    },
    /// [`send_reliable`](crate::Memberlist::send_reliable).
    SendReliable {
        /// The receiver.
        to: Target,
        /// The message.
        message: Bytes,
    },
    /// [`broadcast`](crate::Memberlist::broadcast).
    Broadcast {
        /// The message.
        message: Bytes,
        /// How it relates to queued messages.
        kind: BroadcastKind,
        /// How early it is sent.
        priority: Priority,
    },
    /// [`disseminate`](crate::Memberlist::disseminate).
    Disseminate {
        /// The message.
        message: Bytes,
    },
    /// [`cancel`](crate::Memberlist::cancel).
    Cancel {
        /// The operation.
        op: OpId,
    },
    /// [`set_verify`](crate::Memberlist::set_verify).
    SetVerify {
        /// Whether unencrypted input is refused.
        incoming: bool,
        /// Whether output is encrypted.
        outgoing: bool,
    },
    /// [`reconfigure`](crate::Memberlist::reconfigure).
    Reconfigure(Timing),
    /// [`restore`](crate::Memberlist::restore).
    Restore(Vec<Node>),
    /// [`recall`](crate::Memberlist::recall).
    Recall(Vec<Peer>),
    /// [`forget`](crate::Memberlist::forget).
    Forget(NodeName),
    // Last, since what is not serialized does not count among the others when they are read.
    /// [`add_key`](crate::Memberlist::add_key).
    #[cfg_attr(feature = "serde", serde(skip))]
    AddKey(Key),
    /// [`use_key`](crate::Memberlist::use_key).
    #[cfg_attr(feature = "serde", serde(skip))]
    UseKey(Key),
    /// [`remove_key`](crate::Memberlist::remove_key).
    #[cfg_attr(feature = "serde", serde(skip))]
    RemoveKey(Key),
}

/// The immediate result of an input. Most results come later, as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The input was handled, and there is nothing to return.
    Done,
    /// A stream was accepted under this id.
    Accepted(StreamId),
    /// A stream was refused: the driver closes it.
    Refused,
    /// An operation began, or has ended already; its end is an
    /// [`Event::Finished`](crate::Event::Finished).
    Begun(OpId),
    /// A message was queued; its end is an
    /// [`Event::BroadcastFinished`](crate::Event::BroadcastFinished).
    Queued(BroadcastId),
}

/// Why an input, or a part of it, could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// Some part of a packet could not be used; the other parts were.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A stream's bytes made their exchange fail, which has been dealt with.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Metadata cannot be announced.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// With encryption, the node's own announcement would fit into no packet.
    #[error(transparent)]
    Oversized(#[from] Oversized),
    /// A message cannot be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A key cannot be used or removed.
    #[error(transparent)]
    Key(#[from] KeyringError),
    /// A node cannot be forgotten.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// Timing that breaks a rule of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Input<'_> {
    /// The input that says that a datagram could not be sent.
    pub fn transmit_failed(transmit: &Transmit) -> Self {
        Self::TransmitFailed { probe: transmit.probe }
    }

    /// The same input without borrowed parts, to be kept.
    pub fn into_owned(self) -> Input<'static> {
        match self {
            Self::Packet { from, packet } => {
                Input::Packet { from, packet: Cow::Owned(packet.into_owned()) }
            }
            Self::StreamData { id, data } => {
                Input::StreamData { id, data: Cow::Owned(data.into_owned()) }
            }
            Self::LookupAnswered { id, found } => Input::LookupAnswered {
                id,
                found: found.map(|found| Cow::Owned(found.into_owned())),
            },
            Self::ServiceAnswered { id, found } => Input::ServiceAnswered {
                id,
                found: found.map(|found| Cow::Owned(found.into_owned())),
            },
            Self::StreamAccepted { from } => Input::StreamAccepted { from },
            Self::StreamConnected { id } => Input::StreamConnected { id },
            Self::StreamWritten { id, bytes } => Input::StreamWritten { id, bytes },
            Self::StreamEof { id } => Input::StreamEof { id },
            Self::StreamClosed { id, cause } => Input::StreamClosed { id, cause },
            Self::TransmitFailed { probe } => Input::TransmitFailed { probe },
            Self::Answered { id, answer } => Input::Answered { id, answer },
            Self::Decided(decision) => Input::Decided(decision),
            Self::Timeout => Input::Timeout,
            Self::Entropy(fresh) => Input::Entropy(fresh),
            Self::Command(command) => Input::Command(command),
            Self::JobDone { id, output } => Input::JobDone { id, output },
        }
    }
}

impl From<Command> for Input<'_> {
    fn from(command: Command) -> Self {
        Self::Command(command)
    }
}

//! The purpose of an exchange together with its progress, so that only possible combinations of the
//! two can be expressed.

use alloc::boxed::Box;

use bytes::Bytes;

use super::intake::Intake;
use crate::event::{BroadcastId, ExchangeKind, ExchangeStep, OpId};
use crate::transmit::RequestId;
use crate::wire::frame::Frame;

/// The purpose of an exchange, and the step that it is at.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Stage {
    /// A peer opened the stream, and its first message determines the purpose.
    Accepted(AcceptedStep),
    /// A full state exchange begun here.
    PushPull(Why, PushPullStep),
    /// Sends a message of the application.
    Message(Sender, MessageStep),
    /// A ping over a stream.
    Ping(PingFor, PingStep),
    /// Nothing more is to be sent or read, and the end of the exchange has been reported; the
    /// driver flushes and ends the stream.
    Closing,
}

/// The progress of an accepted exchange. While the application is asked, the peer's state is kept.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum AcceptedStep {
    Reading,
    AskingState(RequestId, Frame),
    AskingMerge(RequestId, Frame),
    /// This node's state is being built.
    Building(Frame),
    /// The peer's state is being taken in.
    Merging(Box<Intake>),
}

/// The progress of a full state exchange begun here.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum PushPullStep {
    Connecting,
    AskingState(RequestId),
    /// This node's state is queued; the peer's is awaited.
    Reading,
    AskingMerge(RequestId, Frame),
    /// This node's state is being built.
    Building,
    /// The peer's state is being taken in.
    Merging(Box<Intake>),
}

/// The progress of a message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum MessageStep {
    /// With the whole frame, until it is written.
    Connecting(Bytes),
    Writing,
}

/// The progress of a ping.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum PingStep {
    /// With the whole frame, until it is written.
    Connecting(Bytes),
    Reading,
}

/// What a ping over a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum PingFor {
    /// A probe, with its sequence number.
    Probe(u32),
    /// The search asks whether a lost member is where it was. With its sequence number.
    Search(u32),
    /// The search asks whether this node itself is at a seed's address. With its sequence number.
    Myself(u32),
}

impl PingFor {
    pub(crate) fn sequence(self) -> u32 {
        match self {
            Self::Probe(sequence) | Self::Search(sequence) | Self::Myself(sequence) => sequence,
        }
    }
}

/// Why a full state exchange was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Why {
    /// As the periodic push/pull with a random member.
    AntiEntropy,
    /// As part of a join.
    Join(OpId),
    /// To find a seed, or a member that died.
    Rejoin,
}

impl Why {
    /// Whether the two nodes may never have met. Both applications are then asked before they
    /// merge.
    pub(crate) fn is_join(self) -> bool {
        self != Self::AntiEntropy
    }
}

/// What sends a message of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Sender {
    /// An operation.
    Op(OpId),
    /// The dissemination of a message to every member.
    Dissemination(BroadcastId),
}

/// What waits for the end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    Join(OpId),
    Rejoin,
    Message(Sender),
    /// The probe with this sequence number.
    StreamPing(u32),
    /// The search, which pings a peer by its name.
    Search,
}

/// A question that the application has answered, with what it was about.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// The application's state. As acceptor, with the peer's state.
    State(Option<Frame>),
    /// Whether to merge this state of a peer.
    Merge(Frame),
}

impl Stage {
    /// The kind of exchange that is reported; `None` if it is only being closed.
    pub(crate) fn kind(&self) -> Option<ExchangeKind> {
        Some(match self {
            Self::Accepted(_) => ExchangeKind::Accepted,
            Self::PushPull(Why::Join(_), _) => ExchangeKind::Join,
            Self::PushPull(Why::Rejoin, _) | Self::Ping(PingFor::Search(_), _) => {
                ExchangeKind::Rejoin
            }
            Self::PushPull(Why::AntiEntropy, _) => ExchangeKind::PushPull,
            Self::Message(..) => ExchangeKind::SendReliable,
            Self::Ping(PingFor::Probe(_) | PingFor::Myself(_), _) => ExchangeKind::StreamPing,
            Self::Closing => return None,
        })
    }

    /// What waits for the end of the exchange, if anything.
    pub(crate) fn waiter(&self) -> Option<Waiter> {
        match *self {
            Self::PushPull(Why::Join(op), _) => Some(Waiter::Join(op)),
            Self::PushPull(Why::Rejoin, _) => Some(Waiter::Rejoin),
            Self::Message(sender, _) => Some(Waiter::Message(sender)),
            Self::Ping(PingFor::Probe(sequence), _) => Some(Waiter::StreamPing(sequence)),
            Self::Ping(PingFor::Search(_) | PingFor::Myself(_), _) => Some(Waiter::Search),
            Self::Accepted(_) | Self::PushPull(Why::AntiEntropy, _) | Self::Closing => None,
        }
    }

    /// Whether the peer's bytes are read now. An initiator reads them even while its own state is
    /// asked for or built, in case the peer refuses.
    pub(crate) fn reads(&self) -> bool {
        match self {
            Self::Accepted(step) => matches!(step, AcceptedStep::Reading),
            Self::PushPull(_, step) => {
                matches!(
                    step,
                    PushPullStep::Reading | PushPullStep::AskingState(_) | PushPullStep::Building
                )
            }
            Self::Message(_, step) => matches!(step, MessageStep::Writing),
            Self::Ping(_, step) => matches!(step, PingStep::Reading),
            Self::Closing => false,
        }
    }

    pub(super) fn step(&self) -> Option<ExchangeStep> {
        Some(match self {
            Self::Accepted(AcceptedStep::Reading)
            | Self::PushPull(_, PushPullStep::Reading)
            | Self::Ping(_, PingStep::Reading) => ExchangeStep::Reading,
            Self::PushPull(_, PushPullStep::Connecting)
            | Self::Message(_, MessageStep::Connecting(_))
            | Self::Ping(_, PingStep::Connecting(_)) => ExchangeStep::Connecting,
            Self::Message(_, MessageStep::Writing) => ExchangeStep::Writing,
            Self::Accepted(AcceptedStep::AskingState(..))
            | Self::PushPull(_, PushPullStep::AskingState(_)) => ExchangeStep::LocalState,
            Self::Accepted(AcceptedStep::AskingMerge(..))
            | Self::PushPull(_, PushPullStep::AskingMerge(..)) => ExchangeStep::AdmitMerge,
            Self::Accepted(AcceptedStep::Building(_) | AcceptedStep::Merging(_))
            | Self::PushPull(_, PushPullStep::Building | PushPullStep::Merging(_)) => {
                ExchangeStep::Working
            }
            Self::Closing => return None,
        })
    }

    /// The open question to the application, if there is one.
    pub(super) fn request(&self) -> Option<RequestId> {
        match *self {
            Self::Accepted(
                AcceptedStep::AskingState(request, _) | AcceptedStep::AskingMerge(request, _),
            )
            | Self::PushPull(
                _,
                PushPullStep::AskingState(request) | PushPullStep::AskingMerge(request, _),
            ) => Some(request),
            _ => None,
        }
    }

    /// The peer's state, kept while the application is asked or this node is at work.
    pub(super) fn received(&self) -> Option<&Frame> {
        match self {
            Self::Accepted(
                AcceptedStep::AskingState(_, frame)
                | AcceptedStep::AskingMerge(_, frame)
                | AcceptedStep::Building(frame),
            )
            | Self::PushPull(_, PushPullStep::AskingMerge(_, frame)) => Some(frame),
            Self::Accepted(AcceptedStep::Merging(intake))
            | Self::PushPull(_, PushPullStep::Merging(intake)) => Some(&intake.frame),
            _ => None,
        }
    }

    /// Whether it waits for this node's state to be built.
    pub(crate) fn is_building(&self) -> bool {
        matches!(
            self,
            Self::Accepted(AcceptedStep::Building(_)) | Self::PushPull(_, PushPullStep::Building)
        )
    }

    /// Notes that this node's state is built. As acceptor, returns the peer's state.
    pub(super) fn take_built(&mut self) -> Option<Frame> {
        match self {
            Self::Accepted(step) => match core::mem::replace(step, AcceptedStep::Reading) {
                AcceptedStep::Building(frame) => return Some(frame),
                other => *step = other,
            },
            Self::PushPull(_, step @ PushPullStep::Building) => *step = PushPullStep::Reading,
            _ => {}
        }
        None
    }

    /// Begins, or continues, the intake of the peer's state.
    pub(super) fn take_in(&mut self, intake: Box<Intake>) {
        match self {
            Self::Accepted(step) => *step = AcceptedStep::Merging(intake),
            Self::PushPull(_, step) => *step = PushPullStep::Merging(intake),
            _ => {}
        }
    }

    /// The intake under way, if there is one.
    #[cfg(feature = "checkpoint")]
    pub(super) fn intake(&self) -> Option<&Intake> {
        match self {
            Self::Accepted(AcceptedStep::Merging(intake))
            | Self::PushPull(_, PushPullStep::Merging(intake)) => Some(intake),
            _ => None,
        }
    }

    /// Takes the intake under way, which must be put back unless it is through.
    pub(super) fn take_intake(&mut self) -> Option<Box<Intake>> {
        match self {
            Self::Accepted(step) => match core::mem::replace(step, AcceptedStep::Reading) {
                AcceptedStep::Merging(intake) => return Some(intake),
                other => *step = other,
            },
            Self::PushPull(_, step) => match core::mem::replace(step, PushPullStep::Reading) {
                PushPullStep::Merging(intake) => return Some(intake),
                other => *step = other,
            },
            _ => {}
        }
        None
    }

    pub(super) fn take_question(&mut self) -> Option<Question> {
        let reading = match self {
            Self::Accepted(_) => Self::Accepted(AcceptedStep::Reading),
            Self::PushPull(why, _) => Self::PushPull(*why, PushPullStep::Reading),
            _ => return None,
        };
        match core::mem::replace(self, reading) {
            Self::Accepted(AcceptedStep::AskingState(_, frame)) => {
                Some(Question::State(Some(frame)))
            }
            Self::PushPull(_, PushPullStep::AskingState(_)) => Some(Question::State(None)),
            Self::Accepted(AcceptedStep::AskingMerge(_, frame))
            | Self::PushPull(_, PushPullStep::AskingMerge(_, frame)) => {
                Some(Question::Merge(frame))
            }
            other => {
                *self = other;
                None
            }
        }
    }
}

//! The intake of a peer's full state: checked and merged in parts.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::node::compatibility::VersionCheck;
use crate::node::{Node, NodeName};
use crate::wire::frame::{Frame, Place, PushPull, StreamMessage};

/// The progress of an intake. All records are looked through before any is merged.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Intake {
    pub(crate) frame: Frame,
    /// Whether the application has agreed, or is not asked.
    pub(crate) admitted: bool,
    /// The next record to look at.
    pub(crate) place: Place,
    pub(crate) phase: Phase,
    pub(crate) survey: Survey,
}

/// What is being done with the records.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Phase {
    /// They are looked through.
    Survey,
    /// Their versions do not fit: the node to blame is searched for.
    Blame,
    /// They are converted to the form in which they are shown to the application.
    Show(Vec<Node>),
    /// They are merged. Their accusations are passed on with this name as the accuser.
    Merge(NodeName),
}

/// What must be known about a whole state before any of its records is merged.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(clippy::struct_excessive_bools)] // What a state says, each independent.
pub(crate) struct Survey {
    pub(crate) versions: VersionCheck,
    /// Whether it lists this node as alive or suspect.
    pub(crate) lists_me: bool,
    /// Whether it does so at this node's own address.
    pub(crate) lists_my_address: bool,
    /// The address at which it has another node under this node's name.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub(crate) holder: Option<SocketAddr>,
    /// Whether `holder` has been determined.
    pub(crate) has_holder: bool,
    /// Whether it considers a member suspect or dead.
    pub(crate) accuses: bool,
    /// The member at the address and port that it comes from, and the one at the same IP address.
    pub(crate) exact: Only,
    pub(crate) near: Only,
    /// How many nodes it lists, and how many bytes of memory they take in the form in which they
    /// are shown to the application.
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
}

/// The only one of its kind, none, or several.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Only {
    #[default]
    None,
    One(NodeName),
    Several,
}

impl Only {
    pub(crate) fn add(&mut self, name: &[u8]) {
        *self = match self {
            Self::None => Self::One(NodeName::from(name)),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Self::Several)
    }
}

impl Survey {
    /// A survey before the first record.
    pub(crate) fn new(lenient: bool) -> Self {
        Self {
            versions: VersionCheck::new(lenient),
            lists_me: false,
            lists_my_address: false,
            holder: None,
            has_holder: false,
            accuses: false,
            exact: Only::None,
            near: Only::None,
            nodes: 0,
            bytes: 0,
        }
    }
}

impl Intake {
    pub(crate) fn new(frame: Frame, lenient: bool, admitted: bool) -> Self {
        let place = body(&frame).start();
        Self { frame, admitted, place, phase: Phase::Survey, survey: Survey::new(lenient) }
    }

    /// Begins the next phase, at the first record.
    pub(crate) fn begin(&mut self, phase: Phase) {
        self.place = body(&self.frame).start();
        self.phase = phase;
    }

    /// Whether its parts fit together; checked for an intake read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(super) fn is_sound(&self) -> bool {
        let nodes = body(&self.frame).states().len();
        matches!(self.frame.message(), StreamMessage::PushPull(_))
            && self.place.left() <= nodes
            && self.survey.nodes <= nodes
    }

    /// Whether all records have been looked at in this phase.
    pub(crate) fn is_through(&self) -> bool {
        self.place.left() == 0
    }
}

/// The full state in a frame; an empty one if the frame holds another message.
pub(crate) fn body(frame: &Frame) -> PushPull<'_> {
    match frame.message() {
        StreamMessage::PushPull(body) => body,
        _ => PushPull::default(),
    }
}

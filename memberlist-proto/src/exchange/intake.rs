//! A peer's full state while it is taken in, in parts.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::node::compatibility::VersionCheck;
use crate::node::{Node, NodeName};
use crate::wire::frame::{Frame, Place, PushPull, StreamMessage};

/// How far the taking in of a state has come. Everything is looked through before anything is merged.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Intake {
    pub(crate) frame: Frame,
    /// The application has agreed, or is not asked.
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
    /// They are put into the form in which the application is shown them.
    Show(Vec<Node>),
    /// They are merged. What they accuse members of is passed on under this name.
    Merge(NodeName),
}

/// What is to be known of a state as a whole before anything of it is merged.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(clippy::struct_excessive_bools)] // What a state says, each independent.
pub(crate) struct Survey {
    pub(crate) versions: VersionCheck,
    /// It lists this node as alive or suspect.
    pub(crate) lists_me: bool,
    /// And at this node's own address.
    pub(crate) lists_my_address: bool,
    /// Where it has another node under this node's name.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub(crate) holder: Option<SocketAddr>,
    /// That has been found out.
    pub(crate) has_holder: bool,
    /// It considers a member suspect or dead.
    pub(crate) accuses: bool,
    /// The members at the very address that it comes from, and those at the same IP address.
    pub(crate) exact: Only,
    pub(crate) near: Only,
    /// How many nodes there are, and how many bytes of memory they take as the application is shown
    /// them.
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
}

/// One of a kind, if it is the only one.
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
    /// Of no record yet.
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

    /// Whether its parts fit together, for one that was read from outside.
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

/// The state in a frame that holds one.
pub(crate) fn body(frame: &Frame) -> PushPull<'_> {
    match frame.message() {
        StreamMessage::PushPull(body) => body,
        _ => PushPull::default(),
    }
}

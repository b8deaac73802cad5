//! Explaining a recording: which messages led to what one node knew of another, and which messages
//! did not arrive.
//!
//! A [`Watcher`] makes a [`Moment`] of each step of a replay, with the messages decoded and the
//! changes to the [`Table`] of members. A [`Chronicle`] holds the moments of one node. An
//! [`Account`] follows what one node knew of another back to the cause. An [`Alignment`] places the
//! chronicles of several nodes on one axis of time, by the messages that they exchanged, and
//! [`Why`] combines their accounts.

mod across;
mod align;
mod chronicle;
mod mask;
mod moment;
mod probes;
mod said;
mod scenario;
mod table;
mod timeline;
mod why;
mod words;

pub use self::across::{Located, Lost, Why};
pub use self::align::{AlignedBy, Alignment, Delivery, Losses, Place};
pub use self::chronicle::Chronicle;
pub use self::mask::Mask;
pub use self::moment::{Moment, Report, Sent, Took, Watcher};
pub use self::probes::{Answer, Ask, Probe, probes};
pub use self::said::Said;
pub use self::scenario::{Act, Scenario};
pub use self::table::{Change, Gone, Row, Table};
pub use self::timeline::{Span, Timeline};
pub use self::why::{Account, Line, Trace};

#[cfg(test)]
mod tests;

//! How a node looks for peers that it has lost.

use core::time::Duration;

use super::Preset;
use super::fields::{Bounds, Field, FieldType};

table! {
    /// How a node looks for peers that it should know: one full state exchange at a time with a
    /// seed that is not a live member, or with a member that died without leaving.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    pub struct Rejoin in [rejoin] {
        "Rejoining (docs/healing.md)" {
            /// The mean time between two attempts: those of a node that is alone, and those of the
            /// whole cluster for each peer that is missing. Each wait is random, up to twice this.
            /// A node that is alone makes its first attempts sooner. 0 switches the search off.
            [live] interval: Duration = (30 s), wan (60 s), local (15 s),
                within (0 or 1 ms to 24 h);

            /// How long after its death a member is looked for; 0 to look for seeds only.
            [live] give_up_after: Duration = (24 h), within (0 to 8760 h);
        }
    }
}

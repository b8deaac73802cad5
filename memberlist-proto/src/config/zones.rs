//! What a node announces about its zone.

use alloc::borrow::Cow;

use super::Config;
use crate::members::ZoneRules;
use crate::node::{ZoneInfo, ZoneRole};

words! {
    ZoneRole {
        Member = "member",
        Bridge = "bridge",
    }
}

impl Config {
    /// The metadata to be announced: that of the application, behind the zone if there is one.
    pub(crate) fn announced<'a>(&self, meta: &'a [u8]) -> Cow<'a, [u8]> {
        if self.zone.is_empty() {
            return Cow::Borrowed(meta);
        }
        Cow::Owned(ZoneInfo { role: self.role, zone: &self.zone, rest: meta }.encode())
    }

    /// The rules by which members are chosen where there are zones.
    pub(crate) const fn zone_rules(&self) -> ZoneRules {
        ZoneRules {
            count_live_zones_only: self.differences.count_live_zones_only,
            prefer_live_bridges: self.differences.prefer_live_bridges,
            open_lone_zones: self.differences.open_lone_zones,
        }
    }

    /// How many members a full state is exchanged with at a time. With only one, a bridge could
    /// keep to its own zone while gossip to the others fails, and the zone would be cut off.
    pub(crate) fn exchange_nodes(&self) -> usize {
        match (self.push_pull_nodes, self.role) {
            (nodes @ 1.., ZoneRole::Bridge) => nodes.max(2),
            (nodes, _) => nodes,
        }
    }
}

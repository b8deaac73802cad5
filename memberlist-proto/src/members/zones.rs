//! Which members may be chosen for gossip and full state exchanges where zones are set.
//!
//! Source: dskit's `zoneAwareNodeSelectionDelegate`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use smallvec::SmallVec;

use super::choose::Pool;
use super::{MemberId, Members, Record};
use crate::node::{State, ZoneInfo, ZoneRole};
use crate::rng::Rng;

/// Which of dskit's rules are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZoneRules {
    /// A zone needs a bridge only while one of its members is alive or suspect.
    pub(crate) count_live_zones_only: bool,
    /// The preferred bridge is drawn only from those that the caller accepts.
    pub(crate) prefer_live_bridges: bool,
    /// All members are candidates if the rules leave none.
    pub(crate) open_lone_zones: bool,
}

/// How zones affected a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// Zones are off.
    No,
    /// The members were chosen by zones.
    ByZone,
    /// Some zone has no alive bridge, so the members were chosen from all.
    Skipped,
}

/// The members by their zones, kept up to date record by record, so that a choice need not look at
/// all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Zones {
    own: Vec<u8>,
    role: ZoneRole,
    /// The members of this node's own zone and those without a zone, in any state.
    near: Vec<MemberId>,
    /// The bridges of other zones, in any state.
    bridges: Vec<MemberId>,
    /// The place of each member in its list, for those that are in one.
    places: BTreeMap<MemberId, u32>,
    counts: BTreeMap<Vec<u8>, Count>,
    /// How many zones have members, besides bridges, but no alive bridge.
    without_bridge: u32,
    /// How many zones have live members, besides bridges, but no alive bridge.
    live_without_bridge: u32,
}

/// The nodes of one zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Count {
    all: u32,
    /// The nodes that are not bridges.
    members: u32,
    live_members: u32,
    alive_bridges: u32,
}

impl Zones {
    fn new(own: &[u8], role: ZoneRole) -> Self {
        Self {
            own: own.to_vec(),
            role,
            near: Vec::new(),
            bridges: Vec::new(),
            places: BTreeMap::new(),
            counts: BTreeMap::new(),
            without_bridge: 0,
            live_without_bridge: 0,
        }
    }

    pub(super) fn add(&mut self, id: MemberId, record: &Record) {
        let info = ZoneInfo::of(record.identity().meta().unwrap_or_default());
        if let Some(list) = self.list(&info) {
            let place = list.len() as u32;
            list.push(id);
            self.places.insert(id, place);
        }
        self.count(&info, record.state(), |part| *part += 1);
    }

    pub(super) fn remove(&mut self, id: MemberId, record: &Record) {
        let info = ZoneInfo::of(record.identity().meta().unwrap_or_default());
        if let Some(place) = self.places.remove(&id)
            && let Some(list) = self.list(&info)
        {
            list.swap_remove(place as usize);
            if let Some(&moved) = list.get(place as usize) {
                self.places.insert(moved, place);
            }
        }
        self.count(&info, record.state(), |part| *part -= 1);
    }

    fn list(&mut self, info: &ZoneInfo<'_>) -> Option<&mut Vec<MemberId>> {
        if info.zone.is_empty() || info.zone == self.own {
            Some(&mut self.near)
        } else if info.role == ZoneRole::Bridge {
            Some(&mut self.bridges)
        } else {
            None
        }
    }

    fn count(&mut self, info: &ZoneInfo<'_>, state: State, change: impl Fn(&mut u32)) {
        if info.zone.is_empty() {
            return;
        }
        let mut count = self.counts.get(info.zone).copied().unwrap_or_default();
        self.without_bridge -= u32::from(count.lacks(count.members));
        self.live_without_bridge -= u32::from(count.lacks(count.live_members));
        change(&mut count.all);
        match info.role {
            ZoneRole::Bridge if state == State::Alive => change(&mut count.alive_bridges),
            ZoneRole::Bridge => {}
            ZoneRole::Member => {
                change(&mut count.members);
                if state.is_live() {
                    change(&mut count.live_members);
                }
            }
        }
        self.without_bridge += u32::from(count.lacks(count.members));
        self.live_without_bridge += u32::from(count.lacks(count.live_members));
        if count.all == 0 {
            self.counts.remove(info.zone);
        } else {
            self.counts.insert(info.zone.to_vec(), count);
        }
    }

    /// Whether members may be chosen by zones. Otherwise some zone would be cut off.
    pub(super) const fn applies(&self, rules: ZoneRules) -> bool {
        let without = if rules.count_live_zones_only {
            self.live_without_bridge
        } else {
            self.without_bridge
        };
        without == 0
    }

    /// The members that may be chosen.
    pub(super) fn candidates(&self) -> Pool<'_> {
        match self.role {
            ZoneRole::Member => Pool(&self.near, &[]),
            ZoneRole::Bridge => Pool(&self.near, &self.bridges),
        }
    }

    /// The members of which one is chosen first.
    pub(super) fn preferred(&self) -> Pool<'_> {
        match self.role {
            ZoneRole::Member => Pool(&[], &[]),
            ZoneRole::Bridge => Pool(&self.bridges, &[]),
        }
    }
}

impl Count {
    const fn lacks(self, needing: u32) -> bool {
        needing > 0 && self.alive_bridges == 0
    }
}

impl Members {
    /// Sorts the members into zones from now on, as seen from this one.
    pub(super) fn use_zones(&mut self, own: &[u8], role: ZoneRole) {
        if own.is_empty() {
            return;
        }
        let mut zones = Zones::new(own, role);
        for (id, record) in self.iter() {
            zones.add(id, record);
        }
        self.zones = Some(alloc::boxed::Box::new(zones));
    }

    /// The same table, for a node in this zone.
    pub(crate) fn in_zone(mut self, own: &[u8], role: ZoneRole) -> Self {
        self.use_zones(own, role);
        self
    }

    /// Whether the members are sorted into zones as seen from the zone `own`, or not at all if that
    /// is empty.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn has_zones(&self, own: &[u8], role: ZoneRole) -> bool {
        self.zones.as_ref().map_or(own.is_empty(), |it| it.own == own && it.role == role)
    }

    /// As [`choose`](Self::choose), but by zones if they are in use. If this node is a bridge, one
    /// of another zone is chosen first.
    pub(crate) fn choose_routed(
        &self,
        k: usize,
        rules: ZoneRules,
        rng: &mut Rng,
        chosen: &mut SmallVec<[MemberId; 8]>,
        mut accept: impl FnMut(MemberId, &Record) -> bool,
    ) -> Routed {
        let Some(zones) = &self.zones else {
            self.choose(k, rng, chosen, accept);
            return Routed::No;
        };
        if !zones.applies(rules) {
            self.choose(k, rng, chosen, accept);
            return Routed::Skipped;
        }
        chosen.clear();
        if rules.prefer_live_bridges {
            let bridges = zones.preferred();
            self.choose_more(bridges, k.min(1), rng, chosen, &mut accept);
            // If all these draws have missed, hardly any of them lives: now all are looked at.
            if chosen.is_empty() {
                self.choose_of_all(bridges, k.min(1), rng, chosen, &mut accept);
            }
        } else if k > 0
            && let Some(id) = zones.preferred().draw(rng)
            && accept(id, &self.records[id])
        {
            chosen.push(id);
        }
        self.choose_more(zones.candidates(), k, rng, chosen, &mut accept);
        if chosen.is_empty() && rules.open_lone_zones {
            self.choose(k, rng, chosen, accept);
        }
        Routed::ByZone
    }

    /// Verifies that the zones agree with the records.
    pub(super) fn check_zones(&self) -> Result<(), String> {
        let Some(zones) = &self.zones else { return Ok(()) };
        let mut fresh = Zones::new(&zones.own, zones.role);
        for (id, record) in self.iter() {
            fresh.add(id, record);
        }
        let sorted = |list: &[MemberId]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let placed = |list: &[MemberId]| {
            let at =
                |(place, id): (usize, &MemberId)| zones.places.get(id) == Some(&(place as u32));
            list.iter().enumerate().all(at)
        };
        let same = sorted(&fresh.near) == sorted(&zones.near)
            && sorted(&fresh.bridges) == sorted(&zones.bridges)
            && placed(&zones.near)
            && placed(&zones.bridges)
            && fresh.places.len() == zones.places.len()
            && fresh.counts == zones.counts
            && fresh.without_bridge == zones.without_bridge
            && fresh.live_without_bridge == zones.live_without_bridge;
        if same { Ok(()) } else { Err(format!("zones of {} members", self.len())) }
    }
}

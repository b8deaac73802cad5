//! Whether the nodes of a cluster understand each other.

use super::{VersionKind, Versions};

/// A node's `Vsn` field, of whatever length it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vsn {
    bytes: [u8; LEN],
    /// How many of the bytes there were.
    len: usize,
}

const LEN: usize = 6;

impl Vsn {
    /// The field of a message.
    pub(crate) fn received(vsn: Option<&[u8]>) -> Self {
        let vsn = vsn.unwrap_or_default();
        let mut bytes = [0; LEN];
        for (to, from) in bytes.iter_mut().zip(vsn) {
            *to = *from;
        }
        Self { bytes, len: vsn.len().min(LEN) }
    }

    /// The field that a push/pull would have for a record: zeros if its versions are unknown.
    pub(crate) fn stored(versions: Option<Versions>) -> Self {
        Self { bytes: versions.unwrap_or_default().to_bytes(), len: LEN }
    }

    /// The versions; `None` if the field is too short to hold them.
    pub(crate) fn versions(self) -> Option<Versions> {
        (self.len == LEN).then(|| Versions::from_bytes(self.bytes))
    }

    /// Whether the field holds versions, and not the zeros of a node that does not know them.
    pub(crate) fn is_known(self) -> bool {
        self.versions().is_some_and(Versions::is_known)
    }

    /// Whether the field announces a range of protocol versions that no node can have. Three bytes
    /// are enough for that, as in Go (`aliveNode`); shorter fields announce nothing.
    pub(crate) fn is_impossible(self) -> bool {
        let [min, max, ..] = self.bytes;
        self.len >= 3 && (min == 0 || max == 0 || min > max)
    }

    /// The ranges understood. Go reads them from five bytes on (`verifyProtocol`).
    fn understood(self) -> Option<[Range; 2]> {
        let [pmin, pmax, _, dmin, dmax, _] = self.bytes;
        let ranges = [Range { min: pmin, max: pmax }, Range { min: dmin, max: dmax }];
        (self.len >= 5).then_some(ranges)
    }

    /// The versions spoken; zeros if the field is too short to hold them.
    fn spoken(self) -> [u8; 2] {
        let versions = self.versions().unwrap_or_default();
        [versions.pcur, versions.dcur]
    }
}

/// The check that every push/pull must pass before anything of it is merged: every node must speak
/// versions that every live node understands, whichever side of the exchange knows it. Nodes are
/// [added](Self::add) one by one; if the check then does not [hold](Self::holds),
/// [`check`](Self::check) finds the first node to blame.
///
/// Source: `verifyProtocol`.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct VersionCheck {
    lenient: bool,
    /// What all live nodes understand: the intersection of their ranges.
    common: [Range; 2],
    /// The lowest and highest versions that are spoken.
    spoken: [Range; 2],
}

/// A version that is outside of what all live nodes understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incompatible {
    pub(crate) kind: VersionKind,
    /// The version that the node speaks.
    pub(crate) current: u8,
    /// The lowest version that all live nodes understand.
    pub(crate) min: u8,
    /// The highest version that all live nodes understand.
    pub(crate) max: u8,
}

const KINDS: [VersionKind; 2] = [VersionKind::Protocol, VersionKind::Delegate];

impl VersionCheck {
    /// A check without nodes. If it is `lenient`, nodes that are not alive and nodes whose versions
    /// are unknown do not take part.
    pub(crate) const fn new(lenient: bool) -> Self {
        Self { lenient, common: [Range::ALL; 2], spoken: [Range::NONE; 2] }
    }

    /// Takes a node into account.
    pub(crate) fn add(&mut self, alive: bool, vsn: Vsn) {
        if !self.counts(alive, vsn) {
            return;
        }
        // Only live nodes restrict what may be spoken. In Go the dead must comply as well: the record
        // of a node from before an upgrade blocks every exchange until it is reaped.
        if let Some(understood) = vsn.understood().filter(|_| alive) {
            for (common, range) in self.common.iter_mut().zip(understood) {
                *common = common.intersection(range);
            }
        }
        for (spoken, version) in self.spoken.iter_mut().zip(vsn.spoken()) {
            *spoken = spoken.extended(version);
        }
    }

    /// Whether everything that is spoken is understood. Costs nothing per node, so that the usual
    /// exchange looks at each node once.
    pub(crate) fn holds(&self) -> bool {
        self.common.iter().zip(&self.spoken).all(|(common, spoken)| common.covers(*spoken))
    }

    /// Whether a node fits in with all that were added.
    ///
    /// # Errors
    /// The first version of the node that does not.
    pub(crate) fn check(&self, alive: bool, vsn: Vsn) -> Result<(), Incompatible> {
        if !self.counts(alive, vsn) {
            return Ok(());
        }
        for ((kind, Range { min, max }), current) in
            KINDS.into_iter().zip(self.common).zip(vsn.spoken())
        {
            if !(min..=max).contains(&current) {
                return Err(Incompatible { kind, current, min, max });
            }
        }
        Ok(())
    }

    /// Whether a node takes part. In Go all do, although unknown versions are zeros: one such node
    /// turns the common range into "at least 1, at most 0", which nothing fits into.
    fn counts(&self, alive: bool, vsn: Vsn) -> bool {
        !self.lenient || (alive && vsn.is_known())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Range {
    min: u8,
    max: u8,
}

impl Range {
    const ALL: Self = Self { min: 0, max: u8::MAX };
    /// No version at all: every range covers it.
    const NONE: Self = Self { min: u8::MAX, max: 0 };

    fn intersection(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    fn extended(self, version: u8) -> Self {
        Self { min: self.min.min(version), max: self.max.max(version) }
    }

    fn covers(self, other: Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }
}

#[cfg(test)]
mod tests;

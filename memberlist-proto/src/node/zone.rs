//! Zones: what a node's metadata says about where it is (docs/zones.md).
//!
//! ```text
//! 01 | role | length of the zone's name | the zone's name | what the application adds
//! ```
//!
//! Source: dskit's `NodeMetadata`.

use alloc::vec::Vec;

/// The version of the metadata.
const VERSION: u8 = 1;
const HEADER: usize = 3;

/// What a node does in its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ZoneRole {
    /// It gossips and exchanges states within its zone.
    Member,
    /// It does so with bridges of other zones as well.
    Bridge,
}

/// What a node's metadata says about its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneInfo<'a> {
    /// Its role. An unknown role counts as that of a member.
    pub role: ZoneRole,
    /// The name of its zone, of up to 255 bytes; empty if it is not known.
    pub zone: &'a [u8],
    /// What the application adds.
    pub rest: &'a [u8],
}

impl<'a> ZoneInfo<'a> {
    /// Reads any metadata. Metadata in another form is wholly the application's; the node then
    /// counts as a member of an unknown zone.
    pub fn of(meta: &'a [u8]) -> Self {
        let other = Self { role: ZoneRole::Member, zone: &[], rest: meta };
        let Some((&[version, role, len], rest)) = meta.split_first_chunk::<HEADER>() else {
            return other;
        };
        if version != VERSION {
            return other;
        }
        let role = if role == 2 { ZoneRole::Bridge } else { ZoneRole::Member };
        // A zone's name that is cut off counts as none; the role counts all the same, as in dskit.
        match rest.split_at_checked(len.into()) {
            Some((zone, rest)) => Self { role, zone, rest },
            None => Self { role, zone: &[], rest: &[] },
        }
    }

    /// Encodes this as metadata. The name of a zone is cut after 255 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let zone = self.zone.get(..255).unwrap_or(self.zone);
        let role = match self.role {
            ZoneRole::Member => 1,
            ZoneRole::Bridge => 2,
        };
        let mut meta = Vec::with_capacity(HEADER + zone.len() + self.rest.len());
        meta.extend([VERSION, role, zone.len() as u8]);
        meta.extend_from_slice(zone);
        meta.extend_from_slice(self.rest);
        meta
    }
}

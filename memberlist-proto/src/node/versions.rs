//! The versions that nodes announce.

use core::fmt;

/// The versions of the protocol and of the application that a node understands and speaks, in the
/// order of the `Vsn` field on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Versions {
    /// Lowest protocol version understood.
    pub pmin: u8,
    /// Highest protocol version understood. What was added after version 2 is sent only to nodes
    /// whose `pmax` allows it: fallback pings (3), nacks (4) and checksums (5).
    pub pmax: u8,
    /// Protocol version spoken.
    pub pcur: u8,
    /// Lowest delegate (application) version understood.
    pub dmin: u8,
    /// Highest delegate version understood.
    pub dmax: u8,
    /// Delegate version spoken.
    pub dcur: u8,
}

impl Versions {
    /// The six bytes of the `Vsn` field.
    pub const fn to_bytes(self) -> [u8; 6] {
        [self.pmin, self.pmax, self.pcur, self.dmin, self.dmax, self.dcur]
    }

    /// The versions in six bytes of a `Vsn` field.
    pub const fn from_bytes([pmin, pmax, pcur, dmin, dmax, dcur]: [u8; 6]) -> Self {
        Self { pmin, pmax, pcur, dmin, dmax, dcur }
    }

    /// The versions in a received `Vsn` field; `None` if it has fewer than six bytes. Bytes after
    /// the sixth are ignored, as in Go (`aliveNode`).
    pub fn from_vsn(vsn: &[u8]) -> Option<Self> {
        vsn.first_chunk().map(|bytes| Self::from_bytes(*bytes))
    }

    /// Whether these can be the versions of a node, and not the zeros of one whose versions are
    /// unknown. A node that never learned another's versions passes them on as zeros in push/pulls.
    pub const fn is_known(self) -> bool {
        // The other fields may be 0: delegate versions are unless the application sets them.
        self.pmax != 0
    }
}

impl From<[u8; 6]> for Versions {
    fn from(bytes: [u8; 6]) -> Self {
        Self::from_bytes(bytes)
    }
}

impl From<Versions> for [u8; 6] {
    fn from(versions: Versions) -> Self {
        versions.to_bytes()
    }
}

/// The two kinds of versions that nodes have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum VersionKind {
    /// The version of the memberlist protocol.
    Protocol,
    /// The version of the application's own messages (Go: `DelegateProtocolVersion`).
    Delegate,
}

impl fmt::Display for VersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "memberlist",
            Self::Delegate => "delegate",
        })
    }
}

//! The cells of the live matrix, their results, and the table of all results.
//!
//! A cell is one test: a pair of processes and a list of checks. It records each check as it passes,
//! so the table shows where a cell failed, and which cells never ran.

mod record;
mod table;

pub use record::{Check, Outcome, Record, folder};
pub use table::Table;

/// A program built on the Go library.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Peer {
    /// Our own program, which can do everything that the library can.
    Go,
    /// Debian's Serf.
    Serf,
    /// Debian's Alertmanager.
    Alertmanager,
}

/// Which of the two joins the other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Joins {
    /// Our node joins the peer.
    Rust,
    /// The peer joins our node.
    Peer,
}

/// One cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    /// The peer.
    pub peer: Peer,
    /// Which side joins.
    pub joins: Joins,
    /// The length of the key in bytes, 0 for plain text.
    pub key: usize,
    /// Whether both compress, as far as the peer can be configured.
    pub compression: bool,
    /// The protocol version that both use.
    pub version: u8,
    /// How packets travel between the two.
    pub way: Way,
    /// The cluster's label, if the peer can have one; empty for none.
    pub label: &'static str,
}

/// How packets travel between the sides of a cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Over UDP.
    Udp,
    /// Over connections, as with dskit; for TLS, the folder of `node.pem`, `node.key` and `ca.pem`.
    Dskit(Option<&'static str>),
}

const PEERS: [Peer; 3] = [Peer::Go, Peer::Serf, Peer::Alertmanager];
const JOINS: [Joins; 2] = [Joins::Rust, Joins::Peer];
const KEYS: [usize; 4] = [0, 16, 24, 32];
const COLUMNS: [(bool, u8); 6] =
    [(true, 1), (true, 2), (true, 5), (false, 1), (false, 2), (false, 5)];

impl Cell {
    /// A cell in which our node joins, with plain text, compression and protocol version 2.
    pub fn new(peer: Peer) -> Self {
        Self {
            peer,
            joins: Joins::Rust,
            key: 0,
            compression: true,
            version: 2,
            way: Way::Udp,
            label: "",
        }
    }

    /// With this side joining.
    #[must_use]
    pub fn joins(self, joins: Joins) -> Self {
        Self { joins, ..self }
    }

    /// With a key of this many bytes, 0 for plain text.
    #[must_use]
    pub fn key(self, key: usize) -> Self {
        Self { key, ..self }
    }

    /// With or without compression.
    #[must_use]
    pub fn compression(self, compression: bool) -> Self {
        Self { compression, ..self }
    }

    /// With this protocol version.
    #[must_use]
    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    /// With packets that travel in this way.
    #[must_use]
    pub fn way(self, way: Way) -> Self {
        Self { way, ..self }
    }

    /// With this label.
    #[must_use]
    pub fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    /// Every combination, whether or not the peer can be configured for it.
    pub fn all() -> impl Iterator<Item = Self> {
        PEERS.into_iter().flat_map(Self::rows).flat_map(Self::row)
    }

    /// The first cell of each row of a peer.
    fn rows(peer: Peer) -> impl Iterator<Item = Self> {
        let rows = JOINS.into_iter().flat_map(|joins| KEYS.map(|key| (joins, key)));
        rows.map(move |(joins, key)| Self::new(peer).joins(joins).key(key))
    }

    /// The cells of the row of this one.
    fn row(self) -> impl Iterator<Item = Self> {
        COLUMNS.into_iter().map(move |(on, version)| self.compression(on).version(version))
    }

    /// Why the peer cannot be configured for this cell; `None` if it can.
    pub fn exception(&self) -> Option<Exception> {
        match (self.peer, self.key, self.version) {
            (Peer::Alertmanager, 16.., _) => Some(Exception::NoKeys),
            (Peer::Serf | Peer::Alertmanager, _, 1 | 5) => Some(Exception::OnlyVersion2),
            _ => None,
        }
    }

    /// The key itself; `None` for plain text.
    pub fn secret(&self) -> Option<&'static [u8]> {
        const SECRET: &[u8; 32] = b"thirty-two bytes of a secret key";
        (self.key > 0).then(|| &SECRET[..self.key])
    }

    /// The name of its record.
    fn name(&self) -> String {
        let Self { peer, joins, key, compression, version, way: _, label: _ } = self;
        let packing = if *compression { "compressed" } else { "uncompressed" };
        format!("{peer:?}-{joins:?}-joins-key{key}-{packing}-v{version}").to_lowercase()
    }
}

/// The reason why a peer cannot be configured for a cell.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Exception {
    /// Serf and Alertmanager leave the version at the library's default.
    OnlyVersion2,
    /// Alertmanager has no keyring.
    NoKeys,
}

impl Exception {
    /// The mark in the table, and the footnote.
    pub fn footnote(self) -> (&'static str, &'static str) {
        match self {
            Self::OnlyVersion2 => (
                "a",
                "The peer cannot be set to it: each of Serf's own protocol versions, and \
                 Alertmanager, speaks memberlist's version 2",
            ),
            Self::NoKeys => (
                "b",
                "Alertmanager has no keyring; if it encrypts, it does so by TLS below the library",
            ),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a node knows of all nodes at one moment, and how that changes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use memberlist_proto::{Departure, Instant, Memberlist, State, Trouble};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// What a node knows of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Its state.
    pub state: State,
    /// The incarnation last accepted.
    pub incarnation: u32,
    /// Its address; `None` if nothing can be sent to it.
    pub address: Option<SocketAddr>,
    /// The length of its metadata in bytes.
    pub meta_len: usize,
    /// Every accuser while it is suspected, the first one first.
    pub accusers: Vec<String>,
    /// Why it is no longer a member; `None` if it is one, or that is not known.
    pub departure: Option<Gone>,
    #[serde(skip)]
    meta: u64,
}

/// Every node that one node knows, by name, itself included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table(pub(super) BTreeMap<String, Row>);

impl Table {
    /// The table of a node at this time.
    pub fn of(node: &Memberlist, at: Instant) -> Self {
        let mut rows: BTreeMap<String, Row> = node
            .nodes()
            .map(|known| {
                let row = Row {
                    state: known.state(),
                    incarnation: known.incarnation(),
                    address: known.address(),
                    meta_len: known.meta().len(),
                    accusers: Vec::new(),
                    departure: None,
                    meta: xxh3_64(known.meta()),
                };
                (known.name().to_string(), row)
            })
            .collect();
        for known in node.status(at).nodes {
            let Some(row) = rows.get_mut(&known.name.to_string()) else { continue };
            match known.why {
                Some(Trouble::Suspected { by, .. }) => {
                    row.accusers = by.iter().map(ToString::to_string).collect();
                }
                Some(Trouble::Departed(departure)) => row.departure = Some(Gone::of(&departure)),
                _ => {}
            }
        }
        Self(rows)
    }

    /// What is known of a node; `None` if it is unknown.
    pub fn get(&self, name: &str) -> Option<&Row> {
        self.0.get(name)
    }

    /// All rows, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.0.iter().map(|(name, row)| (name.as_str(), row))
    }

    /// Whether any node is suspected.
    pub(super) fn has_suspects(&self) -> bool {
        self.0.values().any(|row| row.state == State::Suspect)
    }

    /// The differences between this table and a later one, in the order of the names.
    pub fn changes_to(&self, later: &Self) -> Vec<Change> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(later.0.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != later.0.get(*name))
            .map(|name| Change {
                node: name.clone(),
                before: self.0.get(name).cloned(),
                after: later.0.get(name).cloned(),
            })
            .collect()
    }
}

/// Why a node is no longer a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gone {
    /// It left on purpose.
    Left,
    /// Its suspicion ran out.
    Failed {
        /// Every accuser, the first one first.
        by: Vec<String>,
    },
    /// A peer declared it dead.
    Declared {
        /// The peer.
        by: String,
    },
    /// For a reason that this version does not know.
    Other,
}

impl Gone {
    fn of(departure: &Departure) -> Self {
        match departure {
            Departure::Left => Self::Left,
            Departure::Failed { by, .. } => {
                Self::Failed { by: by.iter().map(ToString::to_string).collect() }
            }
            Departure::Declared { by } => Self::Declared { by: by.to_string() },
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it left"),
            Self::Failed { by } => {
                write!(f, "its suspicion ran out, accused by {}", by.join(", "))
            }
            Self::Declared { by } => write!(f, "declared dead by {by}"),
            Self::Other => f.write_str("for another reason"),
        }
    }
}

/// A change in what is known of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The node.
    pub node: String,
    /// What was known before; `None` if the node was unknown.
    pub before: Option<Row>,
    /// What is known now; `None` if the node was forgotten.
    pub after: Option<Row>,
}

impl Change {
    /// The state before and after; `None` if it is the same.
    pub fn states(&self) -> Option<(Option<State>, Option<State>)> {
        let state = |row: &Option<Row>| row.as_ref().map(|row| row.state);
        let states = (state(&self.before), state(&self.after));
        (states.0 != states.1).then_some(states)
    }

    /// The accusers that were not known before. If the suspicion ran out in the same moment, they
    /// are found in the reason of the departure.
    pub fn new_accusers(&self) -> impl Iterator<Item = &str> {
        let before = self.before.as_ref().map_or(&[][..], |row| &row.accusers);
        let after = self.after.as_ref().map_or(&[][..], |row| match &row.departure {
            Some(Gone::Failed { by }) if row.state == State::Dead => by,
            _ => &row.accusers,
        });
        after.iter().filter(|it| !before.contains(it)).map(String::as_str)
    }
}

/// Writes the change in words, such as `n3: alive → suspect, accused by n2`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.node;
        let (before, after) = match (&self.before, &self.after) {
            (_, None) => return write!(f, "{name}: forgotten"),
            (None, Some(row)) => {
                write!(f, "{name}: new, {}, incarnation {}", row.state, row.incarnation)?;
                return match row.address {
                    Some(address) => write!(f, ", at {address}"),
                    None => Ok(()),
                };
            }
            (Some(before), Some(after)) => (before, after),
        };
        let mut parts = Vec::new();
        if before.state != after.state {
            parts.push(format!("{} → {}", before.state, after.state));
        }
        if before.incarnation != after.incarnation {
            parts.push(format!("incarnation {} → {}", before.incarnation, after.incarnation));
        }
        let accusers: Vec<&str> = self.new_accusers().collect();
        if !accusers.is_empty() {
            parts.push(format!("accused by {}", accusers.join(", ")));
        }
        if let Some(departure) = after.departure.as_ref().filter(|_| before.departure.is_none()) {
            parts.push(departure.to_string());
        }
        if before.address != after.address {
            let text = |it: Option<SocketAddr>| it.map_or("none".into(), |it| it.to_string());
            parts.push(format!("address {} → {}", text(before.address), text(after.address)));
        }
        if before.meta != after.meta {
            parts.push(format!("metadata of {} → {} bytes", before.meta_len, after.meta_len));
        }
        if parts.is_empty() {
            parts.push("accusers changed".into());
        }
        write!(f, "{name}: {}", parts.join(", "))
    }
}

//! What one node received, sent and came to know.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use memberlist_proto::{Config, Instant};

use super::moment::{Moment, Watcher};
use super::table::Table;
use crate::format::{Born, Header};
use crate::replay::{Replay, ReplayError, Verdict};

/// The moments of a replay in which anything happened. It takes a few hundred bytes of memory for
/// each message that was sent or received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chronicle {
    /// The node's name.
    pub node: String,
    /// The address that the node announces.
    pub address: SocketAddr,
    /// When the run began.
    pub born: Born,
    /// Its configuration at the beginning.
    pub config: Config,
    /// The time of the checkpoint that the replay began with.
    pub begun: Instant,
    /// The time of the last input.
    pub ended: Instant,
    /// How many inputs were not recorded in between, because the disk was too slow or had failed.
    pub dropped: u64,
    /// How many inputs had other outputs than those of the live node.
    pub differs: u64,
    /// How many inputs had outputs that cannot be verified, because a key is missing.
    pub unverified: u64,
    /// How many inputs were replayed.
    pub inputs: u64,
    /// The table of members at the beginning.
    pub first: Table,
    /// The table of members at the end.
    pub last: Table,
    /// The moments, in the order in which they happened.
    pub moments: Vec<Moment>,
    /// The times (from, to) in which no input was handed in, for longer than a node's timers ever
    /// wait: the process stood still.
    pub gaps: Vec<(Instant, Instant)>,
    /// The name of the node at each address, if it was known.
    pub names: BTreeMap<SocketAddr, String>,
}

/// If there is no input for this long, or for two probe intervals if these are longer, the process
/// stood still: a node that probes and gossips has timers much more often.
const GAP: Duration = Duration::from_secs(2);

impl Chronicle {
    /// Replays to the end, or to an error, which is then returned with the chronicle of what came
    /// before it.
    pub fn read(replay: &mut Replay) -> (Self, Result<(), ReplayError>) {
        let mut watcher = Watcher::new(replay);
        let mut chronicle = Self::new(replay.header(), replay, watcher.table());
        let mut session = (replay.header().number, replay.header().dropped);
        let result = loop {
            match watcher.next(replay) {
                Ok(Some(moment)) => chronicle.add(moment),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            let now = (replay.header().number, replay.header().dropped);
            if now.0 != session.0 {
                chronicle.dropped += now.1;
                session = now;
            }
        };
        chronicle.last = watcher.table().clone();
        let last = chronicle.last.clone();
        chronicle.learn(&last);
        (chronicle, result)
    }

    fn new(header: &Header, replay: &Replay, table: &Table) -> Self {
        let local = replay.node().local();
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let begun = Instant::from_nanos(header.at);
        let mut chronicle = Self {
            node: local.name().to_string(),
            address: local.address().unwrap_or(unspecified),
            born: header.born.clone(),
            config: header.config.clone(),
            begun,
            ended: begun,
            dropped: 0,
            differs: 0,
            unverified: 0,
            inputs: 0,
            first: table.clone(),
            last: table.clone(),
            moments: Vec::new(),
            gaps: Vec::new(),
            names: BTreeMap::new(),
        };
        chronicle.learn(table);
        chronicle
    }

    fn add(&mut self, moment: Moment) {
        let silent = moment.at.saturating_duration_since(self.ended);
        if self.inputs > 0 && silent > GAP.max(self.config.probe_interval * 2) {
            self.gaps.push((self.ended, moment.at));
        }
        self.inputs += 1;
        self.ended = self.ended.max(moment.at);
        self.differs += u64::from(moment.verdict == Verdict::Differs);
        self.unverified += u64::from(moment.verdict == Verdict::Unverified);
        for change in &moment.changes {
            if let Some(address) = change.after.as_ref().and_then(|row| row.address) {
                self.names.insert(address, change.node.clone());
            }
        }
        if !moment.is_quiet() {
            self.moments.push(moment);
        }
    }

    fn learn(&mut self, table: &Table) {
        for (name, row) in table.iter() {
            if let Some(address) = row.address {
                self.names.entry(address).or_insert_with(|| name.to_owned());
            }
        }
    }

    /// When the run began, in the core's time.
    pub fn born_at(&self) -> Instant {
        Instant::from_nanos(self.born.at)
    }

    /// The name of the node at an address, or the address if no name is known; "a peer" without an
    /// address.
    pub fn name_at(&self, address: Option<SocketAddr>) -> String {
        let Some(address) = address else { return "a peer".into() };
        self.names.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// The part of the chronicle up to a time. Moments keep their indices.
    #[must_use]
    pub fn until(&self, at: Instant) -> Self {
        let count = self.moments.partition_point(|it| it.at <= at);
        let mut part = Self { moments: Vec::new(), ..self.clone() };
        part.moments.extend_from_slice(&self.moments[..count]);
        part.last = self.table_at(at);
        part.ended = self.ended.min(at);
        part
    }

    /// The table of members after everything up to a time.
    pub fn table_at(&self, at: Instant) -> Table {
        let mut table = self.first.clone();
        for change in self.moments.iter().take_while(|it| it.at <= at).flat_map(|it| &it.changes) {
            match &change.after {
                Some(row) => table.0.insert(change.node.clone(), row.clone()),
                None => table.0.remove(&change.node),
            };
        }
        table
    }
}

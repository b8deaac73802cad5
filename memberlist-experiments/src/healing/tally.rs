//! The counts of a disturbance, and how they are shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use memberlist_sim::{Event, Instant, NodeId, Sim};

/// Counts and times over one or more runs of a disturbance.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Reports of the departure of a member, though it and the reporting member both ran and could
    /// reach each other.
    pub false_departures: u64,
    /// Reports of departures between members that could not reach each other in both directions.
    pub cut_departures: u64,
    /// Reports of suspicions between members that could reach each other.
    pub suspicions: u64,
    /// How long those suspicions lasted, summed over all observers.
    pub suspected: Duration,
    /// How long members were considered gone, summed over all observers.
    pub gone: Duration,
    /// The packets that all nodes sent.
    pub packets: u64,
    /// News that had to reach other members: for each member that was killed or left, one for each
    /// of the others; for a split, one.
    pub news: u64,
    /// How many of these had not arrived in time.
    pub missed: u64,
    /// How long news took: each kill until all members knew, each split until all agreed again,
    /// each leave that some had missed until all knew.
    pub times: Vec<Duration>,
}

/// Whether an observer and a subject cannot reach each other in both directions.
pub(super) type Cut<'a> = &'a dyn Fn(NodeId, NodeId) -> bool;

impl Tally {
    /// The sum over these runs.
    pub(crate) fn of(lives: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        lives.into_iter().for_each(|life| sum.add(life));
        sum
    }

    /// Adds the counts and times of another run.
    pub fn add(&mut self, other: Self) {
        self.false_departures += other.false_departures;
        self.cut_departures += other.cut_departures;
        self.suspected += other.suspected;
        self.gone += other.gone;
        self.suspicions += other.suspicions;
        self.packets += other.packets;
        self.news += other.news;
        self.missed += other.missed;
        self.times.extend(other.times);
        self.times.sort_unstable();
    }

    /// Counts the departures and suspicions that one node has reported since `start`.
    pub(super) fn observe(&mut self, sim: &Sim, observer: NodeId, start: Instant, cut: Cut<'_>) {
        let ids: BTreeMap<_, _> = sim.node_ids().map(|id| (sim.name(id).clone(), id)).collect();
        let (mut suspect, mut gone) = (BTreeMap::new(), BTreeMap::new());
        for (at, event) in sim.events(observer).iter().filter(|(at, _)| *at >= start) {
            let (Event::Suspected { node, .. }
            | Event::Departed { node, .. }
            | Event::Refuted { node, .. }
            | Event::Joined { node }) = event
            else {
                continue;
            };
            let subject = ids[&node.name().to_owned_name()];
            let cut = cut(observer, subject);
            match event {
                Event::Suspected { .. } => {
                    suspect.insert(subject, *at);
                    self.suspicions += u64::from(!cut);
                    continue;
                }
                Event::Departed { .. } => {
                    self.false_departures += u64::from(!cut);
                    self.cut_departures += u64::from(cut);
                    gone.insert(subject, *at);
                }
                _ => {
                    let begun = gone.remove(&subject).unwrap_or(*at);
                    self.gone += at.saturating_duration_since(begun);
                }
            }
            let begun = suspect.remove(&subject).filter(|_| !cut).unwrap_or(*at);
            self.suspected += at.saturating_duration_since(begun);
        }
        let end = sim.now();
        let innocents = suspect.iter().filter(|(subject, _)| !cut(observer, **subject));
        self.suspected +=
            innocents.map(|(_, at)| end.saturating_duration_since(*at)).sum::<Duration>();
        self.gone += gone.values().map(|at| end.saturating_duration_since(*at)).sum::<Duration>();
    }

    /// The time that this share of the news took at most, in seconds; 0 without any times.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        let index = (last as f64 * share).ceil() as usize;
        self.times.get(index).map_or(0.0, Duration::as_secs_f64)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.news == 0 {
            let Self {
                false_departures, cut_departures, suspicions, suspected, gone, packets, ..
            } = self;
            write!(
                f,
                "{false_departures:>6} false {cut_departures:>6} cut, {suspicions:>7} suspicions, {:>7} s, gone {:>7} s, {packets:>10} packets",
                suspected.as_secs(),
                gone.as_secs()
            )
        } else {
            write!(
                f,
                "{:>6} of {:>7} missed, {:>6.2} {:>6.2} {:>6.2} s, {:>4} false",
                self.missed,
                self.news,
                self.quantile(0.5),
                self.quantile(0.99),
                self.quantile(1.0),
                self.false_departures,
            )
        }
    }
}

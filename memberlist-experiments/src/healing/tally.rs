//! What is counted, and how it is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use memberlist_sim::{Event, Instant, NodeId, Sim};

/// What happened in some lives of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Members reported as departed by some member, though both ran and could reach each other.
    pub false_departures: u64,
    /// The same between members that could not reach each other, or not in both directions.
    pub cut_departures: u64,
    /// Suspicions of members by members that could reach each other.
    pub suspicions: u64,
    /// How long those lasted, over all observers.
    pub suspected: Duration,
    /// How long members that ran were considered gone, over all observers.
    pub gone: Duration,
    /// Packets sent.
    pub packets: u64,
    /// News that had to reach other members: one for each member that departed truly, and each
    /// other member.
    pub news: u64,
    /// Of those, how many had not arrived in the usual time.
    pub missed: u64,
    /// How long news took: each kill until all knew, each missed leave until it was known.
    pub times: Vec<Duration>,
}

/// Who is to blame for a departure, given observer and subject: nothing, if they can reach each
/// other.
pub(super) type Cut<'a> = &'a dyn Fn(NodeId, NodeId) -> bool;

impl Tally {
    /// What happened in all of these lives.
    pub(crate) fn of(lives: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        lives.into_iter().for_each(|life| sum.add(life));
        sum
    }

    /// Adds what happened in another life.
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

    /// Departures and suspicions that one node reported since `start`.
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

    /// The time that this share of the news took at most, in seconds.
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

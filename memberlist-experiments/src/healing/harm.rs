//! The named disturbances, each of which is run with our defaults and, on the same seeds, with the
//! Go library's behaviour (`Differences::none()`).

use std::ops::Range;

use memberlist_sim::Config;

use super::acts::Act;
use super::tally::Tally;
use crate::cluster::as_go;
use crate::grid::{Grid, Options};

/// A disturbance and the size of the cluster that it happens to; to be run with many seeds.
#[derive(Clone, Debug)]
pub struct Harm {
    name: String,
    act: Act,
    /// The sizes of the cluster, one for each seed in turn.
    sizes: Vec<usize>,
}

impl Harm {
    /// All disturbances, those of small clusters first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for size in [12, 100] {
            for percent in [10, 20, 25, 30, 40] {
                let loss = f64::from(percent) / 100.0;
                all.push(Self::of(&format!("loss-{percent}"), size, Act::Loss(loss)));
            }
            let acts = [
                ("deaf", Act::Deaf),
                ("mute", Act::Mute),
                ("isolation", Act::Isolation),
                ("flapping", Act::Flapping),
                ("split", Act::Split),
                ("kill", Act::Kill { loss: 0.0 }),
                ("kill-loss-10", Act::Kill { loss: 0.1 }),
            ];
            all.extend(acts.map(|(name, act)| Self::of(name, size, act)));
        }
        let sizes = vec![2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 24, 32, 50];
        for (name, loss) in [("leave", 0.0), ("leave-loss-10", 0.1)] {
            all.push(Self { name: name.into(), act: Act::Leave { loss }, sizes: sizes.clone() });
        }
        all
    }

    /// The disturbance of this name, such as `100-flapping`; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|it| it.name == name)
    }

    fn of(name: &str, size: usize, act: Act) -> Self {
        Self { name: format!("{size}-{name}"), act, sizes: vec![size] }
    }

    /// The name of the disturbance on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it with one seed; `change` is applied to the LAN preset of each node.
    pub fn run(&self, seed: u64, change: &dyn Fn(&mut Config)) -> Tally {
        let size = self.sizes[seed as usize % self.sizes.len()];
        self.act.run(seed, size, change)
    }

    /// Runs it with each of these seeds, on all processors. Returns the sums for our defaults with
    /// `change` applied, and for the Go library's behaviour.
    pub fn compare(&self, seeds: Range<u64>, change: &(dyn Fn(&mut Config) + Sync)) -> [Tally; 2] {
        let changes: [&(dyn Fn(&mut Config) + Sync); 2] = [change, &as_go];
        let grid = Grid::new(changes, seeds);
        let outcomes = grid.run(&Options::default(), &(), |change, seed| self.run(seed, change));
        let mut sums = outcomes.into_iter().map(|(_, tallies)| Tally::of(tallies));
        [sums.next().unwrap_or_default(), sums.next().unwrap_or_default()]
    }
}

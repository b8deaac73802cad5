//! What a network does to a cluster: experiments in the simulator, our defaults beside the Go
//! library's behaviour (`Differences::none()`) on the same seeds.
//!
//! `cargo run --release -p memberlist-tests --example harm` prints one line for each.

mod acts;
mod tally;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use memberlist_proto::Differences;
use memberlist_sim::Config;

use acts::Act;
pub use tally::Tally;

/// A cluster and what happens to it, run with many seeds.
#[derive(Clone, Debug)]
pub struct Experiment {
    name: String,
    act: Act,
    /// One of these for each seed in turn.
    sizes: Vec<usize>,
}

impl Experiment {
    /// Every experiment, those of small clusters first.
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

    /// The experiment of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|it| it.name == name)
    }

    fn of(name: &str, size: usize, act: Act) -> Self {
        Self { name: format!("{size}-{name}"), act, sizes: vec![size] }
    }

    /// What it is called on the command line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// With one seed, and nodes whose configuration is changed so.
    pub fn run(&self, seed: u64, change: &dyn Fn(&mut Config)) -> Tally {
        let size = self.sizes[seed as usize % self.sizes.len()];
        self.act.run(seed, size, change)
    }

    /// With each of these seeds, on all processors: ours with a `change`, and as in Go.
    pub fn compare(
        &self,
        seeds: std::ops::Range<u64>,
        change: &(dyn Fn(&mut Config) + Sync),
    ) -> [Tally; 2] {
        let sums = Mutex::new([Tally::default(), Tally::default()]);
        let next = AtomicU64::new(seeds.start);
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                let pair = [self.run(seed, change), self.run(seed, &as_go)];
                let mut sums = sums.lock().expect("no thread panics while it adds");
                for (sum, one) in sums.iter_mut().zip(pair) {
                    sum.add(one);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        sums.into_inner().expect("no thread panics while it adds")
    }
}

/// As the Go library behaves.
pub fn as_go(config: &mut Config) {
    config.differences = Differences::none();
}

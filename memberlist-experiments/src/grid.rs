//! Grids of runs, many of them in parallel.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use memberlist_proto::Config;

use crate::lifeguard::Selection;

/// Observes the progress of an experiment. The methods may be called from any thread; `()` ignores
/// them.
pub trait Progress: Sync {
    /// Announces further runs, in addition to those announced before.
    fn expect(&self, runs: u64) {
        let _ = runs;
    }

    /// Reports that one run is done.
    fn step(&self) {}
}

impl Progress for () {}

/// How much of an experiment to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Whether to run a reduced form that takes a few seconds.
    pub quick: bool,
    /// How many seeds each cell is run with; `None` for the number that the experiment chooses.
    pub seeds: Option<u64>,
    /// The first seed.
    pub seed: u64,
    /// How many runs are under way at a time.
    pub jobs: usize,
    /// The number of nodes, for `large` and `lifeguard`; `None` for their own choice.
    pub nodes: Option<usize>,
    /// Whether `large` runs only its part with broadcasts under churn.
    pub churn: bool,
    /// The parts of `lifeguard` to run.
    pub lifeguard: Selection,
    /// The disturbances that `healing` runs, by name; if empty, its own choice, and convergence.
    pub only: Vec<String>,
    /// The configuration that `healing` takes in place of our defaults; its name is ignored.
    pub config: Option<Config>,
}

impl Default for Options {
    /// The whole experiment, from seed 1 on, with one run at a time for each processor.
    fn default() -> Self {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        Self {
            quick: false,
            seeds: None,
            seed: 1,
            jobs,
            nodes: None,
            churn: false,
            lifeguard: Selection::default(),
            only: Vec::new(),
            config: None,
        }
    }
}

impl Options {
    /// The seeds to run, given how many the whole experiment and its reduced form take.
    pub(crate) fn seeds(&self, whole: u64, quick: u64) -> Range<u64> {
        let seeds = self.seeds.unwrap_or(if self.quick { quick } else { whole });
        self.seed..self.seed + seeds
    }
}

/// The runs of every cell with every seed. The seeds are the same in each cell, so that cells can
/// be compared.
#[derive(Clone, Debug)]
pub struct Grid<C> {
    cells: Vec<C>,
    seeds: Range<u64>,
}

impl<C: Sync> Grid<C> {
    /// Creates a grid of these cells and seeds.
    pub fn new(cells: impl IntoIterator<Item = C>, seeds: Range<u64>) -> Self {
        Self { cells: cells.into_iter().collect(), seeds }
    }

    /// The number of runs.
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * (self.seeds.end - self.seeds.start)
    }

    /// Calls `work` for each cell and seed, on [`Options::jobs`] threads. Returns the cells, each
    /// with its outcomes in the order of the seeds.
    pub fn run<T: Send>(
        &self,
        options: &Options,
        progress: &dyn Progress,
        work: impl Fn(&C, u64) -> T + Sync,
    ) -> Vec<(&C, Vec<T>)> {
        let cells = self.cells.len() as u64;
        let next = AtomicU64::new(0);
        let outcomes = Mutex::new(Vec::new());
        let take = || {
            loop {
                // All cells with one seed come before the next seed: then the remaining runs take
                // about as long as those before.
                let run = next.fetch_add(1, Ordering::Relaxed);
                if run >= self.runs() {
                    return;
                }
                let (cell, seed) = ((run % cells) as usize, self.seeds.start + run / cells);
                let outcome = work(&self.cells[cell], seed);
                outcomes
                    .lock()
                    .expect("no thread panics while it adds")
                    .push((cell, seed, outcome));
                progress.step();
            }
        };
        thread::scope(|scope| {
            for _ in 0..options.jobs.max(1) {
                scope.spawn(take);
            }
        });
        let mut outcomes = outcomes.into_inner().expect("no thread panics while it adds");
        outcomes.sort_by_key(|(cell, seed, _)| (*cell, *seed));
        let mut grid: Vec<_> = self.cells.iter().map(|cell| (cell, Vec::new())).collect();
        for (cell, _, outcome) in outcomes {
            grid[cell].1.push(outcome);
        }
        grid
    }
}

#[cfg(test)]
mod tests;

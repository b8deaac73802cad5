//! Many runs beside each other.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use memberlist_proto::Config;

use crate::lifeguard::Selection;

/// Who watches how far an experiment is. `()` does not.
pub trait Progress: Sync {
    /// So many runs are to come, beside those announced before.
    fn expect(&self, runs: u64) {
        let _ = runs;
    }

    /// One run is done.
    fn step(&self) {}
}

impl Progress for () {}

/// How much to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// A reduced form, of a few seconds.
    pub quick: bool,
    /// How many seeds for each cell, if not as many as the experiment takes by itself.
    pub seeds: Option<u64>,
    /// The first seed.
    pub seed: u64,
    /// How many runs at a time.
    pub jobs: usize,
    /// How many nodes, in experiments that leave it open.
    pub nodes: Option<usize>,
    /// Only the broadcasts under churn of `large`.
    pub churn: bool,
    /// What of `lifeguard` is run.
    pub lifeguard: Selection,
    /// The disturbances that `healing` is about, by name; if empty, its own choice, and convergence.
    pub only: Vec<String>,
    /// What `healing` takes in place of our defaults; the name does not count.
    pub config: Option<Config>,
}

impl Default for Options {
    /// The whole experiment, from seed 1 on, on every processor.
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
    /// The seeds, of which there are so many in the whole experiment and in its reduced form.
    pub(crate) fn seeds(&self, whole: u64, quick: u64) -> Range<u64> {
        let seeds = self.seeds.unwrap_or(if self.quick { quick } else { whole });
        self.seed..self.seed + seeds
    }
}

/// Every cell with every seed: the same seeds in each, so that cells can be compared.
#[derive(Clone, Debug)]
pub struct Grid<C> {
    cells: Vec<C>,
    seeds: Range<u64>,
}

impl<C: Sync> Grid<C> {
    /// Of these cells and seeds.
    pub fn new(cells: impl IntoIterator<Item = C>, seeds: Range<u64>) -> Self {
        Self { cells: cells.into_iter().collect(), seeds }
    }

    /// How many runs it has.
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * (self.seeds.end - self.seeds.start)
    }

    /// The cells, each with its outcomes in the order of the seeds, however many run at a time.
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
                // All cells with one seed before the next seed: what is left stays like what is done.
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

//! Every seed draws its own cluster, faults and workload, as a script; a calm follows, in which all
//! nodes must agree. `SEED=n` runs one seed, `FIRST=n SEEDS=m` a range of them. A seed that fails
//! is printed as the shortest script that still fails, ready to become a file in `tests/scripts`.

mod coverage;
mod draw;
mod reader;
mod shrink;

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use memberlist_sim::Sim;
use memberlist_sim::script::{Problem, play, play_prepared};

use self::coverage::Coverage;

/// How many seeds are run by default, which are enough to cover everything.
const SEEDS: u64 = 100;

/// How many seeds are run once more with checkpoints, and after how many steps each is taken. The
/// tests of the core take one at each step of a single node.
const CHECKPOINTED: u64 = 4;
const EVERY: u64 = 29;

#[derive(Debug, PartialEq)]
enum Failure {
    /// A law was broken.
    Law,
    /// A condition at the end does not hold.
    Unmet(String),
    /// A slow reader missed something without a count, or too much waited for it.
    Reader(String),
    /// The script itself is wrong.
    Script(String),
}

/// The cluster at the end, and the summaries that slow readers have read.
fn run(script: &str) -> Result<(Sim, BTreeSet<&'static str>), Failure> {
    match catch_unwind(|| play(script)) {
        Ok(Ok(sim)) => match reader::check(script, &sim) {
            Ok(summaries) => Ok((sim, summaries)),
            Err(wrong) => Err(Failure::Reader(wrong)),
        },
        Ok(Err(error)) => Err(match error.problem {
            Problem::Unmet(what) => Failure::Unmet(what),
            _ => Failure::Script(error.to_string()),
        }),
        Err(_) => Err(Failure::Law),
    }
}

/// The report of a seed that fails.
fn report(seed: u64, script: &str, failure: &Failure) -> String {
    let kind = std::mem::discriminant(failure);
    let short = shrink::shrink(script, |shorter| {
        let fails = || run(shorter).is_err_and(|it| std::mem::discriminant(&it) == kind);
        draw::rollout::in_order(shorter) && fails()
    });
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "seed {seed}, version {version}: {failure:?}\nthe shortest script that fails so:\n{short}"
    )
}

#[test]
fn seeds_survive_chaos_and_agree() {
    let number = |name| std::env::var(name).ok().map(|it| it.parse().expect("a number"));
    let (first, seeds) = match number("SEED") {
        Some(seed) => (seed, 1),
        None => (number("FIRST").unwrap_or(0), number("SEEDS").unwrap_or(SEEDS)),
    };
    let (mut coverage, mut failed) = (Coverage::default(), Vec::new());
    for seed in first..first + seeds {
        let script = draw::script(seed);
        match run(&script) {
            Ok((sim, summaries)) => coverage.add(&script, &sim, summaries),
            Err(failure) => failed.push((seed, script, failure)),
        }
    }
    if let Some((seed, script, failure)) = failed.first() {
        let all: Vec<u64> = failed.iter().map(|(seed, ..)| *seed).collect();
        panic!("{all:?} fail\n{}", report(*seed, script, failure));
    }
    let missing = coverage.missing();
    assert!(seeds < SEEDS || missing.is_empty(), "none of {seeds} seeds has seen {missing:?}");
}

/// A node that goes on from its checkpoint behaves in the same way.
#[test]
fn checkpoints_change_nothing() {
    for seed in 0..CHECKPOINTED {
        let script = draw::script(seed);
        let plain = play(&script).expect("it survives").trace_hash();
        let restored = play_prepared(&script, |sim| sim.restore_every(EVERY));
        assert_eq!(restored.expect("it survives").trace_hash(), plain, "seed {seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_script_and_run() {
    let hash = || run(&draw::script(5)).expect("it survives").0.trace_hash();
    assert_eq!(draw::script(5), draw::script(5));
    assert_ne!(draw::script(5), draw::script(6));
    assert_eq!(hash(), hash());
}

//! What the core's main workloads cost in instructions and allocations, so that a change that makes
//! them dearer is noticed. `bench/guard/check` runs this under callgrind, once with the core as it is
//! and once with that of an earlier commit:
//!
//! - `list` prints the names of the workloads,
//! - `run NAME` goes through one and prints its name, calls, allocations and whether it is one that
//!   runs all the time; with `--planted`, each call makes a needless copy, which has to be noticed,
//! - `compare BEFORE AFTER BASE` compares two files of such lines, with the instructions at the end
//!   of each, and fails if something has become dearer than the file `BASE` allows.

mod compare;
mod work;

#[path = "../../src/measure.rs"]
#[allow(dead_code)]
mod measure;
#[path = "../../src/ours.rs"]
#[allow(dead_code)]
mod ours;
#[path = "../../src/pair.rs"]
#[allow(dead_code)]
mod pair;
#[path = "../../src/workloads.rs"]
#[allow(dead_code)]
mod workloads;
#[path = "../../src/world.rs"]
#[allow(dead_code)]
mod world;

use std::error::Error;
use std::process::ExitCode;

use work::{Planted, WORKLOADS, Work};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => WORKLOADS.iter().for_each(|it| println!("{}", it.name)),
        ["run", name] => println!("{}", run(name, false)?),
        ["run", name, "--planted"] => println!("{}", run(name, true)?),
        ["compare", before, after, base] => {
            let read = std::fs::read_to_string;
            let comparison = compare::compare(&read(before)?, &read(after)?, &read(base)?)?;
            print!("{}", comparison.text);
            return Ok(if comparison.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        _ => return Err("list, run NAME [--planted] or compare BEFORE AFTER BASE".into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Goes through a workload, first without counting, so that buffers have grown to their size.
fn run(name: &str, planted: bool) -> Result<String, Box<dyn Error>> {
    let workload = WORKLOADS.iter().find(|it| it.name == name).ok_or("no such workload")?;
    let mut work = (workload.start)();
    if planted {
        work = Box::new(Planted(work));
    }
    let calls = workload.calls;
    for at in 0..calls {
        work.prepare(at);
        work.call(at);
    }
    let mut allocations = 0;
    for at in calls..2 * calls {
        work.prepare(at);
        allocations += allocation_counter::measure(|| counted(&mut *work, at)).count_total;
    }
    let steady = if workload.steady { "steady" } else { "other" };
    Ok(format!("{name} {steady} {calls} {allocations}"))
}

/// Callgrind counts while this function runs; `check` names it.
#[inline(never)]
fn counted(work: &mut dyn Work, at: usize) {
    work.call(at);
}

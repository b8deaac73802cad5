//! Measures processor time and allocations.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// The cost of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) nanos: f64,
    pub(crate) allocations: f64,
}

/// The processor time that this thread has used, in nanoseconds. Unlike wall-clock time, it does
/// not include what other processes take.
pub(crate) fn cpu_nanos() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The average cost of one call: the median over several rounds of `calls` calls each.
pub(crate) fn each(calls: usize, mut call: impl FnMut(usize)) -> Cost {
    const ROUNDS: usize = 7;
    let mut at = 0;
    let mut round = || {
        let before = cpu_nanos();
        for _ in 0..calls {
            call(at);
            at += 1;
        }
        (cpu_nanos() - before) / calls as f64
    };
    // The first round warms caches and buffers.
    round();
    let mut nanos: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    let allocated = allocation_counter::measure(|| {
        round();
    });
    Cost { nanos: median(&mut nanos), allocations: allocated.count_total as f64 / calls as f64 }
}

/// The cost of one call if each needs a preparation that does not count. Single calls are too short
/// for the clock of processor time; the median of wall-clock times excludes interruptions as well.
pub(crate) fn prepared<T>(
    calls: usize,
    mut prepare: impl FnMut(usize) -> T,
    mut call: impl FnMut(T),
) -> Cost {
    let mut nanos = Vec::with_capacity(calls);
    let mut allocations = 0;
    for at in 0..calls {
        let prepared = prepare(at);
        if at < calls / 2 {
            let before = Instant::now();
            call(prepared);
            nanos.push(before.elapsed().as_nanos() as f64);
        } else {
            allocations += allocation_counter::measure(|| call(prepared)).count_total;
        }
    }
    let mut idle: Vec<f64> =
        (0..1_000).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    let nanos = (median(&mut nanos) - median(&mut idle)).max(0.0);
    Cost { nanos, allocations: allocations as f64 / (calls - calls / 2) as f64 }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

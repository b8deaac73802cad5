//! The resources that nodes leave behind. This is not one of the scenarios, because it needs a
//! process in which nothing else runs.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

use super::{Adapter, Kit as _, PATIENCE, at, loopback, quick};

/// The number of nodes that join and end, after the first ones have warmed everything up.
const LIVES: usize = 1000;
const WARM_UP: usize = 200;
/// How much the process may grow, in KiB: less than a kilobyte for each node.
const GROWTH: usize = 1000;

/// A thousand nodes join, leave and end, half of them by a shutdown and half by being dropped:
/// afterwards, descriptors, memory, streams, and the tasks that `tasks` counts, are what they were.
/// Linux only.
pub async fn a_thousand_lives_leave_nothing_behind<A: Adapter>(tasks: impl Fn() -> usize) {
    let config = |name: &str| quick(name).with(|it| it.gossip_interval = Duration::from_millis(1));
    let (seed, mut reports) = A::start(config("seed"), loopback()).await.expect("a free port");
    A::in_time(seed.ping(at(&seed))).await.expect("it runs");
    let settled = || (descriptors(), tasks(), seed.stats().gauges.streams);
    let (mut before, mut memory) = (settled(), 0);
    for number in 0..WARM_UP + LIVES {
        if number == WARM_UP {
            A::eventually(|| settled() == before).await;
            before = settled();
            memory = resident();
        }
        // The seed remembers every name.
        let (node, _events) = A::start(config("other"), loopback()).await.expect("a free port");
        let join = node.join([seed.bound_address()]);
        assert_eq!(A::in_time(join).await.expect("both run").joined.len(), 1);
        // A node that is only dropped would hold its name until it is declared dead.
        A::in_time(node.leave(PATIENCE)).await.expect("it reaches the seed");
        if number % 2 == 0 {
            A::in_time(node.shutdown()).await;
        }
        drop(node);
        A::eventually(|| seed.num_members() == 1).await;
        while A::within(Duration::ZERO, reports.next()).await.is_some() {}
    }
    A::eventually(|| settled() == before).await;
    let grown = resident().saturating_sub(memory);
    println!("{before:?} as before; {memory} KiB and {grown} KiB more after {LIVES} lives");
    assert!(grown <= GROWTH, "{memory} KiB have grown by {grown} KiB");
}

/// The number of open files of this process.
fn descriptors() -> usize {
    read_dir("/proc/self/fd").expect("it is there").count()
}

/// The resident memory of this process, in KiB.
fn resident() -> usize {
    let status = read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

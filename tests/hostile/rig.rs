use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use memberlist_proto::{Config, Counters};
use memberlist_sim::rig::{Rig, Watch};

/// The memory that something has cost, in bytes.
#[derive(Debug)]
pub(crate) struct Cost {
    /// The highest use, beyond that of before.
    pub(crate) peak: usize,
    /// All that was allocated, however briefly it lived: the work of copying grows with it.
    pub(crate) total: usize,
    /// What is still allocated afterwards.
    pub(crate) kept: i64,
}

impl From<AllocationInfo> for Cost {
    fn from(info: AllocationInfo) -> Self {
        let bytes = |count: u64| usize::try_from(count).expect("a count of bytes");
        Self {
            peak: bytes(info.bytes_max),
            total: bytes(info.bytes_total),
            kept: info.bytes_current,
        }
    }
}

/// Measures the cost of `work`, and prints it, which `--nocapture` shows.
pub(crate) fn cost(what: &str, received: usize, work: impl FnOnce()) -> Cost {
    let cost = Cost::from(measure(work));
    println!("{what}: {received} bytes received, {cost:?}");
    cost
}

/// A node without periodic activity of its own.
pub(crate) fn target() -> Rig {
    target_with(|_| {})
}

/// A node with this configuration. No laws are checked: they remember what has happened, which
/// would count as memory of the node.
pub(crate) fn target_with(change: impl FnOnce(&mut Config)) -> Rig {
    start(Watch::Nothing, change)
}

/// A node whose laws are checked, for tests that do not measure memory.
pub(crate) fn watched() -> Rig {
    start(Watch::Laws, |_| {})
}

fn start(watch: Watch, change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.probe_interval = Duration::ZERO;
    config.gossip_interval = Duration::ZERO;
    config.push_pull_interval = Duration::ZERO;
    change(&mut config);
    Rig::with(config, None, watch)
}

/// The bytes of datagrams that were sent since the last call.
pub(crate) fn bytes_sent(target: &mut Rig) -> usize {
    target.packets().iter().map(|packet| packet.payload.len()).sum()
}

pub(crate) fn counters(target: &Rig) -> Counters {
    target.node().stats().counters
}

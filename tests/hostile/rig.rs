use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use memberlist_proto::{Config, Counters};
use memberlist_sim::rig::{Rig, Watch};

/// What something has cost, in bytes.
#[derive(Debug)]
pub(crate) struct Cost {
    /// At the highest point, beyond what there was before.
    pub(crate) peak: usize,
    /// Allocated in all, however short it lived: what the work of copying grows with.
    pub(crate) total: usize,
    /// Kept afterwards.
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

/// What `work` costs; shown by `--nocapture`.
pub(crate) fn cost(what: &str, received: usize, work: impl FnOnce()) -> Cost {
    let cost = Cost::from(measure(work));
    println!("{what}: {received} bytes received, {cost:?}");
    cost
}

/// A node without periodic activity of its own.
pub(crate) fn target() -> Rig {
    target_with(|_| {})
}

/// The same with another configuration. It is held to no laws: they remember what has happened,
/// which would count as its own memory.
pub(crate) fn target_with(change: impl FnOnce(&mut Config)) -> Rig {
    start(Watch::Nothing, change)
}

/// A node that is held to the laws, where memory is not the subject.
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

/// Bytes of datagrams sent since the last call.
pub(crate) fn bytes_sent(target: &mut Rig) -> usize {
    target.packets().iter().map(|packet| packet.payload.len()).sum()
}

pub(crate) fn counters(target: &Rig) -> Counters {
    target.node().stats().counters
}

//! One node, and peers that send what the test lets them send.

use std::sync::Arc;
use std::time::Duration;

use memberlist_proto::{Compression, Config, Differences, Event, Hooks};
use memberlist_sim::rig::{Rig, Watch, address};

/// The configuration of a node named `me` that does nothing by itself.
pub(crate) fn config() -> Config {
    let mut config = Config::lan("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.probe_interval = Duration::ZERO;
    config.gossip_interval = Duration::ZERO;
    config.push_pull_interval = Duration::ZERO;
    config.compression = Compression::None;
    config.differences = Differences::default().with(|it| {
        it.random_phase = false;
        // As in Go: a node that a peer reports dead is dead, and a suspect is not asked once more.
        it.doubt_verdicts = false;
        it.ask_suspects = false;
    });
    config
}

/// Like [`config`], for a node that probes one member per second.
pub(crate) fn probing() -> Config {
    config().with(|it| it.probe_interval = Duration::from_secs(1))
}

/// The node, whose peers answer its pings unless they are silent.
pub(crate) fn start(config: Config) -> Rig {
    start_with(config, None)
}

pub(crate) fn start_with(config: Config, delegate: Option<Arc<dyn Hooks>>) -> Rig {
    let mut rig = Rig::with(config, delegate, Watch::Laws);
    rig.set_source(address("peer"));
    rig.answer_from_now_on();
    rig
}

/// How many members have joined since its events were last taken.
pub(crate) fn joined(rig: &mut Rig) -> usize {
    rig.events().iter().filter(|event| matches!(event, Event::Joined { .. })).count()
}

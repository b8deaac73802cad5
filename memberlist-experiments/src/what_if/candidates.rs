//! The settings that are tried.

use memberlist_proto::Config;

use super::Candidate;
use crate::cluster::{millis, secs};

/// The settings of the failure detector and of gossip with the greatest effect, in all
/// combinations.
pub(super) fn search(base: &Config) -> Vec<Candidate> {
    let mut all = Vec::new();
    for probe in [500, 1000, 2000, 5000] {
        for mult in [2, 3, 4, 6] {
            for gossip in [200, 500] {
                let mut config = base.clone();
                config.probe_interval = millis(probe);
                config.probe_timeout = base.probe_timeout.min(millis(probe / 2));
                config.suspicion_mult = mult;
                config.gossip_interval = millis(gossip);
                let name = format!(
                    "probe_interval={probe}ms suspicion_mult={mult} gossip_interval={gossip}ms"
                );
                all.push(Candidate { name, config });
            }
        }
    }
    all
}

/// Each of ten settings lower and higher.
pub(super) fn each(base: &Config) -> Vec<Candidate> {
    let mut all = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        all.push(Candidate { name: name.into(), config });
    };
    add("probe_interval=600ms", &|it| it.probe_interval = millis(600));
    add("probe_interval=2s", &|it| it.probe_interval = secs(2));
    add("probe_timeout=200ms", &|it| it.probe_timeout = millis(200));
    add("probe_timeout=900ms", &|it| it.probe_timeout = millis(900));
    add("indirect_checks=1", &|it| it.indirect_checks = 1);
    add("indirect_checks=6", &|it| it.indirect_checks = 6);
    add("suspicion_mult=2", &|it| it.suspicion_mult = 2);
    add("suspicion_mult=6", &|it| it.suspicion_mult = 6);
    add("suspicion_max_timeout_mult=2", &|it| it.suspicion_max_timeout_mult = 2);
    add("suspicion_max_timeout_mult=12", &|it| it.suspicion_max_timeout_mult = 12);
    add("awareness_max_multiplier=1", &|it| it.awareness_max_multiplier = 1);
    add("awareness_max_multiplier=16", &|it| it.awareness_max_multiplier = 16);
    add("gossip_interval=100ms", &|it| it.gossip_interval = millis(100));
    add("gossip_interval=500ms", &|it| it.gossip_interval = millis(500));
    add("gossip_nodes=2", &|it| it.gossip_nodes = 2);
    add("gossip_nodes=6", &|it| it.gossip_nodes = 6);
    add("retransmit_mult=2", &|it| it.retransmit_mult = 2);
    add("retransmit_mult=8", &|it| it.retransmit_mult = 8);
    add("push_pull_interval=10s", &|it| it.push_pull_interval = secs(10));
    add("push_pull_interval=120s", &|it| it.push_pull_interval = secs(120));
    all
}

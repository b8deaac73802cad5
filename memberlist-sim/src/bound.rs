//! How long a cluster may take to agree.

use std::time::Duration;

use memberlist_proto::Config;

use crate::sim::Sim;

/// A node chooses at random with which other it exchanges its full state. After this many
/// intervals, the state of each has reached every other in all but a few of a million small
/// clusters.
const EXCHANGES: u32 = 4;

/// The wait for an attempt to rejoin is random, too, and an attempt may go to a node that does not
/// help.
const ATTEMPTS: u32 = 20;

impl Sim {
    /// How long the running nodes may take, by their configurations, until all
    /// [agree](Self::agreement) again once nothing disturbs them any more: the maximum over these
    /// nodes of the sum of
    ///
    /// - a round of probes at the worst health, in which every failure is noticed;
    /// - the longest suspicion, of a member that came back often, and the time after which a dead
    ///   member makes room for others;
    /// - four intervals of full state exchanges, and as many more as it takes to learn all names
    ///   where their rate is limited;
    /// - twenty intervals of rejoining, where that is on.
    ///
    /// An interval of zero adds nothing, because it means that the activity is switched off.
    pub fn agreement_bound(&self) -> Duration {
        let running: Vec<_> = self.node_ids().filter(|id| self.runs(*id)).collect();
        let n = u32::try_from(running.len()).unwrap_or(u32::MAX);
        running.iter().map(|id| bound(self.node(*id).config(), n)).max().unwrap_or_default()
    }
}

fn bound(config: &Config, n: u32) -> Duration {
    let probe = config.probe_interval;
    // As in Go, every wrap around the list of members costs a tick.
    let turns = if config.differences.free_wrap { n } else { n + 1 };
    let round = probe * config.awareness_max_multiplier * turns;
    // The logarithm, rounded up to the next whole digit.
    let digits = n.max(1).ilog10() + 1;
    let suspicion = probe * config.suspicion_mult * config.suspicion_max_timeout_mult * digits;
    let suspicion = suspicion * 2_u32.pow(config.differences.doubt_flapping);
    let burst = u32::try_from(config.limits.new_members_burst).unwrap_or(u32::MAX);
    let exchange = config.push_pull_interval * digits_of_two(n);
    let exchanges = (exchange + config.tcp_timeout) * (EXCHANGES + n / burst);
    let rate = u32::try_from(config.limits.new_members_per_second).unwrap_or(u32::MAX);
    let names = Duration::from_secs((n / rate).into());
    let rejoin =
        if config.differences.rejoin { config.rejoin.interval * ATTEMPTS } else { Duration::ZERO };
    round + suspicion + config.gossip_to_the_dead_time + exchanges + names + rejoin
}

/// The most by which the interval of full state exchanges is multiplied in a cluster of `n`.
fn digits_of_two(n: u32) -> u32 {
    (n / 32).checked_ilog2().map_or(1, |doublings| doublings + 2)
}

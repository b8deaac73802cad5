//! A node with small limits and any switches.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{
    Candidate, Compression, Config, Differences, Hooks, Instant, Limits, Name, View,
};
use memberlist_sim::rig::{Rig, Watch};

use crate::input::Input;
use crate::wire::key;

/// Perhaps work is handed out, for which nothing has to be long.
fn hand_out_jobs(config: &mut Config, flags: u8) {
    config.hand_out_jobs = flags.count_ones() & 1 != 0;
    (config.limits.bytes_at_once, config.limits.records_at_once) = (16, 1);
    config.limits.jobs = 1 + usize::from(flags & 1);
}

/// `None` if no node can run with what was chosen.
pub(super) fn rig(now: Instant, input: &mut Input<'_>) -> Option<Rig> {
    let [flags, more, numbers] = [input.byte(), input.byte(), input.byte()];
    let mut config = Config::local("me");
    config.advertise_addr = [10, 0, 0, 1].into();
    config.advertise_port = 1;
    config.bind_port = 2;
    config.limits = Limits::default().with(|it| {
        it.members = 12;
        it.new_members_burst = 9;
        it.new_members_per_second = 2;
        it.streams = 5;
        it.streams_per_source = 3;
        it.stream_memory = 10 << 10;
        it.stream_memory_per_source = 6 << 10;
        it.push_pulls = 2;
        it.relays = 4;
        it.relays_per_second = 4;
        it.operations = 6;
        it.user_broadcasts = 3;
        it.stream_bytes = 1 << 12;
        it.stream_decompressed_bytes = 1 << 14;
        it.push_pull_nodes = 16;
        it.disseminations = 2;
        it.dissemination_bytes = 6 << 10;
        it.dissemination_streams = 2;
        it.told_dead = 2;
        it.lost_members = 3;
        it.reports_per_second = 5;
        it.replies_per_second = 4;
        it.share_per_source = 2;
    });
    if flags & 1 != 0 {
        config.label = "blue".into();
    }
    if flags & 2 != 0 {
        config.secret_keys = vec![key(16)];
    }
    if flags & 4 != 0 {
        config.differences = Differences::none();
    }
    hand_out_jobs(&mut config, flags ^ more ^ numbers);
    config.ask_local_state = flags & 8 != 0;
    config.ask_admit_merge = flags & 16 != 0;
    config.gossip_verify_incoming = flags & 32 == 0;
    config.gossip_verify_outgoing = flags & 64 == 0;
    config.compression = compression(flags & 128 == 0, more & 64 == 0);
    config.protocol_version = 1 + numbers % 5;
    config.udp_buffer_size = [512, 1400, 65_507][usize::from(numbers / 5 % 3)];
    config.suspicion = more & 1 == 0;
    config.buddy_ping = more & 2 == 0;
    config.nacks = more & 4 == 0;
    config.skip_inbound_label_check = more & 8 != 0 && flags & 1 == 0;
    if more & 16 != 0 {
        config.dead_node_reclaim_time = Duration::from_secs(5);
    }
    if more & 32 != 0 {
        config.push_pull_interval = Duration::from_secs(2);
    }
    if more & 64 != 0 {
        config.cidrs_allowed = Some(vec!["10.0.0.0/30".parse().ok()?]);
    }
    let search = usize::from(numbers / 15);
    let seeds = [&[][..], &["10.0.0.2:1"], &["some.host", "a/10.0.0.9:3"], &["other.host:9"]];
    config.seeds = seeds[search & 3].iter().map(|it| it.parse().expect("a peer")).collect();
    config.rejoin.interval = Duration::from_secs([3, 60, 0, 1][search >> 2 & 3]);
    config.rejoin.give_up_after = Duration::from_secs(60);
    let delegate: Option<Arc<dyn Hooks>> =
        if more & 128 == 0 { None } else { Some(Arc::new(Picky)) };
    Rig::start(now, config, delegate, [numbers; 32], Watch::Complete).ok()
}

const fn compression(on: bool, lzw: bool) -> Compression {
    match (on, lzw) {
        (true, true) => Compression::Lzw,
        (true, false) => Compression::Snappy,
        (false, _) => Compression::None,
    }
}

/// An application that uses every hook.
struct Picky;

impl Hooks for Picky {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let known = candidate.view.members().count();
        assert_eq!(known, candidate.view.num_members());
        if candidate.meta.first() == Some(&b'!') { Err("no".into()) } else { Ok(()) }
    }

    fn ack_payload(&self) -> Option<Bytes> {
        Some(Bytes::from_static(b"payload"))
    }

    fn broadcasts(&self, _: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        // One that fits exactly, if anything does.
        let len = limit.saturating_sub(overhead).min(40);
        if len == 0 { Vec::new() } else { vec![vec![8; len].into()] }
    }

    fn stream_ping(&self, node: Name<'_>) -> bool {
        node.as_bytes() != b"b"
    }
}

//! The Go library's three presets.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use bytes::Bytes;

use super::{Config, Differences, Limits, Rejoin};
use crate::node::NodeName;

/// The port that memberlist clusters use unless told otherwise.
pub const DEFAULT_PORT: u16 = 7946;

impl Config {
    /// For a local network (Go: `DefaultLANConfig`), announcing `127.0.0.1:7946`.
    pub fn lan(name: impl Into<NodeName>) -> Self {
        Self {
            name: name.into(),
            label: Bytes::new(),
            skip_inbound_label_check: false,
            advertise_addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertise_port: DEFAULT_PORT,
            bind_port: DEFAULT_PORT,
            protocol_version: 2,
            delegate_protocol_version: 0,
            delegate_protocol_min: 0,
            delegate_protocol_max: 0,
            meta: Bytes::new(),
            meta_max_size: 512,
            tcp_timeout: Duration::from_secs(10),
            indirect_checks: 3,
            retransmit_mult: 4,
            suspicion_mult: 4,
            suspicion_max_timeout_mult: 6,
            push_pull_interval: Duration::from_secs(30),
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            disable_tcp_pings: false,
            awareness_max_multiplier: 8,
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            gossip_to_the_dead_time: Duration::from_secs(30),
            gossip_verify_incoming: true,
            gossip_verify_outgoing: true,
            enable_compression: true,
            compress_min_size: 128,
            secret_keys: Vec::new(),
            udp_buffer_size: 1400,
            dead_node_reclaim_time: Duration::ZERO,
            require_node_names: false,
            cidrs_allowed: None,
            seeds: Vec::new(),
            rejoin: Rejoin::default(),
            queue_check_interval: Duration::from_secs(30),
            join_parallelism: 8,
            join_timeout: Duration::from_secs(60),
            ask_local_state: false,
            ask_admit_merge: false,
            suspicion: true,
            buddy_ping: true,
            nacks: true,
            limits: Limits::default(),
            differences: Differences::default(),
        }
    }

    /// For links between distant sites (Go: `DefaultWANConfig`).
    pub fn wan(name: impl Into<NodeName>) -> Self {
        Self {
            tcp_timeout: Duration::from_secs(30),
            suspicion_mult: 6,
            push_pull_interval: Duration::from_secs(60),
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            gossip_interval: Duration::from_millis(500),
            gossip_nodes: 4,
            gossip_to_the_dead_time: Duration::from_secs(60),
            join_timeout: Duration::from_secs(180),
            rejoin: Rejoin { interval: Duration::from_secs(60), ..Rejoin::default() },
            ..Self::lan(name)
        }
    }

    /// For one machine (Go: `DefaultLocalConfig`).
    pub fn local(name: impl Into<NodeName>) -> Self {
        Self {
            tcp_timeout: Duration::from_secs(1),
            indirect_checks: 1,
            retransmit_mult: 2,
            suspicion_mult: 3,
            push_pull_interval: Duration::from_secs(15),
            probe_timeout: Duration::from_millis(200),
            gossip_interval: Duration::from_millis(100),
            gossip_to_the_dead_time: Duration::from_secs(15),
            join_timeout: Duration::from_secs(10),
            rejoin: Rejoin { interval: Duration::from_secs(15), ..Rejoin::default() },
            ..Self::lan(name)
        }
    }
}

/// [`Config::lan`] without a name, which must be given before use.
impl Default for Config {
    fn default() -> Self {
        Self::lan("")
    }
}

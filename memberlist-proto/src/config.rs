//! The configuration of a node. Each struct has one table of fields, from which presets, checks,
//! settings and documents follow.

#[macro_use]
mod table;
#[macro_use]
mod words;
mod announcement;
mod compression;
mod differences;
pub mod fields;
mod limits;
mod reading;
mod rejoin;
mod validate;
mod zones;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

pub use self::announcement::Oversized;
pub use self::compression::Compression;
pub use self::differences::{AdvertiseForm, Differences};
use self::fields::{Bounds, Field, FieldType};
pub use self::limits::Limits;
pub use self::rejoin::Rejoin;
pub use self::validate::ConfigError;
use crate::node::{NodeName, ZoneRole};
use crate::peer::Peer;
use crate::security::Key;

/// The port that memberlist clusters use by default.
pub const DEFAULT_PORT: u16 = 7946;

/// Which set of values of the table is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preset {
    Lan,
    Wan,
    Local,
    /// The Go library's behaviour: [`Differences::none`].
    None,
}

impl Config {
    /// A configuration for a local network (Go: `DefaultLANConfig`). It announces `127.0.0.1:7946`
    /// until `advertise_addr` and `advertise_port` are set.
    pub fn lan(name: impl Into<NodeName>) -> Self {
        Self { name: name.into(), ..Self::preset(Preset::Lan) }
    }

    /// A configuration for links between distant sites (Go: `DefaultWANConfig`), which announces
    /// the same address.
    pub fn wan(name: impl Into<NodeName>) -> Self {
        Self { name: name.into(), ..Self::preset(Preset::Wan) }
    }

    /// A configuration for nodes on one machine (Go: `DefaultLocalConfig`), which announces the
    /// same address.
    pub fn local(name: impl Into<NodeName>) -> Self {
        Self { name: name.into(), ..Self::preset(Preset::Local) }
    }
}

table! {
    /// The configuration of one node: plain data, checked as a whole when a node is created.
    ///
    /// Start from [`Config::lan`], [`Config::wan`] or [`Config::local`], which hold the values of
    /// the Go library's presets of the same names, and change what you need. `Default` is
    /// [`Config::lan`] with an empty name: set one before use. A duration of zero switches the
    /// activity off where its description says so.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use memberlist_proto::{Config, Key};
    ///
    /// let mut config = Config::lan("web-1");
    /// config.advertise_addr = [10, 0, 0, 1].into();
    /// config.label = "blue".into();
    /// config.secret_keys = vec![Key::new(&[7; 32])?];
    /// config.gossip_interval = Duration::from_millis(100);
    /// config.validate()?;
    ///
    /// config.probe_timeout = config.probe_interval;
    /// let error = config.validate().unwrap_err().to_string();
    /// assert!(error.starts_with("`probe_timeout` is 1s, but"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, Debug, PartialEq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    #[allow(clippy::struct_excessive_bools)] // The protocol's own switches, each independent.
    pub struct Config in [], timing Timing {
        "Identity" {
            /// The name of this node, unique in the cluster.
            name: NodeName = (empty), within (1 to 255 bytes), go "Name";

            /// The label of the cluster, sent at the start of every packet and stream; empty for
            /// none. It keeps clusters apart that reach each other by mistake. It is no secret: it
            /// travels in clear text.
            #[cfg_attr(feature = "serde", serde(with = "crate::config::text"))]
            label: Bytes = (empty), within (0 to 255 bytes), go "Label";

            /// Accept packets and streams without a label although `label` is set, for a network
            /// layer that has already checked and removed it. Those with a label are then refused.
            skip_inbound_label_check: bool = (false), go "SkipInboundLabelCheck";

            /// Labels that are accepted in addition to `label` (the empty one stands for none), so
            /// that the label of a running cluster can be changed step by step (docs/labels.md).
            /// They cannot be combined with `skip_inbound_label_check`.
            #[cfg_attr(feature = "serde", serde(with = "crate::config::texts"))]
            accept_labels: Vec<Bytes> = (empty), within (0 to 16 entries);

            /// The metadata that this node announces from the start, at most `meta_max_size` bytes.
            #[cfg_attr(feature = "serde", serde(with = "crate::config::text"))]
            meta: Bytes = (empty), within (0 to 65_535 bytes), go "Delegate.NodeMeta";

            /// The zone that this node is in, such as one of a cloud's availability zones; empty
            /// for none. With a zone, gossip and full state exchanges stay within it, except for
            /// those of bridges (docs/zones.md). It is announced in front of `meta`, where it takes
            /// three bytes more than its own length.
            #[cfg_attr(feature = "serde", serde(with = "crate::config::text"))]
            zone: Bytes = (empty), within (0 to 16 bytes);

            /// What this node does in its zone: `member`, or `bridge`, which connects it with the
            /// bridges of other zones. Each zone needs two or three bridges; while one has none,
            /// zones have no effect.
            role: ZoneRole = (ZoneRole::Member);

            /// The most bytes of metadata that this node announces, the zone included. Go nodes
            /// never announce more than 512.
            meta_max_size: usize = (512), within (0 to 65_535 bytes), go "MetaMaxSize";

            /// The IP address that this node announces.
            advertise_addr: IpAddr = (IpAddr::V4(Ipv4Addr::LOCALHOST)),
                go "AdvertiseAddr", by adapter;

            /// The port that this node announces, for packets and streams alike.
            advertise_port: u16 = (DEFAULT_PORT), within (1 to 65_535), go "AdvertisePort",
                by adapter;

            /// The port that this node listens on. It also replaces a port of zero in what peers
            /// send, and a missing port in the addresses given to `join`.
            bind_port: u16 = (DEFAULT_PORT), within (1 to 65_535), go "BindPort", by adapter;
        }

        "Protocol versions" {
            /// The protocol version that this node speaks. Every node understands all five.
            protocol_version: u8 = (2), within (1 to 5), go "ProtocolVersion";

            /// The version of the application's own protocol that this node announces. It must lie
            /// between `delegate_protocol_min` and `delegate_protocol_max`.
            delegate_protocol_version: u8 = (0), within (0 to 255), go "DelegateProtocolVersion";

            /// The lowest version of the application's own protocol that this node understands.
            delegate_protocol_min: u8 = (0), within (0 to 255), go "DelegateProtocolMin";

            /// The highest version of the application's own protocol that this node understands.
            delegate_protocol_max: u8 = (0), within (0 to 255), go "DelegateProtocolMax";
        }

        "Failure detection" {
            /// The time between two probes; 0 switches failure detection off. It must be longer
            /// than `probe_timeout`.
            [live] probe_interval: Duration = (1 s), wan (5 s), within (0 or 1 ms to 24 h),
                go "ProbeInterval";

            /// How long a probe waits for the ack of its target before it asks other members to
            /// probe it, and how long a ping for another member or for the application may take.
            [live] probe_timeout: Duration = (500 ms), wan (3 s), local (200 ms),
                within (1 us to 24 h), go "ProbeTimeout";

            /// How many members are asked to probe a target that did not answer; 0 for none.
            [live] indirect_checks: usize = (3), local (1), within (0 to 1000),
                go "IndirectChecks";

            /// Never probe a target over a stream when it did not answer by packet.
            [live] disable_tcp_pings: bool = (false), go "DisableTcpPings";

            /// Scales the time in which a suspect may refute: at least `suspicion_mult` ×
            /// max(1, log10 n) × `probe_interval` in a cluster of n members.
            [live] suspicion_mult: u32 = (4), wan (6), local (3), within (1 to 100),
                go "SuspicionMult";

            /// The longest time in which a suspect may refute, as a multiple of the shortest. It
            /// applies until other members confirm the suspicion.
            [live] suspicion_max_timeout_mult: u32 = (6), within (1 to 100),
                go "SuspicionMaxTimeoutMult";

            /// The local health score stays below this; 1 switches local health awareness off.
            [live] awareness_max_multiplier: u32 = (8), within (1 to 1000),
                go "AwarenessMaxMultiplier";
        }

        "Gossip and full state exchanges" {
            /// The time between two rounds of gossip; 0 switches gossip off.
            [live] gossip_interval: Duration = (200 ms), wan (500 ms), local (100 ms),
                within (0 or 1 ms to 24 h), go "GossipInterval";

            /// How many members each round of gossip goes to; 0 switches gossip off.
            [live] gossip_nodes: usize = (3), wan (4), within (0 to 1000), go "GossipNodes";

            /// How long a dead member is still sent gossip, so that it can refute. Afterwards its
            /// record is removed, as is that of a member that left this long ago.
            [live] gossip_to_the_dead_time: Duration = (30 s), wan (60 s), local (15 s),
                within (0 to 8760 h), go "GossipToTheDeadTime";

            /// Scales how often each gossip message is sent: `retransmit_mult` × ⌈log10(n + 1)⌉
            /// times in a cluster of n members.
            [live] retransmit_mult: u32 = (4), local (2), within (1 to 1000), go "RetransmitMult";

            /// The time between two full state exchanges (push/pull) with a random member; 0 for
            /// none. It grows with the size of the cluster beyond 32 members.
            [live] push_pull_interval: Duration = (30 s), wan (60 s), local (15 s),
                within (0 or 1 ms to 24 h), go "PushPullInterval";

            /// How many members this node begins a full state exchange with at a time; 0 for none.
            /// A bridge in a zone takes at least two: the bridge of another zone, and any
            /// candidate.
            [live] push_pull_nodes: usize = (1), within (0 to 1000);

            /// How long opening a stream may take, and then each step of the exchange on it.
            [live] tcp_timeout: Duration = (10 s), wan (30 s), local (1 s),
                within (1 ms to 24 h), go "TCPTimeout";

            /// How long after its death a member's name stays bound to its address; 0 for as long
            /// as its record is kept.
            [live] dead_node_reclaim_time: Duration = (0 s), within (0 to 8760 h),
                go "DeadNodeReclaimTime";
        }

        "Joining" {
            /// Where the cluster can be found: addresses, and host names that are resolved anew for
            /// each attempt. While a seed is not a live member, this node looks for it as `rejoin`
            /// says. To join at once, use `join`.
            seeds: Vec<Peer> = (empty), within (0 to 1024 entries);

            /// How many peers of one `join` are tried at the same time.
            [live] join_parallelism: usize = (8), within (1 to 1000);

            /// How long one attempt of a `join` may take in all; 0 for no limit beyond
            /// `tcp_timeout` for each peer.
            [live] join_timeout: Duration = (60 s), wan (180 s), local (10 s),
                within (0 or 1 ms to 24 h);

            /// Ask the application for its state in every full state exchange
            /// (`RequestKind::LocalState`).
            ask_local_state: bool = (false), go "Delegate.LocalState", by adapter;

            /// Ask the application before the full state of a join is merged
            /// (`RequestKind::AdmitMerge`).
            ask_admit_merge: bool = (false), go "Merge", by adapter;

            /// Ask the delegate for messages each time that gossip is sent (`Hooks::broadcasts`).
            /// Switch this off for a delegate that never has any: only then does an idle node sleep
            /// through its gossip intervals.
            ask_broadcasts: bool = (true), go "Delegate.GetBroadcasts", by adapter;

            /// Hand out work on long messages of streams as jobs (`Memberlist::poll_job`), and
            /// check, merge and encode full states in parts, so that no call takes long.
            hand_out_jobs: bool = (false), by adapter;
        }

        "On the wire" {
            /// Compress packets where that makes them smaller, and streams: `lzw`, which every node
            /// reads, `snappy`, which only Rust nodes and those of Grafana's fork since 2026 read
            /// (docs/compression.md), or `none`. A node reads both, whatever it sends.
            [live] compression: Compression = (Compression::Lzw), go "EnableCompression";

            /// Packets shorter than this many bytes are sent uncompressed: they would only grow.
            [live] compress_min_size: usize = (128), within (0 bytes to 64 MiB);

            /// The target size of a packet, in bytes of UDP payload.
            udp_buffer_size: usize = (1400), within (512 bytes to 64 MiB), go "UDPBufferSize";

            /// The encryption keys, each of 16, 24 or 32 bytes. The first is the primary key, which
            /// encrypts; all of them decrypt. Empty for no encryption. As text they are in base64;
            /// serialization leaves them out.
            #[cfg_attr(feature = "serde", serde(skip))]
            secret_keys: Vec<Key> = (empty), within (0 to 256 entries), go "SecretKey";

            /// Refuse what is not encrypted, provided that there is a key
            /// (`set_verify` changes it while the node runs).
            gossip_verify_incoming: bool = (true), go "GossipVerifyIncoming";

            /// Encrypt what is sent, provided that there is a key
            /// (`set_verify` changes it while the node runs).
            gossip_verify_outgoing: bool = (true), go "GossipVerifyOutgoing";

            /// Refuse to send to an address without the name of its node, for transports that route
            /// by name.
            require_node_names: bool = (false), go "RequireNodeNames";

            /// The networks that members may come from. `None` (as text: `any`) allows every
            /// network, an empty list none.
            cidrs_allowed: Option<Vec<IpNet>> = (None), within (0 to 65_536 entries),
                go "CIDRsAllowed";

            /// The time between two samples of the queue lengths by the metrics of an adapter.
            queue_check_interval: Duration = (30 s), within (1 ms to 24 h),
                go "QueueCheckInterval";
        }

        "Experiments" {
            /// With `false` a failed probe declares its target dead at once, as SWIM does without
            /// its suspicion mechanism.
            suspicion: bool = (true);

            /// With `false` the probe of a suspect does not carry the suspicion (Lifeguard's buddy
            /// system).
            buddy_ping: bool = (true);

            /// With `false` helpers are never asked for nacks.
            nacks: bool = (true);
        }

        groups {
            /// How seeds and lost members are looked for (`differences.rejoin`).
            [live] rejoin: Rejoin;

            /// The bounds of every queue and table that input can fill.
            limits: Limits;

            /// Where this node deliberately behaves differently from the Go library.
            differences: Differences;
        }
    }
}

/// Bytes that people write as text: a string where they are UTF-8, else a list of numbers.
#[cfg(feature = "serde")]
mod text {
    use alloc::string::String;
    use alloc::vec::Vec;

    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    pub(super) enum Form {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        if !to.is_human_readable() {
            return bytes.serialize(to);
        }
        match core::str::from_utf8(bytes) {
            Ok(text) => text.serialize(to),
            Err(_) => bytes.as_ref().serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        if !from.is_human_readable() {
            return Bytes::deserialize(from);
        }
        Form::deserialize(from).map(Bytes::from)
    }

    impl From<Form> for Bytes {
        fn from(form: Form) -> Self {
            match form {
                Form::Text(text) => Self::from(text.into_bytes()),
                Form::Bytes(bytes) => Self::from(bytes),
            }
        }
    }
}

/// A list of such bytes.
#[cfg(feature = "serde")]
mod texts {
    use alloc::vec::Vec;

    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    struct Item<'a>(#[serde(with = "super::text")] &'a Bytes);

    pub(super) fn serialize<S: Serializer>(items: &[Bytes], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(items.iter().map(Item))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Bytes>, D::Error> {
        if !from.is_human_readable() {
            return Vec::deserialize(from);
        }
        let items = Vec::<super::text::Form>::deserialize(from)?;
        Ok(items.into_iter().map(Bytes::from).collect())
    }
}

#[cfg(test)]
mod tests;

//! Everything a node can be told before it starts.

mod differences;
mod limits;
mod presets;
mod validate;

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

pub use self::differences::{AdvertiseForm, Differences};
pub use self::limits::Limits;
pub use self::presets::DEFAULT_PORT;
pub use self::validate::ConfigError;
use crate::node::NodeName;
use crate::peer::Peer;
use crate::security::Key;

/// The configuration of one node: plain data, checked as a whole by
/// [`Memberlist::new`](crate::Memberlist::new).
///
/// Start from [`Config::lan`], [`Config::wan`] or [`Config::local`], which hold the values of the
/// Go library's presets of the same names, and change what you need. A duration of zero switches
/// the activity off where its description says so.
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
#[allow(clippy::struct_excessive_bools)] // The field's own switches, each independent.
pub struct Config {
    /// The name of this node, unique in the cluster: 1 to 255 bytes.
    pub name: NodeName,
    /// The cluster's label, put before every packet and stream: at most 255 bytes, empty for none.
    /// It separates clusters by mistake, not by malice: it travels in clear text.
    #[cfg_attr(feature = "serde", serde(with = "crate::config::text"))]
    pub label: Bytes,
    /// Accept what carries no label although `label` is set, for a migration or behind an outer
    /// layer that has taken the label off. What does carry one is then refused.
    pub skip_inbound_label_check: bool,
    /// The IP address told to the cluster.
    pub advertise_addr: IpAddr,
    /// The port told to the cluster, for packets and streams alike.
    pub advertise_port: u16,
    /// The port this node listens on; stands in for a port of zero in what peers send, and for a
    /// missing one in the addresses given to `join`.
    pub bind_port: u16,
    /// The protocol version spoken, 1 to 5. Everybody understands all of them.
    pub protocol_version: u8,
    /// The application's own protocol version, announced to peers.
    pub delegate_protocol_version: u8,
    /// The lowest application protocol version understood.
    pub delegate_protocol_min: u8,
    /// The highest application protocol version understood.
    pub delegate_protocol_max: u8,
    /// Metadata announced at the start: at most `meta_max_size` bytes.
    #[cfg_attr(feature = "serde", serde(with = "crate::config::text"))]
    pub meta: Bytes,
    /// The most bytes of metadata this node announces. Go nodes of any version accept 512.
    pub meta_max_size: usize,

    /// Time for connecting a stream, and again for each step of the exchange on it.
    pub tcp_timeout: Duration,
    /// How many members are asked to probe a target that did not answer.
    pub indirect_checks: usize,
    /// Each gossip message is sent `retransmit_mult` × (number of decimal digits of the cluster's
    /// size) times.
    pub retransmit_mult: u32,
    /// Scales how long a suspect may take to refute: at least `suspicion_mult` ×
    /// max(1, log10 n) × `probe_interval`.
    pub suspicion_mult: u32,
    /// The longest suspicion is this many times the shortest: at least 1.
    pub suspicion_max_timeout_mult: u32,
    /// Between two full state exchanges with a random member; zero for none.
    pub push_pull_interval: Duration,
    /// Between two probes; zero for none. Must exceed `probe_timeout`.
    pub probe_interval: Duration,
    /// How long a direct ack may take before others are asked.
    pub probe_timeout: Duration,
    /// Never probe over a stream what did not answer by packet.
    pub disable_tcp_pings: bool,
    /// The health score stays below this: at least 1, and 1 switches local health awareness off.
    pub awareness_max_multiplier: u32,
    /// Between two rounds of gossip; zero for none.
    pub gossip_interval: Duration,
    /// How many members each round of gossip goes to; zero for none.
    pub gossip_nodes: usize,
    /// How long a dead member is still sent gossip, so that it can refute; afterwards its record
    /// is forgotten.
    pub gossip_to_the_dead_time: Duration,
    /// With a key: refuse what is not encrypted.
    pub gossip_verify_incoming: bool,
    /// With a key: encrypt what is sent.
    pub gossip_verify_outgoing: bool,
    /// Compress packets that get smaller by it, and streams.
    pub enable_compression: bool,
    /// Packets shorter than this many bytes are sent as they are: they would only grow.
    pub compress_min_size: usize,
    /// The keys, each 16, 24 or 32 bytes; the first is the primary, which encrypts. Empty for no
    /// encryption. Never serialized.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub secret_keys: Vec<Key>,
    /// The target size of a packet, in bytes of UDP payload.
    pub udp_buffer_size: usize,
    /// How long a dead member's name stays bound to its address; zero for as long as the record
    /// lives.
    pub dead_node_reclaim_time: Duration,
    /// Refuse to send to an address without a node name, for transports that route by name.
    pub require_node_names: bool,
    /// Networks that members may come from; `None` allows all, an empty list none.
    pub cidrs_allowed: Option<Vec<IpNet>>,
    /// Where the cluster is found: names, resolved anew each time, or addresses. While a seed is no
    /// live member, this node looks for it as `rejoin` says. Joining is faster: see
    /// [`Memberlist::join`](crate::Memberlist::join).
    pub seeds: Vec<Peer>,
    /// How seeds and members that died are looked for (`differences.rejoin`).
    pub rejoin: Rejoin,
    /// Between two samples of the queue lengths by an adapter's metrics.
    pub queue_check_interval: Duration,

    /// How many peers of one `join` are tried at the same time: at least 1.
    pub join_parallelism: usize,
    /// How long one `join` may take in all; zero for no limit of its own.
    pub join_timeout: Duration,
    /// Ask the application for its state in every full state exchange
    /// ([`Request::LocalState`](crate::Request)).
    pub ask_local_state: bool,
    /// Ask the application before a join's full state is merged
    /// ([`Request::AdmitMerge`](crate::Request)).
    pub ask_admit_merge: bool,

    /// Experiment: with `false` a failed probe declares its target dead at once, as plain SWIM
    /// without suspicion does.
    pub suspicion: bool,
    /// Experiment: with `false` a suspect is not told of the suspicion in the probe itself
    /// (Lifeguard's buddy system).
    pub buddy_ping: bool,
    /// Experiment: with `false` helpers are never asked for nacks.
    pub nacks: bool,

    /// The bounds of every queue and table.
    pub limits: Limits,
    /// Where this node deliberately behaves otherwise than the Go library.
    pub differences: Differences,
}

/// How a node looks for those it should know: one full state exchange at a time with a seed that is
/// no live member, or with a member that died without leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Rejoin {
    /// The mean time between two attempts of a node that is alone, and for each that is missing
    /// between two attempts of the whole cluster; each wait is random between nothing and twice
    /// this. A node that is alone makes its first attempts sooner. Zero for none.
    pub interval: Duration,
    /// How long after its death a member is looked for; zero to look for seeds only.
    pub give_up_after: Duration,
}

impl Default for Rejoin {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), give_up_after: Duration::from_secs(86_400) }
    }
}

macro_rules! timing {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// The part of a [`Config`] that can change while the node runs
        /// ([`Memberlist::reconfigure`](crate::Memberlist::reconfigure)): the fields of the same
        /// names.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[allow(missing_docs)] // Each is described at the field of `Config` of the same name.
        pub struct Timing {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Config {
            /// The part that can change at run time.
            pub fn timing(&self) -> Timing {
                Timing { $($field: self.$field,)* }
            }

            /// Takes over `timing`, unchecked until used.
            pub fn set_timing(&mut self, timing: Timing) {
                $(self.$field = timing.$field;)*
            }
        }
    };
}

timing! {
    tcp_timeout: Duration,
    indirect_checks: usize,
    retransmit_mult: u32,
    suspicion_mult: u32,
    suspicion_max_timeout_mult: u32,
    push_pull_interval: Duration,
    probe_interval: Duration,
    probe_timeout: Duration,
    disable_tcp_pings: bool,
    awareness_max_multiplier: u32,
    gossip_interval: Duration,
    gossip_nodes: usize,
    gossip_to_the_dead_time: Duration,
    enable_compression: bool,
    compress_min_size: usize,
    dead_node_reclaim_time: Duration,
    join_parallelism: usize,
    join_timeout: Duration,
    rejoin: Rejoin,
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
    enum Form {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(bytes) {
            Ok(text) => text.serialize(to),
            Err(_) => bytes.as_ref().serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        Ok(match Form::deserialize(from)? {
            Form::Text(text) => Bytes::from(text.into_bytes()),
            Form::Bytes(bytes) => Bytes::from(bytes),
        })
    }
}

#[cfg(test)]
mod tests;

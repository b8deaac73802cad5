//! Transports: how packets and streams travel between nodes.
//!
//! By default packets are UDP datagrams and streams are TCP connections, as in the Go library. Two
//! families of its users, Alertmanager and Grafana's programs, have transports of their own, which
//! carry packets over connections too; with the [`Transport`] of the same kind, a node can join
//! their clusters. All members of a cluster must use the same transport.
//!
//! The protocol does not change: what is encrypted, compressed or labelled stays so. Only
//! `disable_tcp_pings` is set, since a ping over a stream would take the same path as the one that
//! was lost; and with [`Framing::Dskit`], packets may decompress to as much as [`Limits::frame`].
//!
//! [`Frame`], [`FrameReader`] and [`Pool`] are the parts of a transport that need no socket: for
//! programs that drive the core themselves.

mod figures;
mod framed;
mod frames;
mod hub;
mod inbound;
mod link;
mod outbound;
mod pool;
mod security;
mod sources;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use memberlist_proto::Config;

#[cfg(feature = "metrics")]
pub(crate) use self::figures::Bad;
pub(crate) use self::figures::Figures;
pub use self::figures::TransportStats;
pub(crate) use self::framed::Framed;
pub use self::frames::{Frame, FrameError, FrameReader, Framing, Origin, alertmanager, dskit};
pub(crate) use self::hub::Hub;
pub use self::pool::{Bounds, Failed, Pool, Queued, Serial, Turned};
pub(crate) use self::security::Security;
#[cfg(feature = "tls")]
pub(crate) use self::tls::{Certificates, Refusal};
#[cfg(feature = "tls")]
pub use self::tls::{ClientAuth, Tls, TlsError};

/// How packets and streams travel between nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    kind: Kind,
    /// The limits of its connections; not used by [`Transport::udp_tcp`].
    pub limits: Limits,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    UdpTcp,
    Tcp(Framing),
    #[cfg(feature = "tls")]
    Tls(Framing, Box<Tls>),
}

impl Transport {
    /// The default transport: packets over UDP and streams over TCP, on the same port.
    pub fn udp_tcp() -> Self {
        Self::default()
    }

    /// Packets and streams over TCP connections, without TLS.
    pub fn tcp(framing: Framing) -> Self {
        Self { kind: Kind::Tcp(framing), limits: Limits::default() }
    }

    /// Packets and streams over TLS connections, of version 1.2 or 1.3. Needs the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn tls(framing: Framing, tls: Tls) -> Self {
        Self { kind: Kind::Tls(framing, Box::new(tls)), limits: Limits::default() }
    }

    /// How packets and streams are distinguished on connections; `None` if packets are datagrams.
    pub fn framing(&self) -> Option<Framing> {
        match &self.kind {
            Kind::UdpTcp => None,
            Kind::Tcp(framing) => Some(*framing),
            #[cfg(feature = "tls")]
            Kind::Tls(framing, _) => Some(*framing),
        }
    }

    /// Adapts a configuration to this transport, as starting a node does: sets `disable_tcp_pings`,
    /// and for [`Framing::Dskit`] raises `differences.packet_decompressed_max` to
    /// [`Limits::frame`]. Call it before validating a configuration with long packets, which is
    /// valid only then. Does nothing for [`Transport::udp_tcp`].
    pub fn adapt(&self, config: &mut Config) {
        let Some(framing) = self.framing() else { return };
        // A ping over a stream would go the same way as the one that was lost.
        config.disable_tcp_pings = true;
        if framing == Framing::Dskit {
            // Its packets may be as long as a frame, and are compressed.
            let longest = &mut config.differences.packet_decompressed_max;
            *longest = (*longest).max(self.limits.frame);
        }
    }

    /// Whether a member's certificate must be for its name.
    pub(crate) fn requires_names(&self) -> bool {
        match &self.kind {
            Kind::UdpTcp | Kind::Tcp(_) => false,
            #[cfg(feature = "tls")]
            Kind::Tls(_, tls) => tls.require_certificate_name,
        }
    }

    /// The TLS settings; `None` without TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_settings(&self) -> Option<&Tls> {
        match &self.kind {
            Kind::Tls(_, tls) => Some(tls),
            Kind::UdpTcp | Kind::Tcp(_) => None,
        }
    }
}

/// How much of this process the connections of a transport may use. A stream counts only until it
/// is recognized as one; then the limits of the core apply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame, in bytes: a packet with its header. A longer one is not sent, and ends
    /// the connection on which it arrives.
    pub frame: usize,
    /// How many accepted connections may be open at a time; more are closed at once.
    pub connections: usize,
    /// How many of these may come from one IPv4 address or one IPv6 /64.
    pub connections_per_peer: usize,
    /// How many accepted connections may be unsettled at a time: their handshake or their first
    /// frame is not complete, so that it is unknown whether they carry packets or a stream.
    pub handshakes: usize,
    /// The last quarter of `handshakes` is reserved for IPv4 addresses, and IPv6 /64s, that have
    /// fewer unsettled connections than this.
    pub handshakes_per_peer: usize,
    /// The time limit for opening a connection including its handshake, for the handshake and first
    /// frame of an accepted one, and for the rest of a frame that has begun to arrive.
    pub handshake_time: Duration,
    /// The time limit for writing one packet.
    pub write_time: Duration,
    /// An opened connection on which no packet is sent for this long is closed.
    pub idle_time: Duration,
    /// An accepted connection on which no packet arrives for this long is closed. It should be
    /// long, since an Alertmanager then loses the next packet that it sends.
    pub idle_peer_time: Duration,
    /// The limits of the packets that wait to be sent.
    pub queue: Bounds,
    /// How many bytes of packets may have arrived and wait to be handled, where each packet counts
    /// 128 bytes more than its length; packets beyond that are dropped. The last quarter is
    /// reserved for IPv4 addresses, and IPv6 /64s, that hold at most a thirty-second of the total.
    pub arrived_bytes: usize,
    /// How many bytes of incomplete frames may have arrived, on all connections together; a
    /// connection that brings more is closed. The last quarter is reserved for IPv4 addresses, and
    /// IPv6 /64s, that hold at most a thirty-second of the total.
    pub partial_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 16 << 20,
            connections: 4096,
            connections_per_peer: 512,
            handshakes: 256,
            handshakes_per_peer: 16,
            handshake_time: Duration::from_secs(10),
            write_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(600),
            idle_peer_time: Duration::from_secs(3600),
            queue: Bounds::default(),
            arrived_bytes: 32 << 20,
            partial_bytes: 64 << 20,
        }
    }
}

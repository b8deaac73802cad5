//! Transports: how packets and streams travel between nodes.
//!
//! By default packets are UDP datagrams and streams TCP connections, as in the Go library. The largest
//! families of the library's users brought transports of their own, which carry packets over
//! connections too; a [`Transport`] of that kind makes a node one of theirs. All members of a cluster
//! must use the same one.
//!
//! The protocol does not change: what is encrypted, compressed or labelled stays so. Only
//! `disable_tcp_pings` is set, since a ping over a stream would take the same way as the one that was
//! lost; and with [`Framing::Dskit`], packets may decompress to as much as [`Limits::frame`].
//!
//! [`Frame`], [`FrameReader`] and [`Pool`] are what the tasks of a transport consist of, without any
//! socket: for programs that drive the core by themselves.

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
    /// What connections may take; without meaning for [`Transport::udp_tcp`].
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
    /// Packets by UDP and streams by TCP, on the same port: the default.
    pub fn udp_tcp() -> Self {
        Self::default()
    }

    /// Packets and streams by TCP connections, in plain text.
    pub fn tcp(framing: Framing) -> Self {
        Self { kind: Kind::Tcp(framing), limits: Limits::default() }
    }

    /// Packets and streams by TLS connections, versions 1.2 and 1.3. Feature `tls`.
    #[cfg(feature = "tls")]
    pub fn tls(framing: Framing, tls: Tls) -> Self {
        Self { kind: Kind::Tls(framing, Box::new(tls)), limits: Limits::default() }
    }

    /// How connections begin that carry packets or streams; nothing, if packets are datagrams.
    pub fn framing(&self) -> Option<Framing> {
        match &self.kind {
            Kind::UdpTcp => None,
            Kind::Tcp(framing) => Some(*framing),
            #[cfg(feature = "tls")]
            Kind::Tls(framing, _) => Some(*framing),
        }
    }

    /// What the core hears of a transport, which is only what it must; starting a node does it. A
    /// configuration with long packets is valid only afterwards.
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

    /// The TLS settings. Feature `tls`.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_settings(&self) -> Option<&Tls> {
        match &self.kind {
            Kind::Tls(_, tls) => Some(tls),
            Kind::UdpTcp | Kind::Tcp(_) => None,
        }
    }
}

/// What the connections of a transport may take of this process. Streams count only until they are
/// known as such: then the limits of the core hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest frame, in bytes: a packet with its header.
    pub frame: usize,
    /// Accepted connections at a time.
    pub connections: usize,
    /// Accepted connections from one IPv4 address, or one IPv6 /64, at a time.
    pub connections_per_peer: usize,
    /// Accepted connections at a time that have not said what they are for: their handshake, or their
    /// first frame, is under way.
    pub handshakes: usize,
    /// As many of them one IPv4 address, or one IPv6 /64, finds free whatever others take: the last
    /// quarter of `handshakes` is for those that have fewer.
    pub handshakes_per_peer: usize,
    /// The time for opening a connection with its handshake, for an accepted connection to say what
    /// it is for, and for a frame to arrive that has begun.
    pub handshake_time: Duration,
    /// The time for writing one packet.
    pub write_time: Duration,
    /// An opened connection on which no packet is sent for this long is closed.
    pub idle_time: Duration,
    /// An accepted connection on which no packet arrives for this long is closed. A peer of the
    /// Alertmanager kind loses its next packet then, so it is rather long.
    pub idle_peer_time: Duration,
    /// Packets that wait to be sent.
    pub queue: Bounds,
    /// Bytes of packets that have arrived and wait to be handled, each with 128 more; what is beyond is
    /// dropped. The last quarter is for IPv4 addresses, and IPv6 /64, that hold at most a thirty-second
    /// of it.
    pub arrived_bytes: usize,
    /// Bytes of frames that have begun to arrive, on all connections together. The last quarter is for
    /// IPv4 addresses, and IPv6 /64, that hold at most a thirty-second of it.
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

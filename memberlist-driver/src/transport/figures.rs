//! The statistics of a transport.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use memberlist_proto::{StreamFailure, TlsFailure};

use super::{FrameError, Framing};
use crate::driver::stream_failure;

/// Defines the figures once: counters, which only grow, and gauges, which are values of the moment.
macro_rules! figures {
    (
        counters { $($(#[doc = $doc:literal])+ $name:ident,)+ }
        gauges { $($(#[doc = $now_doc:literal])+ $now:ident,)+ }
    ) => {
        /// The statistics of a transport since the node's start. All of them stay 0 with
        /// [`Transport::udp_tcp`](super::Transport::udp_tcp).
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TransportStats {
            /// How packets and streams are distinguished on connections; `None` if packets are
            /// datagrams.
            pub framing: Option<Framing>,
            /// Whether connections are encrypted and verified by TLS.
            pub tls: bool,
            $($(#[doc = $doc])+ pub $name: u64,)+
            $($(#[doc = $now_doc])+ pub $now: u64,)+
            /// `bad_connections` by reason; reasons that have not occurred are absent.
            pub bad_by_reason: BTreeMap<&'static str, u64>,
            /// TLS connections that could not be established, by reason.
            pub tls_failures: BTreeMap<TlsFailure, u64>,
        }

        /// The figures while they are counted.
        #[derive(Debug, Default)]
        pub(crate) struct Figures {
            pub(super) framing: OnceLock<Framing>,
            pub(super) tls: AtomicBool,
            $(pub(super) $name: AtomicU64,)+
            $(pub(super) $now: AtomicU64,)+
            bad_by_reason: [AtomicU64; Bad::ALL.len()],
            tls_failures: Mutex<BTreeMap<TlsFailure, u64>>,
        }

        impl TransportStats {
            /// Every counter by its name, except those by reason.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// The meaning of each counter, by its name, in the order of [`iter`](Self::iter).
            pub fn descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$((stringify!($name), concat!($($doc),+))),+].into_iter()
            }

            /// Every gauge by its name.
            pub fn gauges(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($now), self.$now)),+].into_iter()
            }

            /// The meaning of each gauge, by its name, in the order of [`gauges`](Self::gauges).
            pub fn gauge_descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$((stringify!($now), concat!($($now_doc),+))),+].into_iter()
            }
        }

        impl Figures {
            pub(crate) fn read(&self) -> TransportStats {
                TransportStats {
                    framing: self.framing.get().copied(),
                    tls: self.tls.load(Ordering::Relaxed),
                    $($name: self.$name.load(Ordering::Relaxed),)+
                    $($now: self.$now.load(Ordering::Relaxed),)+
                    bad_by_reason: self.bad_connections(),
                    tls_failures: self.failures().clone(),
                }
            }
        }
    };
}

figures! {
    counters {
        /// Connections that this node opened to send packets.
        opened,
        /// Connections for sending packets that could not be opened, or that broke.
        failed,
        /// Connections that were accepted.
        accepted,
        /// TLS handshakes that were completed, on connections opened by either side.
        handshakes,
        /// Connections of peers that were closed at once because there were too many. The next four
        /// count the reasons.
        refused,
        /// Refused connections, because too many were open in total.
        refused_in_all,
        /// Refused connections, because too many were open from the same source.
        refused_of_source,
        /// Refused connections, because the purpose of too many was still unknown.
        refused_unsettled,
        /// Refused connections, because too many streams waited to be accepted.
        refused_streams,
        /// Accepted connections that ended badly: invalid data, a failed handshake, an error, or no
        /// data in time.
        bad_connections,
        /// Packets that were not sent: they made room for newer ones, or their peer could not be
        /// reached.
        packets_unsent,
        /// Packets that arrived and were dropped because too many were waiting.
        packets_dropped,
        /// How many times certificates were reloaded because their files had changed.
        certificates_reloaded,
        /// How many times reloading certificates failed; the previous ones stay in use.
        certificate_errors,
    }
    gauges {
        /// Accepted connections that carry packets, or whose purpose is still unknown.
        incoming,
        /// Accepted connections whose purpose is still unknown.
        unsettled,
        /// Addresses that packets are sent to; each has a queue.
        outgoing,
        /// Bytes of packets that wait to be sent.
        queued_bytes,
        /// Bytes of packets that have arrived and wait to be handled.
        arrived_bytes,
        /// Bytes of packets that have only partly arrived.
        partial_bytes,
    }
}

/// Why an accepted connection ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    TooLong,
    Cut,
    Tls,
    Kind,
    Version,
    Malformed,
    Sender,
    Digest,
    Crowded,
    Handshake,
    TimedOut,
    Reset,
    Other,
}

impl Bad {
    pub(crate) const ALL: [Self; 13] = [
        Self::TooLong,
        Self::Cut,
        Self::Tls,
        Self::Kind,
        Self::Version,
        Self::Malformed,
        Self::Sender,
        Self::Digest,
        Self::Crowded,
        Self::Handshake,
        Self::TimedOut,
        Self::Reset,
        Self::Other,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Cut => "cut",
            Self::Tls => "tls",
            Self::Kind => "kind",
            Self::Version => "version",
            Self::Malformed => "malformed",
            Self::Sender => "sender",
            Self::Digest => "digest",
            Self::Crowded => "crowded",
            Self::Handshake => "handshake",
            Self::TimedOut => "timed_out",
            Self::Reset => "reset",
            Self::Other => "other",
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(error) = inner.and_then(|it| it.downcast_ref::<FrameError>()) {
            return match error {
                FrameError::TooLong { .. } => Self::TooLong,
                FrameError::Cut => Self::Cut,
                FrameError::Tls => Self::Tls,
                FrameError::Kind(_) => Self::Kind,
                FrameError::Version => Self::Version,
                FrameError::Malformed(_) => Self::Malformed,
                FrameError::Sender => Self::Sender,
                FrameError::Digest => Self::Digest,
            };
        }
        if inner.and_then(|it| it.downcast_ref::<Crowded>()).is_some() {
            return Self::Crowded;
        }
        match stream_failure(error) {
            StreamFailure::UnexpectedTls => Self::Tls,
            StreamFailure::Tls(_) => Self::Handshake,
            StreamFailure::TimedOut => Self::TimedOut,
            StreamFailure::Reset => Self::Reset,
            _ => Self::Other,
        }
    }
}

/// There is no room for the bytes of a frame: all connections together may hold only so many.
#[derive(Debug, thiserror::Error)]
#[error("too many packets are under way, and no more of this one is taken")]
pub(super) struct Crowded;

impl TransportStats {
    /// Every value that [`name`](Self::name) can have.
    pub const NAMES: [&str; 5] =
        ["udp+tcp", "alertmanager", "alertmanager+tls", "dskit", "dskit+tls"];

    /// The name of the transport in use.
    pub fn name(&self) -> &'static str {
        match (self.framing, self.tls) {
            (None, _) => "udp+tcp",
            (Some(Framing::Alertmanager), false) => "alertmanager",
            (Some(Framing::Alertmanager), true) => "alertmanager+tls",
            (Some(Framing::Dskit), false) => "dskit",
            (Some(Framing::Dskit), true) => "dskit+tls",
        }
    }
}

/// Serializes as an object: `name`, and unless packets are datagrams, `framing`, `tls`, and every
/// counter and gauge by its name; `bad_by_reason` and `tls_failures` are objects themselves.
#[cfg(feature = "serde")]
impl serde::Serialize for TransportStats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name())?;
        if let Some(framing) = self.framing {
            map.serialize_entry("framing", framing.as_str())?;
            map.serialize_entry("tls", &self.tls)?;
            for (name, figure) in self.iter().chain(self.gauges()) {
                map.serialize_entry(name, &figure)?;
            }
            let failures: BTreeMap<_, _> = self
                .tls_failures
                .iter()
                .map(|(failure, count)| (failure.as_str(), count))
                .collect();
            map.serialize_entry("bad_by_reason", &self.bad_by_reason)?;
            map.serialize_entry("tls_failures", &failures)?;
        }
        map.end()
    }
}

pub(super) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

impl Figures {
    pub(super) fn bad(&self, reason: Bad) {
        count(&self.bad_connections);
        if let Some((_, figure)) = self.by_reason().find(|(it, _)| *it == reason) {
            count(figure);
        }
    }

    fn by_reason(&self) -> impl Iterator<Item = (Bad, &AtomicU64)> {
        Bad::ALL.into_iter().zip(&self.bad_by_reason)
    }

    fn bad_connections(&self) -> BTreeMap<&'static str, u64> {
        let counted =
            |(reason, figure): (Bad, &AtomicU64)| (reason.as_str(), figure.load(Ordering::Relaxed));
        self.by_reason().map(counted).filter(|(_, count)| *count > 0).collect()
    }

    pub(super) fn tls_failed(&self, failure: TlsFailure) {
        *self.failures().entry(failure).or_default() += 1;
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<TlsFailure, u64>> {
        self.tls_failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What a transport counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use memberlist_proto::TlsFailure;

use super::Framing;

/// The figures, each once.
macro_rules! figures {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a transport has counted since the node's start. All of it stays 0 with
        /// [`Transport::udp_tcp`](super::Transport::udp_tcp).
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TransportStats {
            /// How packets and streams are distinguished on connections; nothing, if packets are
            /// datagrams.
            pub framing: Option<Framing>,
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// TLS connections that did not come to be, by the reason.
            pub tls_failures: BTreeMap<TlsFailure, u64>,
        }

        /// The figures while they are counted.
        #[derive(Debug, Default)]
        pub(crate) struct Figures {
            pub(super) framing: OnceLock<Framing>,
            $(pub(super) $name: AtomicU64,)+
            tls_failures: Mutex<BTreeMap<TlsFailure, u64>>,
        }

        impl TransportStats {
            /// Every figure by its name, but the failures of TLS.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// What each figure means, by its name, in the order of [`iter`](Self::iter).
            pub fn descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$((stringify!($name), concat!($($doc),+))),+].into_iter()
            }
        }

        impl Figures {
            pub(crate) fn read(&self) -> TransportStats {
                TransportStats {
                    framing: self.framing.get().copied(),
                    $($name: self.$name.load(Ordering::Relaxed),)+
                    tls_failures: self.failures().clone(),
                }
            }
        }
    };
}

figures! {
    /// Connections that were opened for packets.
    opened,
    /// Connections for packets that could not be opened, or broke.
    failed,
    /// Connections that were accepted.
    accepted,
    /// Connections that were dropped at once, as there were too many.
    refused,
    /// Accepted connections that ended because of what they brought, or because they brought nothing.
    bad_connections,
    /// Packets that were not sent: those that made room for younger ones, and those to peers that
    /// could not be reached.
    packets_unsent,
    /// Packets that arrived and were dropped because too many were waiting.
    packets_dropped,
    /// How often certificates were read again because their files had changed.
    certificates_reloaded,
    /// How often that failed; the ones before stay in use.
    certificate_errors,
}

pub(super) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

impl Figures {
    pub(super) fn tls_failed(&self, failure: TlsFailure) {
        *self.failures().entry(failure).or_default() += 1;
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<TlsFailure, u64>> {
        self.tls_failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What a transport counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use memberlist_proto::TlsFailure;

/// What a transport has counted since the node's start. All of it stays 0 with
/// [`Transport::udp_tcp`](super::Transport::udp_tcp).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Connections that were opened for packets.
    pub opened: u64,
    /// Connections for packets that could not be opened, or broke.
    pub failed: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were dropped at once, as there were too many.
    pub refused: u64,
    /// Accepted connections that ended because of what they brought, or because they brought nothing.
    pub bad_connections: u64,
    /// Packets that were not sent: those that made room for younger ones, and those to peers that
    /// could not be reached.
    pub packets_unsent: u64,
    /// Packets that arrived and were dropped because too many were waiting.
    pub packets_dropped: u64,
    /// How often certificates were read again because their files had changed.
    pub certificates_reloaded: u64,
    /// How often that failed; the ones before stay in use.
    pub certificate_errors: u64,
    /// TLS connections that did not come to be, by the reason.
    pub tls_failures: BTreeMap<TlsFailure, u64>,
}

/// The figures while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(super) opened: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) bad_connections: AtomicU64,
    pub(super) packets_unsent: AtomicU64,
    pub(super) packets_dropped: AtomicU64,
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub(super) certificates_reloaded: AtomicU64,
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub(super) certificate_errors: AtomicU64,
    tls_failures: Mutex<BTreeMap<TlsFailure, u64>>,
}

pub(super) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}

impl Figures {
    pub(super) fn tls_failed(&self, failure: TlsFailure) {
        let mut failures = self.tls_failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(failure).or_default() += 1;
    }

    pub(crate) fn read(&self) -> TransportStats {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        TransportStats {
            opened: of(&self.opened),
            failed: of(&self.failed),
            accepted: of(&self.accepted),
            refused: of(&self.refused),
            bad_connections: of(&self.bad_connections),
            packets_unsent: of(&self.packets_unsent),
            packets_dropped: of(&self.packets_dropped),
            certificates_reloaded: of(&self.certificates_reloaded),
            certificate_errors: of(&self.certificate_errors),
            tls_failures: self.tls_failures.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

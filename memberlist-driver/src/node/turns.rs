//! The order of packets and timeouts, and how long to wait after a failure.

use std::time::Duration;

/// Packets or time: ready packets are handled before timeouts, so that a process that was asleep
/// reads the acks waiting in its socket before it suspects a member; yet a flood of packets does not
/// keep the timeouts from their turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    read: usize,
}

impl Turns {
    /// Packets to read before what they caused is sent.
    pub(super) const BATCH: usize = 64;

    /// Packets read before the timeouts have their turn although more are waiting: more of them
    /// than a socket buffer of 2 MiB holds.
    const PATIENCE: usize = 8192;

    /// After a batch of `packets` from a socket that may hold more: whether to handle the timeouts.
    pub(super) fn timeouts(&mut self, packets: usize, more: bool) -> bool {
        self.read += packets;
        let turn = !more || self.read >= Self::PATIENCE;
        if turn {
            self.read = 0;
        }
        turn
    }
}

/// Waits after failures in a row, each twice as long as the one before (Go: the accept loop of
/// `NetTransport`).
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    /// How long to wait now.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LONGEST);
        wait
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Self::FIRST }
    }
}

#[cfg(test)]
mod tests;

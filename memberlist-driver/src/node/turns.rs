//! The order of packets and timeouts, and how long to wait after a failure.

use std::time::Duration;

/// Decides between packets, timeouts and other tasks. Ready packets are handled before timeouts, so
/// that a process that was suspended reads the acks waiting in its socket before it suspects a
/// member; but a flood of packets must not starve the timeouts or other tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// What has been read since timeouts were last handled.
    timeouts: Load,
    /// What has been read since other tasks last had a turn.
    tasks: Load,
}

/// How many packets were read, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    packets: usize,
    time: Duration,
}

impl Turns {
    /// How many packets are read before other tasks have their turn.
    const ROUND: usize = 64;

    /// A round that takes this long ends early. One packet of 1.9 kB can cost a thousand times what
    /// another does, if it decompresses well.
    const ROUND_TIME: Duration = Duration::from_millis(10);

    /// How many packets are read before timeouts are handled although more packets wait: more than
    /// a socket buffer of 2 MiB holds.
    const PATIENCE: usize = 8192;

    /// How long packets are read before timeouts are handled although more packets wait: less than
    /// any interval between two probes in use.
    const PATIENCE_TIME: Duration = Duration::from_millis(100);

    /// The maximum time that a batch counts as. One that takes longer was interrupted together with
    /// the whole process, and then the packets in the socket must still be read before timeouts are
    /// handled.
    const LONGEST: Duration = Duration::from_millis(50);

    /// Whether to continue a batch that has had `packets` packets and taken `time`.
    pub(super) fn reads_on(&self, packets: usize, time: Duration) -> bool {
        !self.tasks.and(packets, time).reaches(Self::ROUND, Self::ROUND_TIME)
    }

    /// Counts a batch of `packets` packets that took `time`; returns whether to handle the timeouts
    /// now. `more`: the socket may hold more packets.
    pub(super) fn timeouts(&mut self, packets: usize, time: Duration, more: bool) -> bool {
        self.tasks = self.tasks.and(packets, time);
        self.timeouts = self.timeouts.and(packets, time.min(Self::LONGEST));
        let turn = !more || self.timeouts.reaches(Self::PATIENCE, Self::PATIENCE_TIME);
        if turn {
            self.timeouts = Load::default();
        }
        turn
    }

    /// Whether other tasks must have a turn now, although more packets wait.
    pub(super) fn tasks(&self) -> bool {
        self.tasks.reaches(Self::ROUND, Self::ROUND_TIME)
    }

    /// Other tasks have had their turn.
    pub(super) fn begin_round(&mut self) {
        self.tasks = Load::default();
    }
}

impl Load {
    fn and(self, packets: usize, time: Duration) -> Self {
        Self { packets: self.packets + packets, time: self.time + time }
    }

    fn reaches(self, packets: usize, time: Duration) -> bool {
        self.packets >= packets || self.time >= time
    }
}

/// The waits after consecutive failures, each twice as long as the one before (Go: the accept loop
/// of `NetTransport`).
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Returns how long to wait after one more failure.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(Self::LONGEST);
        wait
    }

    /// Resets the wait after a success.
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

//! The order of packets and timeouts, and how long to wait after a failure.

use std::time::Duration;

/// Packets or time: ready packets are handled before timeouts, so that a process that was asleep
/// reads the acks waiting in its socket before it suspects a member; yet a flood of packets keeps
/// neither the timeouts nor other tasks from their turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// What was read since the timeouts had their turn.
    timeouts: Load,
    /// What was read since other tasks had theirs.
    tasks: Load,
}

/// Packets that were read, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    packets: usize,
    time: Duration,
}

impl Turns {
    /// Packets to read before other tasks have their turn.
    const ROUND: usize = 64;

    /// A round that takes this long ends early. One packet of 1.9 kB can cost a thousand times what
    /// another does, if it decompresses well.
    const ROUND_TIME: Duration = Duration::from_millis(10);

    /// Packets read before the timeouts have their turn although more are waiting: more of them
    /// than a socket buffer of 2 MiB holds.
    const PATIENCE: usize = 8192;

    /// Time spent on packets before the timeouts have their turn although more are waiting: less than
    /// any interval between two probes.
    const PATIENCE_TIME: Duration = Duration::from_millis(100);

    /// The most time that a batch counts for. One that takes longer was interrupted, with the whole
    /// process, and then what waits in the socket must still be read before the timeouts.
    const LONGEST: Duration = Duration::from_millis(50);

    /// Whether a batch goes on that has had this many packets and taken this long.
    pub(super) fn reads_on(&self, packets: usize, time: Duration) -> bool {
        !self.tasks.and(packets, time).reaches(Self::ROUND, Self::ROUND_TIME)
    }

    /// After a batch of `packets`, which took `time`, from a socket that may hold more: whether to
    /// handle the timeouts.
    pub(super) fn timeouts(&mut self, packets: usize, time: Duration, more: bool) -> bool {
        self.tasks = self.tasks.and(packets, time);
        self.timeouts = self.timeouts.and(packets, time.min(Self::LONGEST));
        let turn = !more || self.timeouts.reaches(Self::PATIENCE, Self::PATIENCE_TIME);
        if turn {
            self.timeouts = Load::default();
        }
        turn
    }

    /// Whether other tasks are to have their turn, although more packets are waiting.
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

//! Acks that are awaited.

use super::Memberlist;
use crate::event::{Outcome, PingError};
use crate::probes::Awaiting;

impl Memberlist {
    pub(super) fn next_sequence(&mut self) -> u32 {
        self.me.sequence = self.me.sequence.wrapping_add(1);
        self.me.sequence
    }

    /// Begins to wait for an ack. If the sequence number has wrapped around and is in use, what
    /// waited for it before ends without an answer.
    pub(super) fn await_ack(&mut self, sequence: u32, awaiting: Awaiting) {
        match self.probes.wait(sequence, awaiting) {
            Some(Awaiting::Relay { expiry, nack, .. }) => {
                self.timers.cancel(expiry);
                if let Some(nack) = nack {
                    self.timers.cancel(nack);
                }
            }
            Some(Awaiting::Ping { op, timer, .. }) => {
                self.timers.cancel(timer);
                self.operations.remove(op);
                self.out.finished(op, Outcome::Ping(Err(PingError::NoResponse)));
            }
            Some(Awaiting::Suspect(_)) | None => {}
        }
    }
}

//! Operations that end before their time.

use super::Memberlist;
use crate::event::{ExchangeError, JoinError, OpId, WaitError};
use crate::operations::Operation;

impl Memberlist {
    pub(super) fn cancelled(&mut self, op: OpId) {
        match self.operations.get(op) {
            Some(Operation::Join(_)) => self.end_join(op, &JoinError::Cancelled),
            Some(Operation::Leave { .. } | Operation::SetMeta { .. }) => {
                self.end_wait(op, Err(WaitError::Cancelled));
            }
            Some(Operation::Ping { sequence }) => self.cancel_ping(op, *sequence),
            Some(Operation::SendReliable { stream }) => {
                match *stream {
                    Some(stream) => self.abort_stream(stream),
                    None => self.withdraw_letter(op),
                }
                self.sent_reliably(op, Err(ExchangeError::Cancelled));
            }
            Some(Operation::Settle(_)) => self.end_settle(op, Err(WaitError::Cancelled)),
            None => {}
        }
    }

    /// The time of an operation has run out.
    pub(super) fn operation_expired(&mut self, op: OpId) {
        match self.operations.get(op) {
            Some(Operation::Join(_)) => self.join_expired(op),
            Some(Operation::Leave { .. } | Operation::SetMeta { .. }) => {
                self.end_wait(op, Err(WaitError::TimedOut));
            }
            Some(Operation::Settle(_)) => self.settle_on(op),
            // A ping has a timer of its own, and a stream its deadline.
            Some(Operation::Ping { .. } | Operation::SendReliable { .. }) | None => {}
        }
    }
}

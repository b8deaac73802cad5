//! The consequences of a verb for other parts of the core.
//!
//! A verb never calls the activity that waits for its result: it leaves a value here, and the loop
//! in `memberlist/mod.rs` hands it on before the call into the core returns. So verbs call down
//! only, and no verb runs in the middle of another.

use alloc::collections::VecDeque;

use crate::event::ExchangeError;
use crate::exchange::Waiter;
use crate::members::MemberId;
use crate::transmit::StreamId;

/// One consequence.
#[derive(Clone, Debug)]
pub(crate) enum Follow {
    /// A member died. It may only be unreachable, so it is searched for.
    Died(MemberId),
    /// An exchange that something waits for has ended.
    Exchanged { stream: StreamId, waiter: Waiter, result: Result<(), ExchangeError> },
    /// A stream is gone, which makes room for another.
    StreamGone,
}

/// Consequences in the order in which they arose. Each call into the core drains it, so it needs
/// no bound of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follows(VecDeque<Follow>);

impl Follows {
    pub(crate) fn push(&mut self, follow: Follow) {
        self.0.push_back(follow);
    }

    pub(crate) fn next(&mut self) -> Option<Follow> {
        self.0.pop_front()
    }
}

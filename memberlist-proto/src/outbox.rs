//! What waits to be fetched by the driver.

use alloc::collections::VecDeque;

use crate::event::Event;
use crate::transmit::{Lookup, Request, StreamOp, Transmit};

/// Independent first-in-first-out queues. Everything in them follows from a call that the driver
/// made, and the driver empties them after each call, so they need no bound of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) streams: VecDeque<StreamOp>,
    pub(crate) lookups: VecDeque<Lookup>,
    pub(crate) requests: VecDeque<Request>,
    pub(crate) events: VecDeque<Event>,
}

impl Outbox {
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

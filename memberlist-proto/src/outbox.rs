//! The outputs that wait to be fetched by the driver.

use alloc::collections::VecDeque;

use crate::event::{Event, OpId, Outcome};
use crate::transmit::{Lookup, Request, StreamOp, Transmit};

/// The outputs in independent first-in-first-out queues. Everything in them follows from a call
/// that the driver made, and the driver empties them after each call, so they need no bound of
/// their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    transmits: VecDeque<Transmit>,
    streams: VecDeque<StreamOp>,
    lookups: VecDeque<Lookup>,
    requests: VecDeque<Request>,
    events: VecDeque<Event>,
    #[cfg(feature = "checkpoint")]
    digest: Option<crate::digest::Digest>,
}

/// Adds an output to the digest, if there is one.
macro_rules! digested {
    ($outbox:ident, $queue:literal, $output:expr) => {
        #[cfg(feature = "checkpoint")]
        if let Some(digest) = &mut $outbox.digest {
            digest.add($queue, $output);
        }
    };
}

impl Outbox {
    /// Keeps a digest of all outputs from now on.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn digest(&mut self) {
        self.digest.get_or_insert_default();
    }

    /// Returns the digest of the outputs since the last call, and of `next`; 0 if none is kept.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn take_digest(&mut self, next: Option<crate::time::Instant>) -> u64 {
        let Some(digest) = &mut self.digest else { return 0 };
        digest.add(5, &next);
        digest.take()
    }

    pub(crate) fn transmit(&mut self, transmit: Transmit) {
        digested!(self, 0, &transmit);
        self.transmits.push_back(transmit);
    }

    pub(crate) fn stream(&mut self, op: StreamOp) {
        digested!(self, 1, &op);
        self.streams.push_back(op);
    }

    pub(crate) fn lookup(&mut self, lookup: Lookup) {
        digested!(self, 2, &lookup);
        self.lookups.push_back(lookup);
    }

    pub(crate) fn request(&mut self, request: Request) {
        digested!(self, 3, &request);
        self.requests.push_back(request);
    }

    pub(crate) fn event(&mut self, event: Event) {
        digested!(self, 4, &event);
        self.events.push_back(event);
    }

    /// Reports that an operation has ended.
    pub(crate) fn finished(&mut self, op: OpId, outcome: Outcome) {
        self.event(Event::Finished { op, outcome });
    }

    pub(crate) fn next_transmit(&mut self) -> Option<Transmit> {
        next(&mut self.transmits)
    }

    pub(crate) fn next_stream(&mut self) -> Option<StreamOp> {
        next(&mut self.streams)
    }

    pub(crate) fn next_lookup(&mut self) -> Option<Lookup> {
        next(&mut self.lookups)
    }

    pub(crate) fn next_request(&mut self) -> Option<Request> {
        next(&mut self.requests)
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        next(&mut self.events)
    }
}

/// Takes the first output. After the last of a burst, the memory of the queue is freed.
fn next<T>(queue: &mut VecDeque<T>) -> Option<T> {
    /// The largest capacity that an empty queue keeps.
    const KEEP: usize = 256;
    let first = queue.pop_front();
    if queue.is_empty() && queue.capacity() > KEEP {
        *queue = VecDeque::new();
    }
    first
}

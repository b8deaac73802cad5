//! The applications that run on simulated nodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use memberlist_proto::{
    Answer, BroadcastKind, Candidate, Channel, Event, Hooks, Instant, Memberlist, Priority,
    RequestKind,
};

/// An application on a simulated node: it sees the node's events and answers its questions. It may
/// call any method of the `node` that it is given.
pub trait App {
    /// Returns the hooks that the node calls from inside its decisions; `None` for none. Called at
    /// every start of the node.
    fn delegate(&mut self) -> Option<Arc<dyn Hooks>> {
        None
    }

    /// Handles an event of the node; `now` is the time on the node's clock.
    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        let _ = (now, node, event);
    }

    /// Answers a question of the node, at once; with `None` the question is never answered. The
    /// node asks only what the `ask_*` fields of its configuration say. By default, the local state
    /// is empty and every merge is admitted.
    fn request(&mut self, now: Instant, request: &RequestKind) -> Option<Answer> {
        let _ = now;
        Some(match request {
            RequestKind::LocalState { .. } => Answer::LocalState(bytes::Bytes::new()),
            RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Ok(())),
        })
    }
}

/// An application that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl App for Silent {}

/// An application that broadcasts each message that arrives in a packet once more, as Serf does:
/// the protocol itself gossips a broadcast only from its origin. It keeps every message in memory,
/// so it is meant for tests.
#[derive(Clone, Debug, Default)]
pub struct Spread(BTreeSet<Bytes>);

/// The application of a node in a script.
pub(crate) struct Drawn {
    /// Passes broadcasts on, if there is one.
    pub(crate) spread: Option<Spread>,
    /// The name of the members that it refuses.
    pub(crate) vetoes: Option<String>,
}

impl App for Drawn {
    fn delegate(&mut self) -> Option<Arc<dyn Hooks>> {
        Some(Arc::new(Veto(self.vetoes.clone()?)))
    }

    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        if let Some(spread) = &mut self.spread {
            spread.event(now, node, event);
        }
    }
}

struct Veto(String);

impl Hooks for Veto {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let vetoed = candidate.name.as_bytes() == self.0.as_bytes();
        if vetoed { Err(format!("{} is not wanted", self.0)) } else { Ok(()) }
    }
}

impl App for Spread {
    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        if let Event::Message { payload, channel: Channel::Packet, .. } = event
            && self.0.insert(payload.clone())
        {
            let sent = node.broadcast(now, payload, BroadcastKind::Unique, Priority::Normal);
            sent.expect("what came in a packet fits into one");
        }
    }
}

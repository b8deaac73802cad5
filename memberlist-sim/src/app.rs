//! The application on a node.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use memberlist_proto::{
    Answer, BroadcastKind, Candidate, Channel, Event, Hooks, Instant, Memberlist, Priority,
    RequestKind,
};

/// The code of an application, driven by its node. It may call any operation on `node`.
pub trait App {
    /// What its node asks at once, from inside its decisions; called at every start.
    fn delegate(&mut self) -> Option<Arc<dyn Hooks>> {
        None
    }

    /// Something happened.
    fn event(&mut self, now: Instant, node: &mut Memberlist, event: &Event) {
        let _ = (now, node, event);
    }

    /// The node asks; asked only what its configuration's `ask_*` fields say. `None` never
    /// answers.
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

/// An application that passes every broadcast on once, as Serf does: the protocol itself sends a
/// broadcast only from where it began. It remembers all it has heard: for tests.
#[derive(Clone, Debug, Default)]
pub struct Spread(BTreeSet<Bytes>);

/// The application that a script asks for.
pub(crate) struct Drawn {
    /// Whether it passes broadcasts on.
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

//! The application on a node.

use memberlist_proto::{Answer, Event, Instant, Memberlist, RequestKind};

/// The code of an application, driven by its node. It may call any operation on `node`.
pub trait App {
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

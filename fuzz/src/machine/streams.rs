//! Streams as a driver sees them, and what peers do with them.

use std::collections::BTreeMap;

use memberlist_proto::security::Version;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::frame::{FrameSealing, seal_frame};
use memberlist_proto::wire::label;
use memberlist_proto::{StreamFailure, StreamId, StreamOp};

use super::{World, source};
use crate::hostile;
use crate::input::Input;

/// Every stream there has been.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<StreamId, Stream>);

#[derive(Default)]
struct Stream {
    accepted: bool,
    closing: bool,
    /// Aborted, or reported as closed.
    gone: bool,
    unwritten: usize,
}

impl Streams {
    pub(super) fn told(&mut self, op: StreamOp) {
        let id = op.id();
        if let StreamOp::Connect { .. } = op {
            assert!(self.0.insert(id, Stream::default()).is_none(), "{id:?} connects twice");
            return;
        }
        let stream = self.0.get_mut(&id).expect("a stream that was connected or accepted");
        assert!(!stream.gone, "{op:?} after the end");
        match op {
            StreamOp::Connect { .. } => {}
            StreamOp::Write { data, .. } => {
                assert!(!stream.closing, "{id:?} is written to after its close");
                assert!(!data.is_empty(), "{id:?}: nothing to write");
                stream.unwritten += data.len();
            }
            StreamOp::Close { .. } => {
                assert!(!stream.closing, "{id:?} is closed twice");
                stream.closing = true;
            }
            StreamOp::Abort { .. } => stream.gone = true,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.0.values().filter(|stream| !stream.gone).count()
    }

    /// Mostly one that is open.
    fn choose(&self, input: &mut Input<'_>) -> Option<StreamId> {
        let stale = input.byte() > 230;
        let ids: Vec<StreamId> =
            self.0.iter().filter(|(_, it)| stale || !it.gone).map(|(id, _)| *id).collect();
        (!ids.is_empty()).then(|| ids[input.below(ids.len())])
    }
}

impl World {
    pub(super) fn stream(&mut self, input: &mut Input<'_>) {
        let kind = input.below(16);
        if kind < 3 {
            return self.accept(input);
        }
        let Some(id) = self.streams.choose(input) else {
            return self.accept(input);
        };
        let now = self.now;
        let Some(stream) = self.streams.0.get_mut(&id) else { return };
        match kind {
            3..=6 => self.node.handle_stream_connected(now, id),
            7..=9 => {
                let unwritten = core::mem::take(&mut stream.unwritten);
                let part = if input.flag() { unwritten } else { unwritten / 2 };
                stream.unwritten = unwritten - part;
                self.node.handle_stream_written(now, id, part);
            }
            10 => self.node.handle_stream_eof(now, id),
            11 => {
                // A driver forgets an aborted stream, but a late report of its end does no harm.
                stream.gone = true;
                let cause = input.flag().then_some(StreamFailure::Reset);
                self.node.handle_stream_closed(now, id, cause);
            }
            12 => {
                let _ = self.node.handle_stream_data(now, id, input.string());
            }
            _ => {
                let accepted = stream.accepted;
                self.talk(id, accepted, input);
            }
        }
    }

    fn accept(&mut self, input: &mut Input<'_>) {
        let from = source(input);
        if let Some(id) = self.node.accept_stream(self.now, from) {
            let stream = Stream { accepted: true, ..Stream::default() };
            assert!(self.streams.0.insert(id, stream).is_none(), "{id:?} is used twice");
            self.talk(id, true, input);
        }
    }

    /// The peer says something well-formed, perhaps not all of it at once, or not all of it.
    fn talk(&mut self, id: StreamId, accepted: bool, input: &mut Input<'_>) {
        let message = hostile::stream_message(input, &self.known);
        let keys = self.node.keys();
        let own = self.node.config().label.clone();
        let sealing = FrameSealing {
            label: &own,
            key: keys.first().map(|key| (key, Version::Plain)),
            nonce: [9; 12],
            compress: input.flag(),
            only_if_smaller: true,
        };
        let mut sent = Vec::new();
        if accepted {
            label::write_header(&mut sent, &own);
        }
        let frame = seal_frame(&message, &sealing, &mut Scratch::new()).expect("short");
        sent.extend_from_slice(&frame);
        let (first, second) = sent.split_at(sent.len().min(input.byte().into()));
        let _ = self.node.handle_stream_data(self.now, id, first);
        if input.below(8) != 7 {
            let _ = self.node.handle_stream_data(self.now, id, second);
        }
    }
}

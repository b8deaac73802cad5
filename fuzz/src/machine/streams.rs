//! Streams as a driver sees them, and what peers do with them.

use std::collections::BTreeMap;

use memberlist_proto::security::Version;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
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
    /// Aborted, or reported as closed.
    gone: bool,
    unwritten: usize,
}

impl Streams {
    /// The node wants something done.
    pub(super) fn wanted(&mut self, op: StreamOp) {
        let stream = self.0.entry(op.id()).or_default();
        match op {
            StreamOp::Connect { .. } | StreamOp::Close { .. } => {}
            StreamOp::Write { data, .. } => stream.unwritten += data.len(),
            StreamOp::Abort { .. } => stream.gone = true,
        }
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
        let Some(stream) = self.streams.0.get_mut(&id) else { return };
        match kind {
            3..=6 => self.rig.connected(id),
            7..=9 => {
                let unwritten = core::mem::take(&mut stream.unwritten);
                let part = if input.flag() { unwritten } else { unwritten / 2 };
                stream.unwritten = unwritten - part;
                self.rig.written(id, part);
            }
            10 => self.rig.eof(id),
            11 => {
                // A driver forgets an aborted stream, but a late report of its end does no harm.
                stream.gone = true;
                let cause = input.flag().then_some(StreamFailure::Reset);
                self.rig.closed(id, cause);
            }
            12 => {
                let _ = self.rig.data(id, input.string());
            }
            _ => {
                let accepted = stream.accepted;
                self.talk(id, accepted, input);
            }
        }
    }

    fn accept(&mut self, input: &mut Input<'_>) {
        let from = source(input);
        if let Some(id) = self.rig.accept(from) {
            let stream = Stream { accepted: true, ..Stream::default() };
            self.streams.0.insert(id, stream);
            self.talk(id, true, input);
        }
    }

    /// The peer says something well-formed, perhaps not all of it at once, or not all of it.
    fn talk(&mut self, id: StreamId, accepted: bool, input: &mut Input<'_>) {
        let message = hostile::stream_message(input, &self.known);
        let keys = self.rig.node().keys();
        let own = self.rig.node().config().label.clone();
        let sealing = FrameSealing {
            label: &own,
            key: keys.first().map(|key| (key, Version::Plain)),
            nonce: [9; 12],
            compress: input.flag().then_some(Algorithm::Lzw),
            only_if_smaller: true,
        };
        let mut sent = Vec::new();
        if accepted {
            label::write_header(&mut sent, &own);
        }
        let frame = seal_frame(&message, &sealing, &mut Scratch::new()).expect("short");
        sent.extend_from_slice(&frame);
        let (first, second) = sent.split_at(sent.len().min(input.byte().into()));
        let _ = self.rig.data(id, first);
        if input.below(8) != 7 {
            let _ = self.rig.data(id, second);
        }
    }
}

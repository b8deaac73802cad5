//! Shortening a recording to the few inputs that still lead to an event.

use std::collections::BTreeMap;
use std::io::{self, Write};

use memberlist_proto::security::Version;
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compound;
use memberlist_proto::wire::frame::{FrameReader, FrameSealing, Role, seal_frame};
use memberlist_proto::wire::message::Message;
use memberlist_proto::wire::packet::{Sealing, Visit, open, seal};
use memberlist_proto::{
    Decision, Event, Input, Instant, Key, KeyId, Memberlist, Reply, Restoring, StreamId, StreamOp,
};

use crate::entry::{Entries, Entry, EntryRef};
use crate::format::{Header, Kind, MAGIC, VERSION, block};
use crate::reading::Reading;
use crate::recording::Session;
use crate::replay::{Replay, ReplayError, ReplayOptions, Step};

/// The most inputs that are handed in, over all attempts to leave some out.
const WORK: usize = 2_000_000;

/// A part of a recording that leads to an event, with as few other inputs as possible. Encrypted
/// messages are encrypted again with the placeholders for missing keys, so it replays without any
/// key.
#[derive(Clone, Debug)]
pub struct Shortened {
    header: Header,
    checkpoint: Vec<u8>,
    inputs: Vec<Kept>,
    /// How many inputs there were since the checkpoint.
    before: usize,
}

/// An input that is handed in again.
#[derive(Clone, Debug)]
struct Kept {
    at: Instant,
    entry: Entry<'static>,
    decisions: Vec<Decision>,
}

impl Shortened {
    /// Replays to the first event for which `wanted` is true, goes back to the last checkpoint
    /// before it, and leaves out inputs that the event does not need. `None` if there is no such
    /// event, or it does not happen with placeholders for the keys.
    ///
    /// # Errors
    ///
    /// The recording cannot be read as far as that event.
    pub fn of(
        session: &Session,
        options: &ReplayOptions,
        wanted: &dyn Fn(&Event) -> bool,
    ) -> Result<Option<Self>, ReplayError> {
        let mut replay = Replay::new(session, options)?;
        let mut resealing = Resealing::default();
        let mut number = None;
        let mut short = Self {
            header: replay.header().clone(),
            checkpoint: Vec::new(),
            inputs: Vec::new(),
            before: 0,
        };
        loop {
            let Some(step) = replay.step()? else { return Ok(None) };
            if number != Some(replay.header().number) {
                number = Some(replay.header().number);
                short.header = replay.header().clone();
                short.checkpoint = replay.checkpoint().to_vec();
                short.inputs.clear();
            }
            let found = step.outputs.events.iter().any(wanted);
            short.inputs.extend(resealing.input(replay.node(), &step));
            if found {
                break;
            }
        }
        short.before = short.inputs.len();
        if !short.shows(&short.inputs, wanted) {
            return Ok(None);
        }
        let all = std::mem::take(&mut short.inputs);
        short.inputs = fewest(all, WORK, |inputs| short.shows(inputs, wanted));
        Ok(Some(short))
    }

    /// How many inputs are left, and how many there were since the checkpoint.
    pub fn len(&self) -> (usize, usize) {
        (self.inputs.len(), self.before)
    }

    /// Whether there is no input.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Writes the part as a segment, which replays like any other.
    ///
    /// # Errors
    ///
    /// Writing to `out` fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut entries = Entries::default();
        if let Some(mut node) = self.restored() {
            node.note_outputs();
            for input in &self.inputs {
                entries.begin(input.at, &borrowed(&input.entry));
                hand_in(&mut node, input, |_| {});
                entries.end(input.decisions.iter().cloned(), node.take_digest());
            }
        }
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let header = serde_json::to_vec(&self.header)?;
        for (kind, payload) in [
            (Kind::Header, &header),
            (Kind::Checkpoint, &self.checkpoint),
            (Kind::Records, &entries.take(Vec::new())),
            (Kind::End, &Vec::new()),
        ] {
            if kind == Kind::End || !payload.is_empty() {
                out.write_all(&block(kind, payload))?;
                out.write_all(payload)?;
            }
        }
        Ok(())
    }

    fn restored(&self) -> Option<Memberlist> {
        let with = Restoring { stand_ins: true, any_core: true, ..Restoring::default() };
        Memberlist::restore_checkpoint(&self.checkpoint, &with).ok()
    }

    fn shows(&self, inputs: &[Kept], wanted: &dyn Fn(&Event) -> bool) -> bool {
        let Some(mut node) = self.restored() else { return false };
        let mut found = false;
        for input in inputs {
            hand_in(&mut node, input, |event| found |= wanted(event));
        }
        found
    }
}

fn borrowed<'b>(entry: &'b Entry<'static>) -> EntryRef<'static, 'b> {
    match entry {
        Entry::Input(input) => EntryRef::Input(input),
        Entry::AddKey(id) => EntryRef::AddKey(*id),
        Entry::UseKey(id) => EntryRef::UseKey(*id),
        Entry::RemoveKey(id) => EntryRef::RemoveKey(*id),
    }
}

fn hand_in(node: &mut Memberlist, input: &Kept, mut report: impl FnMut(&Event)) {
    for decision in &input.decisions {
        let _ = node.handle(input.at, Input::Decided(decision.clone()));
    }
    if let Some(entered) = input.entry.clone().into_input(KeyId::stand_in) {
        let _ = node.handle(input.at, entered);
    }
    while let Some(event) = node.poll_event() {
        report(&event);
    }
    while node.poll_transmit().is_some() || node.poll_stream().is_some() {}
    while node.poll_lookup().is_some() || node.poll_request().is_some() {}
}

/// Leaves out items for as long as `does` is true for the rest, and returns the rest in its order:
/// first large parts are left out, then small ones (delta debugging). In the end no single item can
/// be left out, unless `work` is used up before: it bounds the sum of the lengths of all attempts.
pub fn fewest<T: Clone>(
    mut items: Vec<T>,
    mut work: usize,
    mut does: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut part = items.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut shorter) = (0, false);
        while from < items.len() {
            let rest = items.len() - part.min(items.len() - from);
            let Some(left) = work.checked_sub(rest.max(1)) else { return items };
            work = left;
            let mut without = items.clone();
            without.drain(from..(from + part).min(items.len()));
            if does(&without) {
                (items, shorter) = (without, true);
            } else {
                from += part;
            }
        }
        if part == 1 && !shorter {
            return items;
        }
        part = if part == 1 { 1 } else { part.div_ceil(2) };
    }
}

/// Encrypts received messages again with the placeholders for the node's keys.
#[derive(Default)]
struct Resealing {
    scratch: Scratch,
    /// The reader of each stream's message, and the side that this node is.
    streams: BTreeMap<StreamId, (FrameReader, Role)>,
    nonces: u64,
}

impl Resealing {
    /// The input to keep for a step, which has just been handed to this node. `None` if nothing in
    /// it can be read, as in a part of a message that is complete only later.
    fn input(&mut self, node: &Memberlist, step: &Step) -> Option<Kept> {
        for op in &step.outputs.streams {
            if let StreamOp::Connect { id, .. } = op {
                self.streams.insert(*id, (FrameReader::new(Role::Initiator), Role::Initiator));
            }
        }
        if let Some(Ok(Reply::Accepted(id))) = &step.result {
            self.streams.insert(*id, (FrameReader::new(Role::Acceptor), Role::Acceptor));
        }
        let key = node.keys().first().and_then(|key| key.id().stand_in());
        let entry = match (&step.record.entry, key) {
            (Entry::Input(Input::Packet { from, packet }), Some(key)) => {
                let packet = self.packet(node, packet, &key)?.into();
                Entry::Input(Input::Packet { from: *from, packet })
            }
            (Entry::Input(Input::StreamData { id, data }), Some(key)) => {
                let data = self.frame(node, *id, data, &key)?.into();
                Entry::Input(Input::StreamData { id: *id, data })
            }
            (entry, _) => entry.clone(),
        };
        let (at, decisions) = (step.record.at, step.record.decisions.clone());
        Some(Kept { at, entry, decisions })
    }

    fn nonce(&mut self) -> [u8; 12] {
        self.nonces += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.nonces.to_le_bytes());
        nonce
    }

    fn packet(&mut self, node: &Memberlist, packet: &[u8], key: &Key) -> Option<Vec<u8>> {
        let reading = Reading::of(node);
        let mut messages = Messages::default();
        // What cannot be read now could not be read in the replay either.
        let _ = open(packet, &reading.packets(), &mut self.scratch, &mut messages);
        let message = match &messages.0[..] {
            [] => return None,
            [one] => one.clone(),
            several => {
                let mut joined = Vec::new();
                compound::encode(&mut joined, several).ok()?;
                joined
            }
        };
        let sealing = Sealing {
            label: &node.config().label,
            key: Some((key, Version::Plain)),
            nonce: self.nonce(),
            compress: None,
            compress_min_size: 0,
            checksum: false,
        };
        Some(seal(&message, &sealing, &mut self.scratch).to_vec())
    }

    fn frame(
        &mut self,
        node: &Memberlist,
        id: StreamId,
        data: &[u8],
        key: &Key,
    ) -> Option<Vec<u8>> {
        let reading = Reading::of(node);
        let (reader, role) = self.streams.get_mut(&id)?;
        let role = *role;
        let frame = reader.feed(data, &reading.streams()).ok()??;
        let sealing = FrameSealing {
            label: &node.config().label,
            key: Some((key, Version::Plain)),
            nonce: self.nonce(),
            compress: None,
            only_if_smaller: true,
        };
        let sealed = seal_frame(frame.as_bytes(), &sealing, &mut self.scratch).ok()?;
        // The opening side begins with its label.
        let mut out = Vec::new();
        if role == Role::Acceptor {
            memberlist_proto::wire::label::write_header(&mut out, &node.config().label);
        }
        out.extend_from_slice(&sealed);
        Some(out)
    }
}

#[derive(Default)]
struct Messages(Vec<Vec<u8>>);

impl Visit for Messages {
    fn message(&mut self, _: Message<'_>, bytes: &[u8]) {
        self.0.push(bytes.to_vec());
    }
}

#[cfg(test)]
mod tests;

//! Replaying the inputs of a recorded node.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use memberlist_proto::{
    CheckpointError, Event, Input, InputError, Instant, Key, KeyId, Lookup, Memberlist, Reply,
    Request, Restoring, StreamOp, Transmit,
};

use crate::entry::Record;
use crate::format::Header;
use crate::reader::{ReadError, SegmentReader};
use crate::recording::Session;

/// What a replay needs besides the recording.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// The node's keys, in any order; other keys do no harm. A missing key is replaced by one that
    /// no peer has: messages encrypted with it cannot be read, and whatever depends on them differs
    /// from what happened, until the checkpoint of the next segment.
    pub keys: Vec<Key>,
    /// Whether to replay a recording made by another version of the core. Its checkpoints may not
    /// be readable, and steps may differ because the cores do.
    pub any_core: bool,
    /// Begin with the last segment whose checkpoint is not after this time of the core. `None`
    /// begins with the first segment.
    pub from: Option<Instant>,
    /// End before the first input that is after this time of the core. `None` goes on to the end.
    pub until: Option<Instant>,
}

/// Why a replay ends before the recording does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The rest of the recording cannot be read. The steps before this error are valid.
    #[error("{}: {error}", file.display())]
    Read {
        /// The segment.
        file: PathBuf,
        /// Why it cannot be read.
        error: ReadError,
    },
    /// The recording was made by a core with other sources, and [`ReplayOptions::any_core`] is off.
    #[error(
        "recorded by another core ({version}, sources {recorded}), and this one ({}, sources \
         {:016x}) may differ",
        env!("CARGO_PKG_VERSION"),
        memberlist_proto::CORE_HASH
    )]
    OtherCore {
        /// The version of that core.
        version: String,
        /// The hash of its sources.
        recorded: String,
    },
    /// A checkpoint cannot be restored.
    #[error("{}: {error}", file.display())]
    Checkpoint {
        /// The segment.
        file: PathBuf,
        /// Why it cannot be restored.
        error: CheckpointError,
    },
}

/// Whether a step of the replay had the same outputs as the live node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The outputs are the same, byte for byte.
    Same,
    /// The outputs differ.
    Differs,
    /// The outputs differ, which is to be expected, since a key is missing.
    Unverified,
    /// The live node ended within this input, so there is nothing to compare with.
    Cut,
}

/// All outputs of one input.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Outputs {
    /// Datagrams to send.
    pub transmits: Vec<Transmit>,
    /// Operations on streams.
    pub streams: Vec<StreamOp>,
    /// Names to resolve.
    pub lookups: Vec<Lookup>,
    /// Questions to the application.
    pub requests: Vec<Request>,
    /// Events for the application.
    pub events: Vec<Event>,
}

/// One step of a replay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Step {
    /// The input that was handed in, and when.
    pub record: Record,
    /// What handing in the input returned; `None` if it could not be handed in without its key.
    pub result: Option<Result<Reply, InputError>>,
    /// The outputs of the input.
    pub outputs: Outputs,
    /// Whether the outputs are those of the live node.
    pub verdict: Verdict,
    /// In the first step of a segment: whether the replay of the segment before arrived at the
    /// state in the checkpoint. `None` in other steps, and if there was no segment before, it was
    /// cut off, or inputs are missing in between.
    pub arrived: Option<Verdict>,
}

/// Replays the segments of a run, one input at a time.
#[derive(Debug)]
pub struct Replay {
    segments: VecDeque<(PathBuf, Header)>,
    keys: BTreeMap<KeyId, Key>,
    any_core: bool,
    until: Instant,
    current: Current,
    /// The verdict on the checkpoint of the segment that was just begun.
    arrived: Option<Verdict>,
    ended: bool,
}

/// The segment that is being replayed.
#[derive(Debug)]
struct Current {
    file: PathBuf,
    reader: SegmentReader,
    node: Memberlist,
    missing: Vec<KeyId>,
}

impl Replay {
    /// Begins a replay: restores the checkpoint of its first segment.
    ///
    /// # Errors
    ///
    /// The checkpoint cannot be read or restored, or is of another core.
    pub fn new(session: &Session, options: &ReplayOptions) -> Result<Self, ReplayError> {
        let mut segments: VecDeque<(PathBuf, Header)> =
            session.segments().map(|(path, header)| (path.to_owned(), header.clone())).collect();
        let from = options.from.map_or(0, Instant::as_nanos);
        while segments.get(1).is_some_and(|(_, header)| header.at <= from) {
            segments.pop_front();
        }
        let (file, header) = segments.pop_front().ok_or_else(|| ReplayError::Read {
            file: PathBuf::new(),
            error: ReadError::Missing("segment"),
        })?;
        if !header.is_of_this_core() && !options.any_core {
            return Err(ReplayError::OtherCore {
                version: header.core_version,
                recorded: header.core_hash,
            });
        }
        let keys = options.keys.iter().map(|key| (key.id(), key.clone())).collect();
        let any_core = options.any_core;
        let current = Current::open(file, &keys, any_core)?;
        let until = options.until.unwrap_or(Instant::FAR_FUTURE);
        Ok(Self { segments, keys, any_core, until, current, arrived: None, ended: false })
    }

    /// The node as it is after the steps so far.
    pub fn node(&self) -> &Memberlist {
        &self.current.node
    }

    /// The header of the segment that is being replayed.
    pub fn header(&self) -> &Header {
        self.current.reader.header()
    }

    /// The checkpoint that the segment begins with.
    pub fn checkpoint(&self) -> &[u8] {
        self.current.reader.checkpoint()
    }

    /// The keys that a replay of this segment needs to be the same byte for byte, and that were not
    /// given.
    pub fn missing_keys(&self) -> &[KeyId] {
        &self.current.missing
    }

    /// Hands in the next input, and returns what it did; `None` at the end of the recording, at
    /// [`ReplayOptions::until`], and after an error.
    ///
    /// # Errors
    ///
    /// The rest of the recording cannot be read, or the next checkpoint cannot be restored.
    pub fn step(&mut self) -> Result<Option<Step>, ReplayError> {
        if self.ended {
            return Ok(None);
        }
        let step = self.try_step();
        self.ended |= step.is_err();
        step
    }

    fn try_step(&mut self) -> Result<Option<Step>, ReplayError> {
        loop {
            match self.current.reader.next_record() {
                Ok(Some(record)) if record.at > self.until => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(Some(record)) => {
                    let arrived = self.arrived.take();
                    return Ok(Some(self.current.hand_in(record, &self.keys, arrived)));
                }
                Ok(None) => {
                    if !self.next_segment()? {
                        return Ok(None);
                    }
                }
                // A segment that was cut off is followed by another if the node lived on.
                Err(ReadError::Truncated { .. }) if !self.segments.is_empty() => {
                    self.next_segment()?;
                }
                Err(error) => {
                    let file = self.current.file.clone();
                    return Err(ReplayError::Read { file, error });
                }
            }
        }
    }

    /// Goes on with the next segment, if there is one.
    fn next_segment(&mut self) -> Result<bool, ReplayError> {
        let Some((file, header)) = self.segments.pop_front() else { return Ok(false) };
        let next = Current::open(file, &self.keys, self.any_core)?;
        let complete = self.current.reader.is_complete();
        let follows = header.number == self.header().number + 1 && header.dropped == 0 && complete;
        let mut arrived = Vec::new();
        self.current.node.checkpoint(&mut arrived);
        self.arrived = follows.then(|| {
            if arrived == next.reader.checkpoint() {
                Verdict::Same
            } else if self.current.missing.is_empty() {
                Verdict::Differs
            } else {
                Verdict::Unverified
            }
        });
        self.current = next;
        Ok(true)
    }
}

impl Current {
    fn open(
        file: PathBuf,
        keys: &BTreeMap<KeyId, Key>,
        any_core: bool,
    ) -> Result<Self, ReplayError> {
        let opened = SegmentReader::open(&file);
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) => return Err(ReplayError::Read { file, error }),
        };
        let with = Restoring {
            keys: keys.values().cloned().collect(),
            stand_ins: true,
            any_core,
            delegate: None,
        };
        let mut node = match Memberlist::restore_checkpoint(reader.checkpoint(), &with) {
            Ok(node) => node,
            Err(error) => return Err(ReplayError::Checkpoint { file, error }),
        };
        node.note_outputs();
        let missing = reader.header().key_ids().filter(|id| !keys.contains_key(id)).collect();
        Ok(Self { file, reader, node, missing })
    }

    fn hand_in(
        &mut self,
        record: Record,
        keys: &BTreeMap<KeyId, Key>,
        arrived: Option<Verdict>,
    ) -> Step {
        let key = |id: KeyId| {
            keys.get(&id).cloned().or_else(|| {
                if !self.missing.contains(&id) {
                    self.missing.push(id);
                }
                id.stand_in()
            })
        };
        let input = record.entry.clone().into_input(key);
        for decision in &record.decisions {
            let _ = self.node.handle(record.at, Input::Decided(decision.clone()));
        }
        let result = input.map(|input| self.node.handle(record.at, input));
        let digest = self.node.take_digest();
        let verdict = match record.digest {
            None => Verdict::Cut,
            Some(recorded) if recorded == digest => Verdict::Same,
            Some(_) if self.missing.is_empty() => Verdict::Differs,
            Some(_) => Verdict::Unverified,
        };
        let outputs = Outputs::of(&mut self.node);
        Step { record, result, outputs, verdict, arrived }
    }
}

impl Outputs {
    fn of(node: &mut Memberlist) -> Self {
        Self {
            transmits: std::iter::from_fn(|| node.poll_transmit()).collect(),
            streams: std::iter::from_fn(|| node.poll_stream()).collect(),
            lookups: std::iter::from_fn(|| node.poll_lookup()).collect(),
            requests: std::iter::from_fn(|| node.poll_request()).collect(),
            events: std::iter::from_fn(|| node.poll_event()).collect(),
        }
    }
}

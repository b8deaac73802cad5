//! One input of a node in a recording, with the digest of its outputs.
//!
//! ```text
//! records: the time that the first record counts from, then record, record, …
//! record: time since the record before, entry, number of decisions plus one, decisions, digest u64
//! ```
//!
//! Times are nanoseconds. Everything but the digest is in the form of the crate `postcard`; the
//! time since the record before can be negative, and is written in zigzag form. A record with 0
//! where the number of decisions plus one should be ends there, and is the last: the node ended
//! within the input.

use memberlist_proto::{Command, Decision, Input, Instant, Key, KeyId, write_plain};
use serde::{Deserialize, Serialize};

use crate::reader::ReadError;

/// An input as it is recorded, with the ids of keys instead of the keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // Nearly all are the large one.
pub enum Entry<'a> {
    /// An input without a key.
    Input(Input<'a>),
    /// [`Command::AddKey`].
    AddKey(KeyId),
    /// [`Command::UseKey`].
    UseKey(KeyId),
    /// [`Command::RemoveKey`].
    RemoveKey(KeyId),
}

/// The same, borrowed to be written.
#[derive(Serialize)]
pub(crate) enum EntryRef<'a, 'b> {
    Input(&'b Input<'a>),
    AddKey(KeyId),
    UseKey(KeyId),
    RemoveKey(KeyId),
}

impl<'a, 'b> From<&'b Input<'a>> for EntryRef<'a, 'b> {
    fn from(input: &'b Input<'a>) -> Self {
        match input {
            Input::Command(Command::AddKey(key)) => Self::AddKey(key.id()),
            Input::Command(Command::UseKey(key)) => Self::UseKey(key.id()),
            Input::Command(Command::RemoveKey(key)) => Self::RemoveKey(key.id()),
            other => Self::Input(other),
        }
    }
}

impl Entry<'static> {
    /// Converts the entry to the input that was handed in. `key` returns the key with an id; `None`
    /// if it returns `None`.
    pub fn into_input(self, key: impl FnOnce(KeyId) -> Option<Key>) -> Option<Input<'static>> {
        Some(match self {
            Self::Input(input) => input,
            Self::AddKey(id) => Command::AddKey(key(id)?).into(),
            Self::UseKey(id) => Command::UseKey(key(id)?).into(),
            Self::RemoveKey(id) => Command::RemoveKey(key(id)?).into(),
        })
    }
}

/// One recorded input.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// When the input was handed in, in the core's time.
    pub at: Instant,
    /// The input.
    pub entry: Entry<'static>,
    /// The answers of the delegate in the middle of the input.
    pub decisions: Vec<Decision>,
    /// The digest of the node's outputs; `None` if the node ended within this input.
    pub digest: Option<u64>,
}

/// Writes records into a buffer, which is one block.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    buffer: Vec<u8>,
    /// The time of the first record, and of the last.
    times: Option<(u64, u64)>,
    /// Where the record begins whose end has not been written yet.
    open: Option<usize>,
    count: u64,
}

impl Entries {
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// How many records are complete.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        (self.times, self.open, self.count) = (None, None, 0);
    }

    /// The time of the first record.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.times.map(|(first, _)| Instant::from_nanos(first))
    }

    pub(crate) fn begin(&mut self, at: Instant, entry: &EntryRef<'_, '_>) {
        let at = at.as_nanos();
        if self.times.is_none() {
            write_plain(&mut self.buffer, &at);
        }
        let (first, last) = self.times.unwrap_or((at, at));
        self.times = Some((first, at));
        self.open = Some(self.buffer.len());
        // The difference of two numbers of 64 bits, which wraps the same way when it is read.
        write_plain(&mut self.buffer, &at.wrapping_sub(last).cast_signed());
        write_plain(&mut self.buffer, entry);
    }

    pub(crate) fn end(&mut self, decisions: impl Iterator<Item = Decision>, digest: u64) {
        // Almost every input has none, and an empty vector allocates nothing.
        let decisions: Vec<Decision> = decisions.collect();
        write_plain(&mut self.buffer, &(decisions.len() as u64 + 1));
        for decision in &decisions {
            write_plain(&mut self.buffer, decision);
        }
        self.buffer.extend_from_slice(&digest.to_le_bytes());
        self.open = None;
        self.count += 1;
    }

    /// Takes the block, and leaves `empty` in its place. A record that was begun is marked as the
    /// last.
    pub(crate) fn take(&mut self, empty: Vec<u8>) -> Vec<u8> {
        if self.open.take().is_some() {
            write_plain(&mut self.buffer, &0_u64);
        }
        (self.times, self.count) = (None, 0);
        std::mem::replace(&mut self.buffer, empty)
    }
}

/// Reads the records of a block.
#[derive(Debug)]
pub(crate) struct Records {
    payload: Vec<u8>,
    at: usize,
    time: u64,
}

impl Records {
    pub(crate) fn new(payload: Vec<u8>) -> Result<Self, ReadError> {
        let mut records = Self { payload, at: 0, time: 0 };
        records.time = records.read()?;
        Ok(records)
    }

    pub(crate) fn next(&mut self) -> Result<Option<Record>, ReadError> {
        if self.at >= self.payload.len() {
            return Ok(None);
        }
        let since: i64 = self.read()?;
        self.time = self.time.wrapping_add_signed(since);
        let entry = self.read()?;
        let count: u64 = self.read()?;
        let mut decisions = Vec::new();
        for _ in 1..count {
            decisions.push(self.read()?);
        }
        let digest = if count == 0 { None } else { Some(self.digest()?) };
        Ok(Some(Record { at: Instant::from_nanos(self.time), entry, decisions, digest }))
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, ReadError> {
        let rest = self.payload.get(self.at..).unwrap_or_default();
        let (value, rest) = postcard::take_from_bytes(rest).map_err(|_| ReadError::Malformed)?;
        self.at = self.payload.len() - rest.len();
        Ok(value)
    }

    fn digest(&mut self) -> Result<u64, ReadError> {
        let rest = self.payload.get(self.at..).and_then(|rest| rest.first_chunk());
        let digest = rest.ok_or(ReadError::Malformed)?;
        self.at += digest.len();
        Ok(u64::from_le_bytes(*digest))
    }
}

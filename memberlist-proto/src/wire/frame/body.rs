//! Parsing a message as it arrives.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use bytes::Bytes;

use super::parsed::{Frame, Kind};
use super::{FrameError, FrameLimits};
use crate::wire::compress::{CompressError, Compressed};
use crate::wire::message::{Ack, ErrorReply, MessageType, Ping};
use crate::wire::msgpack::{DecodeError, MAX_NESTING, Reader, Scanner};
use crate::wire::push_pull::{Header, NodeState, UserHeader};

/// A message whose bytes so far are in one buffer, type byte first. Every byte is scanned once,
/// every value is checked as soon as it is complete, and memory is never reserved for what a header
/// announces.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Body {
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::grown"))]
    buffer: Vec<u8>,
    stage: Stage,
    scanner: Scanner,
    /// Where the value that is being scanned begins.
    value_at: usize,
    scanned: usize,
    header: Header,
    states_at: usize,
}

/// What the next bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Stage {
    Type,
    Single(MessageType),
    UserHeader,
    PushPullHeader,
    States { left: u64 },
    Tail { end: usize },
    Complete,
}

impl Body {
    pub(super) fn new() -> Self {
        Self::of(Vec::new())
    }

    /// A body all of whose bytes are in `buffer`.
    pub(super) fn of(buffer: Vec<u8>) -> Self {
        Self {
            buffer,
            stage: Stage::Type,
            scanner: scanner(0),
            value_at: 0,
            scanned: 0,
            header: Header::default(),
            states_at: 0,
        }
    }

    /// Takes the next bytes and returns whether the message is complete. Bytes after its end are
    /// ignored.
    pub(super) fn feed(
        &mut self,
        mut data: &[u8],
        limits: &FrameLimits,
    ) -> Result<bool, FrameError> {
        if self.buffer.is_empty() && !data.is_empty() {
            // The first byte decides which limit applies to the rest, so that it is read alone.
            let (first, rest) = data.split_at(1);
            self.buffer.extend_from_slice(first);
            data = rest;
            if self.advance(limits)? {
                return Ok(true);
            }
        }
        // No more than the limit is ever buffered. Whether it is exceeded is only decided after
        // parsing: a message that ends exactly at the limit is allowed, whatever follows it.
        let limit = self.limit(limits);
        let room = limit.saturating_sub(self.buffer.len());
        let taken = data.get(..room).unwrap_or(data);
        self.buffer.extend_from_slice(taken);
        if self.advance(limits)? {
            Ok(true)
        } else if taken.len() < data.len() {
            Err(FrameError::TooLong { limit })
        } else {
            Ok(false)
        }
    }

    /// Parses as far as the bytes reach and returns whether the message is complete.
    pub(super) fn advance(&mut self, limits: &FrameLimits) -> Result<bool, FrameError> {
        loop {
            let stage = self.stage;
            match stage {
                Stage::Complete => return Ok(true),
                Stage::Type => {
                    let Some(&code) = self.buffer.first() else {
                        return Ok(false);
                    };
                    self.stage = match MessageType::from_code(code) {
                        Some(MessageType::PushPull) => Stage::PushPullHeader,
                        Some(MessageType::User) => Stage::UserHeader,
                        Some(
                            kind @ (MessageType::Ping
                            | MessageType::Ack
                            | MessageType::Error
                            | MessageType::Compress),
                        ) => Stage::Single(kind),
                        // Streams carry no other types: the caller refuses them by the type alone
                        // (Go: `handleConn`), so that nothing more needs to arrive.
                        _ => Stage::Complete,
                    };
                    self.begin_value(1);
                }
                // Raw bytes have no structure to parse: only their number counts.
                Stage::Tail { end } => {
                    if self.buffer.len() < end {
                        return Ok(false);
                    }
                    self.stage = Stage::Complete;
                    self.scanned = end;
                }
                Stage::States { left: 0 } => self.stage = self.tail(self.header.user_state_len),
                // Most states are whole and in their usual form, which shows where they end.
                Stage::States { left }
                    if self.scanned == self.value_at && self.state_in_order() =>
                {
                    self.stage = Stage::States { left: left.saturating_sub(1) };
                }
                _ => {
                    // The scanner only looks for the value's end; the value is decoded when all of it
                    // is there. Decoding what has arrived at every chunk instead would take O(n²)
                    // for a state that arrives byte by byte.
                    let new = self.buffer.get(self.scanned..).unwrap_or_default();
                    match self.scanner.feed(new).map_err(|error| self.malformed(error))? {
                        ControlFlow::Continue(()) => {
                            self.scanned = self.buffer.len();
                            return Ok(false);
                        }
                        ControlFlow::Break(used) => {
                            self.scanned = self.scanned.saturating_add(used);
                            self.stage = self.value(limits)?;
                            self.begin_value(self.scanned);
                        }
                    }
                }
            }
        }
    }

    /// The type byte, once it has arrived.
    pub(super) fn code(&self) -> Option<u8> {
        self.buffer.first().copied()
    }

    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The bytes of the complete message.
    pub(super) fn whole(&self) -> &[u8] {
        self.buffer.get(..self.scanned).unwrap_or_default()
    }

    /// Takes the bytes of the complete message.
    pub(super) fn into_whole(mut self) -> Bytes {
        self.buffer.truncate(self.scanned);
        self.buffer.into()
    }

    /// Turns the complete message into a frame. `compressed` is the message that it was inside, if
    /// it was compressed.
    pub(super) fn into_frame(mut self, compressed: Option<Bytes>) -> Frame {
        self.buffer.truncate(self.scanned);
        let code = self.code().unwrap_or_default();
        let kind = match MessageType::from_code(code) {
            Some(MessageType::PushPull) => Kind::PushPull {
                header: self.header,
                states_at: self.states_at,
                user_state_at: self.value_at,
            },
            Some(MessageType::User) => Kind::User { payload_at: self.value_at },
            Some(MessageType::Ping | MessageType::Ack | MessageType::Error) => Kind::Single,
            _ => Kind::Other,
        };
        // The bytes live as long as the frame, which may wait for the application's answer. Growing
        // may have left as much spare capacity as there are bytes; a boxed slice has none. Where
        // there is little to spare, it is not worth moving the bytes.
        let spare = self.buffer.capacity().saturating_sub(self.buffer.len());
        let data = if spare <= self.buffer.len() / 8 {
            self.buffer.into()
        } else {
            self.buffer.into_boxed_slice().into()
        };
        Frame { code, kind, data, compressed }
    }

    /// Checks a complete value and returns the stage that follows it.
    fn value(&mut self, limits: &FrameLimits) -> Result<Stage, FrameError> {
        let mut reader =
            Reader::new_at(self.buffer.get(..self.scanned).unwrap_or_default(), self.value_at);
        let body = reader.rest();
        match self.stage {
            Stage::Single(kind) => {
                let checked = match kind {
                    MessageType::Ping => Ping::decode(body).map(drop),
                    MessageType::Ack => Ack::decode(body).map(drop),
                    MessageType::Error => ErrorReply::decode(body).map(drop),
                    _ => Compressed::decode(body).map(drop),
                };
                checked.map_err(|error| self.malformed(error))?;
                Ok(Stage::Complete)
            }
            Stage::UserHeader => {
                let len = UserHeader::read(&mut reader)?.len;
                within(len, limits.max_user_message).ok_or(FrameError::UserMessage(len))?;
                Ok(self.tail(len))
            }
            Stage::PushPullHeader => {
                let header = Header::read(&mut reader)?;
                let nodes = within(header.nodes, limits.max_nodes)
                    .ok_or(FrameError::Nodes(header.nodes))?;
                within(header.user_state_len, limits.max_user_state)
                    .ok_or(FrameError::UserState(header.user_state_len))?;
                // Both numbers are checked before any state arrives. Go checks the second one only
                // after the states, by which time it has allocated for the first.
                self.header = header;
                self.states_at = self.scanned;
                Ok(Stage::States { left: nodes })
            }
            Stage::States { left } => {
                NodeState::read(&mut reader)?;
                Ok(Stage::States { left: left.saturating_sub(1) })
            }
            stage => Ok(stage),
        }
    }

    /// Passes over a state that has arrived as a whole and in its usual form.
    fn state_in_order(&mut self) -> bool {
        let mut reader = Reader::new_at(&self.buffer, self.value_at);
        if reader.in_order(NodeState::in_order).is_none() {
            return false;
        }
        let left = reader.rest().len();
        self.begin_value(self.buffer.len().saturating_sub(left));
        true
    }

    fn begin_value(&mut self, at: usize) {
        self.value_at = at;
        self.scanned = at;
        self.scanner = scanner(at);
    }

    fn tail(&self, len: i64) -> Stage {
        let len = usize::try_from(len).unwrap_or_default();
        Stage::Tail { end: self.scanned.saturating_add(len) }
    }

    /// How many bytes the message may have if it arrives as plaintext. Encrypted and decompressed
    /// bytes have been limited before they get here.
    fn limit(&self, limits: &FrameLimits) -> usize {
        match self.code().and_then(MessageType::from_code) {
            Some(MessageType::PushPull) => limits.max_plain_push_pull,
            Some(MessageType::User) => match self.stage {
                // Once the header has been checked, nothing beyond its length is buffered.
                Stage::Tail { end } => end,
                _ => limits.max_small.saturating_add(limits.max_user_message),
            },
            Some(MessageType::Compress) => limits.max_compressed,
            _ => limits.max_small,
        }
    }

    /// A fault in the map around compressed bytes is a fault of the compression, which is answered,
    /// while malformed messages are not.
    fn malformed(&self, error: DecodeError) -> FrameError {
        if self.stage == Stage::Single(MessageType::Compress) {
            CompressError::Message(error).into()
        } else {
            error.into()
        }
    }
}

/// A scanner for a value at `at`. The value's own array or map is one level; each of its fields may
/// have the codec's full depth.
fn scanner(at: usize) -> Scanner {
    Scanner::new(MAX_NESTING.saturating_add(1)).starting_at(at)
}

/// A length or number that a header announces, if it is neither negative nor beyond its limit.
fn within(value: i64, limit: usize) -> Option<u64> {
    u64::try_from(value).ok().filter(|&value| value <= limit as u64)
}

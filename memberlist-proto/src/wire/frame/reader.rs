//! Reading the message of one direction of a connection.

use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use smallvec::SmallVec;

use super::body::Body;
use super::parsed::Frame;
use super::{FrameError, FrameRules};
use crate::security::{Keyring, Version, aead};
use crate::wire::compress::{Algorithm, CompressError, Compressor};
use crate::wire::label::{self, Label, LabelError, Peek};
use crate::wire::message::MessageType;

/// Which side of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// We accepted the connection: the peer's message may begin with a label header.
    Acceptor,
    /// We opened the connection. Replies carry no label header, although their encryption
    /// authenticates the label.
    Initiator,
}

/// Reads the one message of one direction of a connection from chunks of any size. Memory grows
/// with the bytes that have arrived, never with what a header announces.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FrameReader {
    state: State,
    /// The label that encryption authenticates on this connection, if it is not ours.
    label: Option<Label>,
    layers: Layers,
}

/// The layers that a reader has opened so far. After an error they show how far it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Layers {
    /// The label of the header, whether or not it is ours.
    pub label: Option<Label>,
    /// The encryption: version, index of the key in the ring, length of the plaintext in bytes.
    pub encrypted: Option<(Version, usize, usize)>,
    /// The compression: how, and the length in bytes before and after decompression.
    pub compressed: Option<(Algorithm, usize, usize)>,
}

/// What it means if the peer's data ends at this point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eof {
    /// The peer began no message.
    Empty,
    /// The peer began a message and did not finish it. This is not answered.
    Truncated,
    /// The message was complete, or an error has been returned.
    Done,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum State {
    /// The label header so far.
    Label(SmallVec<[u8; 32]>),
    Type,
    /// The length and the payload so far.
    Encrypted(#[cfg_attr(feature = "serde", serde(with = "crate::serial::grown"))] Vec<u8>),
    Plain(Body),
    /// An encrypted message, with its length, all of which has arrived.
    Sealed(Bytes),
    /// A compressed message, all of which has arrived.
    Compressed(Bytes),
    Done,
}

/// What [`FrameReader::feed_some`] made of the bytes that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The message is not complete, or it has been returned before.
    Reading,
    /// The message is complete.
    Complete(Frame),
    /// All bytes have arrived, and opening them is much work: [`FrameReader::open`] does it, on this
    /// reader or on a clone of it. A clone is cheap at this point.
    Whole,
}

/// Bytes of an encrypted frame's length.
const LENGTH: usize = 4;
/// Bytes before an encrypted frame's payload: type and length.
pub(super) const PREFIX: usize = 1 + LENGTH;
/// A message that decompresses to more than this many times `at_once` is not opened at once.
const INFLATES: usize = 4;

impl FrameReader {
    /// A reader for a connection from which nothing has been read.
    pub fn new(role: Role) -> Self {
        let state = match role {
            Role::Acceptor => State::Label(SmallVec::new()),
            Role::Initiator => State::Type,
        };
        Self { state, label: None, layers: Layers::default() }
    }

    /// Takes bytes that have arrived. Returns the message once, as soon as it is complete. Bytes
    /// after the message or after an error are ignored.
    ///
    /// # Errors
    /// The stream cannot be read. [`FrameError::replies`] says whether to answer.
    pub fn feed(
        &mut self,
        data: &[u8],
        rules: &FrameRules<'_>,
    ) -> Result<Option<Frame>, FrameError> {
        match self.feed_some(data, rules, usize::MAX)? {
            Progress::Complete(frame) => Ok(Some(frame)),
            Progress::Reading => Ok(None),
            Progress::Whole => self.open(rules).map(Some),
        }
    }

    /// As [`feed`](Self::feed), but does not open a message that is longer than `at_once` bytes, or
    /// decompresses to more than 4 times `at_once`: it is left [whole](Progress::Whole).
    ///
    /// # Errors
    /// As for `feed`.
    pub fn feed_some(
        &mut self,
        data: &[u8],
        rules: &FrameRules<'_>,
        at_once: usize,
    ) -> Result<Progress, FrameError> {
        let result = self.read(data, rules, at_once);
        if !matches!(result, Ok(Progress::Reading | Progress::Whole)) {
            self.state = State::Done;
        }
        result
    }

    /// Ends the reading: the message that was left whole has been opened by a clone of this reader.
    pub(crate) fn finish_whole(&mut self) {
        self.state = State::Done;
    }

    /// Opens a message that was left whole.
    ///
    /// # Errors
    /// The message cannot be read, or was not left whole.
    pub fn open(&mut self, rules: &FrameRules<'_>) -> Result<Frame, FrameError> {
        let result = self.open_whole(rules, usize::MAX);
        self.state = State::Done;
        match result? {
            Progress::Complete(frame) => Ok(frame),
            Progress::Reading | Progress::Whole => Err(FrameError::Truncated),
        }
    }

    /// What it means if the peer's data ends now.
    pub fn eof(&self) -> Eof {
        match &self.state {
            State::Label(header) if header.is_empty() => Eof::Empty,
            State::Type => Eof::Empty,
            State::Label(_) | State::Encrypted(_) | State::Plain(_) => Eof::Truncated,
            State::Sealed(_) | State::Compressed(_) | State::Done => Eof::Done,
        }
    }

    /// Whether a message was left whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Sealed(_) | State::Compressed(_))
    }

    /// The layers that have been opened so far.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The label of the connection, if it is accepted but is not our own; empty if the peer sent
    /// none. The answer has to be encrypted under it. `None` means our own label.
    pub fn accepted_label(&self) -> Option<&Label> {
        self.label.as_ref()
    }

    /// Bytes of memory that the message takes so far.
    pub fn capacity(&self) -> usize {
        match &self.state {
            State::Encrypted(buffer) => buffer.capacity(),
            State::Plain(body) => body.capacity(),
            State::Sealed(bytes) | State::Compressed(bytes) => bytes.len(),
            State::Label(_) | State::Type | State::Done => 0,
        }
    }

    fn read(
        &mut self,
        mut data: &[u8],
        rules: &FrameRules<'_>,
        at_once: usize,
    ) -> Result<Progress, FrameError> {
        loop {
            match &mut self.state {
                State::Done | State::Sealed(_) | State::Compressed(_) => {
                    return Ok(Progress::Reading);
                }
                State::Label(header) => {
                    let Some((&byte, rest)) = data.split_first() else {
                        return Ok(Progress::Reading);
                    };
                    // A missing header is judged as well: where a label is required, a stream
                    // without one is refused by its first byte.
                    if header.is_empty() && byte != MessageType::Label.code() {
                        self.label = admit(rules, None)?;
                        self.state = State::Type;
                        continue;
                    }
                    header.push(byte);
                    data = rest;
                    if let Peek::Present(received) = label::peek(header)? {
                        let admitted = admit(rules, Some(received));
                        self.layers.label = Label::new(received).ok();
                        self.label = admitted?;
                        self.state = State::Type;
                    }
                }
                State::Type => {
                    let Some((&byte, rest)) = data.split_first() else {
                        return Ok(Progress::Reading);
                    };
                    // Encryption that does not match our own is refused by the first byte, before
                    // any memory is spent on the stream.
                    if byte == MessageType::Encrypt.code() {
                        keys(rules).ok_or(FrameError::NotConfigured)?;
                        self.state = State::Encrypted(Vec::new());
                        data = rest;
                    } else if rules.verify_incoming && keys(rules).is_some() {
                        return Err(FrameError::NotEncrypted);
                    } else {
                        self.state = State::Plain(Body::new());
                    }
                }
                State::Encrypted(buffer) => {
                    if !collect(buffer, data, rules.limits.max_encrypted)? {
                        return Ok(Progress::Reading);
                    }
                    self.state = State::Sealed(mem::take(buffer).into());
                    return self.open_whole(rules, at_once);
                }
                State::Plain(body) => {
                    if !body.feed(data, &rules.limits)? {
                        return Ok(Progress::Reading);
                    }
                    return self.finish(rules, at_once);
                }
            }
        }
    }

    /// Opens a message that has arrived as a whole, unless that is more work than may be done at
    /// once.
    fn open_whole(
        &mut self,
        rules: &FrameRules<'_>,
        at_once: usize,
    ) -> Result<Progress, FrameError> {
        match &self.state {
            State::Sealed(bytes) if bytes.len() > at_once => Ok(Progress::Whole),
            State::Sealed(bytes) => {
                let bytes = bytes.clone();
                let plaintext = self.decrypt(&bytes, rules)?;
                let mut body = Body::of(plaintext);
                if !body.advance(&rules.limits)? {
                    return Err(FrameError::Truncated);
                }
                self.state = State::Plain(body);
                self.finish(rules, at_once)
            }
            State::Compressed(bytes) => {
                let bytes = bytes.clone();
                self.inflate(bytes, rules, at_once)
            }
            _ => Err(FrameError::Truncated),
        }
    }

    /// Decrypts the payload of `bytes`, which begin with its length.
    fn decrypt(&mut self, bytes: &[u8], rules: &FrameRules<'_>) -> Result<Vec<u8>, FrameError> {
        let keyring = keys(rules).ok_or(FrameError::NotConfigured)?;
        let (length, payload) = bytes.split_first_chunk::<LENGTH>().ok_or(FrameError::Truncated)?;
        let label = self.label.as_ref().map_or(rules.label, Label::as_bytes);
        let aad = authenticated(*length, label);
        let mut plaintext = Vec::with_capacity(payload.len());
        let aead::Decrypted { version, key_index } =
            aead::decrypt(&mut plaintext, keyring.keys(), payload, &aad)?;
        self.layers.encrypted = Some((version, key_index, plaintext.len()));
        if plaintext.is_empty() { Err(FrameError::EmptyPlaintext) } else { Ok(plaintext) }
    }

    /// Returns the complete message, decompressed if necessary. As in Go (`readStream`), only one
    /// layer of compression is removed: a second one is a message that streams do not carry.
    fn finish(&mut self, rules: &FrameRules<'_>, at_once: usize) -> Result<Progress, FrameError> {
        let State::Plain(body) = mem::replace(&mut self.state, State::Done) else {
            return Err(FrameError::Truncated);
        };
        if rules.known == Some(body.whole()) {
            return Ok(Progress::Complete(Frame::known(body.code().unwrap_or_default())));
        }
        if body.code() != Some(MessageType::Compress.code()) {
            return Ok(Progress::Complete(body.into_frame(None)));
        }
        self.inflate(body.into_whole(), rules, at_once)
    }

    /// Decompresses a message and parses the one inside, unless that is more work than may be done
    /// at once.
    fn inflate(
        &mut self,
        message: Bytes,
        rules: &FrameRules<'_>,
        at_once: usize,
    ) -> Result<Progress, FrameError> {
        let (most, some) = (rules.limits.max_decompressed, at_once.saturating_mul(INFLATES));
        if message.len() > at_once {
            self.state = State::Compressed(message);
            return Ok(Progress::Whole);
        }
        let body = message.get(1..).unwrap_or_default();
        let mut inflated = Vec::new();
        // A stream carries one message, so that its decoder is of no use afterwards.
        let algorithm = match Compressor::default().decode(body, most.min(some), &mut inflated) {
            // A few bytes can inflate to much.
            Err(CompressError::TooLarge { .. }) if some < most => {
                self.state = State::Compressed(message);
                return Ok(Progress::Whole);
            }
            decoded => decoded?,
        };
        self.layers.compressed = Some((algorithm, message.len(), inflated.len()));
        if inflated.first() == Some(&MessageType::Compress.code()) {
            return Ok(Progress::Complete(Frame::other(MessageType::Compress.code())));
        }
        let mut body = Body::of(inflated);
        if body.advance(&rules.limits)? {
            Ok(Progress::Complete(body.into_frame(Some(message))))
        } else {
            Err(FrameError::Truncated)
        }
    }
}

/// Decides whether a connection with this label is accepted. Returns the label that encryption
/// authenticates on it, if that is not our own.
fn admit(rules: &FrameRules<'_>, received: Option<&[u8]>) -> Result<Option<Label>, LabelError> {
    let skip = rules.skip_inbound_label_check;
    let label = label::admit(rules.label, rules.accept_labels, skip, received)?;
    Ok(if label == rules.label { None } else { Label::new(label).ok() })
}

/// The data that encryption on streams authenticates besides the message: type, length and label
/// (Go: `encryptLocalState`). The label is part of it in both directions, although only the
/// initiator sends one.
pub(super) fn authenticated(length: [u8; LENGTH], label: &[u8]) -> SmallVec<[u8; 64]> {
    let mut aad = SmallVec::new();
    aad.push(MessageType::Encrypt.code());
    aad.extend_from_slice(&length);
    aad.extend_from_slice(label);
    aad
}

/// Collects an encrypted frame's length and payload in `buffer`, and returns whether all of it has
/// arrived.
fn collect(buffer: &mut Vec<u8>, data: &[u8], max: usize) -> Result<bool, FrameError> {
    let mut data = data;
    loop {
        let wanted = match buffer.first_chunk::<LENGTH>() {
            None => LENGTH,
            Some(length) => {
                let length = u32::from_be_bytes(*length);
                // Checked as soon as the length is known: the payload cannot be verified before all
                // of it has arrived, so that this is the only bound on what a stranger may send.
                if length as usize > max {
                    return Err(FrameError::EncryptedTooLong(length));
                }
                LENGTH.saturating_add(length as usize)
            }
        };
        let missing = wanted.saturating_sub(buffer.len());
        if missing == 0 {
            return Ok(true);
        }
        if data.is_empty() {
            return Ok(false);
        }
        let (taken, rest) = data.split_at(missing.min(data.len()));
        buffer.extend_from_slice(taken);
        data = rest;
    }
}

/// The keys, if encryption is on.
fn keys<'a>(rules: &FrameRules<'a>) -> Option<&'a Keyring> {
    rules.keyring.filter(|keyring| !keyring.is_empty())
}

//! This node's full state as a message, kept until a record changes.
//!
//! A cluster in which nothing happens exchanges its states all the same. Listed in the order of the
//! names, the same knowledge is the same bytes on every node that compresses as this one does: it
//! is encoded once, and the frame of a peer that knows exactly the same is recognized by its bytes.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Memberlist;
use crate::builds::{Build, Sealing};
use crate::job::{Encrypt, For, JobId, Mark, Seal, Sealed};
use crate::members::Record;
use crate::node::{NodeName, State};
use crate::transmit::StreamId;
use crate::wire::frame::{Frame, FrameTooLong, StreamMessage};
use crate::wire::message::MessageType;
use crate::wire::push_pull::{self, NodeState};

/// Bytes that are enough for most records.
const RECORD: usize = 96;

/// The state of one edition of the members, without any of the application's. It follows from the
/// members and the configuration alone.
#[derive(Clone, Debug)]
pub(super) struct OwnState {
    edition: u64,
    join: bool,
    /// Compressed as configured, not encrypted.
    message: Bytes,
    /// Bytes of it before that.
    len: usize,
    mark: Mark,
    /// Whether the compressed bytes are those of a peer that has the same state.
    adopted: bool,
}

/// What is needed to make a state again that was kept.
#[cfg(feature = "checkpoint")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    join: bool,
    /// The message, if the compressed bytes are those of a peer.
    adopted: Option<Bytes>,
}

impl Memberlist {
    /// This node's state as a frame for one exchange, with the application's part. `None` if that
    /// takes much work: it is then being built, and [`build_on`](Self::build_on) returns it.
    pub(super) fn state_for(
        &mut self,
        id: StreamId,
        join: bool,
        user: &Bytes,
    ) -> Result<Option<Bytes>, FrameTooLong> {
        let marked = join || !user.is_empty();
        if user.is_empty()
            && let Some(kept) = self.current_state(join)
        {
            let (message, len, mark) = (kept.message.clone(), kept.len, kept.mark);
            self.note_sent(id, len, marked.then_some(mark));
            return self.encrypt_answer(id, message).map(Some);
        }
        let limits = &self.config.limits;
        let long = self.members.len() > limits.records_at_once || user.len() > limits.bytes_at_once;
        if self.config.hand_out_jobs && long {
            self.builds.want(id, join, user.clone(), self.members.edition());
            self.jobs.want_turn();
            return Ok(None);
        }
        let peers = self.peers_states(join, user);
        let seal = self.seal_all(join, user.clone(), peers);
        let mut layers = self.layers.lend();
        let sealed = seal.run(&mut layers);
        self.layers.give_back(layers);
        self.note_sent(id, sealed.len, marked.then_some(sealed.mark));
        if user.is_empty() {
            self.note_sealed(&sealed);
            self.own_state = OwnState::of(join, &sealed, self.members.edition());
        }
        self.encrypt_answer(id, sealed.message?).map(Some)
    }

    /// Notes the state that a peer has sent, if this node's own can be the same, now or once it is
    /// merged.
    pub(super) fn note_peer_state(&mut self, frame: &mut Frame) {
        let compressed = frame.take_compressed();
        if let (Some(compressed), StreamMessage::PushPull(body)) = (compressed, frame.message())
            && !body.join()
            && body.user_state().is_empty()
            && body.states().len() >= self.members.len()
        {
            self.peer_states.note(&compressed, frame.as_bytes().len());
        }
    }

    /// The states of peers that this node's own may be the same as.
    fn peers_states(&self, join: bool, user: &Bytes) -> [Option<Bytes>; 2] {
        if join || !user.is_empty() { [None, None] } else { self.peer_states.all() }
    }

    fn note_sealed(&mut self, sealed: &Sealed) {
        let Ok(message) = &sealed.message else { return };
        if sealed.adopted {
            self.peer_states.adopted(message);
        } else if message.first() == Some(&MessageType::Compress.code()) {
            self.peer_states.note_compressed(sealed.len, message.len());
        }
    }

    /// Goes on with the states that are being built: one that is ready is given to an exchange that
    /// waits for it, or some records of the next one are encoded.
    pub(super) fn build_on(&mut self) -> Option<(StreamId, Result<Bytes, FrameTooLong>)> {
        if let Some((id, ready)) = self.builds.next_ready() {
            if !self.is_building(id) {
                return None;
            }
            self.note_sent(id, ready.len, ready.mark);
            let frame = match ready.message {
                Ok(message) if !ready.encrypted => self.encrypt_answer(id, message),
                other => other,
            };
            return Some((id, frame));
        }
        let (most, hidden) = (self.config.limits.records_at_once, self.hidden());
        let build = self.builds.encoding()?;
        let exchanges = &self.exchanges;
        build.waiting.retain(|id| exchanges.get(*id).is_some_and(|it| it.stage().is_building()));
        if build.waiting.is_empty() {
            self.builds.take_encoded();
            return None;
        }
        build.edition.get_or_insert(self.members.edition());
        let after = build.after.as_ref().map(NodeName::as_bytes);
        let rest = self.members.by_name_after(after);
        let is_last = rest.len() <= most;
        let (number, last) = encode(&mut build.records, rest.take(most), hidden.as_ref());
        build.number += number;
        build.after = last.or_else(|| build.after.take());
        if is_last && let Some(mut build) = self.builds.take_encoded() {
            let records = core::mem::take(&mut build.records).into();
            self.seal_build(build, records);
        }
        None
    }

    /// The records of a state are encoded: a job does the rest.
    fn seal_build(&mut self, build: Build, records: Bytes) {
        let encrypts = !build.user.is_empty() && self.encrypts();
        let encrypt = match build.waiting.first() {
            Some(id) if encrypts => Some((self.answer_label(*id), self.rng.nonces.nonce())),
            _ => None,
        };
        let peers = self.peers_states(build.join, &build.user);
        let job = self.jobs.push(For::Seal);
        self.builds.seal(job, Sealing { build, records, encrypt, peers });
    }

    /// The job that makes a message of a state.
    pub(super) fn seal_job(&self, id: JobId) -> Option<Seal> {
        let Sealing { build, records, encrypt, peers } = self.builds.sealing(id)?;
        let encrypt = encrypt.as_ref().and_then(|(label, nonce)| {
            let (label, nonce) = (label.clone(), *nonce);
            let key = self.keyring.primary()?.clone();
            Some(Encrypt { label, key, version: self.encryption_version(), nonce })
        });
        let (records, user) = (records.clone(), build.user.clone());
        let mut header = Vec::new();
        push_pull::encode_header(&mut header, build.join, build.number, user.len());
        let seal = self.seal_of(header, records, user);
        Some(Seal { encrypt, peers: peers.clone(), ..seal })
    }

    /// The job that made a message of a state is done, by the rules in force if `current`.
    pub(super) fn state_sealed(&mut self, id: JobId, sealed: Option<Sealed>, current: bool) {
        let sealed = match sealed {
            Some(sealed) if current => Some(sealed),
            _ if current => self.seal_job(id).map(|job| job.run(&mut crate::wire::Scratch::new())),
            _ => None,
        };
        let Some(Sealing { build, records, .. }) = self.builds.take_sealing(id) else { return };
        let Some(sealed) = sealed else {
            return self.seal_build(build, records);
        };
        if build.user.is_empty() {
            self.note_sealed(&sealed);
            let edition = self.members.edition();
            if build.edition == Some(edition) {
                self.own_state = OwnState::of(build.join, &sealed, edition);
            }
        }
        self.builds.finish(build, sealed);
    }

    fn is_building(&self, id: StreamId) -> bool {
        self.exchanges.get(id).is_some_and(|it| it.stage().is_building())
    }

    /// The state that is kept.
    #[cfg(feature = "checkpoint")]
    pub(super) fn kept_state(&self) -> Option<Kept> {
        let kept = self.own_state.as_ref().filter(|it| it.edition == self.members.edition())?;
        Some(Kept { join: kept.join, adopted: kept.adopted.then(|| kept.message.clone()) })
    }

    /// Builds the state that a checkpointed node had kept.
    #[cfg(feature = "checkpoint")]
    pub(super) fn keep_state(&mut self, kept: Kept) -> Result<(), &'static str> {
        let adopts = kept.adopted.is_some();
        let seal = self.seal_all(kept.join, Bytes::new(), [kept.adopted, None]);
        let sealed = seal.run(&mut crate::wire::Scratch::new());
        self.own_state = OwnState::of(kept.join, &sealed, self.members.edition());
        if sealed.adopted == adopts { Ok(()) } else { Err("the state that is kept") }
    }

    fn note_sent(&mut self, id: StreamId, len: usize, mark: Option<Mark>) {
        match mark {
            Some(mark) => self.exchanges.note_local_state(id, len, mark),
            None => self.exchanges.note_local_state_len(len),
        }
    }

    /// The whole state at once, not encrypted.
    fn seal_all(&mut self, join: bool, user: Bytes, peers: [Option<Bytes>; 2]) -> Seal {
        let hidden = self.hidden();
        let mut whole = Vec::with_capacity(self.members.len() * RECORD + user.len());
        // It always has a record of itself.
        let number = self.members.len() - usize::from(hidden.is_some());
        push_pull::encode_header(&mut whole, join, number, user.len());
        encode(&mut whole, self.members.by_name(), hidden.as_ref());
        Seal { peers, ..self.seal_of(whole, Bytes::new(), user) }
    }

    fn seal_of(&self, header: Vec<u8>, records: Bytes, user: Bytes) -> Seal {
        Seal {
            header,
            records,
            user,
            compress: self.config.compression.algorithm(),
            only_if_smaller: self.config.differences.compress_streams_if_smaller,
            peers: [None, None],
            encrypt: None,
        }
    }

    /// This node's own state, if the same state from a peer can contain nothing new. A state with
    /// suspects never qualifies: in the peer's frame they count as accusations by the peer. Nor
    /// does any state if the application has a say in what is merged, or adds something of its own.
    pub(super) fn known_state(&self) -> Option<&OwnState> {
        let asks = self.config.ask_local_state || self.config.ask_admit_merge;
        let all_alive = self.members.count(State::Alive) == self.members.len();
        let possible = || self.members.versions().all(|(_, vsn)| !vsn.is_impossible());
        // The first version of the protocol takes no port from a record.
        let asks = asks || self.config.protocol_version < 2;
        let plain = !asks && !self.decider.is_some() && all_alive && possible();
        self.current_state(false).filter(|_| plain)
    }

    /// The message of [`known_state`](Self::known_state), if it is still that of this edition of the
    /// members.
    pub(super) fn known_message(&self, edition: Option<u64>) -> Option<Bytes> {
        let known = self.known_state().filter(|known| Some(known.edition) == edition);
        known.map(|known| known.message.clone())
    }

    /// This node's own name, if it has left without an announcement: a record that says that it has
    /// left would amount to one.
    fn hidden(&self) -> Option<NodeName> {
        (self.me.left && self.me.name_taken.is_some()).then(|| self.me.name.clone())
    }

    /// The state that is kept, unless a record has changed since.
    fn current_state(&self, join: bool) -> Option<&OwnState> {
        let kept = self.own_state.as_ref().filter(|kept| kept.join == join);
        kept.filter(|kept| kept.edition == self.members.edition())
    }

    /// Whether what would be sent is what would be encoded now.
    pub(super) fn check_own_state(&self) -> Result<(), String> {
        let Some(kept) = self.current_state(true).or_else(|| self.current_state(false)) else {
            return Ok(());
        };
        let mut all: Vec<&Record> = self.members.iter().map(|(_, record)| record).collect();
        all.sort_by(|one, other| one.name().cmp(&other.name()));
        let (mut header, mut records) = (Vec::new(), Vec::new());
        let (number, _) = encode(&mut records, all.into_iter(), self.hidden().as_ref());
        push_pull::encode_header(&mut header, kept.join, number, 0);
        let fresh = self.seal_of(header, records.into(), Bytes::new());
        // What a peer has compressed has to be a form of what would be compressed now.
        let peers = [kept.adopted.then(|| kept.message.clone()), None];
        let fresh = Seal { peers, ..fresh }.run(&mut crate::wire::Scratch::new());
        if fresh.message.as_ref() != Ok(&kept.message)
            || (fresh.len, fresh.mark, fresh.adopted) != (kept.len, kept.mark, kept.adopted)
        {
            return Err("the state that is kept is not what would be encoded now".into());
        }
        Ok(())
    }
}

impl OwnState {
    fn of(join: bool, sealed: &Sealed, edition: u64) -> Option<Self> {
        let Sealed { message, len, mark, adopted } = sealed;
        let message = message.as_ref().ok()?.clone();
        Some(Self { edition, join, message, len: *len, mark: *mark, adopted: *adopted })
    }

    pub(super) fn message(&self) -> &Bytes {
        &self.message
    }

    pub(super) fn edition(&self) -> u64 {
        self.edition
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Appends records, except one that is hidden. Returns how many, and the name of the last one
/// looked at.
fn encode<'a>(
    out: &mut Vec<u8>,
    records: impl Iterator<Item = &'a Record>,
    hidden: Option<&NodeName>,
) -> (usize, Option<NodeName>) {
    let (mut number, mut last) = (0, None);
    for record in records {
        let identity = record.identity();
        last = Some(identity);
        if hidden.is_some_and(|hidden| *hidden == *identity.name().as_bytes()) {
            continue;
        }
        number += 1;
        let vsn = identity.vsn_bytes().unwrap_or_default();
        let state = NodeState {
            name: identity.name().as_bytes(),
            addr: identity.addr_bytes(),
            port: identity.port(),
            meta: identity.meta(),
            incarnation: record.incarnation(),
            state: record.state() as i64,
            vsn: Some(&vsn),
        };
        push_pull::encode_state(out, &state);
    }
    (number, last.map(crate::node::Identity::node_name))
}

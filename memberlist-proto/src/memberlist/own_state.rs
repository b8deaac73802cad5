//! This node's full state as a message, kept until a record changes.
//!
//! A cluster in which nothing happens exchanges its states all the same. Listed in the order of the
//! names, the same knowledge is the same bytes on every node that compresses as we do: it is encoded
//! once, and the frame of a peer that knows exactly the same is recognized by its bytes.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Memberlist;
use crate::members::Record;
use crate::node::{NodeName, State};
use crate::wire::frame::{FrameSealing, compress_frame};
use crate::wire::push_pull::{self, NodeState};

/// The state of one edition of the members, without any of the application's, as sent outside of
/// joins. It follows from the members and the configuration alone.
#[derive(Clone, Debug)]
pub(super) struct OwnState {
    edition: u64,
    /// Compressed as configured, not encrypted.
    message: Bytes,
    /// Bytes of it before that.
    len: usize,
}

impl Memberlist {
    /// This node's state outside of joins, without any of the application's: the message before its
    /// encryption, and how long it was before it was compressed.
    pub(super) fn own_state(&mut self) -> (Bytes, usize) {
        if let Some(kept) = self.current_state() {
            return (kept.message.clone(), kept.len);
        }
        let body = self.local_state(false, &[]);
        let sealing = self.plain_sealing();
        let mut layers = self.layers.lend();
        let message = compress_frame(&body, &sealing, &mut layers);
        self.layers.give_back(layers);
        let (edition, len) = (self.members.edition(), body.len());
        self.own_state = Some(OwnState { edition, message: message.clone(), len });
        (message, len)
    }

    /// The message of a peer's state in which there can be nothing new, if there is one. A state
    /// with suspects is never that: in the peer's frame they count as accusations by it. Nor is any
    /// state if the application has a say in what is merged, or adds something of its own.
    pub(super) fn known_state(&self) -> Option<&OwnState> {
        let asks = self.config.ask_local_state || self.config.ask_admit_merge;
        let all_alive = self.members.count(State::Alive) == self.members.len();
        let possible = || self.members.versions().all(|(_, vsn)| !vsn.is_impossible());
        // The first version of the protocol takes no port from a record.
        let asks = asks || self.config.protocol_version < 2;
        let plain = !asks && !self.decider.is_some() && all_alive && possible();
        self.current_state().filter(|_| plain)
    }

    /// What is kept, unless a record has changed since.
    fn current_state(&self) -> Option<&OwnState> {
        self.own_state.as_ref().filter(|kept| kept.edition == self.members.edition())
    }

    /// Everything this node knows, as a message.
    pub(super) fn local_state(&mut self, join: bool, user: &[u8]) -> Vec<u8> {
        let hidden = self.hidden();
        let number = self.members.len() - usize::from(hidden.is_some());
        let shown =
            |it: &&Record| hidden.as_ref().is_none_or(|hidden| it.name() != hidden.as_name());
        encode(number, self.members.by_name().filter(shown), join, user)
    }

    /// This node's own name, if it has left without an announcement: a record that says that it has
    /// left would be one.
    fn hidden(&self) -> Option<NodeName> {
        (self.me.left && self.me.name_taken.is_some()).then(|| self.me.name.clone())
    }

    /// Whether what would be sent is what would be encoded now.
    pub(super) fn check_own_state(&self) -> Result<(), String> {
        let Some(kept) = self.current_state() else { return Ok(()) };
        let hidden = self.hidden().map(|_| self.me.id);
        let shown = self.members.iter().filter(|(id, _)| Some(*id) != hidden);
        let mut records: Vec<&Record> = shown.map(|(_, record)| record).collect();
        records.sort_by(|one, other| one.name().cmp(&other.name()));
        let body = encode(records.len(), records.into_iter(), false, &[]);
        let fresh = compress_frame(&body, &self.plain_sealing(), &mut crate::wire::Scratch::new());
        if kept.message != fresh || kept.len != body.len() {
            return Err("the state that is kept is not what would be encoded now".into());
        }
        Ok(())
    }

    fn plain_sealing(&self) -> FrameSealing<'static> {
        FrameSealing {
            label: &[],
            key: None,
            nonce: [0; 12],
            compress: self.config.compression.algorithm(),
            only_if_smaller: self.config.differences.compress_streams_if_smaller,
        }
    }
}

impl OwnState {
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

fn encode<'a>(
    number: usize,
    records: impl Iterator<Item = &'a Record>,
    join: bool,
    user: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + number * 96 + user.len());
    push_pull::encode_header(&mut out, join, number, user.len());
    for record in records {
        let identity = record.identity();
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
        push_pull::encode_state(&mut out, &state);
    }
    out.extend_from_slice(user);
    out
}

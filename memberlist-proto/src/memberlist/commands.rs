//! What an application can do with a node: operations, messages and settings.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::Memberlist;
use crate::config::{ConfigError, Oversized, Timing};
use crate::event::{BroadcastId, Event, ForgetError, MetaError, OpId, SendError};
use crate::input::Command;
use crate::node::{Node, NodeName};
use crate::peer::{JoinPolicy, Peer, Target};
use crate::queues::{BroadcastKind, Priority};
use crate::security::{Key, KeyringError};
use crate::time::Instant;

impl Memberlist {
    /// Exchanges the full state with each of `peers`, several at a time, resolving host names on
    /// the way. Ends as [`Outcome::Join`](crate::Outcome::Join) when all have answered or
    /// `join_timeout` has passed, with the result of each.
    pub fn join(&mut self, now: Instant, peers: &[Peer]) -> OpId {
        self.join_with(now, peers, JoinPolicy::default())
    }

    /// As [`join`](Self::join), as hard as `policy` says. Each attempt that another one follows is
    /// reported as [`Event::JoinRetries`]; [`cancel`](Self::cancel) aborts.
    pub fn join_with(&mut self, now: Instant, peers: &[Peer], policy: JoinPolicy) -> OpId {
        self.enter(now, || Command::Join { peers: peers.to_vec(), policy }.into());
        self.step(now, |node| node.begin_join(peers, policy))
    }

    /// Announces that this node leaves on purpose; final for this object. Ends as
    /// [`Outcome::Leave`](crate::Outcome::Leave) when the message has been sent as often as gossip
    /// sends anything, or after `timeout` (zero: never). Afterwards the node still answers; stop
    /// driving it to end that. A node that its cluster refused, because another has its name
    /// ([`NameTaken`](crate::ExchangeError::NameTaken)), announces nothing.
    pub fn leave(&mut self, now: Instant, timeout: Duration) -> OpId {
        self.enter(now, || Command::Leave { timeout }.into());
        self.step(now, |node| node.begin_leave(timeout))
    }

    /// Announces other metadata. Ends as [`Outcome::SetMeta`](crate::Outcome::SetMeta) when the
    /// announcement has been sent as often as gossip sends anything, or after `timeout` (zero:
    /// never).
    ///
    /// # Errors
    ///
    /// Metadata longer than `meta_max_size` or `differences.received_meta_max`, or so long that no
    /// packet can carry the announcement; nothing has changed then.
    pub fn set_meta(
        &mut self,
        now: Instant,
        meta: Bytes,
        timeout: Duration,
    ) -> Result<OpId, MetaError> {
        self.enter(now, || Command::SetMeta { meta: meta.clone(), timeout }.into());
        self.step(now, |node| node.begin_set_meta(meta, timeout))
    }

    /// Waits until no node has joined or departed for `quiet`, and no join is under way: a good
    /// moment to begin work that moves with the membership, such as sharding. Ends as
    /// [`Outcome::Settle`](crate::Outcome::Settle) with the number of members, this node included,
    /// or after `timeout` (zero: never). Begin to join before; a node alone is settled after
    /// `quiet`, too.
    pub fn settle(&mut self, now: Instant, quiet: Duration, timeout: Duration) -> OpId {
        self.enter(now, || Command::Settle { quiet, timeout }.into());
        self.step(now, |node| node.begin_settle(quiet, timeout))
    }

    /// Pings a node by datagram, known or not (Go: `Ping`): no effect on membership. Ends as
    /// [`Outcome::Ping`](crate::Outcome::Ping), at the latest after `probe_timeout`.
    pub fn ping(&mut self, now: Instant, target: Target) -> OpId {
        self.enter(now, || Command::Ping { target: target.clone() }.into());
        self.step(now, |node| node.begin_ping(target))
    }

    /// Sends a message by datagram, best effort (Go: `SendBestEffort`, `SendToAddress`).
    ///
    /// # Errors
    ///
    /// What keeps it from being sent at all; one longer than
    /// [`message_limit`](Self::message_limit) is refused with the limit.
    pub fn send(&mut self, now: Instant, to: Target, message: &[u8]) -> Result<(), SendError> {
        self.enter(now, || Command::Send { to: to.clone(), message: copy(message) }.into());
        self.step(now, |node| node.send_message(to, message))
    }

    /// Sends a message over a stream (Go: `SendReliable`). Ends as
    /// [`Outcome::SendReliable`](crate::Outcome::SendReliable) when it has been handed to the
    /// network whole: the protocol has no acknowledgement of it.
    ///
    /// With [`Config::hand_out_jobs`](crate::Config::hand_out_jobs) a message longer than
    /// `limits.bytes_at_once` is sealed by a job, and its stream opened afterwards. `Input::Command` hands
    /// one in without a copy.
    ///
    /// # Errors
    ///
    /// What keeps it from being tried. That a message is longer than the 20 MiB that a peer reads, once
    /// it is compressed and encrypted, may show only when a job has sealed it, and is its outcome then:
    /// [`ExchangeError::TooLong`](crate::ExchangeError::TooLong).
    pub fn send_reliable(
        &mut self,
        now: Instant,
        to: Target,
        message: &[u8],
    ) -> Result<OpId, SendError> {
        self.send_letter(now, to, copy(message))
    }

    pub(super) fn send_letter(
        &mut self,
        now: Instant,
        to: Target,
        message: Bytes,
    ) -> Result<OpId, SendError> {
        let command = || Command::SendReliable { to: to.clone(), message: message.clone() };
        self.enter(now, || command().into());
        self.step(now, |node| node.begin_send_reliable(to, message))
    }

    /// Gossips a message (Go: `QueueBroadcast` on a queue of the application). It goes to
    /// `retransmit_mult` × (decimal digits of the cluster's size) random members, and ends as
    /// [`Event::BroadcastFinished`]. To reach every member, each that receives it for the first
    /// time must broadcast it again, as Serf does: the protocol does not know which are new.
    ///
    /// # Errors
    ///
    /// One longer than [`broadcast_limit`](Self::broadcast_limit) is refused with the limit.
    pub fn broadcast(
        &mut self,
        now: Instant,
        message: &[u8],
        kind: BroadcastKind,
        priority: Priority,
    ) -> Result<BroadcastId, SendError> {
        self.enter(now, || {
            Command::Broadcast { message: copy(message), kind: kind.clone(), priority }.into()
        });
        self.step(now, |node| node.queue_broadcast(message, kind, priority))
    }

    /// Spreads a message of any size. One up to half of [`broadcast_limit`](Self::broadcast_limit)
    /// is gossiped, as a unique [`broadcast`](Self::broadcast). A longer one goes by stream to
    /// every member that is alive or suspect now, `limits.dissemination_streams` at a time. Each
    /// member is tried once: what fails must be repaired by full state exchanges, as Alertmanager
    /// does. Ends as [`Event::BroadcastFinished`]. A long one is sealed by a job as by
    /// [`send_reliable`](Self::send_reliable); until then it counts with its own length.
    ///
    /// # Errors
    ///
    /// It is longer than `limits.stream_bytes`; or too many messages, or bytes of them, are on
    /// their way already.
    pub fn disseminate(&mut self, now: Instant, message: &[u8]) -> Result<BroadcastId, SendError> {
        self.spread_letter(now, copy(message))
    }

    pub(super) fn spread_letter(
        &mut self,
        now: Instant,
        message: Bytes,
    ) -> Result<BroadcastId, SendError> {
        self.enter(now, || Command::Disseminate { message: message.clone() }.into());
        self.step(now, |node| node.begin_dissemination(message))
    }

    /// Ends an operation at once. A join stops trying, a ping stops waiting, an unfinished
    /// reliable message is cut off; of a leave or a change of metadata only the wait ends.
    /// An operation that has already ended stays as it is.
    pub fn cancel(&mut self, now: Instant, op: OpId) {
        self.enter(now, || Command::Cancel { op }.into());
        self.step(now, |node| node.cancelled(op));
    }

    /// Adds a key for decryption; the first one of all becomes the primary and begins encryption.
    ///
    /// To encrypt a running cluster that was plain: switch both verify flags off everywhere
    /// ([`set_verify`](Self::set_verify)), add the key everywhere, switch `outgoing` on
    /// everywhere, then `incoming`.
    ///
    /// Encryption takes room: queued broadcasts that fit into no packet any more end as
    /// [`BroadcastEnd::TooLong`](crate::BroadcastEnd::TooLong).
    ///
    /// # Errors
    ///
    /// With encryption this node's own announcement would fit into no packet; nothing has changed
    /// then.
    pub fn add_key(&mut self, now: Instant, key: Key) -> Result<(), Oversized> {
        self.enter(now, || Command::AddKey(key.clone()).into());
        self.step(now, |node| node.key_added(key))
    }

    /// Makes a key of the ring the primary, which encrypts.
    ///
    /// # Errors
    ///
    /// The key is not in the ring.
    pub fn use_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.enter(now, || Command::UseKey(key.clone()).into());
        self.step(now, |node| node.key_used(key))
    }

    /// Removes a key that is no longer needed, and wipes it from memory unless the application holds
    /// a clone of it; one that is not in the ring needs no removal.
    ///
    /// # Errors
    ///
    /// The key is the primary, or the ring is empty.
    pub fn remove_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.enter(now, || Command::RemoveKey(key.clone()).into());
        self.step(now, |node| node.key_removed(key))
    }

    /// Whether, with a key, what comes unencrypted is refused and what goes is encrypted.
    pub fn set_verify(&mut self, now: Instant, incoming: bool, outgoing: bool) {
        self.enter(now, || Command::SetVerify { incoming, outgoing }.into());
        self.step(now, |node| node.verification_set(incoming, outgoing));
    }

    /// Changes the timing of a running node; what already runs ends by the old one. What recurs
    /// goes on from when it last happened: by an interval that is unchanged, as if nothing had
    /// been called, and by another one, when that has passed since.
    ///
    /// # Errors
    ///
    /// The first rule that is broken; nothing has changed then.
    pub fn reconfigure(&mut self, now: Instant, timing: Timing) -> Result<(), ConfigError> {
        self.enter(now, || Command::Reconfigure(timing).into());
        self.step(now, |node| node.timing_changed(timing))
    }

    /// Takes over members known from elsewhere, without any event or gossip: for warm starts and
    /// simulations. Names already known, this node's own among them, stay as they are; suspects
    /// become alive, since no suspicion of them runs here. Many are best handed in by several calls:
    /// one takes time in proportion to their number.
    pub fn restore(&mut self, now: Instant, members: impl IntoIterator<Item = Node>) {
        let members: Vec<Node> = members.into_iter().collect();
        self.enter(now, || Command::Restore(members.clone()).into());
        self.step(now, |node| node.members_restored(members));
    }

    /// Takes over peers known from an earlier life, as a [`snapshot`](Self::snapshot) holds them:
    /// they are searched for like members that died just now, until `rejoin.give_up_after`. Those
    /// whose host is a name, and those that `limits.lost_members` leaves no room for, are ignored.
    pub fn recall(&mut self, now: Instant, peers: impl IntoIterator<Item = Peer>) {
        let peers: Vec<Peer> = peers.into_iter().collect();
        self.enter(now, || Command::Recall(peers.clone()).into());
        self.step(now, |node| node.begin_recall(peers));
    }

    /// Forgets a node that is dead or has left: ends the search for it, removes its record, and
    /// informs the other members, which search for it as well (Serf: `force-leave`). A node that
    /// was killed on purpose is searched for until it is forgotten.
    ///
    /// # Errors
    ///
    /// The node is a member, or there is nothing to forget.
    pub fn forget(&mut self, now: Instant, name: &NodeName) -> Result<(), ForgetError> {
        self.enter(now, || Command::Forget(name.clone()).into());
        self.step(now, |node| node.forgotten(name))
    }

    fn timing_changed(&mut self, timing: Timing) -> Result<(), ConfigError> {
        let mut changed = self.config.clone();
        changed.set_timing(timing);
        changed.validate_timing()?;
        let before = core::mem::replace(&mut self.config, changed);
        if let Some(score) = self.awareness.set_multiplier(self.config.awareness_max_multiplier) {
            self.out.event(Event::Health { score });
        }
        self.queues.set_retransmit_mult(self.config.retransmit_mult);
        if self.config.compression != before.compression {
            self.own_state = None;
            self.peer_states.clear();
            self.jobs.rules_changed();
        }
        self.start_timers(Some(&before));
        Ok(())
    }
}

fn copy(message: &[u8]) -> Bytes {
    Bytes::copy_from_slice(message)
}

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
    /// Joins a cluster: exchanges the full state with each of `peers`, several at a time, after
    /// resolving their host names. Ends with [`Outcome::Join`](crate::Outcome::Join), which has the
    /// result of each peer, when all have been tried or `join_timeout` has passed.
    pub fn join(&mut self, now: Instant, peers: &[Peer]) -> OpId {
        self.join_with(now, peers, JoinPolicy::default())
    }

    /// Like [`join`](Self::join), with a policy: how many peers are enough, whether to retry, and
    /// when to give up. Each failed attempt that another one follows is reported as
    /// [`Event::JoinRetries`]; [`cancel`](Self::cancel) aborts the join.
    pub fn join_with(&mut self, now: Instant, peers: &[Peer], policy: JoinPolicy) -> OpId {
        self.enter(now, || Command::Join { peers: peers.to_vec(), policy }.into());
        self.step(now, |node| node.begin_join(peers, policy))
    }

    /// Announces that this node leaves the cluster. That is final: to come back, create a new node.
    /// Ends with [`Outcome::Leave`](crate::Outcome::Leave) when the announcement has been sent as
    /// often as the transmit limit says, or with
    /// [`WaitError::TimedOut`](crate::WaitError::TimedOut) after `timeout` (zero: no limit). Joins
    /// in progress end with [`JoinError::Left`](crate::JoinError::Left). The node still answers its
    /// peers afterwards; to end that, stop driving it.
    ///
    /// A node that its cluster refused because another node has its name
    /// ([`NameTaken`](crate::ExchangeError::NameTaken)) announces nothing.
    pub fn leave(&mut self, now: Instant, timeout: Duration) -> OpId {
        self.enter(now, || Command::Leave { timeout }.into());
        self.step(now, |node| node.begin_leave(timeout))
    }

    /// Replaces this node's metadata and announces it. Ends with
    /// [`Outcome::SetMeta`](crate::Outcome::SetMeta) when the announcement has been sent as often
    /// as the transmit limit says, or with [`WaitError::TimedOut`](crate::WaitError::TimedOut)
    /// after `timeout` (zero: no limit); the announcement goes on all the same.
    ///
    /// # Errors
    ///
    /// The metadata is longer than `meta_max_size` or `differences.received_meta_max`, or so long
    /// that no packet can carry the announcement; nothing has changed then.
    pub fn set_meta(
        &mut self,
        now: Instant,
        meta: Bytes,
        timeout: Duration,
    ) -> Result<OpId, MetaError> {
        self.enter(now, || Command::SetMeta { meta: meta.clone(), timeout }.into());
        self.step(now, |node| node.begin_set_meta(meta, timeout))
    }

    /// Waits until no node has joined or departed for `quiet`, and no join is in progress: a good
    /// moment to begin work that depends on the membership, such as sharding. Ends with
    /// [`Outcome::Settle`](crate::Outcome::Settle) and the number of members, this node included,
    /// or with [`WaitError::TimedOut`](crate::WaitError::TimedOut) after `timeout` (zero: no
    /// limit). Begin the join first: a node that is alone is settled after `quiet`, too.
    pub fn settle(&mut self, now: Instant, quiet: Duration, timeout: Duration) -> OpId {
        self.enter(now, || Command::Settle { quiet, timeout }.into());
        self.step(now, |node| node.begin_settle(quiet, timeout))
    }

    /// Pings a node by datagram, whether it is known or not (Go: `Ping`), without any effect on the
    /// membership. Ends with [`Outcome::Ping`](crate::Outcome::Ping), after `probe_timeout` at the
    /// latest.
    pub fn ping(&mut self, now: Instant, target: Target) -> OpId {
        self.enter(now, || Command::Ping { target: target.clone() }.into());
        self.step(now, |node| node.begin_ping(target))
    }

    /// Sends a message by datagram, best effort (Go: `SendBestEffort`, `SendToAddress`): success
    /// does not mean that it arrives.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be sent at all. A message longer than
    /// [`message_limit`](Self::message_limit) is [`SendError::TooLong`].
    pub fn send(&mut self, now: Instant, to: Target, message: &[u8]) -> Result<(), SendError> {
        self.enter(now, || Command::Send { to: to.clone(), message: copy(message) }.into());
        self.step(now, |node| node.send_message(to, message))
    }

    /// Sends a message over a stream (Go: `SendReliable`). Ends with
    /// [`Outcome::SendReliable`](crate::Outcome::SendReliable) when the driver has written all of
    /// it: the protocol does not acknowledge it.
    ///
    /// With [`Config::hand_out_jobs`](crate::Config::hand_out_jobs) a message longer than
    /// `limits.bytes_at_once` is sealed by a job, and its stream is opened afterwards.
    /// [`Input::Command`](crate::Input::Command) hands in a message without copying it.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be tried. Peers read at most 20 MiB of an encrypted message.
    /// Whether a message is longer than that once it is compressed and encrypted may be known only
    /// when a job has sealed it; the outcome is then
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

    /// Gossips a message (Go: `QueueBroadcast` on a queue of the application). It is sent
    /// `retransmit_mult` × (decimal digits of the cluster's size) times, to random members, and
    /// ends with [`Event::BroadcastFinished`]. To reach every member, each that receives it for the
    /// first time must broadcast it again, as Serf does: the protocol cannot know which messages
    /// are new.
    ///
    /// # Errors
    ///
    /// A message longer than [`broadcast_limit`](Self::broadcast_limit) is [`SendError::TooLong`].
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

    /// Spreads a message of any size up to `limits.stream_bytes`. One up to half of
    /// [`broadcast_limit`](Self::broadcast_limit) is gossiped, as a unique
    /// [`broadcast`](Self::broadcast). A longer one goes by stream to every member that is alive or
    /// suspect now, `limits.dissemination_streams` at a time. Each member is tried once: what fails
    /// must be repaired by full state exchanges, as Alertmanager does. Ends with
    /// [`Event::BroadcastFinished`].
    ///
    /// A long message is sealed by a job, as by [`send_reliable`](Self::send_reliable); until then
    /// its plain length counts towards `limits.dissemination_bytes`.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`] if it is longer than `limits.stream_bytes`; [`SendError::TooMany`] if
    /// `limits.disseminations` messages, or `limits.dissemination_bytes` bytes of them, are being
    /// sent already.
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

    /// Ends an operation at once. A join stops trying, a ping or the wait for a stable membership
    /// ends, and an unfinished reliable message is cut off. Of a leave or a change of metadata only
    /// the wait ends; the announcement goes on. An operation that has already ended stays as it is.
    pub fn cancel(&mut self, now: Instant, op: OpId) {
        self.enter(now, || Command::Cancel { op }.into());
        self.step(now, |node| node.cancelled(op));
    }

    /// Adds a key for decryption; the first key of all becomes the primary, and encryption begins.
    ///
    /// To encrypt a running cluster that was plain: switch both verify flags off everywhere
    /// ([`set_verify`](Self::set_verify)), add the key everywhere, switch `outgoing` on
    /// everywhere, then `incoming`.
    ///
    /// Encryption takes room: queued broadcasts that no longer fit into a packet end with
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

    /// Makes a key of the ring the primary key, which encrypts.
    ///
    /// # Errors
    ///
    /// The key is not in the ring.
    pub fn use_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.enter(now, || Command::UseKey(key.clone()).into());
        self.step(now, |node| node.key_used(key))
    }

    /// Removes a key that is no longer needed, and wipes it from memory unless the application
    /// holds a clone of it. For a key that is not in the ring there is nothing to do.
    ///
    /// # Errors
    ///
    /// The key is the primary, or the ring is empty.
    pub fn remove_key(&mut self, now: Instant, key: &Key) -> Result<(), KeyringError> {
        self.enter(now, || Command::RemoveKey(key.clone()).into());
        self.step(now, |node| node.key_removed(key))
    }

    /// Sets whether unencrypted input is refused (`incoming`) and whether output is encrypted
    /// (`outgoing`). Without a key neither has an effect.
    pub fn set_verify(&mut self, now: Instant, incoming: bool, outgoing: bool) {
        self.enter(now, || Command::SetVerify { incoming, outgoing }.into());
        self.step(now, |node| node.verification_set(incoming, outgoing));
    }

    /// Changes the timing of a running node. What is in progress ends by the old timing. A periodic
    /// activity goes on from when it last happened: with an unchanged interval as if nothing had
    /// been called, otherwise as soon as the new interval has passed since then.
    ///
    /// # Errors
    ///
    /// The first broken rule; nothing has changed then.
    pub fn reconfigure(&mut self, now: Instant, timing: Timing) -> Result<(), ConfigError> {
        self.enter(now, || Command::Reconfigure(timing).into());
        self.step(now, |node| node.timing_changed(timing))
    }

    /// Adds members that are known from elsewhere, without any event or gossip: for warm starts and
    /// simulations. Names already known, this node's own among them, stay as they are; suspects
    /// become alive, since no suspicion of them runs here. Members beyond `limits.members` are
    /// ignored. One call takes time in proportion to the number of members: hand in many of them by
    /// several calls.
    pub fn restore(&mut self, now: Instant, members: impl IntoIterator<Item = Node>) {
        let members: Vec<Node> = members.into_iter().collect();
        self.enter(now, || Command::Restore(members.clone()).into());
        self.step(now, |node| node.members_restored(members));
    }

    /// Adds peers that are known from an earlier run of this node, as [`snapshot`](Self::snapshot)
    /// returns them: they are searched for like members that died just now, until
    /// `rejoin.give_up_after`. Peers whose host is a name are ignored, and so are all of them if
    /// the search is switched off or this node has left. At most `limits.lost_members` are searched
    /// for.
    pub fn recall(&mut self, now: Instant, peers: impl IntoIterator<Item = Peer>) {
        let peers: Vec<Peer> = peers.into_iter().collect();
        self.enter(now, || Command::Recall(peers.clone()).into());
        self.step(now, |node| node.begin_recall(peers));
    }

    /// Forgets a node that is dead or has left: ends the search for it, removes its record, and
    /// informs the other members (Serf: `force-leave`). A node that was killed on purpose is
    /// searched for until it is forgotten or `rejoin.give_up_after` has passed.
    ///
    /// This informs only members that still have the record: they take the node as having left, and
    /// end their search. Once the record has been reaped (after `gossip_to_the_dead_time`), call
    /// this at each member that searches for the node; where this node has no record itself, it
    /// informs none.
    ///
    /// # Errors
    ///
    /// [`ForgetError::Member`] if the node is alive or suspect, or is this node itself;
    /// [`ForgetError::Unknown`] if it is neither known nor searched for.
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

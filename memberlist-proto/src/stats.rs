//! What a node counts and measures.

use crate::time::Instant;

/// Counters since the start, and gauges at the time of the call, as
/// `Memberlist::stats` returns them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// What has been counted since the start.
    pub counters: Counters,
    /// How things stand.
    pub gauges: Gauges,
    /// What became of the news about members.
    pub decisions: Decisions,
}

impl Stats {
    /// Adds the counters that are sums of decisions, so that each message is counted in one place.
    pub(crate) fn new(kept: &Counters, gauges: Gauges, decisions: &Decisions) -> Self {
        let d = decisions;
        let counters = Counters {
            alive_accepted: d.alive_mine_announced
                + d.alive_new
                + d.alive_after_left
                + d.alive_reclaimed
                + d.alive_back
                + d.alive_cleared
                + d.alive_updated
                + d.alive_renewed
                + d.alive_mine_refuted,
            alive_refused: d.alive_versions
                + d.alive_name
                + d.alive_meta
                + d.alive_vetoed
                + d.alive_network
                + d.alive_address
                + d.alive_too_many
                + d.alive_too_fast,
            names_too_fast: d.alive_too_fast,
            alive_old: d.alive_zero
                + d.alive_nothing_new
                + d.alive_old_of_gone
                + d.alive_mine_old
                + d.alive_mine_same,
            conflicts: d.alive_conflict,
            suspect_accepted: d.suspect_begun + d.suspect_renewed + d.dead_doubted,
            accusations_old: d.suspect_accuser
                + d.dead_accuser
                + d.suspect_unknown
                + d.suspect_old
                + d.suspect_repeated
                + d.suspect_gone
                + d.dead_unknown
                + d.dead_old
                + d.dead_gone,
            refuted: d.alive_mine_refuted + d.suspect_mine_refuted + d.dead_mine_refuted,
            dead_accepted: d.dead_mine_left + d.dead_left + d.dead_declared + d.dead_ran_out,
            ..kept.clone()
        };
        Self { counters, gauges, decisions: decisions.clone() }
    }
}

/// Adds the time from `begun` to `ended` to a sum of nanoseconds.
pub(crate) fn add_time(sum: &mut u64, begun: Instant, ended: Instant) {
    *sum = sum.saturating_add(ended.as_nanos().saturating_sub(begun.as_nanos()));
}

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $field_doc:literal])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: u64,)*
        }

        impl $name {
            /// Every figure with its name, in the order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }

            /// What each figure means, with its name, in the order of declaration.
            pub fn descriptions() -> impl Iterator<Item = (&'static str, &'static str)> {
                [$((stringify!($field), concat!($($field_doc),*)),)*].into_iter()
            }
        }
    };
}

counted! {
    /// Counters since the start: figures that only grow.
    Counters {
        /// Datagrams received (Go: counted in `udp.received`).
        packets_received,
        /// Bytes of datagrams received (Go: `udp.received`).
        packet_bytes_received,
        /// Datagrams of which some part could not be understood.
        packets_refused,
        /// Datagrams sent.
        packets_sent,
        /// Bytes of datagrams sent (Go: `udp.sent`, before the label).
        packet_bytes_sent,
        /// Datagrams that the adapter could not send.
        packets_unsent,
        /// Streams accepted (Go: `tcp.accept`).
        streams_accepted,
        /// Streams refused because a limit was reached.
        streams_refused,
        /// Streams closed because too many bytes were held for them.
        streams_over_memory,
        /// Streams opened (Go: `tcp.connect`, which counts push/pulls only).
        streams_opened,
        /// Bytes read from streams.
        stream_bytes_received,
        /// Bytes written to streams (Go: `tcp.sent`).
        stream_bytes_sent,
        /// Streams accepted whose peer closed them without sending anything, as health checks do.
        streams_silent,
        /// Exchanges over streams that failed.
        exchanges_failed,
        /// Push/pulls refused because too many were under way.
        push_pulls_refused,
        /// Alive messages accepted or refuted (Go: `msg.alive`).
        alive_accepted,
        /// Suspicions begun (Go: `msg.suspect`).
        suspect_accepted,
        /// Members that became dead or left (Go: `msg.dead`).
        dead_accepted,
        /// Alive messages refused for a reason worth reporting.
        alive_refused,
        /// New names refused because too many came at once (among `alive_refused`).
        names_too_fast,
        /// Alive messages that brought nothing new.
        alive_old,
        /// Suspect and dead messages that brought nothing new, or about an unknown node.
        accusations_old,
        /// Name conflicts seen.
        conflicts,
        /// Refusals, conflicts and failures that were not reported because there were too many.
        reports_dropped,
        /// Accusations that this node refuted.
        refuted,
        /// Accusations sent directly to members considered dead, so that they can refute.
        told_dead,
        /// Accusations at old incarnations answered directly with the newer announcement.
        accusations_answered,
        /// Pings of a probe after its first one.
        pings_repeated,
        /// Pings of suspects whose suspicion was about to run out.
        suspects_asked,
        /// Suspects that got new time because they answered a ping.
        suspects_answered,
        /// Leaves repeated directly to a peer that had missed them.
        leaves_repeated,
        /// Probes begun.
        probes,
        /// Probes begun with a deadline lengthened by low health (Go: `degraded.probe`).
        probes_degraded,
        /// Probes that ended without any answer.
        probes_failed,
        /// Probes whose target answered only over a stream.
        probes_by_stream,
        /// Probes that ended, with whatever result.
        probes_ended,
        /// How long these probes took in all, in nanoseconds (Go: `probeNode`).
        probe_nanos,
        /// Suspicions that ran out with fewer confirmations than wanted (Go: `degraded.timeout`).
        suspicions_degraded,
        /// Acks and nacks that were not awaited.
        acks_unknown,
        /// Pings for another name, unanswered.
        pings_misdirected,
        /// Pings unanswered because too many came from addresses that are no members'.
        pings_too_fast,
        /// Indirect pings relayed.
        relayed,
        /// Indirect pings refused: too many at once or in a second, or for a target that is no
        /// member.
        relays_refused,
        /// User messages received.
        messages_received,
        /// Gossip messages put into packets.
        broadcasts_sent,
        /// Membership news dropped because no packet can carry it.
        news_too_long,
        /// User broadcasts dropped because the queue was full.
        broadcasts_dropped,
        /// Members that a disseminated message was sent to by stream.
        disseminated_sent,
        /// Members that a disseminated message could not be sent to by stream.
        disseminated_failed,
        /// Messages not disseminated because too many were being sent already.
        disseminations_dropped,
        /// Delegate broadcasts beyond the limit the delegate was given.
        broadcasts_over_limit,
        /// Full state exchanges begun here.
        push_pulls,
        /// Full state exchanges begun here that have succeeded.
        push_pulls_ended,
        /// How long the successful full state exchanges took in all, in nanoseconds (Go:
        /// `pushPullNode`).
        push_pull_nanos,
        /// Choices of members for gossip and full state exchanges while this node had a zone.
        zone_choices,
        /// Choices of members made without regard to zones, since some zone had no live bridge.
        zone_choices_skipped,
        /// Exchanges with a seed or a member that had died, begun here to find it again.
        rejoins,
        /// Exchanges with a seed or a member that had died that failed.
        rejoins_failed,
        /// Records removed of members that had been dead or gone for long enough.
        reaped,
        /// Operations refused because too many were under way.
        operations_refused,
    }
}

counted! {
    /// What became of each alive, suspect and dead message, one figure for each row of the
    /// protocol's decision tables (Go: `aliveNode`, `suspectNode`, `deadNode`), and of each record
    /// of a peer's full state (Go: `mergeState`). They only grow. A message counts once; another
    /// kind of message that follows from it counts by itself.
    Decisions {
        /// Alive: about this node, which has left.
        alive_after_leaving,
        /// Alive: refused for its protocol versions.
        alive_versions,
        /// Alive: refused for its name's length.
        alive_name,
        /// Alive: refused for its metadata's length.
        alive_meta,
        /// Alive: refused by the delegate.
        alive_vetoed,
        /// Alive: refused for an address outside the allowed networks.
        alive_network,
        /// Alive: refused for an address that cannot be sent to.
        alive_address,
        /// Alive: refused because the table of members is full.
        alive_too_many,
        /// Alive: refused because too many new names came at once.
        alive_too_fast,
        /// Alive: a new name at incarnation zero, which is ignored.
        alive_zero,
        /// Alive: a new member.
        alive_new,
        /// Alive: another address claims a name that is taken.
        alive_conflict,
        /// Alive: another address takes over the name of a member that left.
        alive_after_left,
        /// Alive: another address takes over the name of a member long dead.
        alive_reclaimed,
        /// Alive: nothing new about a member.
        alive_nothing_new,
        /// Alive: too old to revive a node that is dead or left.
        alive_old_of_gone,
        /// Alive: a node that was dead or left is back.
        alive_back,
        /// Alive: a suspect refuted, perhaps with other metadata.
        alive_cleared,
        /// Alive: a member that was alive before, with other metadata or versions.
        alive_updated,
        /// Alive: a member at a higher incarnation, otherwise as it was.
        alive_renewed,
        /// Alive: this node itself announces that it starts, or other metadata.
        alive_mine_announced,
        /// Alive: an older announcement of this node itself.
        alive_mine_old,
        /// Alive: the current announcement of this node itself.
        alive_mine_same,
        /// Alive: a claim about this node that it never made, and refutes.
        alive_mine_refuted,
        /// Suspect: the accuser's name is too long.
        suspect_accuser,
        /// Suspect: an unknown node.
        suspect_unknown,
        /// Suspect: at an old incarnation.
        suspect_old,
        /// Suspect: a suspicion confirmed by another accuser.
        suspect_confirmed,
        /// Suspect: a suspicion that enough, or the same, have confirmed before.
        suspect_repeated,
        /// Suspect: a node that is dead or left.
        suspect_gone,
        /// Suspect: this node itself, which refutes.
        suspect_mine_refuted,
        /// Suspect: a suspicion begun anew, since the suspect has refuted the previous one.
        suspect_renewed,
        /// Suspect: a suspicion begun.
        suspect_begun,
        /// Suspect: considered dead at once, where suspicion is switched off.
        suspect_skipped,
        /// Dead: the accuser's name is too long.
        dead_accuser,
        /// Dead: an unknown node.
        dead_unknown,
        /// Dead: at an old incarnation.
        dead_old,
        /// Dead: a node that is dead or left already.
        dead_gone,
        /// Dead: a member that was considered dead has left.
        dead_has_left,
        /// Dead: this node itself, which refutes.
        dead_mine_refuted,
        /// Dead: this node itself leaves.
        dead_mine_left,
        /// Dead: a member left.
        dead_left,
        /// Dead: a live member whose shortest suspicion timeout has not passed here: it stays or
        /// becomes suspect.
        dead_doubted,
        /// Dead: a member, as a peer reports.
        dead_declared,
        /// Dead: a member whose suspicion ran out here.
        dead_ran_out,
        /// Full state: a record of a node that is alive; it goes on as an alive message.
        merged_alive,
        /// Full state: a record of a suspect; it goes on as a suspect message.
        merged_suspect,
        /// Full state: a record of a node that is dead; it goes on as a suspect message.
        merged_dead,
        /// Full state: a record of a node that left; it goes on as a dead message.
        merged_left,
        /// Full state: a record in a state that does not exist, ignored.
        merged_unknown,
    }
}

counted! {
    /// Gauges: figures that rise and fall.
    Gauges {
        /// Members alive (Go: `node.instances{node_state=alive}`).
        alive,
        /// Members suspected.
        suspect,
        /// Dead members not yet forgotten.
        dead,
        /// Members that left, not yet forgotten.
        left,
        /// The local health score (Go: `health.score`).
        health_score,
        /// Membership messages in the gossip queue (Go: `queue.broadcasts`).
        membership_queue,
        /// User messages in the gossip queues.
        user_queue,
        /// Delegate messages held back for a later packet.
        held_broadcasts,
        /// Timers set.
        timers,
        /// Suspicions running.
        suspicions,
        /// Acks awaited by probes, pings and relays.
        acks_awaited,
        /// Streams open.
        streams,
        /// Bytes of memory held for what accepted streams have sent, and for the nodes that the
        /// application is shown before a merge.
        stream_memory,
        /// Push/pulls being served.
        push_pulls,
        /// Operations under way.
        operations,
        /// Messages that are being disseminated by stream.
        disseminations,
        /// Bytes of the messages that are being disseminated by stream.
        dissemination_bytes,
        /// Dead members that are still looked for, including those whose records have been removed.
        lost_members,
        /// Questions the application has not answered.
        requests,
        /// Bytes of the last full state built here (Go: meant by `size.local`).
        local_state_bytes,
        /// Bytes of the last full state received (Go: `size.remote`).
        remote_state_bytes,
    }
}

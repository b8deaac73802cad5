//! What a node counts.

/// Counters since the start, and gauges as of the call of
/// [`Memberlist::stats`](crate::Memberlist::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// What has been counted.
    pub counters: Counters,
    /// How things stand.
    pub gauges: Gauges,
}

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl $name {
            /// Every figure with its name, in the order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }
        }
    };
}

counted! {
    /// Figures that only grow.
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
        /// Alive messages refused for a reason worth telling.
        alive_refused,
        /// New names refused, among these, because too many came at once.
        names_too_fast,
        /// Alive messages that told nothing new.
        alive_old,
        /// Suspect and dead messages that told nothing new, or about nobody known.
        accusations_old,
        /// Name conflicts seen.
        conflicts,
        /// Refusals, conflicts and failures that were not told because there were too many.
        reports_dropped,
        /// Accusations that this node refuted.
        refuted,
        /// Dead members told directly that they are held for dead.
        told_dead,
        /// Probes begun.
        probes,
        /// Probes begun with a deadline lengthened by low health (Go: `degraded.probe`).
        probes_degraded,
        /// Probes that ended without any answer.
        probes_failed,
        /// Members reached only over a stream.
        probes_by_stream,
        /// Suspicions that ran out with fewer confirmations than wanted (Go: `degraded.timeout`).
        suspicions_degraded,
        /// Acks and nacks that nobody waited for.
        acks_unknown,
        /// Pings for another name, unanswered.
        pings_misdirected,
        /// Indirect pings relayed.
        relayed,
        /// Indirect pings refused: too many at once or in a second, or for a target that is no
        /// member.
        relays_refused,
        /// User messages received.
        messages_received,
        /// Gossip messages put into packets.
        broadcasts_sent,
        /// User broadcasts dropped because the queue was full.
        broadcasts_dropped,
        /// Delegate broadcasts beyond the limit the delegate was given.
        broadcasts_over_limit,
        /// Full state exchanges begun.
        push_pulls,
        /// Exchanges with a seed or a member that had died, begun here to find it again.
        rejoins,
        /// Those that failed.
        rejoins_failed,
        /// Members forgotten after their time.
        reaped,
        /// Operations refused because too many were under way.
        operations_refused,
    }
}

counted! {
    /// Figures that rise and fall.
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
        /// Acks waited for: of probes, pings and relays.
        acks_awaited,
        /// Streams open.
        streams,
        /// Bytes of memory held for what accepted streams have sent.
        stream_memory,
        /// Push/pulls being served.
        push_pulls,
        /// Operations under way.
        operations,
        /// Dead members that are still looked for, also such that are forgotten otherwise.
        lost_members,
        /// Questions the application has not answered.
        requests,
        /// Bytes of the last full state built here (Go: meant by `size.local`).
        local_state_bytes,
        /// Bytes of the last full state received (Go: `size.remote`).
        remote_state_bytes,
    }
}

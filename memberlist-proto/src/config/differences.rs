//! The differences from the behaviour of the Go library, each switchable.

use super::Preset;
use super::fields::{Bounds, Field, FieldType};

table! {
    /// Every deliberate difference from hashicorp/memberlist, one field each: the default holds our
    /// choices, [`Differences::none`] behaves exactly as the Go library does.
    ///
    /// None of them changes what a Go node can decode; `docs/differences.md` gives the reasons.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
    #[allow(clippy::struct_excessive_bools)] // A list of independent switches is what this is.
    pub struct Differences in [differences] {
        "Differences from the Go library (docs/differences.md)" {
            /// Remember the highest incarnation seen of a member even when the message changes
            /// nothing else, so that a stale alive message cannot revive it.
            keep_higher_incarnation: bool = (true), none (false);

            /// Send the accusation directly to a member that is considered dead and announces
            /// itself with an incarnation too low to be believed, so that it can refute
            /// (rate-limited).
            tell_the_dead: bool = (true), none (false);

            /// Begin a new suspicion, with its whole timeout, when a suspect is accused at a higher
            /// incarnation: it must have refuted the old one meanwhile. Otherwise the old
            /// suspicion, whose timeout may be over, declares it dead at the new incarnation.
            renew_suspicion: bool = (true), none (false);

            /// Answer an accusation at an incarnation that the accused is known to have refuted:
            /// send its newer announcement directly to the accuser (rate-limited).
            answer_old_accusations: bool = (true), none (false);

            /// Repeat the ping of a probe after `probe_timeout`, and then each time that half of
            /// it, or an eighth of the probe's duration if that is longer, has passed, until the
            /// probe ends.
            repeat_pings: bool = (true), none (false);

            /// Let a peer's verdict that a member is dead count only once the shortest timeout of a
            /// suspicion has passed here as well, so that the member can refute.
            doubt_verdicts: bool = (true), none (false);

            /// Ping a suspect before its suspicion runs out, unless there are more suspects than
            /// `limits.told_dead`. One that answers this or any other probe gets the whole timeout
            /// again, as long as the first one has not passed.
            ask_suspects: bool = (true), none (false);

            /// Double the timeout of a suspicion for each time that its suspect came back after it
            /// was considered dead, at most this many times. 600 probe intervals after its latest
            /// return these no longer count.
            doubt_flapping: u32 = (2), none (0), within (0 to 8);

            /// Send this node's own accusation of a member directly to that member as well.
            accuse_directly: bool = (true), none (false);

            /// Send a refutation to the accuser directly as well (rate-limited).
            refute_directly: bool = (true), none (false);

            /// Pass on the accusations in a peer's full state under the peer's name, if it is
            /// known. If each node that merges them used its own name, the verdict of one node that
            /// was cut off would come back as many independent confirmations.
            name_merged_accuser: bool = (true), none (false);

            /// Send this node's leave directly to every other member, if there are at most this
            /// many.
            leave_directly: usize = (64), none (0), within (0 to 1_048_576);

            /// Repeat the leave of a member to a peer that shows that it missed it (rate-limited).
            repeat_leaves: bool = (true), none (false);

            /// Regard a member that is considered dead as having left once its leave arrives: its
            /// name is free for another address, and it is no longer searched for.
            learn_leaves: bool = (true), none (false);

            /// Leave members whose protocol versions are unknown, and those that are not alive, out
            /// of the version check of full state exchanges. One such record blocks every full
            /// state exchange of a Go node.
            lenient_version_check: bool = (true), none (false);

            /// Refuse new names that announce fewer than six version bytes.
            require_versions: bool = (true), none (false);

            /// Refuse new members whose address cannot be sent to, and count a probe of an unusable
            /// address as failed.
            require_usable_address: bool = (true), none (false);

            /// Ignore a new name at incarnation zero instead of keeping a dead placeholder for it.
            ignore_zero_incarnation: bool = (true), none (false);

            /// The longest name accepted from peers, in bytes.
            received_name_max: usize = (255), none (65_535), within (1 to 65_535 bytes);

            /// The most metadata accepted from peers, in bytes.
            received_meta_max: usize = (2048), none (1024 MiB), within (0 bytes to 1 GiB);

            /// Queue a refutation under the node's name instead of the text of its address, so that
            /// it replaces the node's older announcement.
            refute_under_name: bool = (true), none (false);

            /// Do not count the wrap of the probe order as a considered member, so that small
            /// clusters probe at every tick.
            free_wrap: bool = (true), none (false);

            /// When a helper sends its nack, in percent of its `probe_timeout`. After 100 percent
            /// it comes too late for a requester with the default intervals.
            nack_after_percent: u32 = (80), none (100), within (1 to 100 percent);

            /// Start sequence numbers at a random value, so that acks are hard to forge.
            random_sequence: bool = (true), none (false);

            /// Relay indirect pings to known members only.
            relay_to_members_only: bool = (true), none (false);

            /// Send the first probe and the first gossip at a random phase of their interval.
            random_phase: bool = (true), none (false);

            /// Include the checksum, and the length entry of the message that gossip is added to,
            /// in the packet's size.
            exact_packet_budget: bool = (true), none (false);

            /// Send a stream uncompressed where compression does not make it smaller.
            compress_streams_if_smaller: bool = (true), none (false);

            /// The most bytes that one packet may decompress to, in all its parts.
            packet_decompressed_max: usize = (1 MiB), none (40 MiB), within (64 KiB to 1 GiB);

            /// Hold back what a delegate's `broadcasts` returns beyond the limit it was given,
            /// instead of sending an oversized packet.
            enforce_broadcast_limit: bool = (true), none (false);

            /// Piggyback gossip on an ack only if it goes to a member at its own address.
            piggyback_to_members_only: bool = (true), none (false);

            /// Forget dead members by a separate timer while probing is switched off.
            reap_without_probes: bool = (true), none (false);

            /// Look for seeds and lost members as `rejoin` says, so that a cluster that was split
            /// heals without an operator.
            rejoin: bool = (true), none (false);

            /// The part of a packet's room for gossip, in percent, that membership messages leave
            /// to queued user broadcasts that fit into it. They use what no broadcast needs. The
            /// messages that a delegate's `broadcasts` returns have no share.
            user_share_percent: u32 = (25), none (0), within (0 to 50 percent);

            /// Require a bridge only in zones with a member that is alive or suspect. In dskit one
            /// dead member of a zone without a bridge switches zones off everywhere until it is
            /// forgotten.
            count_live_zones_only: bool = (true), none (false);

            /// Draw the bridge that a bridge prefers from those that can be chosen, rather than
            /// from all that are known, dead ones included.
            prefer_live_bridges: bool = (true), none (false);

            /// Choose among all members where the rules of zones leave no candidate.
            open_lone_zones: bool = (true), none (false);

            /// How this node writes its own IPv4 address: `compact` or `mapped`.
            advertise_form: AdvertiseForm = (AdvertiseForm::Compact);
        }
    }
}

impl Differences {
    /// No difference: the behaviour of hashicorp/memberlist, quirks included.
    pub fn none() -> Self {
        Self::preset(Preset::None)
    }
}

/// How a node writes its own IPv4 address: the two forms are different addresses to the protocol,
/// and a change of form looks like a change of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum AdvertiseForm {
    /// In 4 bytes, as a Go node that was given its address does.
    Compact,
    /// In 16 bytes, mapped into IPv6, as a Go node that found its address itself does.
    Mapped,
}

words! {
    AdvertiseForm {
        Compact = "compact",
        Mapped = "mapped",
    }
}

//! Where we behave otherwise than the Go library, each switchable.

/// Every deliberate difference from hashicorp/memberlist, one field each: the default holds our
/// choices, [`Differences::none`] behaves exactly as the Go library does.
///
/// None of them changes what a Go node can decode; `docs/differences.md` gives the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[allow(clippy::struct_excessive_bools)] // A list of independent switches is what this is.
pub struct Differences {
    /// Remember the highest incarnation seen about a member even when the news changes nothing
    /// else, so that a stale alive message cannot revive it.
    pub keep_higher_incarnation: bool,
    /// Tell a member that we hold for dead, and that announces itself with an incarnation too low
    /// to be believed, about the accusation directly (rate-limited), so that it can refute.
    pub tell_the_dead: bool,
    /// Leave members whose protocol versions are unknown, and those that are not alive, out of the
    /// version check of push/pull; one such record blocks every push/pull of a Go node.
    pub lenient_version_check: bool,
    /// Refuse new names that announce fewer than six version bytes.
    pub require_versions: bool,
    /// Refuse new members whose address cannot be sent to, and count a probe of an unusable
    /// address as failed.
    pub require_usable_address: bool,
    /// Ignore a new name at incarnation zero instead of keeping a dead placeholder for it.
    pub ignore_zero_incarnation: bool,
    /// The longest name accepted from others, in bytes.
    pub received_name_max: usize,
    /// The most metadata accepted from others, in bytes.
    pub received_meta_max: usize,
    /// Queue a refutation under the node's name, not under the text of its address, so that it
    /// replaces the node's older announcement.
    pub refute_under_name: bool,
    /// Do not count the wrap of the probe order as a considered member: small clusters then probe
    /// at every tick.
    pub free_wrap: bool,
    /// When a helper sends its nack, in percent of its `probe_timeout`: the Go library's 100 comes
    /// too late for a requester with the default intervals.
    pub nack_after_percent: u32,
    /// Start sequence numbers at a random value, so that acks are hard to forge.
    pub random_sequence: bool,
    /// Relay indirect pings only to known members.
    pub relay_to_members_only: bool,
    /// Send the first probe and the first gossip at a random phase of their interval.
    pub random_phase: bool,
    /// Keep the checksum and the carried message's length entry within the packet's size.
    pub exact_packet_budget: bool,
    /// Send a stream uncompressed if compression does not make it smaller.
    pub compress_streams_if_smaller: bool,
    /// The most bytes that one packet may decompress to, in all its parts.
    pub packet_decompressed_max: usize,
    /// Hold back what a delegate's `broadcasts` returns beyond the limit it was given, instead of
    /// sending an oversized packet.
    pub enforce_broadcast_limit: bool,
    /// Piggyback gossip on an ack only if it goes to a member's own address.
    pub piggyback_to_members_only: bool,
    /// Forget dead members by a timer of its own also while probing is switched off.
    pub reap_without_probes: bool,
    /// Look for seeds and for members that died, as `rejoin` says, so that a cluster that was
    /// split comes together again by itself.
    pub rejoin: bool,
    /// The part of a packet's room for gossip, in percent, that membership news leaves to the user
    /// broadcasts that wait and fit into it: 0 to 50. What no broadcast needs is not kept free, and
    /// a delegate's broadcasts have no part in it.
    pub user_share_percent: u32,
    /// How this node writes its own IPv4 address.
    pub advertise_form: AdvertiseForm,
}

/// How a node writes its own IPv4 address: the two forms are different addresses to the protocol,
/// and a change of form looks like a change of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum AdvertiseForm {
    /// In 4 bytes, as a Go node does that was given its address.
    Compact,
    /// In 16 bytes, mapped into IPv6, as a Go node does that found its address by itself.
    Mapped,
}

impl Differences {
    /// No difference: the behaviour of hashicorp/memberlist, quirks included.
    pub fn none() -> Self {
        Self {
            keep_higher_incarnation: false,
            tell_the_dead: false,
            lenient_version_check: false,
            require_versions: false,
            require_usable_address: false,
            ignore_zero_incarnation: false,
            received_name_max: usize::MAX,
            received_meta_max: usize::MAX,
            refute_under_name: false,
            free_wrap: false,
            nack_after_percent: 100,
            random_sequence: false,
            relay_to_members_only: false,
            random_phase: false,
            exact_packet_budget: false,
            compress_streams_if_smaller: false,
            packet_decompressed_max: 40 << 20,
            enforce_broadcast_limit: false,
            piggyback_to_members_only: false,
            reap_without_probes: false,
            rejoin: false,
            user_share_percent: 0,
            advertise_form: AdvertiseForm::Compact,
        }
    }
}

impl Default for Differences {
    fn default() -> Self {
        Self {
            keep_higher_incarnation: true,
            tell_the_dead: true,
            lenient_version_check: true,
            require_versions: true,
            require_usable_address: true,
            ignore_zero_incarnation: true,
            received_name_max: 255,
            received_meta_max: 2048,
            refute_under_name: true,
            free_wrap: true,
            nack_after_percent: 80,
            random_sequence: true,
            relay_to_members_only: true,
            random_phase: true,
            exact_packet_budget: true,
            compress_streams_if_smaller: true,
            packet_decompressed_max: 1 << 20,
            enforce_broadcast_limit: true,
            piggyback_to_members_only: true,
            reap_without_probes: true,
            rejoin: true,
            user_share_percent: 25,
            advertise_form: AdvertiseForm::Compact,
        }
    }
}

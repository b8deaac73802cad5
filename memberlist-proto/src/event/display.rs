//! Events as text: always one line, whatever other nodes put into names, errors and payloads.

pub(crate) mod escape;

use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;
use core::time::Duration;

use self::escape::{Excerpt, Line, Text};
use super::{
    BroadcastEnd, BroadcastId, Change, Channel, Departure, Event, ExchangeKind, JoinFailure,
    JoinReport, NotJoined, OpId, Outcome, Pong,
};
use crate::node::{Node, NodeName};

/// One line. Names, payloads and the texts of errors are escaped, and long payloads cut, since
/// other nodes choose them.
impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { node } => write!(f, "{} joined", Placed(node)),
            Self::Updated { node, change } if change.address => {
                write!(f, "{} changed its {change}", Placed(node))
            }
            Self::Updated { node, change } => write!(f, "{} changed its {change}", named(node)),
            Self::Departed { node, reason, from } => {
                let was = if let Departure::Declared { .. } = reason { "was " } else { "" };
                write!(f, "{} {was}{reason}{}", named(node), Reporter(*from))
            }
            Self::HadLeft { node, from } => {
                write!(f, "{} had left, and not failed{}", named(node), Reporter(*from))
            }
            Self::Suspected { node, by } => {
                write!(f, "{} is suspected by {}", named(node), text(by))
            }
            Self::Refuted { node, by } => {
                let (name, incarnation) = (named(node), node.incarnation());
                let by = Accuser(by.as_ref());
                write!(f, "{name} refuted an accusation{by}, now at incarnation {incarnation}")
            }
            Self::Conflict { existing, claimant } => {
                write!(f, "conflict: {} uses the name of {}", Placed(claimant), Placed(existing))
            }
            Self::Refused { node, from, reason } => {
                let (name, reason) = (text(node), Line(reason));
                write!(f, "news about {name} refused: {reason}{}", Reporter(*from))
            }
            Self::Message { from, channel, payload } => {
                write!(f, "message {} from {from} by {channel}", Excerpt(payload))
            }
            Self::RemoteState { from, join, state } => {
                let exchange = if *join { ExchangeKind::Join } else { ExchangeKind::PushPull };
                write!(f, "state {} from {from} by {exchange}", Excerpt(state))
            }
            Self::Pinged { node, rtt, payload } => {
                write!(f, "{} answered a probe in {}", named(node), Rounded(*rtt))?;
                attached(f, payload)
            }
            Self::Finished { op, outcome } => write!(f, "operation {op}: {outcome}"),
            Self::JoinRetries { op, failed, wait } => {
                write!(f, "operation {op}: joined no peer, retrying in {}", Rounded(*wait))?;
                failed.iter().try_for_each(|failure| write!(f, "; {failure}"))
            }
            Self::BroadcastFinished { id, end } => write!(f, "broadcast {id}: {end}"),
            Self::Health { .. }
            | Self::NamePoisoned { .. }
            | Self::OnlyByStream { .. }
            | Self::NothingReceived { .. }
            | Self::NotListed { .. }
            | Self::Coalesced { .. }
            | Self::MembershipOverflow { .. }
            | Self::BroadcastsFinished { .. }
            | Self::Overflow { .. }
            | Self::Rejoined { .. }
            | Self::ExchangeFailed { .. } => about_itself(self, f),
        }
    }
}

/// The events about this node itself, its exchanges and its reader.
fn about_itself(event: &Event, f: &mut Formatter<'_>) -> fmt::Result {
    match event {
        Event::Health { score } => write!(f, "health score {score}"),
        Event::NamePoisoned { by } => {
            let by = Accuser(by.as_ref());
            write!(f, "this node's name is unusable: accused at the highest incarnation{by}")
        }
        Event::OnlyByStream { node } => {
            write!(f, "{} answers by stream but not by packet", named(node))
        }
        Event::NothingReceived { silent, announced } => {
            let seconds = silent.as_secs();
            write!(
                f,
                "no packet has arrived for {seconds} s: is UDP blocked, or {announced}, which \
                 this node announces, not its address?"
            )
        }
        Event::NotListed { peer } => write!(
            f,
            "the state of {peer} and of other peers does not list this node: they refuse its \
             announcement, or it does not reach them"
        ),
        Event::Coalesced { node, events, departure } => {
            write!(f, "{} is {} after {events} events", named(node), node.state())?;
            departure.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
        }
        Event::MembershipOverflow { events } => write!(f, "{events} changes: slow reader"),
        Event::BroadcastsFinished { sent, replaced, dropped, streamed } => {
            write!(f, "broadcasts finished: {sent} sent, {replaced} replaced, ")?;
            write!(f, "{dropped} dropped, {streamed} streamed: slow reader")
        }
        Event::Overflow { dropped } => write!(f, "{dropped} events dropped: slow reader"),
        Event::Rejoined { peer } => write!(f, "rejoined through {peer}"),
        Event::ExchangeFailed { peer, exchange, error } => {
            write!(f, "{exchange} with {peer} failed: {}", Line(error))
        }
        other => write!(f, "{other:?}"),
    }
}

/// The number that [`as_u64`](OpId::as_u64) gives.
impl Display for OpId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that [`as_u64`](BroadcastId::as_u64) gives.
impl Display for BroadcastId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What has changed, separated by commas: `metadata, address`.
impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts =
            [(self.meta, "metadata"), (self.address, "address"), (self.versions, "versions")];
        let changed = parts.into_iter().filter(|(changed, _)| *changed).map(|(_, part)| part);
        list(f, changed)
    }
}

/// `left`, `failed, accused by a, b` (the first accuser first) or `declared dead by a`.
impl Display for Departure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("left"),
            Self::Failed { by, .. } => {
                f.write_str("failed, accused by ")?;
                list(f, by.iter().map(text))
            }
            Self::Declared { by } => write!(f, "declared dead by {}", text(by)),
        }
    }
}

/// `packet` or `stream`.
impl Display for Channel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Packet => "packet",
            Self::Stream => "stream",
        })
    }
}

/// How the operation ended, without its number.
impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(Ok(report)) => report.fmt(f),
            Self::Join(Err(error)) => write!(f, "join refused: {error}"),
            Self::Leave(Ok(report)) => {
                f.write_str("left the cluster")?;
                match (report.sent_directly, report.members) {
                    (0, _) => Ok(()),
                    (sent, members) => write!(f, ", informed {sent} of {members} members directly"),
                }
            }
            Self::Leave(Err(error)) => write!(f, "leave failed: {error}"),
            Self::SetMeta(Ok(())) => f.write_str("metadata announced"),
            Self::SetMeta(Err(error)) => write!(f, "metadata not announced: {error}"),
            Self::Ping(Ok(pong)) => write!(f, "ping {pong}"),
            Self::Ping(Err(error)) => write!(f, "ping failed: {error}"),
            Self::SendReliable(Ok(())) => f.write_str("message sent"),
            Self::SendReliable(Err(error)) => write!(f, "message not sent: {}", Line(error)),
            Self::Settle(Ok(members)) => write!(f, "settled with {members} members"),
            Self::Settle(Err(error)) => write!(f, "not settled: {error}"),
        }
    }
}

/// `joined through ADDRESS, ADDRESS` or `joined no peer`, then every failure after a semicolon.
impl Display for JoinReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.joined.is_empty() {
            f.write_str("joined no peer")?;
        } else {
            f.write_str("joined through ")?;
            list(f, self.joined.iter())?;
        }
        self.failed.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

/// `no peer was joined`, then every failure after a semicolon.
impl Display for NotJoined {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let none = self.report.failed.is_empty();
        f.write_str(if none { "no peer was given to join" } else { "no peer was joined" })?;
        self.report.failed.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

/// `PEER failed: ERROR`, with the address in parentheses where the peer is a host name.
impl Display for JoinFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Line(&self.peer).fmt(f)?;
        if let Some(address) = self.address
            && self.peer.address(address.port()) != Some(address)
        {
            write!(f, " ({address})")?;
        }
        write!(f, " failed: {}", Line(&self.error))
    }
}

/// `answered in 1.5ms`, and the payload if there is one.
impl Display for Pong {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "answered in {}", Rounded(self.rtt))?;
        attached(f, &self.payload)
    }
}

/// As people name it: `push/pull`, `join`, `reliable message`.
impl Display for ExchangeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PushPull => "push/pull",
            Self::Join => "join",
            Self::Rejoin => "rejoin",
            Self::SendReliable => "reliable message",
            Self::StreamPing => "stream ping",
            Self::Accepted => "accepted stream",
        })
    }
}

impl Display for BroadcastEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent => f.write_str("sent"),
            Self::Replaced => f.write_str("replaced by a newer one"),
            Self::Dropped => f.write_str("dropped from a full queue"),
            Self::TooLong => f.write_str("dropped: it is too long once it is encrypted"),
            Self::Streamed { sent, failed: 0 } => write!(f, "sent by stream to {sent} members"),
            Self::Streamed { sent, failed } => {
                write!(f, "sent by stream to {sent} members, and {failed} were not reached")
            }
        }
    }
}

/// A node by its name and address.
struct Placed<'a>(&'a Node);

impl Display for Placed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.address() {
            Some(address) => write!(f, "{} ({address})", named(self.0)),
            None => write!(f, "{} (no address)", named(self.0)),
        }
    }
}

/// Where news came from, if another node sent it.
struct Reporter(Option<SocketAddr>);

impl Display for Reporter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |from| write!(f, " (reported by {from})"))
    }
}

/// The node that accused another, if it is known.
struct Accuser<'a>(Option<&'a NodeName>);

impl Display for Accuser<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |by| write!(f, " by {}", text(by)))
    }
}

/// A duration to the microsecond: what is below depends on the machine.
struct Rounded(Duration);

impl Display for Rounded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        write!(f, "{:?}", Duration::from_micros(micros))
    }
}

fn named(node: &Node) -> Text<'_> {
    Text(node.name().as_bytes())
}

fn text(name: &NodeName) -> Text<'_> {
    Text(name.as_bytes())
}

fn attached(f: &mut Formatter<'_>, payload: &[u8]) -> fmt::Result {
    if payload.is_empty() { Ok(()) } else { write!(f, ", payload {}", Excerpt(payload)) }
}

fn list(f: &mut Formatter<'_>, items: impl Iterator<Item = impl Display>) -> fmt::Result {
    for (index, item) in items.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

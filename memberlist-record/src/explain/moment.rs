//! One input of a replay, and all its effects.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use memberlist_proto::{Departure, Event, Input, Instant, Reply, StreamOp};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::said::{Said, Way, Wire};
use super::table::{Change, Table};
use crate::entry::Entry;
use crate::replay::{Replay, ReplayError, Step, Verdict};

/// One step of a replay, reduced to what explains something.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Moment {
    /// The number of the input in this replay, from 0 on.
    pub number: u64,
    /// When the input was handed in, in the core's time.
    pub at: Instant,
    /// The input.
    pub input: Took,
    /// The messages in the input.
    pub heard: Vec<Said>,
    /// A fingerprint of the packet, or of the message of a stream that the input completed: the
    /// same as [`Sent::print`] at the sender.
    pub print: Option<u64>,
    /// The datagrams and stream messages that were sent.
    pub sent: Vec<Sent>,
    /// The events reported to the application.
    pub reports: Vec<Report>,
    /// The changes to the table of members.
    pub changes: Vec<Change>,
    /// The health score after the input.
    pub health: u32,
    /// The number of messages in the gossip queues after the input.
    pub queued: u64,
    /// Whether the live node had the same outputs.
    pub verdict: Verdict,
}

/// The kind of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "input", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Took {
    /// A datagram.
    Packet {
        /// Where it came from.
        from: SocketAddr,
        /// Its length.
        bytes: usize,
        /// Why not all of it could be read; `None` if all of it was.
        error: Option<String>,
    },
    /// Something that happened to a stream.
    Stream {
        /// The stream.
        id: u64,
        /// The peer's address; `None` if the stream began before the replay.
        peer: Option<SocketAddr>,
        /// What happened, in words.
        what: String,
    },
    /// The call at which due timers fire.
    Timeout,
    /// An operation or setting of the application.
    Operation {
        /// Its name.
        name: &'static str,
    },
    /// An answer of the application or of the resolver, or fresh randomness.
    Answer {
        /// What it is, in words.
        name: &'static str,
    },
}

/// Something that was sent: a datagram, or the message of a stream. The opening of a stream has an
/// entry of its own, without messages and with 0 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sent {
    /// The receiver's address; `None` for the answer on a stream that was accepted before the
    /// recording.
    pub to: Option<SocketAddr>,
    /// The receiver's name, if it is known.
    pub node: Option<String>,
    /// Whether it was sent by stream.
    pub stream: bool,
    /// Its length in bytes.
    pub bytes: usize,
    /// The messages in it.
    pub said: Vec<Said>,
    /// A fingerprint, the same as [`Moment::print`] at the receiver; 0 for the opening of a stream.
    #[serde(skip)]
    pub print: u64,
}

/// An event reported to the application, reduced to what explains something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "report", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Report {
    /// A node became a member, changed, was suspected, refuted, was refused, or departed.
    Node {
        /// The node.
        node: String,
        /// What happened, in words.
        what: String,
    },
    /// A probed member answered directly.
    Pinged {
        /// The member.
        node: String,
        /// The round trip time.
        rtt: Duration,
    },
    /// The health score changed.
    Health {
        /// The new score; 0 is healthy.
        score: u32,
    },
    /// Anything else.
    Other {
        /// Its kind, in words.
        what: &'static str,
    },
}

/// Turns the steps of a replay into moments.
#[derive(Debug, Default)]
pub struct Watcher {
    wire: Wire,
    peers: std::collections::BTreeMap<u64, SocketAddr>,
    /// The last full states received, each with its stream and its peer: they are merged later,
    /// when the job on them is done.
    states: VecDeque<(u64, Option<SocketAddr>, Said)>,
    table: Table,
    number: u64,
}

/// How many full states are remembered until they are merged.
const STATES: usize = 64;

impl Watcher {
    /// Begins with the state in which the replay is now.
    pub fn new(replay: &Replay) -> Self {
        let at = Instant::from_nanos(replay.header().at);
        Self { table: Table::of(replay.node(), at), ..Self::default() }
    }

    /// The table of members after the last step.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Makes the next step of the replay; `None` at its end.
    ///
    /// # Errors
    ///
    /// As for [`Replay::step`].
    pub fn next(&mut self, replay: &mut Replay) -> Result<Option<Moment>, ReplayError> {
        Ok(replay.step()?.map(|step| self.watch(replay, &step)))
    }

    fn watch(&mut self, replay: &Replay, step: &Step) -> Moment {
        let node = replay.node();
        let at = step.record.at;
        let mut print = None;
        let (mut input, mut heard) = match &step.record.entry {
            Entry::Input(Input::Packet { from, packet }) => {
                let (heard, error) = self.wire.packet(node, packet);
                print = Some(xxh3_64(packet));
                (Took::Packet { from: *from, bytes: packet.len(), error }, heard)
            }
            Entry::Input(Input::StreamAccepted { from }) => {
                let mut id = 0;
                if let Some(Ok(Reply::Accepted(accepted))) = &step.result {
                    id = accepted.as_u64();
                    self.wire.open(id, false);
                    self.peers.insert(id, *from);
                }
                (Took::Stream { id, peer: Some(*from), what: "accepted".into() }, Vec::new())
            }
            Entry::Input(Input::StreamData { id, data }) => {
                let id = id.as_u64();
                let read = self.wire.stream(node, id, Way::In, data);
                print = read.as_ref().map(|(_, print)| *print);
                let what = format!("{} bytes", data.len());
                let heard: Vec<Said> = read.map(|(said, _)| said).into_iter().collect();
                self.remember(id, &heard);
                (self.stream(id, what), heard)
            }
            entry => (self.plain(entry), Vec::new()),
        };
        let sent = self.sent(replay, step);
        let news = !matches!(input, Took::Packet { .. })
            || !step.outputs.events.is_empty()
            || heard.iter().any(|it| !matches!(it, Said::Ping { .. } | Said::Ack { .. }));
        let mut changes = Vec::new();
        // The table is compared only where it can have changed, since that takes time.
        if news || step.arrived.is_some() || self.table.has_suspects() {
            let table = Table::of(node, at);
            changes = self.table.changes_to(&table);
            self.table = table;
        }
        if let Entry::Input(Input::JobDone { .. }) = &step.record.entry
            && let Some((id, peer, state)) = self.state_behind(&changes)
        {
            input = Took::Stream { id, peer, what: "its state was merged".into() };
            heard = vec![state];
        }
        let reports = step.outputs.events.iter().map(report).collect();
        let gauges = node.stats().gauges;
        let queued = gauges.membership_queue.saturating_add(gauges.user_queue);
        let (health, number) = (node.health_score(), self.number);
        self.number += 1;
        let verdict = step.verdict;
        Moment { number, at, input, heard, print, sent, reports, changes, health, queued, verdict }
    }

    fn remember(&mut self, id: u64, heard: &[Said]) {
        let states = heard.iter().filter(|it| matches!(it, Said::State { .. }));
        let peer = self.peers.get(&id).copied();
        self.states.extend(states.map(|state| (id, peer, state.clone())));
        while self.states.len() > STATES {
            self.states.pop_front();
        }
    }

    /// Removes and returns the earliest state whose merge can have made these changes.
    fn state_behind(&mut self, changes: &[Change]) -> Option<(u64, Option<SocketAddr>, Said)> {
        let is_behind = |(_, _, state): &(u64, Option<SocketAddr>, Said)| {
            changes.iter().any(|change| state.is_news_of(&change.node))
        };
        let found = self.states.iter().position(is_behind)?;
        self.states.remove(found)
    }

    fn stream(&self, id: u64, what: String) -> Took {
        Took::Stream { id, peer: self.peers.get(&id).copied(), what }
    }

    /// The kind of an input without messages.
    fn plain(&mut self, entry: &Entry<'_>) -> Took {
        let answer = |name| Took::Answer { name };
        match entry {
            Entry::Input(input) => match input {
                Input::StreamConnected { id } => self.stream(id.as_u64(), "connected".into()),
                Input::StreamWritten { id, bytes } => {
                    self.stream(id.as_u64(), format!("{bytes} bytes written"))
                }
                Input::StreamEof { id } => self.stream(id.as_u64(), "ended by the peer".into()),
                Input::StreamClosed { id, cause } => {
                    let id = id.as_u64();
                    let what = match cause {
                        None => "closed".into(),
                        Some(cause) => format!("closed: {cause}"),
                    };
                    let took = self.stream(id, what);
                    self.wire.close(id);
                    self.peers.remove(&id);
                    took
                }
                Input::Timeout => Took::Timeout,
                Input::TransmitFailed { .. } => answer("a packet that could not be sent"),
                Input::LookupAnswered { .. } => answer("the answer to a look-up"),
                Input::Answered { .. } => answer("an answer of the application"),
                Input::Entropy(_) => answer("fresh randomness"),
                Input::Command(command) => Took::Operation { name: super::words::command(command) },
                Input::JobDone { .. } => answer("work that was done aside"),
                _ => answer("another input"),
            },
            Entry::AddKey(_) => Took::Operation { name: "add a key" },
            Entry::UseKey(_) => Took::Operation { name: "use a key" },
            Entry::RemoveKey(_) => Took::Operation { name: "remove a key" },
        }
    }

    fn sent(&mut self, replay: &Replay, step: &Step) -> Vec<Sent> {
        let node = replay.node();
        let mut sent = Vec::new();
        for packet in &step.outputs.transmits {
            let (said, _) = self.wire.packet(node, &packet.payload);
            sent.push(Sent {
                to: Some(packet.to),
                node: packet.node.as_ref().map(ToString::to_string),
                stream: false,
                bytes: packet.payload.len(),
                said,
                print: xxh3_64(&packet.payload),
            });
        }
        for op in &step.outputs.streams {
            let id = op.id().as_u64();
            match op {
                StreamOp::Connect { to, node, .. } => {
                    self.wire.open(id, true);
                    self.peers.insert(id, *to);
                    let node = node.as_ref().map(ToString::to_string);
                    let (to, said) = (Some(*to), Vec::new());
                    sent.push(Sent { to, node, stream: true, bytes: 0, said, print: 0 });
                }
                StreamOp::Write { data, .. } => {
                    if let Some((said, print)) = self.wire.stream(node, id, Way::Out, data) {
                        let to = self.peers.get(&id).copied();
                        let (bytes, said) = (data.len(), vec![said]);
                        sent.push(Sent { to, node: None, stream: true, bytes, said, print });
                    }
                }
                StreamOp::Abort { .. } => {
                    self.wire.close(id);
                    self.peers.remove(&id);
                }
                StreamOp::Close { .. } => {}
            }
        }
        sent
    }
}

impl Moment {
    /// Whether it has no messages, outputs or changes, and is no operation of the application.
    pub fn is_quiet(&self) -> bool {
        self.heard.is_empty()
            && self.sent.is_empty()
            && self.reports.is_empty()
            && self.changes.is_empty()
            && !matches!(self.input, Took::Operation { .. })
    }

    /// The address of the peer that the input came from; `None` if it came from no peer, or that is
    /// not known.
    pub fn from(&self) -> Option<SocketAddr> {
        match &self.input {
            Took::Packet { from, .. } => Some(*from),
            Took::Stream { peer, .. } => *peer,
            _ => None,
        }
    }

    /// Whether the input belongs to a stream.
    pub fn is_stream(&self) -> bool {
        matches!(self.input, Took::Stream { .. })
    }
}

fn report(event: &Event) -> Report {
    let about = |node: &memberlist_proto::Node, what: String| Report::Node {
        node: node.name().to_string(),
        what,
    };
    match event {
        Event::Joined { node } => about(node, "joined".into()),
        Event::Updated { node, .. } => about(node, "updated".into()),
        Event::Departed { node, reason, .. } => {
            let why = match reason {
                Departure::Left => "left",
                Departure::Failed { .. } => "failed",
                _ => "declared dead",
            };
            about(node, why.into())
        }
        Event::HadLeft { node, .. } => about(node, "had left".into()),
        Event::Suspected { node, .. } => about(node, "suspected".into()),
        Event::Refuted { node, .. } => about(node, "refuted".into()),
        Event::Conflict { existing, .. } => about(existing, "conflict".into()),
        Event::Refused { node, .. } => {
            Report::Node { node: node.to_string(), what: "refused".into() }
        }
        Event::OnlyByStream { node } => about(node, "reached only by stream".into()),
        Event::Pinged { node, rtt, .. } => {
            Report::Pinged { node: node.name().to_string(), rtt: *rtt }
        }
        Event::Health { score } => Report::Health { score: *score },
        other => Report::Other { what: super::words::event(other) },
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet { from, bytes, error } => {
                write!(f, "packet of {bytes} bytes from {from}")?;
                match error {
                    Some(error) => write!(f, " ({error})"),
                    None => Ok(()),
                }
            }
            Self::Stream { id, peer: Some(peer), what } => {
                write!(f, "stream {id} with {peer}: {what}")
            }
            Self::Stream { id, peer: None, what } => write!(f, "stream {id}: {what}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Operation { name } => write!(f, "operation: {name}"),
            Self::Answer { name } => f.write_str(name),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, what } => write!(f, "{node} {what}"),
            Self::Pinged { node, rtt } => write!(f, "{node} answered in {rtt:.1?}"),
            Self::Health { score } => write!(f, "health score {score}"),
            Self::Other { what } => f.write_str(what),
        }
    }
}

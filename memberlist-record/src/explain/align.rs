//! Several nodes on one axis of time, by the messages that they exchanged.
//!
//! A message is sent before it is received, which bounds the offset between the clocks of two
//! nodes. The middle of the possible offsets is taken, so that no message arrives before it was
//! sent, whatever the clocks say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use memberlist_proto::Instant;
use serde::Serialize;

use super::chronicle::Chronicle;
use super::moment::Sent;

/// Identifies something that a node sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The index of the node among the chronicles.
    pub node: usize,
    /// The index of the moment in [`Chronicle::moments`].
    pub moment: usize,
    /// The index in [`Moment::sent`](super::Moment::sent).
    pub sent: usize,
}

/// What became of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was received.
    Received {
        /// The index of the receiver.
        node: usize,
        /// The index of the receiver's moment.
        moment: usize,
    },
    /// The receiver was recorded at that time, and did not receive it.
    Lost {
        /// The index of the receiver.
        node: usize,
    },
    /// The recording of the receiver had not begun at that time, or had ended.
    Outside {
        /// The index of the receiver.
        node: usize,
    },
    /// The receiver is not among the recordings.
    Unrecorded,
}

/// How the time of a node on the common axis was determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignedBy {
    /// It is the node to which the others are aligned.
    Reference,
    /// By messages in both directions.
    Messages,
    /// By messages in one direction only, which bound the offset on one side: that bound is taken,
    /// and the true offset may lie beyond it on the other side.
    OneWay,
    /// By the wall clocks of the nodes, since no message connects it to the reference.
    Clocks,
    /// Not at all: there are neither messages nor wall clocks.
    Nothing,
}

/// The datagrams that one node sent to another, and those of them that were lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Losses {
    /// The index of the sender among the chronicles.
    pub from: usize,
    /// The index of the receiver among the chronicles.
    pub to: usize,
    /// How many datagrams were sent while the receiver was recorded.
    pub sent: u64,
    /// How many of them did not arrive.
    pub lost: u64,
    /// When the first lost one was sent, in nanoseconds on the common axis; `None` if none was
    /// lost.
    pub first: Option<i64>,
    /// When the last lost one was sent, in the same way.
    pub last: Option<i64>,
    /// How many messages of each kind were in the lost datagrams.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Several chronicles on one axis of time: that of the first, in nanoseconds since its run began.
#[derive(Clone, Debug)]
pub struct Alignment {
    offsets: Vec<i64>,
    by: Vec<AlignedBy>,
    deliveries: HashMap<Place, Delivery>,
    origins: HashMap<(usize, usize), Place>,
    losses: Vec<Losses>,
    drift: Option<i64>,
}

impl Alignment {
    /// Aligns some chronicles, each of another node. The first one is the reference.
    pub fn of(chronicles: &[Chronicle]) -> Self {
        let (arrived, origins) = matched(chronicles);
        let (offsets, by, drift) = offsets(chronicles, &arrived);
        let mut alignment =
            Self { offsets, by, deliveries: HashMap::new(), origins, losses: Vec::new(), drift };
        alignment.judge(chronicles, &arrived);
        alignment
    }

    /// Converts a time of a node to the common axis.
    pub fn time(&self, node: usize, at: Instant) -> i64 {
        nanos(at).saturating_add(self.offsets[node])
    }

    /// Converts a time on the common axis to that of a node.
    pub fn instant(&self, node: usize, at: i64) -> Instant {
        let nanos = at.saturating_sub(self.offsets[node]);
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// How the time of a node was determined.
    pub fn aligned_by(&self, node: usize) -> AlignedBy {
        self.by[node]
    }

    /// By how many nanoseconds messages seem to arrive before they were sent, at most, because the
    /// clocks run at different speeds and contradict every offset; `None` if they do not.
    pub fn drift(&self) -> Option<i64> {
        self.drift
    }

    /// What became of something that was sent.
    pub fn delivery(&self, place: Place) -> Delivery {
        self.deliveries.get(&place).copied().unwrap_or(Delivery::Unrecorded)
    }

    /// Where the message that a node received in a moment was sent; `None` if that is not known.
    pub fn origin(&self, node: usize, moment: usize) -> Option<Place> {
        self.origins.get(&(node, moment)).copied()
    }

    /// What was sent and lost, for each pair of nodes between which any datagram was sent.
    pub fn losses(&self) -> &[Losses] {
        &self.losses
    }

    /// Decides what became of everything that was sent, and sums up the datagrams.
    fn judge(&mut self, chronicles: &[Chronicle], arrived: &HashMap<Place, (usize, usize)>) {
        let slowest = self.slowest(chronicles, arrived);
        let mut losses: BTreeMap<(usize, usize), Losses> = BTreeMap::new();
        for (place, sent) in everything_sent(chronicles) {
            let at = self.time(place.node, chronicles[place.node].moments[place.moment].at);
            let to = arrived.get(&place).copied();
            let receiver = to.map(|(node, _)| node).or_else(|| self.receiver(chronicles, sent, at));
            let Some(receiver) = receiver.filter(|it| *it != place.node) else { continue };
            let slack = slowest.get(&(place.node, receiver)).copied().unwrap_or(0);
            let begun = self.time(receiver, chronicles[receiver].begun);
            let ended = self.time(receiver, chronicles[receiver].ended);
            let delivery = match to {
                Some((node, moment)) => Delivery::Received { node, moment },
                None if at < begun || at.saturating_add(slack) >= ended => {
                    Delivery::Outside { node: receiver }
                }
                None => Delivery::Lost { node: receiver },
            };
            self.deliveries.insert(place, delivery);
            if sent.stream || matches!(delivery, Delivery::Outside { .. }) {
                continue;
            }
            let link = losses.entry((place.node, receiver)).or_insert_with(|| Losses {
                from: place.node,
                to: receiver,
                sent: 0,
                lost: 0,
                first: None,
                last: None,
                kinds: BTreeMap::new(),
            });
            link.sent += 1;
            if to.is_none() {
                link.lost += 1;
                link.first = Some(link.first.map_or(at, |first| first.min(at)));
                link.last = Some(link.last.map_or(at, |last| last.max(at)));
                for said in &sent.said {
                    *link.kinds.entry(said.kind()).or_default() += 1;
                }
            }
        }
        self.losses = losses.into_values().collect();
    }

    /// The recorded node at the address that something was sent to; if there were several runs
    /// there, the one at that time.
    fn receiver(&self, chronicles: &[Chronicle], sent: &Sent, at: i64) -> Option<usize> {
        let there = |it: &usize| Some(chronicles[*it].address) == sent.to;
        let lives = |it: &usize| {
            let life = &chronicles[*it];
            (self.time(*it, life.begun)..self.time(*it, life.ended)).contains(&at)
        };
        let all = || (0..chronicles.len()).filter(there);
        all().find(lives).or_else(|| all().next())
    }

    /// The longest that anything took on each link: what was sent less than that before the end of a
    /// recording may have been under way.
    fn slowest(
        &self,
        chronicles: &[Chronicle],
        arrived: &HashMap<Place, (usize, usize)>,
    ) -> HashMap<(usize, usize), i64> {
        let mut slowest: HashMap<(usize, usize), i64> = HashMap::new();
        for (from, (to, moment)) in arrived {
            let sent = self.time(from.node, chronicles[from.node].moments[from.moment].at);
            let took = self.time(*to, chronicles[*to].moments[*moment].at) - sent;
            let longest = slowest.entry((from.node, *to)).or_default();
            *longest = took.max(*longest);
        }
        slowest
    }
}

fn nanos(at: Instant) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

/// Everything that was sent and has a print.
fn everything_sent(chronicles: &[Chronicle]) -> impl Iterator<Item = (Place, &Sent)> {
    chronicles.iter().enumerate().flat_map(|(node, chronicle)| {
        chronicle.moments.iter().enumerate().flat_map(move |(moment, it)| {
            let sent = it.sent.iter().enumerate().filter(|(_, sent)| sent.bytes > 0);
            sent.map(move |(index, sent)| (Place { node, moment, sent: index }, sent))
        })
    })
}

/// Something that was sent, with the address if that is a recorded node's.
type Addressed = (Place, Option<SocketAddr>);
type Arrived = HashMap<Place, (usize, usize)>;
type Origins = HashMap<(usize, usize), Place>;

/// Finds where the message received in each moment was sent: the same bytes, to this node if the
/// address is that of a recorded one, and of those the earliest that has not been matched yet.
fn matched(chronicles: &[Chronicle]) -> (Arrived, Origins) {
    let recorded: BTreeSet<SocketAddr> = chronicles.iter().map(|it| it.address).collect();
    let mut sends: HashMap<(bool, u64), Vec<Addressed>> = HashMap::new();
    for (place, sent) in everything_sent(chronicles) {
        let to = sent.to.filter(|it| recorded.contains(it));
        sends.entry((sent.stream, sent.print)).or_default().push((place, to));
    }
    let (mut arrived, mut origins) = (HashMap::new(), HashMap::new());
    for (node, chronicle) in chronicles.iter().enumerate() {
        for (index, moment) in chronicle.moments.iter().enumerate() {
            let Some(print) = moment.print else { continue };
            let Some(candidates) = sends.get_mut(&(moment.is_stream(), print)) else { continue };
            let fits = |(place, to): &Addressed| {
                place.node != node && to.is_none_or(|to| to == chronicle.address)
            };
            let Some(found) = candidates.iter().position(fits) else { continue };
            let (place, _) = candidates.remove(found);
            arrived.insert(place, (node, index));
            origins.insert((node, index), place);
        }
    }
    (arrived, origins)
}

/// For each pair of nodes, the most by which the offset of the first may exceed that of the second;
/// `None` if no message bounds it.
type Bounds = Vec<Vec<Option<i64>>>;

/// The bounds with all bounds that follow from them. If they contradict each other, since clocks
/// run at different speeds, all are widened by the least that is needed: that is the drift.
fn closed(bounds: &Bounds) -> (Bounds, Option<i64>) {
    if let Some(closed) = closed_with(bounds, 0) {
        return (closed, None);
    }
    // More than all bounds together is always enough.
    let sum = bounds.iter().flatten().flatten().map(|it| it.saturating_abs());
    let (mut less, mut enough) = (0, sum.fold(1, i64::saturating_add));
    while enough - less > 1 {
        let middle = less + (enough - less) / 2;
        match closed_with(bounds, middle) {
            Some(_) => enough = middle,
            None => less = middle,
        }
    }
    (closed_with(bounds, enough).unwrap_or_else(|| bounds.clone()), Some(enough))
}

/// The bounds, each widened by some nanoseconds, with all bounds that follow; `None` if they
/// contradict each other.
fn closed_with(bounds: &Bounds, wider: i64) -> Option<Bounds> {
    let count = bounds.len();
    let mut most = bounds.clone();
    most.iter_mut().flatten().flatten().for_each(|it| *it = it.saturating_add(wider));
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                let (Some(one), Some(two)) = (most[from][via], most[via][to]) else { continue };
                let sum = one.saturating_add(two);
                // On the way around a circle, nothing may come before itself.
                if from == to && sum < 0 {
                    return None;
                }
                most[from][to] = Some(most[from][to].map_or(sum, |least| least.min(sum)));
            }
        }
    }
    Some(most)
}

/// The offset of each node from the common axis, how it was determined, and the drift.
fn offsets(chronicles: &[Chronicle], arrived: &Arrived) -> (Vec<i64>, Vec<AlignedBy>, Option<i64>) {
    let count = chronicles.len();
    let mut most: Bounds = vec![vec![None; count]; count];
    for (from, (to, moment)) in arrived {
        let sent = nanos(chronicles[from.node].moments[from.moment].at);
        let took = nanos(chronicles[*to].moments[*moment].at) - sent;
        let bound = &mut most[from.node][*to];
        *bound = Some(bound.map_or(took, |least| least.min(took)));
    }
    let (most, drift) = closed(&most);
    let day = |it: &Chronicle| {
        let millis = i64::try_from(it.born.wall_clock_ms?).ok()?;
        Some(millis.saturating_mul(1_000_000).saturating_sub(i64::try_from(it.born.at).ok()?))
    };
    let Some(reference) = chronicles.first() else { return (Vec::new(), Vec::new(), None) };
    let base = -i64::try_from(reference.born.at).unwrap_or(0);
    let placed = (0..count).map(|node| {
        let (above, below) = (most[node][0], most[0][node]);
        let (offset, by) = match (above, below) {
            _ if node == 0 => (0, AlignedBy::Reference),
            (Some(above), Some(below)) => {
                (above.saturating_sub(below.saturating_add(above) / 2), AlignedBy::Messages)
            }
            (Some(above), None) => (above, AlignedBy::OneWay),
            (None, Some(below)) => (-below, AlignedBy::OneWay),
            (None, None) => match (day(&chronicles[node]), day(reference)) {
                (Some(day), Some(of_reference)) => (day - of_reference, AlignedBy::Clocks),
                _ => (0, AlignedBy::Nothing),
            },
        };
        (base.saturating_add(offset), by)
    });
    let (offsets, by) = placed.unzip();
    (offsets, by, drift)
}

//! Several nodes on one axis of time, by the messages that they exchanged.
//!
//! What one sent before another received it bounds how far their clocks can be apart. Of all offsets
//! within these bounds the middle is taken, so that no message arrives before it was sent, whatever
//! the clocks say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use memberlist_proto::Instant;
use serde::Serialize;

use super::chronicle::Chronicle;
use super::moment::Sent;

/// Something that a node sent: the node's index, the moment's, and that within the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The node, by its place among the chronicles.
    pub node: usize,
    /// The moment.
    pub moment: usize,
    /// What was sent in it.
    pub sent: usize,
}

/// What became of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was received.
    Received {
        /// The receiver.
        node: usize,
        /// In this moment of it.
        moment: usize,
    },
    /// The receiver was recorded at that time, and did not receive it.
    Lost {
        /// The receiver.
        node: usize,
    },
    /// The recording of the receiver had not begun, or had ended.
    Outside {
        /// The receiver.
        node: usize,
    },
    /// The receiver is not among the recordings.
    Unrecorded,
}

/// By what a node's time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignedBy {
    /// It is the node to which the others are aligned.
    Reference,
    /// Messages in both directions.
    Messages,
    /// Messages in one direction only: the true offset may be larger.
    OneWay,
    /// The time of the day that each node had: no message connects it to the others.
    Clocks,
    /// Nothing.
    Nothing,
}

/// What was lost between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Losses {
    /// The sender, by its place among the chronicles.
    pub from: usize,
    /// The receiver.
    pub to: usize,
    /// Datagrams sent while the receiver was recorded.
    pub sent: u64,
    /// Those that did not arrive.
    pub lost: u64,
    /// When the first of these was sent, in nanoseconds on the common axis.
    pub first: Option<i64>,
    /// When the last was.
    pub last: Option<i64>,
    /// How many messages of each kind were in them.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Chronicles on one axis of time: that of the first, in nanoseconds since its run began.
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
    /// Of some chronicles, each of another node.
    pub fn of(chronicles: &[Chronicle]) -> Self {
        let (arrived, origins) = matched(chronicles);
        let (offsets, by, drift) = offsets(chronicles, &arrived);
        let mut alignment =
            Self { offsets, by, deliveries: HashMap::new(), origins, losses: Vec::new(), drift };
        alignment.judge(chronicles, &arrived);
        alignment
    }

    /// A time of a node on the common axis.
    pub fn time(&self, node: usize, at: Instant) -> i64 {
        nanos(at).saturating_add(self.offsets[node])
    }

    /// The time of a node at a time on the common axis.
    pub fn instant(&self, node: usize, at: i64) -> Instant {
        let nanos = at.saturating_sub(self.offsets[node]);
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// By what a node's time is known.
    pub fn aligned_by(&self, node: usize) -> AlignedBy {
        self.by[node]
    }

    /// Clocks that run differently fast contradict every offset: by how many nanoseconds messages
    /// then seem to arrive before they were sent, at most.
    pub fn drift(&self) -> Option<i64> {
        self.drift
    }

    /// What became of something that was sent.
    pub fn delivery(&self, place: Place) -> Delivery {
        self.deliveries.get(&place).copied().unwrap_or(Delivery::Unrecorded)
    }

    /// Where what a node received in a moment was sent.
    pub fn origin(&self, node: usize, moment: usize) -> Option<Place> {
        self.origins.get(&(node, moment)).copied()
    }

    /// What was lost, for each pair of nodes that sent anything.
    pub fn losses(&self) -> &[Losses] {
        &self.losses
    }

    /// Decides what became of each datagram, and sums up.
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

    /// The recorded node that was at the address that something was sent to: of several lives there,
    /// the one at that time.
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

/// What was sent, and where to if that is a recorded node.
type Addressed = (Place, Option<SocketAddr>);
type Arrived = HashMap<Place, (usize, usize)>;
type Origins = HashMap<(usize, usize), Place>;

/// Finds for each moment what was received in it among what was sent: the same bytes, to this node if
/// the address is a recorded one's, the earliest that has not arrived yet.
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

/// For each pair of nodes the most by which the offset of one may be larger than that of the other.
type Bounds = Vec<Vec<Option<i64>>>;

/// The bounds with all that follows from them. Where they contradict each other, since clocks run
/// differently fast, each is widened by the least that is needed, which is the drift.
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

/// The bounds, each wider by some nanoseconds, with all that follows; none if they contradict.
fn closed_with(bounds: &Bounds, wider: i64) -> Option<Bounds> {
    let count = bounds.len();
    let mut most = bounds.clone();
    most.iter_mut().flatten().flatten().for_each(|it| *it = it.saturating_add(wider));
    for via in 0..count {
        for from in 0..count {
            for to in 0..count {
                let (Some(one), Some(two)) = (most[from][via], most[via][to]) else { continue };
                let sum = one.saturating_add(two);
                // Around a circle, back to itself, nothing may be later than itself.
                if from == to && sum < 0 {
                    return None;
                }
                most[from][to] = Some(most[from][to].map_or(sum, |least| least.min(sum)));
            }
        }
    }
    Some(most)
}

/// The offset of each node to the first's axis.
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

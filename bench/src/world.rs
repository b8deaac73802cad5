//! A network of nodes in virtual time, the same for our nodes and for those of the peers: an
//! agenda, a delay for every datagram, and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A node of any implementation.
pub(crate) trait Player {
    /// Something that can happen to it.
    type Item;

    /// Handles something that happens at `now`, in nanoseconds; adds what follows from it to `out`.
    fn happen(&mut self, now: u64, item: Self::Item, out: &mut Vec<Follow<Self::Item>>);
}

/// Something that will happen.
pub(crate) struct Follow<I> {
    /// The number of the node to which it happens.
    pub(crate) to: usize,
    pub(crate) when: When,
    pub(crate) item: I,
}

/// The time at which it will happen.
pub(crate) enum When {
    /// At this time in nanoseconds.
    At(u64),
    /// When a datagram sent now arrives.
    Datagram,
    /// When a piece of a stream sent now arrives.
    Stream,
}

pub(crate) struct World<P: Player> {
    pub(crate) now: u64,
    pub(crate) players: Vec<P>,
    /// The share of datagrams that is lost.
    pub(crate) loss: f64,
    /// Whether each node has stopped: then nothing happens to it any more.
    silent: Vec<bool>,
    agenda: BinaryHeap<Reverse<Entry<P::Item>>>,
    count: u64,
    rng: SmallRng,
    out: Vec<Follow<P::Item>>,
}

struct Entry<I> {
    at: u64,
    order: u64,
    to: usize,
    item: I,
}

const MILLISECOND: u64 = 1_000_000;

impl<P: Player> World<P> {
    pub(crate) fn new(players: Vec<P>, begin: Vec<Follow<P::Item>>) -> Self {
        let rng = SmallRng::seed_from_u64(1);
        let mut world = Self {
            now: 1,
            loss: 0.0,
            silent: vec![false; players.len()],
            players,
            agenda: BinaryHeap::new(),
            count: 0,
            rng,
            out: begin,
        };
        world.schedule();
        world
    }

    /// Stops one node of a hundred.
    pub(crate) fn silence(&mut self) {
        self.silent.iter_mut().skip(7).step_by(100).for_each(|it| *it = true);
    }

    /// Lets this number of seconds pass.
    pub(crate) fn run(&mut self, seconds: u64) {
        let end = self.now + seconds * 1_000 * MILLISECOND;
        while self.agenda.peek().is_some_and(|Reverse(next)| next.at <= end) {
            let Some(Reverse(next)) = self.agenda.pop() else { break };
            self.now = next.at;
            if self.silent[next.to] {
                continue;
            }
            self.players[next.to].happen(next.at, next.item, &mut self.out);
            self.schedule();
        }
        self.now = end;
    }

    fn schedule(&mut self) {
        for Follow { to, when, item } in self.out.drain(..) {
            let lost = self.loss > 0.0 && matches!(when, When::Datagram);
            if lost && self.rng.random_bool(self.loss) {
                continue;
            }
            let at = match when {
                When::At(at) => at.max(self.now),
                When::Datagram => {
                    self.now + self.rng.random_range(MILLISECOND / 2..3 * MILLISECOND / 2)
                }
                When::Stream => self.now + MILLISECOND,
            };
            self.count += 1;
            self.agenda.push(Reverse(Entry { at, order: self.count, to, item }));
        }
    }
}

impl<I> PartialEq for Entry<I> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<I> Eq for Entry<I> {}

impl<I> PartialOrd for Entry<I> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<I> Ord for Entry<I> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

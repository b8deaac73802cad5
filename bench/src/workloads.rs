//! Our side of the workloads: the functions that are called again and again. `main.rs` measures how
//! long each call takes, and the guards in `bench/guard` count its instructions and allocations.

use std::borrow::BorrowMut;

use bytes::Bytes;
use memberlist_proto::wire::compound;
use memberlist_proto::wire::message::{Message, Ping};
use memberlist_proto::{Broadcast, Memberlist, TransmitLimitedQueue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::ours;

/// The number of packets to choose from: enough that not all members they name are in the cache.
pub(crate) const PACKETS: usize = 1_024;
const INTERVAL: u64 = 200_000_000;

/// A node that knows `size` members, with nothing to gossip and no timers.
pub(crate) fn knowing(size: usize) -> Memberlist {
    let mut node = ours::start(ours::still(0));
    node.restore(ours::at(1), ours::records(size));
    ours::discard(&mut node);
    // The acks to these pings carry its own announcement, until that has reached its transmit
    // limit.
    let packet = ping_of(1);
    while node.stats().gauges.membership_queue > 0 {
        let _ = node.handle_packet(ours::at(2), ours::address(1), &packet);
        ours::discard(&mut node);
    }
    node
}

fn ping_of(from: usize) -> Vec<u8> {
    let (me, from, addr) = (ours::name(0), ours::name(from), ours::ip(from).octets());
    let mut packet = Vec::new();
    Message::Ping(Ping {
        seq_no: 77_777,
        node: me.as_bytes(),
        source_addr: Some(&addr),
        source_port: ours::PORT,
        source_node: from.as_bytes(),
    })
    .encode(&mut packet);
    packet
}

/// The numbers of random members.
pub(crate) fn others(size: usize) -> Vec<usize> {
    let mut rng = SmallRng::seed_from_u64(3);
    (0..PACKETS).map(|_| rng.random_range(1..size)).collect()
}

/// PING: bytes in, the ack's bytes out.
pub(crate) fn ping(mut node: impl BorrowMut<Memberlist>, size: usize) -> impl FnMut(usize) {
    let from = others(size);
    let packets: Vec<_> = from.iter().map(|from| (ours::address(*from), ping_of(*from))).collect();
    move |at| {
        let (from, packet) = &packets[at % PACKETS];
        let node = node.borrow_mut();
        node.handle_packet(ours::at(3), *from, packet).expect("a ping");
        assert!(node.poll_transmit().is_some(), "an ack");
    }
}

/// A compound message of alive messages about these members.
pub(crate) fn alive(about: &[usize], incarnation: u32) -> Vec<u8> {
    let parts: Vec<_> = about.iter().map(|index| ours::alive(*index, incarnation)).collect();
    let mut packet = Vec::new();
    compound::encode(&mut packet, &parts).expect("few");
    packet
}

/// KNOWN(16): a packet of alive messages that say nothing new.
pub(crate) fn known(mut node: impl BorrowMut<Memberlist>, size: usize) -> impl FnMut(usize) {
    let packets: Vec<_> = others(size)
        .chunks(16)
        .flat_map(|about| std::iter::repeat_n(about.to_vec(), 16))
        .enumerate()
        .map(|(at, about)| {
            let about: Vec<_> = about.iter().map(|it| 1 + (it + at * 31) % (size - 1)).collect();
            (ours::address(about[0]), alive(&about, 1))
        })
        .collect();
    move |at| {
        let (from, packet) = &packets[at % packets.len()];
        node.borrow_mut().handle_packet(ours::at(3), *from, packet).expect("a compound");
    }
}

/// Which members the news number `at` is about, and at which incarnation: once all members have had
/// news, the incarnation is one higher.
pub(crate) fn about(size: usize, at: usize, count: usize) -> (Vec<usize>, u32) {
    let first = at * count;
    let round = first / (size - 1);
    let about = (first..first + count).map(|it| 1 + it % (size - 1)).collect();
    (about, round as u32 + 3)
}

/// NEWS(16): a packet of alive messages that are all accepted; can be called `times` times.
pub(crate) fn news(size: usize, times: usize) -> impl FnMut(usize) {
    let mut node = knowing(size);
    let packets: Vec<_> = (0..times)
        .map(|at| {
            let (about, incarnation) = about(size, at, 16);
            alive(&about, incarnation)
        })
        .collect();
    move |at| {
        node.handle_packet(ours::at(3), ours::address(1), &packets[at]).expect("news");
        while node.poll_event().is_some() {}
    }
}

/// TICK: a node that gossips.
pub(crate) struct Ticking {
    node: Memberlist,
    now: u64,
    size: usize,
}

impl Ticking {
    pub(crate) fn new(size: usize) -> Self {
        let mut config = ours::still(0);
        config.gossip_interval = std::time::Duration::from_nanos(INTERVAL);
        let mut node = ours::start(config);
        node.restore(ours::at(1), ours::records(size));
        let mut ticking = Self { node, now: 1, size };
        ticking.drain();
        ticking
    }

    /// Lets one gossip interval pass.
    pub(crate) fn pass(&mut self) {
        self.now += INTERVAL;
        let now = ours::at(self.now);
        if self.node.poll_timeout().is_some_and(|due| due <= now) {
            self.node.handle_timeout(now);
        }
        while self.node.poll_transmit().is_some() {}
    }

    fn drain(&mut self) {
        while self.node.stats().gauges.membership_queue > 0 {
            self.pass();
        }
    }

    /// Learns `count` pieces of news, after all earlier ones have been passed on.
    pub(crate) fn learn(&mut self, at: usize, count: usize) {
        self.drain();
        let (about, incarnation) = about(self.size, at, count);
        let packet = alive(&about, incarnation);
        self.node.handle_packet(ours::at(self.now), ours::address(1), &packet).expect("news");
        ours::discard(&mut self.node);
    }
}

/// A named broadcast of 60 bytes.
pub(crate) struct Note(Bytes, Bytes);

impl Broadcast for Note {
    fn invalidates(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn message(&self) -> &[u8] {
        &self.1
    }

    fn name(&self) -> Option<&[u8]> {
        Some(&self.0)
    }
}

fn note(index: usize) -> Note {
    Note(ours::name(index).into(), vec![b'x'; 60].into())
}

fn full(size: usize) -> TransmitLimitedQueue<Note> {
    let mut queue = TransmitLimitedQueue::new(4);
    queue.set_limit(usize::MAX);
    (0..size).for_each(|index| queue.queue(note(index)));
    queue
}

/// QUEUE: a broadcast that replaces the one of the same name.
pub(crate) fn requeue(size: usize) -> impl FnMut(usize) {
    let mut queue = full(size);
    let notes = others(size);
    let body = Bytes::from(vec![b'x'; 60]);
    let names: Vec<Bytes> = notes.iter().map(|index| ours::name(*index).into()).collect();
    move |at| queue.queue(Note(names[at % PACKETS].clone(), body.clone()))
}

/// QUEUE: a packet that is filled with 20 broadcasts.
pub(crate) fn fill(size: usize) -> impl FnMut(usize) {
    let mut queue = full(size);
    move |_| {
        queue.get_broadcasts(2, 20 * 62, usize::MAX, |_| {});
    }
}

//! What datagrams and ticks cost: PING, KNOWN, NEWS, TICK, QUEUE.

use bytes::Bytes;
use foca::{Member, Message as PeerMessage};
use memberlist_proto::wire::compound;
use memberlist_proto::wire::message::Message;
use memberlist_proto::{Broadcast, Memberlist, TransmitLimitedQueue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::measure::{Cost, each, prepared};
use crate::ours;
use crate::peer::{self, Discard, Id, Named, Small};
use crate::report::{Goal, Row};

/// The largest peer: each member added is compared with all before it, so that ten times as many
/// take hundreds of times as long to set up, for figures that only grow by ten.
const LARGEST_PEER: usize = 10_000;
/// Packets to choose from, so that the members they name are not all in the cache.
const PACKETS: usize = 1_024;
const TICK: u64 = 200_000_000;

pub(crate) fn run(rows: &mut Vec<Row>) {
    for size in [1_000, 10_000, 100_000] {
        let mut node = knowing(size);
        let goal = Goal::Within(180.0, 1.0);
        rows.push(
            Row::of(format!("PING {size}"), ping(&mut node, size))
                .beside(their_ping::<Small>(size), their_ping::<Named>(size))
                .aiming_at(goal),
        );
        let goal = if size < 100_000 { Goal::Within(1_400.0, 0.0) } else { Goal::None };
        rows.push(
            Row::of(format!("KNOWN(16) {size}"), known(&mut node, size))
                .beside(their_known::<Small>(size), their_known::<Named>(size))
                .aiming_at(goal),
        );
    }
    let size = 10_000;
    rows.push(
        Row::of(format!("NEWS(16) {size}"), news(size))
            .beside(Some(their_news::<Small>(size)), Some(their_news::<Named>(size)))
            .aiming_at(Goal::Within(8_000.0, 16.0)),
    );
    rows.push(
        Row::of(format!("TICK {size} idle"), tick(size, 0))
            .beside(Some(their_tick::<Small>(size, 0)), Some(their_tick::<Named>(size, 0)))
            .aiming_at(Goal::AtMost(10.0)),
    );
    for (count, goal) in [(1, 800.0), (16, 8_000.0)] {
        rows.push(
            Row::of(format!("TICK {size}, {count} alive"), tick(size, count))
                .beside(
                    Some(their_tick::<Small>(size, count)),
                    Some(their_tick::<Named>(size, count)),
                )
                .aiming_at(Goal::AtMost(goal)),
        );
    }
    for size in [1_000, 10_000, 100_000] {
        rows.push(Row::of(format!("QUEUE {size} requeue"), requeue(size)));
        rows.push(Row::of(format!("QUEUE {size} fill (20)"), fill(size)));
    }
}

/// A node that knows so many, with nothing to gossip and no timers.
fn knowing(size: usize) -> Memberlist {
    let mut node = ours::start(ours::still(0));
    node.restore(ours::at(1), ours::records(size));
    ours::discard(&mut node);
    node.note_drained();
    node
}

trait Drained {
    fn note_drained(&mut self);
}

impl Drained for Memberlist {
    /// The node's own announcement is gossiped until it has been sent as often as it is: by pings,
    /// which carry it along.
    fn note_drained(&mut self) {
        let packet = ping_of(1);
        while self.stats().gauges.membership_queue > 0 {
            let _ = self.handle_packet(ours::at(2), ours::address(1), &packet);
            ours::discard(self);
        }
    }
}

fn ping_of(from: usize) -> Vec<u8> {
    let (me, from, addr) = (ours::name(0), ours::name(from), ours::ip(from).octets());
    let mut packet = Vec::new();
    Message::Ping(memberlist_proto::wire::message::Ping {
        seq_no: 77_777,
        node: me.as_bytes(),
        source_addr: Some(&addr),
        source_port: ours::PORT,
        source_node: from.as_bytes(),
    })
    .encode(&mut packet);
    packet
}

fn others(size: usize) -> Vec<usize> {
    let mut rng = SmallRng::seed_from_u64(3);
    (0..PACKETS).map(|_| rng.random_range(1..size)).collect()
}

fn ping(node: &mut Memberlist, size: usize) -> Cost {
    let from = others(size);
    let packets: Vec<_> = from.iter().map(|from| (ours::address(*from), ping_of(*from))).collect();
    each(PACKETS * 20, |at| {
        let (from, packet) = &packets[at % PACKETS];
        node.handle_packet(ours::at(3), *from, packet).expect("a ping");
        assert!(node.poll_transmit().is_some(), "an ack");
    })
}

fn their_ping<I: Id>(size: usize) -> Option<f64> {
    if size > LARGEST_PEER {
        return None;
    }
    let mut node = peer::knowing::<I>(size);
    let packets: Vec<_> = others(size)
        .iter()
        .map(|from| peer::packet::<I>(*from, PeerMessage::Ping(7), &[]))
        .collect();
    let mut out = Discard::default();
    let ping = each(PACKETS * 2, |at| {
        node.handle_data(&packets[at % PACKETS], &mut out).expect("a ping");
    });
    Some(ping.nanos)
}

/// A compound of alive messages about so many members.
fn alive(about: &[usize], incarnation: u32) -> Vec<u8> {
    let parts: Vec<_> = about.iter().map(|index| ours::alive(*index, incarnation)).collect();
    let mut packet = Vec::new();
    compound::encode(&mut packet, &parts).expect("few");
    packet
}

fn known(node: &mut Memberlist, size: usize) -> Cost {
    let packets: Vec<_> = others(size * 16 / 16)
        .chunks(16)
        .flat_map(|about| std::iter::repeat_n(about.to_vec(), 16))
        .enumerate()
        .map(|(at, about)| {
            let about: Vec<_> = about.iter().map(|it| 1 + (it + at * 31) % (size - 1)).collect();
            (ours::address(about[0]), alive(&about, 1))
        })
        .collect();
    each(PACKETS * 4, |at| {
        let (from, packet) = &packets[at % packets.len()];
        node.handle_packet(ours::at(3), *from, packet).expect("a compound");
    })
}

fn their_known<I: Id>(size: usize) -> Option<f64> {
    if size > LARGEST_PEER {
        return None;
    }
    let mut node = peer::knowing::<I>(size);
    let packets: Vec<_> = others(size)
        .chunks(16)
        .map(|about| {
            let updates: Vec<_> = about.iter().map(|it| Member::alive(I::of(*it))).collect();
            peer::packet::<I>(about[0], PeerMessage::Gossip, &updates)
        })
        .collect();
    let mut out = Discard::default();
    let known = each(512, |at| {
        node.handle_data(&packets[at % packets.len()], &mut out).expect("gossip");
    });
    Some(known.nanos)
}

/// Which members the news number `at` is about, and at which incarnation: each round of all of
/// them is one incarnation further.
fn about(size: usize, at: usize, count: usize) -> (Vec<usize>, u32) {
    let first = at * count;
    let round = first / (size - 1);
    let about = (first..first + count).map(|it| 1 + it % (size - 1)).collect();
    (about, round as u32 + 3)
}

fn news(size: usize) -> Cost {
    let mut node = knowing(size);
    let packets: Vec<_> = (0..9 * 512)
        .map(|at| {
            let (about, incarnation) = about(size, at, 16);
            alive(&about, incarnation)
        })
        .collect();
    each(512, |at| {
        node.handle_packet(ours::at(3), ours::address(1), &packets[at]).expect("news");
        while node.poll_event().is_some() {}
    })
}

fn their_news<I: Id>(size: usize) -> f64 {
    let mut node = peer::knowing::<I>(size);
    let packets: Vec<_> = (0..9 * 64)
        .map(|at| {
            let (about, incarnation) = about(size, at, 16);
            let update = |it| Member::new(I::of(it), incarnation as u16, foca::State::Alive);
            let updates: Vec<_> = about.into_iter().map(update).collect();
            peer::packet::<I>(1, PeerMessage::Gossip, &updates)
        })
        .collect();
    let mut out = Discard::default();
    each(64, |at| node.handle_data(&packets[at], &mut out).expect("news")).nanos
}

/// One gossip interval of a node with so much fresh news.
fn tick(size: usize, count: usize) -> Cost {
    let mut config = ours::still(0);
    config.gossip_interval = std::time::Duration::from_nanos(TICK);
    let mut node = ours::start(config);
    node.restore(ours::at(1), ours::records(size));
    let node = std::cell::RefCell::new(node);
    let now = std::cell::Cell::new(1);
    let pass = || {
        now.set(now.get() + TICK);
        let node = &mut *node.borrow_mut();
        let now = ours::at(now.get());
        if node.poll_timeout().is_some_and(|due| due <= now) {
            node.handle_timeout(now);
        }
        while node.poll_transmit().is_some() {}
    };
    let drain = || {
        while node.borrow().stats().gauges.membership_queue > 0 {
            pass();
        }
    };
    drain();
    if count == 0 {
        return each(100_000, |_| pass());
    }
    let prepare = |at| {
        drain();
        let (about, incarnation) = about(size, at, count);
        let node = &mut *node.borrow_mut();
        let packet = alive(&about, incarnation);
        node.handle_packet(ours::at(now.get()), ours::address(1), &packet).expect("news");
        ours::discard(node);
    };
    prepared(2_000, prepare, |()| pass())
}

fn their_tick<I: Id>(size: usize, count: usize) -> f64 {
    let node = std::cell::RefCell::new(peer::knowing::<I>(size));
    let mut out = Discard::default();
    let prepare = |at| {
        let node = &mut *node.borrow_mut();
        let mut out = Discard::default();
        while node.updates_backlog() > 0 {
            node.gossip(&mut out).expect("gossip");
        }
        let (about, incarnation) = about(size, at, count.max(1));
        let update = |it| Member::new(I::of(it), incarnation as u16, foca::State::Alive);
        let updates: Vec<_> = about.into_iter().take(count).map(update).collect();
        let packet = peer::packet::<I>(1, PeerMessage::Gossip, &updates);
        node.handle_data(&packet, &mut out).expect("news");
    };
    let pass = |()| node.borrow_mut().gossip(&mut out).expect("gossip");
    prepared(200, prepare, pass).nanos
}

/// A named broadcast of 60 bytes.
struct Note(Bytes, Bytes);

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

fn requeue(size: usize) -> Cost {
    let mut queue = full(size);
    let notes = others(size);
    let body = Bytes::from(vec![b'x'; 60]);
    let names: Vec<Bytes> = notes.iter().map(|index| ours::name(*index).into()).collect();
    each(PACKETS * 4, |at| queue.queue(Note(names[at % PACKETS].clone(), body.clone())))
}

fn fill(size: usize) -> Cost {
    let mut queue = full(size);
    each(64, |_| {
        queue.get_broadcasts(2, 20 * 62, usize::MAX, |_| {});
    })
}

//! The costs of datagrams and ticks: PING, KNOWN, NEWS, TICK, QUEUE.

use foca::{Member, Message as PeerMessage};

use crate::measure::{Cost, each, prepared};
use crate::peer::{self, Discard, Id, Named, Small};
use crate::report::{Goal, Row};
use crate::workloads::{self, PACKETS, Ticking, about, knowing, others};

/// The most members of a peer. Each one that is added is compared with all before it: ten times as
/// many take hundreds of times as long to set up, for figures that only grow tenfold.
const LARGEST_PEER: usize = 10_000;

pub(crate) fn run(rows: &mut Vec<Row>) {
    for size in [1_000, 10_000, 100_000] {
        let mut node = knowing(size);
        let goal = Goal::Within(180.0, 1.0);
        rows.push(
            Row::of(format!("PING {size}"), each(PACKETS * 20, workloads::ping(&mut node, size)))
                .beside(their_ping::<Small>(size), their_ping::<Named>(size))
                .aiming_at(goal),
        );
        let goal = if size < 100_000 { Goal::Within(1_400.0, 0.0) } else { Goal::None };
        rows.push(
            Row::of(
                format!("KNOWN(16) {size}"),
                each(PACKETS * 4, workloads::known(&mut node, size)),
            )
            .beside(their_known::<Small>(size), their_known::<Named>(size))
            .aiming_at(goal),
        );
    }
    let size = 10_000;
    rows.push(
        Row::of(format!("NEWS(16) {size}"), each(512, workloads::news(size, 9 * 512)))
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
        rows.push(Row::of(
            format!("QUEUE {size} requeue"),
            each(PACKETS * 4, workloads::requeue(size)),
        ));
        rows.push(Row::of(format!("QUEUE {size} fill (20)"), each(64, workloads::fill(size))));
    }
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

/// Measures one gossip interval of a node with `count` pieces of fresh news.
fn tick(size: usize, count: usize) -> Cost {
    let mut ticking = Ticking::new(size);
    if count == 0 {
        return each(100_000, |_| ticking.pass());
    }
    let ticking = std::cell::RefCell::new(ticking);
    let learn = |at| ticking.borrow_mut().learn(at, count);
    prepared(2_000, learn, |()| ticking.borrow_mut().pass())
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

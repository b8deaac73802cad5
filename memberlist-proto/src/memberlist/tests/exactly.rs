//! Limits at exactly their value, and times that are given anew.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::jobs::{handing_out, key, sealed, state_of};
use super::*;
use crate::hooks::Hooks;
use crate::transmit::Answer;
use crate::{Peer, View};

/// What is much work is handed out, or taken in parts: what is just not too much is done at once,
/// and so is everything by a node that hands out nothing.
#[test]
fn a_state_is_built_later_only_if_it_is_long() {
    let at_once = |hands_out: bool, members: u16, user: usize| {
        let mut config = Config { hand_out_jobs: hands_out, ..handing_out() };
        (config.limits.records_at_once, config.limits.bytes_at_once) = (3, 100);
        let mut rig = Rig::with(config);
        for index in 1..members {
            rig.alive(&alloc::format!("n{index}"), 1 + index, 1);
        }
        let user = Bytes::from(alloc::vec![7; user]);
        rig.node.state_for(StreamId::MIN, false, &user).expect("short").is_some()
    };
    assert!(at_once(true, 3, 0) && at_once(true, 3, 100));
    assert!(!at_once(true, 4, 0) && !at_once(true, 3, 101));
    assert!(at_once(false, 4, 0) && at_once(false, 3, 101));
}

#[test]
fn a_state_is_merged_in_parts_only_if_it_is_long() {
    for (records, at_once) in [(3, true), (4, false)] {
        let mut config = handing_out();
        config.limits.records_at_once = 3;
        config.limits.bytes_at_once = 1 << 20;
        let mut rig = Rig::with(config);
        let id = rig.node.accept_stream(rig.now, address(900)).expect("room");
        rig.node.handle_stream_data(rig.now, id, &state_of(records, false, b"")).expect("a state");
        assert_eq!(rig.node.num_members() > 1, at_once, "{records} records");
    }
}

/// A message that has arrived in time is not too late while it waits to be opened.
#[test]
fn the_time_of_a_stream_begins_anew_when_its_message_is_there() {
    let mut config = handing_out();
    config.limits.bytes_at_once = 16;
    let timeout = config.tcp_timeout;
    let mut rig = Rig::with(config);
    let id = rig.node.accept_stream(rig.now, address(900)).expect("room");
    rig.wait(timeout / 2);
    let frame = sealed(&state_of(2, false, b""), None);
    rig.node.handle_stream_data(rig.now, id, &frame).expect("a state");
    rig.wait(timeout * 3 / 4);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 0);
    rig.wait(timeout / 2);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 1, "but not forever");
}

/// The peer has its time to answer from when it has been asked.
#[test]
fn the_time_of_an_answer_begins_when_the_question_is_written() {
    let mut rig = Rig::new();
    let timeout = rig.node.config.tcp_timeout;
    rig.node.join(rig.now, &[Peer::from(address(2))]);
    let (id, _) = rig.connects()[0];
    rig.node.handle_stream_connected(rig.now, id);
    rig.wait(timeout / 2);
    rig.node.handle_stream_written(rig.now, id, 1 << 16);
    rig.wait(timeout * 3 / 4);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 0);
    rig.wait(timeout / 2);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 1);
}

fn asking(told_dead: usize) -> Rig {
    let mut config = Config { probe_interval: Duration::from_secs(1), ..config() };
    config.differences.ask_suspects = true;
    config.limits.told_dead = told_dead;
    // Only the questions, not the probes.
    config.differences.random_phase = false;
    let mut rig = Rig::with(config);
    for port in 2..5 {
        rig.alive(&alloc::format!("n{port}"), port, 1);
    }
    rig
}

#[test]
fn suspects_are_asked_unless_they_are_too_many() {
    for (suspects, asks) in [(2, true), (3, false)] {
        let mut rig = asking(2);
        for port in 2..2 + suspects {
            rig.suspect(&alloc::format!("n{port}"), 1, "n9");
        }
        // The others are not to become suspects as well; and once one departs there are fewer.
        rig.answering = true;
        let mut asked = 0;
        while rig.departures().is_empty() {
            asked = rig.node.stats().counters.suspects_asked;
            let due = rig.node.poll_timeout().expect("suspicions run");
            rig.wait(due.saturating_duration_since(rig.now));
        }
        assert_eq!(asked > 0, asks, "{suspects} suspects");
    }
}

/// What is awaited of a suspect is forgotten with the suspicion.
#[test]
fn the_answer_of_who_is_no_suspect_any_more_is_unknown() {
    let mut rig = asking(10);
    rig.suspect("n2", 1, "n9");
    let asked = |rig: &Rig| rig.node.stats().counters.suspects_asked;
    while asked(&rig) == 0 {
        rig.sent();
        let due = rig.node.poll_timeout().expect("a suspicion runs");
        rig.wait(due.saturating_duration_since(rig.now));
    }
    let sent = rig.sent();
    let ping = sent.iter().rfind(|it| it.text.starts_with("ping n2")).expect("it is asked");
    let seq_no = ping.text.rsplit('#').next().and_then(|it| it.parse().ok()).expect("a number");
    rig.alive("n2", 2, 2);
    assert_eq!(rig.state("n2"), (State::Alive, 2));
    let before = rig.node.stats().counters.acks_unknown;
    rig.receive(&Message::Ack(Ack { seq_no, payload: None }));
    assert_eq!(rig.node.stats().counters.acks_unknown, before + 1);
}

/// A delegate that has two messages once.
struct Twice(usize, AtomicBool);

impl Hooks for Twice {
    fn broadcasts(&self, _: &View<'_>, _: usize, _: usize) -> Vec<Bytes> {
        let first = !self.1.swap(true, Ordering::SeqCst);
        let message = Bytes::from(alloc::vec![b'x'; self.0]);
        if first { alloc::vec![message; 2] } else { Vec::new() }
    }
}

/// Messages that had to wait go together as soon as there is room for both, and not before.
#[test]
fn messages_that_had_to_wait_fill_a_packet_exactly() {
    let half = Rig::with(Config { compression: Compression::None, ..config() });
    let half = half.node.gossip_budget() / 2 - 3;
    for (len, together) in [(half, true), (half + 1, false)] {
        let gossip_interval = Duration::from_millis(200);
        let config = Config { compression: Compression::None, gossip_interval, ..config() };
        let twice = Twice(len, AtomicBool::new(false));
        let mut rig = Rig::with_delegate(config, Some(Arc::new(twice)));
        // Beside this news there is no room for either.
        for port in [2, 3] {
            rig.alive_with(&alloc::format!("n{port}"), port, 1, &[b'm'; 400], Some(&VSN));
        }
        rig.wait(Duration::from_secs(4));
        let sent = rig.transmits();
        assert!(sent.iter().all(|it| it.payload.len() <= 1400));
        assert_eq!(rig.node.stats().counters.broadcasts_over_limit, 2, "they had to wait");
        let users = |payload: &Bytes| {
            opened(address(2), payload).iter().filter(|it| it.text.starts_with("user")).count()
        };
        let most = sent.iter().map(|it| users(&it.payload)).max();
        assert_eq!(most == Some(2), together, "{len} bytes");
    }
}

/// What a job has encrypted with a key that is not in use any more is not sent.
#[test]
fn a_state_that_was_sealed_by_another_key_is_sealed_again() {
    let keyed = |byte, hands_out: Config| Config {
        secret_keys: alloc::vec![key(byte)],
        ask_local_state: true,
        ..hands_out
    };
    let mut rig = Rig::with(keyed(1, handing_out()));
    let id = rig.asked(&sealed(&state_of(1, false, b""), Some(&key(1))));
    let request = rig.node.poll_request().expect("a question");
    rig.node.answer(rig.now, request.id, Answer::LocalState(alloc::vec![5; 900].into()));
    let mut sealings = 0;
    while let Some(job) = rig.node.poll_job() {
        let (turn, done) = (job.is_turn(), job.id());
        let output = (!turn).then(|| job.run());
        if !turn && sealings == 0 {
            rig.node.add_key(rig.now, key(2)).expect("room");
            rig.node.use_key(rig.now, &key(2)).expect("it is there");
        }
        sealings += usize::from(!turn);
        rig.node.job_done(rig.now, done, output);
    }
    assert_eq!(sealings, 2);
    let mut frame = Vec::new();
    while let Some(op) = rig.node.poll_stream() {
        if let StreamOp::Write { id: stream, data } = op {
            assert_eq!(stream, id);
            frame.extend_from_slice(&data);
        }
    }
    let mut peer = Rig::with(keyed(2, config()));
    let stream = peer.node.accept_stream(peer.now, address(1)).expect("room");
    peer.node.handle_stream_data(peer.now, stream, &frame).expect("it has the key");
    assert!(peer.node.poll_request().is_some(), "it is a state");
}

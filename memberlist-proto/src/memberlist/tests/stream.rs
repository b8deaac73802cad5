use alloc::collections::{BTreeMap, VecDeque};

use super::*;
use crate::event::{ExchangeError, JoinError, JoinReport, Outcome};
use crate::transmit::{Answer, RequestKind, StreamFailure, StreamId, StreamOp};
use crate::{Key, Target};

mod taken;

/// Two nodes and the connections between them, without any delay.
struct Pair {
    rigs: [Rig; 2],
    /// Each end of each connection leads to the other.
    ends: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    /// How many bytes arrive at once.
    chunk: usize,
    refuse: bool,
    /// What each node's application answers.
    states: [&'static str; 2],
    veto: Option<&'static str>,
    outcomes: Vec<Outcome>,
    reported: [Vec<String>; 2],
}

impl Pair {
    fn new(change: impl Fn(usize, &mut Config)) -> Self {
        let rig = |index: usize| {
            let mut config = super::config();
            config.name = ["one", "two"][index].into();
            config.advertise_port = 1 + index as u16;
            change(index, &mut config);
            Rig::with(config)
        };
        Self {
            rigs: [rig(0), rig(1)],
            ends: BTreeMap::new(),
            chunk: usize::MAX,
            refuse: false,
            states: ["", ""],
            veto: None,
            outcomes: Vec::new(),
            reported: [Vec::new(), Vec::new()],
        }
    }

    fn join(&mut self) -> JoinReport {
        let now = self.rigs[0].now;
        self.rigs[0].node.join(now, &[address(2).into()]);
        self.run();
        match self.outcomes.pop() {
            Some(Outcome::Join(Ok(report))) => report,
            other => panic!("{other:?}"),
        }
    }

    fn join_error(&mut self) -> ExchangeError {
        let report = self.join();
        assert!(report.joined.is_empty());
        match &report.failed[0].error {
            JoinError::Exchange(error) => error.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Until nothing is left to do.
    fn run(&mut self) {
        let mut busy = true;
        while core::mem::take(&mut busy) {
            for index in 0..2 {
                while let Some(op) = self.rigs[index].node.poll_stream() {
                    self.carry_out(index, op);
                    busy = true;
                }
                while let Some(request) = self.rigs[index].node.poll_request() {
                    let answer = match request.kind {
                        RequestKind::LocalState { .. } => {
                            Answer::LocalState(self.states[index].into())
                        }
                        RequestKind::AdmitMerge { .. } => {
                            Answer::AdmitMerge(self.veto.map_or(Ok(()), |veto| Err(veto.into())))
                        }
                    };
                    let rig = &mut self.rigs[index];
                    rig.node.answer(rig.now, request.id, answer);
                    busy = true;
                }
                while let Some(event) = self.rigs[index].node.poll_event() {
                    match event {
                        Event::Finished { outcome, .. } => self.outcomes.push(outcome),
                        other => self.reported[index].push(describe(&other)),
                    }
                }
                self.rigs[index].node.check_invariants().expect("invariants");
            }
        }
    }

    fn carry_out(&mut self, index: usize, op: StreamOp) {
        let now = self.rigs[index].now;
        let (id, other) = (op.id(), 1 - index);
        match op {
            StreamOp::Connect { .. } => {
                let from = address(50_000);
                let accepted =
                    if self.refuse { None } else { self.rigs[other].node.accept_stream(now, from) };
                let node = &mut self.rigs[index].node;
                if let Some(peer) = accepted {
                    node.handle_stream_connected(now, id);
                    self.ends.insert((index, id), (other, peer));
                    self.ends.insert((other, peer), (index, id));
                } else {
                    node.handle_stream_closed(now, id, Some(StreamFailure::Refused));
                }
            }
            StreamOp::Write { data, .. } => {
                self.rigs[index].node.handle_stream_written(now, id, data.len());
                let Some((to, peer)) = self.ends.get(&(index, id)).copied() else { return };
                for chunk in data.chunks(self.chunk.min(data.len())) {
                    // What goes wrong is reported by events.
                    let _ = self.rigs[to].node.handle_stream_data(now, peer, chunk);
                }
            }
            StreamOp::Close { .. } | StreamOp::Abort { .. } => {
                self.rigs[index].node.handle_stream_closed(now, id, None);
                if let Some((to, peer)) = self.ends.remove(&(index, id)) {
                    self.rigs[to].node.handle_stream_eof(now, peer);
                }
            }
        }
    }
}

#[test]
fn a_join_tells_each_of_the_other_however_it_is_cut() {
    for (chunk, key, label, compress) in [
        (usize::MAX, false, "", true),
        (1, false, "", true),
        (1, false, "", false),
        (3, true, "label", true),
        (1, true, "", false),
        (7, false, "label", true),
    ] {
        let mut pair = Pair::new(|index, config| {
            config.label = label.as_bytes().to_vec().into();
            config.compression = if compress { Compression::Lzw } else { Compression::None };
            config.meta = [&b"first"[..], b"second"][index].into();
            config.ask_local_state = true;
            if key {
                config.secret_keys.push(Key::new(&[9; 32]).expect("a key"));
            }
        });
        pair.chunk = chunk;
        pair.states = ["state of one", "state of two"];
        let report = pair.join();
        assert_eq!(report.joined, [address(2)], "{report:?} {:?}", pair.reported);
        assert_eq!(pair.rigs[0].member("two").meta(), b"second");
        assert_eq!(pair.rigs[1].member("one").meta(), b"first");
        let all = [pair.reported[0].join("; "), pair.reported[1].join("; ")];
        assert!(all[0].contains("joined two") && all[0].contains("RemoteState"), "{}", all[0]);
        assert!(all[1].contains("joined one") && all[1].contains("join: true"), "{}", all[1]);
        for rig in &pair.rigs {
            let gauges = rig.node.stats().gauges;
            assert_eq!((gauges.streams, gauges.operations, gauges.requests), (0, 0, 0));
            assert_eq!(gauges.timers, 0);
        }
    }
}

#[test]
fn what_a_peer_holds_for_dead_is_only_suspected() {
    let mut pair = Pair::new(|_, config| config.probe_interval = Duration::from_secs(1));
    pair.rigs[0].alive("a", 5, 1);
    pair.rigs[1].alive("a", 5, 1);
    pair.rigs[1].dead("a", 1, "x");
    pair.rigs[0].alive("b", 6, 1);
    pair.rigs[1].alive("b", 6, 1);
    pair.rigs[1].dead("b", 1, "b");
    pair.rigs[1].alive("c", 7, 1);
    pair.rigs[1].dead("c", 1, "x");
    let _ = pair.join();
    assert_eq!(pair.rigs[0].state("a"), (State::Suspect, 1));
    assert_eq!(pair.rigs[0].state("b"), (State::Left, 1));
    assert!(!pair.rigs[0].knows("c"), "the dead are not learnt");
    assert!(pair.reported[0].contains(&"suspected a by one".to_string()), "{:?}", pair.reported[0]);
}

#[test]
fn mistakes_are_told_by_what_they_are() {
    let mut pair = Pair::new(|index, config| {
        config.secret_keys.push(Key::new(&[index as u8; 16]).expect("a key"));
    });
    let error = pair.join_error();
    assert!(matches!(error, ExchangeError::Frame(_)), "another key: {error:?}");

    let mut pair = Pair::new(|index, config| {
        if index == 0 {
            config.secret_keys.push(Key::new(&[1; 16]).expect("a key"));
        }
    });
    let error = pair.join_error();
    assert!(matches!(error, ExchangeError::Frame(_)), "the answer is not encrypted: {error:?}");

    let mut pair = Pair::new(|index, config| {
        if index == 1 {
            config.secret_keys.push(Key::new(&[1; 16]).expect("a key"));
        }
    });
    let error = pair.join_error();
    assert!(matches!(error, ExchangeError::Frame(_)), "the answer is encrypted: {error:?}");

    let mut pair = Pair::new(|index, config| {
        config.label = ["a", "b"][index].into();
    });
    let error = pair.join_error();
    assert_eq!(error, ExchangeError::Closed);
    assert!(error.to_string().contains("label"));

    let mut pair = Pair::new(|_, _| {});
    pair.refuse = true;
    assert_eq!(pair.join_error(), ExchangeError::Stream(StreamFailure::Refused));
}

#[test]
fn versions_that_do_not_fit_are_refused_by_name() {
    let mut pair = Pair::new(|index, config| {
        if index == 1 {
            config.delegate_protocol_min = 2;
            config.delegate_protocol_max = 5;
            config.delegate_protocol_version = 5;
        }
    });
    let ExchangeError::Versions(mismatch) = pair.join_error() else { panic!("not refused") };
    assert_eq!(mismatch.kind, crate::node::VersionKind::Delegate);
    assert_eq!(pair.rigs[0].node.num_members(), 1, "nothing was merged");
    assert_eq!(pair.rigs[1].node.num_members(), 1);
}

#[test]
fn a_record_without_versions_blocks_a_join_only_as_in_go() {
    for lenient in [true, false] {
        let mut pair = Pair::new(|_, config| {
            config.differences.lenient_version_check = lenient;
            config.differences.require_versions = false;
        });
        pair.rigs[1].alive_with("odd", 9, 1, b"", None);
        let report = pair.join();
        assert_eq!(report.joined.len(), usize::from(lenient));
    }
}

#[test]
fn the_application_can_refuse_a_merge() {
    let mut pair = Pair::new(|index, config| config.ask_admit_merge = index == 0);
    pair.veto = Some("not today");
    assert_eq!(pair.join_error(), ExchangeError::Vetoed("not today".into()));
    assert!(!pair.rigs[0].knows("two"));
    assert!(pair.rigs[1].knows("one"), "the peer decides for itself");
}

#[test]
fn a_reliable_message_arrives_whole() {
    for len in [1, 100, 65_536, 1 << 20] {
        let mut pair = Pair::new(|_, _| {});
        pair.chunk = 1000;
        let now = pair.rigs[0].now;
        let message: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
        let target = Target::Addr { addr: address(2), node: None };
        pair.rigs[0].node.send_reliable(now, target, &message).expect("short enough");
        while let Some(op) = pair.rigs[0].node.poll_stream() {
            pair.carry_out(0, op);
        }
        match pair.rigs[1].node.poll_event() {
            Some(Event::Message { payload, .. }) => assert!(payload == message),
            other => panic!("{other:?}"),
        }
        pair.run();
        assert!(matches!(pair.outcomes[..], [Outcome::SendReliable(Ok(()))]));
    }
}

#[test]
fn an_answer_before_the_own_state_is_sent_fails_the_exchange() {
    let mut config = config();
    config.ask_local_state = true;
    config.ask_admit_merge = true;
    let mut rig = Rig::with(config);
    rig.node.join(rig.now, &[address(2).into()]);
    let id = rig.node.poll_stream().expect("a connection").id();
    rig.node.handle_stream_connected(rig.now, id);
    assert_eq!(rig.node.stats().gauges.requests, 1);
    let mut early = Vec::new();
    crate::wire::push_pull::encode_header(&mut early, false, 0, 0);
    let error = rig.node.handle_stream_data(rig.now, id, &early).expect_err("too early");
    assert_eq!(error, ExchangeError::Unexpected(6));
    assert_eq!(rig.node.stats().gauges.requests, 0);
    let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) = rig.node.poll_event()
    else {
        panic!("the join has not ended");
    };
    assert!(report.joined.is_empty() && report.failed.len() == 1, "{report:?}");
}

#[test]
fn a_message_is_closed_once_whatever_the_peer_says() {
    let mut rig = Rig::new();
    let target = Target::Addr { addr: address(2), node: None };
    rig.node.send_reliable(rig.now, target, b"news").expect("short enough");
    let id = rig.node.poll_stream().expect("a connection").id();
    rig.node.handle_stream_connected(rig.now, id);
    rig.node.handle_stream_data(rig.now, id, &[0, 0xc1]).expect_err("garbage");
    let closes = core::iter::from_fn(|| rig.node.poll_stream())
        .filter(|op| matches!(op, StreamOp::Close { .. }));
    assert_eq!(closes.count(), 1);
}

#[test]
fn a_member_reached_by_stream_alone_stays_alive() {
    let differences = Differences { random_phase: false, ..config().differences };
    let mut pair = Pair::new(|index, config| {
        config.differences = differences.clone();
        config.probe_interval = Duration::from_secs(u64::from(index == 0));
    });
    let _ = pair.join();
    pair.rigs[0].wait(Duration::from_millis(1500));
    pair.rigs[0].sent();
    pair.rigs[1].now = pair.rigs[0].now;
    pair.run();
    pair.rigs[0].wait(Duration::from_millis(500));
    pair.run();
    assert!(pair.reported[0].contains(&"only by stream two".to_string()), "{:?}", pair.reported[0]);
    assert_eq!(pair.rigs[0].node.stats().counters.probes_by_stream, 1);
    assert_eq!(pair.rigs[0].state("two").0, State::Alive);
    assert_eq!(pair.rigs[0].node.health_score(), 0);
}

#[test]
fn an_exchange_that_makes_no_progress_ends() {
    let mut rig = Rig::new();
    let stream = rig.node.accept_stream(rig.now, address(9)).expect("room");
    let _ = rig.node.handle_stream_data(rig.now, stream, &[6, 0x83]);
    rig.wait(Duration::from_secs(10));
    let ops: Vec<StreamOp> = core::iter::from_fn(|| rig.node.poll_stream()).collect();
    assert_eq!(ops.last(), Some(&StreamOp::Abort { id: stream }));
    assert_eq!(rig.node.stats().gauges.streams, 0);
    assert_eq!(rig.node.stats().counters.exchanges_failed, 1);
}

#[test]
fn accepted_streams_are_bounded_in_all_and_by_source() {
    let mut config = config();
    config.limits.streams = 5;
    config.limits.streams_per_source = 2;
    let mut rig = Rig::with(config);
    let mut accept = |host: u8| rig.node.accept_stream(rig.now, ([10, 0, 0, host], 1).into());
    let first = accept(1);
    assert!(first.is_some() && accept(1).is_some());
    assert!(accept(1).is_none());
    assert!(accept(2).is_some() && accept(3).is_some() && accept(4).is_some());
    assert!(accept(5).is_none());
    rig.node.handle_stream_closed(rig.now, first.expect("accepted"), None);
    assert!(rig.node.accept_stream(rig.now, ([10, 0, 0, 1], 1).into()).is_some());
    assert_eq!(rig.node.stats().counters.streams_refused, 2);
}

#[test]
fn a_join_resolves_names_tries_all_and_tells_each() {
    use crate::transmit::LookupFailure;
    let mut rig = Rig::new();
    let peers = ["10.0.0.1:1", "db.example", "gone.example", "10.0.0.3:5", "10.0.0.3:5"];
    let peers: Vec<crate::Peer> = peers.iter().map(|it| it.parse().expect("a peer")).collect();
    rig.node.join(rig.now, &peers);
    let lookups: VecDeque<_> = core::iter::from_fn(|| rig.node.poll_lookup()).collect();
    assert_eq!(lookups.len(), 2);
    let found = [[10, 0, 0, 3].into(), [10, 0, 0, 4].into()];
    rig.node.handle_lookup(rig.now, lookups[0].id, Ok(&found));
    rig.node.handle_lookup(rig.now, lookups[1].id, Err(LookupFailure::NotFound));
    while let Some(op) = rig.node.poll_stream() {
        if let StreamOp::Connect { id, .. } = op {
            rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Refused));
        }
    }
    let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) = rig.node.poll_event()
    else {
        panic!("not finished")
    };
    let mut failed: Vec<String> =
        report.failed.iter().map(|it| alloc::format!("{} {:?}", it.peer, it.address)).collect();
    failed.sort();
    assert_eq!(
        failed,
        [
            "10.0.0.1:1 Some(10.0.0.1:1)",
            "10.0.0.3:5 Some(10.0.0.3:5)",
            "db.example Some(10.0.0.3:7946)",
            "db.example Some(10.0.0.4:7946)",
            "gone.example None",
        ]
    );
    assert!(report.failed.iter().any(|it| it.error == JoinError::Myself));
    assert_eq!(rig.node.stats().gauges.timers, 0);
}

#[test]
fn a_join_ends_at_its_time_or_when_cancelled() {
    for cancel in [true, false] {
        let mut config = config();
        config.join_parallelism = 1;
        config.join_timeout = Duration::from_secs(2);
        let mut rig = Rig::with(config);
        let peers = ["10.0.0.3:1", "10.0.0.4:1", "db.example"].map(|it| it.parse().expect("peer"));
        let op = rig.node.join(rig.now, &peers);
        if cancel {
            rig.node.cancel(rig.now, op);
        } else {
            rig.wait(Duration::from_secs(2));
        }
        let Some(Event::Finished { outcome: Outcome::Join(Ok(report)), .. }) =
            rig.node.poll_event()
        else {
            panic!("not finished")
        };
        let expected = if cancel { JoinError::Cancelled } else { JoinError::TimedOut };
        assert!(report.failed.iter().all(|it| it.error == expected));
        assert_eq!(report.failed.len(), 3);
        assert_eq!(rig.node.stats().gauges.streams, 0);
        assert_eq!(rig.node.poll_timeout(), None);
    }
}

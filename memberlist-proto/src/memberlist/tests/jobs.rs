//! Long messages are opened and sealed by jobs, and long states taken in and built in parts.

use alloc::collections::BTreeSet;

use bytes::Bytes;

use super::*;
use crate::event::{ExchangeError, ExchangeStep};
use crate::job::{Job, JobId};
use crate::transmit::{Answer, RequestKind, StreamFailure};
use crate::wire::compress::Algorithm;
use crate::wire::frame::{FrameSealing, seal_frame};
use crate::wire::message::Ping;
use crate::wire::push_pull::{NodeState, encode_header, encode_state};
use crate::{Key, security::Version};

/// Records that are merged or encoded at once.
const AT_ONCE: usize = 10;

pub(super) fn handing_out() -> Config {
    let mut config = config();
    config.hand_out_jobs = true;
    config.limits.records_at_once = AT_ONCE;
    config.limits.bytes_at_once = 512;
    config
}

/// The state of a peer that knows so many members, `n0000` at the port 10 and so on.
pub(super) fn state_of(number: usize, join: bool, user: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_header(&mut out, join, number, user.len());
    for index in 0..number {
        let name = alloc::format!("n{index:04}");
        let record = NodeState {
            name: name.as_bytes(),
            addr: Some(&[10, 0, 0, 1]),
            port: 10 + index as u16,
            incarnation: 1,
            vsn: Some(&VSN),
            ..NodeState::default()
        };
        encode_state(&mut out, &record);
    }
    out.extend_from_slice(user);
    out
}

pub(super) fn sealed(message: &[u8], key: Option<&Key>) -> Bytes {
    let key = key.map(|key| (key, Version::Plain));
    let sealing = FrameSealing {
        label: b"",
        key,
        nonce: [9; 12],
        compress: Some(Algorithm::Lzw),
        only_if_smaller: false,
    };
    seal_frame(message, &sealing, &mut Scratch::new()).expect("short")
}

pub(super) fn key(byte: u8) -> Key {
    Key::new(&[byte; 16]).expect("a length of AES")
}

impl Rig {
    pub(super) fn asked(&mut self, frame: &[u8]) -> StreamId {
        let id = self.node.accept_stream(self.now, address(900)).expect("room");
        self.node.handle_stream_data(self.now, id, frame).expect("nothing wrong so far");
        id
    }

    fn job(&mut self) -> Option<Job> {
        self.node.check_invariants().expect("invariants");
        self.node.poll_job()
    }

    /// Does every job, with its result or without; how many that computed something and how many
    /// turns there were, and the most members that came in one turn.
    fn work(&mut self, with_results: bool) -> (usize, usize, usize) {
        let (mut jobs, mut turns, mut most) = (0, 0, 0);
        while let Some(job) = self.job() {
            *(if job.is_turn() { &mut turns } else { &mut jobs }) += 1;
            let (id, before) = (job.id(), self.node.members.len());
            let output = with_results.then(|| job.run());
            self.node.job_done(self.now, id, output);
            most = most.max(self.node.members.len() - before);
        }
        (jobs, turns, most)
    }

    fn written(&mut self, id: StreamId) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(op) = self.node.poll_stream() {
            if let StreamOp::Write { id: stream, data } = op
                && stream == id
            {
                out.extend_from_slice(&data);
            }
        }
        out
    }

    fn failures(&mut self) -> Vec<ExchangeError> {
        let failed = |event| match event {
            Event::ExchangeFailed { error, .. } => Some(error),
            _ => None,
        };
        core::iter::from_fn(|| self.node.poll_event()).filter_map(failed).collect()
    }
}

/// What comes of the work is the same, on whatever thread and in whatever parts it is done.
#[test]
fn jobs_and_parts_have_the_same_effects_as_one_call() {
    let user = [7_u8; 3000];
    for (join, keyed, asks) in
        [(false, false, false), (true, false, false), (false, true, false), (true, true, true)]
    {
        let run = |config: Config, with_results: bool| {
            let mut config = config;
            config.secret_keys = keyed.then(|| key(1)).into_iter().collect();
            (config.ask_local_state, config.ask_admit_merge) = (asks, asks);
            let mut rig = Rig::with(config);
            let mut answers = Vec::new();
            for _ in 0..2 {
                let frame = sealed(&state_of(200, join, &user), keyed.then(|| key(1)).as_ref());
                let id = rig.asked(&frame);
                loop {
                    let (jobs, turns, _) = rig.work(with_results);
                    let Some(request) = rig.node.poll_request() else {
                        if jobs + turns == 0 {
                            break;
                        }
                        continue;
                    };
                    let answer = match request.kind {
                        RequestKind::LocalState { .. } => Answer::LocalState(vec![5; 900].into()),
                        RequestKind::AdmitMerge { peers } => {
                            assert_eq!(peers.len(), 200);
                            Answer::AdmitMerge(Ok(()))
                        }
                    };
                    rig.node.answer(rig.now, request.id, answer);
                }
                answers.push(rig.written(id));
                rig.node.handle_stream_closed(rig.now, id, None);
                rig.node.check_invariants().expect("invariants");
            }
            assert_eq!(rig.node.members.len(), 201);
            assert!(!answers[1].is_empty());
            (answers, rig.events(), rig.node.stats(), rig.node.state_hash())
        };
        let at_once = run(config(), true);
        assert_eq!(run(handing_out(), true), at_once, "{join} {keyed} {asks}");
        assert_eq!(run(handing_out(), false), at_once, "{join} {keyed} {asks}, in its place");
    }
}

/// However many records a state has, few of them are merged between two looks at what has arrived
/// and what is due; and what has arrived is answered meanwhile.
#[test]
fn a_node_answers_and_probes_while_it_takes_in_a_large_state() {
    let number = if cfg!(debug_assertions) { 3_000 } else { 60_000 };
    let mut config = handing_out();
    config.limits.records_at_once = 256;
    config.probe_interval = Duration::from_secs(1);
    let mut rig = Rig::with(config);
    rig.alive("a", 2, 1);
    rig.transmits();
    rig.asked(&sealed(&state_of(number, false, b""), None));
    let (mut parts, mut probes) = (0, 0);
    while let Some(job) = rig.node.poll_job() {
        let before = rig.node.members.len();
        let (id, output) = (job.id(), job.run());
        rig.node.job_done(rig.now, id, Some(output));
        assert!(rig.node.members.len() - before <= 256);
        parts += usize::from(rig.node.members.len() > before);
        let ping = Ping { seq_no: parts as u32, ..Ping::default() };
        let mut packet = Vec::new();
        Message::Ping(ping).encode(&mut packet);
        rig.node.handle_packet(rig.now, address(2), &packet).expect("a ping");
        rig.now += Duration::from_millis(100);
        rig.node.handle_timeout(rig.now);
        let sent = rig.sent();
        let said = |text: &str| sent.iter().filter(|it| it.text.starts_with(text)).count();
        assert!(said(&alloc::format!("ack {parts}")) > 0, "{sent:?}");
        probes += said("ping");
    }
    assert_eq!(rig.node.members.len(), number + 2);
    // The first part may begin in the middle of a turn.
    assert!((number.div_ceil(256)..=number.div_ceil(256) + 1).contains(&parts), "{parts}");
    assert!(probes > 0, "probes go on");
}

/// The same of the state that a node builds, which exchanges that want the same share.
#[test]
fn exchanges_share_a_state_until_a_record_changes() {
    let mut rig = Rig::with(handing_out());
    rig.asked(&sealed(&state_of(95, false, b""), None));
    rig.work(true);
    let ask = |rig: &mut Rig| rig.asked(&sealed(&state_of(1, false, b""), None));
    let streams: Vec<StreamId> = (0..3).map(|_| ask(&mut rig)).collect();
    // 96 records in parts of 10, then one more turn for each exchange.
    let (jobs, turns, _) = rig.work(true);
    assert_eq!((jobs, turns), (1, 10 + 3));
    let ops: Vec<StreamOp> = core::iter::from_fn(|| rig.node.poll_stream()).collect();
    let wrote =
        |id| move |op: &&StreamOp| matches!(op, StreamOp::Write { id: it, .. } if *it == id);
    let writes: Vec<_> = streams.iter().map(|id| ops.iter().find(wrote(*id))).collect();
    assert!(writes.iter().all(Option::is_some), "{ops:?}");
    // It is kept now.
    ask(&mut rig);
    assert_eq!(rig.work(true).0, 0);
    // A change while one is built: who asks before it may not know it, who asks after it does.
    rig.alive("n0000", 10, 2);
    ask(&mut rig);
    let turn = rig.job().expect("a turn");
    rig.node.job_done(rig.now, turn.id(), None);
    rig.alive("n0001", 11, 2);
    ask(&mut rig);
    assert_eq!(rig.work(true).0, 2);
}

#[test]
fn states_that_come_together_are_all_taken_in() {
    let mut rig = Rig::with(handing_out());
    let frame = |number| sealed(&state_of(number, false, b""), None);
    let streams = [45, 25, 35].map(|number| rig.asked(&frame(number)));
    rig.work(true);
    for id in streams {
        let stage = rig.node.exchanges.get(id).map(|it| format!("{:?}", it.stage()));
        assert_eq!(stage.as_deref(), Some("Closing"));
    }
}

#[test]
fn only_so_many_jobs_are_out_at_a_time_and_a_turn_beside_them() {
    let mut config = handing_out();
    config.limits.jobs = 2;
    let mut rig = Rig::with(config);
    let frame = sealed(&state_of(40, false, b""), None);
    let streams: Vec<StreamId> = (0..5).map(|_| rig.asked(&frame)).collect();
    let mut out: Vec<Job> = core::iter::from_fn(|| rig.node.poll_job()).collect();
    assert_eq!(out.len(), 2);
    let first = out.remove(0);
    let (id, output) = (first.id(), first.run());
    rig.node.job_done(rig.now, id, Some(output));
    let more: Vec<Job> = core::iter::from_fn(|| rig.node.poll_job()).collect();
    let kinds: Vec<bool> = more.iter().map(Job::is_turn).collect();
    assert_eq!(kinds, [true, false], "its state is merged, and the third one opened");
    // What is given up is not handed out any more, but still counts until it is done.
    for id in streams {
        rig.node.handle_stream_closed(rig.now, id, None);
    }
    assert!(rig.node.poll_job().is_none());
    for job in out.into_iter().chain(more) {
        let (id, output) = (job.id(), job.run());
        rig.node.job_done(rig.now, id, Some(output.clone()));
        rig.node.job_done(rig.now, id, Some(output));
    }
    assert!(rig.job().is_none());
    assert_eq!(rig.node.members.len(), 1);
    assert_eq!(rig.node.exchanges.held(), 0);
}

#[test]
fn a_job_by_keys_that_have_changed_is_done_again() {
    let mut config = handing_out();
    config.secret_keys = vec![key(1)];
    for (removed, read) in [(false, true), (true, false)] {
        let mut rig = Rig::with(config.clone());
        let id = rig.asked(&sealed(&state_of(40, false, b""), Some(&key(1))));
        let job = rig.job().expect("it is long");
        rig.node.add_key(rig.now, key(2)).expect("room");
        rig.node.use_key(rig.now, &key(2)).expect("it is there");
        if removed {
            rig.node.remove_key(rig.now, &key(1)).expect("another is in use");
        }
        let (done, output) = (job.id(), job.run());
        rig.node.job_done(rig.now, done, Some(output));
        assert_eq!(rig.node.members.len(), 1);
        rig.work(true);
        assert_eq!(rig.node.members.len() > 1, read);
        assert!(!rig.written(id).is_empty(), "an answer, or an error");
    }
}

#[test]
fn the_end_of_the_peers_side_fails_nothing_that_is_complete() {
    let mut rig = Rig::with(handing_out());
    let id = rig.asked(&sealed(&state_of(40, false, b""), None));
    rig.node.handle_stream_eof(rig.now, id);
    rig.work(true);
    assert_eq!((rig.node.members.len(), rig.failures()), (41, vec![]));
}

#[test]
fn work_that_is_not_done_in_time_fails_its_exchange() {
    // A job, a turn of the merge, and one of the state that is built.
    for steps in [0, 1, 3] {
        let mut rig = Rig::with(handing_out());
        rig.asked(&sealed(&state_of(40, false, b""), None));
        rig.work(true);
        while rig.node.poll_event().is_some() {}
        let id = rig.asked(&sealed(&state_of(41, false, b""), None));
        for _ in 0..steps {
            let job = rig.job().expect("there is more");
            let (id, output) = (job.id(), job.run());
            rig.node.job_done(rig.now, id, Some(output));
        }
        rig.wait(Duration::from_secs(11));
        assert_eq!(rig.failures(), [ExchangeError::TimedOut(ExchangeStep::Working)], "{steps}");
        rig.work(true);
        rig.node.handle_stream_closed(rig.now, id, Some(StreamFailure::Other));
        assert_eq!((rig.node.exchanges.held(), rig.node.exchanges.len()), (0, 0));
    }
}

#[test]
fn a_state_that_was_known_when_it_came_is_looked_at_if_it_is_not_any_more() {
    let mut config = handing_out();
    config.secret_keys = vec![key(1)];
    config.limits.bytes_at_once = 64;
    let mut rig = Rig::with(config);
    rig.asked(&sealed(&state_of(12, false, b""), Some(&key(1))));
    rig.work(true);
    // Its own state, kept since it was asked for.
    rig.asked(&sealed(&state_of(1, false, b""), Some(&key(1))));
    rig.work(true);
    let own = rig.node.known_state().expect("all are alive").message().clone();
    let merged = |rig: &Rig| rig.node.decisions.merged_alive;
    for changed in [false, true] {
        let plain = FrameSealing {
            label: b"",
            key: Some((&key(1), Version::Plain)),
            nonce: [8; 12],
            compress: None,
            only_if_smaller: false,
        };
        let frame = crate::wire::frame::encrypt_frame(own.clone(), &plain).expect("short");
        rig.asked(&frame);
        let job = rig.job().expect("it is encrypted");
        let (id, output) = (job.id(), job.run());
        if changed {
            rig.node
                .handle_packet(rig.now, address(9), &{
                    let mut out = Vec::new();
                    Message::Alive(Alive {
                        incarnation: 9,
                        node: b"n0003",
                        addr: Some(&[10, 0, 0, 1]),
                        port: 13,
                        meta: None,
                        vsn: Some(&VSN),
                    })
                    .encode(&mut out);
                    sealed_packet(&out)
                })
                .expect("news");
        }
        let before = merged(&rig);
        rig.node.job_done(rig.now, id, Some(output));
        let (_, turns, _) = rig.work(true);
        assert_eq!(merged(&rig) - before, 13);
        assert_eq!(turns > 0, changed, "record by record");
    }
    assert_eq!(rig.member("n0003").incarnation(), 9);
}

pub(super) fn sealed_packet(message: &[u8]) -> Vec<u8> {
    let sealing = crate::wire::packet::Sealing {
        label: b"",
        key: Some((&key(1), Version::Plain)),
        nonce: [7; 12],
        compress: None,
        compress_min_size: 0,
        checksum: false,
    };
    crate::wire::packet::seal(message, &sealing, &mut Scratch::new()).to_vec()
}

#[test]
fn what_waits_for_work_counts_as_memory_of_streams() {
    let mut config = handing_out();
    let frame = sealed(&state_of(300, false, b""), None);
    config.limits.stream_memory = 4096.max(frame.len() * 5 / 2);
    config.limits.stream_memory_per_source = config.limits.stream_memory;
    let mut rig = Rig::with(config);
    let mut results = BTreeSet::new();
    for _ in 0..3 {
        let id = rig.node.accept_stream(rig.now, address(900)).expect("room");
        results.insert(rig.node.handle_stream_data(rig.now, id, &frame).is_ok());
        rig.node.check_invariants().expect("invariants");
    }
    assert_eq!(results.len(), 2, "two fit in, and one does not");
    rig.work(true);
    assert!(rig.node.stats().counters.streams_over_memory > 0);
}

/// Whatever is under way when a checkpoint is made goes on from it.
#[cfg(feature = "checkpoint")]
#[test]
fn a_node_goes_on_from_a_checkpoint_amid_its_work() {
    let mut config = handing_out();
    (config.ask_local_state, config.ask_admit_merge) = (true, true);
    for at in 0..40 {
        let mut rig = Rig::with(config.clone());
        rig.node.note_outputs();
        let mut twin: Option<Memberlist> = None;
        rig.asked(&sealed(&state_of(60, true, &[3; 500]), None));
        for step in 0.. {
            if step == at {
                let mut bytes = Vec::new();
                rig.node.checkpoint(&mut bytes);
                let with = crate::Restoring::default();
                let mut restored = Memberlist::restore_checkpoint(&bytes, &with).expect("sound");
                restored.note_outputs();
                rig.node.take_digest();
                twin = Some(restored);
            }
            let (job, request) = (rig.node.poll_job(), rig.node.poll_request());
            if let Some(job) = job {
                let (id, output) = (job.id(), job.run());
                rig.node.job_done(rig.now, id, Some(output));
                if let Some(twin) = &mut twin {
                    twin.job_done(rig.now, id, None);
                }
            } else if let Some(request) = request {
                let answer = match request.kind {
                    RequestKind::LocalState { .. } => Answer::LocalState(vec![5; 900].into()),
                    RequestKind::AdmitMerge { .. } => Answer::AdmitMerge(Ok(())),
                };
                rig.node.answer(rig.now, request.id, answer.clone());
                if let Some(twin) = &mut twin {
                    twin.answer(rig.now, request.id, answer);
                }
            } else {
                break;
            }
            if let Some(twin) = &mut twin {
                assert_eq!(rig.node.take_digest(), twin.take_digest(), "{at} {step}");
            }
        }
        if let Some(twin) = twin {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            rig.node.checkpoint(&mut one);
            twin.checkpoint(&mut other);
            assert!(one == other, "{at}");
        }
        assert_eq!(rig.node.members.len(), 61);
    }
}

#[test]
fn results_that_nothing_waits_for_are_ignored() {
    let mut rig = Rig::with(handing_out());
    rig.node.job_done(rig.now, JobId(7), None);
    rig.asked(&sealed(&state_of(40, false, b""), None));
    let opening = rig.job().expect("it is long");
    rig.asked(&sealed(&state_of(41, false, b""), None));
    let other = rig.job().expect("it is long, too");
    // One result in the place of another cannot come from a driver that follows the rules: the node
    // then does the job by itself.
    rig.node.job_done(rig.now, opening.id(), None);
    let turn = rig.job().expect("a turn");
    let output = turn.run();
    rig.node.job_done(rig.now, other.id(), Some(output));
    rig.node.check_invariants().expect("invariants");
    assert!(rig.node.jobs.has_turn());
}

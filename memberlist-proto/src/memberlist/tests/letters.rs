//! Long messages of the application are sealed by jobs before a stream is opened.

use super::jobs::{handing_out, key};
use super::*;
use crate::event::{BroadcastEnd, BroadcastId, ExchangeError, OpId, Outcome, SendError};
use crate::job::{Job, JobOutput, Mark, Output, Sealed};
use crate::peer::Target;
use crate::wire::frame::FrameTooLong;

fn rig(config: Config) -> Rig {
    let mut rig = Rig::with(config);
    for port in 2..5 {
        rig.alive(&port.to_string(), port, 1);
    }
    rig.events();
    rig
}

fn member() -> Target {
    Target::Member(NodeName::from("2"))
}

fn long() -> Vec<u8> {
    (0..4000_u32).map(|index| (index * index) as u8).collect()
}

/// A job that computes something.
fn job(rig: &mut Rig) -> Job {
    rig.node.check_invariants().expect("invariants");
    let job = rig.node.poll_job().expect("a long message");
    assert!(!job.is_turn());
    job
}

fn outcomes(rig: &mut Rig) -> Vec<(OpId, Result<(), ExchangeError>)> {
    rig.node.check_invariants().expect("invariants");
    let ended = |event| match event {
        Event::Finished { op, outcome: Outcome::SendReliable(result) } => Some((op, result)),
        _ => None,
    };
    core::iter::from_fn(|| rig.node.poll_event()).filter_map(ended).collect()
}

fn ends(rig: &mut Rig) -> Vec<(BroadcastId, BroadcastEnd)> {
    rig.node.check_invariants().expect("invariants");
    let end = |event| match event {
        Event::BroadcastFinished { id, end } => Some((id, end)),
        _ => None,
    };
    core::iter::from_fn(|| rig.node.poll_event()).filter_map(end).collect()
}

/// Lets all streams take what is written to them; that.
fn deliver(rig: &mut Rig) -> Vec<u8> {
    let mut written = Vec::new();
    while let Some(op) = rig.node.poll_stream() {
        match op {
            StreamOp::Connect { id, .. } => rig.node.handle_stream_connected(rig.now, id),
            StreamOp::Write { id, data } => {
                written.extend_from_slice(&data);
                rig.node.handle_stream_written(rig.now, id, data.len());
            }
            StreamOp::Close { id } => rig.node.handle_stream_closed(rig.now, id, None),
            StreamOp::Abort { .. } => panic!("it goes well"),
        }
    }
    written
}

#[test]
fn a_message_sealed_by_a_job_is_sent_like_one_sealed_at_once() {
    for keyed in [false, true] {
        let run = |mut config: Config, jobs: Option<bool>| {
            config.secret_keys = keyed.then(|| key(1)).into_iter().collect();
            let mut rig = Rig::with(config);
            rig.node.restore(rig.now, [2, 3, 4].map(peer));
            rig.node.send_reliable(rig.now, member(), &long()).expect("taken");
            rig.node.disseminate(rig.now, &long()).expect("taken");
            if let Some(with_result) = jobs {
                assert!(rig.connects().is_empty(), "it is not sealed yet");
                for _ in 0..2 {
                    let job = job(&mut rig);
                    let (id, output) = (job.id(), with_result.then(|| job.run()));
                    rig.node.job_done(rig.now, id, output);
                }
            }
            assert!(rig.node.poll_job().is_none());
            let written = deliver(&mut rig);
            assert!(written.len() > 1000);
            (written, rig.events(), rig.node.stats(), rig.node.state_hash())
        };
        let at_once = run(config(), None);
        assert_eq!(run(handing_out(), Some(true)), at_once, "{keyed}");
        assert_eq!(run(handing_out(), Some(false)), at_once, "{keyed}, in its place");
    }
}

fn peer(port: u16) -> Node {
    let identity = crate::Identity::new(crate::IdentityParts {
        name: port.to_string().as_bytes(),
        addr: Some(&[10, 0, 0, 1]),
        port,
        meta: None,
        versions: Some(VSN.into()),
    });
    Node::new(identity.expect("short"), 1, State::Alive, Instant::from_nanos(1))
}

#[test]
fn a_short_message_is_sealed_at_once() {
    let mut rig = rig(handing_out());
    rig.node.send_reliable(rig.now, member(), &[7; 512]).expect("taken");
    assert_eq!((rig.connects().len(), rig.node.poll_job().is_none()), (1, true));
}

/// What a job says of a message that no peer would read, or that is of this length.
fn pretend(message: Result<usize, FrameTooLong>) -> JobOutput {
    let message = message.map(|len| alloc::vec![0; len].into());
    let sealed = Sealed { message, len: 0, mark: Mark::of(b""), adopted: false };
    JobOutput(Output::Sealed(sealed))
}

#[test]
fn that_a_message_is_too_long_once_it_is_sealed_is_its_outcome() {
    let mut rig = rig(handing_out());
    let op = rig.node.send_reliable(rig.now, member(), &long()).expect("taken");
    let id = job(&mut rig).id();
    let error = FrameTooLong { len: 2, limit: 1 };
    rig.node.job_done(rig.now, id, Some(pretend(Err(error))));
    assert_eq!(outcomes(&mut rig), [(op, Err(ExchangeError::TooLong(error)))]);
    let to_all = rig.node.disseminate(rig.now, &long()).expect("taken");
    let id = job(&mut rig).id();
    rig.node.job_done(rig.now, id, Some(pretend(Err(error))));
    assert_eq!(ends(&mut rig), [(to_all, BroadcastEnd::TooLong)]);
    assert_eq!((rig.connects().len(), rig.node.disseminations.len()), (0, 0));
}

/// What cannot become shorter is refused before any work is done.
#[test]
fn a_message_that_is_surely_too_long_is_refused_at_once() {
    let mut config = handing_out();
    config.secret_keys = alloc::vec![key(1)];
    config.compression = Compression::None;
    let limit = config.limits.stream_bytes;
    let mut rig = rig_without_packets(config);
    let error = SendError::TooLong { len: limit, limit };
    let message = alloc::vec![7; limit];
    assert_eq!(rig.node.send_reliable(rig.now, member(), &message), Err(error));
    assert_eq!(rig.node.disseminate(rig.now, &message), Err(error));
    assert!(rig.node.poll_job().is_none());
    rig.node.check_invariants().expect("invariants");
    assert_eq!(rig.node.stats().gauges.operations, 0);
    // As long as a peer reads.
    let most = limit - 64;
    rig.node.send_reliable(rig.now, member(), &message[..most]).expect("taken");
}

/// Whose peers' packets would have to be encrypted.
fn rig_without_packets(config: Config) -> Rig {
    let mut rig = Rig::with(config);
    rig.node.restore(rig.now, [peer(2)]);
    rig
}

#[test]
fn a_message_to_all_that_grows_beyond_the_room_is_dropped() {
    let mut config = handing_out();
    config.limits.dissemination_bytes = 10_000;
    let mut rig = rig(config);
    let id = rig.node.disseminate(rig.now, &long()).expect("taken");
    assert_eq!(rig.node.stats().gauges.dissemination_bytes, 4000, "as long as it is now");
    assert_eq!(rig.node.disseminate(rig.now, &[0; 6001]), Err(SendError::TooMany));
    let done = job(&mut rig).id();
    rig.node.job_done(rig.now, done, Some(pretend(Ok(10_001))));
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Dropped)]);
    let id = rig.node.disseminate(rig.now, &long()).expect("there is room again");
    let done = job(&mut rig).id();
    rig.node.job_done(rig.now, done, Some(pretend(Ok(10_000))));
    assert_eq!(rig.node.stats().gauges.dissemination_bytes, 10_000);
    deliver(&mut rig);
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 3, failed: 0 })]);
    assert_eq!(rig.node.stats().counters.disseminations_dropped, 2);
}

#[test]
fn without_a_member_there_is_nothing_to_seal() {
    let mut rig = Rig::with(handing_out());
    let id = rig.node.disseminate(rig.now, &long()).expect("taken");
    assert!(rig.node.poll_job().is_none());
    assert_eq!(ends(&mut rig), [(id, BroadcastEnd::Streamed { sent: 0, failed: 0 })]);
}

#[test]
fn a_message_that_is_cancelled_while_it_is_sealed_is_never_sent() {
    for handed in [false, true] {
        let mut rig = rig(handing_out());
        let op = rig.node.send_reliable(rig.now, member(), &long()).expect("taken");
        let job = handed.then(|| job(&mut rig));
        rig.node.cancel(rig.now, op);
        assert_eq!(outcomes(&mut rig), [(op, Err(ExchangeError::Cancelled))]);
        if let Some(job) = job {
            let (id, output) = (job.id(), job.run());
            rig.node.job_done(rig.now, id, Some(output));
        }
        assert!(rig.node.poll_job().is_none());
        assert_eq!((rig.connects().len(), outcomes(&mut rig).len()), (0, 0));
    }
}

#[test]
fn a_message_that_was_sealed_by_another_key_is_sealed_again() {
    let mut config = handing_out();
    config.secret_keys = alloc::vec![key(1)];
    let mut rig = rig_without_packets(config);
    let op = rig.node.send_reliable(rig.now, member(), &long()).expect("taken");
    let first = job(&mut rig);
    rig.node.add_key(rig.now, key(2)).expect("room");
    rig.node.use_key(rig.now, &key(2)).expect("it is there");
    let (id, output) = (first.id(), first.run());
    rig.node.job_done(rig.now, id, Some(output));
    assert!(rig.connects().is_empty());
    let again = job(&mut rig);
    let (id, output) = (again.id(), again.run());
    rig.node.job_done(rig.now, id, Some(output));
    let mut other = Rig::with(Config { secret_keys: alloc::vec![key(2)], ..config_of("2", 2) });
    let frame = deliver(&mut rig);
    assert_eq!(outcomes(&mut rig), [(op, Ok(()))]);
    let stream = other.node.accept_stream(other.now, address(1)).expect("room");
    other.node.handle_stream_data(other.now, stream, &frame).expect("its own key");
    let message = core::iter::from_fn(|| other.node.poll_event()).find_map(|event| match event {
        Event::Message { payload, .. } => Some(payload),
        _ => None,
    });
    assert_eq!(message.as_deref(), Some(&long()[..]));
}

fn config_of(name: &str, port: u16) -> Config {
    let mut config = Config { name: name.into(), advertise_port: port, ..config() };
    config.compression = Compression::Lzw;
    config
}

#[test]
fn messages_that_are_sealed_count_as_streams_to_be_opened() {
    let mut config = handing_out();
    config.limits.streams_opened = 2;
    let mut rig = rig(config);
    let send = |rig: &mut Rig| rig.node.send_reliable(rig.now, member(), &long());
    let first = send(&mut rig).expect("taken");
    send(&mut rig).expect("taken");
    assert_eq!(send(&mut rig), Err(SendError::TooMany));
    // Others may be quicker.
    for _ in 0..2 {
        rig.node.send_reliable(rig.now, member(), b"short").expect("taken");
    }
    let job = job(&mut rig);
    let (id, output) = (job.id(), job.run());
    rig.node.job_done(rig.now, id, Some(output));
    assert_eq!(outcomes(&mut rig), [(first, Err(ExchangeError::TooMany))]);
}

/// What is being sealed when a checkpoint is made is sealed and sent from it on.
#[cfg(feature = "checkpoint")]
#[test]
fn a_node_goes_on_from_a_checkpoint_while_messages_are_sealed() {
    let mut config = handing_out();
    config.secret_keys = alloc::vec![key(1)];
    for handed in 0..=2 {
        let mut rig = rig_without_packets(config.clone());
        rig.node.note_outputs();
        rig.node.send_reliable(rig.now, member(), &long()).expect("taken");
        rig.node.disseminate(rig.now, &long()).expect("taken");
        let mut jobs: Vec<Job> = (0..handed).map(|_| job(&mut rig)).collect();
        let mut bytes = Vec::new();
        rig.node.checkpoint(&mut bytes);
        let with = crate::Restoring { keys: rig.node.keys(), ..crate::Restoring::default() };
        let mut twin = Memberlist::restore_checkpoint(&bytes, &with).expect("sound");
        twin.note_outputs();
        rig.node.take_digest();
        jobs.extend(core::iter::from_fn(|| rig.node.poll_job()));
        assert_eq!(jobs.len(), 2);
        for job in jobs.into_iter().rev() {
            let (id, output) = (job.id(), job.run());
            rig.node.job_done(rig.now, id, Some(output));
            twin.job_done(rig.now, id, None);
            assert_eq!(rig.node.take_digest(), twin.take_digest());
        }
        assert_eq!(rig.connects().len(), 2);
    }
}

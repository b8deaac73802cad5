//! What was recorded of a node replays byte for byte, whatever became of the files.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{BroadcastKind, Command, Instant, Key, Priority};
use memberlist_record::{
    Entry, Notice, ReadError, RecordOptions, Recording, Replay, ReplayError, ReplayOptions,
    SegmentReader, Verdict,
};

use self::common::{Folder, Pair, key};

fn options(keys: &[Key]) -> ReplayOptions {
    ReplayOptions { keys: keys.to_vec(), ..ReplayOptions::default() }
}

/// Steps to the end: how many steps there were, how many segments were arrived at, and how it ended.
fn replay(folder: &Folder, options: &ReplayOptions) -> (usize, usize, Result<(), ReplayError>) {
    let recording = Recording::open(folder.path()).expect("segments");
    assert_eq!(recording.sessions.len(), 1);
    let mut replay = Replay::new(&recording.sessions[0], options).expect("a checkpoint");
    let (mut steps, mut arrived) = (0, 0);
    loop {
        match replay.step() {
            Ok(Some(step)) => {
                assert_eq!(step.verdict, Verdict::Same, "step {steps}: {:?}", step.record);
                steps += 1;
                if let Some(verdict) = step.arrived {
                    assert_eq!(verdict, Verdict::Same);
                    arrived += 1;
                }
            }
            Ok(None) => return (steps, arrived, Ok(())),
            Err(error) => return (steps, arrived, Err(error)),
        }
    }
}

fn files(folder: &Folder) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.path()).expect("a folder").map(|it| it.expect("one").path()).collect();
    files.sort();
    files
}

fn small(segments: u64) -> RecordOptions {
    RecordOptions::default().with(|it| {
        it.max_bytes = segments * (64 << 10);
        it.segment_bytes = 1;
    })
}

#[test]
fn an_encrypted_node_with_a_delegate_replays_byte_for_byte() {
    let folder = Folder::new("whole");
    let mut pair = Pair::new(&[key(1)], &folder, &RecordOptions::default());
    pair.run(Duration::from_secs(20));
    pair.command(Command::AddKey(key(2)));
    pair.command(Command::UseKey(key(2)));
    pair.run(Duration::from_secs(5));
    pair.command(Command::RemoveKey(key(1)));
    pair.run(Duration::from_secs(5));
    pair.settle();
    let stats = pair.recorder.stats();
    assert!(pair.finish());
    assert_eq!((stats.dropped, stats.errors, stats.segments), (0, 0, 1));

    let (steps, _, end) = replay(&folder, &options(&[key(2), key(1)]));
    end.expect("the end");
    assert_eq!(steps as u64, stats.inputs);
    assert!(steps > 100, "{steps}");
}

#[test]
fn no_key_is_in_a_recording_and_what_needs_one_is_named() {
    let folder = Folder::new("keyless");
    let mut pair = Pair::new(&[key(1)], &folder, &RecordOptions::default());
    pair.run(Duration::from_secs(5));
    pair.command(Command::AddKey(key(2)));
    pair.run(Duration::from_secs(5));
    assert!(pair.finish());
    for file in files(&folder) {
        let bytes = fs::read(file).expect("a segment");
        for secret in [key(1), key(2)] {
            assert!(!bytes.windows(16).any(|window| window == secret.as_bytes()));
        }
    }
    let recording = Recording::open(folder.path()).expect("segments");
    let mut replay = Replay::new(&recording.sessions[0], &options(&[])).expect("a checkpoint");
    assert_eq!(replay.missing_keys(), [key(1).id()]);
    let mut unverified = 0;
    while let Some(step) = replay.step().expect("no damage") {
        assert_ne!(step.verdict, Verdict::Differs);
        unverified += usize::from(step.verdict == Verdict::Unverified);
    }
    assert!(unverified > 0);
    assert_eq!(replay.missing_keys(), [key(1).id(), key(2).id()]);
}

#[test]
fn a_ring_that_dropped_its_oldest_segments_replays_from_what_is_left() {
    let folder = Folder::new("ring");
    let mut pair = Pair::new(&[], &folder, &small(6));
    pair.chat(Duration::from_secs(200));
    let stats = pair.recorder.stats();
    assert!(pair.finish());
    let left = files(&folder);
    let bytes: u64 = left.iter().map(|it| fs::metadata(it).expect("a file").len()).sum();
    assert!(bytes <= 6 * (64 << 10), "{bytes}");
    assert!(left.len() > 2 && (left.len() as u64) < stats.segments, "{stats:?}");

    let recording = Recording::open(folder.path()).expect("segments");
    assert!(!recording.sessions[0].is_from_birth());
    let (steps, arrived, end) = replay(&folder, &options(&[]));
    end.expect("the end");
    assert_eq!(arrived, left.len() - 1);
    assert!(steps > 100 && (steps as u64) < stats.inputs);

    let last = recording.sessions[0].segments().last().expect("one").1.at;
    let from = ReplayOptions { from: Some(Instant::from_nanos(last)), ..options(&[]) };
    let (tail, arrived, end) = replay(&folder, &from);
    end.expect("the end");
    assert!(tail < steps && arrived == 0, "{tail} of {steps}");
}

#[test]
fn a_second_run_in_the_folder_is_a_session_of_its_own() {
    let folder = Folder::new("twice");
    for seed in [1, 2] {
        let mut pair = Pair::seeded(&[], &folder, &RecordOptions::default(), seed);
        pair.run(Duration::from_secs(2));
        assert!(pair.finish());
    }
    let recording = Recording::open(folder.path()).expect("segments");
    assert_eq!(recording.sessions.len(), 2);
    assert!(recording.sessions.iter().all(memberlist_record::Session::is_from_birth));
    assert_ne!(recording.sessions[0].header().session, recording.sessions[1].header().session);
}

/// What a process that is killed leaves: no end, and perhaps half a block.
#[test]
fn a_torn_tail_is_found_and_everything_before_it_replays() {
    let folder = Folder::new("torn");
    let mut pair = Pair::new(&[], &folder, &RecordOptions::default());
    pair.chat(Duration::from_secs(20));
    assert!(pair.finish());
    let file = files(&folder).remove(0);
    let whole = fs::read(&file).expect("a segment");
    let (all, ..) = replay(&folder, &options(&[]));

    // Without the mark of the end, and the last bytes of the last block.
    fs::write(&file, &whole[..whole.len() - 20]).expect("written");
    let (steps, _, end) = replay(&folder, &options(&[]));
    let error = end.expect_err("torn");
    assert!(matches!(error, ReplayError::Read { error: ReadError::Truncated { .. }, .. }));
    assert!(steps > 0 && steps < all, "{steps} of {all}");

    // Zeros, as a file system leaves them whose data was not on disk.
    let mut zeroed = whole.clone();
    zeroed.truncate(whole.len() / 2);
    zeroed.resize(whole.len(), 0);
    fs::write(&file, &zeroed).expect("written");
    let (fewer, _, end) = replay(&folder, &options(&[]));
    let error = end.expect_err("damaged");
    assert!(matches!(error, ReplayError::Read { error: ReadError::Damaged { .. }, .. }), "{error}");
    assert!(fewer > 0 && fewer < steps, "{fewer} of {steps}");
}

#[test]
fn files_that_are_no_recording_are_refused_by_what_they_are() {
    let folder = Folder::new("foreign");
    let mut pair = Pair::new(&[], &folder, &RecordOptions::default());
    pair.run(Duration::from_secs(2));
    assert!(pair.finish());
    let whole = fs::read(files(&folder).remove(0)).expect("a segment");
    let error = |bytes: &[u8]| SegmentReader::new(bytes).expect_err("no segment");
    assert!(matches!(error(b"GIF89a and more"), ReadError::Foreign));
    assert!(matches!(error(b""), ReadError::Truncated { at: 0 }));
    assert!(matches!(error(&whole[..5]), ReadError::Truncated { at: 0 }));
    assert!(matches!(error(&whole[..10]), ReadError::Missing("header")));
    assert!(matches!(error(&whole[..20]), ReadError::Truncated { at: 10 }));
    let with = |place: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        bytes
    };
    assert!(matches!(error(&with(8, 9)), ReadError::Version(9)));
    assert!(matches!(error(&with(30, 0)), ReadError::Damaged { at: 10 }));

    // Of another core: its header can be read, and says which.
    let header = SegmentReader::new(&whole[..]).expect("a segment").header().clone();
    let other = String::from_utf8_lossy(&whole).contains(&header.core_hash);
    assert!(other && header.is_of_this_core());
}

#[test]
fn another_core_is_refused_unless_it_is_asked_for() {
    let folder = Folder::new("other-core");
    let mut pair = Pair::new(&[], &folder, &RecordOptions::default());
    pair.run(Duration::from_secs(2));
    assert!(pair.finish());
    common::claim_other_core(&files(&folder)[0]);
    let recording = Recording::open(folder.path()).expect("segments");
    let error = Replay::new(&recording.sessions[0], &options(&[])).expect_err("refused");
    assert!(matches!(error, ReplayError::OtherCore { .. }), "{error}");
    let any = ReplayOptions { any_core: true, ..options(&[]) };
    let (steps, _, end) = replay(&folder, &any);
    end.expect("the end");
    assert!(steps > 0);
}

/// What the thread cannot write is dropped, and the node goes on; the recording too, later.
#[test]
fn a_folder_that_vanishes_costs_a_segment_and_not_the_node() {
    let folder = Folder::new("vanishing");
    let mut pair = Pair::new(&[], &folder, &small(4));
    fs::remove_dir_all(folder.path()).expect("removed");
    pair.chat(Duration::from_secs(60));
    pair.wait(|stats| stats.errors > 0);
    let before = pair.recorder.stats().segments;
    fs::create_dir_all(folder.path()).expect("back");
    // Until the next attempt, and too short after it for the ring to turn.
    let mut seconds = 0;
    while pair.recorder.stats().segments == before {
        assert!(seconds < 310, "no attempt is later than that");
        pair.chat(Duration::from_secs(1));
        pair.settle();
        seconds += 1;
    }
    pair.chat(Duration::from_secs(5));
    let stats = pair.recorder.stats();
    assert!(pair.finish());
    assert!(stats.dropped > 0, "{stats:?}");
    let recording = Recording::open(folder.path()).expect("segments");
    assert!(recording.sessions[0].header().dropped > 0);
    let (steps, _, end) = replay(&folder, &options(&[]));
    end.expect("the end");
    assert!(steps > 0);
}

/// A disk that takes nothing for a long time: the thread that writes stands still, here since the notice
/// of a failure does not return. The node goes on at its pace, whatever comes, and the recording says how
/// many inputs it has not.
#[test]
fn a_disk_that_stands_still_never_stalls_the_node() {
    let folder = Folder::new("still");
    let (stands, stood) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let options = RecordOptions::default().with(|it| it.max_bytes = 64 << 20);
    let mut pair = Pair::notified(&[], &folder, &options, 7, move |notice| {
        if matches!(notice, Notice::Failed(_)) {
            let _ = stands.send(());
            // Until the test lets go of the other end.
            let _ = may_go.lock().expect("one thread").recv();
        }
    });
    pair.wait(|stats| stats.segments > 0);
    fs::remove_dir_all(folder.path()).expect("removed");
    // Much more than the queue holds: each input returns, though no byte is taken.
    let message = Bytes::from(vec![1; 1000]);
    let mut sent = 0;
    while stood.try_recv().is_err() {
        pair.command(unique(&message));
        sent += 1;
        // Of a folder that is gone, the next segment is the first that fails.
        assert!(sent < 500_000, "{:?}", pair.recorder.stats());
    }
    let before = pair.recorder.stats();
    for _ in 0..20_000 {
        pair.command(unique(&message));
    }
    let during = pair.recorder.stats();
    assert_eq!(during.bytes, before.bytes, "nothing was written meanwhile");
    assert!(during.dropped > before.dropped, "{during:?}");
    fs::create_dir_all(folder.path()).expect("back");
    drop(go);
    let segments = pair.recorder.stats().segments;
    while pair.recorder.stats().segments == segments {
        pair.run(Duration::from_secs(1));
        std::thread::yield_now();
    }
    pair.run(Duration::from_secs(5));
    let stats = pair.recorder.stats();
    assert!(pair.finish());
    let recording = Recording::open(folder.path()).expect("segments");
    let missing: u64 = recording.sessions[0].segments().map(|(_, header)| header.dropped).sum();
    assert_eq!(missing, stats.dropped, "{stats:?}");
    let (steps, _, end) = replay(&folder, &self::options(&[]));
    end.expect("the end");
    assert!(steps > 0);
}

/// A disk that fails again and again is tried less and less often.
#[test]
fn a_disk_that_goes_on_failing_is_left_alone_for_longer_and_longer() {
    let folder = Folder::new("respite");
    let mut pair = Pair::new(&[], &folder, &small(6));
    pair.settle();
    fs::remove_dir_all(folder.path()).expect("removed");
    let run = |pair: &mut Pair, seconds: u64| {
        for _ in 0..seconds {
            pair.run(Duration::from_secs(1));
            pair.settle();
        }
        pair.recorder.stats().errors
    };
    // Of a file that was removed, writing goes on until its segment ends.
    let message = Bytes::from(vec![1; 1000]);
    while pair.recorder.stats().errors == 0 {
        pair.command(unique(&message));
        pair.settle();
    }
    // After 5, 10, 20, 40, 80, 160 and 300 seconds, of which the first has begun.
    let errors = run(&mut pair, 700);
    assert!((5..=8).contains(&errors), "{errors}");
    fs::create_dir_all(folder.path()).expect("back");
    let segments = pair.recorder.stats().segments;
    run(&mut pair, 310);
    assert!(pair.recorder.stats().segments > segments);
}

fn unique(message: &Bytes) -> Command {
    let (kind, priority) = (BroadcastKind::Unique, Priority::Normal);
    Command::Broadcast { message: message.clone(), kind, priority }
}

#[test]
fn records_are_what_was_handed_in() {
    let folder = Folder::new("entries");
    let mut pair = Pair::new(&[], &folder, &RecordOptions::default());
    pair.command(Command::Broadcast {
        message: b"hello"[..].to_vec().into(),
        kind: memberlist_proto::BroadcastKind::Unique,
        priority: memberlist_proto::Priority::Low,
    });
    let at = pair.now();
    assert!(pair.finish());
    let mut reader = SegmentReader::open(&files(&folder)[0]).expect("a segment");
    assert_eq!(reader.header().node, "one");
    assert_eq!(reader.header().config.name.to_string(), "one");
    assert_eq!(reader.header().born.seed.len(), 64);
    let mut last = None;
    while let Some(record) = reader.next_record().expect("no damage") {
        last = Some(record);
    }
    assert!(reader.is_complete());
    let last = last.expect("a record");
    assert_eq!(last.at, at);
    let Entry::Input(memberlist_proto::Input::Command(Command::Broadcast { message, .. })) =
        last.entry
    else {
        panic!("{last:?}")
    };
    assert_eq!(message, b"hello"[..]);
}

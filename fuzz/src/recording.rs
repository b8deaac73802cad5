//! A segment of a recording, as it may be found on a disk.

use std::sync::OnceLock;
use std::time::Duration;

use memberlist_proto::{
    BroadcastKind, Command, Config, Input, Instant, Memberlist, Peer, Priority, Restoring,
};
use memberlist_record::{RecordOptions, Recorder, SegmentReader};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes before the first block, and of a block before its payload.
const START: usize = 10;
const BLOCK: usize = 13;

/// Any bytes as a segment, and as changes to one, with checksums that are right: whatever can be read
/// is stepped through, and the node that comes of it goes on.
pub fn recording(data: &[u8]) {
    replay(data);
    let mut segment = genuine().to_vec();
    // Two bytes for a place, each half of which reaches all parts, and one to put there.
    for change in data.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % segment.len();
        segment[place] = change[2];
    }
    mend(&mut segment);
    replay(&segment);
}

fn replay(segment: &[u8]) {
    let Ok(mut reader) = SegmentReader::new(segment) else { return };
    let with = Restoring { any_core: true, stand_ins: true, ..Restoring::default() };
    let restored = Memberlist::restore_checkpoint(reader.checkpoint(), &with);
    let mut node = restored.ok();
    if let Some(node) = &mut node {
        // What was taken for the state of a node is one.
        let mut bytes = Vec::new();
        node.checkpoint(&mut bytes);
        let again = Memberlist::restore_checkpoint(&bytes, &with).expect("its own checkpoint");
        let mut same = Vec::new();
        again.checkpoint(&mut same);
        assert_eq!(same, bytes);
    }
    while let Ok(Some(record)) = reader.next_record() {
        let Some(node) = &mut node else { continue };
        for decision in record.decisions {
            let _ = node.handle(record.at, Input::Decided(decision));
        }
        if let Some(input) = record.entry.into_input(memberlist_proto::KeyId::stand_in) {
            let _ = node.handle(record.at, input);
        }
        while node.poll_transmit().is_some() || node.poll_event().is_some() {}
        while node.poll_stream().is_some() || node.poll_request().is_some() {}
        while node.poll_lookup().is_some() {}
    }
    assert!(matches!(reader.next_record(), Ok(None)), "there is nothing after the end");
}

/// Puts the right checksum into each block, as far as the lengths lead from one to the next.
fn mend(segment: &mut [u8]) {
    let mut at = START;
    while let Some(head) = segment.get(at..at + BLOCK) {
        let (kind, len) = (head[0], u32::from_le_bytes([head[1], head[2], head[3], head[4]]));
        let payload = at + BLOCK..(at + BLOCK).saturating_add(len as usize);
        let Some(bytes) = segment.get(payload.clone()) else { return };
        let sum = xxh3_64_with_seed(bytes, u64::from(kind) << 32 | u64::from(len));
        segment[at + 5..at + BLOCK].copy_from_slice(&sum.to_le_bytes());
        at = payload.end;
    }
}

/// The segment of a node that has members, a stream, an operation and a message under way.
fn genuine() -> &'static [u8] {
    static SEGMENT: OnceLock<Vec<u8>> = OnceLock::new();
    SEGMENT.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("memberlist-fuzz-{}", std::process::id()));
        let mut now = Instant::from_nanos(1_000_000_000);
        let node = |name: &str, last: u8| {
            let mut config = Config::local(name);
            config.advertise_addr = [10, 0, 0, last].into();
            Memberlist::new(now, config, None, [last; 32]).expect("a valid configuration")
        };
        let (mut one, others) = (node("me", 1), [node("a", 2), node("b", 3)]);
        one.restore(now, others.iter().map(Memberlist::local));
        live(&mut one, &mut now, 40);
        let options = RecordOptions::default().with(|it| it.patient = true);
        let recorder = Recorder::start(&mut one, now, [1; 32], &folder, &options, |_| {});
        let recorder = recorder.expect("a temporary folder");
        live(&mut one, &mut now, 60);
        drop(one);
        assert!(recorder.wait(Duration::from_secs(60)));
        let segment = std::fs::read(folder.join("0000000001.mlrec")).expect("a segment");
        std::fs::remove_dir_all(&folder).expect("its own folder");
        segment
    })
}

/// Lets a node do things, whose peers never answer.
fn live(node: &mut Memberlist, now: &mut Instant, steps: u64) {
    node.join(*now, &[Peer::from(std::net::SocketAddr::from(([10, 0, 0, 9], 7946)))]);
    for step in 0..steps {
        *now += Duration::from_millis(100);
        node.handle_timeout(*now);
        let message = vec![step as u8; 20].into();
        let (kind, priority) = (BroadcastKind::Plain, Priority::Normal);
        let _ = node.handle(*now, Command::Broadcast { message, kind, priority }.into());
        let stream = node.accept_stream(*now, ([10, 0, 0, 2], 40_000).into());
        if let Some(id) = stream {
            let _ = node.handle_stream_data(*now, id, &[8, 0x81, 0xaa]);
        }
        while node.poll_transmit().is_some() || node.poll_event().is_some() {}
        while node.poll_stream().is_some() {}
    }
}

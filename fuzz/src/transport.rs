//! The frames of the transports that carry packets over connections, and the queues before them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_driver::transport::{
    Bounds, Failed, Frame, FrameError, FrameReader, Framing, Pool, Queued, Serial, Turned,
};
use memberlist_proto::StreamFailure;

use crate::input::Input;

const FRAMINGS: [Framing; 2] = [Framing::Alertmanager, Framing::Dskit];

/// What a connection has brought.
#[derive(Debug, Default, PartialEq)]
struct Read {
    frames: Vec<Frame>,
    error: Option<FrameError>,
    rest: Bytes,
}

/// A connection's bytes: however they are cut, the same frames come of them, none longer than allowed,
/// and what is written is read.
pub fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let framing = input.choose(&FRAMINGS);
    let limit = usize::from(input.byte()) + 1;
    let (cut, ended) = (usize::from(input.byte()) + 1, input.flag());
    let bytes = input.rest();
    let whole = read(framing, limit, bytes, usize::MAX, ended);
    let cut = read(framing, limit, bytes, cut, ended);
    // How long a frame was when it became too long depends on the cuts alone.
    match (&whole.error, &cut.error) {
        (Some(FrameError::TooLong { .. }), Some(FrameError::TooLong { .. })) => {
            assert_eq!(whole.frames, cut.frames);
        }
        _ => assert_eq!(whole, cut, "cuts matter"),
    }
    for frame in &whole.frames {
        let Frame::Packet { packet, from } = frame else { continue };
        assert!(packet.len() <= limit);
        let address = from.address(SocketAddr::from(([127, 0, 0, 1], 7)));
        let written = framing.packet(address, packet);
        let again = read(framing, written.len(), &written, usize::MAX, true);
        let [Frame::Packet { from, packet: found }] = &again.frames[..] else {
            panic!("{again:?}");
        };
        assert_eq!((from.address(address).ip(), found), (address.ip(), packet));
    }
}

fn read(framing: Framing, limit: usize, bytes: &[u8], cut: usize, ended: bool) -> Read {
    let mut reader = FrameReader::new(framing, limit);
    let (mut read, mut pushed) = (Read::default(), 0);
    let mut pieces = bytes.chunks(cut.clamp(1, bytes.len().max(1)));
    loop {
        let piece = pieces.next();
        match piece {
            Some(piece) => reader.push(piece),
            None if ended => reader.end(),
            None => {}
        }
        pushed += piece.map_or(0, <[u8]>::len);
        assert!(reader.buffered() <= pushed);
        loop {
            match reader.next() {
                Ok(Some(frame)) => read.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(read.error.replace(error), None, "an error is reported once");
                    break;
                }
            }
        }
        if piece.is_none() {
            break;
        }
    }
    if read.frames.last() == Some(&Frame::Stream) {
        read.rest = reader.into_rest();
    }
    read
}

/// A task that carries a queue, as the pool is to see it.
struct Task {
    serial: Serial,
    writing: bool,
}

/// Any order of calls: the bounds hold, no frame vanishes, and every queue has one task.
pub fn pool(data: &[u8]) {
    let mut input = Input::new(data);
    let bounds = Bounds::default().with(|it| {
        it.peers = 1 + input.below(4);
        it.queue_frames = 1 + input.below(4);
        it.queue_bytes = 1 + usize::from(input.byte());
        it.bytes = 1 + usize::from(input.u16());
    });
    let (mut pool, mut now) = (Pool::new(bounds.clone()), Instant::now());
    let mut tasks = BTreeMap::<SocketAddr, Task>::new();
    let (mut pushed, mut written) = (0_u64, 0_u64);
    while !input.is_empty() {
        let to = SocketAddr::from(([127, 0, 0, 1], 1 + u16::from(input.byte() & 7)));
        match input.below(8) {
            0..=2 => {
                pushed += 1;
                let frame = Bytes::from(vec![0; usize::from(input.byte())]);
                if let Queued::Begin(serial) = pool.push(now, to, frame) {
                    tasks.insert(to, Task { serial, writing: false });
                }
            }
            3 | 4 => fetch(&mut pool, &mut tasks, to),
            5 => {
                if let Some(task) = tasks.get_mut(&to).filter(|task| task.writing) {
                    task.writing = false;
                    written += 1;
                    pool.written(now, to, task.serial);
                }
            }
            6 => {
                let timed_out = input.flag();
                let ends = |task: &Task| ends_failed(&mut pool, now, to, task, timed_out);
                if tasks.get(&to).is_some_and(ends) {
                    tasks.remove(&to);
                }
            }
            _ => {
                now += Duration::from_millis(input.u16().into());
                let ends = |task: &Task| !task.writing && pool.ends(to, task.serial);
                if tasks.get(&to).is_some_and(ends) {
                    tasks.remove(&to);
                }
            }
        }
        assert!(pool.bytes() <= bounds.bytes && pool.peers() <= bounds.peers);
    }
    drain(pool, tasks, pushed, written);
}

/// The peer of a task cannot be reached: whether the task is to end.
fn ends_failed(
    pool: &mut Pool,
    now: Instant,
    to: SocketAddr,
    task: &Task,
    timed_out: bool,
) -> bool {
    let why = if timed_out { StreamFailure::TimedOut } else { StreamFailure::Reset };
    match pool.failed(now, to, task.serial, why) {
        Failed::Again(until) => {
            assert!(until > now && !timed_out);
            false
        }
        Failed::Over => {
            assert_eq!(pool.next(to, task.serial), Turned::Gone);
            true
        }
    }
}

fn fetch(pool: &mut Pool, tasks: &mut BTreeMap<SocketAddr, Task>, to: SocketAddr) {
    let Some(task) = tasks.get_mut(&to).filter(|task| !task.writing) else { return };
    match pool.next(to, task.serial) {
        Turned::Write(_) => task.writing = true,
        Turned::Wait => {}
        Turned::Gone => drop(tasks.remove(&to)),
    }
}

/// Writes all that waits: then every frame was written or counted as dropped.
fn drain(mut pool: Pool, tasks: BTreeMap<SocketAddr, Task>, pushed: u64, mut written: u64) {
    let now = Instant::now();
    for (to, mut task) in tasks {
        loop {
            if task.writing {
                written += 1;
                pool.written(now, to, task.serial);
            }
            task.writing = matches!(pool.next(to, task.serial), Turned::Write(_));
            if !task.writing {
                break;
            }
        }
    }
    assert!(pool.is_flushed() && pool.bytes() == 0);
    assert_eq!(pushed, written + pool.dropped());
}

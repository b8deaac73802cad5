//! The recorder of a node, and the tap that the node calls around each input.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use memberlist_proto::{Input, Instant, Memberlist, Tap};

use crate::entry::{Entries, EntryRef};
use crate::format::{Born, Header};
use crate::ring::{Files, Ring};
use crate::stats::{Counts, Notice, RecordStats};
use crate::writer::{Job, Link, Writer};

/// A block is handed over when it has this many bytes.
const BLOCK_BYTES: usize = 64 << 10;
/// Additional capacity, so that the last record of a block rarely makes its buffer grow.
const SLACK: usize = 4 << 10;
/// How many blocks may wait for the disk: 4 MiB.
const BLOCKS: usize = 64;
/// How many jobs may wait: a block of records may be a segment of its own.
const JOBS: usize = 4 * BLOCKS;
/// A segment is not ended while more jobs wait: each may hold a checkpoint.
const FEW_JOBS: u64 = 8;
/// A block is handed over at this age at the latest, in the core's time.
const BLOCK_AGE: Duration = Duration::from_secs(1);
/// How long after a failure of the disk the next segment is tried. The time doubles with each
/// further failure in a row, up to the longest.
const RESPITE: Duration = Duration::from_secs(5);
const LONGEST_RESPITE: Duration = Duration::from_secs(300);
/// The least bytes of a segment.
const SEGMENT_MIN: u64 = 64 << 10;
/// How many segments fit into `max_bytes` by default.
const SEGMENTS: u64 = 16;

/// How much is recorded, and when the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordOptions {
    /// The most bytes that the segments in the folder may take: beyond that, the oldest are
    /// deleted. Segments of an earlier run in the same folder count, and are deleted first. 256 MiB
    /// by default.
    pub max_bytes: u64,
    /// About how many bytes of records a segment has. 0, the default, means a sixteenth of
    /// `max_bytes`; other values count as at most half of `max_bytes`, and any as at least 64 KiB.
    /// Each segment begins with a checkpoint, which takes about 60 bytes for each member and is
    /// made under the node's lock.
    pub segment_bytes: u64,
    /// The wall-clock time when the node begins, in milliseconds since 1970, by which people find
    /// the moment that they look for. `None`, the default, leaves it out.
    pub wall_clock_ms: Option<u64>,
    /// Whether to wait for the disk instead of dropping inputs when it is too slow: for
    /// simulations, whose time is virtual. `false` by default.
    pub patient: bool,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, segment_bytes: 0, wall_clock_ms: None, patient: false }
    }
}

impl RecordOptions {
    /// These values with some of them changed, as an expression.
    #[must_use = "the changed values are returned"]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn segment(&self) -> u64 {
        let wanted = match self.segment_bytes {
            0 => self.max_bytes / SEGMENTS,
            given => given.min(self.max_bytes / 2),
        };
        wanted.max(SEGMENT_MIN)
    }
}

/// Why a recording cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot record to {folder}: {source}")]
pub struct RecordError {
    folder: String,
    source: io::Error,
}

/// A handle to the recording of one node. The node itself holds the other half, its tap, which
/// never waits for the disk unless [`patient`](RecordOptions::patient): if the disk is too slow,
/// inputs are dropped until the next segment begins. Recording an input allocates no memory, unless
/// the input has more than a few kilobytes or begins a segment.
///
/// The recording ends when the node is dropped, or its tap is taken by
/// [`set_tap`](Memberlist::set_tap) and dropped. Dropping this handle does not end it.
#[derive(Debug)]
pub struct Recorder {
    counts: Arc<Counts>,
    link: Arc<Link>,
    /// Receives nothing, and is disconnected when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

/// The half of the recording that the node holds.
struct NodeTap {
    entries: Entries,
    jobs: SyncSender<Job>,
    spare: Receiver<Vec<u8>>,
    counts: Arc<Counts>,
    link: Arc<Link>,
    phase: Phase,
    born: Born,
    session: u64,
    number: u64,
    /// The bytes of records in the segment so far, and the number after which it ends.
    bytes: u64,
    most: u64,
    patient: bool,
    /// How many inputs were not recorded since the last segment began.
    dropped: u64,
}

/// Whether inputs are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Recording,
    /// They are dropped until the queue of jobs is empty and this time has come.
    Dropping {
        until: Instant,
    },
}

impl Recorder {
    /// Begins to record a node that has not handled any input yet, and was made at `now` with
    /// `seed`. The folder is created if it does not exist. `notify` is called on the thread that
    /// writes, which waits for it.
    ///
    /// # Errors
    ///
    /// The folder cannot be created or read, or no thread can be started.
    pub fn start(
        node: &mut Memberlist,
        now: Instant,
        seed: [u8; 32],
        folder: &Path,
        options: &RecordOptions,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Result<Self, RecordError> {
        let failed = |source| RecordError { folder: folder.to_string_lossy().into_owned(), source };
        let ring = Ring::open(folder, options.max_bytes, Box::new(Files)).map_err(failed)?;
        let (jobs, inbox) = sync_channel(JOBS);
        let (back, spare) = sync_channel(BLOCKS);
        for _ in 1..BLOCKS {
            // Their memory is taken when they are first used.
            let _ = back.try_send(Vec::new());
        }
        let (counts, link) = (Arc::new(Counts::default()), Arc::new(Link::default()));
        let writer = Writer {
            jobs: inbox,
            spare: back,
            ring,
            beginning: 0,
            counts: Arc::clone(&counts),
            link: Arc::clone(&link),
            notify: Box::new(notify),
        };
        let thread = std::thread::Builder::new().name("memberlist-record".into());
        let (alive, ended) = sync_channel(0);
        let run = move || {
            writer.run();
            drop(alive);
        };
        thread.spawn(run).map_err(failed)?;
        node.note_decisions();
        node.note_outputs();
        let seed_text = hex(&seed);
        let (count, linked) = (Arc::clone(&counts), Arc::clone(&link));
        let mut tap = NodeTap {
            entries: Entries::default(),
            jobs,
            spare,
            counts,
            link,
            phase: Phase::Recording,
            born: Born {
                at: now.as_nanos(),
                wall_clock_ms: options.wall_clock_ms,
                seed: seed_text,
            },
            session: xxhash_rust::xxh3::xxh3_64(&seed),
            number: 0,
            bytes: 0,
            most: options.segment(),
            patient: options.patient,
            dropped: 0,
        };
        tap.begin_segment(node, now);
        node.set_tap(Some(Box::new(tap)));
        Ok(Self { counts: count, link: linked, ended: Mutex::new(ended) })
    }

    /// Counters of what has been recorded so far.
    pub fn stats(&self) -> RecordStats {
        self.counts.stats()
    }

    /// How many blocks, and beginnings and ends of segments, wait to be written.
    pub fn backlog(&self) -> u64 {
        self.link.queued.load(Ordering::Relaxed)
    }

    /// Blocks until the recording has ended and everything is on disk, but not for longer than
    /// `limit`. Returns whether it has ended.
    pub fn wait(&self, limit: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    }
}

impl Tap for NodeTap {
    fn begin(&mut self, now: Instant, input: &Input<'_>) {
        if self.phase == Phase::Recording {
            self.entries.begin(now, &EntryRef::from(input));
        }
    }

    fn end(&mut self, now: Instant, node: &mut Memberlist) {
        let digest = node.take_digest();
        let decisions = std::iter::from_fn(|| node.poll_decision());
        if let Phase::Dropping { until } = self.phase {
            decisions.for_each(drop);
            self.dropped += 1;
            Counts::add(&self.counts.dropped, 1);
            if now >= until && self.queued() == 0 {
                self.phase = Phase::Recording;
                self.begin_segment(node, now);
            }
            return;
        }
        self.entries.end(decisions, digest);
        Counts::add(&self.counts.inputs, 1);
        if self.link.broken.load(Ordering::Relaxed) {
            self.link.broken.store(false, Ordering::Relaxed);
            let failures = self.link.failures.load(Ordering::Relaxed).saturating_sub(1);
            let respite = RESPITE.saturating_mul(2_u32.saturating_pow(failures));
            self.drop_until(now + respite.min(LONGEST_RESPITE));
            return;
        }
        let old = self.entries.since().is_some_and(|since| now >= since + BLOCK_AGE);
        if self.entries.len() >= BLOCK_BYTES || old {
            self.hand_over(now);
        }
        let full = self.bytes >= self.most && self.queued() < FEW_JOBS;
        if self.phase == Phase::Recording && full {
            self.end_segment(node, now);
        }
    }
}

impl NodeTap {
    fn begin_segment(&mut self, node: &Memberlist, now: Instant) {
        let mut header = Header::new(node, &self.born, self.session, self.number, now);
        let lost = self.link.lost.swap(0, Ordering::Relaxed);
        let dropped = std::mem::take(&mut self.dropped) + lost;
        header.dropped = dropped;
        let header = serde_json::to_vec(&header).unwrap_or_default();
        let mut checkpoint = Vec::new();
        node.checkpoint(&mut checkpoint);
        self.bytes = 0;
        self.number += 1;
        if !self.send(Job::Begin { header, checkpoint, dropped }) {
            self.drop_until(now);
        }
    }

    fn end_segment(&mut self, node: &Memberlist, now: Instant) {
        self.hand_over(now);
        if self.phase == Phase::Recording && self.send(Job::End) {
            self.begin_segment(node, now);
        }
    }

    /// Hands the block over. Without another buffer to go on with, the block is dropped instead.
    fn hand_over(&mut self, now: Instant) {
        if self.entries.is_empty() {
            return;
        }
        let spare = if self.patient { self.spare.recv().ok() } else { self.spare.try_recv().ok() };
        let Some(mut spare) = spare else { return self.drop_until(now) };
        spare.reserve_exact((BLOCK_BYTES + SLACK).saturating_sub(spare.capacity()));
        self.bytes += self.entries.len() as u64;
        let count = self.entries.count();
        let block = self.entries.take(spare);
        if !self.send(Job::Records(block, count)) {
            self.dropped += count;
            self.drop_until(now);
        }
    }

    /// Drops the block and all inputs until the queue of jobs is empty and `until` has come.
    fn drop_until(&mut self, until: Instant) {
        let count = self.entries.count();
        Counts::add(&self.counts.dropped, count);
        self.dropped += count;
        self.entries.clear();
        self.phase = Phase::Dropping { until };
    }

    /// How many jobs the thread has not done yet.
    fn queued(&self) -> u64 {
        self.link.queued.load(Ordering::Relaxed)
    }

    fn send(&self, job: Job) -> bool {
        self.link.queued.fetch_add(1, Ordering::Relaxed);
        let sent = if self.patient {
            self.jobs.send(job).is_ok()
        } else {
            self.jobs.try_send(job).is_ok()
        };
        if !sent {
            self.link.queued.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Drop for NodeTap {
    fn drop(&mut self) {
        self.hand_over(Instant::ORIGIN);
        self.send(Job::End);
    }
}

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU8;
use std::sync::mpsc::sync_channel;

use super::*;
use crate::ring::{Disk, Files};

const SEGMENT: usize = 100_000;

/// A disk on which something goes wrong.
#[derive(Clone, Debug, Default)]
struct Failing(Arc<Fault>);

#[derive(Debug, Default)]
struct Fault {
    /// How many bytes it still takes.
    room: AtomicU64,
    /// What it says then.
    kind: AtomicU8,
}

const KINDS: [io::ErrorKind; 3] =
    [io::ErrorKind::Other, io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];

impl Failing {
    fn set(&self, room: usize, kind: io::ErrorKind) {
        let index = KINDS.iter().position(|it| *it == kind).expect("a known kind");
        self.0.kind.store(index as u8, Ordering::SeqCst);
        self.0.room.store(room as u64, Ordering::SeqCst);
    }
}

impl Disk for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let inner = Files.create(path)?;
        Ok(Box::new(Limited { inner, fault: Arc::clone(&self.0) }))
    }
}

struct Limited {
    inner: Box<dyn Segment>,
    fault: Arc<Fault>,
}

impl Write for Limited {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = self.fault.room.load(Ordering::SeqCst);
        if room == 0 {
            return Err(KINDS[usize::from(self.fault.kind.load(Ordering::SeqCst))].into());
        }
        let len = data.len().min(room as usize);
        let len = self.inner.write(&data[..len])?;
        self.fault.room.fetch_sub(len as u64, Ordering::SeqCst);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Segment for Limited {
    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

/// A writer without a recorder, in a folder that is removed at the end.
struct Bench {
    folder: PathBuf,
    disk: Failing,
    writer: Writer,
    file: Option<Open>,
}

impl Bench {
    /// With so many whole segments.
    fn new(name: &str, segments: usize) -> Self {
        let folder = format!("memberlist-writer-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&folder);
        let disk = Failing::default();
        disk.set(usize::MAX, io::ErrorKind::Other);
        let ring = Ring::open(&folder, 1 << 30, Box::new(disk.clone())).expect("a folder");
        let writer = Writer {
            jobs: sync_channel(1).1,
            spare: sync_channel(1).0,
            ring,
            beginning: 0,
            counts: Arc::default(),
            link: Arc::default(),
            notify: Box::new(|_| {}),
        };
        let mut bench = Self { folder, disk, writer, file: None };
        for _ in 0..segments {
            bench.begin();
            bench.records(SEGMENT);
            bench.work(Job::End);
        }
        assert_eq!(bench.writer.counts.stats().errors, 0);
        bench
    }

    fn work(&mut self, job: Job) {
        self.writer.work(job, &mut self.file);
    }

    fn begin(&mut self) {
        self.work(Job::Begin { header: vec![1; 100], checkpoint: vec![2; 1000], dropped: 0 });
    }

    fn records(&mut self, len: usize) {
        self.work(Job::Records(vec![3; len], 1));
    }

    fn failures(&self) -> u32 {
        self.writer.link.failures.load(Ordering::SeqCst)
    }

    /// The names of the segments, and their bytes.
    fn files(&self) -> (Vec<String>, u64) {
        let found = crate::ring::segments(&self.folder).expect("a folder");
        let bytes = found.iter().map(|(_, _, len)| len).sum();
        let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
        (found.iter().map(|(_, path, _)| name(path)).collect(), bytes)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_disk_that_fails_costs_nothing_that_was_recorded() {
    let mut bench = Bench::new("eio", 10);
    let before = bench.files();
    for room in [0, 5, 500].into_iter().cycle().take(30) {
        bench.disk.set(room, io::ErrorKind::Other);
        bench.begin();
        bench.records(SEGMENT);
    }
    assert_eq!(bench.failures(), 30);
    assert_eq!(bench.files(), before, "nor are the attempts left behind");
    bench.disk.set(usize::MAX, io::ErrorKind::Other);
    bench.begin();
    bench.records(1);
    assert_eq!((bench.failures(), bench.files().0.len()), (0, 11));
}

/// Where another process takes whatever becomes free, a recorder gives up half of what it has at most.
#[test]
fn a_disk_that_others_fill_leaves_half_of_what_was_recorded() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let mut bench = Bench::new("full", 10);
        let (names, bytes) = bench.files();
        for attempt in 1..=30 {
            bench.disk.set(0, kind);
            bench.begin();
            let left = 10_usize.saturating_sub(attempt).max(5);
            let (found, held) = bench.files();
            assert_eq!(found, names[10 - left..], "{kind} {attempt}: one at a time, the oldest");
            assert!(held >= bytes / 2 && held == bench.writer.ring.bytes());
        }
        // It goes on as soon as there is room, and its ring turns as ever.
        bench.disk.set(usize::MAX, kind);
        bench.begin();
        bench.records(1);
        assert_eq!(bench.failures(), 0);
    }
}

/// What a segment has up to the failure replays, and what it takes is known.
#[test]
fn a_block_that_is_written_in_part_counts() {
    let mut bench = Bench::new("part", 3);
    bench.begin();
    bench.records(SEGMENT);
    bench.disk.set(SEGMENT / 2, io::ErrorKind::Other);
    bench.records(SEGMENT);
    let (names, bytes) = bench.files();
    assert_eq!((names.len(), bench.failures()), (4, 1), "its beginning is kept");
    assert_eq!(bytes, bench.writer.ring.bytes());
}

/// A file that cannot be created is no reason to take the last one for broken.
#[test]
fn a_segment_that_cannot_be_created_takes_no_other_with_it() {
    let mut bench = Bench::new("gone", 3);
    let moved = bench.folder.with_extension("moved");
    fs::rename(&bench.folder, &moved).expect("moved");
    // Not even a folder can be made there.
    File::create(&bench.folder).expect("a file");
    bench.begin();
    assert_eq!(bench.failures(), 1);
    fs::remove_file(&bench.folder).expect("removed");
    fs::rename(&moved, &bench.folder).expect("back");
    assert_eq!(bench.files().0.len(), 3);
    bench.begin();
    assert_eq!(bench.files().0.len(), 4);
}

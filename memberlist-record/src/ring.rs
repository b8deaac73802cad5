//! The segments in a folder, the oldest of which are deleted to make room for new ones.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::format::EXTENSION;

/// A segment that is being written.
pub(crate) trait Segment: io::Write + Send {
    /// Waits until what was written is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl Segment for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Where segments are created.
pub(crate) trait Disk: Debug + Send {
    /// Creates a file that does not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Segment>>;
}

/// The file system.
#[derive(Debug)]
pub(crate) struct Files;

impl Disk for Files {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let file = private().write(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }
}

/// The folder, and the segments in it.
#[derive(Debug)]
pub(crate) struct Ring {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    /// The most bytes of all segments.
    most: u64,
    /// The oldest first.
    segments: VecDeque<(PathBuf, u64)>,
    bytes: u64,
    /// The most bytes that all segments together ever had.
    peak: u64,
    next: u64,
    /// Whether the last segment has no complete checkpoint yet, and so nothing that replays.
    unusable: bool,
}

/// Creates the folder, unless it exists, so that only its owner can use it: a recording holds what
/// the cluster encrypts.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The options to create a segment that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Ring {
    /// Opens a folder, and takes over the segments in it, which may be those of an earlier run.
    pub(crate) fn open(folder: &Path, most: u64, disk: Box<dyn Disk>) -> io::Result<Self> {
        create_private(folder)?;
        let found = segments(folder)?;
        let next = found.last().map_or(1, |(number, ..)| number.saturating_add(1));
        let bytes = found.iter().map(|(_, _, len)| len).sum();
        let segments = found.into_iter().map(|(_, path, len)| (path, len)).collect();
        let folder = folder.to_owned();
        let mut ring = Self { folder, disk, most, segments, bytes, peak: 0, next, unusable: false };
        ring.make_room(0)?;
        ring.peak = ring.bytes;
        Ok(ring)
    }

    /// Creates the next segment.
    pub(crate) fn create(&mut self) -> io::Result<Box<dyn Segment>> {
        loop {
            let path = self.folder.join(format!("{:010}.{EXTENSION}", self.next));
            self.next = self.next.saturating_add(1);
            match self.disk.create(&path) {
                Ok(file) => {
                    self.segments.push_back((path, 0));
                    self.unusable = true;
                    return Ok(file);
                }
                // The file belongs to another node, which was given the same folder by mistake.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the oldest segments, but not the one that is being written, until there is room for
    /// `more` bytes.
    pub(crate) fn make_room(&mut self, more: u64) -> io::Result<()> {
        while self.bytes.saturating_add(more) > self.most && self.segments.len() > 1 {
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// Notes that the last segment has its checkpoint, and replays from there on.
    pub(crate) fn begun(&mut self) {
        self.unusable = false;
    }

    /// Notes that writing to the last segment has failed. Removes it if nothing of it replays;
    /// counts the bytes that are on the disk otherwise.
    pub(crate) fn gave_up(&mut self) {
        let broken = std::mem::take(&mut self.unusable);
        let Some((path, len)) = self.segments.back_mut() else { return };
        if broken && fs::remove_file(&*path).is_ok() {
            self.bytes -= *len;
            self.segments.pop_back();
            return;
        }
        // A block may have been written in part.
        let found = fs::metadata(&*path).map_or(*len, |meta| meta.len());
        self.bytes = self.bytes - *len + found;
        *len = found;
        self.peak = self.peak.max(self.bytes);
    }

    /// Removes the oldest segments on a full disk, until `needed` bytes are free, but keeps half of
    /// the most bytes that there ever were: if another process takes what becomes free, it gets no
    /// more than the other half.
    pub(crate) fn give_way(&mut self, needed: u64) -> io::Result<()> {
        let mut freed = 0;
        while freed < needed
            && let Some((_, oldest)) = self.segments.front()
            && self.bytes - oldest >= self.peak / 2
        {
            freed += oldest;
            if !self.remove_oldest()? {
                break;
            }
        }
        Ok(())
    }

    /// Removes the oldest segment, unless it is the one that is being written. Returns whether
    /// there was one.
    fn remove_oldest(&mut self) -> io::Result<bool> {
        if self.segments.len() < 2 {
            return Ok(false);
        }
        let Some((path, len)) = self.segments.pop_front() else { return Ok(false) };
        self.bytes -= len;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(true),
        }
    }

    /// Counts what was written to the last segment.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        if let Some((_, len)) = self.segments.back_mut() {
            *len += bytes;
            self.bytes += bytes;
            self.peak = self.peak.max(self.bytes);
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The segments in a folder with their numbers and lengths, the oldest first.
pub(crate) fn segments(folder: &Path) -> io::Result<Vec<(u64, PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_one = path.extension().is_some_and(|it| it == EXTENSION);
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        // A segment that another process has removed meanwhile is left out.
        if let (true, Some(number), Ok(meta)) = (is_one, number, entry.metadata()) {
            found.push((number, path, meta.len()));
        }
    }
    found.sort();
    Ok(found)
}

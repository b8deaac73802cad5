//! The segments in a folder, of which the oldest make room for new ones.

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

/// What segments are created on.
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

/// The folder, and what is in it.
#[derive(Debug)]
pub(crate) struct Ring {
    folder: PathBuf,
    disk: Box<dyn Disk>,
    /// The most bytes of all segments.
    most: u64,
    /// The oldest first.
    segments: VecDeque<(PathBuf, u64)>,
    bytes: u64,
    /// The most bytes that there ever were.
    peak: u64,
    next: u64,
    /// The last segment has no whole checkpoint yet, and so nothing that replays.
    unusable: bool,
}

/// Creates the folder, unless it exists, for its owner alone: a recording holds what the cluster
/// encrypts.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// How a segment is created: for its owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Ring {
    /// Takes over the segments that a folder holds, which may be those of an earlier run.
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
                // Another node's, which was given the same folder by mistake.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the oldest segments but the one that is being written, until so many more bytes have
    /// room.
    pub(crate) fn make_room(&mut self, more: u64) -> io::Result<()> {
        while self.bytes.saturating_add(more) > self.most && self.segments.len() > 1 {
            self.remove_oldest()?;
        }
        Ok(())
    }

    /// The last segment has its checkpoint: from there on it replays.
    pub(crate) fn begun(&mut self) {
        self.unusable = false;
    }

    /// Writing to the last segment has failed: drops it if nothing of it replays, and counts what of it
    /// is on the disk otherwise.
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

    /// On a full disk: removes the oldest segments until so many bytes are free, unless less than half
    /// of the most that there ever was would be left. Where another process takes what becomes free,
    /// that is all that it gets.
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

    /// Removes the oldest segment, if there is one beside the one that is being written.
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
        // One that another process has removed meanwhile is not there.
        if let (true, Some(number), Ok(meta)) = (is_one, number, entry.metadata()) {
            found.push((number, path, meta.len()));
        }
    }
    found.sort();
    Ok(found)
}

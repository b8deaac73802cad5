//! The segments in a folder, of which the oldest make room for new ones.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::format::EXTENSION;

/// The folder, and what is in it.
#[derive(Debug)]
pub(crate) struct Ring {
    folder: PathBuf,
    /// The most bytes of all segments.
    most: u64,
    /// The oldest first.
    segments: VecDeque<(PathBuf, u64)>,
    bytes: u64,
    next: u64,
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
    pub(crate) fn open(folder: &Path, most: u64) -> io::Result<Self> {
        create_private(folder)?;
        let found = segments(folder)?;
        let next = found.last().map_or(1, |(number, ..)| number.saturating_add(1));
        let bytes = found.iter().map(|(_, _, len)| len).sum();
        let segments = found.into_iter().map(|(_, path, len)| (path, len)).collect();
        let mut ring = Self { folder: folder.to_owned(), most, segments, bytes, next };
        ring.make_room(0)?;
        Ok(ring)
    }

    /// Creates the next segment.
    pub(crate) fn create(&mut self) -> io::Result<File> {
        loop {
            let path = self.folder.join(format!("{:010}.{EXTENSION}", self.next));
            self.next = self.next.saturating_add(1);
            match private().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    self.segments.push_back((path, 0));
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

    /// Removes the oldest segment, if there is one beside the one that is being written.
    pub(crate) fn remove_oldest(&mut self) -> io::Result<bool> {
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
        }
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

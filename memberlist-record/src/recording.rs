//! The segments in a folder, grouped by the runs of nodes.

use std::path::{Path, PathBuf};

use crate::format::Header;
use crate::reader::{ReadError, SegmentReader};
use crate::ring::segments;

/// The recorded runs in a folder, or in a single file.
#[derive(Debug)]
pub struct Recording {
    /// The runs, in the order of their first segments.
    pub sessions: Vec<Session>,
    /// The files that are not segments or whose beginning is damaged, each with the error.
    pub unreadable: Vec<(PathBuf, ReadError)>,
}

/// One run of a node, with those of its segments that still exist.
#[derive(Debug)]
pub struct Session {
    segments: Vec<(PathBuf, Header)>,
}

impl Recording {
    /// Reads the beginning of each segment in a folder, or of a single file.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or none of its files is a segment. The error is then that of the
    /// first file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let paths = if path.is_dir() {
            segments(path)?.into_iter().map(|(_, path, _)| path).collect()
        } else {
            vec![path.to_owned()]
        };
        let mut recording = Self { sessions: Vec::new(), unreadable: Vec::new() };
        for path in paths {
            match SegmentReader::open(&path) {
                Ok(segment) => recording.add(path, segment.header().clone()),
                Err(error) => recording.unreadable.push((path, error)),
            }
        }
        if recording.sessions.is_empty() {
            let first = recording.unreadable.into_iter().next();
            return Err(first.map_or(ReadError::Missing("segment"), |(_, error)| error));
        }
        Ok(recording)
    }

    fn add(&mut self, path: PathBuf, header: Header) {
        let same = |it: &&mut Session| it.header().session == header.session;
        match self.sessions.iter_mut().find(same) {
            Some(session) => session.segments.push((path, header)),
            None => self.sessions.push(Session { segments: vec![(path, header)] }),
        }
    }
}

impl Session {
    /// The header of the first segment that still exists.
    pub fn header(&self) -> &Header {
        &self.segments[0].1
    }

    /// The files of the segments with their headers, in order.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = (&Path, &Header)> {
        self.segments.iter().map(|(path, header)| (path.as_path(), header))
    }

    /// Whether the segment with the beginning of the run still exists.
    pub fn is_from_birth(&self) -> bool {
        self.header().number == 0
    }
}

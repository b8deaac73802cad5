//! Reading one segment.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::entry::{Record, Records};
use crate::format::{BLOCK, Header, Kind, MAGIC, START, VERSION, checksum};

/// Why a segment cannot be read any further. Everything read before the error is as it was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not a segment of a recording.
    #[error("this is not a recording")]
    Foreign,
    /// The segment has a version of the format that this reader does not know.
    #[error("a recording of version {0}, and only {VERSION} is known")]
    Version(u16),
    /// The file ends within a block: the process or the machine that wrote it stopped, or part of
    /// the file was lost.
    #[error("the recording ends in the middle of a block that begins at byte {at}")]
    Truncated {
        /// Where that block begins.
        at: u64,
    },
    /// A block is not as it was written.
    #[error("the recording is damaged at byte {at}")]
    Damaged {
        /// Where that block begins.
        at: u64,
    },
    /// A block is as it was written, but holds something that this version does not understand.
    /// That is to be expected if another core wrote the segment.
    #[error("the recording holds what this version does not understand")]
    Malformed,
    /// There is no header or no checkpoint where they must be.
    #[error("the recording has no {0} at its beginning")]
    Missing(&'static str),
}

/// Reads a segment from its beginning, one block at a time. Memory is allocated for bytes that have
/// been read, never for lengths that are announced.
#[derive(Debug)]
pub struct SegmentReader<R = BufReader<File>> {
    blocks: Blocks<R>,
    header: Header,
    checkpoint: Vec<u8>,
    records: Option<Records>,
    ended: bool,
    complete: bool,
}

impl SegmentReader {
    /// Opens a file, and reads its header and checkpoint.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or does not begin as a segment does.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read> SegmentReader<R> {
    /// Reads the header and the checkpoint from a source, which must be at the beginning of a
    /// segment.
    ///
    /// # Errors
    ///
    /// As for [`open`](SegmentReader::open).
    pub fn new(source: R) -> Result<Self, ReadError> {
        let mut blocks = Blocks::new(source)?;
        let Some((Kind::Header, header)) = blocks.next()? else {
            return Err(ReadError::Missing("header"));
        };
        let header = serde_json::from_slice(&header).map_err(|_| ReadError::Malformed)?;
        let Some((Kind::Checkpoint, checkpoint)) = blocks.next()? else {
            return Err(ReadError::Missing("checkpoint"));
        };
        Ok(Self { blocks, header, checkpoint, records: None, ended: false, complete: false })
    }

    /// The header of the segment.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The state of the node before the first record.
    pub fn checkpoint(&self) -> &[u8] {
        &self.checkpoint
    }

    /// Whether the end of a finished segment has been read: the node went on in another segment, or
    /// was shut down.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Reads the next record; `None` at the end, and after an error.
    ///
    /// # Errors
    ///
    /// The rest cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        let next = self.read_record();
        self.ended |= !matches!(next, Ok(Some(_)));
        next
    }

    fn read_record(&mut self) -> Result<Option<Record>, ReadError> {
        while !self.ended {
            if let Some(records) = &mut self.records {
                if let Some(record) = records.next()? {
                    return Ok(Some(record));
                }
                self.records = None;
            }
            match self.blocks.next()? {
                Some((Kind::Records, payload)) => self.records = Some(Records::new(payload)?),
                Some((Kind::End, _)) => {
                    self.complete = true;
                    return Ok(None);
                }
                Some((Kind::Header | Kind::Checkpoint, _)) => return Err(ReadError::Malformed),
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The blocks of a segment.
#[derive(Debug)]
struct Blocks<R> {
    source: R,
    /// Bytes read so far: where the next block begins.
    at: u64,
}

impl<R: Read> Blocks<R> {
    fn new(mut source: R) -> Result<Self, ReadError> {
        let mut start = Vec::with_capacity(START);
        (&mut source).take(START as u64).read_to_end(&mut start)?;
        match start.split_first_chunk() {
            Some((&MAGIC, &[a, b])) => match u16::from_le_bytes([a, b]) {
                VERSION => Ok(Self { source, at: START as u64 }),
                other => Err(ReadError::Version(other)),
            },
            // A segment that was just created, of which not even this much was written.
            _ if MAGIC.starts_with(&start[..start.len().min(MAGIC.len())]) => {
                Err(ReadError::Truncated { at: 0 })
            }
            _ => Err(ReadError::Foreign),
        }
    }

    /// Reads the next block; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<(Kind, Vec<u8>)>, ReadError> {
        let at = self.at;
        let mut head = Vec::with_capacity(BLOCK);
        (&mut self.source).take(BLOCK as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(None);
        }
        let Some(&[kind, a, b, c, d, ref sum @ ..]) = head.first_chunk::<BLOCK>() else {
            return Err(ReadError::Truncated { at });
        };
        let len = u32::from_le_bytes([a, b, c, d]);
        let mut payload = Vec::new();
        (&mut self.source).take(len.into()).read_to_end(&mut payload)?;
        if payload.len() < len as usize {
            return Err(ReadError::Truncated { at });
        }
        let known = Kind::from_u8(kind).filter(|_| checksum(kind, &payload).to_le_bytes() == *sum);
        let kind = known.ok_or(ReadError::Damaged { at })?;
        self.at += BLOCK as u64 + u64::from(len);
        Ok(Some((kind, payload)))
    }
}

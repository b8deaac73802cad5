//! The thread that writes segments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use crate::format::{BLOCK, Kind, MAGIC, VERSION, block};
use crate::ring::{Ring, Segment};
use crate::stats::{Counts, Notice};

/// A segment that is being written.
type Open = Box<dyn Segment>;

/// The bytes for records besides the checkpoint without which another segment is not worth trying.
const RECORDS: u64 = 64 << 10;

/// A task that the node's tap hands to the thread.
#[derive(Debug)]
pub(crate) enum Job {
    /// Begins a segment, with this header and checkpoint, after `dropped` inputs were not recorded.
    Begin { header: Vec<u8>, checkpoint: Vec<u8>, dropped: u64 },
    /// Writes a block with this number of records. Its buffer is then returned to the tap.
    Records(Vec<u8>, u64),
    /// Finishes the segment.
    End,
}

/// The state that the node's tap and the thread share.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// How many jobs are not done yet.
    pub(crate) queued: AtomicU64,
    /// Set when a segment could not be written: the tap then begins another.
    pub(crate) broken: AtomicBool,
    /// How many failures there were since records were last written.
    pub(crate) failures: AtomicU32,
    /// How many inputs were handed over but not written, and are not in a header yet.
    pub(crate) lost: AtomicU64,
}

/// The state of the thread.
pub(crate) struct Writer {
    pub(crate) jobs: Receiver<Job>,
    /// Returns buffers to the tap.
    pub(crate) spare: SyncSender<Vec<u8>>,
    pub(crate) ring: Ring,
    /// Bytes of the header and the checkpoint of the last segment.
    pub(crate) beginning: u64,
    pub(crate) counts: Arc<Counts>,
    pub(crate) link: Arc<Link>,
    pub(crate) notify: Box<dyn Fn(Notice) + Send>,
}

impl Writer {
    /// Writes until the node's tap is dropped.
    pub(crate) fn run(mut self) {
        let (mut file, mut reported) = (None, 0);
        while let Ok(job) = self.jobs.recv() {
            let begins = matches!(job, Job::Begin { .. });
            self.work(job, &mut file);
            self.link.queued.fetch_sub(1, Ordering::Relaxed);
            let dropped = self.counts.dropped.load(Ordering::Relaxed);
            if begins && dropped > reported {
                (self.notify)(Notice::Dropped(dropped - reported));
                reported = dropped;
            }
        }
        if let Some(file) = file {
            let _ = file.sync();
        }
    }

    fn work(&mut self, job: Job, file: &mut Option<Open>) {
        let done = match job {
            Job::Begin { header, checkpoint, dropped } => {
                let done = self.begin(&header, &checkpoint, file);
                if done.is_err() {
                    // The header with this number was not written, so the next one must have it.
                    Counts::add(&self.link.lost, dropped);
                }
                done
            }
            Job::Records(mut buffer, count) => {
                let done = if let Some(file) = file {
                    self.write(file, Kind::Records, &buffer)
                        .inspect(|()| self.link.failures.store(0, Ordering::Relaxed))
                } else {
                    // The records belong to a segment that could not be written.
                    Counts::add(&self.counts.dropped, count);
                    Counts::add(&self.link.lost, count);
                    Ok(())
                };
                buffer.clear();
                // There are never more buffers than the queue has room for.
                let _ = self.spare.try_send(buffer);
                done
            }
            Job::End => match file.take() {
                Some(mut file) => self.write(&mut file, Kind::End, &[]).and_then(|()| file.sync()),
                None => Ok(()),
            },
        };
        if let Err(error) = done {
            *file = None;
            Counts::add(&self.counts.errors, 1);
            self.link.failures.fetch_add(1, Ordering::Relaxed);
            self.link.broken.store(true, Ordering::Relaxed);
            self.ring.gave_up();
            // If the disk is full, the oldest segments make room for the next attempt. That would
            // not help against any other failure.
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                let _ = self.ring.give_way(self.beginning + RECORDS);
            }
            (self.notify)(Notice::Failed(error));
        }
    }

    fn begin(
        &mut self,
        header: &[u8],
        checkpoint: &[u8],
        file: &mut Option<Open>,
    ) -> io::Result<()> {
        if let Some(unfinished) = file.take() {
            unfinished.sync()?;
        }
        self.beginning = (header.len() + checkpoint.len()) as u64;
        let mut next = self.ring.create()?;
        self.ring.make_room(self.beginning)?;
        Counts::add(&self.counts.segments, 1);
        let magic = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        next.write_all(&magic)?;
        self.ring.wrote(magic.len() as u64);
        self.write(&mut next, Kind::Header, header)?;
        self.write(&mut next, Kind::Checkpoint, checkpoint)?;
        self.ring.begun();
        *file = Some(next);
        Ok(())
    }

    fn write(&mut self, file: &mut Open, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let bytes = (BLOCK + payload.len()) as u64;
        self.ring.make_room(bytes)?;
        file.write_all(&block(kind, payload))?;
        file.write_all(payload)?;
        self.ring.wrote(bytes);
        Counts::add(&self.counts.bytes, bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;

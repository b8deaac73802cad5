//! The thread that writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use crate::format::{BLOCK, Kind, MAGIC, VERSION, block};
use crate::ring::{Ring, Segment};
use crate::stats::{Counts, Notice};

/// A segment that is being written.
type Open = Box<dyn Segment>;

/// Room for records beside the checkpoint, without which another segment is not worth a try.
const RECORDS: u64 = 64 << 10;

/// What the recorder hands over.
#[derive(Debug)]
pub(crate) enum Job {
    /// A new segment begins, with this header and checkpoint, after so many records were dropped.
    Begin { header: Vec<u8>, checkpoint: Vec<u8>, dropped: u64 },
    /// A block of so many records, whose buffer goes back.
    Records(Vec<u8>, u64),
    /// The segment is complete.
    End,
}

/// What recorder and thread see of each other.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Jobs that are not done.
    pub(crate) queued: AtomicU64,
    /// Set when a segment could not be written: the recorder begins another.
    pub(crate) broken: AtomicBool,
    /// Failures since records were last written.
    pub(crate) failures: AtomicU32,
    /// Records that were handed over and not written.
    pub(crate) lost: AtomicU64,
}

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) jobs: Receiver<Job>,
    /// Where buffers go back.
    pub(crate) spare: SyncSender<Vec<u8>>,
    pub(crate) ring: Ring,
    /// Bytes of the header and the checkpoint of the last segment.
    pub(crate) beginning: u64,
    pub(crate) counts: Arc<Counts>,
    pub(crate) link: Arc<Link>,
    pub(crate) notify: Box<dyn Fn(Notice) + Send>,
}

impl Writer {
    /// Writes until the recorder is dropped.
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
                    // The header that says so is not there: the next one has to.
                    Counts::add(&self.link.lost, dropped);
                }
                done
            }
            Job::Records(mut buffer, count) => {
                let done = if let Some(file) = file {
                    self.write(file, Kind::Records, &buffer)
                        .inspect(|()| self.link.failures.store(0, Ordering::Relaxed))
                } else {
                    // Of a segment that could not be written.
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
            // Where it is full, the oldest make room for the next attempt. Nothing else that fails
            // would be helped by that.
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

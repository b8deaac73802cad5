//! This node's full states that are being built, and the exchanges that wait for them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::job::{JobId, Mark, Sealed};
use crate::node::NodeName;
use crate::transmit::StreamId;
use crate::wire::frame::FrameTooLong;

/// One state being built: its records are encoded in parts, then a job puts it together.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Build {
    pub(crate) join: bool,
    /// The application's part. A state with such a part is for one exchange only, and is encrypted
    /// for it.
    pub(crate) user: Bytes,
    /// The edition of the members when the encoding began; `None` before.
    pub(crate) edition: Option<u64>,
    /// The name of the last record encoded; then the number of the records encoded, and their
    /// bytes.
    pub(crate) after: Option<NodeName>,
    pub(crate) number: usize,
    pub(crate) records: Vec<u8>,
    pub(crate) waiting: Vec<StreamId>,
}

/// A state that is built, and the exchanges that have not been given it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Ready {
    pub(crate) message: Result<Bytes, FrameTooLong>,
    pub(crate) len: usize,
    /// The mark by which the state is recognized; `None` unless it is for a join, or has a part of
    /// the application's.
    pub(crate) mark: Option<Mark>,
    /// Whether the job has encrypted it, if there is encryption.
    pub(crate) encrypted: bool,
    waiting: VecDeque<StreamId>,
}

/// All states that are being built or are ready. Exchanges that want the same state share one, if
/// it has not been begun, or no record has changed since.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Builds {
    /// The builds to encode; the first one is being encoded.
    encoding: VecDeque<Build>,
    sealing: BTreeMap<JobId, Sealing>,
    ready: VecDeque<Ready>,
}

/// A build whose records are encoded.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sealing {
    pub(crate) build: Build,
    pub(crate) records: Bytes,
    /// The label and the nonce to encrypt it with, if the job encrypts it.
    pub(crate) encrypt: Option<(Bytes, [u8; 12])>,
    /// Compressed states of peers, one of which may equal this one.
    pub(crate) peers: [Option<Bytes>; 2],
}

impl Builds {
    /// Notes that an exchange wants this node's state as of this edition of the members.
    pub(crate) fn want(&mut self, stream: StreamId, join: bool, user: Bytes, edition: u64) {
        let shared = |it: &Build| {
            user.is_empty()
                && it.user.is_empty()
                && it.join == join
                && it.edition.is_none_or(|begun| begun == edition)
        };
        let sealing = self.sealing.values_mut().map(|it| &mut it.build);
        if let Some(build) = self.encoding.iter_mut().chain(sealing).find(|it| shared(it)) {
            build.waiting.push(stream);
            return;
        }
        self.encoding.push_back(Build {
            join,
            user,
            edition: None,
            after: None,
            number: 0,
            records: Vec::new(),
            waiting: [stream].into(),
        });
    }

    /// The build that is being encoded, if there is one.
    pub(crate) fn encoding(&mut self) -> Option<&mut Build> {
        self.encoding.front_mut()
    }

    /// Takes the build that was being encoded: its records are complete, or nothing waits for it.
    pub(crate) fn take_encoded(&mut self) -> Option<Build> {
        self.encoding.pop_front()
    }

    pub(crate) fn seal(&mut self, job: JobId, sealing: Sealing) {
        self.sealing.insert(job, sealing);
    }

    pub(crate) fn sealing(&self, job: JobId) -> Option<&Sealing> {
        self.sealing.get(&job)
    }

    pub(crate) fn take_sealing(&mut self, job: JobId) -> Option<Sealing> {
        self.sealing.remove(&job)
    }

    /// Notes that a state is ready for the exchanges that wait for it.
    pub(crate) fn finish(&mut self, build: Build, sealed: Sealed) {
        let Build { join, user, waiting, .. } = build;
        self.ready.push_back(Ready {
            message: sealed.message,
            len: sealed.len,
            mark: (join || !user.is_empty()).then_some(sealed.mark),
            encrypted: !user.is_empty(),
            waiting: waiting.into(),
        });
    }

    /// Takes the next exchange whose state is ready, with the state.
    pub(crate) fn next_ready(&mut self) -> Option<(StreamId, Ready)> {
        loop {
            let ready = self.ready.front_mut()?;
            let stream = ready.waiting.pop_front();
            let given = stream.map(|stream| {
                let message = ready.message.clone();
                (stream, Ready { message, waiting: VecDeque::new(), ..*ready })
            });
            if ready.waiting.is_empty() {
                self.ready.pop_front();
            }
            if given.is_some() {
                return given;
            }
        }
    }

    /// Whether there is something to encode or to hand over.
    pub(crate) fn wants_turn(&self) -> bool {
        !self.encoding.is_empty() || !self.ready.is_empty()
    }

    /// Verifies that the parts fit together, and that exactly these jobs seal a state, for builds
    /// read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self, jobs: impl Iterator<Item = JobId>) -> Result<(), &'static str> {
        // Each record takes at least one byte.
        let mut encoding = self.encoding.iter().map(|it| (it.number, it.records.len()));
        let mut sealing = self.sealing.values().map(|it| (it.build.number, it.records.len()));
        let sound = encoding.all(|(number, len)| number <= len)
            && sealing.all(|(number, len)| number <= len)
            && self.sealing.keys().copied().eq(jobs);
        if sound { Ok(()) } else { Err("the states being built") }
    }
}

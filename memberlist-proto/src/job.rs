//! Work that need not be done within a call into the node.
//!
//! Opening or sealing a long message is pure computation on bytes that no longer change. With
//! [`Config::hand_out_jobs`](crate::Config::hand_out_jobs) the core hands such work out as a value
//! and takes the result back as an input; meanwhile it handles other inputs.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::security::{Key, Keyring, Version};
use crate::transmit::StreamId;
use crate::wire::Scratch;
use crate::wire::compress::Algorithm;
use crate::wire::frame::{
    Frame, FrameError, FrameLimits, FrameReader, FrameRules, FrameSealing, FrameTooLong,
    compress_frame, encrypt_frame,
};

/// The id of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JobId(pub(crate) u64);

impl JobId {
    /// A number that is unique among the jobs of one node.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Work that the core hands out.
#[derive(Debug)]
pub struct Job {
    pub(crate) id: JobId,
    pub(crate) work: Work,
}

impl Job {
    /// Its id.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Whether this is a turn: there is nothing to compute, but the node has more to do, and wants
    /// the job back once packets and timers have been handled.
    pub fn is_turn(&self) -> bool {
        matches!(self.work, Work::Turn)
    }

    /// Does the work, on any thread. The result depends on nothing but the job.
    pub fn run(self) -> JobOutput {
        match self.work {
            Work::Turn => JobOutput(Output::Turn),
            Work::Open(open) => {
                let known = open.known.clone();
                JobOutput(Output::Opened(open.run(), known))
            }
            Work::Seal(seal) => JobOutput(Output::Sealed(seal.run(&mut Scratch::new()))),
        }
    }
}

/// The result of a job, to be handed back as it is by [`job_done`](crate::Memberlist::job_done).
#[derive(Clone, Debug, PartialEq)]
pub struct JobOutput(pub(crate) Output);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Turn,
    /// The second part is what the message was compared with: this node's own state.
    Opened(Result<Frame, FrameError>, Option<Bytes>),
    Sealed(Sealed),
}

#[derive(Debug)]
pub(crate) enum Work {
    Turn,
    Open(Box<Open>),
    Seal(Box<Seal>),
}

/// A message that has arrived as a whole: decrypt, decompress and parse it.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) reader: FrameReader,
    pub(crate) label: Bytes,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) limits: FrameLimits,
    pub(crate) known: Option<Bytes>,
}

impl Open {
    pub(crate) fn run(mut self) -> Result<Frame, FrameError> {
        // Its first bytes have shown already that label and encryption are as required.
        let rules = FrameRules {
            label: &self.label,
            skip_inbound_label_check: false,
            accept_labels: &[],
            keyring: Some(&self.keyring),
            verify_incoming: false,
            limits: self.limits,
            known: self.known.as_deref(),
        };
        self.reader.open(&rules)
    }
}

/// A full state to be put together, compressed, and encrypted if it goes to one peer only; or, without
/// records, a message of the application.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) header: Vec<u8>,
    pub(crate) records: Bytes,
    pub(crate) user: Bytes,
    pub(crate) compress: Option<Algorithm>,
    pub(crate) only_if_smaller: bool,
    /// Compressed states of peers, one of which may be this one.
    pub(crate) peers: [Option<Bytes>; 2],
    pub(crate) encrypt: Option<Encrypt>,
}

/// How a message is encrypted.
#[derive(Debug)]
pub(crate) struct Encrypt {
    pub(crate) label: Bytes,
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) nonce: [u8; 12],
}

/// A state that is ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed {
    /// Compressed as configured; encrypted if that was part of the job.
    pub(crate) message: Result<Bytes, FrameTooLong>,
    /// Bytes of it before that.
    pub(crate) len: usize,
    pub(crate) mark: Mark,
    /// It is compressed as a peer has compressed the same.
    pub(crate) adopted: bool,
}

impl Seal {
    pub(crate) fn run(self, scratch: &mut Scratch) -> Sealed {
        let Self { mut header, records, user, compress, only_if_smaller, peers, encrypt } = self;
        header.reserve_exact(records.len() + user.len());
        header.extend_from_slice(&records);
        header.extend_from_slice(&user);
        drop((records, user));
        let plain =
            FrameSealing { label: &[], key: None, nonce: [0; 12], compress, only_if_smaller };
        let lzw = compress == Some(Algorithm::Lzw);
        let same = |it: &Bytes| {
            let long = only_if_smaller && it.len() >= header.len();
            lzw && !long && scratch.compressor.is_lzw_of(it, &header)
        };
        let theirs = peers.into_iter().flatten().find(same);
        let adopted = theirs.is_some();
        let message = theirs.unwrap_or_else(|| compress_frame(&header, &plain, scratch));
        let message = match &encrypt {
            None => Ok(message),
            Some(Encrypt { label, key, version, nonce }) => {
                let key = Some((key, *version));
                encrypt_frame(message, &FrameSealing { label, key, nonce: *nonce, ..plain })
            }
        };
        Sealed { message, len: header.len(), mark: Mark::of(&header), adopted }
    }
}

/// Recognizes a full state that this node has sent when it arrives on a stream. Of a long one only
/// the two ends are looked at: a match is a hint, which a ping confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Mark {
    len: usize,
    digest: u64,
}

impl Mark {
    pub(crate) fn of(state: &[u8]) -> Self {
        const END: usize = 32 << 10;
        use core::hash::Hasher as _;
        let mut hasher = siphasher::sip::SipHasher13::new();
        if let (true, Some(first), Some(last)) =
            (state.len() > 2 * END, state.first_chunk::<END>(), state.last_chunk::<END>())
        {
            hasher.write(first);
            hasher.write(last);
        } else {
            hasher.write(state);
        }
        Self { len: state.len(), digest: hasher.finish() }
    }
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum For {
    /// To go on with what is done in parts.
    Turn,
    /// To open the message of a peer on this stream. It may be this node's own state of this
    /// edition of the members: what is known when the message is complete counts, so that the
    /// result does not depend on how long the job takes.
    Open(StreamId, Option<u64>),
    /// To seal this node's state.
    Seal,
    /// To seal a message of the application.
    Letter,
}

/// The jobs that are not done.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Jobs {
    last: u64,
    /// What each is for, with the edition of the rules by which it was made.
    open: BTreeMap<JobId, (For, u64)>,
    turn: Option<JobId>,
    /// The streams on which a state is being merged, a part of each in turn.
    intakes: VecDeque<StreamId>,
    /// Counts the changes of keys and of what they are used for.
    rules: u64,
    /// Those that the driver has. They are not part of the node's state: one that goes on from a
    /// checkpoint hands them out again.
    #[cfg_attr(feature = "serde", serde(skip))]
    handed: BTreeSet<JobId>,
}

impl Jobs {
    pub(crate) fn push(&mut self, what: For) -> JobId {
        self.last += 1;
        let id = JobId(self.last);
        self.open.insert(id, (what, self.rules));
        id
    }

    /// Asks for a turn, unless one is coming.
    pub(crate) fn want_turn(&mut self) {
        if self.turn.is_none() {
            self.turn = Some(self.push(For::Turn));
        }
    }

    /// The next part of the state on this stream is to be merged at a later turn.
    pub(crate) fn want_intake(&mut self, stream: StreamId) {
        self.intakes.push_back(stream);
        self.want_turn();
    }

    /// The next stream on which there is a state to be merged, unless it is gone.
    pub(crate) fn next_intake(&mut self) -> Option<StreamId> {
        self.intakes.pop_front()
    }

    pub(crate) fn has_intakes(&self) -> bool {
        !self.intakes.is_empty()
    }

    /// The next job that the driver does not have, if it may have one more: a turn, or one of at
    /// most `most` that compute.
    pub(crate) fn next(&mut self, most: usize) -> Option<(JobId, For)> {
        let turn = self.turn.filter(|id| !self.handed.contains(id)).map(|id| (id, For::Turn));
        let next = turn.or_else(|| {
            let turns = usize::from(self.turn.is_some_and(|id| self.handed.contains(&id)));
            if self.handed.len().saturating_sub(turns) >= most {
                return None;
            }
            let waits = |(id, (what, _)): (&JobId, &(For, u64))| {
                (*what != For::Turn && !self.handed.contains(id)).then_some((*id, *what))
            };
            self.open.iter().find_map(waits)
        })?;
        self.handed.insert(next.0);
        Some(next)
    }

    /// A job has been done: returns what it was for, and whether by the rules that are in force;
    /// `None` if it is not needed any more.
    pub(crate) fn done(&mut self, id: JobId) -> Option<(For, bool)> {
        self.handed.remove(&id);
        let (what, rules) = self.open.remove(&id)?;
        if what == For::Turn {
            self.turn = None;
        }
        Some((what, rules == self.rules))
    }

    /// A job is not needed any more. If the driver has it, it still counts until it is done.
    pub(crate) fn cancel(&mut self, id: JobId) {
        self.open.remove(&id);
    }

    /// Keys, or what they are used for, have changed.
    pub(crate) fn rules_changed(&mut self) {
        self.rules += 1;
    }

    pub(crate) fn has_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// The highest number given so far.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn last_ids(&self) -> u64 {
        self.last.max(self.rules)
    }

    /// The jobs and what they are for.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, For)> {
        self.open.iter().map(|(id, (what, _))| (*id, *what))
    }

    /// Whether the parts fit together, for jobs that were read from outside.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mut turns = self.iter().filter(|(_, what)| *what == For::Turn).map(|(id, _)| id);
        let same = turns.next() == self.turn && turns.next().is_none();
        if !same || self.open.keys().any(|id| id.0 > self.last) {
            return Err("the jobs");
        }
        Ok(())
    }
}

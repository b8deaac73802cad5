//! Long messages of the application while they are sealed, before any stream is opened for them.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use bytes::Bytes;

use crate::event::{BroadcastId, OpId};
use crate::job::JobId;
use crate::node::NodeName;

/// One message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Letter {
    pub(crate) message: Bytes,
    /// The nonce to encrypt it with, if there is encryption.
    pub(crate) nonce: [u8; 12],
    pub(crate) to: Addressee,
}

/// The receiver of a message.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Addressee {
    /// One node; an operation waits for it.
    One {
        op: OpId,
        #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
        address: SocketAddr,
        node: Option<NodeName>,
    },
    /// Every member.
    All(BroadcastId),
}

/// All messages being sealed, by their jobs.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Letters(BTreeMap<JobId, Letter>);

impl Letters {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, job: JobId, letter: Letter) {
        self.0.insert(job, letter);
    }

    pub(crate) fn get(&self, job: JobId) -> Option<&Letter> {
        self.0.get(&job)
    }

    pub(crate) fn take(&mut self, job: JobId) -> Option<Letter> {
        self.0.remove(&job)
    }

    /// Removes the message of an operation, if it is being sealed. Returns its job, which is not
    /// needed any more.
    pub(crate) fn withdraw(&mut self, op: OpId) -> Option<JobId> {
        let of = |letter: &Letter| matches!(letter.to, Addressee::One { op: it, .. } if it == op);
        let job = self.0.iter().find(|(_, letter)| of(letter)).map(|(job, _)| *job)?;
        self.0.remove(&job);
        Some(job)
    }

    /// Verifies that these jobs are exactly those of the messages, and `to_all` exactly the
    /// messages to every member, for messages read from a checkpoint.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn check(
        &self,
        jobs: impl Iterator<Item = JobId>,
        to_all: impl Iterator<Item = BroadcastId>,
    ) -> Result<(), &'static str> {
        use alloc::collections::BTreeSet;
        let all = self.0.values().filter_map(|letter| match letter.to {
            Addressee::All(id) => Some(id),
            Addressee::One { .. } => None,
        });
        let (mut count, mut ids) = (0, BTreeSet::new());
        all.for_each(|id| {
            count += 1;
            ids.insert(id);
        });
        let same = self.0.keys().copied().eq(jobs) && ids == to_all.collect() && count == ids.len();
        if same { Ok(()) } else { Err("the messages being sealed") }
    }
}

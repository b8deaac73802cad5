//! Sealing long messages of the application, by jobs.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Memberlist;
use crate::event::SendError;
use crate::job::{Encrypt, For, JobId, Seal, Sealed};
use crate::letters::{Addressee, Letter};
use crate::wire::frame::{FrameTooLong, MAX_ENCRYPTED};
use crate::wire::push_pull;

impl Memberlist {
    /// Whether sealing a message takes more work than may be done at once.
    pub(super) fn is_long_letter(&self, message: &[u8]) -> bool {
        self.config.hand_out_jobs && message.len() > self.config.limits.bytes_at_once
    }

    /// Seals a message at once.
    pub(super) fn seal_letter(&mut self, message: &[u8]) -> Result<Bytes, FrameTooLong> {
        let mut body = Vec::with_capacity(message.len() + 24);
        push_pull::encode_user(&mut body, message);
        self.seal_stream(&body)
    }

    /// Has a job seal a message. It is refused now only if it is certain to be too long: how much
    /// shorter compression makes it is not known yet.
    pub(super) fn seal_letter_later(
        &mut self,
        message: Bytes,
        to: Addressee,
    ) -> Result<(), SendError> {
        let body = header(&message).len() + message.len();
        let sealed = self.encryption_version().encrypted_len(body);
        let compresses = self.config.compression.algorithm().is_some();
        if self.encrypts() && !compresses && sealed > MAX_ENCRYPTED {
            let (len, limit) = (message.len(), self.config.limits.stream_bytes);
            return Err(SendError::TooLong { len, limit });
        }
        self.push_letter(message, to);
        Ok(())
    }

    fn push_letter(&mut self, message: Bytes, to: Addressee) {
        let nonce = if self.encrypts() { self.rng.nonces.nonce() } else { [0; 12] };
        let job = self.jobs.push(For::Letter);
        self.letters.insert(job, Letter { message, nonce, to });
    }

    /// The job that seals a message.
    pub(super) fn letter_job(&self, id: JobId) -> Option<Seal> {
        let Letter { message, nonce, .. } = self.letters.get(id)?;
        let key = if self.encrypts() { self.keyring.primary().cloned() } else { None };
        Some(Seal {
            header: header(message),
            records: Bytes::new(),
            user: message.clone(),
            compress: self.config.compression.algorithm(),
            only_if_smaller: self.config.differences.compress_streams_if_smaller,
            peers: [None, None],
            encrypt: key.map(|key| Encrypt {
                label: self.config.label.clone(),
                key,
                version: self.encryption_version(),
                nonce: *nonce,
            }),
        })
    }

    /// A message has been sealed, by the rules in force if `current`. Returns its receiver and what
    /// is to be sent.
    pub(super) fn letter_sealed(
        &mut self,
        id: JobId,
        sealed: Option<Sealed>,
        current: bool,
    ) -> Option<(Addressee, Result<Bytes, FrameTooLong>)> {
        if !current {
            let Letter { message, to, .. } = self.letters.take(id)?;
            self.push_letter(message, to);
            return None;
        }
        let by_itself = || Some(self.letter_job(id)?.run(&mut crate::wire::Scratch::new()));
        let sealed = sealed.or_else(by_itself)?;
        Some((self.letters.take(id)?.to, sealed.message))
    }

    /// The message of an operation is not to be sent any more.
    pub(super) fn withdraw_letter(&mut self, op: crate::event::OpId) {
        if let Some(job) = self.letters.withdraw(op) {
            self.jobs.cancel(job);
        }
    }
}

/// The header of a message, before its payload.
fn header(message: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(24);
    push_pull::encode_user_header(&mut header, message.len());
    header
}

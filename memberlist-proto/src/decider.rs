//! The answers of the application's hooks, and how they are recorded and replayed.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::hooks::{Candidate, Hooks, View};
use crate::node::Name;

/// One answer of the [`Hooks`], which the core calls in the middle of an input. Handed in as
/// [`Input::Decided`](crate::Input::Decided), it answers one call of its kind within the next other
/// input, in place of the hooks: a recorded run is replayed without calling them again. Whether a
/// node has hooks at all is part of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Decision {
    /// The answer of [`Hooks::admit`].
    Admit(Result<(), String>),
    /// The answer of [`Hooks::ack_payload`].
    AckPayload(Option<Bytes>),
    /// The answer of [`Hooks::broadcasts`].
    Broadcasts(Vec<Bytes>),
    /// The answer of [`Hooks::stream_ping`].
    StreamPing(bool),
}

/// The delegate, the answers given in its place, and the answers to be recorded.
#[derive(Clone, Default)]
pub(crate) struct Decider {
    delegate: Option<Arc<dyn Hooks>>,
    given: VecDeque<Decision>,
    /// Answers not yet fetched by [`take_noted`](Self::take_noted); `None` if none are noted.
    noted: Option<VecDeque<Decision>>,
}

impl Decider {
    pub(crate) fn new(delegate: Option<Arc<dyn Hooks>>) -> Self {
        Self { delegate, ..Self::default() }
    }

    /// Whether there is a delegate, and the answers given in its place for the next input.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn parts(&self) -> (bool, &VecDeque<Decision>) {
        (self.delegate.is_some(), &self.given)
    }

    /// A delegate, with answers given in its place for the next input.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn of(delegate: Option<Arc<dyn Hooks>>, given: VecDeque<Decision>) -> Self {
        Self { delegate, given, noted: None }
    }

    /// Ends an input: answers that were given for it and not used are dropped.
    pub(crate) fn end_input(&mut self) {
        self.given.clear();
    }

    /// Whether there is a delegate or a given answer. If not, every answer is the default.
    pub(crate) fn is_some(&self) -> bool {
        self.delegate.is_some() || !self.given.is_empty()
    }

    /// Gives an answer, to be used for the next question of its kind.
    pub(crate) fn give(&mut self, decision: Decision) {
        self.given.push_back(decision);
    }

    /// Notes every answer from now on, for [`take_noted`](Self::take_noted).
    pub(crate) fn note(&mut self) {
        self.noted.get_or_insert_default();
    }

    pub(crate) fn take_noted(&mut self) -> Option<Decision> {
        self.noted.as_mut()?.pop_front()
    }

    pub(crate) fn admit(&mut self, candidate: &Candidate<'_>) -> Result<(), String> {
        let given = self.given(|it| if let Decision::Admit(it) = it { Some(it) } else { None });
        let Some(delegate) = &self.delegate else { return given.unwrap_or(Ok(())) };
        let answer = given.unwrap_or_else(|| delegate.admit(candidate));
        self.record(|| Decision::Admit(answer.clone()));
        answer
    }

    pub(crate) fn ack_payload(&mut self) -> Option<Bytes> {
        let given = self.given(|it| match it {
            Decision::AckPayload(it) => Some(it),
            _ => None,
        });
        let Some(delegate) = &self.delegate else { return given.flatten() };
        let answer = given.unwrap_or_else(|| delegate.ack_payload());
        self.record(|| Decision::AckPayload(answer.clone()));
        answer
    }

    pub(crate) fn broadcasts(
        &mut self,
        view: &View<'_>,
        overhead: usize,
        limit: usize,
    ) -> Vec<Bytes> {
        let given = self.given(|it| match it {
            Decision::Broadcasts(it) => Some(it),
            _ => None,
        });
        let Some(delegate) = &self.delegate else { return given.unwrap_or_default() };
        let answer = given.unwrap_or_else(|| delegate.broadcasts(view, overhead, limit));
        self.record(|| Decision::Broadcasts(answer.clone()));
        answer
    }

    pub(crate) fn stream_ping(&mut self, node: Name<'_>) -> bool {
        let given = self.given(|it| match it {
            Decision::StreamPing(it) => Some(it),
            _ => None,
        });
        let Some(delegate) = &self.delegate else { return given.unwrap_or(true) };
        let answer = given.unwrap_or_else(|| delegate.stream_ping(node));
        self.record(|| Decision::StreamPing(answer));
        answer
    }

    /// Removes and returns the first given answer for which `take` returns something.
    fn given<T>(&mut self, take: impl Fn(Decision) -> Option<T>) -> Option<T> {
        let found = |decision: &Decision| take(decision.clone());
        let place = self.given.iter().position(|it| found(it).is_some())?;
        self.given.remove(place).and_then(take)
    }

    fn record(&mut self, decision: impl FnOnce() -> Decision) {
        if let Some(noted) = &mut self.noted {
            noted.push_back(decision());
        }
    }
}

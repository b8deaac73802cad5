//! The inputs and outputs of a node, as its laws and its application see them.

use super::{
    Broken, Event, Instant, Memberlist, OpId, Request, Seat, StreamId, StreamOp, Transmit,
};
use crate::laws::Laws;

impl Seat {
    /// Reports to the laws that the application has begun an operation.
    pub(crate) fn begun(&mut self, op: OpId) -> Result<(), Broken> {
        self.laws.as_mut().map_or(Ok(()), |laws| laws.begun(op))
    }

    /// Reports to the laws that the application may have restored members, which no event reports.
    pub(crate) fn called(&mut self, now: Instant) {
        if let Some((laws, node)) = self.observer()
            && laws.misses_members(node)
        {
            laws.restored(now, node);
        }
    }

    /// Reports to the laws that the node has accepted a stream.
    pub(crate) fn accepted(&mut self, id: StreamId) -> Result<(), Broken> {
        self.laws.as_mut().map_or(Ok(()), |laws| laws.accepted(id))
    }

    /// Notes that a stream has ended; earlier operations of the node on it may still be in its
    /// queue.
    pub(crate) fn stream_ended(&mut self, id: StreamId) {
        self.ended.push(id);
    }

    /// Reports to the laws that a stream was ended from outside, while the node's queues were
    /// empty.
    pub(crate) fn stream_lost(&mut self, id: StreamId) {
        if let Some(laws) = &mut self.laws {
            laws.closed(id);
        }
    }

    /// Reports to the laws that the node wants something done with a stream.
    pub(crate) fn stream(&mut self, op: &StreamOp) -> Result<(), Broken> {
        self.laws.as_mut().map_or(Ok(()), |laws| laws.stream(op))
    }

    /// Reports to the laws that the node has handled its timers.
    pub(crate) fn fired(&mut self, now: Instant) -> Result<(), Broken> {
        self.observer().map_or(Ok(()), |(laws, node)| laws.fired(now, node))
    }

    /// Reports to the laws that the node sends a packet.
    pub(crate) fn sent(&mut self, transmit: &Transmit) -> Result<(), Broken> {
        self.observer().map_or(Ok(()), |(laws, node)| laws.sent(node, transmit))
    }

    /// Puts a question of the node to its application, which answers now or never.
    pub(crate) fn asked(&mut self, now: Instant, request: &Request) -> Result<(), Broken> {
        self.laws.as_mut().map_or(Ok(()), |laws| laws.asked(now, request))?;
        if let (Some(answer), Some(node)) =
            (self.app.request(now, &request.kind), self.node.as_mut())
        {
            node.answer(now, request.id, answer);
        }
        Ok(())
    }

    /// Passes an event of the node to the laws, the application and the log; `time` is the
    /// simulator's time, for the log, and `now` the node's.
    pub(crate) fn event(
        &mut self,
        time: Instant,
        now: Instant,
        event: Event,
    ) -> Result<(), Broken> {
        let result = self.laws.as_mut().map_or(Ok(()), |laws| laws.event(now, &event));
        if let Some(node) = self.node.as_mut() {
            self.app.event(now, node, &event);
        }
        if !self.forgetful {
            self.log.push((time, event));
        }
        result
    }

    /// Reports to the laws that every output has been taken; with `thorough`, checks the whole
    /// node.
    pub(crate) fn rest(&mut self, now: Instant, thorough: bool) -> Result<(), Broken> {
        let ended = core::mem::take(&mut self.ended);
        let Some((laws, node)) = self.observer() else { return Ok(()) };
        for id in ended {
            laws.closed(id);
        }
        laws.drained();
        if thorough { laws.rest(now, node) } else { Ok(()) }
    }

    fn observer(&mut self) -> Option<(&mut Laws, &Memberlist)> {
        Some((self.laws.as_mut()?, self.node.as_ref()?))
    }
}

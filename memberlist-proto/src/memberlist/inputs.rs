//! The inputs from the network, the clock and the application, each as a method of its own or as an
//! [`Input`].

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::Memberlist;
use crate::decider::Decision;
use crate::event::ExchangeError;
use crate::input::{Command, Input, InputError, Reply};
use crate::operations::Asker;
use crate::time::Instant;
use crate::transmit::{
    Answer, Found, LookupFailure, LookupId, RequestId, StreamFailure, StreamId, Transmit,
};
use crate::wire::packet::PacketError;

impl Memberlist {
    /// The most timers that one call of [`handle_timeout`](Self::handle_timeout) handles. When a
    /// process was stopped for a while, or a data center fails, thousands of suspicions end at the
    /// same moment.
    pub const TIMERS_AT_ONCE: usize = 128;

    /// Handles any input. Each of the other methods that change the node is one kind of input, with
    /// a typed result.
    ///
    /// # Errors
    ///
    /// Those of the method that the input stands for.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) -> Result<Reply, InputError> {
        match input {
            Input::Packet { from, packet } => self.handle_packet(now, from, &packet)?,
            Input::StreamAccepted { from } => {
                return Ok(self.accept_stream(now, from).map_or(Reply::Refused, Reply::Accepted));
            }
            Input::StreamConnected { id } => self.handle_stream_connected(now, id),
            Input::StreamData { id, data } => self.handle_stream_data(now, id, &data)?,
            Input::StreamWritten { id, bytes } => self.handle_stream_written(now, id, bytes),
            Input::StreamEof { id } => self.handle_stream_eof(now, id),
            Input::StreamClosed { id, cause } => self.handle_stream_closed(now, id, cause),
            Input::LookupAnswered { id, found } => {
                self.handle_lookup(now, id, found.as_deref().map_err(|failure| *failure));
            }
            Input::ServiceAnswered { id, found } => {
                self.handle_service(now, id, found.as_deref().map_err(|failure| *failure));
            }
            Input::TransmitFailed { probe } => {
                self.enter(now, || Input::TransmitFailed { probe });
                self.step(now, |node| node.unsent(probe));
            }
            Input::Answered { id, answer } => self.answer(now, id, answer),
            // It belongs to the next input. Handled as an input of its own, it would be discarded
            // at the end of that.
            Input::Decided(decision) => {
                self.advance(now);
                self.decider.give(decision);
            }
            Input::Timeout => self.handle_timeout(now),
            Input::Entropy(fresh) => self.mix_entropy(now, fresh),
            Input::Command(command) => return self.command(now, command),
            Input::JobDone { id, output } => self.job_done(now, id, output),
        }
        Ok(Reply::Done)
    }

    /// Handles one datagram that has arrived.
    ///
    /// # Errors
    ///
    /// The first unusable part of the packet, with how many messages were used and how many were
    /// not: the good parts of a bad packet still count.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
    ) -> Result<(), PacketError> {
        self.enter(now, || Input::Packet { from, packet: packet.into() });
        self.step(now, |node| node.packet(from, packet))
    }

    /// Handles a new incoming connection. `None` if it is refused: the driver then closes it, and
    /// reports nothing more about it.
    pub fn accept_stream(&mut self, now: Instant, from: SocketAddr) -> Option<StreamId> {
        self.enter(now, || Input::StreamAccepted { from });
        self.step(now, |node| node.stream_accepted(from))
    }

    /// The connection that the node asked for ([`StreamOp::Connect`](crate::StreamOp::Connect)) is
    /// established.
    pub fn handle_stream_connected(&mut self, now: Instant, id: StreamId) {
        self.enter(now, || Input::StreamConnected { id });
        self.step(now, |node| node.stream_connected(id));
    }

    /// Handles bytes that have arrived on a stream, in pieces of any size.
    ///
    /// # Errors
    ///
    /// Why the exchange has failed because of these bytes. The core has already dealt with the
    /// failure, and notified the peer where the protocol says so; the error is for counting and
    /// logging.
    pub fn handle_stream_data(
        &mut self,
        now: Instant,
        id: StreamId,
        data: &[u8],
    ) -> Result<(), ExchangeError> {
        self.enter(now, || Input::StreamData { id, data: data.into() });
        self.step(now, |node| node.stream_data(id, data))
    }

    /// The driver has handed `bytes` more bytes of a stream to the operating system.
    pub fn handle_stream_written(&mut self, now: Instant, id: StreamId, bytes: usize) {
        self.enter(now, || Input::StreamWritten { id, bytes });
        self.step(now, |node| node.stream_written(id, bytes));
    }

    /// The peer has ended its side of a stream: it sends nothing more, but may still read.
    pub fn handle_stream_eof(&mut self, now: Instant, id: StreamId) {
        self.enter(now, || Input::StreamEof { id });
        self.step(now, |node| node.stream_eof(id));
    }

    /// A stream has ended, for any reason. To be called exactly once for each stream that was
    /// accepted, or that the node asked to be opened, even if it could not be. `cause` is what went
    /// wrong; `None` if nothing did.
    pub fn handle_stream_closed(
        &mut self,
        now: Instant,
        id: StreamId,
        cause: Option<StreamFailure>,
    ) {
        self.enter(now, || Input::StreamClosed { id, cause });
        self.step(now, |node| node.stream_closed(id, cause));
    }

    /// A name of [`poll_lookup`](Self::poll_lookup) has been resolved, or could not be. An empty
    /// list counts as [`LookupFailure::NotFound`]. An answer that comes twice, or is no longer
    /// needed, is ignored.
    pub fn handle_lookup(
        &mut self,
        now: Instant,
        id: LookupId,
        found: Result<&[IpAddr], LookupFailure>,
    ) {
        self.enter(now, || Input::LookupAnswered { id, found: found.map(Into::into) });
        let found = found.map(|found| found.iter().map(|ip| (*ip, None)).collect());
        self.step(now, |node| node.looked_up(id, &found));
    }

    /// The addresses of a service ([`Lookup::service`](crate::Lookup)) have been found, or could
    /// not be; otherwise like [`handle_lookup`](Self::handle_lookup).
    pub fn handle_service(
        &mut self,
        now: Instant,
        id: LookupId,
        found: Result<&[(IpAddr, u16)], LookupFailure>,
    ) {
        self.enter(now, || Input::ServiceAnswered { id, found: found.map(Into::into) });
        let found = found.map(|found| found.iter().map(|(ip, port)| (*ip, Some(*port))).collect());
        self.step(now, |node| node.looked_up(id, &found));
    }

    fn looked_up(&mut self, id: LookupId, found: &Result<Vec<Found>, LookupFailure>) {
        let found = match found {
            Ok(found) if found.is_empty() => Err(LookupFailure::NotFound),
            Ok(found) => Ok(found.as_slice()),
            Err(failure) => Err(*failure),
        };
        match self.operations.take_lookup(id) {
            Some(Asker::Join(op)) => self.join_resolved(id, op, found),
            Some(Asker::Seed(seed)) => self.seed_resolved(id, seed, found),
            None => {}
        }
    }

    /// The driver could not send a datagram. If it was the ping of a running probe, other members
    /// are asked at once to ping the target.
    pub fn handle_transmit_failed(&mut self, now: Instant, transmit: &Transmit) {
        self.enter(now, || Input::transmit_failed(transmit));
        self.step(now, |node| node.unsent(transmit.probe));
    }

    /// Hands in the application's answer to a question of [`poll_request`](Self::poll_request). One
    /// that comes too late or twice is ignored; one of another kind than was asked for fails the
    /// exchange with [`ExchangeError::WrongAnswer`].
    pub fn answer(&mut self, now: Instant, id: RequestId, answer: Answer) {
        self.enter(now, || Input::Answered { id, answer: answer.clone() });
        self.step(now, |node| node.answered(id, answer));
    }

    /// Handles the timers that are due at `now`, the earliest first, at most
    /// [`TIMERS_AT_ONCE`](Self::TIMERS_AT_ONCE) of them. If more were due,
    /// [`poll_timeout`](Self::poll_timeout) is still not after `now`: first hand in what has
    /// arrived in the meantime, then call again.
    ///
    /// Packets and stream data that have already arrived should be handed in first. Otherwise a
    /// late call would find peers silent whose answers are merely waiting to be handed in.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.enter(now, || Input::Timeout);
        self.step(now, |node| {
            for _ in 0..Self::TIMERS_AT_ONCE {
                let Some((due, timer)) = node.timers.pop_due(node.now) else { break };
                node.fire(timer, due);
                node.follow_up();
                // Its tick may be due now.
                node.wake_gossip();
            }
        });
    }

    /// Mixes 32 bytes of fresh randomness from the operating system into the nonces of encryption.
    ///
    /// Call it now and then, and after the machine may have been asleep: a virtual machine that is
    /// copied, or resumed twice from one snapshot, otherwise goes on with the nonces of its twin,
    /// under the same key. Nothing else depends on it, and bytes that are weak or known to others
    /// do no harm.
    pub fn mix_entropy(&mut self, now: Instant, fresh: [u8; 32]) {
        self.enter(now, || Input::Entropy(fresh));
        self.step(now, |node| node.rng.mix(fresh));
    }

    /// Records every answer of the delegate from now on. Fetch them by
    /// [`poll_decision`](Self::poll_decision) after each input; to replay, hand each in as
    /// [`Input::Decided`] before the input that it belongs to.
    pub fn note_decisions(&mut self) {
        self.decider.note();
    }

    /// Takes the next recorded answer of the delegate; `None` if there is no other.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.decider.take_noted()
    }

    fn unsent(&mut self, probe: Option<u32>) {
        self.counters.packets_unsent += 1;
        if let Some(sequence) = probe {
            self.ping_unsent(sequence);
        }
    }

    fn command(&mut self, now: Instant, command: Command) -> Result<Reply, InputError> {
        match command {
            Command::Join { peers, policy } => {
                return Ok(Reply::Begun(self.join_with(now, &peers, policy)));
            }
            Command::Leave { timeout } => return Ok(Reply::Begun(self.leave(now, timeout))),
            Command::SetMeta { meta, timeout } => {
                return Ok(Reply::Begun(self.set_meta(now, meta, timeout)?));
            }
            Command::Settle { quiet, timeout } => {
                return Ok(Reply::Begun(self.settle(now, quiet, timeout)));
            }
            Command::Ping { target } => return Ok(Reply::Begun(self.ping(now, target))),
            Command::SendReliable { to, message } => {
                return Ok(Reply::Begun(self.send_letter(now, to, message)?));
            }
            Command::Broadcast { message, kind, priority } => {
                return Ok(Reply::Queued(self.broadcast(now, &message, kind, priority)?));
            }
            Command::Disseminate { message } => {
                return Ok(Reply::Queued(self.spread_letter(now, message)?));
            }
            Command::Send { to, message } => self.send(now, to, &message)?,
            Command::Cancel { op } => self.cancel(now, op),
            Command::AddKey(key) => self.add_key(now, key)?,
            Command::UseKey(key) => self.use_key(now, &key)?,
            Command::RemoveKey(key) => self.remove_key(now, &key)?,
            Command::SetVerify { incoming, outgoing } => self.set_verify(now, incoming, outgoing),
            Command::Reconfigure(timing) => self.reconfigure(now, timing)?,
            Command::Restore(nodes) => self.restore(now, nodes),
            Command::Recall(peers) => self.recall(now, peers),
            Command::Forget(name) => self.forget(now, &name)?,
        }
        Ok(Reply::Done)
    }
}

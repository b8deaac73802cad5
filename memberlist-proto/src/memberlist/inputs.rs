//! What enters from the network, the clock and the application, each as a method of its own or as
//! an [`Input`].

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
    /// Timers that one call of [`handle_timeout`](Self::handle_timeout) handles at most. When a process
    /// was stopped for a while, or a data center fails, thousands of suspicions end at the same moment.
    pub const TIMERS_AT_ONCE: usize = 128;

    /// Takes in anything: the one door, of which every other method that changes the node is a
    /// part with a typed result.
    ///
    /// # Errors
    ///
    /// As the method that the input names.
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
            // It belongs to the next input, which would be the end of it if it were one itself.
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

    /// Takes in one datagram.
    ///
    /// # Errors
    ///
    /// What the first unusable part was, how many messages were used and how many were not: the
    /// good parts of a bad packet still count.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
    ) -> Result<(), PacketError> {
        self.enter(now, || Input::Packet { from, packet: packet.into() });
        self.step(now, |node| node.packet(from, packet))
    }

    /// Takes in a new connection; `None` refuses it, and the driver closes it.
    pub fn accept_stream(&mut self, now: Instant, from: SocketAddr) -> Option<StreamId> {
        self.enter(now, || Input::StreamAccepted { from });
        self.step(now, |node| node.stream_accepted(from))
    }

    /// The connection that was asked for stands.
    pub fn handle_stream_connected(&mut self, now: Instant, id: StreamId) {
        self.enter(now, || Input::StreamConnected { id });
        self.step(now, |node| node.stream_connected(id));
    }

    /// Bytes have arrived, in pieces of any size.
    ///
    /// # Errors
    ///
    /// Why the exchange has failed with them. The failure has been dealt with, and the peer
    /// notified where the protocol says so; the error is for counting and logging.
    pub fn handle_stream_data(
        &mut self,
        now: Instant,
        id: StreamId,
        data: &[u8],
    ) -> Result<(), ExchangeError> {
        self.enter(now, || Input::StreamData { id, data: data.into() });
        self.step(now, |node| node.stream_data(id, data))
    }

    /// The driver has written so many more bytes.
    pub fn handle_stream_written(&mut self, now: Instant, id: StreamId, bytes: usize) {
        self.enter(now, || Input::StreamWritten { id, bytes });
        self.step(now, |node| node.stream_written(id, bytes));
    }

    /// The peer sends no more; it may still read.
    pub fn handle_stream_eof(&mut self, now: Instant, id: StreamId) {
        self.enter(now, || Input::StreamEof { id });
        self.step(now, |node| node.stream_eof(id));
    }

    /// The stream has ended, for whatever reason: to be called exactly once for each stream that
    /// was connected, accepted or tried.
    pub fn handle_stream_closed(
        &mut self,
        now: Instant,
        id: StreamId,
        cause: Option<StreamFailure>,
    ) {
        self.enter(now, || Input::StreamClosed { id, cause });
        self.step(now, |node| node.stream_closed(id, cause));
    }

    /// A name has been resolved, or could not be.
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

    /// The addresses of a service have been found, or could not be
    /// ([`Lookup::service`](crate::Lookup)).
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

    /// The driver could not send a datagram: if it was the ping of a running probe, others are
    /// asked at once.
    pub fn handle_transmit_failed(&mut self, now: Instant, transmit: &Transmit) {
        self.enter(now, || Input::transmit_failed(transmit));
        self.step(now, |node| node.unsent(transmit.probe));
    }

    /// Takes in the application's answer to a question. One that comes too late, twice or for
    /// another question is ignored.
    pub fn answer(&mut self, now: Instant, id: RequestId, answer: Answer) {
        self.enter(now, || Input::Answered { id, answer: answer.clone() });
        self.step(now, |node| node.answered(id, answer));
    }

    /// Handles the timers that are due at `now`, the earliest first, at most
    /// [`TIMERS_AT_ONCE`](Self::TIMERS_AT_ONCE) of them. If more were due, [`poll_timeout`](Self::poll_timeout)
    /// is still not after `now`: call again, with what has arrived in between first.
    ///
    /// Packets and stream data that have already arrived should be handed in before, so that a
    /// late call does not take answers that merely wait for silence.
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
    /// To be called now and then, and after the machine may have been asleep: a virtual machine
    /// that is copied, or resumed twice from one snapshot, otherwise goes on with the nonces of its
    /// twin, under the same key. Nothing else depends on it, and bytes that are weak or known to
    /// others do no harm.
    pub fn mix_entropy(&mut self, now: Instant, fresh: [u8; 32]) {
        self.enter(now, || Input::Entropy(fresh));
        self.step(now, |node| node.rng.mix(fresh));
    }

    /// Notes every answer of the delegate from now on, to be fetched by
    /// [`poll_decision`](Self::poll_decision) after each input, and replayed before it.
    pub fn note_decisions(&mut self) {
        self.decider.note();
    }

    /// The next answer that the delegate gave.
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

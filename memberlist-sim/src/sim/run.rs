//! The steps of a run: each input on the agenda is handed to its node, and the node's outputs are
//! carried out.

use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Event, LookupFailure};

use super::{NodeId, Sent, Sim};
use crate::agenda::{Life, What};
use crate::laws::Broken;
use crate::network::Copy;
use crate::seat::{Fault, Reception};

/// How long a look-up of a name takes.
const LOOKUP: Duration = Duration::from_millis(1);

impl Sim {
    /// Something happens to a node, if it is still in the life for which it was meant.
    pub(super) fn happen(&mut self, (id, life, what): (NodeId, Life, What)) {
        if life.is_some_and(|life| life != self.seats[id].life()) {
            return;
        }
        let (now, seat) = (self.agenda.now(), &mut self.seats[id]);
        let is_next = match (&what, seat.turn()) {
            // It was meant for an input of a node that is no longer slow.
            (What::Turn, turn) if turn.is_none_or(|at| at > now) => return,
            (What::Turn, _) => true,
            (_, turn) => turn.is_none(),
        };
        let reception = seat.receive(now, what, &mut self.chance);
        if let Some(at) = seat.turn()
            && is_next
        {
            let life = seat.life();
            self.agenda.at(at, id, Some(life), What::Turn);
        }
        if let Reception::Given(what) = reception {
            self.give(id, what);
            self.drain(id);
        }
    }

    fn give(&mut self, id: NodeId, what: What) {
        let (time, now) = (self.agenda.now(), self.clock(id));
        let Some(node) = self.seats[id].node_mut() else { return };
        match what {
            What::Packet { from, payload, honest } => {
                self.trace.step(time, id.index(), "packet", &payload);
                let result = node.handle_packet(now, from, &payload);
                if let Err(error) = result
                    && honest
                    && !self.tolerant
                {
                    self.broken(id, &format_args!("an honest packet cannot be read: {error}"));
                }
            }
            What::Wake => {
                if node.poll_timeout().is_some_and(|due| due <= now) {
                    self.trace.step(time, id.index(), "wake", b"");
                    node.handle_timeout(now);
                    let result = self.seats[id].fired(now);
                    self.judge(id, result);
                }
            }
            What::Lookup { id: lookup, found } => {
                self.trace.step(time, id.index(), "lookup", b"");
                let found =
                    if found.is_empty() { Err(LookupFailure::NotFound) } else { Ok(&found[..]) };
                node.handle_lookup(now, lookup, found);
            }
            What::Stream(arrival) => self.arrive(id, arrival),
            What::Turn => unreachable!("the seat has what it is the turn of"),
        }
    }

    /// Delivers a datagram that no node sent, as a host outside the cluster could: at once, and
    /// over no link. The payload may be anything; that the node cannot read it breaks no law.
    pub fn forge(&mut self, to: NodeId, from: SocketAddr, payload: impl Into<Bytes>) {
        self.happen((to, None, What::Packet { from, payload: payload.into(), honest: false }));
    }

    /// Carries out a node's outputs until there are no more, and checks the node.
    pub(super) fn drain(&mut self, id: NodeId) {
        self.carry_out_all(id);
        self.rest(id);
    }

    pub(super) fn carry_out_all(&mut self, id: NodeId) {
        let thorough = self.is_thorough();
        while let Some(node) = self.seats[id].node_mut() {
            if let Some(transmit) = node.poll_transmit() {
                if thorough {
                    let result = self.seats[id].sent(&transmit);
                    self.judge(id, result);
                }
                if self.seats[id].is(Fault::Unplugged) {
                    let now = self.clock(id);
                    let node = self.seats[id].node_mut();
                    node.expect("it has just sent").handle_transmit_failed(now, &transmit);
                } else {
                    self.send(id, transmit.to, transmit.payload);
                }
            } else if let Some(op) = node.poll_stream() {
                let result = self.seats[id].stream(&op);
                self.judge(id, result);
                self.carry_out(id, op);
            } else if let Some(lookup) = node.poll_lookup() {
                let found = self.network.resolve(&lookup.host);
                let life = self.seats[id].life();
                let what = What::Lookup { id: lookup.id, found };
                self.agenda.after(LOOKUP, id, Some(life), what);
            } else if let Some(request) = node.poll_request() {
                let now = self.clock(id);
                let result = self.seats[id].asked(now, &request);
                self.judge(id, result);
            } else if let Some(event) = node.poll_event() {
                self.emit(id, event);
            } else if let Some(job) = node.poll_job() {
                // A job takes no time, and is done after all other outputs of the node.
                let now = self.clock(id);
                let node = self.seats[id].node_mut().expect("it has just put out a job");
                node.job_done(now, job.id(), Some(job.run()));
            } else {
                break;
            }
        }
    }

    /// A member that a node has learned of takes memory once, and not once in each node.
    fn share_identity(&mut self, id: NodeId, event: &Event) {
        let (Event::Joined { node } | Event::Updated { node, .. }) = event else { return };
        match self.identities.entry(node.identity().node_name()) {
            Entry::Occupied(known) if known.get() == node.identity() => {
                if let Some(node) = self.seats[id].node_mut() {
                    node.share_identity(known.get());
                }
            }
            Entry::Occupied(mut known) => *known.get_mut() = node.identity().clone(),
            Entry::Vacant(vacant) => {
                vacant.insert(node.identity().clone());
            }
        }
    }

    fn emit(&mut self, id: NodeId, event: Event) {
        self.share_identity(id, &event);
        let (time, now) = (self.agenda.now(), self.clock(id));
        self.trace.event(time, id.index(), &event);
        let result = self.seats[id].event(time, now, event);
        self.judge(id, result);
    }

    pub(super) fn rest(&mut self, id: NodeId) {
        let (now, thorough) = (self.clock(id), self.is_thorough());
        let result = self.seats[id].rest(now, thorough);
        self.judge(id, result);
        if self.restore_every > 0 && self.trace.steps().is_multiple_of(self.restore_every) {
            let result = self.seats[id].replace_by_its_checkpoint();
            self.judge(id, result);
        }
        self.wake(id);
    }

    /// Whether to check the whole state of a node in this step.
    fn is_thorough(&self) -> bool {
        self.trace.steps().is_multiple_of(self.check_every)
    }

    /// Puts the node's next wake-up on the agenda.
    pub(super) fn wake(&mut self, id: NodeId) {
        if let Some(due) = self.seats[id].next_wake() {
            let life = self.seats[id].life();
            self.agenda.at(due, id, Some(life), What::Wake);
        }
    }

    pub(super) fn send(&mut self, from: NodeId, to: SocketAddr, payload: Bytes) {
        let Some(payload) = self.seats[from].hold_back(to, payload) else { return };
        let Some(to) = self.seats.at(to) else { return };
        if self.seats[from].is(Fault::Mute) || self.seats[to].is(Fault::Deaf) {
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch(from, to, Sent::Packet(&payload));
        }
        let (source, now) = (self.address(from), self.agenda.now());
        let copies = self.network.carry(&mut self.chance, now, from, to, &payload);
        for Copy { after, payload, honest } in copies.into_iter().flatten() {
            self.agenda.after(after, to, None, What::Packet { from: source, payload, honest });
        }
    }

    pub(super) fn judge(&self, id: NodeId, result: Result<(), Broken>) {
        result.unwrap_or_else(|broken| self.broken(id, &broken));
    }

    pub(super) fn broken(&self, id: NodeId, law: &dyn Display) -> ! {
        let version = env!("CARGO_PKG_VERSION");
        let events = self.seats[id].log().iter().rev().take(12);
        let recent: Vec<String> = events.map(|(at, event)| format!("  {at:?} {event}")).collect();
        panic!(
            "seed {}, version {version}, {:?}, node {}: {law}\nits last events, newest first:\n{}",
            self.seed,
            self.agenda.now(),
            id.index(),
            recent.join("\n")
        )
    }
}

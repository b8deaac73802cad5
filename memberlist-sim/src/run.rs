//! What happens: the agenda is worked off, and nodes get and do what they want.

use std::cmp::Reverse;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use memberlist_proto::{Event, Instant, LookupFailure, Memberlist, Request};
use rand_chacha::rand_core::Rng as _;

use crate::agenda::{Due, What};
use crate::sim::{Fault, NodeId, Sim};

impl Sim {
    pub(crate) fn step(&mut self) {
        let Some(Reverse(Due { at, what, .. })) = self.agenda.pop() else { return };
        self.now = self.now.max(at);
        self.happen(what);
    }

    pub(crate) fn happen(&mut self, what: What) {
        let (id, life) = match &what {
            What::Packet { to, .. } => (*to, None),
            What::Wake { node, life }
            | What::Lookup { node, life, .. }
            | What::Stream { node, life, .. }
            | What::Turn { node, life, .. } => (*node, Some(*life)),
        };
        let seat = &mut self.seats[id.0];
        if life.is_some_and(|life| life != seat.life) {
            return;
        }
        let (what, waited) = match what {
            What::Turn { what, .. } => {
                seat.inbox_bytes = seat.inbox_bytes.saturating_sub(what.bytes());
                (*what, true)
            }
            what => (what, false),
        };
        let is_wake = matches!(what, What::Wake { .. });
        if is_wake {
            seat.wake = None;
        }
        match seat.fault {
            Some(Fault::Frozen) if is_wake => return,
            Some(Fault::Frozen | Fault::Held) if !is_wake => return seat.keep(what),
            Some(Fault::Slow { mean }) if !waited => return self.queue(id, mean, what),
            Some(Fault::Unplugged) if matches!(what, What::Packet { .. }) => return,
            _ => {}
        }
        self.give(id, what);
        self.drain(id);
    }

    /// Lets something wait until a slow node has time for it.
    fn queue(&mut self, id: NodeId, mean: Duration, what: What) {
        // Not 0, of which there is no logarithm; and `libm`'s is the same on every machine.
        let even = (self.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64;
        let takes = mean.mul_f64(-libm::log(even));
        let now = self.now;
        let seat = &mut self.seats[id.0];
        if !seat.takes(&what) {
            return;
        }
        seat.busy = seat.busy.max(now) + takes;
        if matches!(what, What::Wake { .. }) {
            seat.wake = Some(seat.busy);
        }
        let (at, life) = (seat.busy, seat.life);
        self.schedule_at(at, What::Turn { node: id, life, what: Box::new(what) });
    }

    pub(crate) fn give(&mut self, id: NodeId, what: What) {
        let (time, now) = (self.now, self.clock(id));
        let Some(node) = self.seats[id.0].node.as_mut() else { return };
        match what {
            What::Packet { from, payload, honest, .. } => {
                self.trace.step(time, id.0, "packet", &payload);
                let result = node.handle_packet(now, from, &payload);
                if let Err(error) = result
                    && honest
                    && !self.tolerant
                {
                    self.broken(id, &format_args!("an honest packet cannot be read: {error}"));
                }
            }
            What::Wake { .. } => {
                if node.poll_timeout().is_some_and(|due| due <= now) {
                    self.trace.step(time, id.0, "wake", b"");
                    node.handle_timeout(now);
                    let result = self.seats[id.0].fired(now);
                    result.unwrap_or_else(|broken| self.broken(id, &broken));
                }
            }
            What::Lookup { id: lookup, found, .. } => {
                self.trace.step(time, id.0, "lookup", b"");
                let found =
                    if found.is_empty() { Err(LookupFailure::NotFound) } else { Ok(&found[..]) };
                node.handle_lookup(now, lookup, found);
            }
            What::Stream { arrival, .. } => self.arrive(id, arrival),
            What::Turn { .. } => unreachable!("its turn has come"),
        }
    }

    /// Hands a node a datagram that no node sent, as somebody outside of the cluster can: over no
    /// link, at once. It may be anything.
    pub fn forge(&mut self, to: NodeId, from: SocketAddr, payload: impl Into<Bytes>) {
        self.happen(What::Packet { to, from, payload: payload.into(), honest: false });
    }

    /// Carries out what a node wants, until it wants nothing more, and looks at it.
    pub(crate) fn drain(&mut self, id: NodeId) {
        self.carry_out_all(id);
        self.rest(id);
    }

    pub(crate) fn carry_out_all(&mut self, id: NodeId) {
        let thorough = self.trace.steps().is_multiple_of(self.check_every);
        while let Some(node) = self.seats[id.0].node.as_mut() {
            if let Some(transmit) = node.poll_transmit() {
                if thorough {
                    let result = self.seats[id.0].sent(&transmit);
                    result.unwrap_or_else(|broken| self.broken(id, &broken));
                }
                if self.seats[id.0].fault == Some(Fault::Unplugged) {
                    let now = self.clock(id);
                    let node = self.seats[id.0].node.as_mut();
                    node.expect("it has just sent").handle_transmit_failed(now, &transmit);
                } else {
                    self.send(id, transmit.to, transmit.payload);
                }
            } else if let Some(op) = node.poll_stream() {
                let result = self.seats[id.0].laws.stream(&op);
                result.unwrap_or_else(|broken| self.broken(id, &broken));
                self.carry_out(id, op);
            } else if let Some(lookup) = node.poll_lookup() {
                let found = self.network.names.get(&lookup.host).cloned().unwrap_or_default();
                let (life, lookup) = (self.seats[id.0].life, lookup.id);
                let what = What::Lookup { node: id, life, id: lookup, found };
                self.schedule(Duration::from_millis(1), what);
            } else if let Some(request) = node.poll_request() {
                self.ask(id, &request);
            } else if let Some(event) = node.poll_event() {
                self.tell(id, event);
            } else {
                break;
            }
        }
    }

    pub(crate) fn ask(&mut self, id: NodeId, request: &Request) {
        let now = self.clock(id);
        let result = self.seats[id.0].laws.asked(now, request);
        result.unwrap_or_else(|broken| self.broken(id, &broken));
        let seat = &mut self.seats[id.0];
        if let (Some(answer), Some(node)) =
            (seat.app.request(now, &request.kind), seat.node.as_mut())
        {
            node.answer(now, request.id, answer);
        }
    }

    pub(crate) fn tell(&mut self, id: NodeId, event: Event) {
        let (time, now) = (self.now, self.clock(id));
        self.trace.event(time, id.0, &event);
        let seat = &mut self.seats[id.0];
        let broken = seat.laws.event(now, &event).err();
        if let Some(node) = seat.node.as_mut() {
            seat.app.event(now, node, &event);
        }
        seat.log.push((time, event));
        if let Some(broken) = broken {
            self.broken(id, &broken);
        }
    }

    pub(crate) fn rest(&mut self, id: NodeId) {
        let now = self.clock(id);
        let thorough = self.trace.steps().is_multiple_of(self.check_every);
        let result = self.seats[id.0].rest(now, thorough);
        result.unwrap_or_else(|broken| self.broken(id, &broken));
        self.wake(id);
    }

    pub(crate) fn wake(&mut self, id: NodeId) {
        let seat = &mut self.seats[id.0];
        let Some(due) = seat.node.as_ref().and_then(Memberlist::poll_timeout) else { return };
        let ahead = seat.ahead.as_nanos() as u64;
        let due = Instant::from_nanos(due.as_nanos().saturating_sub(ahead));
        if seat.wake.is_none_or(|wake| due < wake) {
            seat.wake = Some(due);
            let life = seat.life;
            self.schedule_at(due, What::Wake { node: id, life });
        }
    }

    pub(crate) fn send(&mut self, from: NodeId, to: SocketAddr, payload: Bytes) {
        if self.seats[from.0].fault == Some(Fault::Held) {
            self.seats[from.0].outbox.push((to, payload));
            return;
        }
        let Some(id) = self.addresses.get(&to).copied() else { return };
        let link = self.network.link(from, id);
        let source = self.address(from);
        let copies = 1 + usize::from(self.chance(link.duplication));
        for _ in 0..copies {
            let Some(wait) = self.network.carry(self.now, from, id, payload.len()) else {
                continue;
            };
            let latency = wait + self.latency(from, id);
            if !link.packets || self.network.is_cut(from, id) || self.chance(link.loss) {
                continue;
            }
            let corrupt = !payload.is_empty() && self.chance(link.corruption);
            let payload = if corrupt { self.corrupted(&payload) } else { payload.clone() };
            let what = What::Packet { to: id, from: source, payload, honest: !corrupt };
            self.schedule(latency, what);
        }
    }

    pub(crate) fn corrupted(&mut self, payload: &Bytes) -> Bytes {
        let mut bytes = payload.to_vec();
        let index = self.below(bytes.len() as u64) as usize;
        bytes[index] ^= 1 << self.below(8);
        bytes.into()
    }

    pub(crate) fn broken(&self, id: NodeId, law: &dyn Display) -> ! {
        let version = env!("CARGO_PKG_VERSION");
        let recent: Vec<String> = self.seats[id.0]
            .log
            .iter()
            .rev()
            .take(12)
            .map(|(at, event)| format!("  {at:?} {event}"))
            .collect();
        panic!(
            "seed {}, version {version}, {:?}, node {}: {law}\nits last events, newest first:\n{}",
            self.seed,
            self.now,
            id.0,
            recent.join("\n")
        )
    }

    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        let unplugged = |node: NodeId| self.seats[node.0].fault == Some(Fault::Unplugged);
        self.network.is_cut(from, to)
            || !self.network.link(from, to).streams
            || unplugged(from)
            || unplugged(to)
    }

    pub(crate) fn latency(&mut self, from: NodeId, to: NodeId) -> Duration {
        let link = self.network.link(from, to);
        let range = link.latency_max.saturating_sub(link.latency_min).as_nanos() as u64;
        link.latency_min + Duration::from_nanos(self.below(range.max(1)))
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        // Certainty needs no draw, so that a perfect network draws little.
        probability > 0.0
            && ((self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.rng.next_u64()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn schedule(&mut self, after: Duration, what: What) {
        self.schedule_at(self.now + after, what);
    }

    pub(crate) fn schedule_at(&mut self, at: Instant, what: What) {
        self.sequence += 1;
        self.agenda.push(Reverse(Due { at, sequence: self.sequence, what }));
    }
}

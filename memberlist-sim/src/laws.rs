//! The laws of the protocol: what must hold of a node, whatever its peers, its network and its
//! application do. [`Laws`] observes one life of one node from outside, by its inputs and outputs.
//! The simulator, the fuzzers and the tests of histories all use it.
//!
//! | law | what must hold |
//! |---|---|
//! | alternation | a node joins and departs in turn; the members are those that have joined and not departed |
//! | states | each event is a valid transition; the table's states are those that were reported |
//! | incarnations | they never go back; a departed node returns with a higher one; no name is forgotten early |
//! | myself | a node never considers itself suspect or dead; leaving is final; its own incarnation never goes back |
//! | completion | every operation and every broadcast ends exactly once |
//! | contract | a driver can do what it is asked: streams in order, questions once and in time, nothing due after the timers were handled |
//! | bounds | every timer has a reason, every queue its limit |
//! | packets | what is sent can be read, is not too long, and goes to an address that can be sent to |
//!
//! Two more names occur in [`Broken::law`]: `invariants`, because [`Laws::rest`] also checks
//! [`Memberlist::check_invariants`], and, in a simulation, `checkpoint`
//! ([`Sim::restore_every`](crate::Sim::restore_every)).
//!
//! ```
//! use memberlist_proto::{Config, Instant, Memberlist};
//! use memberlist_sim::laws::Laws;
//!
//! let now = Instant::from_nanos(1);
//! let mut config = Config::lan("n1");
//! config.advertise_addr = [10, 0, 0, 1].into();
//! let mut node = Memberlist::new(now, config, None, [7; 32])?;
//! let mut laws = Laws::new(node.config());
//! while let Some(event) = node.poll_event() {
//!     laws.event(now, &event)?;
//! }
//! laws.rest(now, &node)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alternation;
mod bounds;
mod completion;
mod contract;
mod incarnations;
mod myself;
mod packets;
mod picture;
mod states;

use std::net::SocketAddr;

use memberlist_proto::{
    BroadcastId, Config, Event, Instant, Memberlist, Node, NodeName, OpId, Request, StreamId,
    StreamOp, Transmit,
};

use self::alternation::Alternation;
use self::bounds::Bounds;
use self::completion::Completion;
use self::contract::Contract;
use self::incarnations::Incarnations;
use self::myself::Myself;
use self::packets::Packets;
pub(crate) use self::picture::LATEST;
use self::picture::{Known, Picture};
use self::states::States;

/// A law that was broken, and how: a defect of the node, or of the driver that feeds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {what}")]
pub struct Broken {
    law: &'static str,
    what: String,
}

impl Broken {
    pub(crate) const fn new(law: &'static str, what: String) -> Self {
        Self { law, what }
    }

    /// The name of the law, as in the table of [the module](self).
    pub fn law(&self) -> &'static str {
        self.law
    }
}

/// All laws, checked over one life of one node.
///
/// Each method reports one thing that went into the node or came out of it. They must be called in
/// the order in which these things happened, and return an error if a law is broken.
pub struct Laws {
    picture: Picture,
    laws: [Box<dyn Law>; 8],
}

/// One law.
trait Law {
    /// Its name in a report.
    fn name(&self) -> &'static str;

    /// The node emitted an event; `picture` is as of just before.
    fn event(&mut self, picture: &Picture, event: &Event) -> Result<(), String> {
        let _ = (picture, event);
        Ok(())
    }

    /// A record in the table, and what was known of its node before.
    fn record(
        &mut self,
        picture: &Picture,
        known: Option<&Known>,
        node: &Node,
    ) -> Result<(), String> {
        let _ = (picture, known, node);
        Ok(())
    }

    /// A node that was known and is not in the table any more.
    fn forgotten(
        &mut self,
        picture: &Picture,
        name: &NodeName,
        known: &Known,
    ) -> Result<(), String> {
        let _ = (picture, name, known);
        Ok(())
    }

    /// Every output that one input has caused has been taken.
    fn drained(&mut self) {}

    /// The node as a whole is to be checked.
    fn rest(&mut self, picture: &Picture, node: &Memberlist) -> Result<(), String> {
        let _ = (picture, node);
        Ok(())
    }

    /// The application began an operation.
    fn begun(&mut self, op: OpId) -> Result<(), String> {
        let _ = op;
        Ok(())
    }

    /// The application queued a broadcast.
    fn queued(&mut self, id: BroadcastId) -> Result<(), String> {
        let _ = id;
        Ok(())
    }

    /// The application named an address to send to.
    fn named(&mut self, address: SocketAddr) {
        let _ = address;
    }

    /// The node accepted a stream.
    fn accepted(&mut self, id: StreamId) -> Result<(), String> {
        let _ = id;
        Ok(())
    }

    /// The driver reported that a stream has ended.
    fn closed(&mut self, id: StreamId) {
        let _ = id;
    }

    /// The node wants something done with a stream.
    fn stream(&mut self, op: &StreamOp) -> Result<(), String> {
        let _ = op;
        Ok(())
    }

    /// The node asks its application.
    fn asked(&mut self, picture: &Picture, request: &Request) -> Result<(), String> {
        let _ = (picture, request);
        Ok(())
    }

    /// The node sends a datagram.
    fn sent(&mut self, node: &Memberlist, transmit: &Transmit) -> Result<(), String> {
        let _ = (node, transmit);
        Ok(())
    }

    /// The node has handled timers that were due.
    fn fired(&mut self, picture: &Picture, node: &Memberlist) -> Result<(), String> {
        let _ = (picture, node);
        Ok(())
    }
}

impl Laws {
    /// The laws for a node that starts with this configuration. Its application may begin
    /// operations and broadcasts that are not reported by [`begun`](Self::begun) and
    /// [`queued`](Self::queued).
    pub fn new(config: &Config) -> Self {
        Self::observing(config, false)
    }

    /// Like [`new`](Self::new), for an observer that reports every operation and every broadcast:
    /// one that ends without having been reported breaks a law.
    pub fn complete(config: &Config) -> Self {
        Self::observing(config, true)
    }

    fn observing(config: &Config, complete: bool) -> Self {
        Self {
            picture: Picture::new(config),
            laws: [
                Box::new(Alternation),
                Box::new(States),
                Box::new(Incarnations),
                Box::new(Myself::default()),
                Box::new(Completion::new(complete)),
                Box::new(Contract::default()),
                Box::new(Bounds),
                Box::new(Packets::default()),
            ],
        }
    }

    /// Reports that the application began an operation.
    ///
    /// # Errors
    ///
    /// Its number was used before.
    pub fn begun(&mut self, op: OpId) -> Result<(), Broken> {
        self.each(|law, _| law.begun(op))
    }

    /// Reports that the application queued a broadcast.
    ///
    /// # Errors
    ///
    /// Its number was used before.
    pub fn queued(&mut self, id: BroadcastId) -> Result<(), Broken> {
        self.each(|law, _| law.queued(id))
    }

    /// Reports that the application named an address to send to: from now on packets may go to it,
    /// even if it is unusable, with port 0 or an unspecified IP address.
    pub fn named(&mut self, address: SocketAddr) {
        self.laws.iter_mut().for_each(|law| law.named(address));
    }

    /// Reports that the node was given members by [`Memberlist::restore`], for which it emits no
    /// events. To be called once all earlier events have been reported.
    pub fn restored(&mut self, now: Instant, node: &Memberlist) {
        self.picture.pass(now, node);
        self.picture.adopt(node);
    }

    /// Whether the table has another number of members than the events have reported. After a call
    /// by the application, this means that it has restored some.
    pub(crate) fn misses_members(&self, node: &Memberlist) -> bool {
        self.picture.live() != node.num_members()
    }

    /// Reports that the node accepted a stream.
    ///
    /// # Errors
    ///
    /// Its number was used before.
    pub fn accepted(&mut self, id: StreamId) -> Result<(), Broken> {
        self.each(|law, _| law.accepted(id))
    }

    /// Reports that the driver has reported the end of a stream to the node, once all operations on
    /// it that the node wanted before have been taken.
    pub fn closed(&mut self, id: StreamId) {
        self.laws.iter_mut().for_each(|law| law.closed(id));
    }

    /// Reports that the node emitted an event.
    ///
    /// # Errors
    ///
    /// A law is broken.
    pub fn event(&mut self, now: Instant, event: &Event) -> Result<(), Broken> {
        self.picture.advance(now);
        self.each(|law, picture| law.event(picture, event))?;
        self.picture.learn(event);
        Ok(())
    }

    /// Reports that the node wants something done with a stream.
    ///
    /// # Errors
    ///
    /// A law is broken.
    pub fn stream(&mut self, op: &StreamOp) -> Result<(), Broken> {
        self.each(|law, _| law.stream(op))
    }

    /// Reports that the node asks its application a question.
    ///
    /// # Errors
    ///
    /// A law is broken.
    pub fn asked(&mut self, now: Instant, request: &Request) -> Result<(), Broken> {
        self.picture.advance(now);
        self.each(|law, picture| law.asked(picture, request))
    }

    /// Reports that the node sends a datagram, which is opened with the node's own label and keys.
    ///
    /// # Errors
    ///
    /// A law is broken.
    pub fn sent(&mut self, node: &Memberlist, transmit: &Transmit) -> Result<(), Broken> {
        self.each(|law, _| law.sent(node, transmit))
    }

    /// Reports that the node has handled due timers, at most [`Memberlist::TIMERS_AT_ONCE`] of
    /// them.
    ///
    /// # Errors
    ///
    /// A timer is still due after more calls in a row than the node has timers.
    pub fn fired(&mut self, now: Instant, node: &Memberlist) -> Result<(), Broken> {
        self.picture.advance(now);
        self.each(|law, picture| law.fired(picture, node))
    }

    /// Reports that every output that one input has caused has been taken.
    pub fn drained(&mut self) {
        self.laws.iter_mut().for_each(|law| law.drained());
    }

    /// Checks the whole node, once every output has been taken. The cost grows with the number of
    /// nodes that it knows.
    ///
    /// # Errors
    ///
    /// A law, or an invariant of the node itself, is broken.
    pub fn rest(&mut self, now: Instant, node: &Memberlist) -> Result<(), Broken> {
        self.drained();
        node.check_invariants().map_err(|what| Broken { law: "invariants", what })?;
        self.picture.pass(now, node);
        let mut met = 0;
        for record in node.nodes() {
            let known = self.picture.get(record.name().as_bytes());
            met += usize::from(known.is_some());
            for law in &mut self.laws {
                broken(law.as_ref().name(), law.record(&self.picture, known, &record))?;
            }
        }
        if met < self.picture.len() {
            for (name, known) in self.picture.iter().filter(|(name, _)| node.member(name).is_none())
            {
                for law in &mut self.laws {
                    broken(law.as_ref().name(), law.forgotten(&self.picture, name, known))?;
                }
            }
            self.picture.forget(node);
        }
        self.each(|law, picture| law.rest(picture, node))?;
        self.picture.refresh(node);
        Ok(())
    }

    /// Applies a check to every law; the error is that of the first law that is broken.
    fn each(
        &mut self,
        mut check: impl FnMut(&mut dyn Law, &Picture) -> Result<(), String>,
    ) -> Result<(), Broken> {
        self.laws.iter_mut().try_for_each(|law| {
            let name = law.name();
            broken(name, check(law.as_mut(), &self.picture))
        })
    }
}

fn broken(law: &'static str, result: Result<(), String>) -> Result<(), Broken> {
    result.map_err(|what| Broken { law, what })
}

impl std::fmt::Debug for Laws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Laws").field("picture", &self.picture).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! What went wrong and is told: of what strangers can cause, only so much in a second.

use core::net::SocketAddr;

use super::Memberlist;
use crate::event::{Event, ExchangeError, ExchangeKind, JoinError, Refusal};
use crate::exchange::{Purpose, Why};
use crate::node::NodeName;
use crate::time::Instant;
use crate::transmit::StreamId;
use crate::wire::message::Alive;

/// How many refusals are kept for [`Memberlist::status`].
const REFUSALS: usize = 32;

/// A refusal, kept for a while.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) at: Instant,
    pub(super) node: NodeName,
    pub(super) from: SocketAddr,
    pub(super) reason: Refusal,
}

impl Memberlist {
    /// News that a node is alive is refused.
    pub(super) fn refused(
        &mut self,
        now: Instant,
        from: SocketAddr,
        alive: &Alive<'_>,
        reason: Refusal,
    ) {
        self.counters.alive_refused += 1;
        *match reason {
            Refusal::Versions => &mut self.decisions.alive_versions,
            Refusal::Name(_) => &mut self.decisions.alive_name,
            Refusal::Meta(_) => &mut self.decisions.alive_meta,
            Refusal::Vetoed(_) => &mut self.decisions.alive_vetoed,
            Refusal::Network => &mut self.decisions.alive_network,
            Refusal::Address => &mut self.decisions.alive_address,
            Refusal::TooMany => &mut self.decisions.alive_too_many,
            Refusal::TooFast => &mut self.decisions.alive_too_fast,
        } += 1;
        if self.may_report(now, from) {
            let node = NodeName::from(alive.node);
            if self.refusals.len() >= REFUSALS {
                self.refusals.pop_front();
            }
            let refused = Refused { at: now, node: node.clone(), from, reason: reason.clone() };
            self.refusals.push_back(refused);
            self.out.event(Event::Refused { node, from: Some(from), reason });
        }
    }

    /// Whether there is room for one more report of what came from there.
    pub(super) fn may_report(&mut self, now: Instant, from: SocketAddr) -> bool {
        let may = self.rates.take_report(now, from.ip(), &self.config.limits);
        self.counters.reports_dropped += u64::from(!may);
        may
    }

    /// Whether one more new name that came from there may become a member now.
    pub(super) fn takes_new_name(&mut self, now: Instant, from: SocketAddr) -> bool {
        let takes = self.rates.take_name(now, from.ip(), &self.config.limits);
        self.counters.names_too_fast += u64::from(!takes);
        takes
    }

    /// Tells whoever waits for an exchange, or else the application, that it failed.
    pub(super) fn report(&mut self, now: Instant, id: StreamId, error: &ExchangeError) {
        self.counters.exchanges_failed += 1;
        let Some(exchange) = self.exchanges.get_mut(id) else {
            return;
        };
        let (peer, kind) = (exchange.peer, exchange.kind());
        match exchange.purpose {
            Purpose::PushPull(Why::Join(op)) => {
                let error = JoinError::Exchange(error.clone());
                self.join_exchanged(now, op, id, Err(error));
            }
            Purpose::Message { sender, .. } => {
                self.message_ended(now, id, sender, Err(error.clone()));
            }
            Purpose::Ping { sequence, .. } => self.fallback_ended(sequence, false),
            // Whoever connects and says nothing has done no harm.
            Purpose::Accepted if *error == ExchangeError::Closed => {}
            Purpose::Accepted | Purpose::PushPull(_) => {
                if kind == ExchangeKind::Rejoin {
                    self.rejoin_ended(now, id, Err(error.clone()));
                }
                if kind == ExchangeKind::Accepted && !self.may_report(now, peer) {
                    return;
                }
                let error = error.clone();
                self.out.event(Event::ExchangeFailed { peer, exchange: kind, error });
            }
        }
    }
}

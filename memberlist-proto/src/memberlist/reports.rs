//! Reports of what went wrong. Of what strangers can cause, only so much is reported in a second.

use core::net::SocketAddr;

use super::Memberlist;
use crate::event::{Event, Refusal};
use crate::node::NodeName;
use crate::time::Instant;
use crate::wire::message::Alive;

/// How many refusals are kept for [`Memberlist::status`].
const REFUSALS: usize = 32;

/// A refusal, kept for a while.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Refused {
    pub(super) at: Instant,
    pub(super) node: NodeName,
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::exact"))]
    pub(super) from: SocketAddr,
    pub(super) reason: Refusal,
}

impl Memberlist {
    /// News that a node is alive is refused.
    pub(super) fn refused(&mut self, from: SocketAddr, alive: &Alive<'_>, reason: Refusal) {
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
        if self.may_report(from) {
            let node = self.reported_name(alive.node);
            if self.refusals.len() >= REFUSALS {
                self.refusals.pop_front();
            }
            let refused =
                Refused { at: self.now, node: node.clone(), from, reason: reason.clone() };
            self.refusals.push_back(refused);
            self.out.event(Event::Refused { node, from: Some(from), reason });
        }
    }

    /// Whether there is room for one more report of what came from this address.
    pub(super) fn may_report(&mut self, from: SocketAddr) -> bool {
        let may = self.rates.take_report(self.now, from.ip(), &self.config.limits);
        self.counters.reports_dropped += u64::from(!may);
        may
    }

    /// Whether one more new name from this address may become a member now.
    pub(super) fn takes_new_name(&mut self, from: SocketAddr) -> bool {
        self.rates.take_name(self.now, from.ip(), &self.config.limits)
    }
}

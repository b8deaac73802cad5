//! What this node announces about itself: its announcements and refutations, and its health.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Memberlist;
use crate::config::{AdvertiseForm, Config, ConfigError};
use crate::event::{Event, OpId, Refusal};
use crate::node::{Identity, IdentityParts, NodeName, Versions};
use crate::wire::message::{self, Alive};

impl Memberlist {
    /// Refutes an accusation of this node with a higher incarnation (Go: `refute`).
    pub(super) fn refute(&mut self, accused: u32, by: Option<&[u8]>) {
        let by = by.map(NodeName::from);
        self.add_health(1);
        if accused == u32::MAX {
            // Differs from Go: in Go the incarnation wraps to zero, which no member believes.
            self.out.event(Event::NamePoisoned { by: by.clone() });
        }
        let incarnation = self.me.incarnation.saturating_add(1).max(accused.saturating_add(1));
        self.me.incarnation = incarnation;
        self.members.raise_incarnation(self.me.id, incarnation);
        self.broadcast_myself(None, true);
        if let Some(by) = &by {
            self.notify_accuser(by);
        }
        self.out.event(Event::Refuted { node: self.local(), by });
    }

    /// Announces this node itself for the first time.
    pub(super) fn announce_first(&mut self) -> Result<(), ConfigError> {
        let node = self.local();
        if let Err(reason) = self.admits_me(node.identity()) {
            return Err(ConfigError::SelfRefused { reason: reason.to_string() });
        }
        self.decisions.alive_mine_announced += 1;
        self.broadcast_myself(None, false);
        self.out.event(Event::Joined { node });
        Ok(())
    }

    /// Whether this node's own delegate and networks let `identity` announce itself.
    pub(super) fn admits_me(&mut self, identity: &Identity) -> Result<(), Refusal> {
        let (me, vsn) = (self.me.name.clone(), self.me.versions.to_bytes());
        let alive = Alive {
            incarnation: self.me.incarnation,
            node: me.as_bytes(),
            addr: identity.addr_bytes(),
            port: identity.port(),
            meta: identity.meta(),
            vsn: Some(&vsn),
        };
        if !self.network_allows(self.config.advertise_addr) {
            return Err(Refusal::Network);
        }
        self.ask_admit(&alive)
    }

    /// Queues this node's announcement, with its newest metadata.
    pub(super) fn broadcast_myself(&mut self, waiter: Option<OpId>, refutation: bool) {
        let record = self.members.record(self.me.id);
        let identity = record.identity().clone();
        let vsn = self.me.versions.to_bytes();
        let alive = Alive {
            incarnation: record.incarnation(),
            node: identity.name().as_bytes(),
            addr: identity.addr_bytes(),
            port: identity.port(),
            meta: identity.meta(),
            vsn: Some(&vsn),
        };
        if refutation && !self.config.differences.refute_under_name {
            let key = NodeName::from(self.config.advertise_addr.to_string().as_str());
            self.queues.push_membership(key, &message::Message::Alive(alive), waiter);
        } else {
            let key = self.me.name.clone();
            self.queues.push_membership(key, &message::Message::Alive(alive), waiter);
        }
    }

    /// Changes the health score and reports it.
    pub(super) fn add_health(&mut self, delta: i32) {
        if let Some(score) = self.awareness.apply(delta) {
            self.out.event(Event::Health { score });
        }
    }

    /// An alive message about this node itself: an echo, or another's claim to its name.
    pub(super) fn alive_about_me(&mut self, alive: &Alive<'_>) {
        let record = self.members.record(self.me.id);
        if alive.incarnation < record.incarnation() {
            self.decisions.alive_mine_old += 1;
            return;
        }
        let echo = alive.incarnation == record.incarnation()
            && alive.meta.unwrap_or_default() == record.identity().meta().unwrap_or_default()
            && alive.vsn == Some(&self.me.versions.to_bytes()[..]);
        if echo {
            self.decisions.alive_mine_same += 1;
            return;
        }
        self.decisions.alive_mine_refuted += 1;
        self.refute(alive.incarnation, None);
    }
}

/// The six version bytes that this node announces.
pub(super) fn own_versions(config: &Config) -> Versions {
    Versions {
        pmin: 1,
        pmax: 5,
        pcur: config.protocol_version,
        dmin: config.delegate_protocol_min,
        dmax: config.delegate_protocol_max,
        dcur: config.delegate_protocol_version,
    }
}

/// This node's own identity with the given metadata. Without metadata it announces nil, as a Go
/// node without a delegate does.
pub(super) fn own_identity(config: &Config, meta: &[u8]) -> Identity {
    let bytes: Vec<u8> =
        match (config.advertise_addr.to_canonical(), config.differences.advertise_form) {
            (IpAddr::V4(ip), AdvertiseForm::Compact) => ip.octets().to_vec(),
            (IpAddr::V4(ip), AdvertiseForm::Mapped) => ip.to_ipv6_mapped().octets().to_vec(),
            (IpAddr::V6(ip), _) => ip.octets().to_vec(),
        };
    Identity::new(IdentityParts {
        name: config.name.as_bytes(),
        addr: Some(&bytes),
        port: config.advertise_port,
        meta: (!meta.is_empty()).then_some(meta),
        versions: Some(own_versions(config)),
    })
    .expect("a validated configuration fits into a record")
}

//! Whether news that a node is alive is acceptable at all, whatever its incarnation.

use core::net::{IpAddr, SocketAddr};

use super::Memberlist;
use crate::event::Refusal;
use crate::hooks::{Candidate, View};
use crate::members::MemberId;
use crate::node::compatibility::Vsn;
use crate::node::{Identity, IdentityParts, Name, Versions, names_one_host};
use crate::wire::message::Alive;

impl Memberlist {
    /// Whether an address lies within the allowed networks.
    pub(super) fn network_allows(&self, ip: IpAddr) -> bool {
        let Some(networks) = &self.config.cidrs_allowed else {
            return true;
        };
        let ip = ip.to_canonical();
        networks.iter().any(|network| network.contains(&ip))
    }

    /// Everything that makes an alive message unacceptable whatever its incarnation.
    pub(super) fn judge(
        &mut self,
        alive: &Alive<'_>,
        known: Option<MemberId>,
    ) -> Result<(), Refusal> {
        let vsn = Vsn::received(alive.vsn);
        if vsn.is_impossible() {
            return Err(Refusal::Versions);
        }
        let differences = &self.config.differences;
        if vsn.versions().is_none()
            && (self.decider.is_some() || (known.is_none() && differences.require_versions))
        {
            return Err(Refusal::Versions);
        }
        let name = alive.node.len();
        if name == 0 || name > differences.received_name_max.min(usize::from(u16::MAX)) {
            return Err(Refusal::Name(name));
        }
        let meta = alive.meta.map_or(0, <[u8]>::len);
        if meta > differences.received_meta_max {
            return Err(Refusal::Meta(meta));
        }
        self.ask_admit(alive)?;
        self.judge_address(alive, known)
    }

    pub(super) fn judge_address(
        &self,
        alive: &Alive<'_>,
        known: Option<MemberId>,
    ) -> Result<(), Refusal> {
        let changes = known.is_none_or(|id| {
            let identity = self.members.record(id).identity();
            identity.addr_bytes().unwrap_or_default() != alive.addr.unwrap_or_default()
                || identity.port() != alive.port
        });
        if !changes {
            return Ok(());
        }
        if !self.addr_allowed(alive.addr) {
            return Err(Refusal::Network);
        }
        let addr = alive.addr.unwrap_or_default();
        let usable = alive.port != 0 && ip_of(addr).is_some_and(names_one_host);
        if !usable && (self.config.differences.require_usable_address || addr.len() > 255) {
            return Err(Refusal::Address);
        }
        if known.is_none() && self.members.len() >= self.config.limits.members {
            return Err(Refusal::TooMany);
        }
        Ok(())
    }

    /// Asks the application whether to believe an alive message.
    pub(super) fn ask_admit(&mut self, alive: &Alive<'_>) -> Result<(), Refusal> {
        if !self.decider.is_some() {
            return Ok(());
        }
        let addr = alive.addr.unwrap_or_default();
        let candidate = Candidate {
            name: Name::new(alive.node),
            address: ip_of(addr).map(|ip| SocketAddr::new(ip, alive.port)),
            addr_bytes: addr,
            port: alive.port,
            meta: alive.meta.unwrap_or_default(),
            versions: alive.vsn.and_then(versions_of),
            incarnation: alive.incarnation,
            view: View { local: &self.me.name, members: &self.members },
        };
        self.decider.admit(&candidate).map_err(Refusal::Vetoed)
    }

    pub(super) fn addr_allowed(&self, addr: Option<&[u8]>) -> bool {
        if self.config.cidrs_allowed.is_none() {
            return true;
        }
        addr.and_then(ip_of).is_some_and(|ip| self.network_allows(ip))
    }
}

/// The IP address in 4 or 16 bytes; one mapped into IPv6 is an IPv4 address.
pub(super) fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_canonical())
}

pub(super) fn versions_of(vsn: &[u8]) -> Option<Versions> {
    Versions::from_vsn(vsn)
}

/// The identity that an alive message announces; versions it leaves out stay as they were.
pub(super) fn identity_of(alive: &Alive<'_>, old: Option<Versions>) -> Option<Identity> {
    Identity::new(parts_of(alive, old)).ok()
}

/// The parts of the identity that an alive message announces.
pub(super) fn parts_of<'a>(alive: &Alive<'a>, old: Option<Versions>) -> IdentityParts<'a> {
    IdentityParts {
        name: alive.node,
        addr: alive.addr,
        port: alive.port,
        meta: alive.meta,
        versions: alive.vsn.and_then(versions_of).or(old),
    }
}

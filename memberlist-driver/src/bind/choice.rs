//! The address to announce when a node listens on every address: as in Go (`GetPrivateIP` of
//! go-sockaddr), a private address of an interface that is up, preferably the default route's.

use std::cmp::Reverse;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use getifaddrs::InterfaceFlags;

use super::is_private;

/// How many addresses a message lists.
const NAMED: usize = 5;

/// An address of an interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) ip: IpAddr,
    pub(super) interface: String,
    /// The prefix length of its network, in bits.
    pub(super) prefix: u32,
    /// Whether the interface has a carrier.
    pub(super) running: bool,
}

/// The addresses and default routes of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) addresses: Vec<Candidate>,
    /// The source address of packets to the Internet, for each family that has a default route.
    pub(super) outward: Vec<IpAddr>,
}

/// The address to announce, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) ip: IpAddr,
    interface: String,
    /// The other private addresses, in order of preference.
    others: Vec<Candidate>,
    outward: Outward,
}

/// Where the default route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outward {
    /// Through the interface that was chosen.
    Here,
    /// Through another one.
    Elsewhere(Candidate),
    Nowhere,
}

/// Why a node that listens on every address cannot choose one to announce: no interface that is up
/// has a private address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAddress {
    /// The address that the node is bound to.
    pub bound: IpAddr,
    /// The addresses of the interfaces that are up, except loopback and link-local ones, each with
    /// its interface.
    pub found: Vec<(IpAddr, String)>,
}

impl Machine {
    /// Looks at the interfaces and the routes. Nothing is sent.
    pub(super) fn look() -> io::Result<Self> {
        let up = |interface: &getifaddrs::Interface| interface.flags.contains(InterfaceFlags::UP);
        let candidate = |interface: getifaddrs::Interface| {
            Some(Candidate {
                ip: interface.address.ip_addr()?,
                prefix: interface.address.netmask().map_or(0, prefix),
                running: interface.flags.contains(InterfaceFlags::RUNNING),
                interface: interface.name,
            })
        };
        let addresses = getifaddrs::getifaddrs()?.filter(up).filter_map(candidate).collect();
        Ok(Self { addresses, outward: outward() })
    }

    /// The best private address for a node bound to 0.0.0.0 or `[::]`.
    pub(super) fn choose(&self, bound: IpAddr) -> Result<Choice, NoAddress> {
        let reachable = |it: &&Candidate| {
            (it.ip.is_ipv4() || bound.is_ipv6()) && is_private(it.ip) && may_be_announced(it.ip)
        };
        let mut private: Vec<_> = self.addresses.iter().filter(reachable).cloned().collect();
        private.sort_by_key(|it| {
            // First the source address of outgoing packets: peers see it already, and it is never a
            // virtual address that moves between machines. Then Go's order, except that interfaces
            // without a carrier come last.
            let source = self.outward.contains(&it.ip);
            let here = self.outward_through(&it.interface);
            (Reverse(source), Reverse(here), Reverse(it.running), it.ip.is_ipv6(), it.prefix)
        });
        let mut private = private.into_iter();
        let Some(best) = private.next() else {
            let found = self.addresses.iter().filter(|it| may_be_announced(it.ip));
            let found = found.map(|it| (it.ip, it.interface.clone())).collect();
            return Err(NoAddress { bound, found });
        };
        let elsewhere = || self.addresses.iter().find(|it| self.outward.contains(&it.ip));
        let outward = if self.outward_through(&best.interface) {
            Outward::Here
        } else {
            elsewhere().cloned().map_or(Outward::Nowhere, Outward::Elsewhere)
        };
        let Candidate { ip, interface, .. } = best;
        Ok(Choice { ip, interface, others: private.collect(), outward })
    }

    fn outward_through(&self, interface: &str) -> bool {
        let source = |it: &Candidate| it.interface == interface && self.outward.contains(&it.ip);
        self.addresses.iter().any(source)
    }
}

impl Choice {
    /// Whether another address would be as good. One of the other family on the same interface is
    /// not a rival.
    pub(super) fn is_a_guess(&self) -> bool {
        let rival = |other: &Candidate| {
            other.interface != self.interface || other.ip.is_ipv4() == self.ip.is_ipv4()
        };
        self.outward != Outward::Here && self.others.iter().any(rival)
    }
}

/// The reason.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, others, outward, .. } = self;
        match others.len() {
            0 => write!(f, "the only private address, of {interface}; ")?,
            more => write!(f, "the first of {} private addresses, of {interface}; ", more + 1)?,
        }
        match outward {
            Outward::Here => f.write_str("the default route leads through the same interface")?,
            Outward::Nowhere => f.write_str("there is no default route")?,
            Outward::Elsewhere(Candidate { ip, interface, .. }) => {
                write!(f, "the default route leads through {interface}, by {ip}")?;
            }
        }
        let mut separator = "; the others: ";
        for Candidate { ip, interface, .. } in others.iter().take(NAMED) {
            write!(f, "{separator}{ip} of {interface}")?;
            separator = ", ";
        }
        if others.len() > NAMED { f.write_str(", …") } else { Ok(()) }
    }
}

impl std::error::Error for NoAddress {}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, found } = self;
        let only_v6 = !found.is_empty() && found.iter().all(|(ip, _)| ip.is_ipv6());
        // Only possible for IPv6 addresses, which a node bound to 0.0.0.0 cannot use.
        let local = found.iter().any(|(ip, _)| is_private(*ip));
        write!(f, "bound to {bound}, and ")?;
        f.write_str(match (found.is_empty(), only_v6, local) {
            (true, ..) => {
                "no interface of this machine that is up has an address that others can reach"
            }
            (_, true, true) => "this machine has IPv6 addresses only",
            (_, true, false) => {
                "this machine has IPv6 addresses only, none of them unique local (fc00::/7)"
            }
            (_, false, true) => "this machine has no private IPv4 address",
            (_, false, false) => "no address of this machine is private",
        })?;
        let mut separator = ": it has ";
        for (ip, interface) in found.iter().take(NAMED) {
            write!(f, "{separator}{ip} of {interface}")?;
            separator = ", ";
        }
        let more = if found.len() > NAMED { ", …" } else { "" };
        let advice = match (bound.is_ipv4(), only_v6, local) {
            (true, _, true) => "bind to [::], or set an address to advertise",
            (true, true, false) => "bind to [::] and set an address to advertise",
            _ => "set an address to advertise",
        };
        write!(f, "{more}; {advice}")
    }
}

/// The source address of packets to the Internet, per family. Connecting a UDP socket asks the kernel
/// for a route and sends nothing. Unlike reading the routing tables, this respects policy routing and
/// works the same on every system. The destinations are reserved for documentation, so that normally
/// only a default route leads to them.
fn outward() -> Vec<IpAddr> {
    let internet: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    let source = |(local, remote): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((local, 0)).ok()?;
        socket.connect((remote, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    internet.into_iter().filter_map(source).filter(|ip| !ip.is_unspecified()).collect()
}

/// Whether other machines might reach it ("forwardable" in go-sockaddr).
fn may_be_announced(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || link_local)
}

fn prefix(netmask: IpAddr) -> u32 {
    match netmask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    }
}

#[cfg(test)]
mod tests;

//! The sender of a packet, as the frame claims it.

use std::net::{IpAddr, SocketAddr};

/// The sender of a packet, as the frame claims it. It is trusted no more than the source address of
/// a UDP packet, which can be forged as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its IP address; `None` if the frame has none, a wildcard address (from a node that listens
    /// on every address), or a host name, which is not resolved.
    pub ip: Option<IpAddr>,
    /// Its port; 0 if the frame has none.
    pub port: u16,
}

impl Origin {
    /// Parses `address:port`, with an IPv6 address in brackets. Either part may be missing, and the
    /// address may be a host name; `None` for any other form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        if host.contains(['[', ']']) {
            return None;
        }
        let port = match port {
            "" => 0,
            digits if digits.bytes().all(|c| c.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        // The zone of a link-local address means something only on the sender's machine.
        let address = host.split('%').next().unwrap_or_default();
        let ip = address.parse().ok().map(|ip: IpAddr| ip.to_canonical());
        Some(Self { ip: ip.filter(|ip| !ip.is_unspecified()), port })
    }

    /// The sender's address; parts that the frame does not have are taken from `peer`, the address
    /// that the connection came from.
    pub fn address(self, peer: SocketAddr) -> SocketAddr {
        let port = if self.port == 0 { peer.port() } else { self.port };
        match self.ip {
            Some(ip) if ip != peer.ip().to_canonical() => SocketAddr::new(ip, port),
            // The same address, with the scope of this side if it is link-local.
            _ => {
                let mut address = peer;
                if peer.ip().to_canonical() != peer.ip() {
                    address = SocketAddr::new(peer.ip().to_canonical(), port);
                }
                address.set_port(port);
                address
            }
        }
    }
}

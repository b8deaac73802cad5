//! Who a packet is from.

use std::net::{IpAddr, SocketAddr};

/// The sender of a packet, as it names itself. That is not trusted more than the source address of a
/// UDP packet, which can be invented as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its address. A wildcard, which a node names that listens on every address, and a host name,
    /// which is not resolved, are none.
    pub ip: Option<IpAddr>,
    /// Its port; 0, if it names none.
    pub port: u16,
}

impl Origin {
    /// Reads `address:port`, with IPv6 in brackets. Either may be missing, and the address may be a
    /// host name. Nothing, if it is of any other form.
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

    /// The sender's address; what it does not say is taken from the address that its connection came
    /// from.
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

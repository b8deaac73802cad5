//! Forged messages: what a stranger sends to a node.

use std::net::{IpAddr, SocketAddr};

use memberlist_proto::wire::message::{Alive, Dead, Message, Suspect};

use super::command::Stage;
use super::{Problem, values};

const USAGE: Problem = Problem::Usage("forge NAME alive|suspect|dead WHO [OPTIONS]");

/// The address of a stranger, unless an option gives another.
const STRANGER: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 99, 0, 1)), 7946);

/// The options of a forged message.
struct Forgery<'a> {
    incarnation: u32,
    by: &'a str,
    address: SocketAddr,
    source: SocketAddr,
    versions: [u8; 6],
    meta: usize,
}

impl Stage {
    /// Hands a node a message that no node has sent.
    pub(super) fn forge(&mut self, rest: &[&str]) -> Result<(), Problem> {
        let [to, kind, who, options @ ..] = rest else { return Err(USAGE) };
        let (to, forgery) = (self.id(to)?, self.forgery(options)?);
        self.running(to)?;
        let node = if *who == "-" { "" } else { who }.as_bytes();
        let ip = forgery.address.ip();
        let bytes = match &ip {
            IpAddr::V4(ip) => &ip.octets()[..],
            IpAddr::V6(ip) => &ip.octets()[..],
        };
        let meta = vec![b'm'; forgery.meta];
        let (incarnation, from) = (forgery.incarnation, forgery.by.as_bytes());
        let message = match *kind {
            "alive" => Message::Alive(Alive {
                incarnation,
                node,
                addr: Some(bytes),
                port: forgery.address.port(),
                meta: Some(&meta),
                vsn: Some(&forgery.versions),
            }),
            "suspect" => Message::Suspect(Suspect { incarnation, node, from }),
            "dead" => Message::Dead(Dead { incarnation, node, from }),
            _ => return Err(USAGE),
        };
        let mut packet = Vec::new();
        message.encode(&mut packet);
        self.sim().forge(to, forgery.source, packet);
        Ok(())
    }

    fn forgery<'a>(&self, options: &'a [&'a str]) -> Result<Forgery<'a>, Problem> {
        let mut forgery = Forgery {
            incarnation: 1,
            by: "stranger",
            address: STRANGER,
            source: STRANGER,
            versions: [1, 5, 2, 0, 0, 0],
            meta: 0,
        };
        for option in values::options(options) {
            let (what, text) = option?;
            match what {
                "incarnation" => forgery.incarnation = values::number(what, text)?,
                "by" => forgery.by = text,
                "address" => forgery.address = self.place(text)?,
                "source" => forgery.source = self.place(text)?,
                "versions" if text == "crossed" => forgery.versions[..2].reverse(),
                "meta" => forgery.meta = values::size(what, text)?,
                _ => return Err(values::value("an option of a forgery", what)),
            }
        }
        Ok(forgery)
    }

    /// Parses an address, or the name of a node for the address of that node.
    fn place(&self, text: &str) -> Result<SocketAddr, Problem> {
        match self.id(text) {
            Ok(id) => Ok(self.sim_ref().address(id)),
            Err(_) => values::number("an address or a node", text),
        }
    }
}

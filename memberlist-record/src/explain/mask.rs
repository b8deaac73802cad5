//! Replacing names and addresses, so that an explanation can be shown to others.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};

use super::chronicle::Chronicle;
use super::moment::{Moment, Report, Took};
use super::said::Said;
use super::table::{Change, Gone, Row, Table};

/// Replaces each name and each address with another one, the same ones always alike. A chronicle
/// holds no data of the application in the first place.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    names: BTreeMap<String, String>,
    addresses: BTreeMap<SocketAddr, SocketAddr>,
}

impl Mask {
    /// The replacement for a name; empty for an empty one.
    pub fn name(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let next = format!("node-{}", self.names.len() + 1);
        self.names.entry(name.to_owned()).or_insert(next).clone()
    }

    /// The replacement for an address: an IPv6 address that is reserved for documentation.
    pub fn address(&mut self, address: SocketAddr) -> SocketAddr {
        let next = self.addresses.len() as u128 + 1;
        let prefix = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0));
        let masked = SocketAddr::from((Ipv6Addr::from(prefix + next), 7946));
        *self.addresses.entry(address).or_insert(masked)
    }

    /// A copy of a chronicle with all names and addresses replaced, without the seed, and with a
    /// default configuration.
    pub fn chronicle(&mut self, chronicle: &Chronicle) -> Chronicle {
        let mut masked = chronicle.clone();
        masked.node = self.name(&chronicle.node);
        masked.address = self.address(chronicle.address);
        masked.born.seed.clear();
        masked.config = memberlist_proto::Config::lan(masked.node.as_str());
        masked.first = self.table(&chronicle.first);
        masked.last = self.table(&chronicle.last);
        let names = chronicle.names.iter();
        masked.names =
            names.map(|(address, name)| (self.address(*address), self.name(name))).collect();
        for moment in &mut masked.moments {
            self.moment(moment);
        }
        masked
    }

    fn table(&mut self, table: &Table) -> Table {
        Table(table.0.iter().map(|(name, row)| (self.name(name), self.row(row))).collect())
    }

    fn row(&mut self, row: &Row) -> Row {
        let mut masked = row.clone();
        masked.address = row.address.map(|it| self.address(it));
        masked.accusers = row.accusers.iter().map(|it| self.name(it)).collect();
        match &mut masked.departure {
            Some(Gone::Failed { by }) => by.iter_mut().for_each(|it| *it = self.name(it)),
            Some(Gone::Declared { by }) => *by = self.name(by),
            _ => {}
        }
        masked
    }

    fn moment(&mut self, moment: &mut Moment) {
        match &mut moment.input {
            Took::Packet { from, error, .. } => {
                *from = self.address(*from);
                // The text of an error may quote the packet.
                *error = error.as_ref().map(|_| "not all of it can be read".to_owned());
            }
            Took::Stream { peer, .. } => *peer = peer.map(|it| self.address(it)),
            _ => {}
        }
        moment.heard.iter_mut().for_each(|said| self.said(said));
        for sent in &mut moment.sent {
            sent.to = sent.to.map(|it| self.address(it));
            sent.node = sent.node.as_ref().map(|it| self.name(it));
            sent.said.iter_mut().for_each(|said| self.said(said));
        }
        for report in &mut moment.reports {
            if let Report::Node { node, .. } | Report::Pinged { node, .. } = report {
                *node = self.name(node);
            }
        }
        for change in &mut moment.changes {
            let Change { node, before, after } = change;
            *node = self.name(node);
            *before = before.as_ref().map(|row| self.row(row));
            *after = after.as_ref().map(|row| self.row(row));
        }
    }

    fn said(&mut self, said: &mut Said) {
        match said {
            Said::Ping { node, by, .. }
            | Said::IndirectPing { node, by, .. }
            | Said::Suspect { node, by, .. }
            | Said::Dead { node, by, .. } => {
                *node = self.name(node);
                *by = self.name(by);
            }
            Said::Alive { node, address, .. } => {
                *node = self.name(node);
                *address = address.map(|it| self.address(it));
            }
            Said::State { nodes, .. } => {
                for (name, ..) in nodes {
                    *name = self.name(name);
                }
            }
            Said::Ack { .. } | Said::Nack { .. } | Said::User { .. } | Said::Error => {}
        }
    }
}

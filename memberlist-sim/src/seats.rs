//! All nodes, and which of them runs at which address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Index, IndexMut};

use memberlist_proto::Config;

use crate::app::App;
use crate::seat::{NodeId, Seat};

#[derive(Default)]
pub(crate) struct Seats {
    seats: Vec<Seat>,
    /// The nodes that run.
    addresses: BTreeMap<SocketAddr, NodeId>,
}

impl Seats {
    pub(crate) fn add(&mut self, config: Config, app: Box<dyn App>, forgetful: bool) -> NodeId {
        let id = NodeId::new(self.seats.len());
        self.seats.push(Seat::new(id, config, app, forgetful));
        id
    }

    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.seats.len()).map(NodeId::new)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter()
    }

    /// The node that runs at an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<NodeId> {
        self.addresses.get(&address).copied()
    }

    /// The node that prevents another from starting at an address.
    pub(crate) fn in_the_way(&self, id: NodeId, ip: IpAddr) -> Option<NodeId> {
        self.at(SocketAddr::new(ip, self[id].config().advertise_port))
    }

    /// Notes that a node runs at its address from now on.
    pub(crate) fn settle(&mut self, id: NodeId) {
        let address = self[id].address();
        let before = self.addresses.insert(address, id);
        assert!(before.is_none(), "two nodes at {address}");
    }

    /// Notes that a node no longer runs.
    pub(crate) fn vacate(&mut self, id: NodeId) {
        let address = self[id].address();
        if self.at(address) == Some(id) {
            self.addresses.remove(&address);
        }
    }
}

impl Index<NodeId> for Seats {
    type Output = Seat;

    fn index(&self, id: NodeId) -> &Seat {
        &self.seats[id.index()]
    }
}

impl IndexMut<NodeId> for Seats {
    fn index_mut(&mut self, id: NodeId) -> &mut Seat {
        &mut self.seats[id.index()]
    }
}

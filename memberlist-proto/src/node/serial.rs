//! A node, and its identity: as plain data, and in a form for people.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Identity, IdentityParts, Node, NodeName, State, Versions};
use crate::serial::text;
use crate::time::Instant;

/// The parts of an identity.
#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    name: Cow<'a, [u8]>,
    addr: Option<Cow<'a, [u8]>>,
    port: u16,
    meta: Option<Cow<'a, [u8]>>,
    versions: Option<[u8; 6]>,
}

impl<'a> Plain<'a> {
    fn of(identity: &'a Identity) -> Self {
        Self {
            name: identity.name().as_bytes().into(),
            addr: identity.addr_bytes().map(Cow::Borrowed),
            port: identity.port(),
            meta: identity.meta().map(Cow::Borrowed),
            versions: identity.vsn_bytes(),
        }
    }

    fn identity<E: serde::de::Error>(&self) -> Result<Identity, E> {
        let parts = IdentityParts {
            name: &self.name,
            addr: self.addr.as_deref(),
            port: self.port,
            meta: self.meta.as_deref(),
            versions: self.versions.map(Versions::from_bytes),
        };
        Identity::new(parts).map_err(E::custom)
    }
}

/// The same in the form for people; see [`Node`].
#[derive(Serialize, Deserialize)]
struct Readable {
    name: NodeName,
    address: Option<SocketAddr>,
    /// Only where it does not follow from the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announced: Option<Announced>,
    meta: Option<Text>,
    versions: Option<Versions>,
}

/// What was announced as an address.
#[derive(Serialize, Deserialize)]
struct Announced {
    addr: Option<Vec<u8>>,
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct Text(#[serde(with = "text")] Vec<u8>);

impl Readable {
    fn of(identity: &Identity) -> Self {
        let (address, addr) = (identity.socket_addr(), identity.addr_bytes());
        let follows = address.is_some_and(|it| Some(&octets(it.ip())[..]) == addr);
        let announced = Announced { addr: addr.map(<[u8]>::to_vec), port: identity.port() };
        Self {
            name: identity.node_name(),
            address,
            announced: (!follows).then_some(announced),
            meta: identity.meta().map(|meta| Text(meta.to_vec())),
            versions: identity.versions(),
        }
    }

    fn identity<E: serde::de::Error>(self) -> Result<Identity, E> {
        let (addr, port) = match (self.announced, self.address) {
            (Some(announced), _) => (announced.addr, announced.port),
            (None, Some(address)) => (Some(octets(address.ip())), address.port()),
            (None, None) => return Err(E::missing_field("announced")),
        };
        let parts = IdentityParts {
            name: self.name.as_bytes(),
            addr: addr.as_deref(),
            port,
            meta: self.meta.as_ref().map(|meta| &meta.0[..]),
            versions: self.versions,
        };
        Identity::new(parts).map_err(E::custom)
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            Readable::of(self).serialize(to)
        } else {
            Plain::of(self).serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            Readable::deserialize(from)?.identity()
        } else {
            Plain::deserialize(from)?.identity()
        }
    }
}

/// A node beside its identity. The plain form goes on where that of the identity ends.
#[derive(Serialize, Deserialize)]
struct Standing {
    incarnation: u32,
    state: State,
    since: u64,
}

#[derive(Serialize, Deserialize)]
struct ReadableNode {
    #[serde(flatten)]
    identity: Readable,
    #[serde(flatten)]
    standing: Standing,
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (incarnation, state) = (self.incarnation(), self.state());
        let standing = Standing { incarnation, state, since: self.since().as_nanos() };
        if to.is_human_readable() {
            let identity = Readable::of(self.identity());
            ReadableNode { identity, standing }.serialize(to)
        } else {
            (Plain::of(self.identity()), standing).serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (identity, Standing { incarnation, state, since }) = if from.is_human_readable() {
            let ReadableNode { identity, standing } = ReadableNode::deserialize(from)?;
            (identity.identity()?, standing)
        } else {
            let (identity, standing) = <(Plain<'_>, Standing)>::deserialize(from)?;
            (identity.identity()?, standing)
        };
        Ok(Self::new(identity, incarnation, state, Instant::from_nanos(since)))
    }
}

#[cfg(test)]
mod tests;

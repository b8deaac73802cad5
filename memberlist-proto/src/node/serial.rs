//! A node, and its identity, as plain data.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Identity, IdentityParts, Node, State, Versions};
use crate::time::Instant;

/// The parts of a node.
#[derive(Serialize, Deserialize)]
struct Plain {
    name: Vec<u8>,
    addr: Option<Vec<u8>>,
    port: u16,
    meta: Option<Vec<u8>>,
    versions: Option<[u8; 6]>,
    incarnation: u32,
    state: State,
    since: u64,
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let identity = self.identity();
        let plain = Plain {
            name: identity.name().as_bytes().to_vec(),
            addr: identity.addr_bytes().map(<[u8]>::to_vec),
            port: identity.port(),
            meta: identity.meta().map(<[u8]>::to_vec),
            versions: identity.vsn_bytes(),
            incarnation: self.incarnation(),
            state: self.state(),
            since: self.since().as_nanos(),
        };
        plain.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let plain = Plain::deserialize(from)?;
        let identity = Identity::new(IdentityParts {
            name: &plain.name,
            addr: plain.addr.as_deref(),
            port: plain.port,
            meta: plain.meta.as_deref(),
            versions: plain.versions.map(Versions::from_bytes),
        })
        .map_err(D::Error::custom)?;
        let since = Instant::from_nanos(plain.since);
        Ok(Self::new(identity, plain.incarnation, plain.state, since))
    }
}

/// The parts of an identity.
#[derive(Serialize, Deserialize)]
struct PlainIdentity<'a> {
    name: Cow<'a, [u8]>,
    addr: Option<Cow<'a, [u8]>>,
    port: u16,
    meta: Option<Cow<'a, [u8]>>,
    versions: Option<[u8; 6]>,
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let plain = PlainIdentity {
            name: self.name().as_bytes().into(),
            addr: self.addr_bytes().map(Cow::Borrowed),
            port: self.port(),
            meta: self.meta().map(Cow::Borrowed),
            versions: self.vsn_bytes(),
        };
        plain.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let plain = PlainIdentity::deserialize(from)?;
        Self::new(IdentityParts {
            name: &plain.name,
            addr: plain.addr.as_deref(),
            port: plain.port,
            meta: plain.meta.as_deref(),
            versions: plain.versions.map(Versions::from_bytes),
        })
        .map_err(D::Error::custom)
    }
}

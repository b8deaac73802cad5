//! A node's identity, in one allocation.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smallvec::SmallVec;
use thiserror::Error;
use triomphe::Arc;

use super::{Name, NodeName, Versions};

/// Name, address, versions and metadata of a node, exactly as the node announced them, in one
/// allocation that clones share. Two identities are equal if their contents are.
///
/// The address bytes are kept as received: the 4-byte and the IPv4-mapped 16-byte form of one
/// address are different addresses to this protocol (a node that changes between them causes a
/// name conflict), and each must be passed on as it was received.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<[u8]>);

/// The parts of an [`Identity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentityParts<'a> {
    /// The name, at most 65,535 bytes.
    pub name: &'a [u8],
    /// The raw address, at most 255 bytes; `None` for nil.
    pub addr: Option<&'a [u8]>,
    /// The port for packets and streams.
    pub port: u16,
    /// The application's metadata; `None` for nil.
    pub meta: Option<&'a [u8]>,
    /// The versions; `None` if unknown.
    pub versions: Option<Versions>,
}

/// Why an [`Identity`] could not be made. The limits on received names and addresses are well below
/// these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The name has more than 65,535 bytes.
    #[error("a node name of {0} bytes is longer than {max}", max = u16::MAX)]
    NameTooLong(usize),
    /// The address has more than 255 bytes.
    #[error("a node address of {0} bytes is longer than {max}", max = u8::MAX)]
    AddrTooLong(usize),
}

// The packed form: this header, then name, address, metadata (to the end). Absent parts are zero, so
// that equal contents have equal bytes, and comparing and hashing need not unpack them. A table of
// 100,000 members holds an identity of each: one allocation, instead of one for each part, is what
// keeps their memory small, and an `Arc` that counts no weak references.
const FLAGS: usize = 0;
const ADDR_LEN: usize = 1;
const PORT: usize = 2;
const NAME_LEN: usize = 4;
const VERSIONS: usize = 6;
const HEADER: usize = 12;

const HAS_ADDR: u8 = 1;
const HAS_META: u8 = 2;
const HAS_VERSIONS: u8 = 4;

impl Identity {
    /// An identity with these parts.
    ///
    /// # Errors
    /// The name or the address is too long.
    pub fn new(parts: IdentityParts<'_>) -> Result<Self, IdentityError> {
        let IdentityParts { name, addr, port, meta, versions } = parts;
        let addr_bytes = addr.unwrap_or_default();
        let name_len =
            u16::try_from(name.len()).map_err(|_| IdentityError::NameTooLong(name.len()))?;
        let addr_len = u8::try_from(addr_bytes.len())
            .map_err(|_| IdentityError::AddrTooLong(addr_bytes.len()))?;

        let mut header = [0; HEADER];
        header[FLAGS] = flag(addr.is_some(), HAS_ADDR)
            | flag(meta.is_some(), HAS_META)
            | flag(versions.is_some(), HAS_VERSIONS);
        header[ADDR_LEN] = addr_len;
        // In native byte order: the packed form never leaves the process.
        header[PORT..NAME_LEN].copy_from_slice(&port.to_ne_bytes());
        header[NAME_LEN..VERSIONS].copy_from_slice(&name_len.to_ne_bytes());
        header[VERSIONS..].copy_from_slice(&versions.unwrap_or_default().to_bytes());
        // Assembled in a buffer that most identities fit into without an allocation, then copied as
        // a whole.
        let mut packed = SmallVec::<[u8; 128]>::new();
        for part in [&header, name, addr_bytes, meta.unwrap_or_default()] {
            packed.extend_from_slice(part);
        }
        Ok(Self(Arc::from(&packed[..])))
    }

    /// The node's name.
    pub fn name(&self) -> Name<'_> {
        Name::new(&self.0[HEADER..self.name_end()])
    }

    /// The name as an owned value, which shares this allocation.
    pub fn node_name(&self) -> NodeName {
        NodeName::of(self)
    }

    /// The raw address as received; `None` for nil.
    pub fn addr_bytes(&self) -> Option<&[u8]> {
        self.has(HAS_ADDR).then(|| &self.0[self.name_end()..self.addr_end()])
    }

    /// The address, if it is 4 or 16 bytes long. An IPv4-mapped address is returned as IPv4.
    pub fn ip(&self) -> Option<IpAddr> {
        let addr = self.addr_bytes()?;
        if let Ok(octets) = <[u8; 4]>::try_from(addr) {
            return Some(Ipv4Addr::from(octets).into());
        }
        // Sockets reject the mapped form on IPv4, and rules on networks are written for IPv4.
        let octets = <[u8; 16]>::try_from(addr).ok()?;
        Some(Ipv6Addr::from(octets).to_canonical())
    }

    /// Address and port, if the address is 4 or 16 bytes long; also if the address is unspecified
    /// or the port is 0.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.ip().map(|ip| SocketAddr::new(ip, self.port()))
    }

    /// The port for packets and streams.
    pub fn port(&self) -> u16 {
        self.u16_at(PORT)
    }

    /// The application's metadata; `None` for nil.
    pub fn meta(&self) -> Option<&[u8]> {
        self.has(HAS_META).then(|| &self.0[self.addr_end()..])
    }

    /// The versions; `None` if unknown.
    pub fn versions(&self) -> Option<Versions> {
        self.vsn_bytes().map(Versions::from_bytes)
    }

    /// The versions as the six bytes of a `Vsn` field; `None` if unknown.
    pub fn vsn_bytes(&self) -> Option<[u8; 6]> {
        let mut bytes = [0; 6];
        bytes.copy_from_slice(&self.0[VERSIONS..HEADER]);
        self.has(HAS_VERSIONS).then_some(bytes)
    }

    /// All parts, borrowed: the base of a changed identity.
    pub fn parts(&self) -> IdentityParts<'_> {
        IdentityParts {
            name: self.name().as_bytes(),
            addr: self.addr_bytes(),
            port: self.port(),
            meta: self.meta(),
            versions: self.versions(),
        }
    }

    /// Whether both share one allocation.
    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn has(&self, flag: u8) -> bool {
        self.0[FLAGS] & flag != 0
    }

    fn name_end(&self) -> usize {
        HEADER + usize::from(self.u16_at(NAME_LEN))
    }

    fn addr_end(&self) -> usize {
        self.name_end() + usize::from(self.0[ADDR_LEN])
    }

    fn u16_at(&self, offset: usize) -> u16 {
        u16::from_ne_bytes([self.0[offset], self.0[offset + 1]])
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("name", &self.name())
            .field("addr", &self.addr_bytes())
            .field("port", &self.port())
            .field("meta", &self.meta())
            .field("versions", &self.versions())
            .finish()
    }
}

const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

//! Node names: bytes, displayed as text.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use triomphe::Arc;

use super::{Identity, Node};

/// The name of a node, unique in its cluster. Names are compared byte by byte; a clone shares the
/// bytes.
///
/// Names are bytes on the wire and need not be UTF-8: `Display` shows invalid sequences as `�`,
/// while `Debug` escapes them and loses nothing.
#[derive(Clone)]
pub struct NodeName(Repr);

/// Bytes of its own, or the identity of a known node, whose name then needs no copy: events, timers
/// and accusations refer to nodes by name, and there may be one of each for every member.
#[derive(Clone)]
enum Repr {
    Own(Arc<[u8]>),
    Of(Identity),
}

impl NodeName {
    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Own(bytes) => bytes,
            Repr::Of(identity) => identity.name().as_bytes(),
        }
    }

    /// The borrowed form.
    pub fn as_name(&self) -> Name<'_> {
        Name(self.as_bytes())
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    pub(super) fn of(identity: &Identity) -> Self {
        Self(Repr::Of(identity.clone()))
    }
}

impl Default for NodeName {
    fn default() -> Self {
        Self::from("")
    }
}

impl PartialEq for NodeName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for NodeName {}

impl PartialOrd for NodeName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NodeName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for NodeName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// The borrowed form of a [`NodeName`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The name of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Length in bytes.
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// An owned copy.
    pub fn to_owned_name(self) -> NodeName {
        NodeName(Repr::Own(self.0.into()))
    }
}

impl From<&str> for NodeName {
    fn from(name: &str) -> Self {
        Self(Repr::Own(name.as_bytes().into()))
    }
}

impl From<String> for NodeName {
    fn from(name: String) -> Self {
        Self(Repr::Own(name.into_bytes().into()))
    }
}

impl From<&String> for NodeName {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<Vec<u8>> for NodeName {
    fn from(name: Vec<u8>) -> Self {
        Self(Repr::Own(name.into()))
    }
}

impl From<&Self> for NodeName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

/// The name of a node.
impl From<&Node> for NodeName {
    fn from(node: &Node) -> Self {
        node.identity().node_name()
    }
}

/// Any text is a name; how long one may be depends on the configuration.
impl FromStr for NodeName {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::from(name))
    }
}

impl From<&[u8]> for NodeName {
    fn from(name: &[u8]) -> Self {
        Self(Repr::Own(name.into()))
    }
}

impl From<Name<'_>> for NodeName {
    fn from(name: Name<'_>) -> Self {
        name.to_owned_name()
    }
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(name: &'a str) -> Self {
        Self(name.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Name<'a> {
    fn from(name: &'a [u8]) -> Self {
        Self(name)
    }
}

impl<'a> From<&'a NodeName> for Name<'a> {
    fn from(name: &'a NodeName) -> Self {
        name.as_name()
    }
}

impl Borrow<[u8]> for NodeName {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for NodeName {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Name<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

/// Comparisons of every form of a name with every other.
macro_rules! compare {
    ($($left:ty => $right:ty),* $(,)?) => { $(
        impl PartialEq<$right> for $left {
            fn eq(&self, other: &$right) -> bool {
                let (left, right): (&[u8], &[u8]) = (self.as_ref(), other.as_ref());
                left == right
            }
        }

        impl PartialOrd<$right> for $left {
            fn partial_cmp(&self, other: &$right) -> Option<Ordering> {
                let (left, right): (&[u8], &[u8]) = (self.as_ref(), other.as_ref());
                left.partial_cmp(right)
            }
        }
    )* };
}

compare! {
    NodeName => Name<'_>, NodeName => [u8], NodeName => &[u8], NodeName => str, NodeName => &str,
    Name<'_> => NodeName, Name<'_> => [u8], Name<'_> => &[u8], Name<'_> => str, Name<'_> => &str,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

/// A quoted string in which everything unprintable is escaped; unlike `Display` it loses nothing.
impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        f.write_char('"')
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_name(), f)
    }
}

#[cfg(feature = "serde")]
mod serial {
    //! Text where a name is text and a person may read it, else bytes.

    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Serialize, Serializer};

    use super::NodeName;
    use crate::serial::text;

    impl Serialize for NodeName {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            text::serialize(self.as_bytes(), to)
        }
    }

    impl<'de> Deserialize<'de> for NodeName {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            text::deserialize(from).map(|bytes| NodeName::from(&bytes[..]))
        }
    }
}

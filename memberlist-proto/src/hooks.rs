//! Questions that the core asks in the middle of a call, and that must be answered at once.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use crate::members::Members;
use crate::node::{Name, Node, NodeName, Versions};

/// Decisions of the application that are needed at once, and cannot wait for
/// [`Memberlist::answer`](crate::Memberlist::answer).
///
/// Each method is called inside a call into the core, so it must return quickly and must not call
/// into the same node. Every method has a default, which is also what happens without hooks. A user
/// of an adapter implements that adapter's `Delegate` instead, which has these methods and more.
///
/// ```
/// use memberlist_proto::{Candidate, Hooks};
///
/// /// Admits only nodes whose name begins with a prefix.
/// struct Prefix(&'static [u8]);
///
/// impl Hooks for Prefix {
///     fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
///         if candidate.name.as_bytes().starts_with(self.0) {
///             Ok(())
///         } else {
///             Err("not one of ours".into())
///         }
///     }
/// }
/// ```
pub trait Hooks: Send + Sync {
    /// Whether to believe that a node is alive (Go: `NotifyAlive`). Asked for every alive message
    /// from anywhere: duplicates, old news and this node's own announcement included.
    ///
    /// # Errors
    ///
    /// The reason for refusing; the message is then dropped.
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let _ = candidate;
        Ok(())
    }

    /// What the ack to a ping packet carries (Go: `AckPayload`): keep it far below the packet
    /// size. `None` and an empty payload are different on the wire.
    fn ack_payload(&self) -> Option<Bytes> {
        None
    }

    /// Returns messages for the packet that is being built (Go: `GetBroadcasts`). Each counts with
    /// `overhead` bytes more than its length; all together may take at most `limit` bytes. Those
    /// beyond it are held back for a later packet, and dropped if they fit into none, unless
    /// `differences.enforce_broadcast_limit` is off.
    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        let _ = (view, overhead, limit);
        Vec::new()
    }

    /// Whether a member that does not answer packets may be probed over a stream (Go: the
    /// opposite of `DisableTcpPingsForNode`).
    fn stream_ping(&self, node: Name<'_>) -> bool {
        let _ = node;
        true
    }
}

/// A node that claims to be alive.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// Its address; `None` if its IP address is neither 4 nor 16 bytes long. It may be unspecified,
    /// and the port may be 0.
    pub address: Option<SocketAddr>,
    /// The bytes of its IP address as received.
    pub addr_bytes: &'a [u8],
    /// Its port.
    pub port: u16,
    /// Its metadata.
    pub meta: &'a [u8],
    /// Its protocol versions, if it announced them.
    pub versions: Option<Versions>,
    /// The incarnation of the claim.
    pub incarnation: u32,
    /// The members known when the question is asked.
    pub view: View<'a>,
}

/// A view of the members as they are now, which the core lends to a delegate.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) local: &'a NodeName,
    pub(crate) members: &'a Members,
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View").field("local", self.local).finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    /// This node's name.
    pub fn local(&self) -> &'a NodeName {
        self.local
    }

    /// The members that are alive or suspect, this node included unless it has left, in no
    /// particular order.
    pub fn members(&self) -> impl Iterator<Item = Node> + 'a {
        let members = self.members;
        members.iter().map(|(_, record)| record.to_node()).filter(|node| node.state().is_live())
    }

    /// How many members are alive or suspect.
    pub fn num_members(&self) -> usize {
        self.members.num_live()
    }

    /// The node of this name, in any state; `None` if it is not known.
    pub fn node(&self, name: &[u8]) -> Option<Node> {
        self.members.get(name).map(|id| self.members.node(id))
    }
}

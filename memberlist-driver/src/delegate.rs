//! The decisions that a node leaves to its application.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memberlist_proto::{Candidate, Hooks, Name, Node, View};

/// The decisions that an application makes for its node, and what it adds to the packets and states
/// that the node sends.
///
/// Every method has a default, which is also what happens without a delegate. Give a node its
/// delegate by [`Options::delegate`](crate::bind::Options::delegate).
///
/// **[`admit`](Self::admit), [`ack_payload`](Self::ack_payload), [`broadcasts`](Self::broadcasts)
/// and [`stream_ping`](Self::stream_ping)** are called inside the node, while it is locked: they
/// must return within microseconds, since every packet and every call on a handle waits for them.
/// Calls that they make on the handle of any node fail with
/// [`Error::Reentrant`](crate::Error::Reentrant); where they may need to know the membership, they
/// are given a [`View`] of it.
///
/// **[`local_state`](Self::local_state) and [`admit_merge`](Self::admit_merge)** are called on a
/// thread where they may block, and they may call the node. They delay only the exchange that they
/// belong to, which fails if there is no answer within `tcp_timeout`. Up to 16 calls run at once,
/// and up to 1,024 questions wait for one of these to return. Questions beyond those, and all
/// questions while no call has begun or returned for 10 seconds, are answered without the delegate:
/// this is logged, and the answer is the default, except that a merge is refused.
///
/// If a method panics, the panic's message is logged under the target `memberlist::delegate`, and
/// the answer is the default, except that a panic in `admit` or `admit_merge` refuses.
///
/// ```
/// use memberlist_driver::Delegate;
/// use memberlist_proto::Candidate;
///
/// /// Admits only nodes whose name begins with a prefix.
/// struct Prefix(&'static [u8]);
///
/// impl Delegate for Prefix {
///     fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
///         if candidate.name.as_bytes().starts_with(self.0) {
///             Ok(())
///         } else {
///             Err("not one of ours".into())
///         }
///     }
/// }
/// ```
pub trait Delegate: Send + Sync + 'static {
    /// Whether to accept a message that says that a node is alive (Go: `NotifyAlive`).
    ///
    /// Called for every such message, from packets and from full state exchanges, including
    /// duplicates, messages that are out of date, and this node's own announcements. By default
    /// each is accepted.
    ///
    /// # Errors
    ///
    /// The reason for refusing. The message is dropped, and reported as
    /// [`Event::Refused`](memberlist_proto::Event::Refused) with
    /// [`Refusal::Vetoed`](memberlist_proto::Refusal::Vetoed). Refusing this node's own announcement
    /// fails the `set_meta` that made it.
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        let _ = candidate;
        Ok(())
    }

    /// The payload of the ack to a ping (Go: `AckPayload`), which the node that sent the ping
    /// receives in [`Event::Pinged`](memberlist_proto::Event::Pinged).
    ///
    /// Called for each ping that arrives by packet. Keep it far below the packet size
    /// (`udp_buffer_size`, 1,400 bytes by default): an ack that is too long for the network is
    /// lost, and this node is then suspected. `None`, the default, and an empty payload differ on
    /// the wire, but not for the other node's application.
    fn ack_payload(&self) -> Option<Bytes> {
        None
    }

    /// Messages to add to the packet that is being built (Go: `GetBroadcasts`), for applications
    /// with queues of their own ([`TransmitLimitedQueue`](memberlist_proto::TransmitLimitedQueue)).
    /// All others use [`Handle::broadcast`](crate::Handle::broadcast).
    ///
    /// Called for each packet that has room for gossip. Each message counts as its length plus
    /// `overhead` bytes, and all of them together must not exceed `limit` bytes. Messages beyond
    /// the limit are kept for a later packet, and counted in `broadcasts_over_limit`. By default
    /// there are none.
    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        let _ = (view, overhead, limit);
        Vec::new()
    }

    /// Whether this delegate ever returns [`broadcasts`](Self::broadcasts). Called once, when the
    /// node starts. If `false`, `broadcasts` is never called, and a node that has nothing to gossip
    /// sleeps instead of waking up in every gossip interval. `true` by default.
    fn has_broadcasts(&self) -> bool {
        true
    }

    /// Whether to probe a member over a stream when it does not answer a ping by packet (Go: the
    /// opposite of `DisableTcpPingsForNode`).
    ///
    /// Called each time a direct probe has failed, unless `disable_tcp_pings` is set. By default
    /// every member may be probed this way.
    fn stream_ping(&self, node: Name<'_>) -> bool {
        let _ = node;
        true
    }

    /// The application's state, which is sent to the other node in a full state exchange (Go:
    /// `LocalState`), and which that node reports as
    /// [`Event::RemoteState`](memberlist_proto::Event::RemoteState).
    ///
    /// Called for each exchange, whichever side began it; `join` says whether the exchange is part
    /// of a join, or of the search for seeds and lost members. The state may have up to
    /// `limits.stream_bytes` (20 MiB by default); with a longer one the exchange fails. By default
    /// the state is empty, and the other node reports no event.
    fn local_state(&self, join: bool) -> Bytes {
        let _ = join;
        Bytes::new()
    }

    /// Whether to merge the state of a peer that joins, or that this node joins (Go:
    /// `NotifyMerge`).
    ///
    /// Called in exchanges that are part of a join, before any of the peer's state is used; `peers`
    /// is every node that the peer knows, each in the state that the peer has recorded. By default
    /// everything is merged.
    ///
    /// # Errors
    ///
    /// The reason for refusing. Nothing is merged then, and the exchange fails with
    /// [`ExchangeError::Vetoed`](memberlist_proto::ExchangeError::Vetoed).
    fn admit_merge(&self, peers: &[Node]) -> Result<(), String> {
        let _ = peers;
        Ok(())
    }
}

/// For one delegate of several nodes, or one that the application also keeps.
impl<D: Delegate + ?Sized> Delegate for Arc<D> {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        (**self).admit(candidate)
    }

    fn ack_payload(&self) -> Option<Bytes> {
        (**self).ack_payload()
    }

    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        (**self).broadcasts(view, overhead, limit)
    }

    fn has_broadcasts(&self) -> bool {
        (**self).has_broadcasts()
    }

    fn stream_ping(&self, node: Name<'_>) -> bool {
        (**self).stream_ping(node)
    }

    fn local_state(&self, join: bool) -> Bytes {
        (**self).local_state(join)
    }

    fn admit_merge(&self, peers: &[Node]) -> Result<(), String> {
        (**self).admit_merge(peers)
    }
}

/// The decisions that the core needs at once, while the node is locked.
pub(crate) struct Decisions {
    delegate: Option<Arc<dyn Delegate>>,
    /// No two members may have the same address, since certificates bind addresses to names.
    one_name: bool,
    /// Panics that are not logged yet: logging may run any code, which must not happen under the
    /// lock.
    panics: Mutex<Vec<Panicked>>,
}

/// A method of a delegate that panicked.
#[derive(Debug)]
pub(crate) struct Panicked {
    /// The method.
    pub(crate) method: &'static str,
    /// The panic's message.
    pub(crate) message: String,
}

impl Decisions {
    /// `None` if there is nothing to decide.
    pub(crate) fn new(delegate: Option<Arc<dyn Delegate>>, one_name: bool) -> Option<Self> {
        let decides = delegate.is_some() || one_name;
        decides.then(|| Self { delegate, one_name, panics: Mutex::default() })
    }

    /// The panics since the last call.
    pub(crate) fn take_panics(&self) -> Vec<Panicked> {
        std::mem::take(&mut *self.panics.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the delegate, if there is one, ever has broadcasts.
    pub(crate) fn has_broadcasts(&self) -> bool {
        self.delegate.is_some()
            && self.ask("has_broadcasts", Delegate::has_broadcasts).unwrap_or(true)
    }

    /// Asks the delegate. `None` if there is none, or if it panics: the core is in the middle of a
    /// step that it must complete.
    fn ask<T>(&self, method: &'static str, question: impl FnOnce(&dyn Delegate) -> T) -> Option<T> {
        let delegate = self.delegate.as_deref()?;
        DECIDING.set(true);
        let answer = caught(method, || question(delegate));
        DECIDING.set(false);
        let panicked = match answer {
            Ok(answer) => return Some(answer),
            Err(panicked) => panicked,
        };
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).push(panicked);
        None
    }
}

impl Hooks for Decisions {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        if self.one_name
            && let Some(other) = other_at_its_address(candidate)
        {
            return Err(format!("its address is that of the member {other}"));
        }
        if self.delegate.is_none() {
            return Ok(());
        }
        let answer = self.ask("admit", |delegate| delegate.admit(candidate));
        answer.unwrap_or_else(|| Err("the delegate panicked".into()))
    }

    fn ack_payload(&self) -> Option<Bytes> {
        self.ask("ack_payload", Delegate::ack_payload).flatten()
    }

    fn broadcasts(&self, view: &View<'_>, overhead: usize, limit: usize) -> Vec<Bytes> {
        let answer = self.ask("broadcasts", |delegate| delegate.broadcasts(view, overhead, limit));
        answer.unwrap_or_default()
    }

    fn stream_ping(&self, node: Name<'_>) -> bool {
        self.ask("stream_ping", |delegate| delegate.stream_ping(node)).unwrap_or(true)
    }
}

/// The name of another member at the candidate's address, unless the candidate is itself known as a
/// live member there.
fn other_at_its_address(candidate: &Candidate<'_>) -> Option<String> {
    let address = candidate.address?;
    let name = candidate.name.as_bytes();
    let known = candidate.view.node(name);
    if known.is_some_and(|known| known.state().is_live() && known.address() == Some(address)) {
        return None;
    }
    let mut others = candidate.view.members().filter(|node| node.address() == Some(address));
    others.find(|node| node.name().as_bytes() != name).map(|node| node.name().to_string())
}

std::thread_local! {
    static DECIDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decision that the core waits for. It then holds the lock of the
/// node that asks, and must not wait for any other node's lock: two nodes could wait for each
/// other.
pub(crate) fn is_deciding() -> bool {
    DECIDING.get()
}

/// Calls code of the application, such as a method of a delegate, which may panic.
pub(crate) fn caught<T>(method: &'static str, question: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(question)).map_err(|payload| {
        let message = message(&*payload).into();
        // The payload may panic when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        Panicked { method, message }
    })
}

/// The message of a panic.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests;

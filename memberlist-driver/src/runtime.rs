//! What an adapter provides: the parts of an asynchronous runtime that a node needs.
//!
//! Everything that happens once, such as opening a connection, is a future. Everything that happens
//! for each packet is a call that never waits, beside a `poll_*` function that says when to call
//! again: nothing is boxed and nothing is allocated for a packet.
//!
//! Each value has at most one waiter for each direction, so that an implementation needs to keep
//! only the latest waker of each `poll_*` function. All of them may be ready without cause; none may
//! stay pending after the event that it waits for.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Instant;

/// An asynchronous runtime; [`start`](crate::start) runs a node on one.
///
/// Clones are handles of the same runtime. Methods are called from within its tasks, and by
/// [`start`](crate::start) from wherever the application calls that.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A socket for datagrams.
    type Packets: PacketSocket;
    /// A socket that accepts streams.
    type Listener: Listener<Stream = Self::Stream>;
    /// A connection.
    type Stream: Stream;
    /// A timer.
    type Timer: Timer;

    /// Runs a task beside the caller. Dropping the runtime may drop the task at any point at which
    /// it waits; a panic within it must not end other tasks.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a function that may block for long, where that keeps no task waiting.
    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static);

    /// A timer that fires at `at`.
    fn timer(&self, at: Instant) -> Self::Timer;

    /// Makes the runtime watch a bound socket, which is in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The runtime cannot watch it, for example because a limit of the system is reached.
    fn packets(&self, socket: std::net::UdpSocket) -> io::Result<Self::Packets>;

    /// Makes the runtime watch a listening socket, which is in non-blocking mode.
    ///
    /// # Errors
    ///
    /// The runtime cannot watch it, for example because a limit of the system is reached.
    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Self::Listener>;

    /// Opens a connection. Needs no time limit: the caller drops the future when its own has passed.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Resolves a host name to its addresses, in the order of the system's resolver.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// Lets other tasks run before this one goes on. A runtime that learns of ready sockets only
    /// between two tasks must look at them meanwhile.
    fn yield_now(&self) -> impl Future<Output = ()> + Send {
        let mut yielded = false;
        poll_fn(move |cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

/// A socket for datagrams.
pub trait PacketSocket: Send + Sync + 'static {
    /// Ready when [`try_receive`](Self::try_receive) may succeed.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when [`try_send`](Self::try_send) may succeed.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads one datagram into `buffer`, without waiting: its length, and its sender with the scope
    /// of an IPv6 address.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if none is there; or what the system reports.
    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Reads one datagram, without waiting, and has `take` look at it and its sender. `buffer` is room
    /// for it, which a socket that has it in memory already need not use.
    ///
    /// # Errors
    ///
    /// As for [`try_receive`](Self::try_receive).
    fn try_receive_with(
        &self,
        buffer: &mut [u8],
        take: &mut dyn FnMut(&[u8], SocketAddr),
    ) -> io::Result<()> {
        let (len, from) = self.try_receive(buffer)?;
        take(buffer.get(..len).unwrap_or_default(), from);
        Ok(())
    }

    /// Ready when every datagram that was sent is with the operating system: at once, unless the
    /// socket keeps some by itself.
    fn poll_flushed(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// The socket has been waited for long enough: from now on,
    /// [`poll_flushed`](Self::poll_flushed) waits for no receiver that has not yet taken what is kept
    /// for it, until that receiver takes something. Does nothing unless the socket keeps datagrams by
    /// itself.
    fn abandon_flush(&self) {}

    /// Sends one datagram, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the send buffer is full; or what the system
    /// reports.
    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()>;
}

/// A socket that accepts streams.
pub trait Listener: Send + Sync + 'static {
    /// What is accepted.
    type Stream: Stream;

    /// The next connection and its peer's address. Dropping the future loses no connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// A connection. Dropping it closes it at once.
pub trait Stream: Send + 'static {
    /// Sends small writes without delay (`TCP_NODELAY`), where that means anything.
    ///
    /// # Errors
    ///
    /// What the system reports.
    fn set_nodelay(&self) -> io::Result<()>;

    /// Ready when [`try_read`](Self::try_read) may succeed.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when [`try_write`](Self::try_write) may succeed.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads into `buffer`, without waiting: how many bytes, 0 at the peer's end.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; or what the system reports.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes a part of `data`, without waiting: how many bytes.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the send buffer is full; or what the system
    /// reports.
    fn try_write(&mut self, data: &[u8]) -> io::Result<usize>;

    /// Ends this side once what was written is on its way: the peer reads it, then the end, and may
    /// still write.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A timer, which a node moves far more often than it lets it fire.
pub trait Timer: Send + Unpin + 'static {
    /// Moves the timer, whether or not it has fired.
    fn reset(&mut self, at: Instant);

    /// Ready at or after the time that it was set to.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

//! The traits that an adapter implements: the parts of an asynchronous runtime that a node needs.
//!
//! Everything that happens once, such as opening a connection, is a future. Everything that happens
//! for each packet is a call that never waits, with a `poll_*` function that says when to call it
//! again: nothing is boxed or allocated for a packet.
//!
//! Each value has at most one waiter for each direction, so an implementation needs to keep only
//! the latest waker of each `poll_*` function. A `poll_*` function may be ready spuriously, but
//! must not stay pending after the event that it waits for.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Instant;

/// An asynchronous runtime; [`start`](crate::start) runs a node on one.
///
/// Clones are handles of the same runtime. Its methods are called from its own tasks, and by
/// [`start`](crate::start) in the context in which the application calls that.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A socket for datagrams.
    type Packets: PacketSocket;
    /// A socket that accepts streams.
    type Listener: Listener<Stream = Self::Stream>;
    /// A connection.
    type Stream: Stream;
    /// A timer.
    type Timer: Timer;

    /// Spawns a task, which runs concurrently with the caller. When the runtime is dropped, it may
    /// drop the task at any point at which the task waits. A panic in the task must not end other
    /// tasks.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a function that may block for a long time, on a thread where that delays no task.
    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static);

    /// Creates a timer that fires at `at`.
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

    /// Opens a connection. It needs no time limit: the caller drops the future when its own limit
    /// has passed.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Resolves a host name to its addresses, in the order of the system's resolver.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;

    /// Lets other tasks run before this one continues. A runtime that learns about ready sockets
    /// only between two tasks must check its sockets before it resumes this one.
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

    /// Reads one datagram into `buffer`, without waiting; returns its length and its sender, with
    /// the scope id if that is an IPv6 address.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no datagram; or what the system
    /// reports.
    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Reads one datagram, without waiting, and calls `take` with it and its sender. The datagram
    /// may be read into `buffer`; a socket that has it in memory already need not do so.
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

    /// Ready when every datagram that was sent has been handed to the operating system: at once,
    /// unless the socket has a queue of its own.
    fn poll_flushed(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Ends the wait for receivers that do not accept their datagrams: from now on,
    /// [`poll_flushed`](Self::poll_flushed) ignores every receiver for which datagrams are queued,
    /// until that receiver accepts one. Does nothing unless the socket has a queue of its own.
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
    /// The type of its connections.
    type Stream: Stream;

    /// Waits for the next connection; returns it with its peer's address. Dropping the future loses
    /// no connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// A connection. Dropping it closes it at once.
pub trait Stream: Send + 'static {
    /// Sends small writes without delay (`TCP_NODELAY`), if the kind of connection has such a
    /// delay.
    ///
    /// # Errors
    ///
    /// The error that the system reports.
    fn set_nodelay(&self) -> io::Result<()>;

    /// Ready when [`try_read`](Self::try_read) may succeed.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when [`try_write`](Self::try_write) may succeed.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads into `buffer`, without waiting; returns the number of bytes, which is 0 once the peer
    /// has ended its side.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is nothing to read; or what the system
    /// reports.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `data` as fits, without waiting; returns the number of bytes.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the send buffer is full; or what the system
    /// reports.
    fn try_write(&mut self, data: &[u8]) -> io::Result<usize>;

    /// Ends this side after everything that was written: the peer reads all of it, then the end,
    /// and may still write.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A timer. A node moves it far more often than it lets it fire.
pub trait Timer: Send + Unpin + 'static {
    /// Moves the timer, whether or not it has fired.
    fn reset(&mut self, at: Instant);

    /// Ready once the time that it was set to has come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

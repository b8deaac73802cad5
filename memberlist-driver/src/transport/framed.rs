//! A runtime whose packets travel over connections: to a node's tasks, it looks like any other
//! runtime.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::link::Link;
use super::security::Security;
use super::{inbound, outbound};
use crate::runtime::{Listener, PacketSocket, Runtime, Timer as _};

/// A runtime with a transport on top of it.
pub(crate) struct Framed<R: Runtime> {
    pub(super) runtime: R,
    pub(super) hub: Arc<Hub<R::Stream>>,
    pub(super) security: Security,
}

impl<R: Runtime> Clone for Framed<R> {
    fn clone(&self) -> Self {
        let (hub, security) = (Arc::clone(&self.hub), self.security.clone());
        Self { runtime: self.runtime.clone(), hub, security }
    }
}

impl<R: Runtime> Framed<R> {
    pub(crate) fn new(runtime: R, hub: Hub<R::Stream>, security: Security) -> Self {
        hub.figures.tls.store(!matches!(security, Security::Plain), Ordering::Relaxed);
        let framed = Self { runtime, hub: Arc::new(hub), security };
        #[cfg(feature = "tls")]
        framed.watch_certificates();
        framed
    }

    /// The packet socket of the node. Dropping it ends every connection that is not a stream.
    pub(crate) fn mailbox(&self) -> Mailbox<R> {
        Mailbox(self.clone())
    }

    /// The listener from which the node accepts streams.
    pub(crate) fn entrance(&self, listener: R::Listener) -> Entrance<R> {
        Entrance { framed: self.clone(), listener }
    }

    /// Opens a connection and completes its handshake.
    pub(super) async fn open(&self, to: SocketAddr) -> io::Result<Link<R::Stream>> {
        let stream = self.runtime.connect(to).await?;
        let link = self.security.opened(stream, to).await?;
        self.hub.shaken(&link);
        self.hub.check_name(&link, to)?;
        Ok(link)
    }

    /// Waits for the future, at most for `time`; then the error is `TimedOut`.
    pub(super) async fn within<T>(
        &self,
        time: Duration,
        future: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let mut timer = self.runtime.timer(Instant::now() + time);
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Pending => timer.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }
}

impl<R: Runtime> Runtime for Framed<R> {
    type Packets = Mailbox<R>;
    type Listener = Entrance<R>;
    type Stream = Link<R::Stream>;
    type Timer = R::Timer;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        self.runtime.spawn_blocking(work);
    }

    fn timer(&self, at: Instant) -> R::Timer {
        self.runtime.timer(at)
    }

    fn packets(&self, _: std::net::UdpSocket) -> io::Result<Mailbox<R>> {
        Ok(self.mailbox())
    }

    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Entrance<R>> {
        Ok(self.entrance(self.runtime.listener(listener)?))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Link<R::Stream>> {
        let mut link = self.open(to).await?;
        link.write_all(self.hub.framing.stream()).await?;
        Ok(link)
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.runtime.resolve(host).await
    }

    async fn yield_now(&self) {
        self.runtime.yield_now().await;
    }
}

/// A packet socket whose packets travel over connections.
pub(crate) struct Mailbox<R: Runtime>(Framed<R>);

impl<R: Runtime> PacketSocket for Mailbox<R> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.hub.poll_packet(cx).map(Ok)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (packet, from) = self.0.hub.take_packet().ok_or(io::ErrorKind::WouldBlock)?;
        let len = packet.len().min(buffer.len());
        if let (Some(room), Some(bytes)) = (buffer.get_mut(..len), packet.get(..len)) {
            room.copy_from_slice(bytes);
        }
        Ok((len, from))
    }

    fn try_receive_with(
        &self,
        _: &mut [u8],
        take: &mut dyn FnMut(&[u8], SocketAddr),
    ) -> io::Result<()> {
        let (packet, from) = self.0.hub.take_packet().ok_or(io::ErrorKind::WouldBlock)?;
        take(&packet, from);
        Ok(())
    }

    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = match to.ip().to_canonical() {
            ip @ IpAddr::V4(_) => SocketAddr::new(ip, to.port()),
            IpAddr::V6(_) => to,
        };
        let Some(task) = self.0.hub.send(packet, to)? else { return Ok(()) };
        if let Some(seat) = self.0.hub.seat() {
            self.0.runtime.spawn(outbound::carry(self.0.clone(), to, task, seat));
        }
        Ok(())
    }

    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.hub.poll_flushed(cx)
    }

    fn abandon_flush(&self) {
        self.0.hub.abandon_flush();
    }
}

impl<R: Runtime> Drop for Mailbox<R> {
    fn drop(&mut self) {
        self.0.hub.close();
    }
}

/// A listener that accepts the streams among the incoming connections.
pub(crate) struct Entrance<R: Runtime> {
    framed: Framed<R>,
    listener: R::Listener,
}

impl<R: Runtime> Listener for Entrance<R> {
    type Stream = Link<R::Stream>;

    async fn accept(&self) -> io::Result<(Self::Stream, SocketAddr)> {
        let hub = &self.framed.hub;
        loop {
            let mut accept = pin!(self.listener.accept());
            let next = poll_fn(|cx| {
                if let Poll::Ready(stream) = hub.poll_stream(cx) {
                    return Poll::Ready(Ok(Some(stream)));
                }
                let accepted = std::task::ready!(accept.as_mut().poll(cx));
                Poll::Ready(accepted.map(|(stream, from)| {
                    self.admit(stream, from);
                    None
                }))
            });
            if let Some(stream) = next.await? {
                return Ok(stream);
            }
            // A flood of connections must not monopolize a thread.
            self.framed.runtime.yield_now().await;
        }
    }
}

impl<R: Runtime> Entrance<R> {
    /// Spawns a task that finds out what a connection is for. If there are too many, the connection
    /// is dropped, which closes it.
    fn admit(&self, stream: R::Stream, from: SocketAddr) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if let Some(seat) = self.framed.hub.admit(from.ip()) {
            self.framed.runtime.spawn(inbound::serve(self.framed.clone(), stream, from, seat));
        }
    }
}

//! Tokio as the driver's [`Runtime`].

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use memberlist_driver::Runtime;
use memberlist_driver::runtime::{Listener, PacketSocket, Stream, Timer};
use tokio::io::AsyncWrite as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use tokio::time::Sleep;

#[derive(Clone, Copy)]
pub(crate) struct Tokio;
pub(crate) struct Packets(UdpSocket);
pub(crate) struct Streams(TcpListener);
pub(crate) struct Connection(TcpStream);
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Runtime for Tokio {
    type Packets = Packets;
    type Listener = Streams;
    type Stream = Connection;
    type Timer = Alarm;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        tokio::task::spawn_blocking(work);
    }

    fn timer(&self, at: Instant) -> Alarm {
        Alarm(Box::pin(tokio::time::sleep_until(at.into())))
    }

    fn packets(&self, socket: std::net::UdpSocket) -> io::Result<Packets> {
        UdpSocket::from_std(socket).map(Packets)
    }

    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Streams> {
        TcpListener::from_std(listener).map(Streams)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Connection> {
        TcpStream::connect(to).await.map(Connection)
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }

    // tokio polls its reactor only between tasks: a task that merely woke itself would run again
    // before that.
    async fn yield_now(&self) {
        tokio::task::yield_now().await;
    }
}

impl PacketSocket for Packets {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_recv_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send_ready(cx)
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.try_recv_from(buffer)
    }

    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.try_send_to(packet, to).map(drop)
    }
}

impl Listener for Streams {
    type Stream = Connection;

    async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        self.0.accept().await.map(|(stream, from)| (Connection(stream), from))
    }
}

impl Stream for Connection {
    fn set_nodelay(&self) -> io::Result<()> {
        self.0.set_nodelay(true)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(cx)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_write(data)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Timer for Alarm {
    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

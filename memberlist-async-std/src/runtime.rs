//! async-std as the driver's [`Runtime`]. Sockets and timers are those of async-io, the reactor
//! that async-std itself is built on.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

use async_io::{Async, Timer};
use async_std::net::ToSocketAddrs as _;
use async_std::task;
use memberlist_driver::Runtime;

#[derive(Clone, Copy)]
pub(crate) struct AsyncStd;

impl Runtime for AsyncStd {
    type Packets = Async<UdpSocket>;
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;
    type Timer = Timer;

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        task::spawn(work);
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        task::spawn_blocking(work);
    }

    fn timer(&self, at: Instant) -> Timer {
        Timer::at(at)
    }

    fn packets(&self, socket: UdpSocket) -> io::Result<Async<UdpSocket>> {
        Async::new(socket)
    }

    fn listener(&self, listener: TcpListener) -> io::Result<Async<TcpListener>> {
        Async::new(listener)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Async<TcpStream>> {
        Async::<TcpStream>::connect(to).await
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs().await?.map(|address| address.ip()).collect())
    }
}

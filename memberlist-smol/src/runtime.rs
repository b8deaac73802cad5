//! smol as the driver's [`Runtime`].

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

use memberlist_driver::Runtime;
use smol::{Async, Timer};

#[derive(Clone, Copy)]
pub(crate) struct Smol;

impl Runtime for Smol {
    type Packets = Async<UdpSocket>;
    type Listener = Async<TcpListener>;
    type Stream = Async<TcpStream>;
    type Timer = Timer;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        smol::unblock(work).detach();
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
        let found = smol::net::resolve((host, 0)).await?;
        Ok(found.into_iter().map(|address| address.ip()).collect())
    }
}

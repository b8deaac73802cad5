//! A runtime in which nothing happens by itself: tasks are polled in turn, and sockets hold and take
//! what the test says.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::PATIENCE;
use crate::runtime::{Listener, PacketSocket, Runtime, Stream, Timer};

/// Clones are handles of one runtime.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<World>>);

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub(super) struct World {
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// Packets that wait in the socket.
    pub(super) arrived: VecDeque<(Vec<u8>, SocketAddr)>,
    /// Packets that arrive meanwhile, one for each that is sent.
    pub(super) arriving: VecDeque<(Vec<u8>, SocketAddr)>,
    /// How reading packets fails next, before any is read.
    pub(super) read_fails: VecDeque<io::ErrorKind>,
    /// Whether waiting for packets is in vain.
    pub(super) deaf: bool,
    /// Packets that were sent, unless they are only counted, and how many more there is room for.
    pub(super) sent: Vec<(Vec<u8>, SocketAddr)>,
    pub(super) counts: bool,
    pub(super) room: usize,
    /// Whether the socket keeps what was sent, and how often that was not waited for any longer.
    pub(super) keeps: bool,
    pub(super) abandoned: usize,
    /// How often sending a packet was tried, and how often accepting a stream failed.
    pub(super) tries: usize,
    pub(super) failed_accepts: usize,
    /// What streams have written, and how many more bytes there is room for.
    pub(super) written: Vec<u8>,
    pub(super) stream_room: usize,
    pub(super) shut_down: usize,
    /// What reading from a stream and accepting one gives.
    pub(super) stream_says: Option<Vec<u8>>,
    /// How writing to a stream fails next.
    pub(super) write_fails: VecDeque<io::ErrorKind>,
    pub(super) accepting: Option<io::ErrorKind>,
    /// Sockets that are open.
    pub(super) open: usize,
    pub(super) panics: bool,
    pub(super) sending_panics: bool,
}

impl Fake {
    pub(super) fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.lock().expect("no test panics under the lock"))
    }

    /// Runs all tasks until something is so.
    pub(super) fn until(&self, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < PATIENCE, "it does not happen");
            self.run_once();
        }
    }

    pub(super) fn run_once(&self) {
        let count = self.world(|world| world.tasks.len());
        for number in 0..count {
            let Some(mut task) = self.world(|world| world.tasks[number].take()) else { continue };
            let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            }));
            match polled {
                Ok(Poll::Pending) => self.world(|world| world.tasks[number] = Some(task)),
                Ok(Poll::Ready(())) | Err(_) => drop(task),
            }
        }
    }

    /// Ends the runtime with all its tasks.
    pub(super) fn end(&self) {
        let tasks = self.world(|world| std::mem::take(&mut world.tasks));
        drop(tasks);
    }

    fn open(&self) -> Socket {
        self.world(|world| world.open += 1);
        Socket(self.clone())
    }
}

pub(crate) struct Socket(Fake);

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.world(|world| world.open -= 1);
    }
}

pub(crate) struct Alarm(Instant);

impl Runtime for Fake {
    type Packets = Socket;
    type Listener = Socket;
    type Stream = Socket;
    type Timer = Alarm;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.world(|world| world.tasks.push(Some(Box::pin(task))));
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        work();
    }

    fn timer(&self, at: Instant) -> Alarm {
        Alarm(at)
    }

    fn packets(&self, _: std::net::UdpSocket) -> io::Result<Socket> {
        Ok(self.open())
    }

    fn listener(&self, _: std::net::TcpListener) -> io::Result<Socket> {
        Ok(self.open())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Socket> {
        Ok(self.open())
    }

    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn ready(so: bool) -> Poll<io::Result<()>> {
    if so { Poll::Ready(Ok(())) } else { Poll::Pending }
}

impl PacketSocket for Socket {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.world(|world| ready(!world.arrived.is_empty() && !world.deaf))
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.world(|world| ready(world.room > 0))
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        assert!(!self.0.world(|world| world.panics), "meant to be");
        if let Some(error) = self.0.world(|world| world.read_fails.pop_front()) {
            return Err(error.into());
        }
        let packet = self.0.world(|world| world.arrived.pop_front());
        let (packet, from) = packet.ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..packet.len()].copy_from_slice(&packet);
        Ok((packet.len(), from))
    }

    fn poll_flushed(&self, _: &mut Context<'_>) -> Poll<()> {
        self.0.world(|world| ready(!world.keeps || world.abandoned > 0)).map(drop)
    }

    fn abandon_flush(&self) {
        self.0.world(|world| world.abandoned += 1);
    }

    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        assert!(!self.0.world(|world| world.sending_panics), "meant to be");
        self.0.world(|world| {
            world.tries += 1;
            world.room = world.room.checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
            world.arrived.extend(world.arriving.pop_front());
            if !world.counts {
                world.sent.push((packet.to_vec(), to));
            }
            Ok(())
        })
    }
}

impl Listener for Socket {
    type Stream = Self;

    async fn accept(&self) -> io::Result<(Self, SocketAddr)> {
        let failing = self.0.world(|world| {
            world.failed_accepts += usize::from(world.accepting.is_some());
            world.accepting
        });
        match failing {
            Some(error) => Err(error.into()),
            None => pending().await,
        }
    }
}

impl Stream for Socket {
    fn set_nodelay(&self) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.world(|world| ready(world.stream_says.is_some()))
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.world(|world| ready(world.stream_room > 0))
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let says =
            self.0.world(|world| world.stream_says.take()).ok_or(io::ErrorKind::WouldBlock)?;
        buffer[..says.len()].copy_from_slice(&says);
        Ok(says.len())
    }

    fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.world(|world| {
            if let Some(error) = world.write_fails.pop_front() {
                return Err(error.into());
            }
            let len = world.stream_room.min(data.len());
            if len == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            world.stream_room -= len;
            world.written.extend_from_slice(&data[..len]);
            Ok(len)
        })
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.world(|world| world.shut_down += 1);
        Poll::Ready(Ok(()))
    }
}

impl Timer for Alarm {
    fn reset(&mut self, at: Instant) {
        self.0 = at;
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

//! A runtime as a third party might write one, without any library for it: a thread for each task.
//! Where a real one would have the operating system wake a task, this one looks again every few
//! milliseconds.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::runtime::{Listener, PacketSocket, Stream, Timer};
use memberlist_driver::{Events, Handle, Runtime, start};
use memberlist_proto::Config;
use memberlist_tests::conformance::Adapter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// How long a task may miss that what it waits for has come.
const GLANCE: Duration = Duration::from_millis(2);

/// The runtime.
#[derive(Clone, Copy)]
pub(crate) struct Threads;

pub(crate) struct Packets(UdpSocket);
pub(crate) struct Streams(TcpListener);
pub(crate) struct Connection(TcpStream);
pub(crate) struct Alarm(Instant);

impl Adapter for Threads {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        start(Threads, config, options).await
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        run(scenario)
    }

    async fn sleep(time: Duration) {
        let mut alarm = Alarm(Instant::now() + time);
        poll_fn(|cx| alarm.poll(cx)).await;
    }
}

impl Runtime for Threads {
    type Packets = Packets;
    type Listener = Streams;
    type Stream = Connection;
    type Timer = Alarm;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        thread::spawn(move || run(task));
    }

    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        thread::spawn(work);
    }

    fn timer(&self, at: Instant) -> Alarm {
        Alarm(at)
    }

    fn packets(&self, socket: UdpSocket) -> io::Result<Packets> {
        Ok(Packets(socket))
    }

    fn listener(&self, listener: TcpListener) -> io::Result<Streams> {
        Ok(Streams(listener))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<Connection> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Err(error) = socket.connect(&to.into())
            && error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error())
        {
            return Err(error);
        }
        poll_fn(|_| ready(&socket, PollFlags::OUT)).await?;
        match socket.take_error()? {
            None => Ok(Connection(socket.into())),
            Some(error) => Err(error),
        }
    }

    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        // It blocks nothing but the thread of its own task.
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

impl PacketSocket for Packets {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&self.0, PollFlags::IN)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&self.0, PollFlags::OUT)
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buffer)
    }

    fn try_send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(packet, to).map(drop)
    }
}

impl Listener for Streams {
    type Stream = Connection;

    async fn accept(&self) -> io::Result<(Connection, SocketAddr)> {
        let accepted = poll_fn(|_| match self.0.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            accepted => Poll::Ready(accepted),
        });
        let (stream, from) = accepted.await?;
        stream.set_nonblocking(true)?;
        Ok((Connection(stream), from))
    }
}

impl Stream for Connection {
    fn set_nodelay(&self) -> io::Result<()> {
        self.0.set_nodelay(true)
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&self.0, PollFlags::IN)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&self.0, PollFlags::OUT)
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
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

/// Whether a socket is ready now. Nothing keeps the waker: a task that waits is polled again.
fn ready(socket: impl AsFd, what: PollFlags) -> Poll<io::Result<()>> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::new(&socket, what)], Some(&at_once)) {
        Ok(0) => Poll::Pending,
        Ok(_) => Poll::Ready(Ok(())),
        Err(error) => Poll::Ready(Err(error.into())),
    }
}

/// Runs a task on this thread.
fn run<T>(task: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut task = pin!(task);
    loop {
        if let Poll::Ready(output) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(GLANCE);
    }
}

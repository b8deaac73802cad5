//! The tasks of a node: one for packets and time, one that accepts, one for each stream.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use async_std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use async_std::task;
use futures_lite::future::{or, poll_once};
use memberlist_proto::driver::bind::{self, StartError};
use memberlist_proto::driver::log::Severity;
use memberlist_proto::driver::{Driver, Work, stream_failure};
use memberlist_proto::{Lookup, LookupFailure, Transmit};

use crate::stream;

/// Packets read before the timers get their turn: all that a process finds after it slept.
const PACKETS_AT_ONCE: usize = 4096;
/// The longest datagram.
const PACKET_MAX: usize = 65_536;
/// How long to pause after accepting failed (as in Go).
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// The sockets of a node that does not run yet.
pub(crate) struct Sockets {
    listener: TcpListener,
    packets: UdpSocket,
    address: SocketAddr,
}

impl Sockets {
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, StartError> {
        let (listener, packets) = bind::sockets(address)?;
        let failed = |source| StartError::Bind { address, source };
        let address = listener.local_addr().map_err(failed)?;
        let listener = TcpListener::from(listener);
        let packets = UdpSocket::from(packets);
        Ok(Self { listener, packets, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Spawns the tasks; they end with the node.
    pub(crate) fn run(self, driver: Driver) {
        let Self { listener, packets, .. } = self;
        task::spawn(async move {
            let accepting = task::spawn(accept(listener, driver.clone()));
            Loop { driver: driver.clone(), packets, buffer: vec![0; PACKET_MAX] }.run().await;
            // The listener is closed when its task is gone.
            accepting.cancel().await;
            driver.ended();
        });
    }
}

/// The task for packets and time.
struct Loop {
    driver: Driver,
    packets: UdpSocket,
    buffer: Vec<u8>,
}

impl Loop {
    async fn run(mut self) {
        loop {
            self.read_packets().await;
            self.driver.handle_timeout();
            let work = self.driver.work();
            if work.stopped {
                return;
            }
            let timeout = work.timeout;
            self.carry_out(work).await;
            let due = timeout.unwrap_or_else(|| Instant::now() + IDLE);
            let sleep = task::sleep(due.saturating_duration_since(Instant::now()));
            let waiting = or(sleep, poll_fn(|cx| self.driver.poll_work(cx)));
            // Errors that reading meets are met again, and told, when it is tried.
            let readable = async {
                let _ = self.packets.peek_from(&mut self.buffer[..1]).await;
            };
            or(waiting, readable).await;
        }
    }

    /// Everything that has arrived comes before anything that is due: what looks late may be
    /// waiting here.
    async fn read_packets(&mut self) {
        for _ in 0..PACKETS_AT_ONCE {
            // Polled once: nothing is lost when nothing is there.
            let Some(read) = poll_once(self.packets.recv_from(&mut self.buffer)).await else {
                return;
            };
            match read {
                Ok((len, from)) => {
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    self.driver.handle_packet(Instant::now(), from, &self.buffer[..len]);
                }
                // An earlier send was refused by its receiver; that says nothing about reading.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    self.driver.log(Severity::Error, &format!("reading packets: {error}"));
                    return;
                }
            }
        }
    }

    async fn carry_out(&self, work: Work) {
        for transmit in work.transmits {
            self.send(&transmit).await;
        }
        for (id, to) in work.connects {
            task::spawn(stream::connect(self.driver.clone(), id, to));
        }
        for lookup in work.lookups {
            task::spawn(resolve(self.driver.clone(), lookup));
        }
        for request in work.requests {
            let driver = self.driver.clone();
            task::spawn_blocking(move || driver.ask(&request));
        }
    }

    async fn send(&self, transmit: &Transmit) {
        let to = self.reachable(transmit.to);
        // Polled once: waiting for room would keep the node from what arrives and from its timers.
        let sent = poll_once(self.packets.send_to(&transmit.payload, to)).await;
        if let Err(error) = sent.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into())) {
            self.driver.transmit_failed(transmit);
            self.driver.log(Severity::Error, &format!("sending to {}: {error}", transmit.to));
        }
    }

    /// An IPv4 address as a socket for both families wants it.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match (to.ip(), self.packets.local_addr().map(|own| own.ip())) {
            (IpAddr::V4(ip), Ok(IpAddr::V6(_))) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        }
    }
}

async fn accept(listener: TcpListener, driver: Driver) {
    let mut pause = ACCEPT_PAUSE.0;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                pause = ACCEPT_PAUSE.0;
                // One that is refused is closed by dropping it.
                if let Some(id) = driver.accept(from) {
                    task::spawn(stream::run(driver.clone(), id, stream));
                }
            }
            Err(error) => {
                driver.log(Severity::Error, &format!("accepting a stream: {error}"));
                task::sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE.1);
            }
        }
    }
}

async fn resolve(driver: Driver, lookup: Lookup) {
    match (lookup.host.as_str(), 0).to_socket_addrs().await {
        Ok(found) => {
            let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            driver.resolved(lookup.id, Ok(&found));
        }
        Err(error) => {
            let failure = match error.kind() {
                io::ErrorKind::TimedOut => LookupFailure::TimedOut,
                _ => LookupFailure::NotFound,
            };
            driver.log(Severity::Debug, &format!("resolving {}: {error}", lookup.host));
            driver.resolved(lookup.id, Err(failure));
        }
    }
}

/// Opens a connection, or tells why not.
pub(crate) async fn dial(to: SocketAddr) -> Result<TcpStream, memberlist_proto::StreamFailure> {
    TcpStream::connect(to).await.map_err(|error| stream_failure(&error))
}

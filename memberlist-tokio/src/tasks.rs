//! The tasks of a node: one for packets and time, one that accepts, one for each stream.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use memberlist_proto::driver::bind::{self, StartError};
use memberlist_proto::driver::log::Severity;
use memberlist_proto::driver::{Backoff, Driver, Turns, Work, stream_failure};
use memberlist_proto::{Lookup, LookupFailure, StreamFailure, Transmit};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::stream;

/// The longest datagram.
const PACKET_MAX: usize = 65_536;
/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// Who notices a deadline this late was asleep, with the whole process or machine.
const ASLEEP: Duration = Duration::from_millis(100);
/// How long a packet socket that fails is left alone.
const RESPITE: Duration = Duration::from_millis(10);

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
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let packets = UdpSocket::from_std(packets).map_err(failed)?;
        Ok(Self { listener, packets, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Spawns the tasks; they end with the node.
    pub(crate) fn run(self, driver: Driver) {
        let Self { listener, packets, .. } = self;
        // A task may also end by a panic, or with its runtime before it has begun.
        let end = End(driver.clone());
        tokio::spawn(async move {
            // Dropped after the sockets.
            let _end = end;
            let mut accepting = JoinSet::new();
            accepting.spawn(accept(listener, driver.clone()));
            Loop { driver, packets, buffer: vec![0; PACKET_MAX] }.run().await;
            accepting.shutdown().await;
        });
    }
}

/// Tells the end of a node's tasks.
struct End(Driver);

impl Drop for End {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// The task for packets and time.
struct Loop {
    driver: Driver,
    packets: UdpSocket,
    buffer: Vec<u8>,
}

/// How a batch of packets was read.
#[derive(Default)]
struct Batch {
    packets: usize,
    more: bool,
    failed: bool,
}

impl Loop {
    async fn run(mut self) {
        let mut turns = Turns::default();
        let mut due = None;
        // Until the runtime has looked at a socket once, it holds it for full.
        let _ = self.packets.writable().await;
        loop {
            if due.is_some_and(|due: Instant| due.elapsed() > ASLEEP) {
                // The runtime has first to find out what arrived meanwhile.
                tokio::task::yield_now().await;
            }
            // Packets before time: what looks late may be waiting here.
            let batch = self.read_packets();
            if turns.timeouts(batch.packets, batch.more) {
                self.driver.handle_timeout();
            }
            let work = self.driver.work();
            if work.stopped {
                return;
            }
            due = work.timeout;
            self.carry_out(work);
            if batch.failed {
                tokio::time::sleep(RESPITE).await;
            }
            if batch.more {
                tokio::task::yield_now().await;
                continue;
            }
            let until = due.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = poll_fn(|cx| self.driver.poll_work(cx)) => {}
                // Errors that reading meets are met again, and told, when it is tried.
                _ = self.packets.readable() => {}
            }
        }
    }

    fn read_packets(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.packets < Turns::BATCH {
            match self.packets.try_recv_from(&mut self.buffer) {
                Ok((len, from)) => {
                    let packet = &self.buffer[..len];
                    self.driver.handle_packet(Instant::now(), canonical(from), packet);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return batch,
                // An earlier send was refused by its receiver; that says nothing about reading.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    self.driver.log(Severity::Error, &format!("reading packets: {error}"));
                    batch.failed = true;
                    return batch;
                }
            }
            batch.packets += 1;
        }
        batch.more = true;
        batch
    }

    fn carry_out(&self, work: Work) {
        for transmit in work.transmits {
            self.send(&transmit);
        }
        for (id, to) in work.connects {
            tokio::spawn(stream::connect(stream::End::new(self.driver.clone(), id), to));
        }
        for lookup in work.lookups {
            tokio::spawn(resolve(self.driver.clone(), lookup));
        }
        for request in work.requests {
            let driver = self.driver.clone();
            tokio::task::spawn_blocking(move || driver.ask(&request));
        }
    }

    fn send(&self, transmit: &Transmit) {
        let to = self.reachable(transmit.to);
        // Waiting for room would keep the node from what arrives and from its timers.
        if let Err(error) = self.packets.try_send_to(&transmit.payload, to) {
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
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                backoff.reset();
                // One that is refused is closed by dropping it.
                if let Some(id) = driver.accept(from) {
                    let end = stream::End::new(driver.clone(), id);
                    tokio::spawn(stream::run(stream, end));
                }
            }
            Err(error) => {
                driver.log(Severity::Error, &format!("accepting a stream: {error}"));
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }
}

async fn resolve(driver: Driver, lookup: Lookup) {
    match tokio::net::lookup_host((lookup.host.as_str(), 0)).await {
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
pub(crate) async fn dial(to: SocketAddr) -> Result<TcpStream, StreamFailure> {
    TcpStream::connect(to).await.map_err(|error| stream_failure(&error))
}

/// A socket for both families writes IPv4 addresses as IPv6. Those that are IPv6 keep their scope.
fn canonical(from: SocketAddr) -> SocketAddr {
    match from.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, from.port()),
        IpAddr::V6(_) => from,
    }
}

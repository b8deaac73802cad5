//! The tasks of a node: one for packets, time and new streams, one for each stream.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_std::net::{TcpListener, ToSocketAddrs as _, UdpSocket};
use async_std::task;
use futures_lite::future::or;
use memberlist_driver::bind::StartError;
use memberlist_driver::{Backoff, Driver, Intake, Running, StreamTask, Work, reachable};
use memberlist_proto::{Lookup, Transmit};

use crate::stream;

/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Spawns the tasks; they end with the node.
#[allow(clippy::unnecessary_wraps)] // As for other runtimes.
pub(crate) fn run(
    listener: std::net::TcpListener,
    packets: std::net::UdpSocket,
    address: SocketAddr,
    driver: Driver,
) -> Result<(), StartError> {
    let (listener, packets) = (TcpListener::from(listener), UdpSocket::from(packets));
    let running = Running::new(driver.clone());
    task::spawn(async move {
        // Dropped after the sockets.
        let _running = running;
        let accepting = accept(listener, driver.clone());
        let node = Loop { driver, packets, address, intake: Intake::default() };
        or(node.run(), accepting).await;
    });
    Ok(())
}

/// What a future is ready with at once. Whoever waits for it is woken by another one.
pub(crate) fn at_once<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Packets and time.
struct Loop {
    driver: Driver,
    packets: UdpSocket,
    address: SocketAddr,
    intake: Intake,
}

impl Loop {
    async fn run(mut self) {
        loop {
            let batch =
                self.intake.read(&self.driver, |buffer| at_once(self.packets.recv_from(buffer)));
            let work = self.driver.work();
            if work.stopped {
                return;
            }
            let due = work.timeout.unwrap_or_else(|| Instant::now() + IDLE);
            self.carry_out(work);
            if batch.failed {
                task::sleep(Intake::RESPITE).await;
            }
            if batch.more {
                task::yield_now().await;
                continue;
            }
            let sleep = task::sleep(due.saturating_duration_since(Instant::now()));
            let waiting = or(sleep, poll_fn(|cx| self.driver.poll_work(cx)));
            // Errors that reading meets are met again, and told, when it is tried.
            let readable = async {
                let _ = self.packets.peek_from(&mut [0]).await;
            };
            or(waiting, readable).await;
        }
    }

    fn carry_out(&self, work: Work) {
        for transmit in work.transmits {
            self.send(&transmit);
        }
        for (id, to) in work.connects {
            task::spawn(stream::connect(StreamTask::new(self.driver.clone(), id), to));
        }
        for lookup in work.lookups {
            task::spawn(resolve(self.driver.clone(), lookup));
        }
        for request in work.requests {
            let driver = self.driver.clone();
            task::spawn_blocking(move || driver.ask(&request));
        }
    }

    fn send(&self, transmit: &Transmit) {
        let to = reachable(transmit.to, self.address);
        // Waiting for room would keep the node from what arrives and from its timers.
        if let Err(error) = at_once(self.packets.send_to(&transmit.payload, to)) {
            self.driver.unsent(transmit, &error);
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
                    task::spawn(stream::run(stream, StreamTask::new(driver.clone(), id)));
                }
            }
            Err(error) => {
                driver.failed("accepting a stream", &error);
                task::sleep(backoff.wait()).await;
            }
        }
    }
}

async fn resolve(driver: Driver, lookup: Lookup) {
    let found = (lookup.host.as_str(), 0).to_socket_addrs().await;
    driver.looked_up(&lookup, found);
}

//! The tasks of a node: one for packets and time, one that accepts, one for each stream.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memberlist_driver::bind::{StartError, Transport};
use memberlist_driver::{Backoff, Driver, Intake, Running, StreamTask, Work, reachable};
use memberlist_proto::{Lookup, Transmit};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use crate::stream;

/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// Who notices a deadline this late was asleep, with the whole process or machine.
const ASLEEP: Duration = Duration::from_millis(100);

/// Spawns the tasks; they end with the node.
pub(crate) fn run(
    listener: std::net::TcpListener,
    packets: std::net::UdpSocket,
    address: SocketAddr,
    driver: Driver,
) -> Result<(), StartError> {
    let failed = |transport| move |source| StartError::Bind { transport, address, source };
    let listener = TcpListener::from_std(listener).map_err(failed(Transport::Tcp))?;
    let packets = UdpSocket::from_std(packets).map_err(failed(Transport::Udp))?;
    let running = Running::new(driver.clone());
    tokio::spawn(async move {
        // Dropped after the sockets.
        let _running = running;
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, driver.clone()));
        Loop { driver, packets, address, intake: Intake::default() }.run().await;
        accepting.shutdown().await;
    });
    Ok(())
}

/// The task for packets and time.
struct Loop {
    driver: Driver,
    packets: UdpSocket,
    address: SocketAddr,
    intake: Intake,
}

impl Loop {
    async fn run(mut self) {
        let mut due = None;
        // Until the runtime has looked at a socket once, it holds it for full.
        let _ = self.packets.writable().await;
        loop {
            if due.is_some_and(|due: Instant| due.elapsed() > ASLEEP) {
                // The runtime has first to find out what arrived meanwhile.
                tokio::task::yield_now().await;
            }
            let batch = self.intake.read(&self.driver, |buffer| self.packets.try_recv_from(buffer));
            let work = self.driver.work();
            if work.stopped {
                return;
            }
            due = work.timeout;
            self.carry_out(work);
            if batch.failed {
                tokio::time::sleep(Intake::RESPITE).await;
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

    fn carry_out(&self, work: Work) {
        for transmit in work.transmits {
            self.send(&transmit);
        }
        for (id, to) in work.connects {
            tokio::spawn(stream::connect(StreamTask::new(self.driver.clone(), id), to));
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
        let to = reachable(transmit.to, self.address);
        // Waiting for room would keep the node from what arrives and from its timers.
        if let Err(error) = self.packets.try_send_to(&transmit.payload, to) {
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
                    tokio::spawn(stream::run(stream, StreamTask::new(driver.clone(), id)));
                }
            }
            Err(error) => {
                driver.failed("accepting a stream", &error);
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }
}

async fn resolve(driver: Driver, lookup: Lookup) {
    let found = tokio::net::lookup_host((lookup.host.as_str(), 0)).await;
    driver.looked_up(&lookup, found);
}

//! The task for packets and timers.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use memberlist_proto::Transmit;

use super::guard::{StreamGuard, TaskGuard};
use super::intake::{Batch, Intake, Next, reachable};
use super::stream;
use crate::driver::{Driver, Work};
use crate::runtime::{PacketSocket as _, Runtime, Timer as _};
use crate::services;

/// How far ahead the timer is set if nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// If the task notices a deadline this late, the whole process or machine was suspended.
const ASLEEP: Duration = Duration::from_millis(100);
/// How long a packet socket that has failed is not read.
const RESPITE: Duration = Duration::from_millis(10);
/// How long a node that has left or is stopped waits for what was queued before: for room in the
/// send buffer, since its last announcement matters more than quick answers; and for what its
/// socket still holds and its streams still have to write.
const FLUSH: Duration = Duration::from_secs(1);

pub(super) struct PacketTask<R: Runtime> {
    runtime: R,
    driver: Driver,
    packets: R::Packets,
    /// The address that the socket is bound to.
    address: SocketAddr,
    intake: Intake,
    work: Work,
    alarm: Alarm<R>,
    /// How much longer the task may wait for room in the send buffer.
    patience: Duration,
    /// Until when the end of an operation is held back because of what the socket still holds.
    flush_by: Option<Instant>,
    /// Declared after the socket, so that it is dropped after it.
    guard: TaskGuard,
    /// Connections to open. If the task is dropped, these streams end; declared after the guard,
    /// they end because the node has.
    connects: Vec<(StreamGuard, SocketAddr)>,
}

impl<R: Runtime> PacketTask<R> {
    pub(super) fn new(
        runtime: R,
        driver: Driver,
        packets: R::Packets,
        address: SocketAddr,
        guard: TaskGuard,
    ) -> Self {
        let alarm = Alarm::new(&runtime);
        let (intake, work) = (Intake::default(), Work::default());
        Self {
            runtime,
            driver,
            packets,
            address,
            intake,
            work,
            alarm,
            patience: FLUSH,
            flush_by: None,
            guard,
            connects: Vec::new(),
        }
    }

    /// Reads, handles timeouts and sends until the node stops; then sends what is left.
    pub(super) async fn run(mut self) {
        // Until a reactor has checked a new socket once, it may consider its send buffer full.
        let _ = poll_fn(|cx| self.packets.poll_writable(cx)).await;
        let mut publishing = Publishing::default();
        loop {
            let mut now = Instant::now();
            if self.work.timeout.is_some_and(|due| now.saturating_duration_since(due) > ASLEEP) {
                // First the runtime has to find out what has arrived meanwhile.
                self.runtime.yield_now().await;
                now = Instant::now();
            }
            // Packets come before timeouts: an ack that looks late may be waiting in the socket.
            let receive = |buffer: &mut [u8], take: &mut dyn FnMut(&[u8], SocketAddr)| {
                self.packets.try_receive_with(buffer, take)
            };
            let batch = self.intake.read(&self.driver, now, receive);
            self.turn(batch);
            self.carry_out().await;
            if self.work.stopped {
                self.flushed().await;
                break;
            }
            let due = publishing.publish_if_due(&self.driver, batch.at, self.work.timeout);
            self.wait(batch.next, due).await;
        }
        let Self { runtime, driver, packets, guard, .. } = self;
        drop(packets);
        flush(&runtime, &driver).await;
        drop(guard);
    }

    /// Fetches what there is to do.
    fn turn(&mut self, batch: Batch) {
        if self.work.unflushed {
            let mut cx = Context::from_waker(Waker::noop());
            let over = self.flush_by.is_some_and(|by| by <= batch.at);
            if over {
                self.packets.abandon_flush();
            }
            self.work.unflushed = !over && self.packets.poll_flushed(&mut cx).is_pending();
        }
        if !self.work.unflushed {
            self.flush_by = None;
        }
        self.driver.turn(batch.at, batch.timeouts, &mut self.work);
        let guarded = |(id, to)| (StreamGuard::new(self.driver.clone(), id), to);
        self.connects.extend(self.work.connects.drain(..).map(guarded));
    }

    async fn carry_out(&mut self) {
        self.send().await;
        for lookup in self.work.lookups.drain(..) {
            let (driver, runtime) = (self.driver.clone(), self.runtime.clone());
            if let Some(targets) = lookup.service {
                let servers = driver.name_servers();
                services::look_up(runtime, driver, lookup, targets, servers);
                continue;
            }
            self.runtime.spawn(async move {
                let found = runtime.resolve(&lookup.host).await;
                driver.resolved(&lookup, found);
            });
        }
        for (guard, to) in self.connects.drain(..) {
            self.runtime.spawn(stream::connect(self.runtime.clone(), guard, to));
        }
        for job in self.work.jobs.drain(..) {
            let driver = self.driver.clone();
            self.runtime.spawn_blocking(move || driver.work(job));
        }
        for request in self.work.requests.drain(..) {
            if let Some(call) = self.driver.ask(request) {
                self.runtime.spawn_blocking(move || call.run());
            }
        }
    }

    /// Hands every packet that was fetched to the socket.
    async fn send(&mut self) {
        if self.work.stopped {
            self.patience = FLUSH;
        }
        while let Some(transmit) = self.work.transmits.pop_front() {
            let mut sent = self.try_send(&transmit);
            // A node that is not patient never waits for room: that would delay arriving packets
            // and its timers.
            while let Err(error) = &sent
                && error.kind() == io::ErrorKind::WouldBlock
                && self.work.patient
                && self.room().await
            {
                sent = self.try_send(&transmit);
            }
            if let Err(error) = sent {
                self.driver.unsent(&transmit, &error);
            }
            self.work.unflushed |= self.work.patient;
        }
        // One receiver that reads nothing must not delay the others: the node goes on meanwhile.
        let waits = self.work.held && self.work.unflushed;
        self.flush_by = waits.then(|| self.flush_by.unwrap_or_else(|| Instant::now() + FLUSH));
    }

    /// Waits until the socket of a stopped node has sent everything, but no longer than [`FLUSH`].
    async fn flushed(&mut self) {
        let until = Instant::now() + FLUSH;
        let (packets, alarm) = (&self.packets, &mut self.alarm);
        poll_fn(|cx| match packets.poll_flushed(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => alarm.poll(cx, until),
        })
        .await;
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        self.packets.try_send(&transmit.payload, reachable(transmit.to, self.address))
    }

    /// Waits for room in the send buffer, as long as `patience` lasts in total; returns whether
    /// there may be some.
    async fn room(&mut self) -> bool {
        let begun = Instant::now();
        let until = begun + self.patience;
        let (packets, alarm) = (&self.packets, &mut self.alarm);
        let mut room = false;
        if !self.patience.is_zero() {
            room = poll_fn(|cx| match packets.poll_writable(cx) {
                Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
                Poll::Pending => alarm.poll(cx, until).map(|()| false),
            })
            .await;
        }
        self.patience = self.patience.saturating_sub(begun.elapsed());
        room
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, next: Next, due: Option<Instant>) {
        let (packets, driver, alarm) = (&self.packets, &self.driver, &mut self.alarm);
        match next {
            Next::Read => return,
            Next::Rest => {
                let until = Instant::now() + RESPITE;
                poll_fn(|cx| alarm.poll(cx, until)).await;
            }
            Next::Wait if !self.work.more => {
                let due = due.unwrap_or_else(|| Instant::now() + IDLE);
                let due = self.flush_by.map_or(due, |by| by.min(due));
                let (waits, unflushed) = (self.flush_by.is_some(), &mut self.work.unflushed);
                poll_fn(|cx| {
                    *unflushed &= !(waits && packets.poll_flushed(cx).is_ready());
                    // An error here occurs again, and is logged, when the socket is read.
                    let ready = packets.poll_readable(cx).is_ready()
                        || driver.poll_work(cx, !*unflushed).is_ready()
                        || alarm.poll(cx, due).is_ready();
                    if ready { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            Next::Yield | Next::Wait => self.runtime.yield_now().await,
        }
        self.intake.begin_round();
    }
}

/// Waits until the streams of a stopped node have written what was queued, but no longer than
/// [`FLUSH`]: a peer may read arbitrarily slowly.
async fn flush<R: Runtime>(runtime: &R, driver: &Driver) {
    let mut timer = runtime.timer(Instant::now() + FLUSH);
    poll_fn(|cx| {
        let over = driver.poll_streams_ended(cx).is_ready() || timer.poll(cx).is_ready();
        if over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    driver.cut();
}

/// The only timer of a node. Moving a timer may cost a system call, and most deadlines move to
/// later: the timer is moved only to fire sooner, and set again when it has fired too soon.
struct Alarm<R: Runtime> {
    timer: R::Timer,
    /// When it fires; `None` if it has fired.
    at: Option<Instant>,
}

impl<R: Runtime> Alarm<R> {
    fn new(runtime: &R) -> Self {
        let at = Instant::now() + IDLE;
        Self { timer: runtime.timer(at), at: Some(at) }
    }

    /// Ready at the time `at`.
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        loop {
            if self.at.is_none_or(|set| at < set) {
                self.timer.reset(at);
                self.at = Some(at);
            }
            if self.timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.at = None;
            // It may have been set for something that was due sooner.
            if Instant::now() >= at {
                return Poll::Ready(());
            }
        }
    }
}

/// When the metrics are published next.
#[derive(Default)]
struct Publishing {
    #[cfg(feature = "metrics")]
    due: Option<Instant>,
}

impl Publishing {
    /// Publishes the metrics if it is time. Returns when the task must wake up; `timeout` is when
    /// the core wants it to.
    #[cfg(feature = "metrics")]
    #[allow(clippy::unnecessary_wraps)] // Without the feature there may be nothing to wake up for.
    fn publish_if_due(
        &mut self,
        driver: &Driver,
        now: Instant,
        timeout: Option<Instant>,
    ) -> Option<Instant> {
        let due = match self.due {
            Some(due) if now < due => due,
            _ => {
                driver.publish(now);
                now + crate::metrics::INTERVAL
            }
        };
        self.due = Some(due);
        Some(timeout.map_or(due, |timeout| timeout.min(due)))
    }

    #[cfg(not(feature = "metrics"))]
    #[allow(clippy::unused_self)] // It has nothing to keep without the feature.
    fn publish_if_due(
        &mut self,
        _: &Driver,
        _: Instant,
        timeout: Option<Instant>,
    ) -> Option<Instant> {
        timeout
    }
}

//! The task that sends packets to one address.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::{StreamFailure, TlsFailure};

use super::figures::count;
use super::framed::Framed;
use super::hub::Seat;
use super::link::Link;
use super::pool::{Failed, PROVEN, Serial};
use crate::driver::stream_failure;
use crate::log::Target;
use crate::node::unless;
use crate::runtime::{Runtime, Stream as _, Timer as _};

/// How long the peer may take to end a connection whose only packet is written.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many bytes a peer may send on a connection that carries packets to it: in neither framing
/// does it send any.
const CHATTER: usize = 64 << 10;

/// Writes the packets to an address until none has been sent for a long time.
pub(super) async fn carry<R: Runtime>(
    framed: Framed<R>,
    to: SocketAddr,
    task: Serial,
    seat: Seat<R::Stream>,
) {
    let mut carrier =
        Carrier { timer: framed.runtime.timer(Instant::now()), framed, to, task, link: None };
    let ended = carrier.run(&seat).await;
    seat.hub().retired(to, task);
    // The peer should see an orderly end, if that is possible without waiting.
    if let (Ended::Idle, Some(open)) = (ended, &mut carrier.link) {
        poll_fn(|cx| {
            let _ = open.link.poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
}

/// Why a task ends.
enum Ended {
    /// Nothing has been sent for a long time, or the node stops.
    Idle,
    /// The peer cannot be reached.
    Failed,
}

/// What to do next.
enum Next {
    Write(Bytes),
    /// The peer has refused the connection.
    Refused(io::Error),
    End,
}

/// An open connection.
struct Open<S> {
    link: Link<S>,
    since: Instant,
    /// The number of frames that were written on it.
    frames: u64,
}

impl<S> Open<S> {
    /// Whether an error on it means that the peer has never accepted anything from it.
    fn is_refused_by(&self, error: &io::Error) -> bool {
        use TlsFailure::{Refused, RefusedExpired, RefusedIssuer, RefusedWithout};
        let refused = matches!(
            stream_failure(error),
            StreamFailure::Tls(Refused | RefusedExpired | RefusedIssuer | RefusedWithout)
        );
        refused || self.since.elapsed() < PROVEN
    }
}

struct Carrier<R: Runtime> {
    framed: Framed<R>,
    to: SocketAddr,
    task: Serial,
    link: Option<Open<R::Stream>>,
    timer: R::Timer,
}

impl<R: Runtime> Carrier<R> {
    async fn run(&mut self, seat: &Seat<R::Stream>) -> Ended {
        loop {
            let went_on = match self.next(seat).await {
                Next::Write(frame) => self.deliver(&frame, seat).await,
                Next::Refused(error) => self.rests(&error, seat).await,
                Next::End => return Ended::Idle,
            };
            if let Err(ended) = went_on {
                return ended;
            }
        }
    }

    /// Writes a packet, and tries again once if the peer cannot be reached.
    async fn deliver(&mut self, frame: &[u8], seat: &Seat<R::Stream>) -> Result<(), Ended> {
        loop {
            match unless(|cx| seat.poll_closed(cx), self.write(frame)).await {
                None => return Err(Ended::Idle),
                Some(Ok(taken)) => {
                    self.framed.hub.written(self.to, self.task, taken);
                    return Ok(());
                }
                Some(Err(error)) => self.rests(&error, seat).await?,
            }
        }
    }

    /// After the peer could not be reached: waits until it may be tried again, if it may.
    async fn rests(&mut self, error: &io::Error, seat: &Seat<R::Stream>) -> Result<(), Ended> {
        let hub = &self.framed.hub;
        count(&hub.figures.failed);
        hub.failed(Target::Packet, &format!("sending to {}", self.to), error);
        let Failed::Again(until) = hub.unreachable(self.to, self.task, stream_failure(error))
        else {
            return Err(Ended::Failed);
        };
        let mut timer = self.framed.runtime.timer(until);
        let waited = unless(|cx| seat.poll_closed(cx), poll_fn(|cx| timer.poll(cx))).await;
        waited.ok_or(Ended::Idle)
    }

    /// Waits for what to do next. Meanwhile it notices if the peer ends the connection; a write
    /// would notice that only after losing a packet.
    async fn next(&mut self, seat: &Seat<R::Stream>) -> Next {
        self.timer.reset(Instant::now() + self.framed.hub.limits.idle_time);
        let mut heard = 0;
        poll_fn(|cx| {
            if let Some(error) = self.listen(cx, &mut heard) {
                return Poll::Ready(Next::Refused(error));
            }
            if let Poll::Ready(turn) = seat.hub().poll_turn(cx, self.to, self.task) {
                return Poll::Ready(turn.map_or(Next::End, Next::Write));
            }
            if seat.poll_closed(cx).is_ready() {
                return Poll::Ready(Next::End);
            }
            while self.timer.poll(cx).is_ready() {
                if seat.hub().ends(self.to, self.task) {
                    return Poll::Ready(Next::End);
                }
                self.timer.reset(Instant::now() + self.framed.hub.limits.idle_time);
            }
            Poll::Pending
        })
        .await
    }

    /// Drops the connection if the peer has ended it; returns the reason if the peer never accepted
    /// anything from it.
    fn listen(&mut self, cx: &mut Context<'_>, heard: &mut usize) -> Option<io::Error> {
        let mut buffer = [0; 1024];
        while let Some(open) = &mut self.link {
            match open.link.poll_read(cx, &mut buffer) {
                Poll::Pending => return None,
                Poll::Ready(Ok(len)) if len > 0 && *heard < CHATTER => {
                    if *heard == 0
                        && let Err(error) = open.link.answered(&buffer)
                    {
                        self.framed.hub.lost(open.frames);
                        self.link = None;
                        return Some(error);
                    }
                    *heard += len;
                }
                Poll::Ready(Ok(_)) => self.link = None,
                Poll::Ready(Err(error)) => {
                    let open = self.link.take()?;
                    if open.is_refused_by(&error) {
                        self.framed.hub.lost(open.frames);
                        return Some(error);
                    }
                }
            }
        }
        None
    }

    /// Writes a packet; returns whether the peer has accepted it, as far as that can be known.
    async fn write(&mut self, frame: &[u8]) -> io::Result<bool> {
        // By now another member may be known at the address.
        let open = self.link.take();
        let open = open.filter(|open| self.framed.hub.check_name(&open.link, self.to).is_ok());
        if let Some(mut open) = open {
            let time = self.framed.hub.limits.write_time;
            if self.framed.within(time, open.link.write_all(frame)).await.is_ok() {
                open.frames += 1;
                self.link = Some(open);
                return Ok(true);
            }
        }
        // There is no connection, or it broke: the packet goes over a new one.
        let limits = &self.framed.hub.limits;
        let mut link = self.framed.within(limits.handshake_time, self.framed.open(self.to)).await?;
        count(&self.framed.hub.figures.opened);
        self.framed.within(limits.write_time, link.write_all(frame)).await?;
        if self.framed.hub.framing.reuses_connections() {
            self.link = Some(Open { link, since: Instant::now(), frames: 1 });
            return Ok(true);
        }
        // What the peer did with the packet shows in the result of the probe.
        match self.framed.within(FAREWELL, link.finish()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(error),
        }
    }
}

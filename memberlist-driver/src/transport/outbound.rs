//! The task that carries the packets to one address.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::figures::count;
use super::framed::Framed;
use super::hub::Seat;
use super::link::Link;
use super::pool::Serial;
use crate::driver::stream_failure;
use crate::log::Target;
use crate::node::unless;
use crate::runtime::{Runtime, Stream as _, Timer as _};

/// The time for the peer to end a connection whose only packet is written.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes that a peer may say on a connection that carries packets to it: by neither framing it says
/// anything.
const CHATTER: usize = 64 << 10;

/// Writes the packets to an address until none was sent for long.
pub(super) async fn carry<R: Runtime>(
    framed: Framed<R>,
    to: SocketAddr,
    task: Serial,
    seat: Seat<R::Stream>,
) {
    let mut carrier =
        Carrier { timer: framed.runtime.timer(Instant::now()), framed, to, link: None };
    while let Some(frame) = carrier.next(task, &seat).await {
        let written = unless(|cx| seat.poll_closed(cx), carrier.write(&frame)).await;
        let hub = seat.hub();
        match written {
            None => return,
            Some(Ok(())) => hub.turned(to, task, None),
            Some(Err(error)) => {
                count(&hub.figures.failed);
                hub.failed(Target::Packet, &format!("sending to {to}"), &error);
                hub.turned(to, task, Some(stream_failure(&error)));
                return;
            }
        }
    }
    // The peer is to see an end, and no cut, if that takes no time.
    if let Some(link) = &mut carrier.link {
        poll_fn(|cx| {
            let _ = link.poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }
}

struct Carrier<R: Runtime> {
    framed: Framed<R>,
    to: SocketAddr,
    link: Option<Link<R::Stream>>,
    timer: R::Timer,
}

impl<R: Runtime> Carrier<R> {
    /// The next packet to write. Meanwhile the peer's end is noticed, which writing would only notice
    /// when a packet is lost.
    async fn next(&mut self, task: Serial, seat: &Seat<R::Stream>) -> Option<Bytes> {
        self.timer.reset(Instant::now() + self.framed.hub.limits.idle_time);
        let mut heard = 0;
        poll_fn(|cx| {
            self.listen(cx, &mut heard);
            if let Poll::Ready(turn) = seat.hub().poll_turn(cx, self.to, task) {
                return Poll::Ready(turn);
            }
            if seat.poll_closed(cx).is_ready() {
                return Poll::Ready(None);
            }
            while self.timer.poll(cx).is_ready() {
                if seat.hub().ends(self.to, task) {
                    return Poll::Ready(None);
                }
                self.timer.reset(Instant::now() + self.framed.hub.limits.idle_time);
            }
            Poll::Pending
        })
        .await
    }

    /// Drops the connection if the peer has ended it.
    fn listen(&mut self, cx: &mut Context<'_>, heard: &mut usize) {
        let mut buffer = [0; 1024];
        while let Some(link) = &mut self.link {
            match link.poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(len)) if len > 0 && *heard < CHATTER => *heard += len,
                Poll::Ready(_) => self.link = None,
            }
        }
    }

    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        if let Some(mut link) = self.link.take() {
            let time = self.framed.hub.limits.write_time;
            if self.framed.within(time, link.write_all(frame)).await.is_ok() {
                self.link = Some(link);
                return Ok(());
            }
        }
        // The connection broke: the packet goes by a new one.
        let limits = &self.framed.hub.limits;
        let mut link = self.framed.within(limits.handshake_time, self.framed.open(self.to)).await?;
        count(&self.framed.hub.figures.opened);
        self.framed.within(limits.write_time, link.write_all(frame)).await?;
        if self.framed.hub.framing.reuses_connections() {
            self.link = Some(link);
        } else {
            // What the peer makes of it shows in the probe.
            self.framed.within(FAREWELL, link.finish()).await.or_else(|error| {
                match error.kind() {
                    io::ErrorKind::TimedOut => Ok(()),
                    _ => Err(error),
                }
            })?;
        }
        Ok(())
    }
}

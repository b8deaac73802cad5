//! The task of a connection that a peer has opened: it brings packets, or becomes a stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::StreamFailure;

use super::Limits;
use super::figures::count;
use super::framed::Framed;
use super::frames::{Frame, FrameError, FrameReader};
use super::hub::Seat;
use super::link::Link;
use crate::log::Target;
use crate::node::unless;
use crate::runtime::{Runtime, Timer as _};

/// The time for a peer to read why its connection ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes to read at once.
const READ: usize = 16 << 10;

/// Why a connection ended.
enum End<S> {
    /// It became a stream.
    Stream,
    /// The peer ended it between two frames, or nothing was said for long.
    Over,
    /// The peer has said something wrong, or the connection broke.
    Failed(io::Error, Option<Link<S>>),
}

/// Takes in what a connection brings.
pub(super) async fn serve<R: Runtime>(
    framed: Framed<R>,
    stream: R::Stream,
    from: SocketAddr,
    mut seat: Seat<R::Stream>,
) {
    let mut reader = FrameReader::new(framed.hub.framing, framed.hub.limits.frame);
    let end = {
        let deadline = Instant::now() + framed.hub.limits.handshake_time;
        let accepted = async { Ok(framed.security.accepted(stream).await) };
        let shaken = framed.within(framed.hub.limits.handshake_time, accepted);
        match unless(|cx| seat.poll_closed(cx), shaken).await {
            None => return,
            Some(Err(late)) => End::Failed(late, None),
            Some(Ok(Err((error, stream)))) => End::Failed(error, stream.map(Link::plain)),
            Some(Ok(Ok(link))) => read(&framed, link, from, &mut reader, &mut seat, deadline).await,
        }
    };
    let End::Failed(error, link) = end else { return };
    count(&framed.hub.figures.bad_connections);
    framed.hub.failed(Target::Stream, &format!("connection from {from}"), &error);
    if let Some(mut link) = link {
        // Otherwise the connection is reset, and the peer may not read why.
        let finished = framed.within(FAREWELL, link.finish());
        let _ = unless(|cx| seat.poll_closed(cx), finished).await;
    }
}

async fn read<R: Runtime>(
    framed: &Framed<R>,
    mut link: Link<R::Stream>,
    from: SocketAddr,
    reader: &mut FrameReader,
    seat: &mut Seat<R::Stream>,
    mut deadline: Instant,
) -> End<R::Stream> {
    let limits = &framed.hub.limits;
    let mut timer = framed.runtime.timer(deadline);
    let mut buffer = vec![0; READ];
    let mut settled = false;
    loop {
        match reader.next() {
            Ok(Some(Frame::Packet { from: origin, packet })) => {
                if let Err(error) = arrived(framed, &link, origin.address(from), packet) {
                    return End::Failed(error, None);
                }
                seat.settled();
                settled = true;
                framed.runtime.yield_now().await;
                continue;
            }
            Ok(Some(Frame::Stream)) => {
                let reader = std::mem::replace(reader, FrameReader::new(framed.hub.framing, 0));
                framed.hub.stream(link.after(reader.into_rest()), from);
                return End::Stream;
            }
            Ok(None) => {}
            Err(error) => return End::Failed(in_io(error), None),
        }
        let begun = reader.buffered() > 0;
        if settled && let Some(due) = due(limits, begun, deadline) {
            deadline = due;
            timer.reset(deadline);
        }
        if !seat.holds(reader.buffered()) {
            return End::Failed(io::Error::other("too many frames are under way"), None);
        }
        let step = poll_fn(|cx| {
            if seat.poll_closed(cx).is_ready() {
                return Poll::Ready(None);
            }
            match link.poll_read(cx, &mut buffer) {
                Poll::Pending => timer.poll(cx).map(|()| None),
                read @ Poll::Ready(_) => read.map(Some),
            }
        });
        match step.await {
            // The time is over, or everything is.
            None if settled && !begun => return End::Over,
            None => return End::Failed(io::ErrorKind::TimedOut.into(), None),
            Some(Ok(0)) => {
                reader.end();
                match reader.next() {
                    Ok(Some(Frame::Packet { from: origin, packet })) => {
                        return match arrived(framed, &link, origin.address(from), packet) {
                            Ok(()) => End::Over,
                            Err(error) => End::Failed(error, None),
                        };
                    }
                    Ok(_) => return End::Over,
                    Err(error) => return End::Failed(in_io(error), None),
                }
            }
            Some(Ok(len)) => reader.push(buffer.get(..len).unwrap_or_default()),
            Some(Err(error)) => return End::Failed(error, None),
        }
    }
}

/// Hands on a packet, if the peer may be the member at the address that it gives.
fn arrived<R: Runtime>(
    framed: &Framed<R>,
    link: &Link<R::Stream>,
    sender: SocketAddr,
    packet: Bytes,
) -> io::Result<()> {
    framed.hub.check_name(link, sender)?;
    framed.hub.arrived(packet, sender);
    Ok(())
}

/// When to give up on a connection that has brought a frame, if that changes: a frame that has begun
/// has as long as the first one, however slowly it goes on.
fn due(limits: &Limits, begun: bool, deadline: Instant) -> Option<Instant> {
    let wait = if begun { limits.handshake_time } else { limits.idle_peer_time };
    let due = Instant::now() + wait;
    (!begun || deadline > due).then_some(due)
}

fn in_io(error: FrameError) -> io::Error {
    match error {
        FrameError::Tls => io::Error::new(io::ErrorKind::InvalidData, StreamFailure::UnexpectedTls),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

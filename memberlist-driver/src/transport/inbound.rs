//! The task of a connection that a peer has opened: the connection carries packets, or becomes a
//! stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memberlist_proto::StreamFailure;

use super::figures::Crowded;
use super::framed::Framed;
use super::frames::{Frame, FrameError, FrameReader, Origin};
use super::hub::Seat;
use super::link::Link;
use crate::node::unless;
use crate::runtime::{Runtime, Timer as _};

/// How long a peer may take to read why its connection ends.
const FAREWELL: Duration = Duration::from_secs(1);
/// The number of bytes to read at once.
const READ: usize = 16 << 10;

/// Why a connection ended.
enum End<S> {
    /// It became a stream.
    Stream,
    /// The peer ended it between two frames, or it was idle for too long.
    Over,
    /// The peer has sent something invalid, or the connection broke.
    Failed(io::Error, Option<Link<S>>),
}

/// Serves a connection until it ends or becomes a stream.
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
            Some(Ok(Ok(link))) => {
                framed.hub.shaken(&link);
                read(&framed, link, from, &mut reader, &mut seat, deadline).await
            }
        }
    };
    let End::Failed(error, link) = end else { return };
    framed.hub.bad(from, &error);
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
    deadline: Instant,
) -> End<R::Stream> {
    let limits = &framed.hub.limits;
    let mut timer = framed.runtime.timer(deadline);
    let mut buffer = vec![0; READ];
    let mut settled = false;
    // Whether the incomplete frame had already begun when bytes were last waited for.
    let mut under_way = false;
    loop {
        match reader.next() {
            Ok(Some(Frame::Packet { from: origin, packet })) => {
                if let Err(error) = arrived(framed, &link, origin, from, packet) {
                    return End::Failed(error, None);
                }
                seat.settled();
                (settled, under_way) = (true, false);
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
        // A frame that has begun must be complete in the same time as the first one, even if its
        // bytes keep arriving.
        if settled && !(begun && under_way) {
            let wait = if begun { limits.handshake_time } else { limits.idle_peer_time };
            timer.reset(Instant::now() + wait);
        }
        under_way = begun;
        if !seat.holds(reader.buffered()) {
            return End::Failed(io::Error::other(Crowded), None);
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
            // The time has run out, or the node has stopped.
            None if settled && !begun => return End::Over,
            None => return End::Failed(io::ErrorKind::TimedOut.into(), None),
            Some(Ok(0)) => return last(framed, &link, from, reader),
            Some(Ok(len)) => reader.push(buffer.get(..len).unwrap_or_default()),
            Some(Err(error)) => return End::Failed(error, None),
        }
    }
}

/// The peer has ended its side, and, in one framing, its packet with it.
fn last<R: Runtime>(
    framed: &Framed<R>,
    link: &Link<R::Stream>,
    from: SocketAddr,
    reader: &mut FrameReader,
) -> End<R::Stream> {
    reader.end();
    let taken = match reader.next() {
        Ok(Some(Frame::Packet { from: origin, packet })) => {
            arrived(framed, link, origin, from, packet)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(in_io(error)),
    };
    match taken {
        Ok(()) => End::Over,
        Err(error) => End::Failed(error, None),
    }
}

/// Hands on a packet if the peer may be the member at the address that the frame claims.
fn arrived<R: Runtime>(
    framed: &Framed<R>,
    link: &Link<R::Stream>,
    origin: Origin,
    from: SocketAddr,
    packet: Bytes,
) -> io::Result<()> {
    let sender = origin.address(from);
    framed.hub.check_name(link, sender)?;
    framed.hub.arrived(packet, sender, from.ip());
    Ok(())
}

fn in_io(error: FrameError) -> io::Error {
    match error {
        FrameError::Tls => io::Error::new(io::ErrorKind::InvalidData, StreamFailure::UnexpectedTls),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

//! TLS over a runtime's connection.
//!
//! Neither side waits: rustls takes bytes from the connection and gives it bytes, and the connection
//! says when it has some or takes some.

use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::task::{Context, Poll, ready};

use memberlist_proto::TlsFailure;
use rustls::Connection;

use super::Names;
use super::failure::{cut, in_io};
use crate::runtime::Stream;
use crate::transport::security::Unwelcome;

/// The most bytes that are encrypted at once: as many as one record takes.
const CHUNK: usize = 16 << 10;

/// The first bytes of records of TLS.
const RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x18;
/// Bytes of a record's head.
const HEAD: usize = 5;

pub(crate) struct Session<S> {
    stream: S,
    tls: Connection,
    /// So many bytes of the caller are encrypted, and the connection has not taken all of them.
    /// They count as written when it has, so that nothing is left behind that no call would flush.
    owed: usize,
    /// The end of this side is on its way.
    ended: bool,
    /// The first byte of the peer, by which plain text is known.
    first: Option<u8>,
}

/// A connection as rustls wants it.
struct Wire<'a, S>(&'a mut S);

/// The same for reading, with the first byte of the peer.
struct Heard<'a, S>(&'a mut S, &'a mut Option<u8>);

impl<S: Stream> io::Read for Heard<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.try_read(buffer)?;
        if len > 0 {
            *self.1 = self.1.or(buffer.first().copied());
        }
        Ok(len)
    }
}

impl<S: Stream> io::Write for Wire<'_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Stream> Session<S> {
    /// Shakes hands.
    pub(super) async fn shake(stream: S, tls: Connection) -> Result<Self, Unwelcome<S>> {
        let mut session = Self { stream, tls, owed: 0, ended: false, first: None };
        match poll_fn(|cx| session.poll_shake(cx)).await {
            Ok(()) => Ok(session),
            Err(error) => Err((error, Some(session.stream))),
        }
    }

    fn poll_shake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match ready!(self.poll_flush(cx)) {
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(ended_early(self.explained(error)))),
            }
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match self.fetch() {
                // It ends silently: the reason may be anything.
                Ok(0) => return Poll::Ready(Err(cut(TlsFailure::Cut))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_readable(cx)).map_err(ended_early)?;
                }
                Err(error) => return Poll::Ready(Err(ended_early(error))),
            }
        }
    }

    /// Why nothing can be written: the peer may have said so before it ended the connection.
    fn explained(&mut self, error: io::Error) -> io::Error {
        loop {
            match self.fetch() {
                Ok(0) => return error,
                Ok(_) => {}
                Err(said) if said.kind() == io::ErrorKind::InvalidData => return said,
                Err(_) => return error,
            }
        }
    }

    /// The names of the peer's certificate.
    pub(crate) fn names(&self) -> Names {
        Names::of(self.tls.peer_certificates())
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Many end a connection without saying so in TLS; what this protocol sends has its
                // own ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            self.fetch()?;
        }
    }

    pub(crate) fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        let flushed = self.flush().and_then(|()| {
            if self.owed == 0 {
                let chunk = data.get(..CHUNK).unwrap_or(data);
                self.owed = self.tls.writer().write(chunk)?;
            }
            self.flush()
        });
        match flushed {
            Ok(()) => Ok(std::mem::take(&mut self.owed)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            Err(error) => Err(self.explained(error)),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.tls.send_close_notify();
        }
        ready!(self.poll_flush(cx))?;
        self.stream.poll_shutdown(cx)
    }

    /// Takes bytes from the connection and decrypts them: how many, 0 at its end.
    fn fetch(&mut self) -> io::Result<usize> {
        let len = loop {
            match self.tls.read_tls(&mut Heard(&mut self.stream, &mut self.first)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        // Plain text is known by its first byte, and fewer bytes than a record's head may be all that
        // the peer says: rustls is given the rest of one, finds that it is none, and says so to the
        // peer.
        if len > 0 && len < HEAD && self.first.is_some_and(|first| !RECORDS.contains(&first)) {
            self.tls.read_tls(&mut &[0; HEAD][..])?;
        }
        let processed = self.tls.process_new_packets();
        // An answer of TLS itself, such as why it gives up; what does not fit now goes along with
        // what is written next.
        let flushed = self.flush();
        processed.map_err(|error| in_io(&error))?;
        match flushed {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock && len == 0 => Err(error),
            _ => Ok(len),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Wire(&mut self.stream)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_writable(cx))?;
                }
                flushed => return Poll::Ready(flushed),
            }
        }
    }
}

/// A handshake that the peer ends, however it does so.
fn ended_early(error: io::Error) -> io::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => cut(TlsFailure::Cut),
        _ => error,
    }
}

#[cfg(test)]
mod tests;

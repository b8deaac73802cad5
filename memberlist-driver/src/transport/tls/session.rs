//! TLS over a connection of any runtime.
//!
//! No call waits: rustls reads from the connection and writes to it, and the connection says when
//! it can be read or written.

use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::task::{Context, Poll, ready};

use memberlist_proto::TlsFailure;
use rustls::Connection;

use super::Names;
use super::failure::{cut, in_io};
use crate::runtime::Stream;
use crate::transport::security::Unwelcome;

/// The maximum number of bytes that are encrypted at once: as many as one record can hold.
const CHUNK: usize = 16 << 10;

/// The bytes with which TLS records begin.
const RECORDS: std::ops::RangeInclusive<u8> = 0x14..=0x18;
/// The length of a record's header, in bytes.
const HEAD: usize = 5;

pub(crate) struct Session<S> {
    stream: S,
    tls: Connection,
    /// The number of the caller's bytes that are encrypted, but have not all been written to the
    /// connection. They count as written only when all of them have, so nothing remains that no
    /// later call would flush.
    owed: usize,
    /// This side has begun to close.
    ended: bool,
    /// The first byte from the peer, by which plain text is recognized.
    first: Option<u8>,
}

/// A connection as rustls writes to it.
struct Wire<'a, S>(&'a mut S);

/// A connection as rustls reads from it, with the first byte from the peer.
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
    /// Performs the handshake.
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
                // The peer has closed without an alert: the reason is unknown.
                Ok(0) => return Poll::Ready(Err(cut(TlsFailure::Cut))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_readable(cx)).map_err(ended_early)?;
                }
                Err(error) => return Poll::Ready(Err(ended_early(error))),
            }
        }
    }

    /// Why nothing can be written: the peer may have sent the reason before it closed the
    /// connection.
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

    /// The names in the peer's certificate.
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
                // Many peers close a connection without `close_notify`; this protocol recognizes a
                // truncated message itself.
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

    /// Reads bytes from the connection and decrypts them; returns how many were read, 0 at its end.
    fn fetch(&mut self) -> io::Result<usize> {
        let len = loop {
            match self.tls.read_tls(&mut Heard(&mut self.stream, &mut self.first)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        // Plain text is recognized by its first byte, but the peer may send fewer bytes than a
        // record's header has: rustls is given the rest of one, so that it rejects the record and
        // alerts the peer.
        if len > 0 && len < HEAD && self.first.is_some_and(|first| !RECORDS.contains(&first)) {
            self.tls.read_tls(&mut &[0; HEAD][..])?;
        }
        let processed = self.tls.process_new_packets();
        // An answer of TLS itself, such as an alert; what cannot be written now is written with the
        // next data.
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

/// The error for a handshake that the peer ends, however it does so.
fn ended_early(error: io::Error) -> io::Error {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => cut(TlsFailure::Cut),
        _ => error,
    }
}

#[cfg(test)]
mod tests;

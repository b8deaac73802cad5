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

pub(crate) struct Session<S> {
    stream: S,
    tls: Connection,
    /// So many bytes of the caller are encrypted, and the connection has not taken all of them.
    /// They count as written when it has, so that nothing is left behind that no call would flush.
    owed: usize,
    /// The end of this side is on its way.
    ended: bool,
}

/// A connection as rustls wants it.
struct Wire<'a, S>(&'a mut S);

impl<S: Stream> io::Read for Wire<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
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
        let mut session = Self { stream, tls, owed: 0, ended: false };
        match poll_fn(|cx| session.poll_shake(cx)).await {
            Ok(()) => Ok(session),
            Err(error) => Err((error, Some(session.stream))),
        }
    }

    fn poll_shake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match self.fetch() {
                // It ends silently: the reason may be anything.
                Ok(0) => return Poll::Ready(Err(cut(TlsFailure::Cut))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_readable(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Poll::Ready(Err(cut(TlsFailure::Cut)));
                }
                Err(error) => return Poll::Ready(Err(error)),
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
        if self.owed == 0 {
            self.flush()?;
            let chunk = data.get(..CHUNK).unwrap_or(data);
            self.owed = self.tls.writer().write(chunk)?;
        }
        self.flush()?;
        Ok(std::mem::take(&mut self.owed))
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
            match self.tls.read_tls(&mut Wire(&mut self.stream)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
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

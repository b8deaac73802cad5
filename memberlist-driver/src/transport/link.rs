//! A connection of a transport: with or without TLS, and with the bytes that were read before it
//! was recognized as a stream.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use memberlist_proto::StreamFailure;

#[cfg(feature = "tls")]
use super::tls::{Names, Session};
use crate::runtime::Stream;

/// How many bytes from a peer are read and discarded at the end.
const LAST_WORDS: usize = 64 << 10;

/// The first byte of a TLS alert.
const ALERT: u8 = 0x15;

/// A connection.
pub(crate) struct Link<S> {
    wire: Wire<S>,
    /// Bytes that were read already, and are returned by the next reads.
    before: Bytes,
    /// The names in the peer's certificate, if they are checked.
    #[cfg(feature = "tls")]
    names: Option<Names>,
}

enum Wire<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<Session<S>>),
}

impl<S: Stream> Link<S> {
    pub(super) fn plain(stream: S) -> Self {
        Self {
            wire: Wire::Plain(stream),
            before: Bytes::new(),
            #[cfg(feature = "tls")]
            names: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(session: Session<S>, requires_names: bool) -> Self {
        let names = requires_names.then(|| session.names());
        Self { wire: Wire::Tls(Box::new(session)), before: Bytes::new(), names }
    }

    /// The names in the peer's certificate, if a member's certificate must be for its name.
    #[cfg(feature = "tls")]
    pub(super) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// Whether it is without TLS.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.wire, Wire::Plain(_))
    }

    /// Checks the first bytes that a peer sends on a connection for packets, on which in neither
    /// framing it sends any. A peer that expects TLS may answer with an alert.
    pub(super) fn answered(&self, said: &[u8]) -> io::Result<()> {
        if self.is_plain() && said.first() == Some(&ALERT) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, StreamFailure::UnexpectedTls));
        }
        Ok(())
    }

    /// The same connection, with these bytes to be read first.
    pub(super) fn after(self, before: Bytes) -> Self {
        Self { before, ..self }
    }

    /// Writes all of `data`. With TLS, they end at the end of a record.
    pub(super) async fn write_all(&mut self, mut data: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            while !data.is_empty() {
                match self.try_write(data) {
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Ok(len) => data = data.get(len..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.poll_writable(cx))?;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Reads once, into the caller's buffer.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_readable(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Ends this side, and waits until the peer ends its own: a connection that is dropped with
    /// unread bytes is reset, and the peer may lose what it has not read yet.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await?;
        let (mut buffer, mut heard) = ([0; 512], 0);
        while heard < LAST_WORDS {
            let len = poll_fn(|cx| self.poll_read(cx, &mut buffer)).await?;
            if len == 0 {
                return Ok(());
            }
            if heard == 0 {
                self.answered(&buffer)?;
            }
            heard += len;
        }
        Ok(())
    }
}

impl<S: Stream> Stream for Link<S> {
    fn set_nodelay(&self) -> io::Result<()> {
        match &self.wire {
            Wire::Plain(stream) => stream.set_nodelay(),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.stream().set_nodelay(),
        }
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match &self.wire {
            Wire::Plain(stream) => stream.poll_readable(cx),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.stream().poll_readable(cx),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Plain(stream) => stream.poll_writable(cx),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.stream().poll_writable(cx),
        }
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.before.is_empty() {
            let len = self.before.len().min(buffer.len());
            if let (Some(room), Some(read)) = (buffer.get_mut(..len), self.before.get(..len)) {
                room.copy_from_slice(read);
            }
            self.before.advance(len);
            return Ok(len);
        }
        match &mut self.wire {
            Wire::Plain(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.try_read(buffer),
        }
    }

    fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.try_write(data),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.try_write(data),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Wire::Tls(session) => session.poll_shutdown(cx),
        }
    }
}

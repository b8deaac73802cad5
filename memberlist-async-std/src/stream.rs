//! The task of one stream.

use std::future::poll_fn;
use std::net::SocketAddr;

use async_std::net::TcpStream;
use bytes::{Buf as _, Bytes};
use futures_lite::future::{or, pending, race};
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use memberlist_proto::driver::{Command, Driver, stream_failure};
use memberlist_proto::{StreamFailure, StreamId};

use crate::tasks::dial;

/// Bytes read at once.
const READ: usize = 64 << 10;
/// Bytes of a peer's last words that are read and thrown away, so that closing does not cut off
/// what it has yet to read.
const LAST_WORDS: usize = 1 << 20;

/// Opens a connection and runs it.
pub(crate) async fn connect(driver: Driver, id: StreamId, to: SocketAddr) {
    let aborted = async {
        poll_fn(|cx| driver.poll_abort(cx, id)).await;
        Err(StreamFailure::Other)
    };
    let dialled = or(dial(to), aborted).await;
    match dialled {
        Ok(stream) => {
            driver.connected(id);
            run(driver, id, stream).await;
        }
        Err(failure) => driver.closed(id, Some(failure)),
    }
}

/// Carries a connection until it ends, and tells so once.
pub(crate) async fn run(driver: Driver, id: StreamId, stream: TcpStream) {
    // A delay would only make an answer late.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = (stream.clone(), stream);
    let mut carrier = Carrier { driver, id, reader, writer, pending: Bytes::new(), broken: None };
    let cause = carrier.run().await;
    carrier.driver.closed(id, cause);
}

struct Carrier {
    driver: Driver,
    id: StreamId,
    reader: TcpStream,
    writer: TcpStream,
    pending: Bytes,
    /// Why writing ended; the peer's answer may still be there to read.
    broken: Option<StreamFailure>,
}

/// What happened first.
enum Step {
    Read(std::io::Result<usize>),
    Wrote(std::io::Result<usize>),
    Command(Command),
    Abort,
}

impl Carrier {
    async fn run(&mut self) -> Option<StreamFailure> {
        let mut buffer = vec![0; READ];
        let mut reading = true;
        loop {
            match self.step(&mut buffer, reading).await {
                Step::Read(Ok(0)) => {
                    reading = false;
                    self.driver.eof(self.id);
                    if self.broken.is_some() {
                        return self.broken;
                    }
                }
                Step::Read(Ok(len)) => self.driver.data(self.id, &buffer[..len]),
                Step::Read(Err(error)) => return Some(stream_failure(&error)),
                Step::Wrote(Ok(len)) => {
                    self.pending.advance(len);
                    self.driver.written(self.id, len);
                }
                Step::Wrote(Err(error)) => {
                    self.pending.clear();
                    self.broken = Some(stream_failure(&error));
                    if !reading {
                        return self.broken;
                    }
                }
                Step::Command(Command::Write(data)) => {
                    if self.broken.is_none() {
                        self.pending = data;
                    }
                }
                Step::Command(Command::Close) => return self.close(&mut buffer, reading).await,
                Step::Command(Command::Abort) | Step::Abort => return Some(StreamFailure::Other),
            }
        }
    }

    async fn step(&mut self, buffer: &mut [u8], reading: bool) -> Step {
        let (driver, id, writing) = (&self.driver, self.id, !self.pending.is_empty());
        let (reader, writer, data) = (&mut self.reader, &mut self.writer, &self.pending);
        let read = async {
            if !reading {
                return pending().await;
            }
            Step::Read(reader.read(buffer).await)
        };
        let told = async {
            if !writing {
                return Step::Command(poll_fn(|cx| driver.poll_command(cx, id)).await);
            }
            let write = async { Step::Wrote(writer.write(data).await) };
            let abort = async {
                poll_fn(|cx| driver.poll_abort(cx, id)).await;
                Step::Abort
            };
            or(abort, write).await
        };
        // Neither direction may starve the other.
        race(read, told).await
    }

    /// Everything is written: ends this side and waits for the other's end.
    async fn close(&mut self, buffer: &mut [u8], reading: bool) -> Option<StreamFailure> {
        if self.broken.is_some() {
            return self.broken;
        }
        if let Err(error) = self.writer.shutdown(std::net::Shutdown::Write) {
            return Some(stream_failure(&error));
        }
        let mut heard = 0;
        while reading && heard < LAST_WORDS {
            let (driver, id) = (&self.driver, self.id);
            let abort = async {
                poll_fn(|cx| driver.poll_abort(cx, id)).await;
                Ok(0)
            };
            match or(self.reader.read(buffer), abort).await {
                Ok(len) if len > 0 => heard += len,
                _ => break,
            }
        }
        None
    }
}

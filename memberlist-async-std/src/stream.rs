//! The task of one stream.

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};

use async_std::net::TcpStream;
use bytes::{Buf as _, Bytes};
use futures_lite::future::{or, pending, race};
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
use memberlist_driver::{Command, StreamTask, stream_failure};
use memberlist_proto::StreamFailure;

use crate::tasks::at_once;

/// Opens a connection and runs it.
pub(crate) async fn connect(mut task: StreamTask, to: SocketAddr) {
    let aborted = async {
        poll_fn(|cx| task.driver.poll_abort(cx, task.id)).await;
        Err(StreamFailure::Other)
    };
    let dialling = async { TcpStream::connect(to).await.map_err(|error| stream_failure(&error)) };
    let dialled = or(dialling, aborted).await;
    match dialled {
        Ok(stream) => {
            task.driver.connected(task.id);
            run(stream, task).await;
        }
        Err(failure) => task.cause = Some(failure),
    }
}

/// Carries a connection until it ends.
pub(crate) async fn run(stream: TcpStream, task: StreamTask) {
    // A delay would only make an answer late.
    let _ = stream.set_nodelay(true);
    let mut carrier = Carrier { stream, pending: Bytes::new(), broken: None, task };
    carrier.task.cause = carrier.run().await;
}

struct Carrier {
    stream: TcpStream,
    pending: Bytes,
    /// Why writing ended; the peer's answer may still be there to read.
    broken: Option<StreamFailure>,
    /// Behind the stream, so that it is dropped after it.
    task: StreamTask,
}

/// What happened first.
enum Step {
    Readable,
    Wrote(io::Result<usize>),
    Command(Command),
    Abort,
}

impl Carrier {
    async fn run(&mut self) -> Option<StreamFailure> {
        let mut reading = true;
        loop {
            match self.step(reading).await {
                Step::Readable => match self.read(true) {
                    Ok(Some(0)) => {
                        reading = false;
                        self.task.driver.eof(self.task.id);
                        if self.broken.is_some() {
                            return self.broken;
                        }
                    }
                    Ok(_) => {}
                    Err(error) => return Some(stream_failure(&error)),
                },
                Step::Wrote(Ok(len)) => {
                    self.pending.advance(len);
                    self.task.driver.written(self.task.id, len);
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
                Step::Command(Command::Close) => return self.close(reading).await,
                Step::Command(Command::Abort) | Step::Abort => return Some(StreamFailure::Other),
            }
        }
    }

    async fn step(&self, reading: bool) -> Step {
        let (driver, id, writing) = (&self.task.driver, self.task.id, !self.pending.is_empty());
        let read = async {
            if !reading {
                return pending().await;
            }
            self.readable().await;
            Step::Readable
        };
        let told = async {
            if !writing {
                return Step::Command(poll_fn(|cx| driver.poll_command(cx, id)).await);
            }
            let write = async { Step::Wrote((&self.stream).write(&self.pending).await) };
            let abort = async {
                poll_fn(|cx| driver.poll_abort(cx, id)).await;
                Step::Abort
            };
            or(abort, write).await
        };
        // Neither direction may starve the other.
        race(read, told).await
    }

    /// Until there is something to read, an end or an error among it.
    async fn readable(&self) {
        let _ = self.stream.peek(&mut [0]).await;
    }

    /// Reads what there is, 0 bytes at the peer's end, and hands it in if anybody is to `hear` it.
    /// The buffer lives no longer than that: a stream on which nobody says anything has none.
    fn read(&self, hear: bool) -> io::Result<Option<usize>> {
        let mut buffer = vec![0; StreamTask::READ];
        match at_once((&self.stream).read(&mut buffer)) {
            Ok(len) => {
                if hear && len > 0 {
                    self.task.driver.data(self.task.id, &buffer[..len]);
                }
                Ok(Some(len))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything is written: ends this side and waits for the other's end; the core's deadline
    /// aborts the wait.
    async fn close(&mut self, reading: bool) -> Option<StreamFailure> {
        if self.broken.is_some() {
            return self.broken;
        }
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            return Some(stream_failure(&error));
        }
        let mut heard = 0;
        while reading && heard < StreamTask::LAST_WORDS {
            let (driver, id) = (&self.task.driver, self.task.id);
            let read = async {
                self.readable().await;
                self.read(false)
            };
            let aborted = async {
                poll_fn(|cx| driver.poll_abort(cx, id)).await;
                Ok(Some(0))
            };
            match or(read, aborted).await {
                Ok(Some(len)) if len > 0 => heard += len,
                Ok(None) => {}
                _ => break,
            }
        }
        None
    }
}

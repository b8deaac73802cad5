//! The task of one stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, Bytes};
use memberlist_driver::{Command, StreamTask, stream_failure};
use memberlist_proto::StreamFailure;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Opens a connection and runs it.
pub(crate) async fn connect(mut task: StreamTask, to: SocketAddr) {
    let dialled = tokio::select! {
        dialled = TcpStream::connect(to) => dialled.map_err(|error| stream_failure(&error)),
        () = poll_fn(|cx| task.driver.poll_abort(cx, task.id)) => Err(StreamFailure::Other),
    };
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
    Writable,
    Command(Command),
    Abort,
}

impl Carrier {
    async fn run(&mut self) -> Option<StreamFailure> {
        let mut reading = true;
        loop {
            match self.step(reading).await {
                Ok(Step::Readable) => match self.read(true) {
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
                Ok(Step::Writable) => {
                    if let Err(error) = self.write() {
                        self.pending.clear();
                        self.broken = Some(stream_failure(&error));
                        if !reading {
                            return self.broken;
                        }
                    }
                }
                Ok(Step::Command(Command::Write(data))) => {
                    if self.broken.is_none() {
                        self.pending = data;
                    }
                }
                Ok(Step::Command(Command::Close)) => return self.close(reading).await,
                Ok(Step::Command(Command::Abort) | Step::Abort) => {
                    return Some(StreamFailure::Other);
                }
                Err(error) => return Some(stream_failure(&error)),
            }
        }
    }

    async fn step(&self, reading: bool) -> io::Result<Step> {
        let (driver, id, writing) = (&self.task.driver, self.task.id, !self.pending.is_empty());
        tokio::select! {
            ready = self.stream.readable(), if reading => ready.map(|()| Step::Readable),
            ready = self.stream.writable(), if writing => ready.map(|()| Step::Writable),
            command = poll_fn(|cx| driver.poll_command(cx, id)), if !writing => {
                Ok(Step::Command(command))
            }
            () = poll_fn(|cx| driver.poll_abort(cx, id)), if writing => Ok(Step::Abort),
        }
    }

    /// Reads what there is, 0 bytes at the peer's end, and hands it in if anybody is to `hear` it.
    /// The buffer lives no longer than that: a stream on which nobody says anything has none.
    fn read(&self, hear: bool) -> io::Result<Option<usize>> {
        let mut buffer = Vec::with_capacity(StreamTask::READ);
        match self.stream.try_read_buf(&mut buffer) {
            Ok(len) => {
                if hear && len > 0 {
                    self.task.driver.data(self.task.id, &buffer);
                }
                Ok(Some(len))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        match self.stream.try_write(&self.pending) {
            Ok(len) => {
                self.pending.advance(len);
                self.task.driver.written(self.task.id, len);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Everything is written: ends this side and waits for the other's end; the core's deadline
    /// aborts the wait.
    async fn close(&mut self, reading: bool) -> Option<StreamFailure> {
        if self.broken.is_some() {
            return self.broken;
        }
        if let Err(error) = self.stream.shutdown().await {
            return Some(stream_failure(&error));
        }
        let mut heard = 0;
        while reading && heard < StreamTask::LAST_WORDS {
            let (driver, id) = (&self.task.driver, self.task.id);
            tokio::select! {
                ready = self.stream.readable() => match ready.and_then(|()| self.read(false)) {
                    Ok(Some(len)) if len > 0 => heard += len,
                    Ok(None) => {}
                    _ => break,
                },
                () = poll_fn(|cx| driver.poll_abort(cx, id)) => break,
            }
        }
        None
    }
}

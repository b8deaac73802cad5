//! An adapter without any runtime, as a third party might write one: a thread for each node and for
//! each stream. Where a real one would have the operating system wake it, this one looks again
//! every few milliseconds.

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{
    Command, Driver, Events, Handle, Intake, Opened, Running, StreamTask, Work, open, reachable,
    stream_failure,
};
use memberlist_proto::{Config, StreamFailure};
use memberlist_tests::conformance::Adapter;

/// How long a thread may miss what its socket has.
const GLANCE: Duration = Duration::from_millis(2);
/// How long the operating system may take to connect: the core gives up sooner.
const CONNECT: Duration = Duration::from_secs(10);

pub(crate) struct Threads;

impl Adapter for Threads {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        let Opened { listener, packets, address, handle, events, driver } = open(config, options)?;
        thread::spawn(move || {
            // Dropped after the sockets: whoever waits for the end may take the port at once.
            let _running = Running::new(driver.clone());
            let mut intake = Intake::default();
            let waker = unpark();
            loop {
                let batch = intake.read(&driver, |buffer| packets.recv_from(buffer));
                while let Ok((stream, from)) = listener.accept() {
                    if let Some(id) = driver.accept(from) {
                        let task = StreamTask::new(driver.clone(), id);
                        thread::spawn(move || carry(&stream, task));
                    }
                }
                let work = driver.work();
                if work.stopped {
                    return;
                }
                let due = work.timeout;
                carry_out(&driver, work, |payload, to| {
                    packets.send_to(payload, reachable(to, address)).map(drop)
                });
                let dirty = driver.poll_work(&Context::from_waker(&waker)).is_ready();
                if !batch.more && !dirty {
                    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
                    thread::park_timeout(left.unwrap_or(GLANCE).min(GLANCE));
                }
            }
        });
        Ok((handle, events))
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        futures_lite::future::block_on(scenario)
    }

    async fn sleep(time: Duration) {
        let due = Instant::now() + time;
        poll_fn(|cx| {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            thread::spawn(move || {
                thread::sleep(left);
                waker.wake();
            });
            Poll::Pending
        })
        .await;
    }
}

/// Sends, connects, resolves and asks.
fn carry_out(driver: &Driver, work: Work, send: impl Fn(&[u8], SocketAddr) -> std::io::Result<()>) {
    for transmit in work.transmits {
        if let Err(error) = send(&transmit.payload, transmit.to) {
            driver.unsent(&transmit, &error);
        }
    }
    for (id, to) in work.connects {
        let task = StreamTask::new(driver.clone(), id);
        thread::spawn(move || match TcpStream::connect_timeout(&to, CONNECT) {
            Ok(stream) => {
                task.driver.connected(id);
                carry(&stream, task);
            }
            Err(error) => task.end(Some(stream_failure(&error))),
        });
    }
    for lookup in work.lookups {
        let driver = driver.clone();
        thread::spawn(move || {
            let found = (lookup.host.as_str(), 0).to_socket_addrs();
            driver.looked_up(&lookup, found);
        });
    }
    for request in work.requests {
        let driver = driver.clone();
        thread::spawn(move || driver.ask(&request));
    }
}

/// Carries a stream until it ends; `task` tells the end when it is dropped.
fn carry(stream: &TcpStream, task: StreamTask) {
    let waker = unpark();
    let cx = Context::from_waker(&waker);
    let mut stream_ref = stream;
    let (mut pending, mut reading, mut closing) = (bytes::Bytes::new(), true, false);
    let cause = loop {
        if let Err(error) = stream.set_nonblocking(true) {
            break Some(stream_failure(&error));
        }
        let mut rest = true;
        if reading {
            let mut buffer = vec![0; StreamTask::READ];
            match stream_ref.read(&mut buffer) {
                Ok(0) => {
                    reading = false;
                    task.driver.eof(task.id);
                }
                Ok(len) => {
                    rest = false;
                    if !closing {
                        task.driver.data(task.id, &buffer[..len]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => break Some(stream_failure(&error)),
            }
        }
        if !pending.is_empty() {
            match stream_ref.write(&pending) {
                Ok(len) => {
                    rest = false;
                    bytes::Buf::advance(&mut pending, len);
                    task.driver.written(task.id, len);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => break Some(stream_failure(&error)),
            }
            if task.driver.poll_abort(&cx, task.id).is_ready() {
                break Some(StreamFailure::Other);
            }
        } else if closing {
            // The peer may still read: its end is awaited, as long as the core has patience.
            if !reading || task.driver.poll_abort(&cx, task.id).is_ready() {
                break None;
            }
        } else if let Poll::Ready(command) = task.driver.poll_command(&cx, task.id) {
            rest = false;
            match command {
                Command::Write(data) => pending = data,
                Command::Close => {
                    closing = true;
                    if let Err(error) = stream.shutdown(Shutdown::Write) {
                        break Some(stream_failure(&error));
                    }
                }
                Command::Abort => break Some(StreamFailure::Other),
            }
        }
        if rest {
            thread::park_timeout(GLANCE);
        }
    };
    task.end(cause);
}

/// Wakes the thread that calls this.
fn unpark() -> Waker {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    Waker::from(Arc::new(Unpark(thread::current())))
}

//! The task that accepts streams.

use std::time::Instant;

use super::guard::{StreamGuard, TaskGuard};
use super::turns::Backoff;
use super::{stream, unless};
use crate::log::Target;
use crate::runtime::{Listener as _, Runtime, Timer as _};

/// How many connections are accepted in a row before other tasks have their turn: a flood of them
/// must not monopolize a thread.
const ROUND: u64 = 16;

pub(super) struct AcceptTask<R: Runtime> {
    pub(super) runtime: R,
    pub(super) listener: R::Listener,
    /// Declared after the socket, so that it is dropped after it.
    pub(super) guard: TaskGuard,
}

impl<R: Runtime> AcceptTask<R> {
    /// Accepts until the node stops.
    pub(super) async fn run(self) {
        let driver = self.guard.driver();
        let mut backoff = Backoff::default();
        for number in 1_u64.. {
            if number.is_multiple_of(ROUND) {
                self.runtime.yield_now().await;
            }
            let accepted = unless(|cx| driver.poll_stopped(cx), self.listener.accept()).await;
            match accepted {
                None => return,
                Some(Ok((stream, from))) => {
                    backoff.reset();
                    // If it is refused, dropping it closes it.
                    if let Some(id) = driver.accept(from) {
                        let guard = StreamGuard::new(driver.clone(), id);
                        self.runtime.spawn(stream::carry::<R>(stream, guard, false));
                    }
                }
                // If no file descriptor is left, accepting fails again at once: the loop must not
                // spin.
                Some(Err(error)) => {
                    driver.failed(Target::Stream, "accepting a stream", &error);
                    let mut timer = self.runtime.timer(Instant::now() + backoff.wait());
                    let rest = std::future::poll_fn(|cx| timer.poll(cx));
                    unless(|cx| driver.poll_stopped(cx), rest).await;
                }
            }
        }
    }
}

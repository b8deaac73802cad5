//! The adapters that the suite runs over.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use memberlist_driver::bind::{Options, StartError};
use memberlist_driver::{Events, Handle};
use memberlist_proto::Config;
use memberlist_tests::conformance::Adapter;

/// The adapter for tokio, with everything on one thread.
pub(crate) struct Tokio;

impl Adapter for Tokio {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        let (node, events) = memberlist_tokio::Memberlist::start(config, options).await?;
        Ok(((*node).clone(), events))
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(scenario)
    }

    async fn sleep(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The adapter for async-std, on the threads that all scenarios of a process share.
pub(crate) struct AsyncStd;

impl Adapter for AsyncStd {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        let (node, events) = memberlist_async_std::Memberlist::start(config, options).await?;
        Ok(((*node).clone(), events))
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        async_std::task::block_on(scenario)
    }

    async fn sleep(time: Duration) {
        async_std::task::sleep(time).await;
    }
}

/// The adapter for smol, on its own threads, which all scenarios of a process share.
pub(crate) struct Smol;

impl Adapter for Smol {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        let (node, events) = memberlist_smol::Memberlist::start(config, options).await?;
        Ok(((*node).clone(), events))
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        smol::block_on(scenario)
    }

    async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }
}

/// The nodes of a scenario on the three runtimes in turn; tokio's has two threads here.
pub(crate) struct Mixed;

thread_local! {
    static STARTED: Cell<usize> = const { Cell::new(0) };
}

impl Adapter for Mixed {
    async fn start(config: Config, options: Options) -> Result<(Handle, Events), StartError> {
        let number = STARTED.replace(STARTED.get() + 1);
        match number % 3 {
            0 => AsyncStd::start(config, options).await,
            1 => Smol::start(config, options).await,
            _ => Tokio::start(config, options).await,
        }
    }

    fn block_on<T>(scenario: impl Future<Output = T>) -> T {
        STARTED.set(0);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(scenario)
    }

    async fn sleep(time: Duration) {
        Tokio::sleep(time).await;
    }
}

//! The suite of adapters over `memberlist-tokio`.

#[path = "../../tests/adapters/node.rs"]
mod suite;

/// What the suite asks of a runtime.
mod shim {
    use std::future::Future;
    use std::time::Duration;

    pub use memberlist_tokio as adapter;

    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(future)
    }

    pub async fn timeout<T>(after: Duration, future: impl Future<Output = T>) -> Result<T, ()> {
        tokio::time::timeout(after, future).await.map_err(drop)
    }

    pub async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(work).await.expect("no panic")
    }
}

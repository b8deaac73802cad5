//! The suite of adapters over `memberlist-async-std`.

#[path = "../../tests/adapters/node.rs"]
mod suite;

/// What the suite asks of a runtime.
mod shim {
    use std::future::Future;
    use std::time::Duration;

    pub use memberlist_async_std as adapter;

    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }

    pub async fn timeout<T>(after: Duration, future: impl Future<Output = T>) -> Result<T, ()> {
        async_std::future::timeout(after, future).await.map_err(drop)
    }

    pub async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        async_std::task::spawn_blocking(work).await
    }
}

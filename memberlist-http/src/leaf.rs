//! The page's locks. They are the last ones that a thread takes: while it holds one, it neither asks
//! the node, whose lock may be held by a thread that waits for the page (a delegate that asks it), nor
//! runs code of others.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use memberlist_driver::Handle;

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// A value behind such a lock.
#[derive(Debug, Default)]
pub(crate) struct Leaf<T>(Mutex<T>);

/// Notes the lock for as long as it is held, however that ends.
struct Held;

impl Held {
    fn new() -> Self {
        HELD.with(|held| debug_assert!(!held.replace(true), "a second lock"));
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(false);
    }
}

impl<T> Leaf<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// What `f` makes of the value. No panic leaves it half changed.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = Held::new();
        let result = f(&mut value);
        drop(held);
        result
    }
}

/// A node, which is only asked by threads that hold none of these locks.
pub(crate) struct Asked(Handle);

impl Asked {
    pub(crate) fn new(node: Handle) -> Self {
        Self(node)
    }

    pub(crate) fn node(&self) -> &Handle {
        debug_assert!(!HELD.get(), "the node is asked under a lock of the page");
        &self.0
    }
}

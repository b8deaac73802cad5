//! The page's locks. They are the last ones that a thread takes: while it holds one, it neither
//! calls the node, whose lock may be held by a thread that waits for the page (a delegate that
//! calls it), nor runs foreign code.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use memberlist_driver::Handle;

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// A value behind such a lock.
#[derive(Debug, Default)]
pub(crate) struct Leaf<T>(Mutex<T>);

/// Records that a lock is held, until it is dropped.
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

    /// Calls `f` with the value. A panic in it does not poison the lock.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = Held::new();
        let result = f(&mut value);
        drop(held);
        result
    }
}

/// The node, which may only be called by threads that hold none of these locks.
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

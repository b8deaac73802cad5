//! What nodes leave behind, in a process of their own, one test after the other.
#![cfg(target_os = "linux")]

mod runtimes;

use std::sync::{Mutex, PoisonError};

use memberlist_tests::conformance::Adapter;
use memberlist_tests::conformance::resources::a_thousand_lives_leave_nothing_behind;

use runtimes::{AsyncStd, Mixed, Smol, Tokio};

/// Only one test at a time can tell whose descriptors it counts.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn on_tokio() {
    run::<Tokio>(|| tokio::runtime::Handle::current().metrics().num_alive_tasks());
}

/// This runtime does not count its tasks.
#[test]
fn on_async_std() {
    run::<AsyncStd>(|| 0);
}

/// Nor does this one.
#[test]
fn on_smol() {
    run::<Smol>(|| 0);
}

#[test]
fn on_all() {
    run::<Mixed>(|| tokio::runtime::Handle::current().metrics().num_alive_tasks());
}

fn run<A: Adapter>(tasks: impl Fn() -> usize) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    A::block_on(a_thousand_lives_leave_nothing_behind::<A>(tasks));
}

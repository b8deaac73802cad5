//! One suite over every adapter, over a cluster of both, and over a third party's.

mod coverage;
mod runtimes;
mod threads;

mod on_tokio {
    memberlist_tests::conformance!(crate::runtimes::Tokio);
}

mod on_async_std {
    memberlist_tests::conformance!(crate::runtimes::AsyncStd);
}

mod on_both {
    memberlist_tests::conformance!(crate::runtimes::Mixed);
}

mod on_threads {
    memberlist_tests::conformance!(crate::threads::Threads);
}

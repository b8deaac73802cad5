//! One suite over every adapter, over clusters that mix them, and over a third party's runtime.

mod coverage;
mod deaf;
mod names;
mod runtimes;
mod strangers;
mod threads;
mod tls;
mod transports;

mod on_tokio {
    memberlist_tests::conformance!(crate::runtimes::Tokio);
}

mod on_async_std {
    memberlist_tests::conformance!(crate::runtimes::AsyncStd);
}

mod on_smol {
    memberlist_tests::conformance!(crate::runtimes::Smol);
}

mod on_all {
    memberlist_tests::conformance!(crate::runtimes::Mixed);
}

mod on_threads {
    memberlist_tests::conformance!(crate::threads::Threads);
}

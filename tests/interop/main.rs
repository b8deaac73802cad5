//! Live tests against programs built on the Go library: one of ours, Serf, Alertmanager.
//!
//! They are ignored by default, because they need Debian packages. The continuous integration
//! installs them; without them the tests fail.

mod alertmanager;
mod control;
mod dns;
mod dskit;
mod go;
mod keys;
mod labels;
mod matrix;
mod mixed;
mod msgpack;
mod paths;
mod serf;
mod tls;
mod zones;

/// A 128-bit key.
const KEY: &[u8] = b"a sixteen b. key";

/// Declares live tests.
macro_rules! live {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)+) => {
        $(
            $(#[$doc])*
            #[test]
            #[ignore = "needs Debian's serf, prometheus-alertmanager, golang-go and \
                        golang-github-hashicorp-memberlist-dev: apt-get install them; CI runs this"]
            fn $name() $body
        )+
    };
}
use live;

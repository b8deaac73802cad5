//! Live tests against programs that run the Go library: one of ours, Serf, Alertmanager.
//!
//! They are ignored unless asked for, since they need Debian's peers; the continuous
//! integration installs them, and there a missing one fails.

mod alertmanager;
mod control;
mod go;
mod keys;
mod matrix;
mod mixed;
mod msgpack;
mod paths;
mod serf;

/// A 128-bit key.
const KEY: &[u8] = b"a sixteen b. key";

/// Marks the tests below as live ones.
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

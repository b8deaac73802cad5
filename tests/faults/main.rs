//! Faults around a node: links, sockets, the process, and floods. Each test shows what the user sees
//! during the fault, and that the node recovers. `docs/faults.md` has the table.

mod addresses;
mod healing;
mod links;
mod loaded;
mod process;

/// Declares tests that create networks of their own or load the machine.
macro_rules! alone {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)+) => {
        $(
            $(#[$doc])*
            #[test]
            #[ignore = "needs root and a quiet machine: cargo nextest run -p memberlist-tests \
                        --run-ignored only --test faults; CI runs this"]
            fn $name() $body
        )+
    };
}
use alone;

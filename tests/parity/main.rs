//! What the Go library's own tests pin down, shown on ours: each test here has the name of one of
//! theirs. `docs/parity.md` says which of theirs is where.

mod cluster;
mod one;

mod memberlist;
mod net;
mod probe;
mod state;

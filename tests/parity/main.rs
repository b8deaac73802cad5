//! The behaviour that the Go library's own tests check, shown on ours. Tests are named after theirs,
//! except for a few about documented differences. `docs/parity.md` lists all of theirs.

mod cluster;
mod one;

mod memberlist;
mod net;
mod probe;
mod state;

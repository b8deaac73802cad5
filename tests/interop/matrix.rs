//! The live matrix: each cell is one test, which goes through the whole list of checks with one pair
//! of processes. `cargo run -p memberlist-tests --example matrix` prints the table afterwards.

pub(crate) mod alertmanager;
pub(crate) mod go;
mod serf;

use memberlist_tests::matrix::{Cell, Joins, Peer, Record, folder};

use crate::live;

fn walk(cell: Cell) {
    let mut record = Record::begin(&folder(), &cell);
    match cell.peer {
        Peer::Go => go::walk(cell, &mut record),
        Peer::Serf => serf::walk(cell, &mut record),
        Peer::Alertmanager => {
            alertmanager::walk(alertmanager::Setting { cell, tls: None }, &mut record);
        }
    }
    record.finish();
}

/// Declares a module for every value of an axis, recursively for the remaining axes, and a test in
/// each of the innermost.
macro_rules! cells {
    ($cell:expr; { $($name:ident: $with:ident($value:expr)),+ } $rest:tt) => {
        $(
            mod $name {
                use super::*;
                cells! { $cell.$with($value); $rest }
            }
        )+
    };
    ($cell:expr; [ $($axes:tt)+ ]) => {
        cells! { $cell; $($axes)+ }
    };
    ($cell:expr; []) => {
        live! {
            fn cell() { walk($cell); }
        }
    };
}

mod with_go {
    use super::*;

    cells! { Cell::new(Peer::Go);
        { rust_joins: joins(Joins::Rust), go_joins: joins(Joins::Peer) }
        [{ plain: key(0), key16: key(16), key24: key(24), key32: key(32) }
        [{ compressed: compression(true), uncompressed: compression(false) }
        [{ v1: version(1), v2: version(2), v5: version(5) }
        []]]]
    }
}

mod with_serf {
    use super::*;

    cells! { Cell::new(Peer::Serf);
        { rust_joins: joins(Joins::Rust), serf_joins: joins(Joins::Peer) }
        [{ plain: key(0), key16: key(16), key24: key(24), key32: key(32) }
        [{ compressed: compression(true), uncompressed: compression(false) }
        []]]
    }
}

mod with_alertmanager {
    use super::*;

    cells! { Cell::new(Peer::Alertmanager);
        { rust_joins: joins(Joins::Rust), alertmanager_joins: joins(Joins::Peer) }
        [{ compressed: compression(true), uncompressed: compression(false) }
        []]
    }
}

//! A table of records written by the test itself.

use std::fs;

use super::{Cell, Peer, Record, Table};
use crate::binary::scratch;

#[test]
fn gaps_in_the_table_are_faults() {
    let folder = scratch("table");
    let cells: Vec<Cell> = Cell::all().filter(|cell| cell.exception().is_none()).collect();
    assert_eq!(cells.len(), 48 + 16 + 4, "Go, Serf, Alertmanager");
    for cell in &cells {
        let mut record = Record::begin(&folder, cell);
        record.check("join", || ());
        record.check("leave", || ());
        record.finish();
    }
    let table = Table::read(&folder);
    assert_eq!(table.faults(), Vec::<String>::new());
    let shown = table.to_string();
    assert_eq!(shown.matches("✓ 2 |").count(), cells.len(), "{shown}");
    assert!(shown.contains("| leave | 48 of 48 | 16 of 16 | 4 of 4 |"), "{shown}");

    let [first, second, third] = [cells[0], cells[1], cells[2]];
    fs::remove_file(super::record::file(&folder, &first)).expect("its record");
    let mut failing = Record::begin(&folder, &second);
    failing.check("join", || ());
    failing.check("leave", || ());
    let mut short = Record::begin(&folder, &third);
    short.check("join", || ());
    short.finish();
    let table = Table::read(&folder);
    assert_eq!(
        table.faults(),
        [
            "go-rust-joins-key0-compressed-v1: never ran",
            "go-rust-joins-key0-compressed-v2: failed at leave",
            "go-rust-joins-key0-compressed-v5: did not check leave",
        ]
    );
    let shown = table.to_string();
    assert!(shown.contains("MISSING") && shown.contains("FAILED: leave"), "{shown}");
    fs::remove_dir_all(folder).expect("the folder of this test");
}

#[test]
fn cells_have_unique_names_and_keys_of_their_length() {
    let mut names: Vec<String> = Cell::all().map(|cell| cell.name()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3 * 2 * 4 * 6);
    let cell = Cell::new(Peer::Serf);
    assert_eq!(cell.key(0).secret(), None);
    assert_eq!(cell.key(24).secret().map(<[u8]>::len), Some(24));
}

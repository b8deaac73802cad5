//! Our agent and a Go program with dskit's transport: the whole walk of the matrix, plain and with TLS.

use memberlist_tests::certificates::Authority;
use memberlist_tests::matrix::{Cell, Joins, Peer, Record, Way, folder};

use crate::live;
use crate::matrix::go;

live! {
    fn our_node_joins() {
        walk("rust", Cell::new(Peer::Go).way(Way::Dskit(None)));
    }

    fn the_go_node_joins() {
        walk("go", Cell::new(Peer::Go).way(Way::Dskit(None)).joins(Joins::Peer));
    }

    fn with_a_label() {
        walk("label", Cell::new(Peer::Go).way(Way::Dskit(None)).label("grafana"));
    }

    fn with_a_label_over_tls() {
        walk_over_tls("label-tls", Joins::Peer, "grafana");
    }

    fn with_a_key_and_without_compression() {
        walk("key", Cell::new(Peer::Go).way(Way::Dskit(None)).key(32).compression(false).version(5));
    }

    fn our_node_joins_over_tls() {
        walk_over_tls("rust-tls", Joins::Rust, "");
    }

    fn the_go_node_joins_over_tls() {
        walk_over_tls("go-tls", Joins::Peer, "");
    }
}

fn walk(name: &str, cell: Cell) {
    let mut record = Record::begin(&folder().with_file_name(format!("dskit-{name}")), &cell);
    go::walk(cell, &mut record);
    record.finish();
}

fn walk_over_tls(name: &str, joins: Joins, label: &'static str) {
    let authority = Authority::new();
    authority.issue("node", &["cluster"]);
    // A cell is copied around; its folder's name is needed until the process ends.
    let files: &str = authority.folder().display().to_string().leak();
    walk(name, Cell::new(Peer::Go).way(Way::Dskit(Some(files))).joins(joins).label(label));
}

//! Each row of the decision tables is counted as itself.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Rig, VSN, address, config};
use crate::config::Config;
use crate::hooks::{Candidate, Hooks};
use crate::stats::Decisions;
use crate::wire::message::{Alive, Message};

struct NotEve;

impl Hooks for NotEve {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<(), String> {
        if candidate.name.as_bytes() == b"eve" { Err("not her".into()) } else { Ok(()) }
    }
}

/// A node and what it had decided when last looked at.
struct Rows {
    rig: Rig,
    before: Decisions,
}

impl Rows {
    fn new(rig: Rig) -> Self {
        let before = rig.node.stats().decisions;
        Self { rig, before }
    }

    /// Expects that these rows, and no others, were taken once since the last call.
    #[track_caller]
    fn took(&mut self, expected: &[&str]) {
        let after = self.rig.node.stats().decisions;
        let both = self.before.iter().zip(after.iter());
        let grown = both.map(|((row, before), (_, now))| (row, now - before));
        let taken: Vec<_> = grown.filter(|(_, times)| *times > 0).collect();
        let expected: Vec<_> = expected.iter().map(|row| (*row, 1)).collect();
        assert_eq!(taken, expected);
        self.before = after;
    }

    #[track_caller]
    fn alive(&mut self, name: &str, port: u16, incarnation: u32, row: &str) {
        self.rig.alive(name, port, incarnation);
        self.took(&[row]);
    }

    #[track_caller]
    fn meta(&mut self, name: &str, incarnation: u32, meta: &[u8], row: &str) {
        self.rig.alive_with(name, 2, incarnation, meta, Some(&VSN));
        self.took(&[row]);
    }

    #[track_caller]
    fn suspect(&mut self, name: &str, incarnation: u32, from: &str, row: &str) {
        self.rig.suspect(name, incarnation, from);
        self.took(&[row]);
    }

    #[track_caller]
    fn dead(&mut self, name: &str, incarnation: u32, from: &str, row: &str) {
        self.rig.dead(name, incarnation, from);
        self.took(&[row]);
    }
}

#[test]
fn what_is_refused() {
    let mut config = config();
    config.cidrs_allowed = Some(["10.0.0.0/8".parse().unwrap()].into());
    config.limits.members = 4;
    config.limits.new_members_burst = 1;
    config.limits.share_per_source = 1;
    config.limits.new_members_per_second = 1;
    let mut rows = Rows::new(Rig::with_delegate(config, Some(Arc::new(NotEve))));
    rows.alive("", 2, 1, "alive_name");
    rows.alive("eve", 2, 1, "alive_vetoed");
    rows.alive("a", 2, 0, "alive_zero");
    rows.meta("a", 1, &[b'm'; 2049], "alive_meta");
    let alive = |addr: &'static [u8], vsn: &'static [u8]| {
        let (addr, vsn, meta) = (Some(addr), Some(vsn), None);
        Message::Alive(Alive { incarnation: 1, node: b"a", addr, port: 2, meta, vsn })
    };
    rows.rig.receive(&alive(&[10, 0, 0, 1], &[5, 1, 2, 0, 0, 0]));
    rows.took(&["alive_versions"]);
    rows.rig.receive(&alive(&[192, 168, 0, 1], &VSN));
    rows.took(&["alive_network"]);
    rows.rig.receive_from(([192, 168, 0, 1], 9).into(), &alive(&[10, 0, 0, 1], &VSN));
    rows.took(&["alive_network"]);
    rows.alive("a", 2, 1, "alive_new");
    rows.alive("b", 3, 1, "alive_new");
    rows.alive("c", 4, 1, "alive_too_fast");
    rows.rig.wait(Duration::from_secs(2));
    rows.alive("c", 4, 1, "alive_new");
    rows.alive("d", 5, 1, "alive_too_many");
}

#[test]
fn an_address_nobody_has() {
    let mut rows = Rows::new(Rig::new());
    let addr = Some(&[0, 0, 0, 0][..]);
    let (port, meta, vsn) = (2, None, Some(&VSN[..]));
    rows.rig.receive(&Message::Alive(Alive { incarnation: 1, node: b"a", addr, port, meta, vsn }));
    rows.took(&["alive_address"]);
}

#[test]
fn news_about_others() {
    let mut rows = Rows::new(Rig::with(patient()));
    rows.alive("a", 2, 5, "alive_new");
    rows.alive("a", 2, 5, "alive_nothing_new");
    rows.alive("a", 2, 6, "alive_renewed");
    rows.meta("a", 7, b"other", "alive_updated");
    rows.alive("a", 3, 8, "alive_conflict");
    rows.suspect("a", 7, "b", "suspect_begun");
    rows.meta("a", 7, b"other", "alive_nothing_new");
    rows.meta("a", 8, b"another", "alive_cleared");
    rows.dead("a", 8, "b", "dead_declared");
    rows.meta("a", 8, b"another", "alive_old_of_gone");
    rows.meta("a", 9, b"", "alive_back");
    rows.dead("a", 9, "a", "dead_left");
    rows.alive("a", 2, 9, "alive_old_of_gone");
    rows.alive("a", 3, 1, "alive_after_left");
    rows.dead("a", 1, "b", "dead_declared");
    rows.alive("a", 4, 9, "alive_conflict");
    rows.rig.wait(Duration::from_secs(11));
    rows.alive("a", 4, 1, "alive_reclaimed");
}

#[test]
fn accusations_of_others() {
    let mut rows = Rows::new(Rig::with(patient()));
    rows.rig.answering = true;
    rows.suspect("a", 1, "b", "suspect_unknown");
    rows.dead("a", 1, "b", "dead_unknown");
    for (name, port) in [("a", 2), ("b", 3), ("c", 4), ("d", 5)] {
        rows.alive(name, port, 3, "alive_new");
    }
    rows.suspect("a", 2, "b", "suspect_old");
    rows.dead("a", 2, "b", "dead_old");
    rows.suspect("a", 3, "b", "suspect_begun");
    rows.suspect("a", 3, "b", "suspect_repeated");
    rows.suspect("a", 3, "c", "suspect_confirmed");
    rows.rig.wait(Duration::from_secs(25));
    rows.took(&["dead_ran_out"]);
    rows.suspect("a", 3, "d", "suspect_gone");
    rows.dead("a", 3, "d", "dead_gone");
    rows.dead("a", 3, "a", "dead_has_left");
    rows.dead("a", 3, "a", "dead_gone");
    rows.alive("a", 2, 4, "alive_back");
    rows.suspect("a", 4, "b", "suspect_begun");
    rows.suspect("a", 5, "c", "suspect_renewed");
    let long = "x".repeat(256);
    rows.suspect("a", 5, &long, "suspect_accuser");
    rows.dead("a", 5, &long, "dead_accuser");
    let mut rows = Rows::new(Rig::with(Config { suspicion: false, ..patient() }));
    rows.alive("a", 2, 1, "alive_new");
    rows.rig.suspect("a", 1, "b");
    rows.took(&["suspect_skipped", "dead_declared"]);
}

#[test]
fn news_about_oneself() {
    let mut rows = Rows::new(Rig::new());
    rows.suspect("me", 1, "b", "suspect_mine_refuted");
    rows.dead("me", 2, "b", "dead_mine_refuted");
    rows.alive("me", 1, 2, "alive_mine_old");
    rows.alive("me", 1, 3, "alive_mine_same");
    rows.alive("me", 1, 4, "alive_mine_refuted");
    rows.alive("me", 2, 9, "alive_conflict");
    rows.rig.node.leave(rows.rig.now, Duration::ZERO);
    rows.took(&["dead_mine_left"]);
    rows.alive("me", 1, 9, "alive_after_leaving");
    rows.dead("me", 9, "b", "dead_gone");
    assert_eq!(rows.rig.node.local().address(), Some(address(1)));
}

/// A node whose suspicions last, and which lets the dead be replaced after ten seconds.
fn patient() -> Config {
    let probe_interval = Duration::from_secs(1);
    Config { probe_interval, dead_node_reclaim_time: Duration::from_secs(10), ..config() }
}

#[test]
fn records_of_no_known_state_are_passed_over() {
    use crate::wire::push_pull::{NodeState, encode_header, encode_state};
    let mut rig = Rig::new();
    let mut body = alloc::vec::Vec::new();
    encode_header(&mut body, false, 2, 0);
    for (name, state) in [(&b"a"[..], 7), (b"b", 0)] {
        let addr = Some(&[10, 0, 0, 1][..]);
        let (port, incarnation, meta, vsn) = (2, 1, None, Some(&super::VSN[..]));
        encode_state(&mut body, &NodeState { name, addr, port, meta, incarnation, state, vsn });
    }
    let id = rig.node.accept_stream(rig.now, super::address(9)).expect("room");
    rig.node.handle_stream_data(rig.now, id, &body).expect("a good state");
    let decisions = rig.node.stats().decisions;
    assert_eq!((decisions.merged_unknown, decisions.merged_alive), (1, 1));
    assert!(rig.knows("b") && !rig.knows("a"));
}

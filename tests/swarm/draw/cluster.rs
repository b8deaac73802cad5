//! The properties of a cluster: each has a configuration of its own, and so has each node.

use std::fmt::Write as _;

use super::{Draw, Plot};

/// The properties that all nodes have in common.
#[allow(clippy::struct_excessive_bools)] // Drawn each by itself.
pub(super) struct Kind {
    pub(super) encrypted: bool,
    labelled: bool,
    /// The label that the cluster is given while it runs, node by node and step by step.
    pub(super) rolls_to: Option<&'static str>,
    /// Whether every node searches for lost ones.
    pub(super) heals: bool,
    rejoins: bool,
    /// Whether nodes join by host names.
    pub(super) by_name: bool,
    pub(super) suspicion: bool,
    pub(super) preset: Option<&'static str>,
    guarded: bool,
    /// The share of nodes in percent with IPv6 addresses.
    six: usize,
    narrow: bool,
    /// How packets travel.
    pub(super) transport: &'static str,
}

impl Kind {
    /// Draws the transport separately, so that nothing else of a seed depends on it.
    pub(super) fn draw(draw: &mut Draw, transport: &mut Draw) -> Self {
        let rejoins = draw.chance(50);
        let labelled = draw.chance(30);
        let other = if labelled { draw.one(&["blue", "-"]) } else { "blue" };
        Self {
            encrypted: draw.chance(40),
            labelled,
            rolls_to: draw.chance(20).then_some(other),
            rejoins,
            heals: rejoins && draw.chance(60),
            by_name: draw.chance(30),
            suspicion: draw.chance(90),
            preset: draw.one(&[Some("local"), Some("local"), Some("lan"), Some("wan"), None]),
            guarded: draw.chance(25),
            six: draw.one(&[0, 0, 50, 100]),
            narrow: draw.chance(40),
            transport: transport.one(&["udp", "udp", "alertmanager", "dskit"]),
        }
    }

    /// The option for the label at the start, as in a script.
    pub(super) fn label(&self) -> &'static str {
        if self.labelled { "swarm" } else { "-" }
    }

    /// Whether a stranger's packets can be read: it has neither key nor label.
    pub(super) fn open(&self) -> bool {
        !self.encrypted && !self.labelled
    }
}

/// Small limits, each with its range; the number of nodes is added to the last ones.
const LIMITS: [(&str, usize, usize, bool); 14] = [
    ("new_members_burst", 1, 3, false),
    ("new_members_per_second", 1, 3, false),
    ("streams", 3, 6, false),
    ("streams_opened", 3, 6, false),
    ("streams_per_source", 2, 4, false),
    ("push_pulls", 3, 5, false),
    ("relays", 1, 3, false),
    ("relays_per_second", 1, 3, false),
    ("operations", 1, 3, false),
    ("user_broadcasts", 1, 3, false),
    ("told_dead", 1, 3, false),
    ("reports_per_second", 1, 3, false),
    ("share_per_source", 1, 3, false),
    ("members", 0, 2, true),
];

impl Plot {
    pub(super) fn start(&mut self) {
        let mut common = format!("reclaim=1s compress={}", self.draw.switch(60));
        if self.kind.encrypted {
            common.push_str(" key=9");
        }
        if self.kind.labelled {
            let _ = write!(common, " label={}", self.kind.label());
        }
        if self.kind.guarded {
            common.push_str(" networks=10.0.0.0/8,fd00::/8");
        }
        if !self.kind.suspicion {
            common.push_str(" suspicion=off");
        }
        for index in 0..self.nodes.len() {
            let own = self.own();
            let preset =
                self.kind.preset.unwrap_or_else(|| self.draw.one(&["local", "lan", "wan"]));
            self.line(&format!("start n{index} with preset={preset} {own} {common}"));
        }
        for index in 0..self.nodes.len() {
            self.line(&format!("host host{index} n{index}"));
        }
        for index in 1..self.nodes.len() {
            let target = self.target(0);
            self.line(&format!("join n{index} {target}"));
        }
    }

    /// Draws the options of a single node.
    fn own(&mut self) -> String {
        let as_go = self.draw.chance(25) && !self.kind.heals;
        let protocol = self.draw.one(&[2, 3, 5]);
        let (asks, streams) = (self.draw.switch(30), self.draw.switch(85));
        let spread = self.draw.switch(50);
        let mut own = format!("protocol={protocol} asks={asks}");
        if self.kind.transport == "udp" {
            let _ = write!(own, " streampings={streams}");
        }
        let _ = write!(own, " spread={spread} differences={}", if as_go { "none" } else { "all" });
        if self.kind.transport != "udp" {
            let _ = write!(own, " transport={}", self.kind.transport);
        }
        if !as_go {
            let rejoins = if self.kind.rejoins { "on" } else { "off" };
            let _ = write!(own, " rejoin={rejoins}");
        }
        if self.kind.heals {
            own.push_str(" seeds=host0");
        }
        let ip = if self.draw.chance(self.kind.six) { 6 } else { 4 };
        let _ = write!(own, " ip={ip}");
        if self.draw.chance(20) {
            own.push_str(" vetoes=eve");
        }
        if self.draw.chance(40) {
            let (bytes, records) = (1 << self.draw.below(9), 1 + self.draw.below(4));
            let _ = write!(own, " jobs=on limits.bytes_at_once={bytes}");
            let _ = write!(own, " limits.records_at_once={records}");
        }
        if self.kind.narrow {
            for _ in 0..=self.draw.below(4) {
                let (name, least, most, each) = self.draw.one(&LIMITS);
                let nodes = if each { self.nodes.len() } else { 0 };
                let limit = least + self.draw.below(most - least + 1) + nodes;
                let _ = write!(own, " limits.{name}={limit}");
            }
        }
        own
    }
}

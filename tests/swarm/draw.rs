//! Draws a script from a seed.

mod chaos;
mod cluster;
pub(crate) mod rollout;

use std::fmt::Write as _;

use self::cluster::Kind;

/// A random generator of its own, so that what a seed draws depends on nothing else.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn switch(&mut self, percent: usize) -> &'static str {
        if self.chance(percent) { "on" } else { "off" }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// The line before those of the chaos.
pub(crate) const CHAOS: &str = "# chaos";

/// The line after those of the chaos.
pub(crate) const CALM: &str = "# calm";

#[derive(Clone, Copy, PartialEq)]
enum Health {
    Well,
    Faulty,
    Left,
    Down,
}

/// A script being drawn.
struct Plot {
    draw: Draw,
    text: String,
    nodes: Vec<Health>,
    /// How far each node has come on the way to another label.
    steps: Vec<usize>,
    kind: Kind,
}

/// The script of a seed: its own cluster, faults and workload under the simulator's laws, and then
/// a calm, in which all nodes have to agree and become idle.
pub(crate) fn script(seed: u64) -> String {
    let mut draw = Draw::new(seed);
    let size = 2 + draw.below(7);
    let kind = Kind::draw(&mut draw, &mut Draw::new(!seed));
    let (nodes, steps) = (vec![Health::Well; size], vec![0; size]);
    let mut plot = Plot { draw, text: String::new(), nodes, steps, kind };
    plot.line(&format!("seed {seed}"));
    plot.start();
    plot.line(CHAOS);
    plot.readers();
    for _ in 0..8 + plot.draw.below(12) {
        plot.incident();
        let pause = 100 + plot.draw.below(6000);
        plot.line(&format!("run {pause}ms"));
    }
    plot.calm();
    plot.text
}

impl Plot {
    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// Draws which applications read slowly: `reader.rs` passes them the events of their nodes.
    fn readers(&mut self) {
        for node in 0..self.nodes.len() {
            if self.draw.chance(40) {
                let (takes, every) = (1 + self.draw.below(20), 200 + self.draw.below(40_000));
                let (count, bytes) = (1 + self.draw.below(6), self.draw.below(1500));
                self.line(&format!(
                    "# n{node} reads {takes} events every {every}ms of at most {count} of a kind \
                     and {bytes} bytes"
                ));
            }
        }
    }

    fn calm(&mut self) {
        self.line(CALM);
        self.line("calm");
        for node in 0..self.nodes.len() {
            if self.nodes[node] == Health::Left {
                self.line(&format!("try crash n{node}"));
            }
            // It holds whatever part of the chaos is left out to make a failing script shorter.
            self.line(&format!("try resume n{node}\ntry restart n{node}"));
            // Another node may have its address.
            self.line(&format!("try move n{node}\nhost host{node} n{node}"));
        }
        self.line("run 30s");
        self.gather();
        self.line("until agree within bound");
        self.line("run 5s\nexpect agree\nuntil idle within 60s");
        let others = names(1..self.nodes.len());
        self.line(&format!("cut n0 from {others}"));
        let state = if self.kind.suspicion { "suspect" } else { "dead" };
        self.line(&format!("until somebody sees n0 {state} within bound\nheal"));
        // A node that is wrongly accused, and perhaps declared dead, must come back on its own if
        // all nodes search for dead ones. Else two nodes may consider each other dead, as those of
        // the Go library do: then no node is left to receive a refutation.
        self.gather();
        self.line("until agree within bound");
    }

    /// A node that was forgotten in the meantime is found again by a join, as an operator would do
    /// it; if every node searches for the others, no operator is needed.
    fn gather(&mut self) {
        if self.kind.heals {
            return;
        }
        self.join_all();
        // A node that is considered dead for too long to be sent the accusation, and is not
        // forgotten yet, has nothing to refute: as in Go, an operator has to join once more.
        self.line("run 120s");
        self.join_all();
    }

    fn join_all(&mut self) {
        for index in 1..self.nodes.len() {
            let target = self.target(0);
            // They join one after another, because some nodes serve only one at a time.
            self.line(&format!("join n{index} {target}\nrun 1s"));
        }
    }

    /// How a node joins another.
    fn target(&self, other: usize) -> String {
        if self.kind.by_name { format!("via host{other}") } else { format!("to n{other}") }
    }
}

fn names(range: std::ops::Range<usize>) -> String {
    range.map(|index| format!("n{index}")).collect::<Vec<_>>().join(" ")
}

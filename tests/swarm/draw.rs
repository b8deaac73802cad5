//! What a seed stands for: a script.

use std::fmt::Write as _;

/// A generator of its own, so that what a seed draws depends on nothing else.
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
}

/// Stands before the lines that do the harm.
pub(crate) const CHAOS: &str = "# chaos";

/// Stands behind them.
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
    encrypted: bool,
}

/// The script of a seed: its own cluster, faults and workload under the simulator's laws, and then
/// calm, in which everybody has to agree and come to rest.
pub(crate) fn script(seed: u64) -> String {
    let mut draw = Draw::new(seed);
    let size = 2 + draw.below(7);
    let encrypted = draw.chance(40);
    let mut plot = Plot { draw, text: String::new(), nodes: vec![Health::Well; size], encrypted };
    plot.line(&format!("seed {seed}"));
    plot.start();
    plot.line(CHAOS);
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

    fn start(&mut self) {
        let mut common = String::from("with preset=local reclaim=1s");
        let compress = self.draw.switch(60);
        let _ = write!(common, " compress={compress}");
        if self.encrypted {
            common.push_str(" key=9");
        }
        if self.draw.chance(30) {
            common.push_str(" label=swarm");
        }
        for index in 0..self.nodes.len() {
            let differences = if self.draw.chance(25) { "none" } else { "all" };
            let protocol = [2, 3, 5][self.draw.below(3)];
            let (asks, streams) = (self.draw.switch(30), self.draw.switch(85));
            let spread = self.draw.switch(50);
            let own = format!("differences={differences} protocol={protocol} asks={asks}");
            let rest = format!("streampings={streams} spread={spread}");
            self.line(&format!("start n{index} {common} {own} {rest}"));
        }
        for index in 1..self.nodes.len() {
            self.line(&format!("join n{index} to n0"));
        }
    }

    fn incident(&mut self) {
        let node = self.draw.below(self.nodes.len());
        let other = self.draw.below(self.nodes.len());
        let health = self.nodes[node];
        let runs = !matches!(health, Health::Down | Health::Left);
        match self.draw.below(14) {
            0 | 1 => self.weather(),
            2 => self.line(&format!("cut n{node} from n{other}")),
            3 if self.nodes.len() > 1 => {
                let middle = 1 + self.draw.below(self.nodes.len() - 1);
                let (one, other) = (names(0..middle), names(middle..self.nodes.len()));
                self.line(&format!("split {one} from {other}"));
            }
            4 => self.line("heal"),
            5 | 6 if health != Health::Down => {
                self.line(&format!("crash n{node}"));
                self.nodes[node] = Health::Down;
                // Sometimes it is back before anybody noticed.
                if self.draw.chance(30) {
                    self.come_back(node, other);
                }
            }
            5..=7 if health == Health::Down => {
                self.come_back(node, other);
            }
            7 | 8 if runs => {
                let command = ["freeze", "hold"][self.draw.below(2)];
                self.line(&format!("{command} n{node}"));
                self.nodes[node] = Health::Faulty;
            }
            9 if runs => {
                self.line(&format!("resume n{node}"));
                self.nodes[node] = Health::Well;
            }
            10 if runs && self.draw.chance(30) => {
                self.line(&format!("leave n{node}"));
                self.nodes[node] = Health::Left;
            }
            11 if runs && node != other => self.line(&format!("join n{node} to n{other}")),
            12 | 13 if runs => self.work(node, other),
            _ => {}
        }
    }

    fn come_back(&mut self, node: usize, other: usize) {
        let command = if self.draw.chance(30) { "move" } else { "restart" };
        self.line(&format!("{command} n{node}\njoin n{node} to n{other}"));
        self.nodes[node] = Health::Well;
    }

    fn work(&mut self, node: usize, other: usize) {
        let number = self.draw.next();
        let line = match self.draw.below(4) {
            0 => format!("meta n{node} meta {number}"),
            1 => format!("broadcast n{node} news {number}"),
            // Only to itself can everybody certainly speak: a member may be unknown by now.
            2 => format!("ping n{node} n{node}"),
            _ if other == node => format!("tell n{node} n{node} message {number}"),
            _ => format!("broadcast n{node} {}", "long news ".repeat(60)),
        };
        self.line(&line);
    }

    /// Makes the network bad in some way, or ends that.
    fn weather(&mut self) {
        let line = match self.draw.below(8) {
            0 => format!("link loss=0.{:02}", self.draw.below(40)),
            1 => format!("link duplication=0.{:02}", self.draw.below(20)),
            2 => format!(
                "link refusal=0.{:02} reset=0.{:02}",
                self.draw.below(30),
                self.draw.below(20)
            ),
            3 => format!(
                "link latency=1ms..{}ms chunk={}",
                2 + self.draw.below(300),
                1 + self.draw.below(2000)
            ),
            4 => format!(
                "link silence=0.{:02} connect={}ms",
                self.draw.below(30),
                self.draw.below(900)
            ),
            5 => format!(
                "link mtu={} bandwidth={} queue=4000",
                700 + self.draw.below(900),
                2000 + self.draw.below(100_000)
            ),
            6 => format!("link packets={} streams={}", self.draw.switch(50), self.draw.switch(80)),
            // Without encryption nothing but UDP's own checksum, which is not simulated, could tell:
            // a changed version byte is believed, and lasts.
            _ if self.encrypted => format!("link corruption=0.0{}", self.draw.below(5)),
            _ => "calm".to_owned(),
        };
        self.line(&line);
    }

    fn calm(&mut self) {
        self.line(CALM);
        self.line("calm");
        for node in 0..self.nodes.len() {
            match self.nodes[node] {
                Health::Well => {}
                Health::Faulty => self.line(&format!("resume n{node}")),
                Health::Left => self.line(&format!("crash n{node}\nrestart n{node}")),
                Health::Down => self.line(&format!("restart n{node}")),
            }
        }
        // Whoever was forgotten in the meantime is found again by joining, as an operator would.
        self.line("run 30s");
        for index in 1..self.nodes.len() {
            self.line(&format!("join n{index} to n0"));
        }
        self.line(&format!("until agree within {}s", agreement(self.nodes.len())));
        self.line("run 5s\nexpect agree\nuntil idle within 60s");
        // Nobody joins it again: who is wrongly accused, and perhaps declared dead, must come back by
        // itself, by a refutation or, where gossip missed somebody, by full state exchanges.
        let others = names(1..self.nodes.len());
        self.line(&format!("cut n0 from {others}\nuntil somebody sees n0 suspect within 90s"));
        self.line(&format!("heal\nuntil agree within {}s", agreement(self.nodes.len())));
    }
}

fn names(range: std::ops::Range<usize>) -> String {
    range.map(|index| format!("n{index}")).collect::<Vec<_>>().join(" ")
}

/// How many seconds a small cluster of the preset `local` may take to agree on a good network:
/// every member probed once by everybody at the worst health (8 times the interval of a second), a
/// whole suspicion (3 × 6 intervals), and three full state exchanges, one in 15 s.
fn agreement(nodes: usize) -> usize {
    8 * nodes + 3 * 6 + 3 * 15
}

//! The lines of a script that disturb its cluster.

use super::{Health, Plot, names};

impl Plot {
    pub(super) fn incident(&mut self) {
        let node = self.draw.below(self.nodes.len());
        let other = self.draw.below(self.nodes.len());
        let health = self.nodes[node];
        if let Some(to) = self.kind.rolls_to
            && self.draw.chance(40)
        {
            return self.roll(to);
        }
        let runs = !matches!(health, Health::Down | Health::Left);
        match self.draw.below(17) {
            0 | 1 => self.weather(),
            2 => self.line(&format!("cut n{node} from n{other}")),
            3 if self.nodes.len() > 1 => {
                let middle = 1 + self.draw.below(self.nodes.len() - 1);
                let (one, other) = (names(0..middle), names(middle..self.nodes.len()));
                if self.draw.chance(70) {
                    self.line(&format!("split {one} from {other}"));
                } else {
                    let (every, time) = (500 + self.draw.below(9000), 5 + self.draw.below(25));
                    self.line(&format!("flap {one} from {other} every {every}ms for {time}s"));
                }
            }
            4 => self.line("heal"),
            5 | 6 if health != Health::Down => {
                self.line(&format!("crash n{node}"));
                // Sometimes it is back before any member has noticed.
                if self.draw.chance(if health == Health::Left { 70 } else { 30 }) {
                    self.come_back(node, other);
                } else {
                    self.nodes[node] = Health::Down;
                }
            }
            5..=7 if health == Health::Down => {
                self.come_back(node, other);
            }
            7 | 8 if runs => {
                let fault = match self.draw.below(8) {
                    0 | 1 => format!("freeze n{node}"),
                    2 | 3 => format!("hold n{node}"),
                    4 => format!("slow n{node} by {}ms", 1 + self.draw.below(300)),
                    5 => format!("unplug n{node}"),
                    6 => format!("deafen n{node}"),
                    _ => format!("mute n{node}"),
                };
                self.line(&fault);
                self.nodes[node] = Health::Faulty;
            }
            9 if runs => {
                self.line(&format!("resume n{node}"));
                self.nodes[node] = Health::Well;
            }
            10 if runs && self.draw.chance(60) => {
                self.line(&format!("leave n{node}"));
                self.nodes[node] = Health::Left;
            }
            8..=12 if health == Health::Left => {
                self.line(&format!("crash n{node}"));
                self.come_back(node, other);
            }
            11 if runs && node != other => {
                let target = self.target(other);
                self.line(&format!("join n{node} {target}"));
            }
            12 | 13 if runs => self.work(node, other),
            14.. if self.kind.open() && health != Health::Down => self.strange(node, other),
            _ => {}
        }
    }

    fn come_back(&mut self, node: usize, other: usize) {
        let left = self.nodes[node] == Health::Left;
        let moves = self.draw.chance(if left { 70 } else { 30 });
        let down = |at: &usize| *at != node && self.nodes[*at] == Health::Down;
        let vacant = (0..self.nodes.len()).find(down);
        let back = match vacant {
            Some(vacant) if moves && self.draw.chance(50) => {
                format!("try move n{node} to-address-of n{vacant}\ntry move n{node}")
            }
            _ if moves => format!("try move n{node}"),
            // Another node may have its address by now.
            _ => format!("try restart n{node}\ntry move n{node}"),
        };
        let target = self.target(other);
        self.line(&format!("{back}\nhost host{node} n{node}\njoin n{node} {target}"));
        self.nodes[node] = Health::Well;
    }

    fn work(&mut self, node: usize, other: usize) {
        let number = self.draw.next();
        let line = match self.draw.below(4) {
            0 => format!("meta n{node} meta {number}"),
            1 => format!("broadcast n{node} news {number}"),
            // Only a ping to itself is certain to be possible: another node may be unknown by now.
            2 => format!("ping n{node} n{node}"),
            _ if other == node => format!("tell n{node} n{node} message {number}"),
            // This is longer than a packet, if packets are short.
            _ if self.kind.transport == "dskit" => {
                format!("broadcast n{node} {}", "long news ".repeat(2000))
            }
            _ => format!("broadcast n{node} {}", "long news ".repeat(60)),
        };
        // It may be refused because of small limits.
        self.line(&format!("try {line}"));
    }

    /// A message from outside.
    fn strange(&mut self, node: usize, other: usize) {
        let number = self.draw.below(4);
        let left = self.nodes[node] == Health::Left && self.draw.chance(40);
        let kind = if left { 8 } else { self.draw.below(12) };
        let line = match kind {
            0 => format!("alive eve address=10.99.0.9:{}", 1 + number),
            1 => format!("alive z{number} incarnation={}", number % 2),
            2 => format!("alive s{number} address=10.99.0.{number}:7946 meta=600"),
            3 => format!("alive s{number} meta={}", 2000 + 50 * number),
            4 => format!("alive s{number} versions=crossed"),
            5 => format!("alive s{number} address=192.0.2.{number}:7946"),
            6 => format!("alive s{number} address=0.0.0.0:7946"),
            7 if number < 2 => "alive -".to_owned(),
            7 => format!("alive n{other} address=n{other} incarnation={}", 10 * number),
            8 => format!("alive n{node} address=n{node} incarnation={}", 10 * number),
            // Longer than any name may be.
            9 if number == 3 => format!("suspect n{other} incarnation=3 by={}", "x".repeat(256)),
            10 if number == 3 => format!("dead n{other} incarnation=3 by={}", "x".repeat(256)),
            9 => format!("suspect n{other} incarnation={number} by=n{node}"),
            10 => format!("dead n{other} incarnation={number} by=eve"),
            _ => format!("dead n{other} incarnation={number} by=n{other}"),
        };
        let from = if self.draw.chance(20) { " source=192.0.2.7:1" } else { "" };
        let from = if line.starts_with("alive") { from } else { "" };
        self.line(&format!("forge n{node} {line}{from}"));
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
            // Without encryption, only the checksum of UDP, which is not simulated, would reveal
            // it: a changed version byte is believed, and stays.
            _ if self.kind.encrypted => format!("link corruption=0.0{}", self.draw.below(5)),
            _ => "calm".to_owned(),
        };
        self.line(&line);
    }
}
